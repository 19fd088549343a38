import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { AdminClient } from "../client/admin-client.ts";
import { TEST_ROOT } from "../iam/testing.ts";
import type { Bucket } from "../model/bucket.ts";
import { bucketName } from "../objects/testing.ts";
import { readZip, writeZip } from "../protocol/zip.ts";
import type { TestAdmin } from "./testing.ts";
import { testAdmin } from "./testing.ts";

let source: TestAdmin;
let target: TestAdmin;
before(async () => {
  [source, target] = [await testAdmin(), await testAdmin()];
});
after(() => Promise.all([source.close(), target.close()]));

const LIMITS = { entriesMax: 100, bytesMax: 1 << 20 };
const SECRET = "a long secret";
const POLICY = JSON.stringify({
  Version: "2012-10-17",
  Statement: [{ Effect: "Allow", Action: ["s3:GetObject"], Resource: ["arn:aws:s3:::b/*"] }],
});

interface Result {
  readonly added: Record<string, unknown[]>;
  readonly removed: Record<string, unknown[]>;
  readonly skipped: Record<string, unknown[]>;
  readonly failed: Record<string, { name: string; message: string }[]>;
}

const put = async (client: AdminClient, path: string, body: Buffer): Promise<Buffer> =>
  client.call({ method: "PUT", path, body });
const importIam = async (client: AdminClient, zip: Buffer): Promise<Result> =>
  JSON.parse((await put(client, "import-iam-v2", zip)).toString()) as Result;

test("identities move to another site with everything they may do", async () => {
  const { iam } = source;
  await iam.policies.put("own", POLICY);
  await iam.users.put("ann", { secretKey: SECRET, enabled: true });
  await iam.users.put("bob", { secretKey: SECRET, enabled: false });
  await iam.groups.addMembers("team", ["ann", "bob"]);
  await iam.policies.map({ kind: "user", name: "ann" }, ["own", "readonly"]);
  await iam.policies.map({ kind: "group", name: "team" }, ["writeonly"]);
  await iam.accessKeys.create({
    parent: "ann",
    accessKey: "annkey",
    secretKey: SECRET,
    sessionPolicy: POLICY,
    name: "n",
    description: "d",
  });
  await iam.accessKeys.create({ parent: TEST_ROOT.accessKey, accessKey: "rootkey", secretKey: SECRET });
  await iam.accessKeys.update("rootkey", { enabled: false });
  await iam.sessions.create({ parent: "ann", seconds: 900 });
  const zip = await source.root.call({ method: "GET", path: "export-iam" });
  const files = new Map(
    readZip(zip, LIMITS).map(({ name, data }) => [
      name,
      JSON.parse(data.toString()) as Record<string, Record<string, unknown>>,
    ]),
  );
  const names = ["group_mappings", "groups", "policies", "stsuser_mappings", "svcaccts", "user_mappings", "users"];
  assert.deepEqual([...files.keys()].sort(), names.map((name) => `iam-assets/${name}.json`).sort());
  assert.equal(files.get("iam-assets/users.json")?.["ann"]?.["secretKey"], SECRET);
  assert.deepEqual(
    Object.keys(files.get("iam-assets/svcaccts.json") ?? {}),
    ["annkey", "rootkey"],
    "sessions stay at home",
  );

  const result = await importIam(target.root, zip);
  assert.deepEqual(result.failed, {
    policies: [],
    users: [],
    groups: [],
    serviceAccounts: [],
    userPolicies: [],
    groupPolicies: [],
    stsPolicies: [],
  });
  assert.deepEqual(
    [result.added["users"], result.added["serviceAccounts"], result.added["userPolicies"]],
    [["ann", "bob"], ["annkey", "rootkey"], [{ ann: ["own", "readonly"] }]],
  );
  const there = await target.iam.contents();
  const here = await iam.contents();
  const timeless = (name: string, member: unknown): unknown =>
    /^(updated|created|times)$/.test(name) ? undefined : member;
  const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value, timeless));
  assert.deepEqual(plain(there), plain(here));
  await put(target.root, "import-iam", zip);
  assert.deepEqual(plain(await target.iam.contents()), plain(here), "again changes nothing");
});

test("what does not fit is named, the rest arrives", async () => {
  const asset = (name: string, value: unknown) => ({
    name: `iam-assets/${name}.json`,
    data: Buffer.from(JSON.stringify(value)),
  });
  const zip = writeZip(
    [
      asset("policies", {
        fine: JSON.parse(POLICY) as unknown,
        broken: { Version: "2012-10-17", Statement: [] },
        own: {},
      }),
      asset("users", { carl: { secretKey: SECRET, status: "enabled" }, [TEST_ROOT.accessKey]: { secretKey: SECRET } }),
      asset("groups", { ghosts: { status: "enabled", members: ["nobody"] } }),
      asset("svcaccts", { orphan: { parent: "nobody", secretKey: SECRET } }),
      asset("user_mappings", { carl: { policy: "fine" }, nobody: { policy: "fine" } }),
    ],
    0,
  );
  const result = await importIam(target.root, zip);
  assert.deepEqual(
    [result.added["policies"], result.added["users"], result.skipped["users"]],
    [["fine"], ["carl"], [TEST_ROOT.accessKey]],
  );
  assert.deepEqual(
    Object.entries(result.failed).map(([kind, list]) => [kind, list.map(({ name }) => name)]),
    [
      ["policies", ["broken", "own"]],
      ["users", []],
      ["groups", ["ghosts"]],
      ["serviceAccounts", ["orphan"]],
      ["userPolicies", ["nobody"]],
      ["groupPolicies", []],
      ["stsPolicies", []],
    ],
  );
  await assert.rejects(put(target.root, "import-iam", zip), { code: "InvalidRequest" });
  await assert.rejects(put(target.root, "import-iam-v2", Buffer.from("no zip at all, really none")), {
    code: "InvalidRequest",
  });
  await assert.rejects(put(target.root, "import-iam-v2", writeZip([{ name: "x", data: Buffer.from("{}") }], 0)), {
    code: "InvalidRequest",
  });
});

test("an administrator who is not root brings in no keys of root", async () => {
  await target.iam.users.put("admin", { secretKey: SECRET, enabled: true });
  await target.iam.policies.map({ kind: "user", name: "admin" }, ["consoleAdmin"]);
  const keys = {
    mine: { parent: TEST_ROOT.accessKey, secretKey: SECRET },
    rootkey: { parent: "admin", secretKey: SECRET },
  };
  const zip = writeZip([{ name: "iam-assets/svcaccts.json", data: Buffer.from(JSON.stringify(keys)) }], 0);
  const result = await importIam(target.client("admin", SECRET), zip);
  assert.deepEqual(
    result.failed["serviceAccounts"]?.map(({ name }) => name),
    ["mine", "rootkey"],
  );
});

test("buckets' settings move: versioning, policy, tags, quota, lifecycle", async () => {
  const name = bucketName("moved");
  const open = { Effect: "Allow", Principal: "*", Action: "s3:GetObject", Resource: "arn:aws:s3:::moved/*" };
  const policy = JSON.stringify({ Version: "2012-10-17", Statement: [open] });
  await source.site.objects.createBucket(name, { owner: "x" });
  const filter = { prefix: "logs/" };
  const lifecycle = { id: "logs", enabled: true, oldForm: true, filter, expiration: { days: 3 } };
  const settings = {
    versioning: { status: "Enabled", excludeFolders: true },
    tags: { a: "b c" },
    policy,
    quota: 5000,
  } as const;
  await source.site.objects.updateBucket(name, (bucket) => ({
    ...bucket,
    ...settings,
    lifecycle: { updatedMs: 0, rules: [lifecycle] },
  }));
  await source.site.objects.createBucket(bucketName("other"), { owner: "x" });
  const zip = await source.root.call({ method: "GET", path: "export-bucket-metadata", query: { bucket: "moved/" } });
  const files = ["policy.json", "tagging.xml", "quota.json", "versioning.xml", "lifecycle.xml"];
  assert.deepEqual(
    readZip(zip, LIMITS).map((entry) => entry.name),
    files.map((file) => `moved/${file}`),
  );
  const more = [
    ["moved/notification.xml", "<x/>"],
    ["Bad_Name/policy.json", "{}"],
  ] as const;
  const extra = writeZip(
    [...readZip(zip, LIMITS), ...more.map(([path, text]) => ({ name: path, data: Buffer.from(text) }))],
    0,
  );
  const answer = (await put(target.root, "import-bucket-metadata", extra)).toString();
  const { buckets } = JSON.parse(answer) as {
    buckets: Record<string, Record<string, { isSet: boolean; error?: string }>>;
  };
  const set = Object.entries(buckets["moved"] ?? {})
    .filter(([, part]) => part.isSet)
    .map(([member]) => member);
  assert.deepEqual(set.sort(), ["lifecycle", "policy", "quota", "tagging", "versioning"]);
  assert.match(buckets["moved"]?.["notification"]?.error ?? "", /does not exist on this server/);
  assert.ok("error" in (buckets["Bad_Name"] ?? {}));
  const { versioning, tags, policy: arrived, quota } = await target.site.objects.bucket(name);
  assert.deepEqual({ versioning, tags, policy: arrived, quota }, settings);
  const [rule] = (await target.site.objects.bucket(name)).lifecycle?.rules ?? [];
  assert.deepEqual(JSON.parse(JSON.stringify(rule)), lifecycle);
  const all = await source.root.call({ method: "GET", path: "export-bucket-metadata", query: { bucket: "" } });
  assert.equal(readZip(all, LIMITS).length, 5);
});

test("object lock moves with its default, also to a bucket that is made for it", async () => {
  const name = bucketName("locked");
  const made = await source.site.objects.createBucket(name, { owner: "x", objectLock: true });
  const objectLock: Bucket["objectLock"] = { defaultRetention: { mode: "COMPLIANCE", unit: "years", count: 7 } };
  await source.site.objects.updateBucket(name, (bucket) => ({ ...bucket, objectLock }));
  const zip = await source.root.call({ method: "GET", path: "export-bucket-metadata", query: { bucket: "locked" } });
  const answer = (await put(target.root, "import-bucket-metadata", zip)).toString();
  assert.match(answer, /"olock":\{"isSet":true\}.*"versioning":\{"isSet":true\}/);
  const arrived = await target.site.objects.bucket(name);
  assert.deepEqual(arrived.objectLock, objectLock);
  assert.deepEqual(arrived.versioning, made.versioning);
});

test("encryption, CORS, ownership and the access block move; a public policy does not pass the block", async () => {
  const name = bucketName("guarded");
  await source.site.objects.createBucket(name, { owner: "x" });
  const publicAccessBlock = {
    blockPublicAcls: true,
    ignorePublicAcls: false,
    blockPublicPolicy: true,
    restrictPublicBuckets: false,
  };
  const statement = { Effect: "Allow", Principal: "*", Action: "s3:GetObject", Resource: "arn:aws:s3:::guarded/*" };
  const settings: Partial<Bucket> = {
    publicAccessBlock,
    ownership: "BucketOwnerEnforced",
    cors: [{ allowedMethods: ["GET"], allowedOrigins: ["https://a.example"] }],
    policy: JSON.stringify({ Version: "2012-10-17", Statement: [statement] }),
    encryption: { kind: "SSE-KMS", keyId: "no-such-key" },
  };
  await source.site.objects.updateBucket(name, (bucket) => ({ ...bucket, ...settings }));
  const zip = await source.root.call({ method: "GET", path: "export-bucket-metadata", query: { bucket: "guarded" } });
  const { buckets } = JSON.parse((await put(target.root, "import-bucket-metadata", zip)).toString()) as {
    buckets: Record<string, Record<string, { isSet: boolean; error?: string }>>;
  };
  const answer = buckets["guarded"] ?? {};
  assert.deepEqual(
    ["publicAccessBlock", "ownership", "cors", "policy", "sse"].map((member) => answer[member]?.isSet),
    [true, true, true, false, false],
  );
  assert.match(answer["policy"]?.error ?? "", /public access block/);
  assert.ok((answer["sse"]?.error ?? "") !== "", "there is no such key");
  const arrived = await target.site.objects.bucket(name);
  assert.deepEqual(
    [arrived.publicAccessBlock, arrived.ownership, arrived.cors, arrived.policy, arrived.encryption],
    [publicAccessBlock, "BucketOwnerEnforced", settings.cors, undefined, undefined],
  );
});
