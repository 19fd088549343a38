import assert from "node:assert/strict";
import { test } from "node:test";
import type { ObjectKey } from "./names.ts";
import * as lifecycle from "./lifecycle.ts";

const at = (text: string): number => Date.parse(text);
const rule = (more: Partial<lifecycle.LifecycleRule>): lifecycle.LifecycleRule => ({
  id: "r",
  enabled: true,
  oldForm: false,
  filter: {},
  ...more,
});
const object = (key: string, time: string, more: { size?: number; tags?: Record<string, string> } = {}) => ({
  key: key as ObjectKey,
  size: more.size ?? 0,
  mtime: BigInt(at(time)) * 1_000_000n,
  tags: more.tags && { value: more.tags, time: 0n as never },
});

test("whole days, put off to the next midnight", () => {
  assert.equal(lifecycle.dueMs(at("2026-03-01T00:00:00Z"), 1), at("2026-03-03T00:00:00Z"));
  assert.equal(lifecycle.dueMs(at("2026-03-01T23:59:59Z"), 1), at("2026-03-03T00:00:00Z"));
  assert.equal(lifecycle.dueMs(at("2026-03-01T12:00:00Z"), 30), at("2026-04-01T00:00:00Z"));
});

test("a filter's predicates must all hold; a marker has neither size nor tags", () => {
  const { matchesFilter } = lifecycle;
  const of = { key: "logs/a", size: 10, tags: { a: "1", b: "2" } };
  assert.ok(matchesFilter({}, of));
  assert.ok(matchesFilter({ prefix: "logs/", tags: { a: "1" }, sizeGreaterThan: 9, sizeLessThan: 11 }, of));
  assert.ok(!matchesFilter({ prefix: "log/" }, of));
  assert.ok(!matchesFilter({ tags: { a: "2" } }, of));
  assert.ok(!matchesFilter({ tags: { a: "1", c: "" } }, of));
  assert.ok(!matchesFilter({ sizeGreaterThan: 10 }, of));
  assert.ok(!matchesFilter({ sizeLessThan: 10 }, of));
  assert.ok(!matchesFilter({ sizeLessThan: 10 }, { key: "logs/a" }));
  assert.ok(!matchesFilter({ tags: { a: "1" } }, { key: "logs/a" }));
});

test("the earliest of the rules that are enabled and fit", () => {
  const rules = [
    rule({ id: "off", enabled: false, expiration: { days: 1 } }),
    rule({ id: "ten", expiration: { days: 10 } }),
    rule({ id: "logs", filter: { prefix: "logs/" }, expiration: { days: 3 } }),
    rule({ id: "date", filter: { prefix: "old/" }, expiration: { dateMs: at("2026-01-01T00:00:00Z") } }),
    rule({ id: "marker", expiration: { expiredObjectDeleteMarker: true } }),
  ];
  const expiry = (key: string) => lifecycle.expiryOf(rules, object(key, "2026-03-01T12:00:00Z"));
  assert.deepEqual(expiry("a"), { ruleId: "ten", atMs: at("2026-03-12T00:00:00Z") });
  assert.deepEqual(expiry("logs/a"), { ruleId: "logs", atMs: at("2026-03-05T00:00:00Z") });
  assert.deepEqual(expiry("old/a"), { ruleId: "date", atMs: at("2026-01-01T00:00:00Z") });
  assert.equal(lifecycle.expiryOf(rules.slice(4), object("a", "2000-01-01T00:00:00Z")), undefined);
});

test("versions that are not the newest: days since then, and how many newer ones stay", () => {
  const now = at("2026-03-10T00:00:00Z");
  const due = (noncurrent: lifecycle.NoncurrentExpiration, since: string, newerVersions: number) =>
    lifecycle.noncurrentIsDue([rule({ noncurrent })], { key: "a", sinceMs: at(since), newerVersions }, now);
  assert.ok(due({ days: 3 }, "2026-03-06T12:00:00Z", 0));
  assert.ok(!due({ days: 3 }, "2026-03-07T12:00:00Z", 0));
  assert.ok(due({ newerVersions: 2 }, "2026-03-09T23:00:00Z", 2));
  assert.ok(!due({ newerVersions: 2 }, "2026-03-09T23:00:00Z", 1));
  assert.ok(!due({ days: 3, newerVersions: 2 }, "2026-03-07T12:00:00Z", 5));
  assert.ok(!due({ days: 3, newerVersions: 2 }, "2026-03-01T12:00:00Z", 1));
  assert.ok(due({ days: 3, newerVersions: 2 }, "2026-03-01T12:00:00Z", 2));
});
