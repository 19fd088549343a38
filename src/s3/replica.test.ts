import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { call, startTestPort, type Answer, type TestPort } from "./testing.ts";

const ID = "00000000-0000-4000-8000-00000000000";
let port: TestPort;
before(async () => {
  port = await startTestPort();
  await call(port, { method: "PUT", path: "/dst" });
  const body = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
  await call(port, { method: "PUT", path: "/dst", query: "versioning", body });
});
after(() => port.close());

function replicate(method: string, id: number, headers: Record<string, string>): Promise<Answer> {
  const marks = { "x-minio-source-replication-request": "true", "x-amz-replication-status": "REPLICA" };
  return call(port, { method, path: "/dst/k", query: `versionId=${ID}${id}`, headers: { ...marks, ...headers } });
}

test("a peer's time that no row could hold is refused, and named", async () => {
  for (const time of ["1969-12-31T23:59:59Z", "2554-07-01T00:00:00Z", "9999-12-31T23:59:59.999999999Z"]) {
    const put = await replicate("PUT", 1, { "x-minio-source-mtime": time });
    assert.deepEqual([put.status, put.code], [400, "InvalidArgument"], time);
    const marker = { "x-minio-source-mtime": time, "x-minio-source-deletemarker": "true" };
    assert.equal((await replicate("DELETE", 2, marker)).status, 400, time);
  }
  assert.equal((await replicate("PUT", 3, { "x-minio-source-mtime": "1970-01-01T00:00:00Z" })).status, 200);
});

test("the time that Go has for none is none", async () => {
  const zero = "0001-01-01T00:00:00Z";
  const put = await replicate("PUT", 4, {
    "x-minio-source-mtime": zero,
    "x-minio-source-replication-tagging-timestamp": zero,
  });
  assert.equal(put.status, 200, put.body);
});
