/** The target side of replication, request by request as MinIO sends them (replication.md section 3, captures.md section 5). */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { call, startTestPort, type Answer, type Call, type TestPort } from "../src/s3/testing.ts";

let port: TestPort;
const USER = { accessKey: "writer", secretKey: "writersecret" };
const V = "6f7c1d2e-0000-4000-8000-000000000001";
const D = "6f7c1d2e-0000-4000-8000-00000000000d";
const ETAG = "5d41402abc4b2a76b9719d911017c592";
const MTIME = "2026-02-01T10:20:30.123456789Z";
const REPLICA = {
  "x-amz-replication-status": "REPLICA",
  "x-minio-source-replication-request": "true",
  "x-minio-source-mtime": MTIME,
};

before(async () => {
  port = await startTestPort();
  await call(port, { method: "PUT", path: "/dst" });
  const body = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
  await call(port, { method: "PUT", path: "/dst", query: "versioning=", body });
  await port.iam.users.put(USER.accessKey, { secretKey: USER.secretKey, enabled: true });
  const Action = ["s3:PutObject", "s3:GetObject", "s3:DeleteObject", "s3:ListBucket"];
  const document = { Version: "2012-10-17", Statement: [{ Effect: "Allow", Action, Resource: ["arn:aws:s3:::*"] }] };
  await port.iam.policies.put("writer", JSON.stringify(document));
  await port.iam.policies.attach({ kind: "user", name: USER.accessKey }, ["writer"]);
});
after(() => port.close());

const put = (key: string, versionId: string, more: Partial<Call> = {}): Promise<Answer> =>
  call(port, {
    method: "PUT",
    path: `/dst/${key}`,
    query: `versionId=${versionId}`,
    body: "hello",
    headers: {
      ...REPLICA,
      "x-minio-source-etag": ETAG,
      "x-amz-tagging": "t1=v1&t2=v2",
      "x-amz-meta-foo": "bar",
      ...more.headers,
    },
    ...(more.credentials === undefined ? {} : { credentials: more.credentials }),
  });
const head = (key: string, versionId: string, headers: Record<string, string> = {}): Promise<Answer> =>
  call(port, {
    method: "HEAD",
    path: `/dst/${key}`,
    query: `versionId=${versionId}`,
    headers: { "x-minio-source-proxy-request": "false", ...headers },
  });
const remove = (key: string, versionId: string, headers: Record<string, string>): Promise<Answer> =>
  call(port, {
    method: "DELETE",
    path: `/dst/${key}`,
    query: `versionId=${versionId}`,
    headers: { ...REPLICA, ...headers },
  });

test("a replica keeps id, time, ETag and mark; the second time it is 412", async () => {
  const stored = await put("k1", V);
  assert.deepEqual([stored.status, stored.headers["x-amz-version-id"]], [200, V]);
  const seen = await head("k1", V, { "x-amz-tagging-directive": "ACCESS" });
  assert.equal(seen.status, 200);
  assert.equal(seen.headers["last-modified"], "Sun, 01 Feb 2026 10:20:30 GMT");
  assert.equal(seen.headers["x-amz-replication-status"], "REPLICA");
  assert.equal(seen.headers["x-amz-tagging"], "t1=v1&t2=v2");
  assert.equal(seen.headers["x-amz-tagging-count"], "2");
  assert.equal(seen.headers["x-amz-meta-foo"], "bar");
  const again = await put("k1", V);
  assert.deepEqual(
    [again.status, again.code, again.headers["etag"]],
    [412, "PreconditionFailed", '"5d41402abc4b2a76b9719d911017c592"'],
  );
  const absent = await head("k1", D);
  assert.deepEqual([absent.status, absent.code], [404, "NoSuchVersion"]);
});

test("only callers with s3:ReplicateObject may set id, time and ETag", async () => {
  const refused = await put("k2", V, { credentials: USER });
  assert.deepEqual([refused.status, refused.code], [403, "AccessDenied"]);
  const chosen = await call(port, {
    method: "PUT",
    path: "/dst/k2",
    query: `versionId=${V}`,
    body: "x",
    credentials: USER,
  });
  assert.deepEqual([chosen.status, chosen.code], [400, "InvalidArgument"]);
  const plain = await call(port, {
    method: "PUT",
    path: "/dst/k2",
    body: "x",
    headers: { "x-minio-source-mtime": MTIME },
    credentials: USER,
  });
  assert.equal(plain.status, 200);
  const seen = await call(port, { method: "HEAD", path: "/dst/k2" });
  assert.notEqual(seen.headers["last-modified"], "Sun, 01 Feb 2026 10:20:30 GMT");
  const create = await call(port, {
    method: "POST",
    path: "/dst/k2",
    query: `uploads=&versionId=${V}`,
    headers: REPLICA,
    credentials: USER,
  });
  assert.equal(create.status, 403);
  const gone = await call(port, {
    method: "DELETE",
    path: "/dst/k1",
    query: `versionId=${V}`,
    headers: REPLICA,
    credentials: USER,
  });
  assert.equal(gone.status, 403);
});

test("malformed ids and times are 400, a dry run is ReplicationPermissionCheck", async () => {
  assert.equal((await put("k3", "x")).code, "InvalidArgument");
  assert.equal((await put("k3", V, { headers: { "x-minio-source-mtime": "yesterday" } })).code, "InvalidArgument");
  const check = { ...REPLICA, "x-minio-source-replication-check": "true" };
  assert.equal((await put("k3", V, { headers: check })).code, "ReplicationPermissionCheck");
  assert.equal(
    (await call(port, { method: "DELETE", path: "/dst/k3", headers: check })).code,
    "ReplicationPermissionCheck",
  );
  assert.equal((await head("k3", V)).status, 404);
});

test("delete markers: probe, make, repeat, purge", async () => {
  await put("k4", V);
  const probe = { "x-minio-check-replication-ready": "true" };
  const before = await head("k4", D, probe);
  assert.deepEqual(
    [before.status, before.code, before.headers["x-minio-replication-ready"]],
    [404, "NoSuchVersion", "true"],
  );
  assert.equal((await head("never", D, probe)).headers["x-minio-replication-ready"], undefined);
  const made = await remove("k4", D, { "x-minio-source-deletemarker": "true" });
  assert.deepEqual(
    [made.status, made.headers["x-amz-delete-marker"], made.headers["x-amz-version-id"]],
    [204, "true", D],
  );
  const there = await head("k4", D, probe);
  assert.deepEqual([there.status, there.code, there.headers["x-amz-delete-marker"]], [405, "MethodNotAllowed", "true"]);
  assert.equal(there.headers["x-minio-replication-deletemarker-status"], "REPLICA");
  assert.equal(there.headers["x-minio-replication-ready"], "true");
  const latest = await call(port, { method: "GET", path: "/dst/k4" });
  assert.deepEqual([latest.status, latest.code, latest.headers["x-amz-version-id"]], [404, "NoSuchKey", D]);
  const purged = await remove("k4", D, {});
  assert.deepEqual([purged.status, purged.headers["x-amz-version-id"]], [204, D]);
  assert.equal((await call(port, { method: "GET", path: "/dst/k4" })).body, "hello");
});

test("a purged version stays away: 412 with the reason", async () => {
  await put("k5", V);
  assert.equal((await remove("k5", V, {})).status, 204);
  const late = await put("k5", V);
  assert.deepEqual([late.status, late.headers["x-resilver-purged"]], [412, "everywhere"]);
});

test("metadata copy changes tags when they are newer, and only then", async () => {
  await put("k6", V);
  const copy = (tags: string, time: string): Promise<Answer> =>
    call(port, {
      method: "PUT",
      path: "/dst/k6",
      query: `versionId=${V}`,
      headers: {
        ...REPLICA,
        "x-amz-copy-source": `dst/k6?versionId=${V}`,
        "x-amz-tagging-directive": "REPLACE",
        "x-amz-tagging": tags,
        "x-amz-object-lock-mode": "",
        "x-minio-source-replication-tagging-timestamp": time,
      },
    });
  const done = await copy("n=1", "2026-02-01T10:20:31Z");
  assert.equal(done.status, 200);
  assert.match(done.body, /<CopyObjectResult [^>]*><LastModified>2026-02-01T10:20:30.123Z<\/LastModified>/);
  assert.ok(done.body.includes(`<ETag>&#34;${ETAG}&#34;</ETag>`));
  assert.equal(done.headers["x-amz-copy-source-version-id"], V);
  await copy("old=1", "2026-02-01T10:20:30.5Z");
  assert.equal((await head("k6", V, { "x-amz-tagging-directive": "ACCESS" })).headers["x-amz-tagging"], "n=1");
  await copy("", "2026-02-01T10:20:32Z");
  assert.equal((await head("k6", V)).headers["x-amz-tagging-count"], undefined);
});

test("null versions are spelled out to peers only", async () => {
  await put("k7", "null");
  assert.equal((await head("k7", "null")).headers["x-amz-version-id"], "null");
  assert.equal((await call(port, { method: "HEAD", path: "/dst/k7" })).headers["x-amz-version-id"], undefined);
});

test("multipart: id and ETag from the creation, time from the completion, full-object CRC32 without a type", async () => {
  const crc = "NhCmhg==";
  const created = await call(port, {
    method: "POST",
    path: "/dst/mp",
    query: `uploads=&versionId=${V}`,
    payloadHash: "UNSIGNED-PAYLOAD",
    headers: {
      "x-amz-replication-status": "REPLICA",
      "x-minio-source-replication-request": "true",
      "x-minio-source-etag": "e8919f820eb5dce470d00ae589163686-1",
      "x-amz-checksum-algorithm": "CRC32",
      "x-amz-checksum-crc32": crc,
    },
  });
  assert.equal(created.headers["x-amz-checksum-type"], "FULL_OBJECT");
  const uploadId = /<UploadId>(.*)<\/UploadId>/.exec(created.body)?.[1] ?? "";
  const part = await call(port, {
    method: "PUT",
    path: "/dst/mp",
    query: `partNumber=1&uploadId=${uploadId}`,
    body: "hello",
    headers: {
      "x-minio-source-replication-request": "true",
      "x-amz-checksum-algorithm": "CRC32",
      "x-amz-checksum-crc32": crc,
    },
  });
  assert.deepEqual([part.status, part.headers["x-amz-checksum-crc32"]], [200, crc]);
  const done = await call(port, {
    method: "POST",
    path: "/dst/mp",
    query: `uploadId=${uploadId}`,
    headers: {
      "content-type": "application/octet-stream",
      "x-minio-source-replication-request": "true",
      "x-minio-source-mtime": MTIME,
      "x-minio-source-etag": "e8919f820eb5dce470d00ae589163686-1",
      "x-amz-checksum-crc32": crc,
      "x-minio-replication-actual-object-size": "5",
    },
    body:
      `<CompleteMultipartUpload xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Part><PartNumber>1</PartNumber>` +
      `<ETag>${ETAG}</ETag><ChecksumCRC32>${crc}</ChecksumCRC32></Part></CompleteMultipartUpload>`,
  });
  assert.deepEqual(
    [done.status, done.headers["x-amz-version-id"], done.headers["etag"]],
    [200, V, '"e8919f820eb5dce470d00ae589163686-1"'],
  );
  const seen = await head("mp", V, { "x-amz-checksum-mode": "ENABLED" });
  assert.equal(seen.headers["last-modified"], "Sun, 01 Feb 2026 10:20:30 GMT");
  assert.equal(seen.headers["x-amz-checksum-crc32"], crc);
  assert.equal(seen.headers["x-amz-replication-status"], "REPLICA");
});

test("damaged bytes are absent to peers, so that they send them again", async () => {
  await put("k8", V);
  const { objects } = port.site;
  const selector = { bucket: "dst", key: "k8", versionId: V } as unknown as Parameters<typeof objects.markDamaged>[0];
  await objects.markDamaged(selector, "missing");
  assert.deepEqual([(await head("k8", V)).status, (await head("k8", V)).code], [404, "NoSuchVersion"]);
  const peer = { headers: { "x-minio-source-proxy-request": "false" } };
  const listed = await call(port, { method: "GET", path: "/dst", query: "versions=&prefix=k8", ...peer });
  assert.match(listed.body, /<ETag>(&#34;|")damaged(&#34;|")<\/ETag>/, "there, but not what anybody has");
  assert.equal((await call(port, { method: "GET", path: "/dst/k8" })).code, "XResilverObjectDamaged");
  assert.equal((await put("k8", V)).status, 200);
  assert.equal((await call(port, { method: "GET", path: "/dst/k8" })).body, "hello");
});
