import assert from "node:assert/strict";
import { test } from "node:test";
import type { ObjectKey, VersionId } from "../model/names.ts";
import type { ObjectVersion, Retention } from "../model/version.ts";
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

const UNTIL = "2030-01-01T00:00:00.000Z";
const LATER = "2031-01-01T00:00:00.000Z";
const kept = (until: string, time: bigint, mode: Retention["mode"] = "GOVERNANCE") => ({
  value: { mode, until },
  time,
});
const lockHeaders = (mode: string, until: string): Record<string, string> => ({
  "x-amz-object-lock-mode": mode,
  "x-amz-object-lock-retain-until-date": until,
});

test("retention and legal hold at a target that tells no times: by their values", () => {
  const ours = version({ retention: kept(UNTIL, 5n), legalHold: { value: true, time: 5n } });
  const there = (more: Record<string, string>) => compareObject(ours, answerFor(ours, more));
  const equal = { ...lockHeaders("GOVERNANCE", UNTIL), "x-amz-object-lock-legal-hold": "ON" };
  assert.deepEqual(there(equal), { kind: "equal" });
  assert.deepEqual(there({ ...equal, ...lockHeaders("GOVERNANCE", "2030-01-01T00:00:00Z") }), { kind: "equal" });
  const retention = { kind: "registers", what: "retention" };
  assert.deepEqual(there({}), retention);
  assert.deepEqual(there({ ...equal, ...lockHeaders("COMPLIANCE", UNTIL) }), retention);
  assert.deepEqual(there({ ...equal, ...lockHeaders("GOVERNANCE", LATER) }), retention);
  assert.deepEqual(there(lockHeaders("GOVERNANCE", UNTIL)), { kind: "registers", what: "legal hold" });
  const cleared = version({ retention: { value: null, time: 5n }, legalHold: { value: false, time: 5n } });
  assert.deepEqual(compareObject(cleared, answerFor(cleared)), { kind: "equal" });
  assert.deepEqual(compareObject(cleared, answerFor(cleared, lockHeaders("GOVERNANCE", UNTIL))), retention);
});

test("locks at a target of ours: what would win there goes, what wins from there comes by itself", () => {
  const times = (retention: bigint, hold: bigint): Record<string, string> => ({
    "x-resilver-retention-time": String(retention),
    "x-resilver-legal-hold-time": String(hold),
  });
  const ours = version({ retention: kept(UNTIL, 5n), legalHold: { value: true, time: 5n } });
  const equal = { ...lockHeaders("GOVERNANCE", UNTIL), "x-amz-object-lock-legal-hold": "ON" };
  const table: [string, Record<string, string>, string | undefined][] = [
    ["the same", { ...equal, ...times(5n, 5n) }, undefined],
    ["the same value, older", { ...equal, ...times(4n, 5n) }, "retention"],
    ["the same value, newer", { ...equal, ...times(6n, 6n) }, undefined],
    ["none yet", times(0n, 0n), "retention"],
    ["cleared there later", { ...times(6n, 5n), "x-amz-object-lock-legal-hold": "ON" }, undefined],
    ["cleared there before", { ...times(4n, 5n), "x-amz-object-lock-legal-hold": "ON" }, "retention"],
    ["COMPLIANCE there, older", { ...equal, ...lockHeaders("COMPLIANCE", UNTIL), ...times(4n, 5n) }, undefined],
    ["no hold yet", { ...equal, "x-amz-object-lock-legal-hold": "", ...times(5n, 0n) }, "legal hold"],
    ["hold ended there later", { ...equal, "x-amz-object-lock-legal-hold": "OFF", ...times(5n, 6n) }, undefined],
  ];
  for (const [name, headers, what] of table) {
    const expected = what === undefined ? { kind: "equal" } : { kind: "registers", what };
    assert.deepEqual(compareObject(ours, answerFor(ours, headers)), expected, name);
  }
  const bare = version();
  const newer = { ...equal, ...times(9n, 9n) };
  assert.deepEqual(compareObject(bare, answerFor(bare, newer)), { kind: "equal" });
});
