import assert from "node:assert/strict";
import { test } from "node:test";
import { changeRule, newRule, nextPriority, parseRuleTags, readSwitch, ruleIdFrom } from "./rule-edit.ts";

const ARN = "arn:minio:replication::id:dst";
const plain = { id: "r1", arn: ARN, prefix: "", disabled: false };

test("all four kinds are on when --replicate is absent", () => {
  assert.deepEqual(newRule(plain, []), {
    id: "r1",
    enabled: true,
    priority: 1,
    prefix: "",
    tags: [],
    filterForm: "prefix",
    deleteMarkerReplication: true,
    deleteReplication: true,
    existingObjectReplication: true,
    replicaModifications: true,
    destination: ARN,
  });
});

test("--replicate switches off what it does not list, but add keeps metadata-sync", () => {
  const rule = newRule({ ...plain, replicate: "delete-marker" }, []);
  assert.equal(rule.deleteMarkerReplication, true);
  assert.equal(rule.deleteReplication, false);
  assert.equal(rule.existingObjectReplication, false);
  assert.equal(rule.replicaModifications, true);
  const old = changeRule({ rules: [rule], role: "" }, "r1", { replicate: "Delete,replica-metadata-sync" }).rules[0];
  assert.deepEqual(
    [old?.deleteReplication, old?.replicaModifications, old?.deleteMarkerReplication],
    [true, true, false],
  );
  assert.throws(() => newRule({ ...plain, replicate: "" }, []), /Invalid --replicate/);
  assert.throws(() => newRule({ ...plain, replicate: "deletes" }, []), /Invalid --replicate/);
});

test("priority defaults to the highest plus one and must be unique", () => {
  const first = newRule({ ...plain, priority: 7 }, []);
  assert.equal(nextPriority([first]), 8);
  assert.equal(newRule({ ...plain, id: "r2" }, [first]).priority, 8);
  assert.throws(() => newRule({ ...plain, id: "r2", priority: 7 }, [first]), /Unable to add/);
  assert.throws(() => newRule(plain, [first]), /Unable to add/);
});

test("a prefix or tags put the filter into And, where the client shows it", () => {
  assert.equal(newRule({ ...plain, prefix: "pre" }, []).filterForm, "and");
  assert.equal(newRule({ ...plain, tags: "a=b" }, []).filterForm, "and");
  assert.deepEqual(parseRuleTags("a=b&c=d=e"), [
    { key: "a", value: "b" },
    { key: "c", value: "d=e" },
  ]);
  assert.throws(() => parseRuleTags("a"), /Invalid --tags/);
});

test("an update keeps what it does not name", () => {
  const config = { rules: [newRule({ ...plain, prefix: "pre", tags: "a=b" }, [])], role: "" };
  const paused = changeRule(config, "r1", { state: "disable" }).rules[0];
  assert.deepEqual(paused, { ...config.rules[0], enabled: false });
  const none = changeRule(config, "r1", { replicate: "" }).rules[0];
  assert.equal(none?.replicaModifications, false);
  const moved = changeRule(config, "r1", { prefix: "", tags: "", arn: "other", storageClass: "STANDARD" }).rules[0];
  assert.equal(moved?.filterForm, "prefix");
  assert.equal(moved?.destination, "other");
  assert.equal(moved?.storageClass, "STANDARD");
  assert.throws(() => changeRule(config, "nope", {}), /Unable to update/);
});

test("switch words and rule IDs", () => {
  assert.equal(readSwitch("--sync", "ENABLE"), true);
  assert.throws(() => readSwitch("--sync", "on"), /Invalid --sync/);
  assert.match(ruleIdFrom(Buffer.alloc(20, 255)), /^v{20}$/);
});
