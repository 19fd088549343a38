import assert from "node:assert/strict";
import { test } from "node:test";
import type { ReplicationConfig } from "../../../model/replication-config.ts";
import { newRule, type NewRule } from "./rule-edit.ts";
import { whyNoRuleFits } from "./resync-refusal.ts";

const config = (...rules: readonly Partial<NewRule>[]): ReplicationConfig => ({
  role: "",
  rules: rules.map((rule, priority) =>
    newRule({ id: `r${priority}`, arn: "arn:a", prefix: "", disabled: false, priority, ...rule }, []),
  ),
});

test("what to change is said: another target, a disabled rule, one without existing objects", () => {
  const why = (rules: ReplicationConfig): string | undefined => whyNoRuleFits(rules, "arn:a", "here/b");
  assert.equal(why(config({ arn: "arn:b" })), "no rule of here/b has the target arn:a; it has arn:b");
  assert.equal(
    why(config({ disabled: true })),
    "the rule for this target is disabled; run mc replicate update here/b --id r0 --state enable",
  );
  assert.match(
    why(config({ replicate: "delete" })) ?? "",
    /takes existing objects; run mc replicate update here\/b --id r0/,
  );
  assert.equal(why(config({ disabled: true }, {})), undefined);
});
