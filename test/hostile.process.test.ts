/** What an attacker sends to one server, and what it must answer: signatures, framing, headers, names, documents, rights. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { AdminClient } from "../src/client/admin-client.ts";
import { ADMIN_ALGORITHMS, sealAdminBody } from "../src/protocol/admin-crypto.ts";
import { presignUrl } from "../src/protocol/sigv4-sign.ts";
import { encodeQueryValue } from "../src/protocol/uri.ts";
import { parseXml } from "../src/protocol/xml.ts";
import { cleanUp, ROOT_SECRET, ROOT_USER, startServer, type RunningServer } from "./support/server.ts";
import { bytesOf, exchange, head, ROOT, Wire, type WireAnswer, type WireRequest } from "./support/wire.ts";

const MINUTE = 60_000;
const VERSION = "6f9619ff-8b86-4011-b42d-00cf4fc964ff";
const PEER = { "x-minio-source-replication-request": "true" };
let server: RunningServer;
let admin: AdminClient;

before(async () => {
  server = await startServer({ workers: 2 });
  admin = new AdminClient({ url: server.url, accessKey: ROOT_USER, secretKey: ROOT_SECRET });
  for (const bucket of ["b-1", "names"]) assert.equal((await send({ method: "PUT", path: `/${bucket}` })).status, 200);
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

type Case = readonly [name: string, request: WireRequest | Buffer, expected: string];

/** Sends one after another and compares `status code` of all at once. */
async function expectAll(cases: readonly Case[]): Promise<void> {
  const found: string[] = [];
  for (const [name, request] of cases) {
    const answer = await send(request);
    found.push(`${name}: ${answer.status} ${answer.code}`.trim());
  }
  assert.deepEqual(
    found,
    cases.map(([name, , expected]) => `${name}: ${expected}`),
  );
}

const get: WireRequest = { path: "/b-1/k" };
const put = (path: string, more: Partial<WireRequest> = {}): WireRequest => ({
  method: "PUT",
  path,
  body: "x",
  ...more,
});
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

test("headers: limits, repetition, injection, bytes that are not ASCII", async () => {
  const many = (count: number): Record<string, string> =>
    Object.fromEntries(Array.from({ length: count }, (_, i) => [`x-h-${i}`, "1"]));
  const exotic = { "x-amz-meta-a": Buffer.from("é😀").toString("latin1"), "x-amz-meta-__proto__": "p" };
  await expectAll([
    ["200 headers", put("/b-1/h", { headers: many(200) }), "200"],
    ["just below 8 KiB", put("/b-1/h", { headers: { "x-a": "a".repeat(7500) } }), "200"],
    ["above 8 KiB", put("/b-1/h", { headers: { "x-a": "a".repeat(8192) } }), "400 MetadataTooLarge"],
    ["above what the parser takes", put("/b-1/h", { headers: { "x-a": "a".repeat(100_000) } }), "400 MetadataTooLarge"],
    ["5000 headers", put("/b-1/h", { lines: Array.from({ length: 5000 }, () => "a:") }), "400 MetadataTooLarge"],
    ["2 KiB of metadata", put("/b-1/h", { headers: { "x-amz-meta-a": "a".repeat(2048 - 12) } }), "200"],
    ["more than 2 KiB", put("/b-1/h", { headers: { "x-amz-meta-a": "a".repeat(2049 - 12) } }), "400 MetadataTooLarge"],
    ["internal name", put("/b-1/h", { headers: { "x-minio-internal-actual-size": "1" } }), "400 InvalidArgument"],
    ["CR in a value", put("/b-1/h", { lines: ["x-amz-meta-a: b\rx: y"] }), "400 BadRequest"],
    ["LF in a value", put("/b-1/h", { lines: ["x-amz-meta-a: b\nx: y"] }), "400 BadRequest"],
    ["NUL in a value", put("/b-1/h", { lines: ["x-amz-meta-a: b\0"] }), "400 BadRequest"],
    ["blank before the colon", put("/b-1/h", { lines: ["x-amz-meta-a : b"] }), "400 BadRequest"],
    ["folded line", put("/b-1/h", { lines: ["x-amz-meta-a: b", " c"] }), "400 BadRequest"],
    ["two dates", put("/b-1/h", { lines: ["x-amz-date: 20200101T000000Z"] }), "400 MalformedDate"],
    ["UTF-8", put("/b-1/h", { headers: exotic }), "200"],
  ]);
  const stored = (await send({ method: "HEAD", path: "/b-1/h" })).headers;
  assert.equal(stored["x-amz-meta-a"], `=?UTF-8?B?${Buffer.from("é😀").toString("base64")}?=`);
  assert.equal(stored["x-amz-meta-__proto__"], "p");
  const injected = await send({ ...get, query: "response-content-type=a%0d%0aX-Evil%3a1" });
  assert.deepEqual([injected.status, injected.headers["x-evil"]], [200, undefined]);
});

test("framing: what two parsers could read in two ways is refused, and bodies are as long as they said", async () => {
  const raw = (lines: readonly string[], body: string): Buffer => {
    const start = head(server.port, { method: "PUT", path: "/b-1/s", payloadHash: "UNSIGNED-PAYLOAD", lines });
    return Buffer.concat([start, Buffer.from(body)]);
  };
  const chunked = ["transfer-encoding: chunked", "x-amz-decoded-content-length: 5"];
  const good = "5\r\nhello\r\n0\r\n\r\n";
  const smuggled: [string, readonly string[], string][] = [
    ["length and chunks", ["content-length: 5", "transfer-encoding: chunked"], good],
    ["two lengths", ["content-length: 5", "content-length: 6"], "hello!"],
    ["list of lengths", ["content-length: 5, 5"], "hello"],
    ["signed length", ["content-length: +5"], "hello"],
    ["length beyond 64 bits", ["content-length: 18446744073709551621"], "hello"],
    ["chunks inside", ["transfer-encoding: chunked, gzip"], good],
    ["odd coding", ["transfer-encoding: \u000bchunked"], good],
    ["LF for CRLF", chunked, good.replaceAll("\r", "")],
    ["chunk size no number", chunked, "zz\r\nhello\r\n0\r\n\r\n"],
    ["chunk size beyond 64 bits", chunked, "10000000000000005\r\nhello\r\n0\r\n\r\n"],
    ["huge chunk extension", chunked, `5;a=${"b".repeat(20_000)}\r\nhello\r\n0\r\n\r\n`],
  ];
  const lines = (text: string): Buffer => Buffer.from(text.replaceAll("\n", "\r\n"), "latin1");
  await expectAll([
    ...smuggled.map(([name, head, body]): Case => [name, raw(head, body), "400 BadRequest"]),
    ["shorter than said", raw(chunked, "4\r\nhell\r\n0\r\n\r\n"), "400 IncompleteBody"],
    ["longer than said", raw(chunked, "6\r\nhello!\r\n0\r\n\r\n"), "400 ExcessData"],
    ["no length", raw([], ""), "411 MissingContentLength"],
    ["more than 5 TiB", raw(["content-length: 6597069766656"], ""), "400 EntityTooLarge"],
    ["not stored", { path: "/b-1/s" }, "404 NoSuchKey"],
    ["chunk extension", raw(chunked, "5;a=b\r\nhello\r\n0\r\n\r\n"), "200"],
    ["bare LF", Buffer.from("GET /b-1/k HTTP/1.1\nhost: a\n\n"), "400 BadRequest"],
    ["no host", lines("GET /b-1/k HTTP/1.1\n\n"), "400"],
    ["odd host", lines("GET /b-1/k HTTP/1.1\nhost: a/b\n\n"), "400 InvalidRequest"],
    ["unknown method", lines("FOO / HTTP/1.1\nhost: a\n\n"), "400 BadRequest"],
    ["method without a route", lines("PATCH /b-1/k HTTP/1.1\nhost: a\n\n"), "400 BadRequest"],
    ["TLS", Buffer.from("16030100a5010000a10303", "hex"), "400 BadRequest"],
    ["proxy form", lines("GET http://elsewhere/b-1/k HTTP/1.1\nhost: a\n\n"), "403 AccessDenied"],
    [
      "very long target",
      lines(`GET /b-1/${"a".repeat(40_000)} HTTP/1.1\nhost: a\n\n`),
      "400 XMinioInvalidResourceName",
    ],
  ]);
});

async function beginUpload(path: string): Promise<string> {
  const answer = await send({ method: "POST", path, query: "uploads=" });
  return `uploadId=${parseXml(answer.body).value("UploadId")}`;
}

const badDocuments = (root: string): (string | Buffer)[] => [
  "",
  "garbage",
  `<${root}>`,
  `<${root}/><${root}/>`,
  "<Other/>",
  `<!DOCTYPE l [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;">]><${root}>&b;</${root}>`,
  `<!DOCTYPE l SYSTEM "file:///etc/passwd"><${root}/>`,
  `<${root}>${"<a>".repeat(50_000)}${"</a>".repeat(50_000)}</${root}>`,
  Buffer.from([0x3c, 0x61, 0x3e, 0xff, 0x3c, 0x2f, 0x61, 0x3e]),
  `<${root}>\0</${root}>`,
  `<${root}>${"<a/>".repeat(200_000)}</${root}>`,
];

test("documents: malformed, huge, deep and explosive XML changes nothing", async () => {
  const operations: [string, string, string, string][] = [
    ["PUT", "/b-1", "versioning=", "VersioningConfiguration"],
    ["PUT", "/b-1", "tagging=", "Tagging"],
    ["PUT", "/b-1/k", "tagging=", "Tagging"],
    ["POST", "/b-1", "delete=", "Delete"],
    ["POST", "/b-1/mp", await beginUpload("/b-1/mp"), "CompleteMultipartUpload"],
  ];
  for (const [method, path, query, root] of operations) {
    const answers = await Promise.all(badDocuments(root).map((body) => send({ method, path, query, body })));
    assert.deepEqual(
      new Set(answers.map((answer) => `${answer.status} ${answer.code}`)),
      new Set(["400 MalformedXML"]),
      root,
    );
  }
});

test("DeleteObjects and CompleteMultipartUpload at their limits", async () => {
  const upload = await beginUpload("/b-1/mp");
  const keys = (count: number, key: (i: number) => string): WireRequest => {
    const body = `<Delete>${Array.from({ length: count }, (_, i) => `<Object><Key>${key(i)}</Key></Object>`).join("")}</Delete>`;
    return { method: "POST", path: "/b-1", query: "delete=", body };
  };
  const part = (number: number): string =>
    `<Part><PartNumber>${number}</PartNumber><ETag>"5d41402abc4b2a76b9719d911017c592"</ETag></Part>`;
  const complete = (numbers: readonly number[]): WireRequest => {
    const body = `<CompleteMultipartUpload>${numbers.map(part).join("")}</CompleteMultipartUpload>`;
    return { method: "POST", path: "/b-1/mp", query: upload, body };
  };
  for (const number of [1, 2]) await send(put("/b-1/mp", { query: `partNumber=${number}&${upload}`, body: "hello" }));
  await expectAll([
    ["1000 keys", keys(1000, (i) => `d${i}`), "200"],
    ["1001 keys", keys(1001, (i) => `d${i}`), "400 MalformedXML"],
    [
      "1000 long keys, every letter escaped",
      keys(1000, (i) => "&#x26;".repeat(1020) + String(i).padStart(4, "0")),
      "200",
    ],
    [
      "nobody",
      { ...keys(1, () => "k"), credentials: null, headers: { "content-md5": "1B2M2Y8AsgTpgAmY7PhCfg==" } },
      "403 AccessDenied",
    ],
    ["parts too small", complete([1, 2]), "400 EntityTooSmall"],
    ["parts out of order", complete([2, 1]), "400 InvalidPartOrder"],
    ["a part that is not there", complete([3]), "400 InvalidPart"],
    [
      "10,000 parts of which two are there",
      complete(Array.from({ length: 10_000 }, (_, i) => i + 1)),
      "400 EntityTooSmall",
    ],
    ["upload of another key", { ...complete([1]), path: "/b-1/k" }, "404 NoSuchUpload"],
    ["upload id as a path", { ...complete([1]), query: "uploadId=../../x" }, "404 NoSuchUpload"],
    ["still here", get, "200"],
    ["complete", complete([1]), "200"],
    ["its answer was lost", complete([1]), "200"],
  ]);
});

test("names: tricks with paths find nothing, every other key comes back as it was", async () => {
  const name = "400 XMinioInvalidObjectName";
  const resource = "400 XMinioInvalidResourceName";
  const invalid = "400 InvalidArgument";
  const dots = ["..", "a/../b", "%2e%2e/%2e%2e/etc", "a%2f..", ".", "a/."];
  const notText = ["a%00b", "%ff", "%c0%af", "%c0%ae%c0%ae/x", "%ed%a0%80", "%f4%90%80%80", "%e2%82"];
  await expectAll([
    ...dots.map((path): Case => [path, put(`/names/${path}`), resource]),
    ...notText.map((path): Case => [path, put(`/names/${path}`), name]),
    ["broken escape", put("/names/%zz"), invalid],
    ["escape cut off", put("/names/a%2"), invalid],
    ["1025 bytes", put(`/names/${"k".repeat(1025)}`), "400 KeyTooLongError"],
    ["parent of a bucket", { path: "/names/../b-1/k" }, resource],
    ["before a bucket", { path: "/../b-1/k" }, "400 InvalidBucketName"],
    ["reserved", { path: "/minio/../b-1/k" }, "403 AllAccessDisabled"],
    ["copy from a parent", put("/names/c", { headers: { "x-amz-copy-source": "names/../b-1/k" } }), resource],
    ["version id of zeros", { ...get, query: "versionId=00000000-0000-0000-0000-000000000000" }, invalid],
    ["version id as a path", { ...get, query: "versionId=../x" }, invalid],
    ["NUL in a prefix", { path: "/names", query: "prefix=a%00" }, invalid],
    ["page of no buckets", { path: "/", query: "max-buckets=-1" }, invalid],
  ]);
  const keys = ["k".repeat(1024), "a", "a/", "a/b", "a//b", "/", "...", "..a", "\\..\\x", "e\u0301", "é"];
  keys.push("\u{1f600}", "\ufeffx", "\ufffe", "\uffff", "\uffffx", "\u0085", "\u{10ffff}");
  for (let code = 1; code < 128; code++) keys.push(`ascii/x${String.fromCharCode(code)}y`);
  for (const key of keys)
    assert.equal((await send(put(`/names/${encodeQueryValue(key)}`, { body: key }))).status, 200, JSON.stringify(key));
  const sorted = keys.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  for (const key of sorted)
    assert.equal((await send({ path: `/names/${encodeQueryValue(key)}` })).body.toString(), key);
  assert.deepEqual(await listed("&encoding-type=url"), sorted);
  // XML has no way to write the last two characters of the first plane; a listing must end all the same.
  assert.deepEqual(
    await listed(""),
    sorted.map((key) => key.replaceAll(/[\ufffe\uffff]/g, "\ufffd")),
  );
});

async function listed(query: string): Promise<string[]> {
  const out: string[] = [];
  const plain = (text: string): string => (query === "" ? text : decodeURIComponent(text));
  for (let marker = ""; out.length < 1000;) {
    const page = await send({ path: "/names", query: `max-keys=3&marker=${encodeQueryValue(marker)}${query}` });
    assert.equal(page.status, 200);
    const root = parseXml(page.body);
    for (const entry of root.all("Contents")) out.push(plain(entry.value("Key") ?? ""));
    if (root.value("IsTruncated") !== "true") break;
    marker = plain(root.value("NextMarker") ?? "");
  }
  return out;
}

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

test("requests sent without waiting for answers take effect in their order", async () => {
  const wire = new Wire(server.port);
  const requests = [
    put("/b-1/o", { body: "one" }),
    { path: "/b-1/o" },
    { method: "DELETE", path: "/b-1/o" },
    { path: "/b-1/o" },
    get,
  ];
  wire.write(Buffer.concat(requests.map((request) => bytesOf(server.port, request))));
  const found: string[] = [];
  for (const _request of requests) {
    const answer = await wire.answer();
    found.push(`${answer.status} ${answer.code || answer.body.toString()}`.trim());
  }
  assert.deepEqual(found, ["200", "200 one", "204", "404 NoSuchKey", "200 hello"]);
  wire.close();
});
