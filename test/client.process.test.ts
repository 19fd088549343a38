/** The outgoing clients against a small server that checks every signature with the server's own code. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, test } from "node:test";
import { AdminClient } from "../src/client/admin-client.ts";
import { AdminError, NetworkError, S3ResponseError } from "../src/client/errors.ts";
import * as calls from "../src/client/s3-calls.ts";
import { S3Client } from "../src/client/s3-client.ts";
import { openAdminBody, sealAdminBody } from "../src/protocol/admin-crypto.ts";
import { renderErrorJson, renderErrorXml } from "../src/protocol/error-document.ts";
import { parseAuthorization, verifySignature, type SignedRequest } from "../src/protocol/sigv4.ts";

const SECRET = "minioadmin";
const REGION = "eu-west-1";

interface Seen {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingMessage["headers"];
  readonly body: Buffer;
}

let server: Server;
let url = "";
const seen: Seen[] = [];

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const body = Buffer.concat(chunks);
  const [path = "", query = ""] = (request.url ?? "").split("?");
  const headers = request.headers as Record<string, string | undefined>;
  const signed: SignedRequest = { method: request.method ?? "", path, query, header: (name) => headers[name] };
  const parsed = parseAuthorization(signed);
  const send = (status: number, text = "", more: Record<string, string> = {}): void =>
    void response.writeHead(status, more).end(text);
  if (!verifySignature(signed, parsed, SECRET)) return send(403, renderErrorXml({ code: "SignatureDoesNotMatch" }));
  if (
    /^[0-9a-f]{64}$/.test(parsed.payloadHash) &&
    createHash("sha256").update(body).digest("hex") !== parsed.payloadHash
  ) {
    return send(400, renderErrorXml({ code: "XAmzContentSHA256Mismatch" }));
  }
  if (!path.startsWith("/minio/") && parsed.scope.region !== REGION) {
    return send(400, renderErrorXml({ code: "AuthorizationHeaderMalformed", region: REGION }));
  }
  const one: Seen = {
    method: request.method ?? "",
    path,
    query: new URLSearchParams(query),
    headers: request.headers,
    body,
  };
  seen.push(one);
  if (path.startsWith("/minio/admin/v3/")) return admin(one, send);
  object(one, send);
}

type Send = (status: number, text?: string, headers?: Record<string, string>) => void;

async function admin(request: Seen, send: Send): Promise<void> {
  if (request.path.endsWith("/missing"))
    return send(404, renderErrorJson({ code: "XMinioAdminNoSuchUser", resource: request.path }));
  if (request.path.endsWith("/lines")) return send(200, '{"a":1}\n {"a":2}\n  ');
  const opened = await openAdminBody(SECRET, request.body);
  send(200, (await sealAdminBody(SECRET, opened)).toString("latin1"), { "content-type": "text/plain; charset=latin1" });
}

const md5 = (bytes: Buffer): string => createHash("md5").update(bytes).digest("hex");

function object({ path, body }: Seen, send: Send): void {
  if (path === "/b/missing") {
    return send(404, "", {
      "x-minio-error-code": "NoSuchKey",
      "x-minio-error-desc": '"The specified key does not exist."',
    });
  }
  send(200, body.toString("latin1"), { etag: `"${md5(body)}"` });
}

before(async () => {
  server = createServer((request, response) => {
    answer(request, response).catch((error: unknown) =>
      response.writeHead(500).end(renderErrorXml({ code: "InternalError", message: String(error) })),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

after(() => server.close());

function client(): S3Client {
  return new S3Client({ url, accessKey: "minioadmin", secretKey: SECRET });
}

test("signed requests of odd keys, empty and Unicode headers; the region is learned", async () => {
  const s3 = client();
  const headers = { "x-amz-tagging": "", "x-amz-meta-name": "Grüße ✓", "X-Amz-Meta-Two": "a  b" };
  const body = Buffer.from("hello");
  await calls.putObject(s3, { bucket: "b", key: "a b/ü+%20//~'()*!", versionId: "null", headers, body });
  const last = seen.at(-1);
  assert.equal(last?.headers["x-amz-tagging"], "");
  assert.equal(Buffer.from(String(last?.headers["x-amz-meta-name"]), "latin1").toString(), "Grüße ✓");
  assert.equal(last?.query.get("versionId"), "null");
  assert.equal(decodeURIComponent(last?.path ?? ""), "/b/a b/ü+%20//~'()*!");
  assert.deepEqual(last?.body, body);
  const stream = { stream: pieces(Buffer.alloc(300_000, 1)), length: 300_000 };
  await calls.putObject(s3, { bucket: "b", key: "k", body: stream });
  assert.equal(seen.at(-1)?.headers["x-amz-content-sha256"], "UNSIGNED-PAYLOAD");
  assert.equal(seen.at(-1)?.body.length, 300_000);
  await s3.close();
});

async function* pieces(bytes: Buffer, size = 70_000): AsyncIterable<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

test("errors: HEAD by its headers, wrong secret by its document, nobody there", async () => {
  const s3 = client();
  await s3.request({ method: "GET", bucket: "b" });
  await assert.rejects(calls.headObject(s3, { bucket: "b", key: "missing" }), (error) => {
    assert.ok(error instanceof S3ResponseError);
    assert.deepEqual(
      [error.status, error.code, error.message],
      [404, "NoSuchKey", "The specified key does not exist."],
    );
    return true;
  });
  const wrong = new S3Client({ url, accessKey: "minioadmin", secretKey: "other-secret" });
  await assert.rejects(calls.listBuckets(wrong), { code: "SignatureDoesNotMatch", status: 403 });
  const nobody = new S3Client({ url: "http://127.0.0.1:1", accessKey: "a", secretKey: "b" });
  await assert.rejects(
    calls.listBuckets(nobody),
    (error) => error instanceof NetworkError && error.code === "ECONNREFUSED",
  );
  await Promise.all([s3.close(), wrong.close(), nobody.close()]);
});

test("admin calls: empty region, sealed bodies, JSON errors, streams", async () => {
  const admin = new AdminClient({ url, accessKey: "minioadmin", secretKey: SECRET });
  const sealed = await admin.call({
    method: "PUT",
    path: "echo",
    query: { accessKey: "a b" },
    body: Buffer.from("{}"),
    sealed: true,
  });
  assert.deepEqual(seen.at(-1)?.query.get("accessKey"), "a b");
  assert.match(String(seen.at(-1)?.headers.authorization), /\/\d{8}\/\/s3\/aws4_request/);
  assert.ok(sealed.length > 57);
  await assert.rejects(admin.call({ method: "GET", path: "missing" }), (error) => {
    return error instanceof AdminError && error.code === "XMinioAdminNoSuchUser" && error.status === 404;
  });
  const lines: unknown[] = [];
  for await (const line of admin.objects({ method: "GET", path: "lines" })) lines.push(line);
  assert.deepEqual(lines, [{ a: 1 }, { a: 2 }]);
  await admin.close();
});
