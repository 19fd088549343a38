import assert from "node:assert/strict";
import { test } from "node:test";
import { serverUrls } from "../ping.ts";
import type { Answer } from "./rounds.ts";
import { NO_ROUNDS, counted, roundObject, roundText, summaryObject, summaryText } from "./rounds.ts";

const ROUNDS: readonly Answer[] = [
  { ms: 2, error: "" },
  { ms: 0.1, error: "connection refused" },
  { ms: 4, error: "" },
  { ms: 0.1, error: "HTTP status 503" },
];
const totals = ROUNDS.reduce(counted, NO_ROUNDS);
const url = "http://h.example:9000";

test("times are those of answers; errors in a row end with an answer", () => {
  assert.deepEqual([totals.minMs, totals.maxMs, totals.sumMs, totals.answers], [2, 4, 6, 2]);
  assert.deepEqual([totals.errors, totals.errorsInARow, totals.lastError], [2, 1, "HTTP status 503"]);
});

test("rows of a round", () => {
  const answer = { ms: 4, error: "" };
  const failed = {
    url: "http://g.example",
    totals: counted(NO_ROUNDS, { ms: 1, error: "no such host" }),
    answer: { ms: 1, error: "no such host" },
  };
  assert.equal(
    roundText(3, [{ url, totals, answer }, failed]),
    "  3: http://h.example:9000  min=2.00ms  max=4.00ms  average=3.00ms  errors=2  roundtrip=4.00ms\n" +
      "  3: http://g.example  min=-  max=-  average=-  errors=1  roundtrip=no such host",
  );
  const object = JSON.stringify(roundObject(3, [{ url, totals, answer }, failed]));
  assert.match(
    object,
    /^\{"status":"success","counter":"  3","servers":\[\{"endpoint":\{"Scheme":"http",.*"Host":"h.example:9000"/,
  );
  assert.match(
    object,
    /"status":"ok ","error":"","time":"4.00ms","error-count":"2","roundtrip":"4.00ms"\}.*"status":"failed ","error":"no such host"/,
  );
});

test("the end", () => {
  const [, head, row] = summaryText([{ url, totals }]).split("\n");
  assert.match(head ?? "", /^Endpoint +Min +Avg +Max +Error +Count$/);
  assert.match(row ?? "", /^http:\/\/h.example:9000 +2.00ms +3.00ms +4.00ms +2 +4$/);
  assert.deepEqual(summaryObject([{ url, totals }]), {
    status: "success",
    serverMap: {
      "h.example:9000": {
        min: 2e6,
        max: 4e6,
        sum: 6e6,
        avg: 3e6,
        dns: 0,
        errorCount: 2,
        err: "HTTP status 503",
        counter: 4,
      },
    },
  });
});

test("servers of a cluster: all, one, and the alias's own address for one that is alone", () => {
  const alias = "https://front.example:9000";
  assert.deepEqual(serverUrls(alias, ["10.0.0.1:9000"], undefined), [alias]);
  assert.deepEqual(serverUrls(alias, [], "front.example:9000"), [alias]);
  assert.deepEqual(serverUrls(alias, ["10.0.0.1:9000"], "10.0.0.1:9000"), [alias]);
  assert.deepEqual(serverUrls(alias, ["n1:9000", "http://n2:9000"], undefined), ["https://n1:9000", "http://n2:9000"]);
  assert.deepEqual(serverUrls(alias, ["n1:9000", "n2:9000"], "n2:9000"), ["https://n2:9000"]);
  assert.throws(
    () => serverUrls(alias, ["n1:9000", "n2:9000"], "n3:9000"),
    /no server `n3:9000`. Known: n1:9000, n2:9000/,
  );
});
