import assert from "node:assert/strict";
import { test } from "node:test";
import { hasCode } from "../model/errors.ts";
import type { ObjectLockConfig } from "../model/object-lock.ts";
import {
  parseLegalHold,
  parseObjectLock,
  parseRetention,
  renderLegalHold,
  renderObjectLock,
  renderRetention,
} from "./s3-xml-lock.ts";

const config = (inner: string, enabled = "<ObjectLockEnabled>Enabled</ObjectLockEnabled>"): Buffer =>
  Buffer.from(`<ObjectLockConfiguration>${enabled}${inner}</ObjectLockConfiguration>`);
const rule = (inner: string): Buffer => config(`<Rule><DefaultRetention>${inner}</DefaultRetention></Rule>`);

test("what was written is read again", () => {
  const configs: ObjectLockConfig[] = [
    {},
    { defaultRetention: { mode: "GOVERNANCE", unit: "days", count: 36_500 } },
    { defaultRetention: { mode: "COMPLIANCE", unit: "years", count: 100 } },
  ];
  for (const one of configs) assert.deepEqual(parseObjectLock(Buffer.from(renderObjectLock(one))), one);
  const retention = { mode: "GOVERNANCE" as const, until: "2030-01-01T00:00:00.000Z" };
  assert.deepEqual(parseRetention(Buffer.from(renderRetention(retention))), retention);
  assert.equal(parseRetention(Buffer.from(renderRetention(null))), null);
  for (const on of [true, false]) assert.equal(parseLegalHold(Buffer.from(renderLegalHold(on))), on);
});

test("configurations that are refused, by code", () => {
  const table: [string, Buffer, string][] = [
    ["not enabled", config("", "<ObjectLockEnabled>Disabled</ObjectLockEnabled>"), "MalformedXML"],
    ["says nothing", config("", ""), "MalformedXML"],
    ["a rule without retention", config("<Rule></Rule>"), "MalformedXML"],
    ["no mode", rule("<Days>1</Days>"), "MalformedXML"],
    ["mode in lower case", rule("<Mode>governance</Mode><Days>1</Days>"), "MalformedXML"],
    ["no period", rule("<Mode>GOVERNANCE</Mode>"), "MalformedXML"],
    ["two periods", rule("<Mode>GOVERNANCE</Mode><Days>1</Days><Years>1</Years>"), "MalformedXML"],
    ["a part of a day", rule("<Mode>GOVERNANCE</Mode><Days>1.5</Days>"), "MalformedXML"],
    ["no days", rule("<Mode>GOVERNANCE</Mode><Days>0</Days>"), "InvalidRetentionPeriod"],
    ["negative years", rule("<Mode>GOVERNANCE</Mode><Years>-1</Years>"), "InvalidRetentionPeriod"],
    ["too many days", rule("<Mode>GOVERNANCE</Mode><Days>36501</Days>"), "InvalidArgument"],
    ["too many years", rule("<Mode>GOVERNANCE</Mode><Years>101</Years>"), "InvalidArgument"],
    ["another document", Buffer.from("<Retention/>"), "MalformedXML"],
  ];
  for (const [name, body, code] of table) {
    assert.throws(
      () => parseObjectLock(body),
      (error) => hasCode(error, code),
      name,
    );
  }
});

test("retention and legal hold that are refused", () => {
  const malformed = (error: unknown): boolean => hasCode(error, "MalformedXML");
  const retention = (inner: string) => () => parseRetention(Buffer.from(`<Retention>${inner}</Retention>`));
  assert.throws(retention("<Mode>abc</Mode><RetainUntilDate>2030-01-01T00:00:00Z</RetainUntilDate>"), malformed);
  assert.throws(retention("<Mode>GOVERNANCE</Mode>"), malformed);
  assert.throws(retention("<RetainUntilDate>2030-01-01T00:00:00Z</RetainUntilDate>"), malformed);
  assert.throws(retention("<Mode>GOVERNANCE</Mode><RetainUntilDate>tomorrow</RetainUntilDate>"), malformed);
  const zoned = retention("<Mode>GOVERNANCE</Mode><RetainUntilDate>2030-01-01T01:00:00.5+01:00</RetainUntilDate>")();
  assert.equal(zoned?.until, "2030-01-01T00:00:00.500Z");
  assert.throws(() => parseLegalHold(Buffer.from("<LegalHold><Status>abc</Status></LegalHold>")), malformed);
  assert.throws(() => parseLegalHold(Buffer.from("<LegalHold/>")), malformed);
});
