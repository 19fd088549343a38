import assert from "node:assert/strict";
import { test } from "node:test";
import { ruleText } from "./list-format.ts";
import { newTarget } from "./remote-target.ts";
import { newRule } from "./rule-edit.ts";

test("a rule's block begins with the captured lines", () => {
  const rule = newRule(
    { id: "dc1omb9ksdufmfhn7n5g", arn: "ARN", prefix: "pre", tags: "a=b&c=d", priority: 0, disabled: true },
    [],
  );
  const target = newTarget(
    { secure: false, endpoint: "b.example:9000", bucket: "dst" },
    { bandwidthLimit: 200_000_000 },
  );
  assert.deepEqual(ruleText(rule, "ARN", target).split("\n"), [
    "Remote Bucket: b.example:9000/dst",
    "  Rule ID: dc1omb9ksdufmfhn7n5g",
    "  Priority: 0",
    "  ARN: ARN",
    "  Prefix: pre",
    "  Tags: a=b&c=d",
    "  Status: Disabled",
    "  Replicates: objects, delete-marker, delete, existing-objects, metadata-sync",
    "  Target: asynchronous, proxy, at most 200 MB/s",
  ]);
});
