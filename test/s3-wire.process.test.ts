/** What clever clients never send: the edges of authentication, framing and limits on the S3 port. */
import assert from "node:assert/strict";
import { connect } from "node:net";
import { createHmac } from "node:crypto";
import { once } from "node:events";
import { after, before, test } from "node:test";
import { crc32 } from "node:zlib";
import { STREAMING_HASHES, type ChunkedMode } from "../src/protocol/aws-chunked.ts";
import { encodeAwsChunked } from "../src/protocol/chunked-testing.ts";
import { presignUrl, signRequest } from "../src/protocol/sigv4-sign.ts";
import { deriveSigningKey, type ChunkSigning } from "../src/protocol/sigv4.ts";
import { amzDate } from "../src/protocol/time.ts";
import { call, startTestPort, TEST_ROOT, type Call, type TestPort } from "../src/s3/testing.ts";

let port: TestPort;
before(async () => {
  port = await startTestPort({ domains: ["s3.test"] });
  await call(port, { method: "PUT", path: "/b-1" });
  await call(port, { method: "PUT", path: "/b-1/k", body: "hello" });
});
after(() => port.close());

const expect = async (request: Call, status: number, code: string): Promise<void> => {
  const answer = await call(port, request);
  assert.deepEqual([answer.status, answer.code], [status, code]);
};
const get: Call = { method: "GET", path: "/b-1/k" };

test("every answer has the common headers, in their spelling", async () => {
  const answer = await call(port, get);
  assert.equal(answer.body, "hello");
  for (const name of [
    "Server",
    "X-Amz-Request-Id",
    "X-Amz-Id-2",
    "Accept-Ranges",
    "ETag",
    "Last-Modified",
    "X-Content-Type-Options",
  ]) {
    assert.ok(answer.rawHeaders.includes(name), name);
  }
  assert.equal(answer.headers["content-type"], "binary/octet-stream");
  const missing = await call(port, { method: "GET", path: "/b-1/none" });
  assert.match(missing.body, /<Key>none<\/Key><BucketName>b-1<\/BucketName><Resource>\/b-1\/none<\/Resource>/);
  assert.ok(missing.body.includes(missing.headers["x-amz-request-id"] as string));
  const head = await call(port, { method: "HEAD", path: "/b-1/none" });
  assert.deepEqual(
    [head.status, head.code, head.headers["x-minio-error-desc"]],
    [404, "NoSuchKey", '"The specified key does not exist."'],
  );
});

test("signatures: wrong secret, unknown key, wrong clock, two schemes, tampering", async () => {
  const { accessKey } = TEST_ROOT;
  await expect({ ...get, credentials: { accessKey, secretKey: "x" } }, 403, "SignatureDoesNotMatch");
  await expect({ ...get, credentials: { accessKey: "nobody", secretKey: "x" } }, 403, "InvalidAccessKeyId");
  await expect({ ...get, nowMs: Date.now() - 16 * 60_000 }, 403, "RequestTimeTooSkewed");
  await expect({ ...get, query: "X-Amz-Credential=x" }, 400, "InvalidRequest");
  await expect({ ...get, credentials: null }, 403, "AccessDenied");
  await expect(
    { method: "PUT", path: "/b-1/t", body: "x", payloadHash: "0".repeat(64) },
    400,
    "XAmzContentSHA256Mismatch",
  );
  await expect({ method: "GET", path: "/b-1/t" }, 404, "NoSuchKey");
  await expect({ ...get, credentials: null, unsigned: { authorization: "Basic YTpi" } }, 400, "InvalidRequest");
});

test("presigned URLs work, expire, and are checked whatever the body claims", async () => {
  const make = (more: Partial<Parameters<typeof presignUrl>[0]>): string =>
    presignUrl({
      ...TEST_ROOT,
      region: "",
      method: "GET",
      origin: port.endpoint,
      path: "/b-1/k",
      expiresSeconds: 60,
      nowMs: Date.now(),
      ...more,
    });
  assert.equal(await (await fetch(make({}))).text(), "hello");
  assert.equal((await fetch(make({ nowMs: Date.now() - 61_000 }))).status, 403);
  const hashed = await fetch(make({ method: "PUT" }), { method: "PUT", headers: { "x-amz-content-sha256": "none" } });
  assert.equal(hashed.status, 400);
  assert.match(await hashed.text(), /<Code>XAmzContentSHA256Mismatch</);
  const forged = new URL(make({ method: "PUT", path: "/b-1/forged" }));
  forged.searchParams.set("X-Amz-Signature", "0".repeat(64));
  // MinIO once let this through: an unsigned-trailer hash beside a presigned query whose signature nobody checked.
  const answer = await call(port, {
    method: "PUT",
    path: forged.pathname,
    query: forged.search.slice(1),
    credentials: null,
    payloadHash: STREAMING_HASHES["unsigned-trailer"],
    headers: { "x-amz-decoded-content-length": "1" },
    body: "1\r\nx\r\n0\r\n\r\n",
  });
  assert.deepEqual([answer.status, answer.code], [403, "SignatureDoesNotMatch"]);
});

test("version 2 signatures: header and presigned, in the path and in the host, refused when wrong, late or extended", async () => {
  const { accessKey, secretKey } = TEST_ROOT;
  const sign = (text: string): string => createHmac("sha1", secretKey).update(text).digest("base64");
  const date = new Date().toUTCString();
  const header = (text: string): Call => ({
    ...get,
    credentials: null,
    unsigned: { date, authorization: `AWS ${accessKey}:${sign(text)}` },
  });
  await expect(header(`GET\n\n\n${date}\n/b-1/k`), 200, "");
  await expect(header(`PUT\n\n\n${date}\n/b-1/k`), 403, "SignatureDoesNotMatch");
  const inHost = header(`GET\n\n\n${date}\n/b-1/k`);
  await expect({ ...inHost, path: "/k", headers: { host: "b-1.s3.test" } }, 200, "");
  await expect({ ...header(`GET\n\n\n${date}\n/b-1/k`), query: "lambdaArn=x" }, 400, "InvalidRequest");
  await expect(
    { ...get, credentials: null, unsigned: { date, authorization: "AWS nobody:eA==" } },
    403,
    "InvalidAccessKeyId",
  );
  const presigned = (expires: number, more = ""): Call => {
    const signature = encodeURIComponent(sign(`GET\n\n\n${expires}\n/b-1/k`));
    return {
      ...get,
      credentials: null,
      query: `AWSAccessKeyId=${accessKey}&Expires=${expires}&Signature=${signature}${more}`,
    };
  };
  const soon = Math.floor(Date.now() / 1000) + 60;
  await expect(presigned(soon), 200, "");
  await expect(presigned(soon - 120), 403, "AccessDenied");
  await expect(presigned(soon, "&acl"), 403, "SignatureDoesNotMatch");
  await expect(presigned(soon, "&X-Amz-Credential=x"), 400, "AuthorizationQueryParametersError");
  assert.ok(port.records.some(({ url }) => url.includes("Signature=***")));
  assert.ok(port.records.every(({ url }) => !/[?&]Signature=[^*]/.test(url)));
});

test("streaming signatures: each form stores its data, a broken chunk stores nothing", async () => {
  const data = Buffer.alloc(200_000, "0123456789");
  for (const mode of ["signed", "signed-trailer", "unsigned-trailer"] as const) {
    const answer = await putStreaming(mode, `/b-1/s-${mode}`, data);
    assert.equal(answer.status, 200, answer.body);
    assert.equal((await call(port, { method: "GET", path: `/b-1/s-${mode}` })).body, data.toString());
  }
  const broken = await putStreaming("signed", "/b-1/broken", data, (body) => body.fill("x", 100_000, 100_001));
  assert.deepEqual([broken.status, broken.code], [403, "SignatureDoesNotMatch"]);
  await expect({ method: "GET", path: "/b-1/broken" }, 404, "NoSuchKey");
  await expect(
    { method: "PUT", path: "/b-1", query: "tagging=", payloadHash: STREAMING_HASHES.signed },
    400,
    "InvalidRequest",
  );
});

function putStreaming(mode: ChunkedMode, path: string, data: Buffer, tamper?: (body: Buffer) => void) {
  const nowMs = Date.now();
  const checksum = mode === "signed" ? {} : { "x-amz-trailer": "x-amz-checksum-crc32" };
  const headers = { host: `127.0.0.1:${port.port}`, "x-amz-decoded-content-length": String(data.length), ...checksum };
  const payloadHash = STREAMING_HASHES[mode];
  const signed = signPut(path, headers, payloadHash, nowMs);
  const signing = chunkSigningOf(signed, nowMs);
  const chunks = [data.subarray(0, 65536), data.subarray(65536, 131072), data.subarray(131072)];
  const trailers = mode === "signed" ? undefined : { "x-amz-checksum-crc32": crcOf(data) };
  const body = encodeAwsChunked(chunks, { mode, signing, trailers });
  tamper?.(body);
  return call(port, {
    method: "PUT",
    path,
    headers: {},
    credentials: null,
    body,
    unsigned: { ...signed, "content-length": String(body.length) },
  });
}

test("lengths: none is 411, an empty chunked transfer with a decoded length is an object", async () => {
  await expect(
    { method: "PUT", path: "/b-1/n", unsigned: { "transfer-encoding": "chunked" }, payloadHash: "UNSIGNED-PAYLOAD" },
    411,
    "MissingContentLength",
  );
  const nowMs = Date.now();
  const headers = { host: `127.0.0.1:${port.port}`, "x-amz-decoded-content-length": "0" };
  const payloadHash = STREAMING_HASHES.signed;
  const signed = signPut("/b-1/dir/", headers, payloadHash, nowMs);
  const signing = chunkSigningOf(signed, nowMs);
  const body = encodeAwsChunked([], { mode: "signed", signing });
  const answer = await call(port, {
    method: "PUT",
    path: "/b-1/dir/",
    credentials: null,
    body,
    unsigned: { ...signed, "transfer-encoding": "chunked" },
  });
  assert.deepEqual([answer.status, answer.headers["etag"]], [200, '"d41d8cd98f00b204e9800998ecf8427e"']);
});

test("a body that ends early stores nothing", async () => {
  const path = "/b-1/short";
  const headers = { host: `127.0.0.1:${port.port}` };
  const signed = signPut(path, headers, "UNSIGNED-PAYLOAD");
  const socket = connect(port.port, "127.0.0.1");
  const lines = Object.entries({ ...signed, "content-length": "300000" }).map(
    ([name, value]) => `${name}: ${value}\r\n`,
  );
  socket.write(`PUT ${path} HTTP/1.1\r\n${lines.join("")}\r\n${"x".repeat(1000)}`);
  const seen = port.records.length;
  await once(socket, "connect");
  socket.end();
  socket.resume();
  await once(socket, "close");
  while (port.records.length === seen) await new Promise((resolve) => setImmediate(resolve));
  assert.equal(port.records.at(-1)?.errorCode, "IncompleteBody");
  await expect({ method: "GET", path }, 404, "NoSuchKey");
});

test("Expect: 100-continue is only granted to those who may write", async () => {
  const path = "/b-1/expect";
  const socket = connect(port.port, "127.0.0.1");
  socket.write(
    `PUT ${path} HTTP/1.1\r\nhost: 127.0.0.1:${port.port}\r\ncontent-length: 5\r\nexpect: 100-continue\r\n\r\n`,
  );
  const [answer] = (await once(socket, "data")) as [Buffer];
  assert.match(answer.toString(), /^HTTP\/1.1 403 /);
  socket.destroy();
  const headers = { host: `127.0.0.1:${port.port}`, expect: "100-continue", "content-length": "5" };
  const signed = signPut(path, headers, "UNSIGNED-PAYLOAD");
  const allowed = connect(port.port, "127.0.0.1");
  allowed.write(
    `PUT ${path} HTTP/1.1\r\n${Object.entries(signed)
      .map(([name, value]) => `${name}: ${value}\r\n`)
      .join("")}\r\n`,
  );
  const [interim] = (await once(allowed, "data")) as [Buffer];
  assert.match(interim.toString(), /^HTTP\/1.1 100 Continue\r\n\r\n$/);
  allowed.write("hello");
  const [final] = (await once(allowed, "data")) as [Buffer];
  assert.match(final.toString(), /^HTTP\/1.1 200 OK/);
  allowed.destroy();
});

test("limits and malformed requests are 400s", async () => {
  await expect({ ...get, headers: { "x-amz-meta-a": "x".repeat(2100) } }, 400, "MetadataTooLarge");
  await expect({ ...get, headers: { "x-other": "x".repeat(8200) } }, 400, "MetadataTooLarge");
  await expect({ ...get, headers: { "x-minio-internal-a": "x" } }, 400, "InvalidArgument");
  await expect({ method: "GET", path: `/b-1/${"a".repeat(1025)}` }, 400, "KeyTooLongError");
  for (const path of ["/b-1/../x", "/b-1/a/%2e%2e/b", "/b-1/./a"])
    await expect({ method: "GET", path }, 400, "XMinioInvalidResourceName");
  await expect({ method: "GET", path: "/b-1/%ff" }, 400, "XMinioInvalidObjectName");
  await expect({ method: "GET", path: "/b-1/%00" }, 400, "XMinioInvalidObjectName");
  await expect({ method: "GET", path: "/b-1/%zz" }, 400, "InvalidArgument");
  await expect({ method: "GET", path: "/B_1/k" }, 400, "InvalidBucketName");
  await expect({ method: "POST", path: "/b-1/k" }, 400, "BadRequest");
  await expect({ method: "GET", path: "/b-1", query: "max-keys=-1" }, 400, "InvalidArgument");
});

test("the raw path is the key: empty segments, encoded slashes, a leading slash", async () => {
  for (const path of ["/b-1//x", "/b-1/a//b", "/b-1/a%2Fc", "/b-1/%C3%A9%20+%25"]) {
    assert.equal((await call(port, { method: "PUT", path, body: path })).status, 200);
    assert.equal((await call(port, { method: "GET", path })).body, path);
  }
  assert.equal((await call(port, { method: "GET", path: "/b-1/a/c" })).body, "/b-1/a%2Fc");
});

test("virtual hosts name the bucket", async () => {
  const answer = await call(port, { method: "GET", path: "/k", headers: { host: "b-1.s3.test" } });
  assert.equal(answer.body, "hello");
});

function signPut(
  path: string,
  headers: Record<string, string>,
  payloadHash: string,
  nowMs = Date.now(),
): Record<string, string> {
  return signRequest({
    ...TEST_ROOT,
    region: "us-east-1",
    method: "PUT",
    path,
    query: "",
    headers,
    payloadHash,
    nowMs,
  });
}

function chunkSigningOf(signed: Record<string, string>, nowMs: number): ChunkSigning {
  const scope = { date: amzDate(nowMs).slice(0, 8), region: "us-east-1", service: "s3" };
  return {
    key: deriveSigningKey(TEST_ROOT.secretKey, scope),
    seedSignature: /Signature=(\w+)/.exec(signed["authorization"] ?? "")?.[1] ?? "",
    scope: `${scope.date}/us-east-1/s3/aws4_request`,
    amzDate: amzDate(nowMs),
  };
}

function crcOf(data: Buffer): string {
  const out = Buffer.alloc(4);
  out.writeUInt32BE(crc32(data));
  return out.toString("base64");
}
