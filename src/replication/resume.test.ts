import assert from "node:assert/strict";
import { test } from "node:test";
import type { Arn, ObjectKey, VersionId } from "../model/names.ts";
import { NULL_VERSION } from "../model/names.ts";
import { memoryIndex } from "../storage/index/memory.ts";
import { isBegunFor, resumeStore } from "./resume.ts";

const at = (versionId: VersionId) => ({
  arn: "arn:minio:replication::0f3c9a52-6a34-4b1e-9d0b-1f4d1b7f8f01:dst" as Arn,
  bucketId: "00000000000000a1",
  key: "k" as ObjectKey,
  versionId,
});

test("an upload goes on for the version that it was begun for, and for no other", async () => {
  const store = resumeStore(memoryIndex());
  const version = { etag: "e-2", mtime: 5n };
  for (const id of [NULL_VERSION, "00000000-0000-4000-8000-000000000001" as VersionId]) {
    assert.equal(await store.find(at(id)), undefined);
    await store.save(at(id), version, "upload");
    const begun = await store.find(at(id));
    assert.ok(begun !== undefined);
    assert.equal(begun.uploadId, "upload");
    assert.ok(isBegunFor(begun, version));
    assert.ok(!isBegunFor(begun, { ...version, etag: "f-2" }));
    // The same bytes once more, under the null id: other metadata may have come with them.
    assert.ok(!isBegunFor(begun, { ...version, mtime: 6n }));
    await store.forget(at(id));
    assert.equal(await store.find(at(id)), undefined);
  }
});
