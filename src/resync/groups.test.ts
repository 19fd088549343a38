import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { ObjectKey, VersionId } from "../model/names.ts";
import type { ObjectVersion } from "../model/version.ts";
import { INGEST_ITEMS_MAX } from "../protocol/ingest.ts";
import { groupsOf, runsOf } from "./groups.ts";
import type { PlannedVersion } from "./plan.ts";

type Odd = "none" | "file" | "damaged" | "sealed" | "ask" | "unsure" | "before" | "equal";

function planned(size: number, odd: Odd): PlannedVersion & { before?: number } {
  const version = {
    kind: "object",
    key: "k" as ObjectKey,
    versionId: "v" as VersionId,
    size,
    blob: { id: "", size, inline: odd !== "file" },
    damaged: odd === "damaged" ? "missing" : undefined,
    encryption: odd === "sealed" ? { kind: "SSE-S3" } : undefined,
  } as unknown as ObjectVersion;
  if (odd === "equal") return { version, verdict: { kind: "equal" } };
  const verdict = {
    kind: "send",
    ask: odd === "ask",
    why: "absent",
    ...(odd === "unsure" ? { unsure: true } : {}),
  } as const;
  return odd === "before" ? { version, verdict, before: 1 } : { version, verdict };
}

const versions = fc.array(
  fc.record({
    size: fc.constantFrom(0, 1000, 30_000),
    odd: fc.constantFrom<Odd>(
      "none",
      "none",
      "none",
      "none",
      "none",
      "file",
      "damaged",
      "sealed",
      "ask",
      "unsure",
      "before",
      "equal",
    ),
  }),
  { maxLength: 4 },
);
const work = fc.record({
  versions: versions.map((all) => all.map(({ size, odd }) => planned(size, odd))),
  onlyAtTarget: fc.constantFrom([], [], [], [1]),
  outOfScope: fc.constantFrom(0, 0, 0, 1),
});

test("every key once, in order; groups keep to their limits, and only what is plain has company", () => {
  const limits = fc.record({
    versions: fc.integer({ min: 1, max: 300 }),
    bytes: fc.constantFrom(20_000, 100_000, Infinity),
  });
  fc.assert(
    fc.property(fc.array(work, { maxLength: 60 }), limits, (keys, most) => {
      const groups = [...groupsOf(keys, most)];
      assert.deepEqual(groups.flat(), keys);
      for (const group of groups) {
        if (group.length === 1) continue;
        const all = group.flatMap((one) => one.versions);
        assert.ok(all.length <= Math.min(most.versions, INGEST_ITEMS_MAX));
        assert.ok(all.reduce((sum, { version }) => sum + (version as ObjectVersion).size, 0) <= most.bytes);
        for (const { version, verdict, before } of all) {
          assert.ok(version.kind === "object" && version.blob?.inline === true);
          assert.deepEqual([version.damaged, version.encryption, before], [undefined, undefined, undefined]);
          assert.deepEqual(verdict, { kind: "send", ask: false, why: "absent" });
        }
        assert.ok(group.every(({ onlyAtTarget, outOfScope }) => onlyAtTarget.length === 0 && outOfScope === 0));
      }
    }),
  );
});

test("small absent versions do go together", () => {
  const keys = Array.from({ length: 600 }, () => ({
    versions: [planned(1000, "none")],
    onlyAtTarget: [],
    outOfScope: 0,
  }));
  const sizes = [...groupsOf(keys, { versions: 768, bytes: Infinity })].map(({ length }) => length);
  assert.deepEqual(sizes, [INGEST_ITEMS_MAX, INGEST_ITEMS_MAX, 600 - 2 * INGEST_ITEMS_MAX]);
});

test("many versions of one key go together between those that cannot", () => {
  const plain = Array.from({ length: 400 }, () => planned(1000, "none"));
  const versions = [...plain, planned(1000, "file"), planned(0, "none"), planned(0, "none"), planned(0, "ask")];
  const runs = [...runsOf(versions, { versions: 768, bytes: Infinity })];
  assert.deepEqual(runs.flat(), versions);
  assert.deepEqual(
    runs.map(({ length }) => length),
    [INGEST_ITEMS_MAX, 400 - INGEST_ITEMS_MAX, 1, 2, 1],
  );
});
