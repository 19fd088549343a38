/** Presigned URLs as SDKs make them: headers in their query, both signatures. */
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { after, before, test } from "node:test";
import { presignUrl } from "../protocol/sigv4-sign.ts";
import { call, startTestPort, TEST_ROOT, type TestPort } from "./testing.ts";

let port: TestPort;
before(async () => {
  port = await startTestPort();
  await call(port, { method: "PUT", path: "/url" });
  await call(port, { method: "PUT", path: "/url/source", body: "secret" });
});
after(() => port.close());

interface Presigned {
  readonly method: string;
  readonly path: string;
  readonly query?: Record<string, string>;
  readonly sent?: Record<string, string>;
  readonly headers?: Record<string, string>;
}

function send(url: string, method: string, headers: Record<string, string>): Promise<Response> {
  return fetch(url, { method, headers, ...(method === "PUT" && { body: Buffer.from("body") }) });
}

/** Version 4; `headers` are signed, `sent` are sent. */
function presigned4({ method, path, query = {}, headers = {}, sent = headers }: Presigned): Promise<Response> {
  const where = { origin: port.endpoint, path, method, query, headers };
  const url = presignUrl({ ...TEST_ROOT, ...where, region: "us-east-1", expiresSeconds: 60, nowMs: Date.now() });
  return send(url, method, sent);
}

/** Version 2 as botocore makes it: every signed header stands in the query too. */
function presigned2({ method, path, headers = {}, sent = headers }: Presigned, signedPath = path): Promise<Response> {
  const expires = String(Math.floor(Date.now() / 1000) + 60);
  const amz = Object.keys(headers).filter((name) => name.startsWith("x-amz-"));
  const lines = amz.toSorted().map((name) => `${name}:${headers[name]}\n`);
  const plain = [method, headers["content-md5"] ?? "", headers["content-type"] ?? "", expires].join("\n");
  const text = `${plain}\n${lines.join("")}${signedPath}`;
  const Signature = createHmac("sha1", TEST_ROOT.secretKey).update(text).digest("base64");
  const query = new URLSearchParams({ ...headers, AWSAccessKeyId: TEST_ROOT.accessKey, Expires: expires, Signature });
  return send(`${port.endpoint}${path}?${query.toString()}`, method, sent);
}

const code = async (answer: Promise<Response>): Promise<unknown[]> => {
  const { status } = await answer;
  return [status, /<Code>(.*?)</.exec(await (await answer).text())?.[1]];
};

async function head(key: string): Promise<Readonly<Record<string, string>>> {
  const answer = await call(port, { method: "HEAD", path: `/url/${key}` });
  assert.equal(answer.status, 200);
  return answer.headers;
}

test("version 4: what stands in the query counts as sent, in any case, and is bound by the signature", async () => {
  const query = {
    "X-Amz-Meta-Colour": "grün",
    "x-amz-tagging": "a=1&b=2",
    "x-amz-storage-class": "REDUCED_REDUNDANCY",
  };
  const stored = await presigned4({ method: "PUT", path: "/url/four", query });
  assert.equal(stored.status, 200, await stored.text());
  const seen = await head("four");
  assert.equal(seen["x-amz-meta-colour"], "=?UTF-8?B?Z3LDvG4=?=");
  assert.deepEqual([seen["x-amz-tagging-count"], seen["x-amz-storage-class"]], ["2", "REDUCED_REDUNDANCY"]);
  const copied = await presigned4({ method: "PUT", path: "/url/copy", query: { "x-amz-copy-source": "/url/source" } });
  assert.match(await copied.text(), /CopyObjectResult/);
  const bad = { "x-amz-storage-class": "NONE" };
  assert.deepEqual(await code(presigned4({ method: "PUT", path: "/url/x", query: bad })), [400, "InvalidStorageClass"]);
  const owner = { "x-amz-expected-bucket-owner": "somebody" };
  assert.deepEqual(await code(presigned4({ method: "GET", path: "/url/source", query: owner })), [403, "AccessDenied"]);
  // Added to the URL by whoever holds it.
  const url = presignUrl({
    ...TEST_ROOT,
    region: "us-east-1",
    method: "PUT",
    origin: port.endpoint,
    path: "/url/x",
    expiresSeconds: 60,
    nowMs: Date.now(),
  });
  assert.deepEqual(await code(send(`${url}&x-amz-copy-source=%2Furl%2Fsource`, "PUT", {})), [
    403,
    "SignatureDoesNotMatch",
  ]);
});

test("a checksum that was made with the URL, over no body, is not held against the body", async () => {
  const query = { "x-amz-checksum-crc32": "AAAAAA==", "x-amz-sdk-checksum-algorithm": "CRC32" };
  assert.equal((await presigned4({ method: "PUT", path: "/url/guessed", query })).status, 200);
});

test("metadata whose name could be no header is refused: nobody could read the object", async () => {
  for (const name of ["x-amz-meta-a b", "x-amz-meta-ü", "x-amz-meta-a\r\nb"]) {
    const stored = presigned4({ method: "PUT", path: "/url/named", query: { [name]: "1" } });
    assert.deepEqual(await code(stored), [400, "InvalidArgument"]);
  }
  assert.equal(
    (await presigned4({ method: "PUT", path: "/url/named", query: { "x-amz-meta-a.b!": "1" } })).status,
    200,
  );
  assert.equal((await head("named"))["x-amz-meta-a.b!"], "1");
});

test("in the query of a request that is signed in its headers they mean nothing", async () => {
  const query = "x-amz-meta-a=1";
  assert.equal((await call(port, { method: "PUT", path: "/url/plain", query })).status, 200);
  assert.equal((await head("plain"))["x-amz-meta-a"], undefined);
});

test("version 2: headers repeated in the query, sent or not; others are refused", async () => {
  const headers = { "content-type": "text/x", "x-amz-meta-a": "1" };
  for (const sent of [headers, {}, { "x-amz-meta-a": "1" }]) {
    const stored = await presigned2({ method: "PUT", path: "/url/two", headers, sent });
    assert.equal(stored.status, 200, await stored.text());
    const seen = await head("two");
    assert.deepEqual([seen["content-type"], seen["x-amz-meta-a"]], ["text/x", "1"]);
    await call(port, { method: "DELETE", path: "/url/two" });
  }
  const changed = { ...headers, "x-amz-meta-a": "2" };
  const other = code(presigned2({ method: "PUT", path: "/url/two", headers, sent: changed }));
  assert.deepEqual(await other, [403, "SignatureDoesNotMatch"]);
});

test("version 2: a bucket in the path may be signed with a slash at its end", async () => {
  assert.equal((await presigned2({ method: "GET", path: "/url" }, "/url/")).status, 200);
  assert.equal((await presigned2({ method: "GET", path: "/url" })).status, 200);
  assert.equal((await presigned2({ method: "GET", path: "/url/source" }, "/url/source/")).status, 403);
});
