import assert from "node:assert/strict";
import { test } from "node:test";
import { statementOf } from "./report.ts";

test("the statement names what was not looked at", () => {
  const verify = { level: "metadata", compared: 40, different: 0, samples: [] } as const;
  const said = statementOf(verify, { onlyAtTarget: 1, outOfScope: 2 });
  assert.match(
    said,
    /^Equal: 40 versions compared at level metadata .*\. 1 more are only at the target\. 2 were left out, as/,
  );
  assert.doesNotMatch(statementOf(verify, { onlyAtTarget: 0, outOfScope: 0 }), /left out/);
});
