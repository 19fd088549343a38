import assert from "node:assert/strict";
import { test } from "node:test";
import type { Clock } from "../runtime/clock.ts";
import { systemClock } from "../runtime/clock.ts";
import { systemRandom } from "../runtime/random.ts";
import { memoryIndex } from "../storage/index/memory.ts";
import type { OrderedIndex } from "../storage/index/index.ts";
import { createIam } from "./identities.ts";
import type { IamService } from "./identities.ts";
import { markingSealer, TEST_ROOT } from "./testing.ts";

const GET = { action: "s3:GetObject", bucket: "b", key: "k" };
const PUT = { ...GET, action: "s3:PutObject" };
const READ_ONLY = JSON.stringify({
  Version: "2012-10-17",
  Statement: [{ Effect: "Allow", Action: "s3:GetObject", Resource: "*" }],
});

function setUp(root: { accessKey: string; secretKey: string } = TEST_ROOT, index: OrderedIndex = memoryIndex()) {
  const base = systemClock();
  const time = { aheadMs: 0 };
  const clock: Clock = { ...base, nowMs: () => base.nowMs() + time.aheadMs };
  return { iam: createIam({ index, root, sealer: markingSealer, clock, random: systemRandom }), index, time };
}

async function withUser(iam: IamService, name: string, ...policies: string[]): Promise<void> {
  await iam.users.put(name, { secretKey: "long enough", enabled: true });
  await iam.policies.map({ kind: "user", name }, policies);
}

test("a session has its user's rights within its policy, and its token", async () => {
  const { iam } = setUp();
  await withUser(iam, "ann", "readwrite");
  const whole = await iam.sessions.create({ parent: "ann", seconds: 900 });
  const narrow = await iam.sessions.create({ parent: "ann", seconds: 900, policy: READ_ONLY });
  const as = async (key: string) => (await iam.lookup(key)) ?? assert.fail();
  const identity = await as(narrow.accessKey);
  assert.deepEqual(
    [identity.kind, identity.user, identity.sessionToken, identity.secretKey],
    ["sts", "ann", narrow.sessionToken, narrow.secretKey],
  );
  assert.deepEqual([await iam.allowed(identity, GET), await iam.allowed(identity, PUT)], [true, false]);
  assert.equal(await iam.allowed(await as(whole.accessKey), PUT), true);
  await iam.policies.map({ kind: "user", name: "ann" }, ["writeonly"]);
  assert.equal(await iam.allowed(identity, GET), false, "never more than the user has now");
  assert.equal(await iam.accessKeys.find(narrow.accessKey), undefined, "no access key");
  assert.deepEqual(await iam.accessKeys.list("ann"), []);
  await assert.rejects(iam.accessKeys.remove(narrow.accessKey), { code: "XMinioInvalidIAMCredentials" });
});

test("sessions end: by time, with their user, by revocation", async () => {
  const { iam, index, time } = setUp();
  await withUser(iam, "ann", "readwrite");
  const one = await iam.sessions.create({ parent: "ann", seconds: 900, revokeType: "app" });
  const two = await iam.sessions.create({ parent: "ann", seconds: 3600 });
  assert.equal((await iam.sessions.list("ann")).length, 2);
  assert.equal(await iam.sessions.revoke("ann", "app"), 1);
  assert.equal(await iam.lookup(one.accessKey), undefined);
  await iam.users.setEnabled("ann", false);
  assert.equal((await iam.lookup(two.accessKey))?.enabled, false);
  await iam.users.setEnabled("ann", true);
  time.aheadMs = 3_600_001;
  assert.equal((await iam.lookup(two.accessKey))?.enabled, false);
  assert.equal(await iam.sessions.find(two.accessKey), undefined);
  await iam.sessions.removeEnded();
  assert.equal(await iam.lookup(two.accessKey), undefined);
  const three = await iam.sessions.create({ parent: "ann", seconds: 900 });
  await iam.users.remove("ann");
  assert.equal(await iam.lookup(three.accessKey), undefined);
  const rows = await index.scan({ start: Buffer.from("M"), end: Buffer.from("N") }, { limit: 100, keysOnly: true });
  assert.deepEqual(
    rows.map(({ key }) => key.toString()),
    [],
    "nothing of it is left",
  );
});

test("root access can be switched off, for root and what is derived from it", async () => {
  const index = memoryIndex();
  let rootAccess = true;
  const iam = createIam({
    index,
    root: TEST_ROOT,
    sealer: markingSealer,
    clock: systemClock(),
    random: systemRandom,
    rootAccess: () => rootAccess,
  });
  await iam.accessKeys.create({ parent: TEST_ROOT.accessKey, accessKey: "rootkey", secretKey: "root key secret" });
  rootAccess = false;
  const enabled = async (key: string): Promise<boolean | undefined> => (await iam.lookup(key))?.enabled;
  assert.deepEqual([await enabled(TEST_ROOT.accessKey), await enabled("rootkey")], [false, false]);
});

test("what may not be asked for", async () => {
  const { iam } = setUp();
  await assert.rejects(iam.sessions.create({ parent: "nobody", seconds: 900 }), { code: "XMinioAdminNoSuchUser" });
  for (const seconds of [0, 899, 1.5, 40_000_000]) {
    await assert.rejects(iam.sessions.create({ parent: TEST_ROOT.accessKey, seconds }), { code: "InvalidArgument" });
  }
  const one = (i: number): object => ({
    Effect: "Allow",
    Action: "s3:*",
    Resource: `arn:aws:s3:::bucket-number-${i}/*`,
  });
  const policy = JSON.stringify({ Version: "2012-10-17", Statement: Array.from({ length: 30 }, (_, i) => one(i)) });
  const tooLarge = { code: "XMinioIAMServiceAccountSessionPolicyTooLarge" };
  await assert.rejects(iam.sessions.create({ parent: TEST_ROOT.accessKey, seconds: 900, policy }), tooLarge);
});

test("other root credentials: sessions die, access keys and users live, secrets still open", async () => {
  const { iam, index } = setUp();
  await withUser(iam, "ann", "readwrite");
  await iam.accessKeys.create({ parent: TEST_ROOT.accessKey, accessKey: "rootkey", secretKey: "root key secret" });
  await iam.accessKeys.create({ parent: "ann", accessKey: "annkey", secretKey: "ann key secret" });
  const ofRoot = await iam.sessions.create({ parent: TEST_ROOT.accessKey, seconds: 900 });
  const ofAnn = await iam.sessions.create({ parent: "ann", seconds: 900 });
  const { iam: renamed } = setUp({ accessKey: "newroot", secretKey: "new root secret" }, index);
  assert.equal(await renamed.lookup(ofRoot.accessKey), undefined);
  assert.equal(await renamed.lookup(ofAnn.accessKey), undefined);
  assert.equal(await renamed.lookup(TEST_ROOT.accessKey), undefined, "the old root is nobody");
  assert.equal((await renamed.lookup("ann"))?.secretKey, "long enough");
  const key = (await renamed.lookup("rootkey")) ?? assert.fail();
  assert.deepEqual(
    [key.user, key.enabled, await renamed.allowed(key, { action: "admin:CreateUser" })],
    ["newroot", true, true],
  );
  assert.deepEqual(
    (await renamed.accessKeys.list("newroot")).map(({ accessKey }) => accessKey),
    ["rootkey"],
  );
  const { iam: taken } = setUp({ accessKey: "ann", secretKey: "another root secret" }, index);
  assert.equal((await taken.lookup("ann"))?.kind, "root");
  assert.equal(await taken.lookup("annkey"), undefined, "keys of a user whose name root took are not root's");
});
