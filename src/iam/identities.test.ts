import assert from "node:assert/strict";
import { test } from "node:test";
import type { Clock } from "../runtime/clock.ts";
import { systemClock } from "../runtime/clock.ts";
import { prefixRange, SPACE } from "../storage/keys.ts";
import type { OrderedIndex } from "../storage/index/index.ts";
import { memoryIndex } from "../storage/index/memory.ts";
import type { IamService } from "./identities.ts";
import { TEST_ROOT, testIam } from "./testing.ts";
import type { Access, Identity } from "./types.ts";

const arn = (pattern: string): string => `arn:aws:s3:::${pattern}`;
const policy = (...Statement: object[]): string => JSON.stringify({ Version: "2012-10-17", Statement });
const allow = (Action: string, Resource = arn("*")) => ({ Effect: "Allow", Action, Resource });
const deny = (Action: string, Resource = arn("*")) => ({ Effect: "Deny", Action, Resource });
const GET: Access = { action: "s3:GetObject", bucket: "b", key: "k" };
const SECRET = "long enough";

async function as(iam: IamService, accessKey: string): Promise<Identity> {
  return (await iam.lookup(accessKey)) ?? assert.fail(`no identity ${accessKey}`);
}
const may = async (iam: IamService, accessKey: string, access: Access): Promise<boolean> =>
  iam.allowed(await as(iam, accessKey), access);

async function withUser(name = "ann", ...policies: string[]): Promise<{ iam: IamService; index: OrderedIndex }> {
  const index = memoryIndex();
  const iam = testIam(index);
  await iam.users.put(name, { secretKey: SECRET, enabled: true });
  if (policies.length > 0) await iam.policies.map({ kind: "user", name }, policies);
  return { iam, index };
}

test("root may everything, others what is mapped to them", async () => {
  const { iam } = await withUser();
  assert.equal(await may(iam, TEST_ROOT.accessKey, GET), true);
  assert.equal(await may(iam, "ann", GET), false);
  await iam.policies.attach({ kind: "user", name: "ann" }, ["readonly"]);
  assert.equal(await may(iam, "ann", GET), true);
  assert.equal(await may(iam, "ann", { ...GET, action: "s3:PutObject" }), false);
  assert.equal(await may(iam, "ann", { action: "admin:ServerInfo" }), false);
  assert.equal(await iam.lookup("nobody"), undefined);
});

test("groups add their policies; a disabled group takes everything away", async () => {
  const { iam } = await withUser("ann", "writeonly");
  await iam.groups.addMembers("readers", ["ann"]);
  await iam.policies.map({ kind: "group", name: "readers" }, ["readonly"]);
  assert.equal(await may(iam, "ann", GET), true);
  assert.equal(await may(iam, "ann", { ...GET, action: "s3:PutObject" }), true);
  await iam.groups.setEnabled("readers", false);
  assert.equal(await may(iam, "ann", { ...GET, action: "s3:PutObject" }), false);
  await assert.rejects(iam.policies.attach({ kind: "group", name: "readers" }, ["diagnostics"]), {
    code: "XMinioAdminGroupDisabled",
  });
  assert.deepEqual((await iam.users.info("ann")).groups, ["readers"]);
});

test("a Deny in any policy wins, and deny-only asks for nothing else", async () => {
  const { iam } = await withUser("ann", "readwrite");
  const self: Access = { action: "admin:CreateUser", denyOnly: true };
  assert.equal(await may(iam, "ann", self), true);
  await iam.policies.put("no-delete", policy(deny("s3:DeleteObject")));
  await iam.policies.put("no-self", policy({ Effect: "Deny", Action: "admin:CreateUser" }));
  await iam.policies.attach({ kind: "user", name: "ann" }, ["no-delete", "no-self"]);
  assert.equal(await may(iam, "ann", { ...GET, action: "s3:DeleteObject" }), false);
  assert.equal(await may(iam, "ann", self), false);
  assert.equal(await may(iam, "ann", GET), true);
});

test("an access key has its parent's rights within its session policy", async () => {
  const { iam } = await withUser("ann", "readwrite");
  const plain = await iam.accessKeys.create({ parent: "ann" });
  assert.match(plain.accessKey, /^[0-9A-Z]{20}$/);
  assert.match(plain.secretKey, /^[A-Za-z0-9+]{40}$/);
  assert.equal(await may(iam, plain.accessKey, GET), true);
  const bound = await iam.accessKeys.create({
    parent: "ann",
    sessionPolicy: policy(allow("s3:GetObject", arn("b/*"))),
  });
  assert.equal(await may(iam, bound.accessKey, GET), true);
  assert.equal(await may(iam, bound.accessKey, { ...GET, bucket: "c" }), false);
  const beyond = await iam.accessKeys.create({
    parent: "ann",
    sessionPolicy: policy({ Effect: "Allow", Action: "admin:*" }),
  });
  assert.equal(await may(iam, beyond.accessKey, { action: "admin:ServerInfo" }), false, "not more than the parent");
  const rootKey = { parent: TEST_ROOT.accessKey, accessKey: "rootkey", secretKey: SECRET };
  const ofRoot = await iam.accessKeys.create({ ...rootKey, sessionPolicy: policy(allow("s3:GetObject")) });
  assert.equal(await may(iam, ofRoot.accessKey, GET), true);
  assert.equal(await may(iam, ofRoot.accessKey, { ...GET, action: "s3:PutObject" }), false);
  await iam.accessKeys.update(ofRoot.accessKey, { sessionPolicy: "{}" });
  assert.equal(await may(iam, ofRoot.accessKey, { ...GET, action: "s3:PutObject" }), true, "inherits root's rights");
  assert.equal((await as(iam, bound.accessKey)).user, "ann");
});

test("keys end with their expiry, their status, and their parent", async () => {
  let nowMs = 1_700_000_000_000;
  const clock: Clock = { ...systemClock(), nowMs: () => nowMs };
  const iam = testIam(memoryIndex(), clock);
  await iam.users.put("ann", { secretKey: SECRET, enabled: true });
  const short = { parent: "ann", expires: nowMs + 60_000 };
  await assert.rejects(iam.accessKeys.create(short), { code: "XMinioAdminInvalidArgument" });
  const { accessKey } = await iam.accessKeys.create({ parent: "ann", expires: nowMs + 3600_000 });
  assert.equal((await as(iam, accessKey)).enabled, true);
  nowMs += 3600_000;
  assert.equal((await as(iam, accessKey)).enabled, false);
  nowMs -= 3600_000;
  await iam.accessKeys.update(accessKey, { enabled: false });
  assert.equal((await as(iam, accessKey)).enabled, false);
  await iam.accessKeys.update(accessKey, { enabled: true });
  await iam.users.setEnabled("ann", false);
  assert.equal((await as(iam, accessKey)).enabled, false);
  await iam.users.remove("ann");
  assert.equal(await iam.lookup(accessKey), undefined);
});

test("bucket policies: alone for the anonymous, beside the own policies for others", async () => {
  const { iam } = await withUser("ann");
  const open = JSON.stringify({
    Version: "2012-10-17",
    Statement: [{ ...allow("s3:GetObject", arn("b/*")), Principal: "*" }],
  });
  const shut = JSON.stringify({ Version: "2012-10-17", Statement: [{ ...deny("s3:*", arn("b/*")), Principal: "*" }] });
  assert.equal(await iam.allowed(iam.anonymous, GET), false);
  assert.equal(await iam.allowed(iam.anonymous, { ...GET, bucketPolicy: open }), true);
  assert.equal(await iam.allowed(iam.anonymous, { action: "s3:ListAllMyBuckets", bucketPolicy: open }), false);
  assert.equal(await may(iam, "ann", { ...GET, bucketPolicy: open }), true);
  await iam.policies.map({ kind: "user", name: "ann" }, ["readwrite"]);
  assert.equal(await may(iam, "ann", { ...GET, bucketPolicy: shut }), false);
  assert.equal(await may(iam, TEST_ROOT.accessKey, { ...GET, bucketPolicy: shut }), false, "a Deny binds root too");
  const repair: Access = { action: "s3:DeleteBucketPolicy", bucket: "b", bucketPolicy: shut };
  assert.equal(await may(iam, TEST_ROOT.accessKey, repair), true);
});

test("policy variables and groups come from the identity, not from the request", async () => {
  const { iam } = await withUser("ann");
  await iam.policies.put("home", policy(allow("s3:GetObject", arn("home/${aws:username}/*"))));
  await iam.policies.map({ kind: "user", name: "ann" }, ["home"]);
  const asked = (key: string): Access => ({
    action: "s3:GetObject",
    bucket: "home",
    key,
    conditions: { username: ["bob"] },
  });
  assert.equal(await may(iam, "ann", asked("ann/x")), true);
  assert.equal(await may(iam, "ann", asked("bob/x")), false);
});

test("another process sees every change at once", async () => {
  const { iam, index } = await withUser("ann", "readonly");
  const other = testIam(index);
  assert.equal(await may(other, "ann", GET), true);
  await iam.policies.put("readonly", policy(allow("s3:PutObject")));
  assert.equal(await may(other, "ann", GET), false, "the built-in was replaced");
  await iam.policies.map({ kind: "user", name: "ann" }, ["consoleAdmin"]);
  assert.equal(await may(other, "ann", GET), true);
  await iam.users.put("ann", { secretKey: "another secret", enabled: true });
  assert.equal((await as(other, "ann")).secretKey, "another secret");
  assert.equal(await may(other, "ann", GET), true, "mapped policies survive a new secret");
  await iam.users.remove("ann");
  assert.equal(await other.lookup("ann"), undefined);
});

test("secrets lie sealed in the index, and removal leaves no row behind", async () => {
  const { iam, index } = await withUser("ann", "readonly");
  await iam.groups.addMembers("g", ["ann"]);
  await iam.accessKeys.create({ parent: "ann", accessKey: "annkey", secretKey: "key secret" });
  const rows = async () => index.scan(prefixRange(Buffer.from([SPACE.iam])), { limit: 100 });
  const text = (await rows()).map((entry) => entry.value.toString()).join();
  assert.ok(!text.includes(SECRET) && !text.includes("key secret"));
  await iam.users.remove("ann");
  await iam.groups.removeMembers("g", []);
  assert.deepEqual(await rows(), []);
});

test("a policy in use stays, and attach reports only what changed", async () => {
  const { iam } = await withUser("ann");
  const ann = { kind: "user", name: "ann" } as const;
  await iam.policies.put("p", policy(allow("s3:GetObject")));
  assert.deepEqual((await iam.policies.attach(ann, ["p", "readonly"])).changed, ["p", "readonly"]);
  assert.deepEqual((await iam.policies.attach(ann, ["p", "writeonly"])).changed, ["writeonly"]);
  assert.deepEqual((await iam.policies.attach(ann, ["p"])).changed, []);
  await assert.rejects(iam.policies.remove("p"), { code: "XMinioIAMPolicyInUse" });
  await assert.rejects(iam.policies.attach(ann, ["nope"]), { code: "XMinioAdminNoSuchPolicy" });
  await assert.rejects(iam.policies.remove("diagnostics"), { code: "XMinioIAMActionNotAllowed" });
  assert.deepEqual((await iam.policies.detach(ann, ["p"])).changed, ["p"]);
  await iam.policies.remove("p");
  await iam.policies.remove("p");
  assert.equal(await iam.policies.find("p"), undefined);
  assert.equal((await iam.policies.list()).length, 7);
});

test("a change that meets another one starts over", async () => {
  const { iam, index } = await withUser("ann");
  await iam.policies.put("p", policy(allow("s3:GetObject")));
  let meet: (() => Promise<unknown>) | undefined = () => iam.policies.remove("p");
  const late: OrderedIndex = {
    get: (key) => index.get(key),
    scan: (range, options) => index.scan(range, options),
    digest: (range) => index.digest(range),
    digestParts: (range, count) => index.digestParts(range, count),
    close: () => index.close(),
    async commit(commit) {
      const other = meet;
      meet = undefined;
      await other?.();
      return index.commit(commit);
    },
  };
  const slow = testIam(late);
  const attach = slow.policies.attach({ kind: "user", name: "ann" }, ["p"]);
  await assert.rejects(attach, { code: "XMinioAdminNoSuchPolicy" }, "the policy was removed before the commit");
  meet = () => iam.users.remove("ann");
  await assert.rejects(slow.accessKeys.create({ parent: "ann" }), { code: "XMinioAdminNoSuchUser" });
});

test("what may not be named, made or removed", async () => {
  const { iam } = await withUser("ann");
  await iam.accessKeys.create({ parent: "ann", accessKey: "annkey", secretKey: SECRET });
  const user = { secretKey: SECRET, enabled: true };
  const refused: [() => Promise<unknown>, string][] = [
    [async () => iam.users.put("ab", user), "XMinioAdminInvalidAccessKey"],
    [async () => iam.users.put("a=b", user), "XMinioAdminInvalidAccessKey"],
    [async () => iam.users.put(" ann", user), "XMinioInvalidResource"],
    [async () => iam.users.put("\ud800abc", user), "XMinioInvalidUTF"],
    [async () => iam.users.put("a\ufffdbc", user), "XMinioInvalidUTF"],
    [async () => iam.users.put("bob", { ...user, secretKey: "short" }), "XMinioAdminInvalidSecretKey"],
    [async () => iam.users.put(TEST_ROOT.accessKey, user), "XMinioInvalidIAMCredentials"],
    [async () => iam.users.put("annkey", user), "XMinioInvalidIAMCredentials"],
    [async () => iam.users.remove(TEST_ROOT.accessKey), "XMinioIAMActionNotAllowed"],
    [async () => iam.users.remove("annkey"), "XMinioIAMActionNotAllowed"],
    [async () => iam.users.info("nobody"), "XMinioAdminNoSuchUser"],
    [async () => iam.groups.addMembers("", ["ann"]), "XMinioAdminInvalidArgument"],
    [async () => iam.groups.addMembers("g", ["nobody"]), "XMinioAdminNoSuchUser"],
    [async () => iam.groups.info("g"), "XMinioAdminNoSuchGroup"],
    [async () => iam.policies.put("a,b", policy(allow("s3:*"))), "PolicyInvalidName"],
    [async () => iam.policies.put("p", policy()), "XMinioMalformedIAMPolicy"],
    [async () => iam.policies.put("p", JSON.stringify({ Statement: [allow("s3:*")] })), "MalformedPolicy"],
    [
      async () => iam.accessKeys.create({ parent: "ann", accessKey: "ann", secretKey: SECRET }),
      "XMinioIAMActionNotAllowed",
    ],
    [
      async () => iam.accessKeys.create({ parent: "ann", accessKey: "annkey", secretKey: SECRET }),
      "XMinioIAMServiceAccountNotAllowed",
    ],
    [
      async () => iam.accessKeys.create({ parent: "ann", accessKey: "x".repeat(21), secretKey: SECRET }),
      "XMinioAdminInvalidAccessKey",
    ],
    [async () => iam.accessKeys.create({ parent: "ann", accessKey: "only" }), "XMinioAdminNoSecretKey"],
    [async () => iam.accessKeys.create({ parent: "ann", secretKey: SECRET }), "XMinioAdminNoAccessKey"],
    [async () => iam.accessKeys.create({ parent: "ann", name: "1st" }), "XMinioInvalidResource"],
    [async () => iam.accessKeys.create({ parent: "nobody" }), "XMinioAdminNoSuchUser"],
    [async () => iam.accessKeys.remove("nobody"), "XMinioInvalidIAMCredentials"],
  ];
  for (const [attempt, code] of refused) await assert.rejects(attempt, { code }, attempt.toString());
});
