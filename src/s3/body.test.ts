import assert from "node:assert/strict";
import { IncomingMessage } from "node:http";
import { Socket } from "node:net";
import { test } from "node:test";
import { hasCode } from "../model/errors.ts";
import { objectBody, readDocument } from "./body.ts";
import type { S3Request } from "./request.ts";

/** A request whose client goes while others before it are in work. */
function requestOf(length: number, kind: "user" | "anonymous" = "user"): S3Request {
  const incoming = new IncomingMessage(new Socket());
  incoming.headers["content-length"] = String(length);
  const header = (name: string): string | undefined => incoming.headers[name] as string | undefined;
  const request = {
    incoming,
    headers: incoming.headers,
    header,
    bodyAuth: { kind: "plain" },
    identity: { kind },
    readBody: () => undefined,
  };
  return request as unknown as S3Request;
}

/** The way in that the body takes: small ones whole. */
async function taken({ whole, stream }: ReturnType<typeof objectBody>): Promise<void> {
  if (whole !== undefined) await whole();
  else for await (const _piece of stream);
}

for (const [what, length] of [
  ["small", 100],
  ["large", 1_000_000],
] as const) {
  for (const complete of [false, true]) {
    const how = complete ? "had come whole" : "had come in part";
    test(`a ${what} body that ${how} when its client went ends`, async () => {
      const request = requestOf(length);
      const { incoming } = request;
      incoming.push(Buffer.alloc(complete ? length : 3));
      incoming.complete = complete;
      incoming.on("error", () => undefined);
      incoming.destroy(new Error("aborted"));
      await new Promise((resolve) => incoming.once("close", resolve));
      await assert.rejects(taken(objectBody(request)), (error) => hasCode(error, "IncompleteBody"));
    });
  }
}

test("a document whose client goes before its last byte was handed out ends", async () => {
  const request = requestOf(100);
  const { incoming } = request;
  incoming.push(Buffer.alloc(100));
  incoming.complete = true;
  const read = readDocument(request, 1000);
  incoming.destroy();
  await assert.rejects(read, (error) => hasCode(error, "IncompleteBody"));
});

test("a document in pieces of a byte is copied together: an object for each of millions would take all memory", async () => {
  const request = requestOf(10_000);
  const { incoming } = request;
  const read = readDocument(request, 10_000);
  await new Promise((resolve) => setImmediate(resolve));
  const piece = Buffer.from("a");
  for (let i = 0; i < 10_000; i++) {
    piece[0] = i < 9000 ? 97 : 98;
    incoming.push(piece);
  }
  incoming.complete = true;
  incoming.push(null);
  const document = await read;
  assert.equal(document.length, 10_000);
  assert.equal(document.subarray(0, 8000).indexOf("b"), -1, "what had come was no longer held as pieces");
});

test("strangers who send documents slowly, and many, do not keep callers with an account from sending theirs", async () => {
  const half = 8 * 1024 * 1024;
  const slow = Array.from({ length: 8 }, () => requestOf(half, "anonymous"));
  const reads = slow.map((request) => readDocument(request, half).catch((error: unknown) => error));
  for (const { incoming } of slow) incoming.push(Buffer.alloc(half - 1));
  const known = requestOf(half);
  const read = readDocument(known, half);
  known.incoming.push(Buffer.alloc(half));
  known.incoming.complete = true;
  known.incoming.push(null);
  assert.equal((await read).length, half);
  for (const { incoming } of slow) incoming.destroy();
  const codes = (await Promise.all(reads)).map((error) => (error as { code: string }).code);
  assert.deepEqual(new Set(codes), new Set(["SlowDownWrite", "IncompleteBody"]));
});
