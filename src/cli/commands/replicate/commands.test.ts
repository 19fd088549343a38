import assert from "node:assert/strict";
import { test } from "node:test";
import { adminCommand } from "../admin/index.ts";
import { runCommand } from "../testing.ts";
import { replicateCommand } from "./index.ts";
import { ReplicationServer, resync } from "./testing.ts";

const ARN = "arn:minio:replication::1:dst";
const mc = (server: ReplicationServer, line: string, stdin?: string) =>
  runCommand(server, line.startsWith("admin") ? adminCommand : replicateCommand, line, stdin);

async function withRule(more = ""): Promise<ReplicationServer> {
  const server = new ReplicationServer();
  const added = await mc(server, `replicate add a/src --remote-bucket b/dst --id r1${more}`);
  assert.equal(added.code, 0, added.stderr);
  return server;
}

test("add makes the target, then the rule, and prints ID and ARN", async () => {
  const server = new ReplicationServer();
  const run = await mc(server, "replicate add a/src --remote-bucket http://U:SECRET@b.example:9000/dst --json");
  const json = JSON.parse(run.stdout) as Record<string, string>;
  assert.deepEqual(Object.keys(json), ["op", "status", "url", "id", "arn"]);
  assert.equal(json["arn"], ARN);
  assert.match(json["id"] ?? "", /^[0-9a-v]{20}$/);
  assert.deepEqual(server.targets[0]?.credentials, { accessKey: "U", secretKey: "SECRET" });
  assert.equal(server.config?.rules[0]?.destination, ARN);
  assert.equal(server.config?.rules[0]?.priority, 1);
});

test("the same add a second time is refused; another prefix, tags or a priority make it another rule", async () => {
  const server = await withRule();
  const calls = server.calls.length;
  for (const again of ["b/dst", ARN]) {
    const run = await mc(server, `replicate add a/src --remote-bucket ${again}`);
    assert.deepEqual([run.code, /`r1` sends the same/.test(run.stderr)], [1, true], run.stderr);
  }
  assert.deepEqual(
    server.calls.slice(calls).filter((call) => !call.startsWith("GET")),
    [],
  );
  for (const more of ["a/src/pre", "a/src --tags k=v", "a/src --priority 9"]) {
    const run = await mc(server, `replicate add ${more} --remote-bucket b/dst`);
    assert.equal(run.code, 0, run.stderr);
  }
  assert.equal(server.config?.rules.length, 4);
  assert.equal((await mc(server, "replicate add a/src --remote-bucket b/dst --tags k=v")).code, 1);
});

test("the text of add begins with the captured line", async () => {
  const server = new ReplicationServer();
  const run = await mc(server, "replicate add a/src --remote-bucket b/dst");
  assert.match(
    run.stdout,
    /^Replication configuration rule applied to a\/src successfully\.\n {2}Rule ID: .*\n {2}ARN: arn/,
  );
});

test("a refused rule takes its new target away again, and wrong flags make none", async () => {
  const server = new ReplicationServer();
  server.refuseConfig = "ReplicationDestinationMissingLockError";
  const run = await mc(server, "replicate add a/src --remote-bucket b/dst");
  assert.equal(run.code, 1);
  assert.deepEqual(server.targets, []);
  const untouched = new ReplicationServer();
  const wrong = await mc(untouched, "replicate add a/src --remote-bucket b/dst --replicate nothing");
  assert.equal(wrong.code, 1);
  assert.ok(untouched.calls.every((call) => call.startsWith("GET")));
});

test("2022: target first, then a rule by its ARN; an unknown ARN is refused before anything is written", async () => {
  const server = new ReplicationServer();
  const made = await mc(
    server,
    "admin bucket remote add a/src http://U:S@b.example:9000/dst --service replication --bandwidth 1600M",
  );
  assert.equal(made.stdout, `Remote ARN = \`${ARN}\`.\n`);
  assert.equal(server.targets[0]?.bandwidthlimit, 200_000_000);
  const listed = await mc(server, "admin bucket remote ls a --json");
  assert.equal((JSON.parse(listed.stdout) as { RemoteARN: string }).RemoteARN, ARN);
  const wrong = await mc(server, "replicate add a/src --remote-bucket arn:minio:replication::9:dst --priority 1");
  assert.equal(wrong.code, 1);
  assert.ok(!server.calls.some((call) => call.startsWith("PUT /src")));
  const added = await mc(
    server,
    `replicate add a/src --remote-bucket ${ARN} --priority 1 --replicate delete,delete-marker`,
  );
  assert.equal(added.code, 0, added.stderr);
  assert.equal(server.config?.rules[0]?.existingObjectReplication, false);
  assert.equal(server.targets.length, 1);
});

test("a target without a rule gets the new keys instead of blocking the next add", async () => {
  const server = new ReplicationServer();
  await mc(server, "admin bucket remote add a/src http://U:OLD@b.example:9000/dst");
  await mc(server, "replicate add a/src --remote-bucket http://U:NEW@b.example:9000/dst");
  assert.equal(server.targets.length, 1);
  assert.equal(server.targets[0]?.credentials?.secretKey, "NEW");
});

test("pause and go on keep prefix and priority; limits need no keys", async () => {
  const server = await withRule(" --priority 5");
  for (const [line, enabled] of [
    ["replicate edit --id r1 --state disable a/src", false],
    ["replicate update a/src --id r1 --state enable", true],
  ] as const) {
    const run = await mc(server, line);
    assert.equal(run.stdout, "Replication configuration rule with ID `r1` applied to a/src.\n");
    assert.equal(server.config?.rules[0]?.enabled, enabled);
    assert.equal(server.config?.rules[0]?.priority, 5);
  }
  await mc(server, "replicate update a/src --id r1 --bandwidth 200MB --sync enable --proxy disable");
  const call = server.calls.find((one) => one.startsWith("PUT set-remote-target") && one.includes("update"));
  assert.equal(call, "PUT set-remote-target?bucket=src&update=true&sync=true&proxy=true&bandwidth=true");
  assert.equal(server.targets[0]?.bandwidthlimit, 200_000_000);
});

test("ls prints one block or object for each rule; scripts find the ARN", async () => {
  const server = await withRule();
  const text = await mc(server, "replicate ls a/src");
  assert.match(
    text.stdout,
    /^Rules:\nRemote Bucket: b\.example:9000\/dst\n {2}Rule ID: r1\n {2}Priority: 1\n {2}ARN: /,
  );
  const json = await mc(server, "replicate ls a/src --json");
  assert.equal((JSON.parse(json.stdout) as { rule: { Destination: { Bucket: string } } }).rule.Destination.Bucket, ARN);
  assert.equal((await mc(server, "replicate ls a/src --status disabled --json")).stdout, "");
  const none = await mc(new ReplicationServer(), "replicate ls a/plain");
  assert.equal(none.code, 1);
  assert.equal(
    none.stderr,
    "mc: <ERROR> Unable to list replication configuration: replication configuration not set.\n",
  );
});

test("resync: both forms, the target by ARN, rule ID, address or alone", async () => {
  const server = await withRule();
  const remotes = [` --remote-bucket ${ARN}`, " --remote-bucket r1", " --remote-bucket b/dst", ""];
  for (const remote of remotes) {
    const run = await mc(server, `replicate resync start a/src${remote} --older-than 7d`);
    assert.match(run.stdout, /^Replication reset started for a\/src with ID [0-9a-f-]{36}\n$/, run.stderr);
    assert.match(server.calls.at(-1) ?? "", /older-than=168ns/);
    assert.match(server.calls.at(-1) ?? "", /arn=arn%3Aminio%3Areplication%3A%3A1%3Adst/);
  }
  const old = await mc(server, `replicate reset --remote-bucket ${ARN} --json a/src`);
  const json = JSON.parse(old.stdout) as { op: string; resetID: string; resyncInfo: { target: { resetid: string }[] } };
  assert.equal(json.op, "start");
  assert.equal(json.resetID, json.resyncInfo.target[0]?.resetid);
  const cancelled = await mc(server, "replicate resync cancel a/src");
  assert.equal(cancelled.stdout, "Replication reset cancelled for a/src with ID CANCELLED-ID\n");
});

test("waiting for a resync ends with 1 when versions failed", async () => {
  const server = await withRule();
  const done = { resyncStatus: "Completed", replicationCount: 9, failedReplicationCount: 2 };
  server.resyncAnswers = [resync(ARN, "ID", done), resync(ARN, "ID", { ...done, failedReplicationCount: 0 })];
  assert.equal((await mc(server, "replicate resync status a/src --wait")).code, 1);
  assert.equal((await mc(server, "replicate resync status a/src --wait")).code, 0);
  assert.equal((await mc(server, "replicate resync status a/src")).stdout, "No replication resync status available.\n");
});

test("rm --id of the last rule removes rule and target; a shared target stays until its last rule", async () => {
  const server = await withRule();
  await mc(server, `replicate add a/src/pre --remote-bucket ${ARN} --id r2`);
  assert.equal(server.config?.rules[1]?.prefix, "pre");
  assert.equal((await mc(server, "replicate rm a/src --id r1")).code, 0);
  assert.equal(server.targets.length, 1);
  assert.equal((await mc(server, "replicate rm --id r2 a/src")).code, 0);
  assert.deepEqual([server.config, server.targets], [undefined, []]);
});

test("rm --all --force, then the second step of 2022, succeeds", async () => {
  const server = await withRule();
  assert.equal((await mc(server, "replicate rm --all a/src")).code, 1);
  const all = await mc(server, "replicate rm --all --force a/src");
  assert.equal(all.stdout, "Replication configuration removed from a/src successfully.\n");
  assert.equal((await mc(server, `admin bucket remote rm a/src --arn ${ARN}`)).code, 0);
});

test("export and import carry rules to a server where the ARN is another", async () => {
  const server = await withRule(" --tags a=b");
  const plain = await mc(server, "replicate export a/src");
  assert.equal((JSON.parse(plain.stdout) as { Rules: unknown[]; Role: string }).Rules.length, 1);
  const wrapped = await mc(server, "replicate export a/src --json");
  const other = new ReplicationServer("other");
  await mc(other, "admin bucket remote add a/src http://U:S@c.example:9000/dst");
  await mc(other, "admin bucket remote add a/src http://U:S@b.example:9000/dst");
  const done = await mc(other, "replicate import a/src", wrapped.stdout);
  assert.equal(done.stdout, "Replication configuration successfully set on `a/src`.\n", done.stderr);
  assert.equal(other.config?.rules[0]?.destination, "arn:minio:replication::other2:dst");
  assert.deepEqual(other.config?.rules[0]?.tags, [{ key: "a", value: "b" }]);
});

test("diff of 2022 is the full backlog; JSON is bare", async () => {
  const server = await withRule();
  const old = await mc(server, "replicate diff a/src");
  assert.equal(old.stdout, "PENDING   PUT   k (V)\nFAILED    PUT   l (W)\n2 entries.\n");
  const now = await mc(server, "replicate backlog a/src --full --json");
  assert.equal(now.stdout.split("\n")[0], '{"object":"k","versionId":"V","rStatus":"PENDING"}');
  assert.match(
    (await mc(server, "replicate status a/src")).stdout,
    /Replication status since 1 minute\n {2}b\.example:9000\n/,
  );
});

test("a server from before there were resyncs is told as that", async () => {
  const server = await withRule();
  server.tooOld = true;
  for (const line of ["start", "status", "status --wait"]) {
    const refused = await mc(server, `replicate resync ${line} a/src`);
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /this server is too old to know resyncs/);
  }
});

test("options of our own go only to a server that heeds them", async () => {
  const server = await withRule();
  const refused = await mc(server, "replicate resync start a/src --prefix p/ --deep");
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /knows no options/);
  assert.ok(!server.calls.some((call) => call.includes("replication-reset=")));
  server.resilver = true;
  assert.equal((await mc(server, "replicate resync start a/src/p/ --deep --bandwidth 1MiB --force")).code, 0);
  assert.match(server.calls.at(-1) ?? "", /prefix=p%2F&deep=true&force=true&bandwidth=1048576/);
});

test("a dry run shows the plan and starts nothing; a plan that would be refused ends with 1", async () => {
  const server = await withRule();
  server.resilver = true;
  const run = await mc(server, "replicate resync start a/src --dry-run");
  assert.equal(run.code, 0, run.stderr);
  assert.match(run.stdout, /To send: +3 versions, 3\.0 KiB/);
  assert.match(run.stdout, /about 4 ?s.*as in the last resync/);
  assert.ok(!server.calls.some((call) => call.includes("replication-reset=")));
  server.planMore = { refusal: "the bucket is empty" };
  assert.equal((await mc(server, "replicate resync start a/src --dry-run --json")).code, 1);
});

test("pause, resume and limit say what they ask; a server without them is named", async () => {
  const server = await withRule();
  for (const [line, asked] of [
    ["pause a/src", "action=pause"],
    ["resume a/src --bandwidth 0", "action=resume&bandwidth=0"],
    ["limit a/src --concurrency 8", "action=limits&concurrency=8"],
  ] as const) {
    assert.equal((await mc(server, `replicate resync ${line}`)).code, 0);
    assert.ok(server.calls.at(-1)?.includes(asked), server.calls.join("\n"));
  }
  assert.equal((await mc(server, "replicate resync limit a/src")).code, 1);
  server.refuseControl = true;
  assert.match((await mc(server, "replicate resync pause a/src")).stderr, /cannot change a resync/);
});
