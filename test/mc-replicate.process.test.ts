/** The lines that replication guides of 2022 and of today use, against two servers: text, --json and exit codes. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { Readable } from "node:stream";
import { after, before, test } from "node:test";
import * as calls from "../src/client/s3-calls.ts";
import { runMc } from "../src/cli/main.ts";
import { S3Client } from "../src/client/s3-client.ts";
import { cleanUp, ROOT_SECRET, ROOT_USER, startServer, temporaryFolder, type RunningServer } from "./support/server.ts";
import { until } from "./support/site.ts";

let alpha: RunningServer;
let beta: RunningServer;
let configDir = "";
const clients = new Map<RunningServer, S3Client>();

before(async () => {
  configDir = temporaryFolder();
  [alpha, beta] = await Promise.all([startServer(), startServer()]);
  for (const server of [alpha, beta]) {
    clients.set(server, new S3Client({ url: server.url, accessKey: ROOT_USER, secretKey: ROOT_SECRET }));
  }
});
after(async () => {
  for (const client of clients.values()) await client.close();
  await cleanUp();
});

function client(server: RunningServer): S3Client {
  const found = clients.get(server);
  assert.ok(found);
  return found;
}

interface McResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  /** Objects of `--json` output. */
  json<T>(): T[];
}

class TextSink {
  text = "";
  write(data: string | Uint8Array, done?: (error?: Error | null) => void): boolean {
    this.text += Buffer.from(data).toString("utf8");
    done?.();
    return true;
  }
}

/** Runs a line and demands exit code 0. Words are separated by blanks; `"..."` keeps them together. */
async function run(line: string, input?: string): Promise<McResult> {
  const result = await attempt(line, input);
  assert.equal(result.code, 0, `mc ${line}\n${result.stdout}${result.stderr}`);
  return result;
}

/** In this process: a line takes milliseconds, where starting `bin/mc` takes a good part of a second. */
async function attempt(line: string, input = ""): Promise<McResult> {
  const words = [...line.matchAll(/"([^"]*)"|\S+/g)].map((match) => match[1] ?? match[0]);
  const host = (server: RunningServer): string => server.url.replace("://", `://${ROOT_USER}:${ROOT_SECRET}@`);
  const env = { MC_CONFIG_DIR: configDir, MC_HOST_alpha: host(alpha), MC_HOST_beta: host(beta) };
  const [stdout, stderr] = [new TextSink(), new TextSink()];
  const stdin = Readable.from(input === "" ? [] : [Buffer.from(input)]);
  const code = await runMc(words, env, { stdin, stdout, stderr, signal: new AbortController().signal });
  const lines = stdout.text.split("\n").filter((one) => one !== "");
  return { code, stdout: stdout.text, stderr: stderr.text, json: <T>() => lines.map((one) => JSON.parse(one) as T) };
}

async function versionedBucket(bucket: string): Promise<void> {
  for (const server of [alpha, beta]) await calls.makeBucket(client(server), { bucket });
  await run(`version enable alpha/${bucket}`);
  const enabled = await run(`version enable beta/${bucket} --json`);
  assert.deepEqual(enabled.json(), [
    { Op: "enable", status: "success", url: `beta/${bucket}`, versioning: { status: "", MFADelete: "" } },
  ]);
  const info = await run(`version info alpha/${bucket}`);
  assert.equal(info.stdout, `alpha/${bucket} versioning is enabled\n`);
}

async function put(bucket: string, key: string, text: string): Promise<void> {
  await calls.putObject(client(alpha), { bucket, key, body: Buffer.from(text) });
}

/** Replication has no event at the client: asks the target until `done` says so. */
const eventually = (what: string, done: () => Promise<boolean>): Promise<void> =>
  until(done, 20_000, async () => `${what} did not happen in time\n${alpha.log()}`);

async function replicated(bucket: string, key: string): Promise<void> {
  await eventually(`${bucket}/${key} at beta`, async () => {
    const page = await calls.listVersions(client(beta), { bucket, prefix: key });
    return page.versions.some((version) => version.key === key);
  });
}

const REPLICATOR = JSON.stringify({
  Version: "2012-10-17",
  Statement: [
    {
      Effect: "Allow",
      Action: [
        "s3:GetReplicationConfiguration",
        "s3:ListBucket",
        "s3:ListBucketMultipartUploads",
        "s3:GetBucketLocation",
      ],
      Resource: ["arn:aws:s3:::*"],
    },
    {
      Effect: "Allow",
      Action: ["s3:GetBucketVersioning", "s3:GetBucketObjectLockConfiguration"],
      Resource: ["arn:aws:s3:::*"],
    },
    {
      Effect: "Allow",
      Action: [
        "s3:GetReplicationConfiguration",
        "s3:ReplicateTags",
        "s3:AbortMultipartUpload",
        "s3:GetObject",
        "s3:GetObjectVersion",
        "s3:GetObjectVersionTagging",
        "s3:GetObjectRetention",
        "s3:GetObjectLegalHold",
        "s3:PutObject",
        "s3:PutObjectRetention",
        "s3:PutObjectLegalHold",
        "s3:DeleteObject",
        "s3:ReplicateObject",
        "s3:ReplicateDelete",
      ],
      Resource: ["arn:aws:s3:::*"],
    },
  ],
});

interface RuleObject {
  readonly rule: { readonly ID: string; readonly Status: string; readonly Destination: { readonly Bucket: string } };
}

async function onlyRule(bucket: string): Promise<RuleObject["rule"]> {
  const [first, ...more] = (await run(`replicate ls alpha/${bucket} --json`)).json<RuleObject>();
  assert.ok(first !== undefined && more.length === 0);
  return first.rule;
}

test("users and policies, words of 2022 and of today", async () => {
  const file = join(configDir, "replicator.json");
  writeFileSync(file, REPLICATOR);
  const old = await run(`admin policy add beta replicator ${file}`);
  assert.match(old.stdout, /^Added policy `replicator` successfully\.\n$/);
  const piped = await run("admin policy create beta replicator2 /dev/stdin --json", REPLICATOR);
  assert.deepEqual(piped.json(), [
    { status: "success", policy: "replicator2", policyInfo: { PolicyName: "", Policy: null }, isGroup: false },
  ]);
  await run("admin user add beta OldUser old-secret-1");
  await run("admin user add beta --json", "NewUser\nnew-secret-1\n");
  await run("admin policy set beta replicator user=OldUser");
  for (let again = 0; again < 2; again++) {
    const attached = await run("admin policy attach beta replicator2 --user NewUser");
    assert.equal(attached.stdout, "Attached Policies: [replicator2]\nTo User: NewUser\n");
  }
  const listed = (await run("admin user list beta --json")).json<{ accessKey: string; policyName: string }>();
  assert.deepEqual(
    listed.map((user) => [user.accessKey, user.policyName]),
    [
      ["NewUser", "replicator2"],
      ["OldUser", "replicator"],
    ],
  );
  await run("admin policy update beta readonly user=OldUser");
  await run("admin policy unset beta readonly user=OldUser");
  const info = await run("admin user info beta OldUser");
  assert.equal(info.stdout, "AccessKey: OldUser\nStatus: enabled\nPolicyName: replicator\nMemberOf: []\n");
  await run("admin user disable beta NewUser");
  await run("admin user enable beta NewUser");
  assert.match((await run("admin policy info beta replicator")).stdout, /s3:ReplicateObject/);
  assert.match((await run("admin policy entities beta --user OldUser")).stdout, /replicator/);
  assert.equal((await attempt("admin user info beta Nobody")).code, 1);
});

test("groups and access keys", async () => {
  await run("admin group add beta team OldUser NewUser");
  const group = (await run("admin group info beta team --json")).json<{ members: string[] }>();
  assert.deepEqual([...(group[0]?.members ?? [])].sort(), ["NewUser", "OldUser"]);
  await run("admin group disable beta team");
  await run("admin group enable beta team");
  assert.deepEqual((await run("admin group list beta --json")).json(), [{ status: "success", groups: ["team"] }]);
  await run("admin group remove beta team OldUser NewUser");
  await run("admin group remove beta team");
  const made = await run(
    "admin user svcacct add beta OldUser --access-key SERVICEKEY01 --secret-key service-secret-1 --json",
  );
  const [key] = made.json<Record<string, string>>();
  assert.equal(key?.["accessKey"], "SERVICEKEY01");
  assert.equal(key?.["expiration"], "1970-01-01T00:00:00Z");
  assert.match((await run("admin user svcacct list beta OldUser")).stdout, /SERVICEKEY01 {2}no-expiry/);
  await run("admin user svcacct disable beta SERVICEKEY01");
  assert.match((await run("admin user svcacct info beta SERVICEKEY01")).stdout, /Status: +off/);
  await run("admin user svcacct rm beta SERVICEKEY01");
  const [created] = (await run("admin accesskey create beta OldUser --json")).json<Record<string, string>>();
  assert.match(created?.["accessKey"] ?? "", /^[0-9A-Z]{20}$/);
  assert.match((await run("admin accesskey ls beta")).stdout, /User: OldUser\n/);
  await run(`admin accesskey info beta ${created?.["accessKey"]}`);
  await run(`admin accesskey rm beta ${created?.["accessKey"]}`);
});

test("the script of 2022", async () => {
  await versionedBucket("old");
  await put("old", "before", "made before the rule");
  const url = beta.url.replace("://", "://OldUser:old-secret-1@");
  const made = await run(`admin bucket remote add alpha/old ${url}/old --service replication`);
  const arn = /^Remote ARN = `(arn:minio:replication:[^`]*:old)`\.\n$/.exec(made.stdout)?.[1] ?? "";
  assert.notEqual(arn, "", made.stdout);
  const again = await run(`admin bucket remote add alpha/old ${url}/old --service replication --json`);
  assert.equal(again.json<{ RemoteARN: string }>()[0]?.RemoteARN, arn);
  await run(
    `replicate add alpha/old --remote-bucket ${arn} --priority 1 --replicate "delete,delete-marker,existing-objects"`,
  );
  assert.match((await run("replicate ls alpha/old")).stdout, new RegExp(`^Rules:\n[^]*ARN: ${arn}\n`));
  assert.match((await run("admin bucket remote ls alpha")).stdout, /old->old/);
  await put("old", "after", "made after the rule");
  await replicated("old", "after");
  const rule = await onlyRule("old");
  assert.equal(rule.Destination.Bucket, arn);
  await run(`replicate edit --id ${rule.ID} --state disable alpha/old`);
  assert.equal((await onlyRule("old")).Status, "Disabled");
  await run(`replicate edit --id ${rule.ID} --state enable alpha/old`);
  assert.match((await run("replicate status alpha/old")).stdout, /Replication status since/);
  const resync = await run(`replicate resync --remote-bucket ${arn} alpha/old`);
  assert.match(resync.stdout, /^Replication reset started for alpha\/old with ID [0-9a-f-]{36}\n$/);
  await replicated("old", "before");
  await eventually("the resync", async () => /Completed/.test((await run("replicate resync status alpha/old")).stdout));
  await eventually("an empty backlog", async () => (await run("replicate diff alpha/old --json")).stdout === "");
  await run(`admin bucket remote edit alpha/old --arn ${arn} --bandwidth 1600M --sync enable`);
  const [remote] = (await run("admin bucket remote ls alpha/old --json")).json<{
    bandwidth: number;
    replicationSync: boolean;
  }>();
  assert.deepEqual([remote?.bandwidth, remote?.replicationSync], [200_000_000, true]);
  await run("replicate rm --all --force alpha/old");
  await run(`admin bucket remote rm alpha/old --arn ${arn}`);
  assert.equal((await attempt("replicate ls alpha/old")).code, 1);
});

test("the script of today", async () => {
  await versionedBucket("new");
  await put("new", "before", "made before the rule");
  const added = await run("replicate add alpha/new --remote-bucket beta/new --json");
  const [rule] = added.json<{ op: string; status: string; url: string; id: string; arn: string }>();
  assert.deepEqual([rule?.op, rule?.status, rule?.url], ["add", "success", "alpha/new"]);
  assert.equal((await onlyRule("new")).Destination.Bucket, rule?.arn);
  await put("new", "after", "made after the rule");
  await replicated("new", "after");
  await run(`replicate update alpha/new --id ${rule?.id} --state disable`);
  assert.equal((await run("replicate ls alpha/new --status disabled --json")).json().length, 1);
  await run(`replicate update alpha/new --id ${rule?.id} --state enable`);
  await run(`replicate update alpha/new --id ${rule?.id} --bandwidth 200MB --sync enable`);
  assert.match((await run("replicate ls alpha/new")).stdout, /synchronous, proxy, at most 200 MB\/s/);
  const [status] = (await run("replicate status alpha/new --json")).json<Record<string, unknown>>();
  assert.deepEqual(Object.keys(status ?? {}), ["op", "url", "status", "replicationstats", "remoteTargets"]);
  const resync = await run("replicate resync start alpha/new --older-than 0d --wait --json");
  const messages = resync.json<{ op: string; resyncInfo: { target: { resyncStatus?: string }[] } }>();
  assert.equal(messages[0]?.op, "start");
  assert.equal(messages.at(-1)?.resyncInfo.target[0]?.resyncStatus, "Completed");
  await replicated("new", "before");
  assert.equal((await run("replicate backlog alpha/new --full --json")).stdout, "");
  assert.equal((await run("replicate backlog alpha/new --json")).stdout, "");
  const exported = await run("replicate export alpha/new");
  await run("replicate import alpha/new", exported.stdout);
  const second = await run("replicate rm alpha/new --id " + rule?.id);
  assert.match(second.stdout, /removed from alpha\/new/);
  assert.equal((await run("admin bucket remote ls alpha/new --json")).stdout, "");
});

test("a rule that is refused leaves no target", async () => {
  await versionedBucket("refused");
  const refused = await attempt(
    "replicate add alpha/refused --remote-bucket beta/refused --storage-class GLACIER --json",
  );
  assert.equal(refused.code, 1);
  const [error] = refused.json<{ status: string; error: { cause: { error: { Code: string } }; type: string } }>();
  assert.deepEqual([error?.status, error?.error.type], ["error", "fatal"]);
  assert.equal((await run("admin bucket remote ls alpha/refused --json")).stdout, "");
});

test("tags, readiness, information, metrics", async () => {
  await versionedBucket("misc");
  await put("misc", "k", "x");
  await run('tag set alpha/misc/k "a=1&b=2"');
  const [tags] = (await run("tag list alpha/misc/k --json")).json<{ tagset: object }>();
  assert.deepEqual(tags?.tagset, { a: "1", b: "2" });
  await run('tag set alpha/misc "owner=me"');
  assert.match((await run("tag list alpha/misc")).stdout, /owner : me/);
  await run("tag remove -r alpha/misc/");
  assert.match((await run("tag list alpha/misc/k")).stdout, /No tags found/);
  const [ready] = (await run("ready alpha --json")).json<{ healthy: boolean }>();
  assert.equal(ready?.healthy, true);
  assert.match((await run("admin info alpha")).stdout, /drive online/);
  assert.match((await run("admin prometheus generate alpha bucket")).stdout, /job_name: minio-job-bucket/);
  assert.match((await run("admin prometheus metrics alpha")).stdout, /minio_/);
  assert.equal((await run("admin replicate info alpha")).stdout, "SiteReplication is not enabled\n");
  assert.equal((await run("admin replicate info alpha --json")).stdout, '{"enabled":false}\n');
  await run("admin service freeze alpha");
  await run("admin service unfreeze alpha");
});
