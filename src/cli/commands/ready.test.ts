import assert from "node:assert/strict";
import { test } from "node:test";
import { readyJson, readyText } from "./ready.ts";

test("ready prints the captured object", () => {
  const state = { healthy: true, writeQuorum: 1, healingDrives: 0 };
  assert.equal(
    JSON.stringify(readyJson("a", state, false)),
    '{"status":"success","alias":"a","healthy":true,"maintenanceMode":false,"writeQuorum":1,"healingDrives":0,"error":null}',
  );
  assert.match(readyText("a", state), /'a' is ready/);
  assert.match(readyText("a", { ...state, healthy: false, error: "refused" }), /unreachable: refused/);
});
