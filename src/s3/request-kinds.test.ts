import assert from "node:assert/strict";
import { test } from "node:test";
import { isBackground, isSystemPath } from "./request-kinds.ts";

test("a resync does not give way to its peers' calls, nor to questions how far it is", () => {
  const background = [
    "/resilver/v1/ingest?bucket=b",
    "/resilver/v1/reconcile?bucket=b&call=compare",
    "/b?replication-reset-status=",
    "/b/?arn=arn%3Aminio%3Areplication%3A%3Aid%3Ab&replication-reset-status=",
  ];
  for (const url of background) assert.equal(isBackground(url), true, url);
  for (const url of ["/b/k", "/b?list-type=2&prefix=replication-", "/b/replication-k?tagging="])
    assert.equal(isBackground(url), false, url);
});

test("paths of the system are told from buckets whose names begin alike", () => {
  for (const url of ["/minio/health/live", "/minio", "/minio?x", "/resilver/v1/usage?bucket=b"])
    assert.equal(isSystemPath(url), true, url);
  for (const url of ["/", "/minio-b/k", "/resilver-b", "/resilver/v1/ingest?bucket=b"])
    assert.equal(isSystemPath(url), false, url);
});
