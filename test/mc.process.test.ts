/** Buckets and objects from the command line against running servers: text, --json, files and exit codes. */
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import {
  closeSync,
  constants,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join, resolve } from "node:path";
import { Readable } from "node:stream";
import { after, before, test } from "node:test";
import { runMc } from "../src/cli/main.ts";
import { cleanUp, ROOT_SECRET, ROOT_USER, startServer, temporaryFolder, type RunningServer } from "./support/server.ts";

let alpha: RunningServer;
let beta: RunningServer;
let folder = "";

before(async () => {
  folder = temporaryFolder();
  [alpha, beta] = await Promise.all([startServer(), startServer()]);
});
after(cleanUp);

class Sink {
  readonly chunks: Buffer[] = [];
  write(data: string | Uint8Array, done?: (error?: Error | null) => void): boolean {
    this.chunks.push(Buffer.from(data));
    done?.();
    return true;
  }
}

interface Result {
  readonly code: number;
  readonly bytes: Buffer;
  readonly stdout: string;
  readonly stderr: string;
  readonly objects: Record<string, unknown>[];
}

function environment(): Record<string, string> {
  const host = (server: RunningServer): string => server.url.replace("://", `://${ROOT_USER}:${ROOT_SECRET}@`);
  return { MC_CONFIG_DIR: join(folder, "config"), MC_HOST_alpha: host(alpha), MC_HOST_beta: host(beta) };
}

async function attempt(args: readonly string[], input: Buffer | string = ""): Promise<Result> {
  const [stdout, stderr] = [new Sink(), new Sink()];
  const stdin = Readable.from(input.length === 0 ? [] : [Buffer.from(input)]);
  const code = await runMc(args, environment(), { stdin, stdout, stderr, signal: new AbortController().signal });
  const bytes = Buffer.concat(stdout.chunks);
  const lines = args.includes("--json") ? bytes.toString().split("\n").filter(Boolean) : [];
  const objects = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  return { code, bytes, stdout: bytes.toString(), stderr: Buffer.concat(stderr.chunks).toString(), objects };
}

async function mc(line: string, input: Buffer | string = ""): Promise<Result> {
  const result = await attempt(line.split(" "), input);
  assert.equal(result.code, 0, `mc ${line}\n${result.stdout}${result.stderr}`);
  return result;
}

async function fails(line: string, message: RegExp, code = 1): Promise<void> {
  const result = await attempt(line.split(" "));
  assert.equal(result.code, code, `mc ${line}\n${result.stdout}`);
  assert.match(result.stderr, message);
}

function file(name: string, content: string | Buffer): string {
  const path = join(folder, name);
  mkdirSync(join(path, ".."), { recursive: true });
  writeFileSync(path, content);
  return path;
}

const keys = async (target: string): Promise<unknown[]> =>
  (await mc(`ls -r --json ${target}`)).objects.map((object) => object["key"]);

test("alias set probes the keys before it saves them", async () => {
  const added = await mc(`alias set home ${alpha.url} ${ROOT_USER} ${ROOT_SECRET} --json`);
  const entry = {
    alias: "home",
    URL: alpha.url,
    accessKey: ROOT_USER,
    secretKey: ROOT_SECRET,
    api: "S3v4",
    path: "auto",
  };
  assert.deepEqual(added.objects, [{ status: "success", ...entry }]);
  await fails(`alias set bad ${alpha.url} ${ROOT_USER} wrong`, /Unable to initialize new alias.*signature/i);
  await fails("alias list bad", /No such alias `bad`/);
  const keysFromPipe = await mc(`alias set piped ${alpha.url}`, `${ROOT_USER}\n${ROOT_SECRET}\n`);
  assert.equal(keysFromPipe.stdout, "Added `piped` successfully.\n");
  const exported = await mc("alias export home");
  await mc("alias import copy", exported.stdout);
  assert.deepEqual((await mc("alias export copy")).stdout, exported.stdout);
  assert.deepEqual((await mc("alias list alpha --json")).objects[0]?.["src"], "env");
  assert.equal((await mc("alias remove copy")).stdout, "Removed `copy` successfully.\n");
});

test("mb and rb: existing, missing, not empty", async () => {
  assert.equal((await mc("mb alpha/buckets-one")).stdout, "Bucket created successfully `alpha/buckets-one`.\n");
  await fails("mb alpha/buckets-one", /already own it/);
  const again = await mc("mb -p --json alpha/buckets-one");
  assert.deepEqual(again.objects, [{ status: "success", bucket: "alpha/buckets-one", region: "us-east-1" }]);
  await mc("mb --with-versioning alpha/buckets-two");
  await mc("pipe alpha/buckets-two/k", "x");
  await mc("rm alpha/buckets-two/k");
  await fails("rb alpha/buckets-two", /not empty.*rb --force/);
  assert.equal((await mc("rb --force alpha/buckets-two")).stdout, "Removed `alpha/buckets-two` successfully.\n");
  assert.equal((await mc("rb --force alpha/buckets-two")).stdout, "");
  await fails("rb alpha/buckets-two", /does not exist/);
  await fails("rb --force alpha", /--dangerous/);
});

test("cp: trailing slashes decide on names", async () => {
  await mc("mb alpha/copies");
  const one = file("tree/one.txt", "one");
  file("tree/sub/two.txt", "two!");
  await mc(`cp ${one} alpha/copies/x`);
  await mc(`cp ${one} alpha/copies/into/`);
  await mc(`cp -r ${join(folder, "tree")} alpha/copies/whole`);
  await mc(`cp -r ${join(folder, "tree")}/ alpha/copies/contents/`);
  const expected = [
    "contents/one.txt",
    "contents/sub/two.txt",
    "into/one.txt",
    "whole/tree/one.txt",
    "whole/tree/sub/two.txt",
    "x",
  ];
  assert.deepEqual(await keys("alpha/copies"), expected);
  await fails(`cp ${join(folder, "tree")} alpha/copies/`, /--recursive/);
  await fails("cp alpha/copies/whole alpha/copies/y", /--recursive/);
  await fails("cp nowhere.txt alpha/copies/", /no such file/);
  const back = join(folder, "back");
  const result = await mc(`cp -r --json alpha/copies/whole/ ${back}/`);
  assert.equal(readFileSync(join(back, "tree/sub/two.txt"), "utf8"), "two!");
  const summary = result.objects.at(-1);
  assert.deepEqual([summary?.["total"], summary?.["transferred"]], [7, 7]);
});

test("large objects travel in parts and come back whole, also between servers", async () => {
  await mc("mb alpha/large beta/large");
  const content = Buffer.alloc(20 * 1024 * 1024);
  for (let i = 0; i < content.length; i += 4096) content.writeUInt32BE(i, i);
  const path = file("large.bin", content);
  await mc(`put --part-size 5MiB --checksum CRC32C ${path} alpha/large/a.bin`);
  const [stat] = (await mc("stat --json alpha/large/a.bin")).objects;
  assert.match(String(stat?.["etag"]), /-4$/);
  assert.ok(Object.hasOwn(Object(stat?.["checksum"]), "CRC32C"));
  await mc("cp alpha/large/a.bin beta/large/b.bin");
  await mc(`get beta/large/b.bin ${join(folder, "large.back")}`);
  assert.ok(readFileSync(join(folder, "large.back")).equals(content));
  await mc("pipe --part-size 5MiB alpha/large/piped", content);
  assert.ok((await mc("cat alpha/large/piped")).bytes.equals(content));
  assert.deepEqual(
    readdirSync(folder).filter((name) => name.includes(".part.")),
    [],
  );
});

test("an interrupted upload ends with 130 and is taken up again", async () => {
  await mc("mb alpha/resumed");
  const path = file("resumed.bin", Buffer.alloc(24 * 1024 * 1024, 5));
  const args = ["--limit-upload", "8MiB", "--debug", "cp", "--continue", path, "alpha/resumed/k"];
  const child = spawn(resolve(import.meta.dirname, "..", "bin", "mc"), args, {
    env: { ...process.env, ...environment() },
  });
  let log = "";
  let stopped = false;
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    log += text;
    // The answer to a part: something is there to go on with.
    if (!stopped && /REQUEST.*partNumber/.test(log)) {
      stopped = true;
      child.kill("SIGINT");
    }
  });
  assert.equal(await new Promise((done) => child.once("exit", done)), 130, log);
  assert.equal((await mc("ls -r --incomplete alpha/resumed")).stdout.trim().split("\n").length, 1);
  await mc(`cp --continue ${path} alpha/resumed/k`);
  assert.equal((await mc("ls -r --incomplete alpha/resumed")).stdout, "");
  assert.equal((await mc("cat alpha/resumed/k")).bytes.length, 24 * 1024 * 1024);
});

test("versions: listing, reading, restoring, removing", async () => {
  await mc("mb --with-versioning alpha/versions");
  await mc("pipe alpha/versions/k", "first");
  await mc("pipe alpha/versions/k", "second");
  const removed = (await mc("rm --json alpha/versions/k")).objects[0];
  assert.deepEqual(
    { ...removed, versionID: "" },
    {
      status: "success",
      key: "alpha/versions/k",
      deleteMarker: true,
      versionID: "",
      modTime: null,
      dryRun: false,
    },
  );
  const listed = (await mc("ls --versions --json alpha/versions")).objects;
  assert.deepEqual(
    listed.map((one) => [one["versionOrdinal"], one["isDeleteMarker"] ?? false, one["size"]]),
    [
      [3, true, 0],
      [2, false, 6],
      [1, false, 5],
    ],
  );
  assert.equal((await mc("ls alpha/versions")).stdout, "");
  await fails("rm alpha/versions/k", /Object does not exist/);
  await fails("stat alpha/versions/k", /Object does not exist/);
  const first = String(listed[2]?.["versionId"]);
  assert.equal((await mc(`cat --vid ${first} alpha/versions/k`)).stdout, "first");
  await mc(`cp --vid ${first} alpha/versions/k alpha/versions/k`);
  assert.equal((await mc("cat alpha/versions/k")).stdout, "first");
  await fails("rm -r --versions alpha/versions", /--force/);
  const dry = await mc("rm -r --versions --force --dry-run alpha/versions");
  assert.equal(
    dry.stdout
      .trim()
      .split("\n")
      .filter((line) => line.startsWith("DRYRUN: Removing `alpha/versions/k`")).length,
    4,
  );
  await mc("rm -r --versions --non-current --force alpha/versions");
  assert.equal((await mc("ls --versions alpha/versions")).stdout.trim().split("\n").length, 1);
  await mc("rm -r --versions --force alpha/versions");
  await mc("rb alpha/versions");
});

test("attributes and tags: written, carried by a copy, replaced by flags", async () => {
  await mc("mb alpha/attributes beta/attributes");
  const path = file("note.txt", "note");
  await mc(`cp --attr Cache-Control=no-store;Color=red --tags k=v ${path} alpha/attributes/`);
  await mc("cp alpha/attributes/note.txt beta/attributes/");
  await mc("cp --attr Color=blue --tags k=w&l=x alpha/attributes/note.txt alpha/attributes/other.txt");
  const seen = async (target: string): Promise<unknown[]> => {
    const metadata = Object((await mc(`stat --json ${target}`)).objects[0]?.["metadata"]) as Record<string, string>;
    return ["Content-Type", "Cache-Control", "X-Amz-Meta-Color", "X-Amz-Tagging-Count"].map((name) => metadata[name]);
  };
  assert.deepEqual(await seen("alpha/attributes/note.txt"), ["text/plain", "no-store", "red", "1"]);
  assert.deepEqual(await seen("beta/attributes/note.txt"), ["text/plain", "no-store", "red", "1"]);
  assert.deepEqual(await seen("alpha/attributes/other.txt"), ["text/plain", "no-store", "blue", "2"]);
  await fails(`cp --retention-mode governance ${path} alpha/attributes/`, /given together/);
});

test("find, du, diff and mirror", async () => {
  await mc("mb alpha/trees beta/trees");
  for (const [key, text] of [
    ["a/1.txt", "1"],
    ["a/2.log", "22"],
    ["b", "333"],
  ] as const)
    await mc(`pipe alpha/trees/${key}`, text);
  assert.equal((await mc("find alpha/trees --name *.txt")).stdout, "alpha/trees/a/1.txt\n");
  assert.equal((await mc("find alpha/trees --larger 1 --print {base}")).stdout, "2.log\nb\n");
  assert.equal((await mc("du alpha/trees")).stdout, "6B\t3 objects\ttrees\n");
  const parts = (await mc("du --depth 2 --json alpha/trees")).objects.map((one) => [one["prefix"], one["size"]]);
  assert.deepEqual(parts, [
    ["trees/a", 3],
    ["trees", 6],
  ]);
  await mc("pipe beta/trees/b", "4");
  await mc("pipe beta/trees/extra", "x");
  const differences = (await mc("diff --json alpha/trees beta/trees")).objects.map((one) => one["diff"]);
  assert.deepEqual(differences, [5, 5, 2, 6]);
  await fails("mirror --skip-errors alpha/trees beta/trees", /Overwrite not allowed for `beta\/trees\/b`/);
  assert.deepEqual(await keys("beta/trees"), ["a/1.txt", "a/2.log", "b", "extra"]);
  await mc("mirror --overwrite --remove alpha/trees beta/trees");
  assert.equal((await mc("diff alpha/trees beta/trees")).stdout, "");
  await mc("mirror alpha/trees beta/made-by-mirror");
  const local = join(folder, "mirrored");
  await mc(`mirror alpha/trees ${local}`);
  assert.equal(statSync(join(local, "a/2.log")).size, 2);
  await mc("mv -r alpha/trees/a/ alpha/trees/moved/");
  assert.deepEqual(await keys("alpha/trees"), ["b", "moved/1.txt", "moved/2.log"]);
});

test("head, cat ranges and standard input", async () => {
  await mc("mb alpha/lines");
  await mc("pipe alpha/lines/k", "one\ntwo\nthree\n");
  assert.equal((await mc("head -n 2 alpha/lines/k")).stdout, "one\ntwo\n");
  assert.equal((await mc("cat --offset 4 alpha/lines/k")).stdout, "two\nthree\n");
  assert.equal((await mc("cat --tail 6 alpha/lines/k")).stdout, "three\n");
  assert.equal((await mc("cat -", "through")).stdout, "through");
  assert.equal((await mc("rm --stdin --force", "alpha/lines/k\n")).stdout, "Removed `alpha/lines/k`.\n");
});

test("what is copied onto a pipe or a device goes into it, and it stays what it is", async () => {
  await mc("mb alpha/piped");
  await mc("pipe alpha/piped/k", "through the pipe");
  const path = join(folder, "pipe");
  const file = join(folder, "piped.txt");
  writeFileSync(file, "from a file");
  assert.equal(spawnSync("mkfifo", [path]).status, 0);
  // A reader that waits for nothing: what comes stays in the pipe until it looks.
  const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    for (const [source, text] of [
      ["alpha/piped/k", "through the pipe"],
      [file, "from a file"],
    ] as const) {
      const { code, stderr } = await attempt(["cp", source, path]);
      assert.equal(code, 0, stderr);
      assert.ok(statSync(path).isFIFO(), "a file took its place");
      const bytes = Buffer.alloc(100);
      assert.equal(bytes.toString("utf8", 0, readSync(reader, bytes)), text);
    }
  } finally {
    closeSync(reader);
  }
});

test("ls of the beginning of names lists what begins so; of a folder, what is in it", async () => {
  await mc("mb alpha/begun");
  for (const key of ["day-1", "day-10/x", "day-2", "night"]) await mc(`pipe alpha/begun/${key}`, "x");
  const shown = async (line: string): Promise<unknown[]> =>
    (await mc(`${line} --json`)).objects.map((one) => one["key"]);
  assert.deepEqual(await shown("ls alpha/begun/day"), ["day-1", "day-10/", "day-2"]);
  assert.deepEqual(await shown("ls -r alpha/begun/day-1"), ["day-1", "day-10/x"]);
  assert.deepEqual(await shown("ls --versions alpha/begun/nig"), ["night"]);
  assert.deepEqual(await shown("ls alpha/begun/day-10"), ["x"]);
  assert.deepEqual(await shown("ls alpha/begun/none"), []);
});

test("odd keys survive every command", async () => {
  await mc("mb alpha/odd");
  for (const key of ["blank here+plus", "percent%41", "ünïcode/☃", "a&b<c>\"'"]) {
    const path = `alpha/odd/${key}`;
    assert.equal((await attempt(["pipe", path], "x")).code, 0, key);
    assert.deepEqual(
      (await attempt(["ls", "-r", "--json", "alpha/odd"])).objects.map((one) => one["key"]),
      [key],
    );
    assert.equal((await attempt(["cp", path, `${path}.copy`])).code, 0, key);
    assert.equal((await attempt(["cat", `${path}.copy`])).stdout, "x", key);
    assert.equal((await attempt(["rm", path, `${path}.copy`])).code, 0, key);
    assert.equal((await mc("ls -r alpha/odd")).stdout, "", key);
  }
});

test("wrong usage: hints and exit code 1", async () => {
  await fails("lss", /Did you mean `mc ls`/);
  await fails("ls --recursvie alpha", /Did you mean --recursive/);
  await fails("ls alhpa/x", /no alias `alhpa`/);
  await fails(`cp ${file("typo.txt", "x")} alhpa/x/y`, /neither an alias nor a folder `alhpa`/);
  await fails(`mirror ${folder} alhpa/x`, /neither an alias nor a folder `alhpa`/);
  await fails("ls alpha/no-such-bucket", /bucket does not exist/);
  const error = await attempt(["ls", "--json", "alpha/no-such-bucket"]);
  assert.equal(error.code, 1);
  const detail = JSON.stringify(error.objects[0]);
  assert.match(detail, /"status":"error".*"Code":"NoSuchBucket".*"RequestID":"\w+".*"HostID":"\w+".*"type":"error"/);
  assert.equal((await mc("ls alpha/odd/not-there")).stdout, "");
  assert.match((await mc("--version")).stdout, /^mc version /);
  assert.match((await mc("ping -c 1 alpha")).stdout, /errors=0/);
});

test("lifecycle rules and undo against a server", async () => {
  await mc("mb --with-versioning alpha/aging");
  await mc("ilm rule add alpha/aging --id old --prefix logs/ --expire-days 30 --noncurrent-expire-days 7");
  await mc("ilm rule add alpha/aging --id uploads --abort-days 3");
  const { objects } = await mc("ilm rule ls alpha/aging --json");
  assert.match(String(objects[0]?.["updatedAt"]), /^\d{4}-\d\d-\d\dT/);
  const exported = (await mc("ilm rule export alpha/aging")).stdout;
  await mc("ilm rule rm alpha/aging --all --force");
  await fails("ilm rule ls alpha/aging", /does not exist/);
  await mc("ilm rule import alpha/aging", exported);
  assert.equal((await mc("ilm rule export alpha/aging")).stdout, exported);
  await fails("event add alpha/aging arn:minio:sqs::1:webhook --event put", /not implemented/);

  for (const text of ["one", "two"]) await mc("pipe alpha/aging/k", text);
  await mc("rm alpha/aging/k");
  await mc("undo alpha/aging/k");
  assert.equal((await mc("cat alpha/aging/k")).stdout, "two");
  await mc("undo alpha/aging/k --action PUT");
  assert.equal((await mc("cat alpha/aging/k")).stdout, "one");
});
