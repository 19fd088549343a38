import assert from "node:assert/strict";
import { test } from "node:test";
import { exportedTargets, mapArns } from "./arn-mapping.ts";
import { newTarget } from "./remote-target.ts";
import { newRule } from "./rule-edit.ts";

const OLD = "arn:minio:replication::old:dst";
const NEW = "arn:minio:replication::new:dst";
const config = { rules: [newRule({ id: "r", arn: OLD, prefix: "", disabled: false }, [])], role: "" };
const target = (endpoint: string, arn: string) => ({
  ...newTarget({ secure: false, endpoint, bucket: "dst" }, {}),
  arn,
});

test("ARNs of another server follow endpoint and bucket", () => {
  const origin = exportedTargets([target("b.example", OLD)]);
  const local = [target("c.example", "arn:minio:replication::other:dst"), target("b.example:80", NEW)];
  assert.equal(mapArns(config, origin, local).rules[0]?.destination, NEW);
});

test("without endpoints the bucket name decides when it is the only one", () => {
  assert.equal(mapArns(config, [], [target("b.example", NEW)]).rules[0]?.destination, NEW);
  assert.throws(() => mapArns(config, [], [target("b", NEW), target("c", "x")]), /no target for/);
  assert.throws(() => mapArns(config, [], []), /no target for/);
});

test("an ARN that is known here stays", () => {
  assert.deepEqual(mapArns(config, [], [target("b", OLD)]), config);
});
