import assert from "node:assert/strict";
import { test } from "node:test";
import type { ObjectKey, VersionId } from "../model/names.ts";
import type { ObjectVersion } from "../model/version.ts";
import { httpDate, msOf } from "../protocol/time.ts";
import { compareObject, remoteOfHead, type RemoteObject } from "./compare.ts";

const TIME = 1_735_689_600_123_456_789n;

function version(more: Partial<ObjectVersion> = {}): ObjectVersion {
  return {
    kind: "object",
    key: "k" as ObjectKey,
    versionId: "0f3c9a52-6a34-4b1e-9d0b-1f4d1b7f8f01" as VersionId,
    mtime: TIME,
    replication: { targets: {} },
    size: 1,
    etag: "e",
    headers: {},
    userMetadata: {},
    storageClass: "STANDARD",
    partCount: 0,
    ...more,
  };
}

/** What a HEAD at a peer says that holds `local`; `peer`: with the exact times that only this program tells. */
function answerFor(local: ObjectVersion, more: Record<string, string> = {}): RemoteObject {
  const tags = Object.entries(local.tags?.value ?? {});
  const remote = remoteOfHead({
    status: 200,
    body: Buffer.alloc(0),
    headers: {
      "last-modified": httpDate(msOf(local.mtime)),
      etag: `"${local.etag}"`,
      "content-length": String(local.size),
      "x-amz-version-id": local.versionId,
      ...(tags.length === 0
        ? {}
        : { "x-amz-tagging-count": String(tags.length), "x-amz-tagging": new URLSearchParams(tags).toString() }),
      ...more,
    },
  });
  assert.ok(remote !== undefined);
  return remote;
}

const NULL = { versionId: "null" as VersionId };

test("a null version of the same second counts as equal unless the target tells its exact time", () => {
  const ours = version(NULL);
  assert.deepEqual(compareObject(ours, answerFor(ours)), { kind: "equal" });
  assert.deepEqual(compareObject(ours, answerFor(ours, { "x-resilver-mtime": String(TIME) })), { kind: "equal" });
  assert.deepEqual(compareObject(ours, answerFor(ours, { "x-resilver-mtime": String(TIME + 1n) })), {
    kind: "newerThere",
  });
  assert.equal(compareObject(ours, answerFor(ours, { "x-resilver-mtime": String(TIME - 1n) })).kind, "content");
});

test("tags of equal value still exchange their times; newer ones over there are left to come here", () => {
  const ours = version({ tags: { value: { t: "1" }, time: TIME + 5n } });
  const there = (time: bigint, value: string): RemoteObject =>
    answerFor(version({ tags: { value: { t: value }, time } }), { "x-resilver-tags-time": String(time) });
  assert.equal(compareObject(ours, there(TIME + 4n, "1")).kind, "registers");
  assert.equal(compareObject(ours, there(TIME + 5n, "1")).kind, "equal");
  assert.equal(compareObject(ours, there(TIME + 6n, "2")).kind, "equal");
  assert.equal(compareObject(ours, there(TIME + 5n, "2")).kind, "registers", "the target decides a tie by the value");
  assert.equal(compareObject(version(), there(TIME + 4n, "2")).kind, "equal", "never tagged here");
});

test("without times only the values of tags can be compared", () => {
  const ours = version({ tags: { value: { t: "1" }, time: TIME + 5n } });
  assert.equal(compareObject(ours, answerFor(ours)).kind, "equal");
  assert.equal(compareObject(ours, answerFor(version())).kind, "registers");
});
