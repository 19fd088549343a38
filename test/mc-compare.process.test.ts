/** du, find, diff, mirror and ping against running servers: text, --json, files and exit codes. */
import assert from "node:assert/strict";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { S3Client } from "../src/client/s3-client.ts";
import { mcRunner, type McRunner } from "./support/mc-run.ts";
import { cleanUp, ROOT_SECRET, ROOT_USER, startServer, temporaryFolder, type RunningServer } from "./support/server.ts";
import { until } from "./support/site.ts";

let alpha: RunningServer;
let beta: RunningServer;
let folder = "";
let cli: McRunner;

before(async () => {
  folder = temporaryFolder();
  [alpha, beta] = await Promise.all([startServer(), startServer()]);
  cli = mcRunner({ alpha, beta, same: alpha }, join(folder, "config"));
});
after(cleanUp);

const mc: McRunner["mc"] = (line, input) => cli.mc(line, input);
const fails: McRunner["fails"] = (line, message) => cli.fails(line, message);

/** A bucket with `objects`, key and content. */
async function bucket(path: string, objects: Readonly<Record<string, string>>, flags = ""): Promise<void> {
  await mc(`mb ${flags} ${path}`.replace("  ", " "));
  for (const [key, text] of Object.entries(objects)) await mc(["pipe", `${path}/${key}`], text);
}

function files(name: string, contents: Readonly<Record<string, string>>): string {
  const root = join(folder, name);
  mkdirSync(root, { recursive: true });
  for (const [key, text] of Object.entries(contents)) {
    mkdirSync(join(root, key, ".."), { recursive: true });
    writeFileSync(join(root, key), text);
  }
  return root;
}

const members = (objects: readonly Record<string, unknown>[], ...names: string[]): unknown[][] =>
  objects.map((object) => names.map((name) => object[name]));
const keys = async (target: string): Promise<unknown[]> =>
  members((await mc(`ls -r --json ${target}`)).objects, "key").flat();

test("du: totals, folders, versions, a whole server, files of this machine", async () => {
  await bucket("alpha/usage", { "a/1": "1", "a/b/2": "22", c: "333" }, "--with-versioning");
  await mc("pipe alpha/usage/c", "4444");
  await mc("rm alpha/usage/a/1");
  assert.equal((await mc("du alpha/usage")).stdout, "6B\t2 objects\tusage\n");
  assert.equal((await mc("du --versions alpha/usage")).stdout, "10B\t4 versions\tusage\n");
  assert.equal((await mc("du alpha/usage/a")).stdout, "2B\t1 object\tusage/a\n");
  assert.deepEqual((await mc("du -d 2 --json alpha/usage")).objects, [
    { prefix: "usage/a", size: 2, objects: 1, status: "success", isVersions: false },
    { prefix: "usage", size: 6, objects: 2, status: "success", isVersions: false },
  ]);
  assert.deepEqual(members((await mc("du -r --json alpha/usage")).objects, "prefix"), [
    ["usage/a/b"],
    ["usage/a"],
    ["usage"],
  ]);
  assert.match((await mc("du -d 2 alpha")).stdout, /^6B\t2 objects\tusage$/m);
  assert.match((await mc(`du ${files("usage", { "d/x": "12345" })}`)).stdout, /^5B\t1 object\t/);
  await fails("du alpha/usage/c", /It is an object/);
  await fails("du alhpa/usage", /`alhpa` is no alias/);
  await fails("du alpha/no-such-bucket", /bucket does not exist/);
});

test("du and find need no right to read", async () => {
  const policy = JSON.stringify({
    Version: "2012-10-17",
    Statement: [{ Effect: "Allow", Action: ["s3:ListBucket"], Resource: ["arn:aws:s3:::listed"] }],
  });
  await bucket("alpha/listed", { "d/k": "abc" });
  await mc(`admin policy create alpha lister ${join(files("policies", { "lister.json": policy }), "lister.json")}`);
  await mc("admin user add alpha lister lister-secret");
  await mc("admin policy attach alpha lister --user lister");
  await mc(["alias", "set", "lister", alpha.url, "lister", "lister-secret"]);
  assert.equal((await mc("du lister/listed/d")).stdout, "3B\t1 object\tlisted/d\n");
  assert.equal((await mc("find lister/listed")).stdout, "lister/listed/d/k\n");
});

test("find: predicates, formats and objects", async () => {
  await bucket("alpha/search", { "in/a.txt": "1", "in/deep/b.log": "22", "c.TXT": "333" });
  const path = join(files("search", { "t.bin": "tagged" }), "t.bin");
  await mc(["cp", "--attr", "Color=dark red", "--tags", "team=blue", path, "alpha/search/"]);
  const found = async (...flags: string[]): Promise<string[]> =>
    (await mc(["find", "alpha/search", ...flags])).stdout
      .split("\n")
      .filter(Boolean)
      .map((line) => line.replace("alpha/search/", ""));
  assert.deepEqual(await found(), ["c.TXT", "in/a.txt", "in/deep/b.log", "t.bin"]);
  assert.deepEqual(await found("--name", "*.txt"), ["in/a.txt"]);
  assert.deepEqual(await found("--regex", "(?i)\\.txt$"), ["c.TXT", "in/a.txt"]);
  assert.deepEqual(await found("--path", "in/*", "--ignore", "*.log"), ["in/a.txt"]);
  assert.deepEqual(await found("--larger", "1", "--smaller", "3"), ["in/deep/b.log"]);
  assert.deepEqual(await found("--maxdepth", "1"), ["c.TXT", "t.bin"]);
  assert.deepEqual(await found("--older-than", "1d"), []);
  assert.deepEqual(await found("--newer-than", "1d", "--name", "c*"), ["c.TXT"]);
  assert.deepEqual(await found("--metadata", "color=red$"), ["t.bin"]);
  assert.deepEqual(await found("--tags", "team=^blue$"), ["t.bin"]);
  assert.deepEqual(await found("--tags", "team=red"), []);
  assert.deepEqual(await found("--name", "b.log", "--print", '{base} {"base"} {dir} {size} {url}'), [
    `b.log "b.log" in/deep 2B ${alpha.url}/search/in/deep/b.log`,
  ]);
  const [object] = (await mc("find --json --name t.bin alpha/search")).objects;
  assert.deepEqual([object?.["key"], object?.["type"], object?.["size"]], ["alpha/search/t.bin", "file", 6]);
  assert.match((await mc("find alpha --name b.log")).stdout, /^alpha\/search\/in\/deep\/b\.log\n$/);
  assert.match((await mc(`find ${join(folder, "search")} --name *.bin`)).stdout, /search\/t\.bin\n$/);
  await fails("find alhpa/search", /`alhpa` is no alias/);
  await fails("find alpha/search --watch", /not supported/);
});

test("find --versions: every version, no delete marker", async () => {
  await bucket("alpha/history", { k: "1" }, "--with-versioning");
  await mc("pipe alpha/history/k", "22");
  await mc("rm alpha/history/k");
  assert.equal((await mc("find alpha/history")).stdout, "");
  const { stdout } = await mc(["find", "alpha/history", "--versions", "--print", "{version} {size}"]);
  assert.match(stdout, /^[\w-]{36} 2B\n[\w-]{36} 1B\n$/);
  assert.match((await mc("find alpha/history --versions --smaller 2")).stdout, /^alpha\/history\/k \([\w-]{36}\)\n$/);
});

test("find --exec: one argument a name, the first failure ends it with its code", async () => {
  await bucket("alpha/commands", { "a b": "1", c: "2", 'd"e': "3" });
  const run = (command: string): ReturnType<McRunner["attempt"]> =>
    cli.attempt(["find", "alpha/commands", "--exec", command]);
  const each = await run(`sh -c 'echo "$# $1"' sh {}`);
  assert.deepEqual([each.code, each.stdout], [0, '1 alpha/commands/a b\n1 alpha/commands/c\n1 alpha/commands/d"e\n']);
  const failing = await run(`sh -c 'echo "$1"; test "$1" != c || exit 7' sh {base}`);
  assert.deepEqual([failing.code, failing.stdout], [7, "a b\nc\n"]);
  const killed = await run("sh -c 'kill -9 $$'");
  assert.equal(killed.code, 137);
  await fails(["find", "alpha/commands", "--exec", "no-such-program {}"], /Unable to run `no-such-program`/);
});

test("diff: numbers, lines and exit code 0", async () => {
  await bucket("alpha/left", { both: "1", changed: "22", gone: "3" });
  await bucket("beta/right", { both: "9", changed: "2", new: "3" });
  const plain = await mc("diff alpha/left beta/right");
  const [left, right] = [`${alpha.url}/left`, `${beta.url}/right`];
  assert.equal(plain.stdout, `! ${right}/changed\n< ${left}/gone\n> ${right}/new\n`);
  assert.deepEqual(
    members((await mc("diff --json alpha/left beta/right")).objects, "status", "first", "second", "diff", "error"),
    [
      ["success", `${left}/changed`, `${right}/changed`, 2, null],
      ["success", `${left}/gone`, "", 5, null],
      ["success", "", `${right}/new`, 6, null],
    ],
  );
  const local = files("left", { both: "1", changed: "22", gone: "3" });
  assert.equal((await mc(`diff ${local} alpha/left`)).stdout, "");
  await fails(`diff ${local}-typo alpha/left`, /no such folder/);
  await fails("diff alhpa/left beta/right", /`alhpa` is no alias/);
  await fails("diff alpha/left beta/no-such-bucket", /bucket does not exist/);
  await fails(`diff --versions ${local} alpha/left`, /compares two buckets/);
});

test("diff --versions: 1 until replication has carried everything, then 0, then 1 for a tag", async () => {
  await bucket("alpha/twin", {}, "--with-versioning");
  await bucket("beta/twin", {}, "--with-versioning");
  const target = `${beta.url.replace("://", `://${ROOT_USER}:${ROOT_SECRET}@`)}/twin`;
  await mc([
    "replicate",
    "add",
    "alpha/twin",
    "--remote-bucket",
    target,
    "--replicate",
    "delete,delete-marker,existing-objects",
  ]);
  for (const text of ["1", "22"]) await mc("pipe alpha/twin/d/k", text);
  await mc("pipe alpha/twin/other", "333");
  await mc("rm alpha/twin/d/k");
  // Replication has no event at the client.
  const diff = (): ReturnType<McRunner["attempt"]> => cli.attempt("diff --versions alpha/twin beta/twin");
  await until(
    async () => (await diff()).code === 0,
    20_000,
    async () => `${(await diff()).stdout}\n${alpha.log()}`,
  );
  assert.equal((await diff()).stdout, "");
  await mc("tag set beta/twin/other color=red");
  const tagged = await cli.attempt("diff --versions --json alpha/twin beta/twin");
  assert.equal(tagged.code, 1);
  assert.deepEqual(members(tagged.objects, "diff", "kind", "first", "second"), [
    [3, "metadata", `${alpha.url}/twin/other`, `${beta.url}/twin/other`],
  ]);
  const copied = await cli.attempt("diff --versions alpha/left beta/right");
  assert.equal(copied.code, 1);
  assert.match(copied.stdout, /^! .*\/right\/both \(null\)$/m);
});

test("mirror: copies, overwrites, removes; a second run has nothing to do", async () => {
  await bucket("alpha/from", { "a/1": "1", "a/2": "22", b: "333" });
  await bucket("beta/into", { b: "4", extra: "x", "keep.tmp": "y" }, "--with-versioning");
  await fails("mirror alpha/from beta/into", /Overwrite not allowed for `beta\/into\/b`. Use `--overwrite`/);
  const dry = await mc("mirror --fake --force --remove --exclude *.tmp alpha/from beta/into");
  assert.match(dry.stdout, /`alpha\/from\/b` -> `beta\/into\/b`\n[^]*DRYRUN: Removing `beta\/into\/extra`/);
  assert.equal((await mc("cat beta/into/b")).stdout, "4");
  const { objects } = await mc("mirror --json --overwrite --remove --exclude *.tmp alpha/from beta/into");
  // The refused run had copied what came before.
  assert.deepEqual(
    members(
      objects.filter(({ source }) => source !== undefined),
      "status",
      "source",
      "target",
      "size",
    ),
    [["success", "alpha/from/b", "beta/into/b", 3]],
  );
  assert.deepEqual(
    members(
      objects.filter(({ dryRun }) => dryRun !== undefined),
      "status",
      "key",
      "dryRun",
      "deleteMarker",
    ),
    [["success", "beta/into/extra", false, true]],
  );
  assert.deepEqual(await keys("beta/into"), ["a/1", "a/2", "b", "keep.tmp"]);
  assert.equal((await mc("mirror --overwrite --remove --exclude *.tmp alpha/from beta/into")).stdout, "");
});

test("mirror: what may not be replaced is told and the rest goes on with --skip-errors", async () => {
  await bucket("beta/skipping", { b: "4" });
  const result = await cli.attempt("mirror --skip-errors --json alpha/from beta/skipping");
  assert.equal(result.code, 1);
  assert.match(JSON.stringify(result.objects), /"status":"error".*Overwrite not allowed for `beta\/skipping\/b`/);
  assert.deepEqual(await keys("beta/skipping"), ["a/1", "a/2", "b"]);
});

test("mirror --remove: a mistyped source never empties the target", async () => {
  await fails("mirror --overwrite --remove alhpa/from beta/into", /`alhpa` is no alias/);
  await fails(`mirror --remove ${join(folder, "nowhere")} beta/into`, /no such folder/);
  await fails("mirror --remove alpha/from-typo beta/into", /Bucket `alpha\/from-typo` does not exist/);
  await fails("mirror alpha/from-typo beta/never-made", /does not exist/);
  await fails("mirror --remove alpha/from/typo beta/into", /There is nothing below `alpha\/from\/typo`/);
  await fails(`mirror --remove alpha/from/typo/ ${files("kept", { k: "1" })}`, /There is nothing below/);
  assert.equal(readFileSync(join(folder, "kept", "k"), "utf8"), "1");
  assert.equal((await cli.attempt("ls beta/never-made")).code, 1);
  await fails("mirror --remove alpha/from/a alpha/from", /--remove would delete it/);
  await fails("mirror alpha/from same/from/copy", /lies inside/);
  assert.deepEqual(await keys("alpha/from"), ["a/1", "a/2", "b"]);
  assert.equal((await keys("beta/into")).length, 4);
});

test("mirror: folders of this machine, both ways, with times, classes and attributes", async () => {
  const source = files("pictures", { "x/1.txt": "one", "2.bin": "two" });
  await mc([
    "mirror",
    "--attr",
    "Color=red",
    "--storage-class",
    "STANDARD",
    "--preserve",
    "--max-workers",
    "2",
    "--retry",
    "--summary",
    source,
    "alpha/pictures",
  ]);
  const metadata = Object((await mc("stat --json alpha/pictures/x/1.txt")).objects[0]?.["metadata"]) as Record<
    string,
    string
  >;
  assert.deepEqual([metadata["X-Amz-Meta-Color"], metadata["Content-Type"]], ["red", "text/plain"]);
  const back = join(folder, "pictures-back");
  files("pictures-back", { "x/1.txt": "one", "left-over": "x" });
  const result = await mc(["mirror", "--remove", "alpha/pictures", back]);
  assert.match(result.stdout, /Removed `.*left-over`/);
  assert.deepEqual(readdirSync(back, { recursive: true }).sort(), ["2.bin", "x", "x/1.txt"]);
  assert.equal(readFileSync(join(back, "2.bin"), "utf8"), "two");
  await mc("mirror --newer-than 1d --older-than 0s alpha/pictures alpha/pictures-old");
  await mc("mirror --older-than 1d alpha/pictures alpha/pictures-none");
  assert.deepEqual([(await keys("alpha/pictures-old")).length, await keys("alpha/pictures-none")], [2, []]);
});

test("mirror --preserve: a missing bucket gets the policy of the source", async () => {
  await bucket("alpha/settings", { k: "1" });
  const policy = JSON.stringify({
    Version: "2012-10-17",
    Statement: [{ Effect: "Allow", Principal: "*", Action: ["s3:GetObject"], Resource: ["arn:aws:s3:::settings/*"] }],
  });
  const client = new S3Client({ url: alpha.url, accessKey: ROOT_USER, secretKey: ROOT_SECRET });
  await (
    await client.send({ method: "PUT", bucket: "settings", query: { policy: "" }, body: Buffer.from(policy) })
  ).discard();
  await client.close();
  await mc("mirror -a alpha/settings beta/settings-copy");
  const [stat] = (await mc("stat --json beta/settings-copy")).objects;
  assert.match(JSON.stringify(stat?.["Policy"]), /arn:aws:s3:::settings-copy\/\*/);
  await mc("mirror alpha/settings beta/settings-plain");
  const [plain] = (await mc("stat --json beta/settings-plain")).objects;
  assert.deepEqual(plain?.["Policy"], { type: "none" });
});

test("mirror: a whole server into a folder and back to another server", async () => {
  const third = await startServer();
  const fourth = await startServer();
  const servers = mcRunner({ third, fourth }, join(folder, "config"));
  for (const name of ["one", "two", "left-out"]) await servers.mc(`mb third/${name}`);
  await servers.mc("pipe third/one/d/k", "1");
  await servers.mc("pipe third/two/k", "2");
  await servers.mc("pipe third/left-out/k", "3");
  const backup = join(folder, "backup");
  await servers.mc(["mirror", "--exclude-bucket", "left*", "third", backup]);
  assert.deepEqual(readdirSync(backup).sort(), ["one", "two"]);
  await servers.mc(["mirror", `${backup}/`, "fourth"]);
  assert.equal((await servers.mc("ls -r --json fourth")).objects.length, 2);
  await servers.mc("mirror third fourth");
  assert.equal((await servers.mc("cat fourth/left-out/k")).stdout, "3");
  await Promise.all([third.stop(), fourth.stop()]);
});

test("mirror: what needs an event stream is refused", async () => {
  for (const flag of ["--watch", "-w", "--active-active", "--multi-master", "--monitoring-address=:8081"]) {
    await fails(`mirror ${flag} alpha/from beta/into`, /not supported: a mirror is one pass.*mc replicate add/);
  }
});

test("ping: rows, summary, ends on -x and -e, exit code 0 either way", async () => {
  const { objects } = await mc("ping -c 2 -i 1 --json alpha");
  assert.deepEqual(members(objects.slice(0, 2), "status", "counter"), [
    ["success", "  1"],
    ["success", "  2"],
  ]);
  const [server] = Object(objects[0]?.["servers"]) as Record<string, unknown>[];
  assert.deepEqual([server?.["status"], server?.["error"]], ["ok ", ""]);
  const summary = Object.values(Object(objects[2]?.["serverMap"]) as Record<string, Record<string, number>>)[0];
  assert.deepEqual([summary?.["counter"], summary?.["errorCount"]], [2, 0]);
  const text = await mc(`ping --exit --distributed --node 127.0.0.1:${alpha.port} alpha`);
  assert.match(text.stdout, /^ {2}1: http:\/\/127\.0\.0\.1:\d+ {2}min=.*roundtrip=\d+\.\d\dms\n\nEndpoint .*\nhttp/);
  await fails("ping --node elsewhere:9000 alpha", /no server `elsewhere:9000`/);
});

test("ping: a server that is down is counted, not failed on", async () => {
  const down = await startServer();
  await down.stop();
  const { stdout, code } = await mcRunner({ down }, join(folder, "config")).attempt("ping -e 1 down");
  assert.equal(code, 0);
  assert.match(stdout, /errors=1 {2}roundtrip=.*connection refused/);
});
