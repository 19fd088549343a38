import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  complianceCut,
  defaultRetention,
  newerRetention,
  remainingDays,
  removalRefusal,
  retentionChangeRefusal,
  type Remover,
} from "./object-lock.ts";
import type { ObjectVersion, Register, Retention } from "./version.ts";

const NOW = Date.parse("2027-06-01T12:00:00.000Z");
const HOUR = 3_600_000;
const at = (ms: number): string => new Date(ms).toISOString();
const ns = (ms: number): bigint => BigInt(ms) * 1_000_000n;
const keep = (mode: Retention["mode"], hours: number): Retention => ({ mode, until: at(NOW + hours * HOUR) });
const GOVERNANCE = keep("GOVERNANCE", 1);
const COMPLIANCE = keep("COMPLIANCE", 1);

const SET = ns(NOW - HOUR);
type Locks = Pick<ObjectVersion, "retention" | "legalHold">;
const retained = (value: Retention | null): Locks => ({ retention: { value, time: SET } });
const held = (value: boolean): Locks => ({ legalHold: { value, time: SET } });

const CLIENT: Remover = { kind: "client", bypassGovernance: false };
const BYPASS: Remover = { kind: "client", bypassGovernance: true };
const PEER: Remover = { kind: "peer", time: SET + 1n };
const EARLIER_PEER: Remover = { kind: "peer", time: SET - 1n };

test("who may remove a version: by its locks and by who asks", () => {
  type Answers = Record<"client" | "bypass" | "peer" | "earlierPeer", boolean>;
  const table: [string, Locks, Answers][] = [
    ["no lock", {}, { client: true, bypass: true, peer: true, earlierPeer: true }],
    ["cleared retention", retained(null), { client: true, bypass: true, peer: true, earlierPeer: true }],
    ["governance", retained(GOVERNANCE), { client: false, bypass: true, peer: true, earlierPeer: false }],
    ["compliance", retained(COMPLIANCE), { client: false, bypass: false, peer: false, earlierPeer: false }],
    [
      "expired governance",
      retained(keep("GOVERNANCE", -1)),
      { client: true, bypass: true, peer: true, earlierPeer: true },
    ],
    [
      "expired compliance",
      retained(keep("COMPLIANCE", -1)),
      { client: true, bypass: true, peer: true, earlierPeer: true },
    ],
    [
      "ends this moment",
      retained(keep("COMPLIANCE", 0)),
      { client: true, bypass: true, peer: true, earlierPeer: true },
    ],
    ["legal hold", held(true), { client: false, bypass: false, peer: true, earlierPeer: false }],
    ["hold that ended", held(false), { client: true, bypass: true, peer: true, earlierPeer: true }],
    [
      "hold and expired compliance",
      { ...held(true), ...retained(keep("COMPLIANCE", -1)) },
      { client: false, bypass: false, peer: true, earlierPeer: false },
    ],
    [
      "hold and governance",
      { ...held(true), ...retained(GOVERNANCE) },
      { client: false, bypass: false, peer: true, earlierPeer: false },
    ],
    [
      "ended hold and compliance",
      { ...held(false), ...retained(COMPLIANCE) },
      { client: false, bypass: false, peer: false, earlierPeer: false },
    ],
  ];
  for (const [name, locks, expected] of table) {
    const may = (by: Remover): boolean => removalRefusal(locks, by, NOW) === undefined;
    const found: Answers = {
      client: may(CLIENT),
      bypass: may(BYPASS),
      peer: may(PEER),
      earlierPeer: may(EARLIER_PEER),
    };
    assert.deepEqual(found, expected, name);
  }
});

test("a refusal names what stands in the way", () => {
  assert.equal(removalRefusal(retained(COMPLIANCE), BYPASS, NOW), `COMPLIANCE retention until ${COMPLIANCE.until}`);
  assert.equal(removalRefusal(held(true), BYPASS, NOW), "legal hold");
});

test("how a retention may be changed: by what is there and what is wanted", () => {
  const later = { governance: keep("GOVERNANCE", 2), compliance: keep("COMPLIANCE", 2) };
  const sooner = { governance: keep("GOVERNANCE", 0.5), compliance: keep("COMPLIANCE", 0.5) };
  type Row = [string, Retention | null | undefined, Retention | null, plain: boolean, bypass: boolean];
  const table: Row[] = [
    ["first", undefined, GOVERNANCE, true, true],
    ["first compliance", null, COMPLIANCE, true, true],
    ["governance extended", GOVERNANCE, later.governance, true, true],
    ["governance again", GOVERNANCE, GOVERNANCE, true, true],
    ["governance cut short", GOVERNANCE, sooner.governance, false, true],
    ["governance to compliance", GOVERNANCE, later.compliance, false, true],
    ["governance cleared", GOVERNANCE, null, false, true],
    ["compliance extended", COMPLIANCE, later.compliance, true, true],
    ["compliance again", COMPLIANCE, COMPLIANCE, true, true],
    ["compliance cut short", COMPLIANCE, sooner.compliance, false, false],
    ["compliance to governance", COMPLIANCE, later.governance, false, false],
    ["compliance cleared", COMPLIANCE, null, false, false],
    ["expired compliance cleared", keep("COMPLIANCE", -1), null, true, true],
    ["expired compliance to governance", keep("COMPLIANCE", -1), GOVERNANCE, true, true],
    ["expired governance cut short", keep("GOVERNANCE", -1), keep("GOVERNANCE", -2), true, true],
  ];
  for (const [name, before, after, plain, bypass] of table) {
    const may = (bypassGovernance: boolean): boolean =>
      retentionChangeRefusal(before, after, { bypassGovernance, nowMs: NOW }) === undefined;
    assert.deepEqual([may(false), may(true)], [plain, bypass], name);
  }
});

test("a default period is counted in calendar units", () => {
  const now = Date.parse("2028-02-29T10:00:00.123Z");
  const until = (unit: "days" | "years", count: number): string =>
    defaultRetention({ mode: "GOVERNANCE", unit, count }, now).until;
  assert.equal(until("days", 1), "2028-03-01T10:00:00.123Z");
  assert.equal(until("years", 4), "2032-02-29T10:00:00.123Z");
  assert.equal(until("years", 1), "2029-03-01T10:00:00.123Z");
  assert.equal(remainingDays(NOW + 24 * HOUR, NOW), 1);
  assert.equal(remainingDays(NOW + 24 * HOUR + 1, NOW), 2);
  assert.equal(remainingDays(NOW - HOUR, NOW), 0);
});

const hours = fc.integer({ min: -6, max: 6 });
const modes = fc.constantFrom<Retention["mode"] | "none">("GOVERNANCE", "COMPLIANCE", "none");
const registers = fc.tuple(modes, hours, hours).map(([mode, until, set]): Register<Retention | null> => ({
  value: mode === "none" ? null : keep(mode, until),
  time: ns(NOW + set * HOUR),
}));

test("sites end with one retention, whatever the order in which they hear of changes", () => {
  const triple = fc.tuple(registers, registers, registers);
  fc.assert(
    fc.property(triple, ([a, b, c]) => {
      const join = newerRetention;
      assert.deepEqual(join(a, b), join(b, a));
      assert.deepEqual(join(join(a, b), c), join(a, join(b, c)));
      assert.deepEqual(join(a, a), a);
      assert.deepEqual(join(a, undefined), a);
      assert.ok([a, b].some((one) => one === join(a, b)));
    }),
    { numRuns: 2000 },
  );
});

test("no merge cuts COMPLIANCE short that was active when the other value was set", () => {
  fc.assert(
    fc.property(registers, registers, (a, b) => {
      const merged = newerRetention(a, b) as Register<Retention | null>;
      if (a.value?.mode !== "COMPLIANCE" || b.time >= ns(Date.parse(a.value.until))) return;
      assert.equal(merged.value?.mode, "COMPLIANCE");
      assert.ok(Date.parse(merged.value.until) >= Date.parse(a.value.until));
    }),
    { numRuns: 2000 },
  );
});

test("by this site's clock active COMPLIANCE is not cut short, although the peer's clock says that it has expired", () => {
  const ahead: Register<null> = { value: null, time: ns(NOW + 2 * HOUR) };
  assert.equal(newerRetention({ value: COMPLIANCE, time: SET }, ahead), ahead);
  assert.equal(complianceCut(COMPLIANCE, null, NOW), `COMPLIANCE retention until ${COMPLIANCE.until}`);
  assert.equal(complianceCut(COMPLIANCE, keep("COMPLIANCE", 2), NOW), undefined);
  assert.equal(complianceCut(COMPLIANCE, null, NOW + HOUR), undefined);
  assert.equal(complianceCut(GOVERNANCE, null, NOW), undefined);
});
