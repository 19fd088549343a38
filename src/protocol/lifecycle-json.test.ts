import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { LifecycleRule } from "../model/lifecycle.ts";
import { lifecycleFromJson, lifecycleToJson } from "./lifecycle-json.ts";

const newId = (): string => "made";

test("the forms that MinIO's clients write", () => {
  const rules = [
    { ID: "a", Status: "Enabled", Filter: { Prefix: "x/" }, Expiration: { Days: 3 } },
    { ID: "b", Status: "Disabled", Filter: { Tag: { Key: "k", Value: "v" } }, Expiration: { Days: 1 } },
    {
      ID: "c",
      Status: "Enabled",
      Filter: { And: { Prefix: "y", ObjectSizeGreaterThan: 9, Tags: [{ Key: "k", Value: "<&>" }] } },
      Expiration: { Date: "2030-01-01T00:00:00.000Z" },
    },
    {
      AbortIncompleteMultipartUpload: { DaysAfterInitiation: 7 },
      ID: "d",
      NoncurrentVersionExpiration: { NoncurrentDays: 5, NewerNoncurrentVersions: 2 },
      Prefix: "",
      Status: "Enabled",
    },
  ];
  const read = lifecycleFromJson({ Rules: rules }, newId);
  assert.deepEqual(read[2]?.filter, { prefix: "y", tags: { k: "<&>" }, sizeGreaterThan: 9 });
  assert.deepEqual(lifecycleToJson(read), { Rules: rules });
  const empties = { Rules: [{ ...rules[0], Transition: {}, NoncurrentVersionTransition: null, ID: "" }] };
  assert.equal(lifecycleFromJson(empties, newId)[0]?.id, "made");
});

test("what would be lost, or is no lifecycle, is refused", () => {
  const rule = { ID: "a", Status: "Enabled", Expiration: { Days: 3 } };
  const refused = (json: unknown, code: string): void =>
    assert.throws(() => lifecycleFromJson(json, newId), { code }, JSON.stringify(json));
  refused({ Rules: [{ ...rule, Transition: { Days: 1, StorageClass: "COLD" } }] }, "NotImplemented");
  refused({ Rules: [{ ...rule, "a b": 1 }] }, "MalformedXML");
  refused({ Rules: [{ ...rule, Expiration: { Days: "three" } }] }, "MalformedXML");
  for (const json of [null, [], "x", {}, { Rules: [] }]) refused(json, "MalformedXML");
  let deep: unknown = 1;
  for (let i = 0; i < 100; i++) deep = { a: deep };
  refused(deep, "MalformedXML");
});

test("every rule comes back as it was", () => {
  const days = fc.integer({ min: 1, max: 1000 });
  const rule = fc
    .record({
      enabled: fc.boolean(),
      prefix: fc.constantFrom(undefined, "p/"),
      tags: fc.constantFrom(undefined, { a: "1" }, { a: "1", b: "" }),
      sizeGreaterThan: fc.constantFrom(undefined, 0, 5),
      expiration: fc.oneof(
        days.map((value) => ({ days: value })),
        days.map((value) => ({ dateMs: value * 86_400_000 })),
      ),
      noncurrent: fc.oneof(
        fc.constant(undefined),
        days.map((value) => ({ days: value })),
      ),
    })
    .map(({ enabled, prefix, tags, sizeGreaterThan, expiration, noncurrent }): LifecycleRule => ({
      id: "one",
      enabled,
      oldForm: false,
      filter: {
        ...(prefix !== undefined && { prefix }),
        ...(tags !== undefined && { tags }),
        ...(sizeGreaterThan !== undefined && { sizeGreaterThan }),
      },
      expiration,
      noncurrent,
      abortUploadsDays: undefined,
    }));
  fc.assert(fc.property(rule, (one) => assert.deepEqual(lifecycleFromJson(lifecycleToJson([one]), newId), [one])));
});
