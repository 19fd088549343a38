/** What GET and HEAD answer for the unusual request. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { call, startTestPort, type TestPort } from "./testing.ts";

let port: TestPort;
before(async () => {
  port = await startTestPort();
  await call(port, { method: "PUT", path: "/reads" });
});
after(() => port.close());

test("response-* replaces the header of that name, not metadata that has the name as its value", async () => {
  const headers = { "x-amz-meta-a": "Content-Language", "x-amz-meta-b": "2" };
  await call(port, { method: "PUT", path: "/reads/named", headers, body: "text" });
  const query = "response-content-language=de&response-content-type=text/plain";
  const { headers: seen } = await call(port, { method: "GET", path: "/reads/named", query });
  assert.deepEqual(
    [seen["x-amz-meta-a"], seen["x-amz-meta-b"], seen["content-language"], seen["content-type"]],
    ["Content-Language", "2", "de", "text/plain"],
  );
});

test("If-Range: a part of the content that the client has, the whole of any other", async () => {
  await call(port, { method: "PUT", path: "/reads/resumed", body: "0123456789" });
  const { headers: seen } = await call(port, { method: "HEAD", path: "/reads/resumed" });
  const resumed = async (condition: string): Promise<unknown[]> => {
    const headers = { range: "bytes=4-5", "if-range": condition };
    const { status, body, headers: own } = await call(port, { method: "GET", path: "/reads/resumed", headers });
    return [status, body, own["content-range"]];
  };
  const part = [206, "45", "bytes 4-5/10"];
  const whole = [200, "0123456789", undefined];
  assert.deepEqual(await resumed(seen["etag"] ?? ""), part);
  assert.deepEqual(await resumed(seen["last-modified"] ?? ""), part);
  for (const other of [
    '"other"',
    `W/${seen["etag"]}`,
    "Mon, 23 Nov 2020 14:50:37 GMT",
    "Fri, 01 Jan 2100 00:00:00 GMT",
  ])
    assert.deepEqual(await resumed(other), whole, other);
});

test("an answer that cannot be sent lets go of the body that it had begun to read", async (t) => {
  await call(port, { method: "PUT", path: "/reads/unsendable", body: "x".repeat(100_000) });
  const { objects } = port.site;
  const find = objects.find.bind(objects);
  let open = 0;
  const broken: typeof objects.find = async (selector) => {
    const found = await find(selector);
    const read = async function* (): AsyncGenerator<Buffer> {
      open++;
      try {
        for (;;) yield Buffer.alloc(1000);
      } finally {
        open--;
      }
    };
    return { ...found, read, version: { ...found.version, userMetadata: { "no header": "x" } } };
  };
  Object.assign(objects, { find: broken });
  t.after(() => void Object.assign(objects, { find }));
  await assert.rejects(call(port, { method: "GET", path: "/reads/unsendable" }));
  // The request counts as one in work until it has let go.
  const { headers } = await call(port, { method: "GET", path: "/reads" });
  assert.deepEqual([open, headers["x-ratelimit-remaining"]], [0, "1999"]);
});

test("the only part of an empty object is the whole: there is no range of no bytes", async () => {
  await call(port, { method: "PUT", path: "/reads/empty" });
  for (const method of ["GET", "HEAD"]) {
    const { status, headers } = await call(port, { method, path: "/reads/empty", query: "partNumber=1" });
    assert.deepEqual([status, headers["content-range"], headers["content-length"]], [200, undefined, "0"]);
  }
  await call(port, { method: "PUT", path: "/reads/full", body: "text" });
  const { status, headers } = await call(port, { method: "GET", path: "/reads/full", query: "partNumber=1" });
  assert.deepEqual([status, headers["content-range"]], [206, "bytes 0-3/4"]);
});
