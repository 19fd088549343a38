/** Many small versions of a peer in one request: the same rules as for one, item by item. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, before, test } from "node:test";
import { call, startTestPort, TEST_ROOT, type Answer, type TestPort } from "../src/s3/testing.ts";
import { encodeIngestItem, INGEST_PATH, type IngestItem, type IngestResult } from "../src/protocol/ingest.ts";

let port: TestPort;
const MTIME = "2026-02-01T10:20:30.123456789Z";
const WRITER = { accessKey: "writer", secretKey: "writersecret" };
const CLIENT = { accessKey: "client", secretKey: "clientsecret" };

before(async () => {
  port = await startTestPort();
  await call(port, { method: "PUT", path: "/dst" });
  const body = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
  await call(port, { method: "PUT", path: "/dst", query: "versioning=", body });
  const rights: readonly [typeof WRITER, string[]][] = [
    [WRITER, ["s3:PutObject", "s3:ReplicateObject"]],
    [CLIENT, ["s3:PutObject", "s3:GetObject"]],
  ];
  for (const [user, Action] of rights) {
    await port.iam.users.put(user.accessKey, { secretKey: user.secretKey, enabled: true });
    const Statement = [{ Effect: "Allow", Action, Resource: ["arn:aws:s3:::dst/a/*"] }];
    await port.iam.policies.put(user.accessKey, JSON.stringify({ Version: "2012-10-17", Statement }));
    await port.iam.policies.attach({ kind: "user", name: user.accessKey }, [user.accessKey]);
  }
});
after(() => port.close());

function item(key: string, text: string, headers: Record<string, string> = {}): IngestItem {
  const body = Buffer.from(text);
  return {
    key,
    versionId: crypto.randomUUID(),
    body,
    headers: {
      "x-amz-replication-status": "REPLICA",
      "x-minio-source-replication-request": "true",
      "x-minio-source-mtime": MTIME,
      "x-minio-source-etag": createHash("md5").update(body).digest("hex"),
      ...headers,
    },
  };
}

function send(items: readonly IngestItem[], credentials = WRITER, bucket = "dst"): Promise<Answer> {
  const body = Buffer.concat(items.flatMap(encodeIngestItem));
  return call(port, { method: "POST", path: INGEST_PATH, query: `bucket=${bucket}`, body, credentials });
}

const results = (answer: Answer): IngestResult[] => JSON.parse(answer.body.toString()) as IngestResult[];
const codes = (answer: Answer): (string | number)[] => results(answer).map((one) => one.code ?? one.status);
const get = (key: string, versionId: string): Promise<Answer> =>
  call(port, { method: "GET", path: `/dst/${key}`, query: `versionId=${versionId}` });

test("each item is stored under its id with its time, metadata and tags; repeats change nothing", async () => {
  const items = [
    item("a/one", "first", { "x-amz-meta-name": "日本", "x-amz-tagging": "t=v", "content-type": "text/plain" }),
    item("a/empty", ""),
    item("a/one", "second"),
  ];
  assert.deepEqual(codes(await send(items)), [200, 200, 200]);
  const [one, empty, second] = items as [IngestItem, IngestItem, IngestItem];
  const seen = await get("a/one", one.versionId);
  assert.equal(seen.body.toString(), "first");
  assert.equal(seen.headers["last-modified"], "Sun, 01 Feb 2026 10:20:30 GMT");
  assert.equal(seen.headers["x-amz-meta-name"], "=?UTF-8?B?5pel5pys?=");
  assert.equal(seen.headers["x-amz-tagging-count"], "1");
  assert.equal(seen.headers["content-type"], "text/plain");
  assert.equal(seen.headers["x-amz-replication-status"], "REPLICA");
  assert.equal((await get("a/empty", empty.versionId)).body.length, 0);
  assert.equal((await get("a/one", second.versionId)).body.toString(), "second");
  assert.deepEqual(codes(await send(items)), ["PreconditionFailed", "PreconditionFailed", "PreconditionFailed"]);
});

test("rights are asked for item by item, and replication needs its own", async () => {
  assert.deepEqual(codes(await send([item("b/outside", "x"), item("a/inside", "x")])), ["AccessDenied", 200]);
  assert.deepEqual(codes(await send([item("a/client", "x")], CLIENT)), ["AccessDenied"]);
  const bare = item("a/bare", "x");
  const withoutMark = { ...bare, headers: { "x-minio-source-mtime": MTIME } };
  assert.deepEqual(codes(await send([withoutMark])), ["InvalidRequest"]);
  const stranger = await call(port, {
    method: "POST",
    path: INGEST_PATH,
    query: "bucket=dst",
    body: "",
    credentials: null,
  });
  assert.equal(stranger.status, 403);
});

test("what no key and no condition changes is asked once for all; what one does is asked for each", async (t) => {
  const sender = { accessKey: "sender", secretKey: "sendersecret" };
  await port.iam.users.put(sender.accessKey, { secretKey: sender.secretKey, enabled: true });
  const everything = {
    Effect: "Allow",
    Action: ["s3:PutObject", "s3:ReplicateObject"],
    Resource: "arn:aws:s3:::dst/*",
  };
  const deny = { Effect: "Deny", Action: ["s3:PutObject"] };
  const folder = { ...deny, Resource: "arn:aws:s3:::dst/secret/*" };
  const tagged = { "ForAnyValue:StringEquals": { "s3:RequestObjectTag/level": "top" } };
  const byTag = { ...deny, Resource: "arn:aws:s3:::dst/*", Condition: tagged };
  const questions = t.mock.method(port.iam, "allowed");
  const top = { "x-amz-tagging": "level=top" };
  const asked = async (Statement: object[]): Promise<[(string | number)[], number]> => {
    await port.iam.policies.put("sending", JSON.stringify({ Version: "2012-10-17", Statement }));
    await port.iam.policies.attach({ kind: "user", name: sender.accessKey }, ["sending"]);
    questions.mock.resetCalls();
    const many = Array.from({ length: 30 }, (_, i) => item(`many/${i}`, "x"));
    const answer = await send([...many, item("secret/x", "x"), item("open/x", "x", top)], sender);
    return [codes(answer).slice(-3), questions.mock.callCount()];
  };
  // One question of the request itself, the two rights, and that nothing denies the tags.
  assert.deepEqual(await asked([everything]), [[200, 200, 200], 4]);
  const [inFolder, ofFolder] = await asked([everything, folder]);
  assert.deepEqual(inFolder, [200, "AccessDenied", 200]);
  assert.ok(ofFolder >= 32, "each key may be in the folder");
  assert.deepEqual((await asked([everything, byTag]))[0], [200, 200, "AccessDenied"]);
});

test("a version that was purged here stays purged, and says by whose will", async () => {
  const purged = item("a/purged", "x");
  assert.deepEqual(codes(await send([purged])), [200]);
  await call(port, { method: "DELETE", path: "/dst/a/purged", query: `versionId=${purged.versionId}` });
  const [answer] = results(await send([purged]));
  assert.deepEqual([answer?.status, answer?.purged], [412, "local"]);
  assert.equal((await get("a/purged", purged.versionId)).status, 404);
});

test("one bad item spoils no other; a bad frame spoils all and stores nothing", async () => {
  const good = item("a/good", "x");
  const bad = [
    item("a/checksum", "x", { "x-amz-checksum-crc32": "AAAAAA==" }),
    { ...item("a/id", "x"), versionId: "no-uuid" },
    { ...item("a/nul", "x"), key: "a/\0" },
    item("a/meta", "x", { "x-amz-meta-long": "x".repeat(3000) }),
  ];
  const answer = codes(await send([...bad, good]));
  assert.equal(answer.at(-1), 200);
  assert.deepEqual(
    answer.slice(0, -1).filter((code) => code === 200),
    [],
  );
  const lost = item("a/lost", "x");
  const frame = Buffer.concat([...encodeIngestItem(lost), Buffer.from([1, 2, 3])]);
  const refused = await call(port, {
    method: "POST",
    path: INGEST_PATH,
    query: "bucket=dst",
    body: frame,
    credentials: WRITER,
  });
  assert.deepEqual([refused.status, refused.code], [400, "InvalidRequest"]);
  assert.equal((await get("a/lost", lost.versionId)).status, 404);
});

test("an unknown bucket is an answer for each item", async () => {
  const answer = await send([item("a/x", "x")], TEST_ROOT, "nowhere");
  assert.deepEqual(codes(answer), ["NoSuchBucket"]);
});
