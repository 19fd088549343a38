/** Plain S3 as a target: our versions under its ids, and never twice. */
import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, test } from "node:test";
import type { Arn, VersionId } from "../model/names.ts";
import type { Version } from "../model/version.ts";
import { validateConfig } from "./config.ts";
import { testRule } from "../model/testing.ts";
import { systemRandom } from "../runtime/random.ts";
import { sendVersion } from "./sender.ts";
import { FakeS3 } from "./testing/fake-s3.ts";
import { asKey, enableRule, SRC, testSite, type TestSite } from "./testing/site.ts";
import type { SendOutcome } from "./wire.ts";

describe("a target that mints its own version ids", { timeout: 20_000 }, () => {
  let site: TestSite;
  let fake: FakeS3;
  let arn: Arn;

  beforeEach(async () => {
    site = await testSite();
    fake = new FakeS3();
    await fake.start();
    const credentials = { accessKey: "AK", secretKey: "SK" };
    const target = { endpoint: fake.endpoint, credentials, targetbucket: fake.bucket, type: "replication" };
    arn = await site.targets.set(SRC, target);
    await validateConfig({ ...site, random: systemRandom, hostId: "h" }, SRC, { rules: [testRule(arn)], role: "" });
    await enableRule(site, arn);
  });
  afterEach(async () => {
    await site.close();
    await fake.stop();
  });

  async function send(
    at: { key: string; versionId: VersionId },
    options: { compareFirst?: boolean } = {},
  ): Promise<SendOutcome> {
    const connection = site.targets.connect(await site.targets.get(SRC, arn));
    const { id: bucketId } = await site.objects.bucket(SRC);
    const { outcome } = await sendVersion(site.objects, connection, {
      bucket: SRC,
      bucketId,
      key: asKey(at.key),
      versionId: at.versionId,
      compareFirst: options.compareFirst ?? false,
      marks: {},
    });
    return outcome;
  }

  const remove = async (key: string, versionId?: VersionId): Promise<VersionId> => {
    const done = await site.objects.delete({ bucket: SRC, key: asKey(key), versionId });
    return done.versionId as VersionId;
  };

  test("it is found out when it is set, tried with a version, and left as it was", async () => {
    assert.equal((await site.targets.get(SRC, arn)).record.dialect, "s3");
    assert.deepEqual(fake.versions, []);
    const [listed] = (await site.targets.list(SRC)) as [{ isOnline: boolean; dialect: string }];
    assert.deepEqual([listed.isOnline, listed.dialect], [true, "s3"]);
  });

  test("versions, markers and purges arrive under its ids", async () => {
    const first = await site.put("a", "one");
    const second = await site.put("a", "two");
    for (const version of [first, second]) assert.equal((await send(version)).kind, "sent");
    const marker = await remove("a");
    assert.equal((await send({ key: "a", versionId: marker })).kind, "sent");
    assert.deepEqual(
      fake.of("a").map(({ kind, body }) => `${kind} ${body}`),
      ["DeleteMarker ", "Version two", "Version one"],
    );
    for (const version of [first, second]) assert.deepEqual(await send(version), { kind: "alreadyEqual" });
    assert.deepEqual(await send({ key: "a", versionId: marker }), { kind: "alreadyEqual" });
    await remove("a", first.versionId);
    assert.equal((await send(first)).kind, "purged");
    await remove("a", marker);
    assert.equal((await send({ key: "a", versionId: marker })).kind, "purged");
    assert.deepEqual(
      fake.of("a").map(({ body }) => String(body)),
      ["two"],
    );
    assert.equal((await send(first)).kind, "purged");
  });

  test("an answer that was lost makes no second copy, of an object or of a marker", async () => {
    const version = await site.put("lost", "body");
    fake.loseAnswerOf = (call) => call.startsWith("PUT") || call === "DELETE lost";
    assert.equal((await send(version)).kind, "retry");
    fake.loseAnswerOf = () => false;
    assert.equal((await send(version, { compareFirst: true })).kind, "alreadyEqual");
    assert.equal((await send(version)).kind, "alreadyEqual");
    const marker = await remove("lost");
    fake.loseAnswerOf = (call) => call === "DELETE lost";
    assert.equal((await send({ key: "lost", versionId: marker })).kind, "retry");
    fake.loseAnswerOf = () => false;
    assert.equal((await send({ key: "lost", versionId: marker })).kind, "alreadyEqual");
    assert.deepEqual(
      fake.of("lost").map(({ kind }) => kind),
      ["DeleteMarker", "Version"],
    );
    await remove("lost", version.versionId);
    assert.equal((await send(version)).kind, "purged");
    assert.equal(fake.of("lost").length, 1);
  });

  test("a purge finds what an unheard PUT left there", async () => {
    const version = await site.put("p", "body");
    fake.loseAnswerOf = (call) => call.startsWith("PUT");
    await send(version);
    fake.loseAnswerOf = () => false;
    await remove("p", version.versionId);
    assert.equal((await send(version)).kind, "purged");
    assert.deepEqual(fake.of("p"), []);
  });

  test("tags follow, set and removed; MinIO's headers do not travel", async () => {
    const version = await site.put("t", "body", { a: "1" });
    assert.equal((await send(version)).kind, "sent");
    assert.deepEqual(fake.of("t")[0]?.tags, { a: "1" });
    await site.objects.setTags({ bucket: SRC, key: asKey("t") }, { b: "2" });
    assert.equal((await send(version, { compareFirst: true })).kind, "sent");
    assert.deepEqual(fake.of("t")[0]?.tags, { b: "2" });
    await site.objects.setTags({ bucket: SRC, key: asKey("t") }, {});
    assert.equal((await send(version, { compareFirst: true })).kind, "sent");
    assert.deepEqual(fake.of("t")[0]?.tags, {});
    assert.deepEqual(await send(version, { compareFirst: true }), { kind: "alreadyEqual" });
    assert.equal(fake.of("t")[0]?.headers["x-amz-meta-k"], "v");
    assert.equal(fake.of("t")[0]?.headers["x-amz-meta-resilver-version-id"], version.versionId);
  });

  test("multipart objects keep their parts, and a lost completion is not repeated", async () => {
    const attributes = { headers: {}, userMetadata: {}, storageClass: "STANDARD" } as const;
    const upload = await site.objects.createUpload({ bucket: SRC, key: asKey("m"), attributes, initiator: "root" });
    const at = { bucket: SRC, key: asKey("m"), uploadId: upload.uploadId };
    const stream = (size: number) =>
      (async function* () {
        yield Buffer.alloc(size, 7);
      })();
    const parts = [];
    for (const [number, size] of [
      [1, 5 * 1024 * 1024],
      [2, 10],
    ] as const)
      parts.push(await site.objects.putPart(at, number, { stream: stream(size), size }));
    const version: Version = (await site.objects.completeUpload({ ...at, parts })).version;
    fake.loseAnswerOf = (call) => call.startsWith("POST m?uploadId=");
    assert.equal((await send(version)).kind, "retry");
    fake.loseAnswerOf = () => false;
    assert.equal((await send(version, { compareFirst: true })).kind, "alreadyEqual");
    assert.equal(fake.of("m").length, 1);
    assert.equal(fake.of("m")[0]?.body.length, 5 * 1024 * 1024 + 10);
    const { key, versionId } = version;
    await site.objects.setTags({ bucket: SRC, key, versionId }, { late: "1" });
    assert.deepEqual(await send(version, { compareFirst: true }), { kind: "sent", bytes: 0, what: "metadata" });
    assert.deepEqual([fake.of("m").length, fake.of("m")[0]?.tags], [1, { late: "1" }]);
  });
});
