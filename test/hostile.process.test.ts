/** What an attacker sends to one server, and what it must answer: framing, headers, names, documents. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { encodeQueryValue } from "../src/protocol/uri.ts";
import { parseXml } from "../src/protocol/xml.ts";
import { cleanUp, startServer, type RunningServer } from "./support/server.ts";
import { bytesOf, exchange, head, Wire, type WireAnswer, type WireRequest } from "./support/wire.ts";
import { expectAll as expectEach, put, type Case } from "./support/wire-cases.ts";

let server: RunningServer;
before(async () => {
  server = await startServer({ workers: 2 });
  for (const bucket of ["b-1", "names"]) assert.equal((await send({ method: "PUT", path: `/${bucket}` })).status, 200);
  await send({ method: "PUT", path: "/b-1/k", body: "hello" });
});
after(async () => {
  assert.equal(await server.stop(), 0);
  await cleanUp();
  // Nothing of this is a fault of the server's: it must not have logged one.
  assert.doesNotMatch(server.log(), /InternalError|TypeError|RangeError|assert/i);
});

const send = (request: WireRequest | Buffer): Promise<WireAnswer> => exchange(server.port, request);
const expectAll = (cases: readonly Case[]): Promise<void> => expectEach(server.port, cases);
const get: WireRequest = { path: "/b-1/k" };

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
