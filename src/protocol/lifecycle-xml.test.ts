import assert from "node:assert/strict";
import { test } from "node:test";
import { hasCode } from "../model/errors.ts";
import { parseLifecycle, renderLifecycle } from "./lifecycle-xml.ts";

let ids = 0;
const parse = (rules: string) =>
  parseLifecycle(Buffer.from(`<LifecycleConfiguration>${rules}</LifecycleConfiguration>`), () => `made-${ids++}`);
const rule = (inner: string, id = "r"): string => `<Rule><ID>${id}</ID><Status>Enabled</Status>${inner}</Rule>`;
const DAYS = "<Expiration><Days>3</Days></Expiration>";

test("what is written is read back, filters in the form they came in", () => {
  const rules = [
    `<Prefix>logs/</Prefix>${DAYS}`,
    `<Filter></Filter>${DAYS}`,
    `<Filter><Prefix></Prefix></Filter><Expiration><Date>2026-01-01T00:00:00.000Z</Date></Expiration>`,
    `<Filter><Tag><Key>a</Key><Value>&lt;1</Value></Tag></Filter>${DAYS}`,
    `<Filter><And><Prefix>p</Prefix><Tag><Key>a</Key><Value>1</Value></Tag><Tag><Key>b</Key><Value></Value></Tag>` +
      `<ObjectSizeGreaterThan>0</ObjectSizeGreaterThan><ObjectSizeLessThan>9</ObjectSizeLessThan></And></Filter>${DAYS}`,
    `<Filter></Filter><Expiration><ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker></Expiration>` +
      `<NoncurrentVersionExpiration><NoncurrentDays>7</NoncurrentDays><NewerNoncurrentVersions>2</NewerNoncurrentVersions></NoncurrentVersionExpiration>` +
      `<AbortIncompleteMultipartUpload><DaysAfterInitiation>1</DaysAfterInitiation></AbortIncompleteMultipartUpload>`,
  ];
  const whole = rules.map((inner, i) => rule(inner, `rule-${i}`)).join("");
  const parsed = parse(whole);
  const rendered = renderLifecycle(parsed);
  assert.deepEqual(
    parseLifecycle(Buffer.from(rendered), () => assert.fail()),
    parsed,
  );
  for (const inner of rules) assert.ok(rendered.includes(inner), inner);
});

test("a rule without ID gets one", () => {
  const [first, second] = parse(
    `<Rule><Status>Disabled</Status>${DAYS}</Rule><Rule><Status>Enabled</Status>${DAYS}</Rule>`,
  );
  assert.notEqual(first?.id, second?.id);
  assert.equal(first?.enabled, false);
});

test("what is wrong is refused with its code, what cannot be done with 501", () => {
  const refused = (inner: string, code: string): void =>
    assert.throws(
      () => parse(rule(inner)),
      (error) => hasCode(error, code),
      inner,
    );
  assert.throws(
    () => parse(""),
    (error) => hasCode(error, "MalformedXML"),
  );
  assert.throws(
    () => parse(rule(DAYS) + rule(DAYS)),
    (error) => hasCode(error, "InvalidArgument"),
  );
  assert.throws(
    () => parse(`<Rule><Status>enabled</Status>${DAYS}</Rule>`),
    (error) => hasCode(error, "MalformedXML"),
  );
  refused("", "MalformedXML");
  refused(`<Prefix>a</Prefix><Filter></Filter>${DAYS}`, "MalformedXML");
  refused("<Expiration><Days>0</Days></Expiration>", "InvalidArgument");
  refused("<Expiration><Days>-1</Days></Expiration>", "InvalidArgument");
  refused("<Expiration><Days>soon</Days></Expiration>", "MalformedXML");
  refused("<Expiration></Expiration>", "MalformedXML");
  refused("<Expiration><Days>1</Days><Date>2026-01-01</Date></Expiration>", "MalformedXML");
  refused("<Expiration><Date>20260101</Date></Expiration>", "MalformedXML");
  refused("<Expiration><Date>2026-01-01T01:00:00Z</Date></Expiration>", "InvalidArgument");
  refused("<NoncurrentVersionExpiration></NoncurrentVersionExpiration>", "MalformedXML");
  refused(
    "<NoncurrentVersionExpiration><NewerNoncurrentVersions>101</NewerNoncurrentVersions></NoncurrentVersionExpiration>",
    "InvalidArgument",
  );
  const tag = "<Tag><Key>a</Key><Value>1</Value></Tag>";
  refused(`<Filter>${tag}<Prefix>a</Prefix></Filter>${DAYS}`, "MalformedXML");
  refused(`<Filter><And>${tag}${tag}</And></Filter>${DAYS}`, "InvalidArgument");
  refused(`<Filter><Owner>a</Owner></Filter>${DAYS}`, "MalformedXML");
  const abort =
    "<AbortIncompleteMultipartUpload><DaysAfterInitiation>1</DaysAfterInitiation></AbortIncompleteMultipartUpload>";
  refused(`<Filter>${tag}</Filter>${abort}`, "InvalidRequest");
  const transition = (date: string): string =>
    `${DAYS}<Transition><Date>${date}</Date><StorageClass>GLACIER</StorageClass></Transition>`;
  refused(transition("2026-01-01"), "NotImplemented");
  refused(transition("20260101"), "MalformedXML");
  refused(`${DAYS}<DelMarkerExpiration><Days>1</Days></DelMarkerExpiration>`, "NotImplemented");
});
