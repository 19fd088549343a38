import assert from "node:assert/strict";
import { test } from "node:test";
import type { ObjectKey, VersionId } from "../model/names.ts";
import type { DeleteMarker } from "../model/version.ts";
import { planKey } from "./plan.ts";
import type { RemoteVersion } from "./target-listing.ts";

const EVERYTHING = { wanted: () => true, eligible: () => true };
const UUID = "0f3c9a52-6a34-4b1e-9d0b-1f4d1b7f8f01";

const marker = (versionId: string, ms: number): DeleteMarker => ({
  kind: "delete-marker",
  key: "k" as ObjectKey,
  versionId: versionId as VersionId,
  mtime: BigInt(ms) * 1_000_000n,
  replication: { targets: {} },
});

function verdict(here: DeleteMarker, there: RemoteVersion): string {
  const [planned] = planKey([here], [there], EVERYTHING).versions;
  return planned?.verdict.kind ?? "none";
}

test("a marker is a marker, except for the null id: there the newer one has to win", () => {
  const there = (versionId: string, mtimeMs: number): RemoteVersion => ({ kind: "delete-marker", versionId, mtimeMs });
  assert.equal(verdict(marker(UUID, 5), there(UUID, 9)), "equal");
  assert.equal(verdict(marker("null", 5), there("null", 5)), "equal");
  assert.equal(verdict(marker("null", 5), there("null", 9)), "notReplicable");
  assert.equal(verdict(marker("null", 9), there("null", 5)), "send");
});

test("between a null marker and a null object the newer stays; in the same millisecond the target decides", () => {
  const there = (mtimeMs: number): RemoteVersion => ({
    kind: "object",
    versionId: "null",
    etag: "e",
    size: 1,
    mtimeMs,
    precisionMs: 1,
  });
  assert.equal(verdict(marker("null", 5), there(9)), "notReplicable");
  assert.equal(verdict(marker("null", 9), there(5)), "send");
  assert.equal(verdict(marker("null", 5), there(5)), "send");
});
