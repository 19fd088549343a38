import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Arn, BucketName, VersionId } from "../model/names.ts";
import type { ObjectVersion, Version } from "../model/version.ts";
import { rfc3339Nano } from "../protocol/time.ts";
import { sendVersion } from "./sender.ts";
import { SPLIT_OBJECT_BYTES, SPLIT_PART_BYTES } from "./limits.ts";
import { splitPieces } from "./send-object.ts";
import type { FakeTarget, SeenRequest } from "./testing/fake-target.ts";
import { asKey, eachWithTarget, replicateTo, SRC, type TestSite } from "./testing/site.ts";
import type { SendOutcome } from "./wire.ts";

describe("one version to one target", () => {
  let site: TestSite;
  let fake: FakeTarget;
  let arn: Arn;
  let bucketId: string;

  eachWithTarget(async (made) => {
    ({ site, fake } = made);
    arn = await replicateTo(site, fake);
    bucketId = (await site.objects.bucket(SRC)).id;
    fake.seen.length = 0;
  });

  async function send(
    version: Pick<Version, "key" | "versionId">,
    compareFirst = false,
    resyncId?: string,
  ): Promise<SendOutcome> {
    const known = await site.targets.get(SRC, arn);
    const { key, versionId } = version;
    const sent = await sendVersion(site.objects, site.targets.connect(known), {
      bucket: SRC,
      bucketId,
      key,
      versionId,
      compareFirst,
      marks: { resyncId },
    });
    return sent.outcome;
  }

  /** Lock headers of the last request, without their common beginnings. */
  function lockHeaders(): Record<string, unknown> {
    const names = /^(x-amz-object-lock-|x-minio-source-replication-(retention|legalhold)-)/;
    const found = Object.entries(fake.seen.at(-1)?.headers ?? {}).filter(([name]) => names.test(name));
    return Object.fromEntries(found.map(([name, value]) => [name.replace("x-minio-source-replication-", ""), value]));
  }

  test("a key that the target can not hold is not replicable, and its purge has nothing to do there", async () => {
    fake.interfere = ({ key }) => (key.includes("//") ? { status: 400, code: "XMinioInvalidObjectName" } : undefined);
    const at = await site.put("a//b", "x");
    for (const ask of [false, true]) assert.equal((await send(at, ask)).kind, "refused");
    await site.objects.delete({ bucket: SRC, key: at.key, versionId: at.versionId });
    assert.equal((await send(at)).kind, "purged");
  });

  test("locks go out with the object, to the millisecond, and with their times; later ones as metadata", async () => {
    await site.objects.updateBucket(SRC, (bucket) => ({ ...bucket, objectLock: {} }));
    const put = async (until: string): Promise<ObjectVersion> => {
      const at = { bucket: SRC, key: asKey("k") };
      const { versionId } = await site.put("k", "x");
      await site.objects.setLegalHold({ ...at, versionId }, true);
      return site.objects.setRetention({ ...at, versionId }, { mode: "GOVERNANCE", until });
    };
    const whole = await put("2100-01-01T00:00:00.000Z");
    await send(whole);
    const times = {
      "retention-timestamp": rfc3339Nano(whole.retention?.time ?? 0n),
      "legalhold-timestamp": rfc3339Nano(whole.legalHold?.time ?? 0n),
    };
    const hold = { "x-amz-object-lock-legal-hold": "ON" };
    const mode = { "x-amz-object-lock-mode": "GOVERNANCE" };
    const date = (text: string) => ({ "x-amz-object-lock-retain-until-date": text });
    assert.deepEqual(lockHeaders(), { ...times, ...hold, ...mode, ...date("2100-01-01T00:00:00Z") });
    await send(await put("2100-01-01T00:00:00.999Z"));
    assert.equal(lockHeaders()["x-amz-object-lock-retain-until-date"], "2100-01-01T00:00:00.999Z");
    const { key, versionId } = whole;
    const at = { bucket: SRC, key, versionId };
    const cleared = await site.objects.setRetention(at, null, { bypassGovernance: true });
    assert.deepEqual(await send(whole, true), { kind: "sent", bytes: 0, what: "metadata" });
    times["retention-timestamp"] = rfc3339Nano(cleared.retention?.time ?? 0n);
    assert.deepEqual(lockHeaders(), { ...times, ...hold, "x-amz-object-lock-mode": "", ...date("") });
    // To a target that has nothing yet, the time alone says that there is no retention any more.
    fake.remove(key, versionId);
    await send(whole);
    assert.deepEqual(lockHeaders(), { ...times, ...hold });
  });

  test("a new object goes out in one PUT with id, time, ETag and mark; again is 412 and success", async () => {
    const version = await site.put("a/b c", "hello", { t: "1" });
    assert.deepEqual(await send(version), { kind: "sent", bytes: 5, what: "object" });
    const [request] = fake.seen;
    assert.equal(request?.method, "PUT");
    assert.equal(request.query.get("versionId"), version.versionId);
    assert.equal(request.headers["x-amz-replication-status"], "REPLICA");
    assert.equal(request.headers["x-minio-source-mtime"], rfc3339Nano(version.mtime));
    assert.equal(request.headers["x-minio-source-etag"], version.etag);
    assert.equal(request.headers["x-amz-tagging"], "t=1");
    assert.equal(request.headers["x-minio-source-replication-tagging-timestamp"], rfc3339Nano(version.mtime));
    assert.equal(request.headers["x-amz-meta-k"], "v");
    assert.equal(fake.find("a/b c", version.versionId)?.body.toString(), "hello");
    assert.deepEqual(await send(version), { kind: "alreadyEqual" });
  });

  test("a target too busy to be asked is asked again, not taken for one that has the tags", async () => {
    const version = await site.put("k", "hello", { t: "1" });
    await send(version);
    fake.interfere = (request) => (request.method === "HEAD" ? { status: 503, code: "SlowDownRead" } : undefined);
    const outcome = await send(version);
    assert.equal(outcome.kind, "retry");
  });

  test("a repeat asks first and moves nothing when the target has it", async () => {
    const version = await site.put("k");
    await send(version);
    fake.seen.length = 0;
    assert.deepEqual(await send(version, true), { kind: "alreadyEqual" });
    assert.deepEqual(
      fake.seen.map((request) => request.method),
      ["HEAD"],
    );
    assert.equal(fake.seen[0]?.headers["x-amz-tagging-directive"], "ACCESS");
  });

  test("tags that a target tells only the count of are asked for: another value is another value", async () => {
    fake.tellsTags = false;
    const version = await site.put("k", "v", { t: "1" });
    await send(version);
    await site.objects.setTags({ bucket: SRC, key: version.key, versionId: version.versionId }, { t: "2" });
    assert.deepEqual(await send(version, true), { kind: "sent", bytes: 0, what: "metadata" });
    assert.equal(fake.find("k", version.versionId)?.tags, "t=2");
    assert.deepEqual(await send(version, true), { kind: "alreadyEqual" });
  });

  test("tags that may not be read are sent again, and never called equal", async () => {
    fake.tellsTags = false;
    fake.interfere = ({ method, query }) =>
      method === "GET" && query.has("tagging") ? { status: 403, code: "AccessDenied" } : undefined;
    const version = await site.put("k", "v", { t: "1" });
    await send(version);
    assert.deepEqual(await send(version, true), { kind: "sent", bytes: 0, what: "metadata" });
  });

  test("changed tags travel as a metadata copy", async () => {
    const version = await site.put("k");
    await send(version);
    await site.objects.setTags({ bucket: SRC, key: version.key, versionId: version.versionId }, { b: "2" });
    assert.deepEqual(await send(version, true), { kind: "sent", bytes: 0, what: "metadata" });
    assert.equal(fake.find("k", version.versionId)?.tags, "b=2");
    const copy = fake.seen.findLast((request) => request.method === "PUT");
    assert.equal(copy?.headers["x-amz-copy-source"], `dst/k?versionId=${version.versionId}`);
  });

  test("an older null version does not take the place of a newer one, which MinIO would let it", async () => {
    await site.objects.updateBucket(SRC, (bucket) => ({ ...bucket, versioning: { status: "Suspended" } }));
    const version = await site.put("n", "mine");
    assert.equal(version.versionId, "null");
    const theirs = { key: "n", versionId: "null", headers: {}, body: Buffer.from("theirs"), etag: "e" };
    fake.store.put({ ...theirs, mtime: version.mtime + 5_000_000_000n });
    assert.deepEqual(await send(version), { kind: "alreadyEqual" });
    fake.store.put({ ...theirs, mtime: version.mtime - 5_000_000_000n });
    assert.equal((await send(version)).kind, "sent");
    assert.equal(fake.find("n", "null")?.body.toString(), "mine");
  });

  test("a retention outlives the tags and holds that change after it, at a target that takes off what is not newer", async () => {
    await site.objects.updateBucket(SRC, (bucket) => ({ ...bucket, objectLock: {} }));
    const { key, versionId } = await site.put("kept", "x");
    const at = { bucket: SRC, key, versionId };
    const retained = (): unknown => fake.find("kept", versionId)?.metadata["x-amz-object-lock-mode"];
    const until = "2100-01-01T00:00:00.000Z";
    await send(await site.objects.setRetention(at, { mode: "GOVERNANCE", until }));
    for (const step of [1, 2, 3]) {
      await send(await site.objects.setLegalHold(at, step !== 2), true);
      assert.equal(retained(), "GOVERNANCE");
      await send(await site.objects.setTags(at, { step: String(step) }), true);
      assert.equal(retained(), "GOVERNANCE");
    }
  });

  test("tags that the target took off, since its own were newer, are tried again and said to lack", async () => {
    const { key, versionId } = await site.put("t", "x");
    await send({ key, versionId });
    const there = fake.find("t", versionId);
    assert.ok(there !== undefined);
    fake.store.change({ ...there, tags: "a=theirs", tagsTime: BigInt(Date.now() + 60_000) * 1_000_000n });
    const version = await site.objects.setTags({ bucket: SRC, key, versionId }, { a: "mine" });
    const outcome = await send(version, true);
    assert.deepEqual([outcome.kind, outcome.kind === "retry" && outcome.code], ["retry", "MetadataNotTaken"]);
  });

  test("a peer's newer tags are sent on to a MinIO that got older ones from here", async () => {
    const { key, versionId } = await site.put("t", "x");
    await send({ key, versionId });
    const at = { bucket: SRC, key, versionId };
    const version = await site.objects.setTags(at, { a: "older" });
    const since = version.tags?.time ?? 0n;
    const fromPeer = (ns: bigint, value: string, isMinio = false): Promise<unknown> => {
      const source = { replica: true, tagsTime: since + ns, isMinio };
      return site.objects.applyReplicaMetadata({
        ...at,
        tags: { a: value },
        retention: undefined,
        legalHold: undefined,
        source,
      });
    };
    const poked: Arn[][] = [];
    site.onPoke = (arns) => void poked.push([...arns]);
    await fromPeer(1n, "newer");
    assert.deepEqual(poked, [], "nothing went from here: whoever made the newer ones sends them");
    // The peer's newer tags were there first, and an older copy took them off.
    const there = fake.find("t", versionId);
    assert.ok(there !== undefined);
    fake.store.change({ ...there, tags: "", tagsTime: since + 2n });
    const again = { ...at, bucketId, compareFirst: true, repeated: true, marks: {} };
    const connection = site.targets.connect(await site.targets.get(SRC, arn));
    assert.equal((await sendVersion(site.objects, connection, again)).outcome.kind, "sent");
    assert.ok((fake.find("t", versionId)?.tagsTime ?? 0n) > since + 3n, "told with the time of now");
    await fromPeer(2n, "of that MinIO", true);
    assert.deepEqual(poked, [], "it needs no word of what it said itself");
    await fromPeer(3n, "newest");
    assert.deepEqual(poked, [[arn]]);
    const now = (await site.objects.version(at))?.version;
    assert.equal(now?.replication.targets[arn], "PENDING");
    assert.equal((await sendVersion(site.objects, connection, again)).outcome.kind, "retry", "taken off first");
    assert.equal((await sendVersion(site.objects, connection, again)).outcome.kind, "sent");
    assert.equal(fake.find("t", versionId)?.tags, "a=newest");
  });

  test("a delete marker is never sent twice, since that would remove it", async () => {
    await site.put("k");
    const marker = await site.objects.delete({ bucket: SRC, key: asKey("k") });
    const at = { key: asKey("k"), versionId: marker.versionId as VersionId };
    assert.deepEqual(await send(at), { kind: "sent", bytes: 0, what: "delete-marker" });
    assert.deepEqual(await send(at), { kind: "alreadyEqual" });
    assert.equal(fake.find("k", at.versionId)?.kind, "delete-marker");
    assert.deepEqual(
      fake.seen.map((request) => request.method),
      ["HEAD", "DELETE", "HEAD"],
    );
  });

  test("purges of data and of markers remove and never toggle", async () => {
    const version = await site.put("k");
    await send(version);
    const marker = await site.objects.delete({ bucket: SRC, key: asKey("k") });
    const dm = { key: asKey("k"), versionId: marker.versionId as VersionId };
    await send(dm);
    for (const at of [version, dm]) {
      await site.objects.delete({ bucket: SRC, key: asKey("k"), versionId: at.versionId });
      assert.deepEqual(await send(at), { kind: "purged" });
      assert.deepEqual(await send(at), { kind: "purged" });
      assert.equal(fake.find("k", at.versionId), undefined);
    }
    assert.equal(fake.seen.at(-1)?.headers["x-minio-source-deletemarker"], undefined);
  });

  test("a marker that two purges at the same moment leave at a MinIO is purged again", async () => {
    const { versionId } = await site.objects.delete({ bucket: SRC, key: asKey("k") });
    const at = { key: asKey("k"), versionId: versionId as VersionId };
    await send(at);
    await site.objects.delete({ bucket: SRC, ...at });
    fake.interfere = ({ method }) => (method === "HEAD" ? { status: 405, code: "MethodNotAllowed" } : undefined);
    assert.equal((await send(at)).kind, "retry");
    fake.interfere = () => undefined;
    assert.deepEqual(await send(at), { kind: "purged" });
    assert.equal(fake.find("k", at.versionId), undefined);
    // What a MinIO has purged and still has to tell its own peers of looks like a marker, and is none.
    fake.store.purging.add(`k ${at.versionId}`);
    assert.deepEqual(await send(at), { kind: "purged" });
  });

  test("nothing left here is nothing to do; a bucket made anew is another bucket", async () => {
    assert.deepEqual(await send({ key: asKey("k"), versionId: "00000000-0000-4000-8000-000000000000" as VersionId }), {
      kind: "gone",
    });
    const version = await site.put("k");
    bucketId = "0000000000000000";
    assert.deepEqual(await send(version), { kind: "gone" });
    assert.equal(fake.seen.length, 0);
  });

  test("a purge that no rule replicates stays here", async () => {
    const version = await site.put("k");
    await site.objects.updateBucket(SRC, (bucket) => ({ ...bucket, replication: { rules: [], role: "" } }));
    await site.objects.delete({ bucket: SRC, key: version.key, versionId: version.versionId });
    assert.deepEqual(await send(version), { kind: "gone" });
  });

  test("damage here is refused and never sent", async () => {
    const version = await site.put("k", "x".repeat(5000));
    site.blobs.files.clear();
    const outcome = await send(version);
    assert.equal(outcome.kind, "refused");
    assert.equal(fake.find("k", version.versionId), undefined);
  });

  test("tags of a version that is damaged here still reach the target that has its bytes", async () => {
    const version = await site.put("k", "x".repeat(5000));
    await send(version);
    site.blobs.files.clear();
    const at = { bucket: SRC, key: asKey("k"), versionId: version.versionId };
    await site.objects.markDamaged(at, "missing");
    assert.deepEqual(await send(version), { kind: "alreadyEqual" });
    await site.objects.setTags(at, { t: "1" });
    assert.deepEqual(await send(version), { kind: "sent", bytes: 0, what: "metadata" });
    assert.equal(fake.find("k", version.versionId)?.tags, "t=1");
  });

  test("a refusal is worth another try, a cut connection is a network failure", async () => {
    const version = await site.put("k");
    fake.interfere = () => ({ status: 403, code: "AccessDenied" });
    const refused = await send(version);
    assert.ok(refused.kind === "retry" && !refused.network && refused.code === "AccessDenied");
    fake.interfere = () => "cut";
    const cut = await send(version);
    assert.ok(cut.kind === "retry" && cut.network);
  });

  test("a purge at the target that wins is told by its header", async () => {
    const version = await site.put("k");
    fake.interfere = () => undefined;
    const known = await site.targets.get(SRC, arn);
    const connection = site.targets.connect(known);
    const client = {
      ...connection.client,
      request: async () => ({ status: 412, headers: { "x-resilver-purged": "everywhere" }, body: Buffer.alloc(0) }),
    };
    const request = {
      bucket: SRC as BucketName,
      bucketId,
      key: version.key,
      versionId: version.versionId,
      compareFirst: false,
      marks: {},
    };
    const { outcome } = await sendVersion(site.objects, { ...connection, client }, request);
    assert.deepEqual(outcome, { kind: "purgedThere" });
  });

  test("a version that a MinIO has purged and still has to tell its peers of is not put there again", async () => {
    const version = await site.put("k");
    assert.equal((await send(version)).kind, "sent");
    fake.store.purging.add(`k ${version.versionId}`);
    fake.seen.length = 0;
    assert.deepEqual(await send(version, true), { kind: "purgedThere" });
    assert.ok(fake.seen.every(({ method }) => method === "HEAD"));
  });

  test("a resync names itself on every request", async () => {
    const version = await site.put("k");
    await send(version, true, "r-1");
    assert.deepEqual(
      fake.seen.map((request) => request.headers["x-resilver-resync"]),
      ["r-1", "r-1"],
    );
  });

  async function multipart(): Promise<Version> {
    const attributes = { headers: {}, userMetadata: {}, storageClass: "STANDARD" } as const;
    const upload = await site.objects.createUpload({ bucket: SRC, key: asKey("m"), attributes, initiator: "root" });
    const at = { bucket: SRC, key: asKey("m"), uploadId: upload.uploadId };
    const parts = [];
    for (const [number, size] of [
      [1, 5 * 1024 * 1024],
      [3, 1000],
    ] as const) {
      const stream = (async function* () {
        yield Buffer.alloc(size, number);
      })();
      parts.push(await site.objects.putPart(at, number, { stream, size }));
    }
    return (await site.objects.completeUpload({ ...at, parts })).version;
  }

  test("a multipart object keeps part numbers, sizes and ETag", async () => {
    const version = await multipart();
    assert.deepEqual(await send(version), { kind: "sent", bytes: 5 * 1024 * 1024 + 1000, what: "object" });
    const stored = fake.find("m", version.versionId);
    assert.ok(version.kind === "object");
    assert.equal(stored?.etag, version.etag);
    assert.equal(stored?.parts, 2);
    assert.equal(stored?.mtime, version.mtime);
    assert.deepEqual(
      fake.seen
        .filter((request) => request.method === "PUT")
        .map((request) => request.query.get("partNumber"))
        .sort(),
      ["1", "3"],
    );
    assert.deepEqual(await send(version), { kind: "alreadyEqual" });
  });

  test("a multipart object that was cut goes on with the parts that arrived", async () => {
    const version = await multipart();
    fake.interfere = (request) => (request.query.get("partNumber") === "3" ? "cut" : undefined);
    const cut = await send(version);
    assert.ok(cut.kind === "retry" && cut.network, JSON.stringify(cut));
    fake.interfere = () => undefined;
    fake.seen.length = 0;
    assert.equal((await send(version)).kind, "sent");
    assert.deepEqual(
      fake.seen.map((request) => `${request.method} ${request.query.get("partNumber") ?? ""}`),
      ["GET ", "PUT 3", "POST "],
    );
  });

  test("an upload that comes to nothing is ended: the target keeps no parts of it", async () => {
    const aborted = (): number =>
      fake.seen.filter(({ method, query }) => method === "DELETE" && query.has("uploadId")).length;
    const cutAtPart3 = (request: SeenRequest) =>
      request.query.get("partNumber") === "3" ? ("cut" as const) : undefined;
    // The target has the version by now, and says so when the parts are there.
    fake.interfere = ({ method, query }) =>
      method === "POST" && query.has("uploadId") ? { status: 412, code: "PreconditionFailed" } : undefined;
    assert.deepEqual(await send(await multipart()), { kind: "alreadyEqual" });
    assert.equal(aborted(), 1);
    // It is busy when it is asked what it has: that is no reason to begin anew.
    const version = await multipart();
    fake.interfere = cutAtPart3;
    assert.equal((await send(version)).kind, "retry");
    fake.interfere = ({ method, query }) =>
      method === "GET" && query.has("uploadId") ? { status: 503, code: "SlowDownRead" } : undefined;
    assert.equal((await send(version)).kind, "retry");
    fake.interfere = cutAtPart3;
    assert.equal((await send(version)).kind, "retry");
    const begun = fake.seen.filter(({ method, query }) => method === "POST" && query.has("uploads"));
    assert.deepEqual([begun.length, aborted()], [2, 1]);
    // It was purged here before it could go on.
    fake.interfere = () => undefined;
    await site.objects.delete({ bucket: SRC, key: version.key, versionId: version.versionId });
    assert.deepEqual(await send(version), { kind: "purged" });
    assert.equal(aborted(), 2);
    assert.deepEqual(await send(version), { kind: "purged" });
    assert.equal(aborted(), 2);
  });

  test("a large object of one piece goes part by part, and goes on where it was cut", async () => {
    const body = Buffer.alloc(SPLIT_OBJECT_BYTES + 5, "resilver");
    const version = await site.put("large", body);
    fake.interfere = (request) => (request.query.get("partNumber") === "5" ? "cut" : undefined);
    const cut = await send(version);
    assert.ok(cut.kind === "retry" && cut.network, JSON.stringify(cut));
    const sent = fake.seen.filter(({ method }) => method === "PUT").length;
    assert.equal(fake.find("large", version.versionId), undefined);
    fake.interfere = () => undefined;
    fake.seen.length = 0;
    assert.deepEqual(await send(version), { kind: "sent", bytes: body.length, what: "object", resumed: true });
    const parts = fake.seen.filter(({ method }) => method === "PUT");
    assert.ok(parts.length <= SPLIT_OBJECT_BYTES / SPLIT_PART_BYTES + 1 - (sent - 1), `${parts.length} after ${sent}`);
    const stored = fake.find("large", version.versionId);
    assert.equal(stored?.etag, version.etag);
    assert.ok(stored?.body.equals(body));
    assert.deepEqual(await send(version), { kind: "alreadyEqual" });
  });

  test("the parts of a split object cover it, in sizes that S3 allows", () => {
    for (const size of [SPLIT_OBJECT_BYTES, SPLIT_OBJECT_BYTES + 1, 5 * 1024 ** 4]) {
      const pieces = splitPieces(size);
      assert.equal(
        pieces.reduce((sum, piece) => sum + piece.size, 0),
        size,
      );
      assert.ok(pieces.length <= 10_000);
      assert.ok(pieces.slice(0, -1).every((piece) => piece.size >= 5 * 1024 * 1024));
    }
  });
});
