/** Who an attacker claims to be, and with what right: signatures, presigned URLs, peers, disabled users, nobody, sealed bodies. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { AdminClient } from "../src/client/admin-client.ts";
import { ADMIN_ALGORITHMS, sealAdminBody } from "../src/protocol/admin-crypto.ts";
import { presignUrl } from "../src/protocol/sigv4-sign.ts";
import { parseXml } from "../src/protocol/xml.ts";
import { cleanUp, ROOT_SECRET, ROOT_USER, startServer, type RunningServer } from "./support/server.ts";
import { exchange, head, ROOT, type WireAnswer, type WireRequest } from "./support/wire.ts";
import { expectAll as expectEach, put, type Case } from "./support/wire-cases.ts";

const MINUTE = 60_000;
const VERSION = "6f9619ff-8b86-4011-b42d-00cf4fc964ff";
const PEER = { "x-minio-source-replication-request": "true" };
let server: RunningServer;
let admin: AdminClient;
before(async () => {
  server = await startServer({ workers: 2 });
  admin = new AdminClient({ url: server.url, accessKey: ROOT_USER, secretKey: ROOT_SECRET });
  assert.equal((await send({ method: "PUT", path: "/b-1" })).status, 200);
  await send({ method: "PUT", path: "/b-1/k", body: "hello" });
});
after(async () => {
  await admin.close();
  assert.equal(await server.stop(), 0);
  await cleanUp();
  // Nothing of this is a fault of the server's: it must not have logged one.
  assert.doesNotMatch(server.log(), /InternalError|TypeError|RangeError|assert/i);
});

const send = (request: WireRequest | Buffer): Promise<WireAnswer> => exchange(server.port, request);
const expectAll = (cases: readonly Case[]): Promise<void> => expectEach(server.port, cases);
const get: WireRequest = { path: "/b-1/k" };
const authorization = (change: (text: string) => string) => (headers: Record<string, string>) => {
  headers["authorization"] = change(headers["authorization"] ?? "");
};

test("signatures: wrong, cut, moved in time or to another request", async () => {
  const sent = head(server.port, put("/b-1/replayed", { body: "one" }));
  await expectAll([
    ["14 minutes slow", { ...get, nowMs: Date.now() - 14 * MINUTE }, "200"],
    ["14 minutes fast", { ...get, nowMs: Date.now() + 14 * MINUTE }, "200"],
    ["16 minutes slow", { ...get, nowMs: Date.now() - 16 * MINUTE }, "403 RequestTimeTooSkewed"],
    ["16 minutes fast", { ...get, nowMs: Date.now() + 16 * MINUTE }, "403 RequestTimeTooSkewed"],
    ["wrong secret", { ...get, credentials: { ...ROOT, secretKey: "x" } }, "403 SignatureDoesNotMatch"],
    ["unknown key", { ...get, credentials: { accessKey: "nobody", secretKey: "x" } }, "403 InvalidAccessKeyId"],
    ["cut", { ...get, forge: authorization((text) => text.slice(0, -1)) }, "403 SignatureDoesNotMatch"],
    ["none", { ...get, forge: authorization((text) => text.replace(/, Signature=.*/, "")) }, "400 MissingFields"],
    [
      "other day",
      { ...get, forge: authorization((text) => text.replace(/\/20\d{6}\//, "/20200101/")) },
      "403 SignatureDoesNotMatch",
    ],
    [
      "other service",
      { ...get, forge: authorization((text) => text.replace("/s3/", "/ec2/")) },
      "400 AuthorizationParametersError",
    ],
    ["host not signed", { ...get, forge: authorization((text) => text.replace("host;", "")) }, "403 AccessDenied"],
    ["path of another", { path: "/b-1/k", signedPath: "/b-1/other" }, "403 SignatureDoesNotMatch"],
    ["path encoded otherwise", { path: "/b-1/%6b", signedPath: "/b-1/k" }, "200"],
    ["path encoded twice", { path: "/b-1/%256b", signedPath: "/b-1/k" }, "403 SignatureDoesNotMatch"],
    ["query added", { ...get, query: "versionId=null", signedQuery: "" }, "403 SignatureDoesNotMatch"],
    ["two authorizations", { ...get, lines: ["authorization: Basic a"] }, "400 InvalidRequest"],
    ["two hosts", { ...get, lines: ["host: elsewhere"] }, "400 InvalidRequest"],
    ["first body", Buffer.concat([sent, Buffer.from("one")]), "200"],
    ["another body", Buffer.concat([sent, Buffer.from("two")]), "400 XAmzContentSHA256Mismatch"],
    [
      "unknown hash",
      put("/b-1/odd", { payloadHash: "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD" }),
      "400 InvalidArgument",
    ],
    ["not stored", { path: "/b-1/odd" }, "404 NoSuchKey"],
  ]);
  assert.equal((await send({ path: "/b-1/replayed" })).body.toString(), "one");
});

test("presigned URLs: every part is bound, and nothing can be added that changes what they do", async () => {
  const make = (more: Partial<Parameters<typeof presignUrl>[0]> = {}): URL => {
    const origin = `http://127.0.0.1:${server.port}`;
    const nowMs = Date.now();
    return new URL(
      presignUrl({
        ...ROOT,
        region: "us-east-1",
        method: "GET",
        origin,
        path: "/b-1/k",
        expiresSeconds: 60,
        nowMs,
        ...more,
      }),
    );
  };
  const use = (url: URL, more: Partial<WireRequest> = {}): WireRequest => {
    return { path: url.pathname, query: url.search.slice(1), credentials: null, ...more };
  };
  const changed = (name: string, value: string): WireRequest => {
    const url = make();
    url.searchParams.set(name, value);
    return use(url);
  };
  const upload = (line: string): WireRequest =>
    use(make({ method: "PUT", path: "/b-1/p" }), { method: "PUT", body: "x", lines: [line] });
  const malformed = "400 AuthorizationQueryParametersError";
  await expectAll([
    ["as made", use(make()), "200"],
    ["expired", use(make({ nowMs: Date.now() - 61_000 })), "403 AccessDenied"],
    ["a little early", use(make({ nowMs: Date.now() + 14 * MINUTE })), "200"],
    ["too early", use(make({ nowMs: Date.now() + 16 * MINUTE })), "403 AccessDenied"],
    ["longer than a week", changed("X-Amz-Expires", "604801"), malformed],
    ["expires not a number", changed("X-Amz-Expires", "1e3"), malformed],
    ["longer life", changed("X-Amz-Expires", "61"), "403 SignatureDoesNotMatch"],
    ["other algorithm", changed("X-Amz-Algorithm", "none"), malformed],
    ["bad date", changed("X-Amz-Date", "20260230T000000Z"), malformed],
    ["host not signed", changed("X-Amz-SignedHeaders", "x"), "403 AccessDenied"],
    ["other version", changed("versionId", "null"), "403 SignatureDoesNotMatch"],
    ["other method", use(make(), { method: "DELETE" }), "403 SignatureDoesNotMatch"],
    ["metadata added", upload("x-amz-meta-a: b"), "403 AccessDenied"],
    ["turned into a copy", upload("x-amz-copy-source: /b-1/k"), "403 AccessDenied"],
    ["tags added", upload("x-amz-tagging: a=b"), "403 AccessDenied"],
    ["as a peer", upload("x-minio-source-mtime: 2001-01-01T00:00:00Z"), "403 AccessDenied"],
    ["a checksum added", upload("x-amz-checksum-crc32: AAAAAA=="), "400 BadDigest"],
    ["nothing stored", { path: "/b-1/p" }, "404 NoSuchKey"],
  ]);
});

const alice = { accessKey: "alice", secretKey: "alice-secret" };
const byAlice = (more: Partial<WireRequest>): WireRequest => ({ ...put("/b-1/f"), credentials: alice, ...more });
const setAlice = (status: "enabled" | "disabled"): Promise<Buffer> =>
  admin.call({ method: "PUT", path: "set-user-status", query: { accessKey: "alice", status } });

/** A user who may read and write objects, and nothing else. */
async function makeAlice(): Promise<void> {
  const user = Buffer.from(JSON.stringify({ secretKey: alice.secretKey, status: "enabled" }));
  await admin.call({ method: "PUT", path: "add-user", query: { accessKey: "alice" }, sealed: true, body: user });
  const Action = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:ListBucket", "s3:DeleteObjectVersion"];
  const policy = { Version: "2012-10-17", Statement: [{ Effect: "Allow", Action, Resource: ["arn:aws:s3:::*"] }] };
  await admin.call({
    method: "PUT",
    path: "add-canned-policy",
    query: { name: "plain" },
    body: Buffer.from(JSON.stringify(policy)),
  });
  await admin.call({
    method: "PUT",
    path: "set-user-or-group-policy",
    query: { policyName: "plain", userOrGroup: "alice", isGroup: "false" },
  });
}

test("an ordinary user cannot speak for a peer", async () => {
  await makeAlice();
  const unmarked = { "x-minio-source-mtime": "2001-01-01T00:00:00Z", "x-minio-source-etag": "forged" };
  const denied = "403 AccessDenied";
  await expectAll([
    ["plain", byAlice({ headers: unmarked }), "200"],
    ["as a peer", byAlice({ headers: { ...PEER, ...unmarked } }), denied],
    ["version id", byAlice({ query: `versionId=${VERSION}` }), "400 InvalidArgument"],
    ["version id as a peer", byAlice({ query: `versionId=${VERSION}`, headers: PEER }), denied],
    ["as a replica", byAlice({ headers: { "x-amz-replication-status": "REPLICA" } }), denied],
    ["dry run", byAlice({ headers: { "x-minio-source-replication-check": "true" } }), denied],
    ["delete as a peer", byAlice({ method: "DELETE", headers: PEER }), denied],
    ["upload as a peer", byAlice({ method: "POST", query: "uploads=", headers: PEER }), denied],
    ["copy as a peer", byAlice({ headers: { ...PEER, "x-amz-copy-source": "/b-1/f" } }), denied],
    ["resync", byAlice({ path: "/b-1", query: "replication-reset=&arn=x" }), denied],
  ]);
  const stored = (await send({ method: "HEAD", path: "/b-1/f" })).headers;
  assert.equal(stored["etag"], '"9dd4e461268c8034f5c8564e155c67a6"');
  assert.doesNotMatch(stored["last-modified"] ?? "", /2001/);
});

test("a user who is disabled in the middle of an upload is stopped, and goes on when enabled", async () => {
  await makeAlice();
  const created = await send(byAlice({ method: "POST", query: "uploads=" }));
  const query = `uploadId=${parseXml(created.body).value("UploadId")}`;
  await send(byAlice({ query: `partNumber=1&${query}`, body: "hello" }));
  await setAlice("disabled");
  const part = "<Part><PartNumber>1</PartNumber><ETag>5d41402abc4b2a76b9719d911017c592</ETag></Part>";
  const body = `<CompleteMultipartUpload>${part}</CompleteMultipartUpload>`;
  await expectAll([
    ["another part", byAlice({ query: `partNumber=2&${query}` }), "403 InvalidAccessKeyId"],
    ["completion", byAlice({ method: "POST", query, body }), "403 InvalidAccessKeyId"],
    ["end", byAlice({ method: "DELETE", query }), "403 InvalidAccessKeyId"],
  ]);
  await setAlice("enabled");
  assert.equal((await send(byAlice({ method: "POST", query, body }))).status, 200);
  assert.equal((await send({ path: "/b-1/f" })).body.toString(), "hello");
});

test("nobody gets anything but health", async () => {
  const bucket = [
    "",
    "location=",
    "versions=",
    "uploads=",
    "replication=",
    "policy=",
    "tagging=",
    "list-type=2",
    "replication-metrics=2",
  ];
  const denied: [string, string, string?][] = [
    ...bucket.map((query): [string, string, string] => ["GET", "/b-1", query]),
    ["GET", "/"],
  ];
  denied.push(
    ["PUT", "/b-9"],
    ["PUT", "/b-1", "versioning="],
    ["PUT", "/b-1", "replication="],
    ["DELETE", "/b-1"],
    ["PUT", "/b-1", "policy="],
  );
  denied.push(
    ["GET", "/b-1/k"],
    ["HEAD", "/b-1/k"],
    ["PUT", "/b-1/k"],
    ["DELETE", "/b-1/k"],
    ["GET", "/b-1/none"],
    ["POST", "/b-1/k", "uploads="],
  );
  denied.push(
    ["GET", "/b-1/k", "tagging="],
    ["GET", "/b-1/k", "attributes="],
    ["PUT", "/b-1/k", "partNumber=1&uploadId=x"],
  );
  denied.push(
    ["GET", "/minio/admin/v3/info"],
    ["GET", "/minio/admin/v3/list-users"],
    ["GET", "/minio/v2/metrics/cluster"],
  );
  denied.push(["PUT", "/minio/admin/v3/add-user", "accessKey=x"]);
  for (const [method, path, query] of denied) {
    const { status } = await send({
      method,
      path,
      query,
      credentials: null,
      contentLength: method === "PUT" ? 0 : null,
    });
    assert.equal(status, 403, `${method} ${path}?${query ?? ""}`);
  }
  assert.equal((await send({ path: "/minio/health/live", credentials: null })).status, 200);
});

test("sealed bodies of each algorithm: cut, changed, sealed by another, not JSON", async () => {
  const code = async (body: Buffer): Promise<string> => {
    const answer = await send({ method: "PUT", path: "/minio/admin/v3/add-user", query: "accessKey=bob", body });
    return `${answer.status} ${(JSON.parse(answer.body.toString()) as { Code: string }).Code}`;
  };
  const bad = "400 XMinioAdminConfigBadJSON";
  for (const algorithm of Object.values(ADMIN_ALGORITHMS)) {
    const seal = (text: string, secret = ROOT_SECRET): Promise<Buffer> =>
      sealAdminBody(secret, Buffer.from(text), { algorithm });
    const good = await seal('{"secretKey":"12345678"}');
    const changed = Buffer.from(good.map((byte, i) => (i === 50 ? byte ^ 1 : byte)));
    for (const body of [
      good.subarray(0, 41),
      good.subarray(0, -1),
      changed,
      await seal("{}", "other"),
      await seal("[[["),
    ]) {
      assert.equal(await code(body), bad);
    }
    assert.equal(await code(await seal('{"__proto__":{"secretKey":"12345678"}}')), "400 XMinioAdminInvalidSecretKey");
  }
  assert.equal(await code(Buffer.alloc(300, 7)), bad);
  assert.equal(await code(Buffer.alloc(300_000, 2)), "400 XMinioAdminConfigTooLarge");
});
