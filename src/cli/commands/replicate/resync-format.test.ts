import assert from "node:assert/strict";
import { test } from "node:test";
import {
  isClean,
  isFinal,
  resyncJson,
  resyncProgressLine,
  resyncStartText,
  resyncStatusText,
} from "./resync-format.ts";

const ARN = "arn:minio:replication::id:dst";
const done = {
  arn: ARN,
  resetid: "ID",
  startTime: "2026-11-23T00:43:54.733149345Z",
  endTime: "2026-11-23T00:43:58.174159343Z",
  resyncStatus: "Completed",
  completedReplicationSize: 26_223_218,
  failedReplicationSize: 0,
  failedReplicationCount: 2,
  replicationCount: 9,
  bucket: "src",
  object: "s-sha256",
};

test("the text of status is the captured one", () => {
  assert.equal(
    resyncStatusText({ target: [done] }),
    [
      "Resync status summary:",
      `● ${ARN}`,
      "   Status: Completed",
      "   Replication Status | Size (Bytes)    | Count",
      "   Replicated         | 25 MiB          | 9",
      "   Failed             | 0 B             | 2",
    ].join("\n"),
  );
  assert.equal(resyncStatusText({}), "No replication resync status available.");
});

test("the JSON of status is the captured one, zero counters dropped", () => {
  assert.equal(
    JSON.stringify(resyncJson("status", "a/src", { target: [done] })),
    `{"op":"status","url":"a/src","resyncInfo":{"target":[{"arn":"${ARN}","resetid":"ID",` +
      `"startTime":"2026-11-23T00:43:54.733149345Z","endTime":"2026-11-23T00:43:58.174159343Z",` +
      `"resyncStatus":"Completed","completedReplicationSize":26223218,"failedReplicationCount":2,` +
      `"replicationCount":9,"bucket":"src","object":"s-sha256"}]},"status":"success","targetArn":""}`,
  );
  assert.deepEqual(resyncJson("status", "a/src", {})["resyncInfo"], {});
});

test("the JSON and the line of start are the captured ones", () => {
  const zero = {
    completedReplicationSize: 0,
    failedReplicationSize: 0,
    failedReplicationCount: 0,
    replicationCount: 0,
  };
  const never = "0001-01-01T00:00:00Z";
  const started = { arn: ARN, resetid: "ID", startTime: never, endTime: never, ...zero };
  assert.equal(
    JSON.stringify(resyncJson("start", "a/src", { target: [started] })),
    `{"op":"start","url":"a/src","resyncInfo":{"target":[{"arn":"${ARN}","resetid":"ID",` +
      `"startTime":"${never}","endTime":"${never}"}]},"status":"success","targetArn":""}`,
  );
  assert.equal(resyncStartText("a/src", "ID"), "Replication reset started for a/src with ID ID");
});

test("a watch line names state, counts and rate; failures are not clean", () => {
  assert.equal(resyncProgressLine(done, 0), "Completed: 9 versions (25 MiB), 2 failed, 7.6 MB/s, 3s, s-sha256");
  assert.ok(isFinal(done) && !isClean(done));
  assert.ok(isClean({ ...done, failedReplicationCount: 0 }));
  assert.ok(!isFinal({ ...done, resyncStatus: "Ongoing" }));
});

test("what a server counts ahead is shown: total, time left, damage and the closing check", () => {
  const detail = {
    phase: "compare",
    total: 40,
    done: 10,
    sent: 4,
    alreadyEqual: 5,
    notReplicable: 1,
    onlyAtTarget: 0,
    bytes: 1024,
    versionsPerSecond: 5,
    eta: 6,
    damage: { examined: 40, missing: 3, corrupt: 1 },
  };
  const running = { ...done, ...detail, resyncStatus: "Ongoing", failedReplicationCount: 0 };
  assert.match(
    resyncProgressLine(running, Date.parse("2026-11-23T00:43:58.733Z")),
    /^Ongoing \(compare\): 10 of 40 .* 6s left/,
  );
  const text = resyncStatusText({ target: [running] });
  assert.match(text, /\n {3}Progress: 10 of 40 versions, 5 a second, 6s left \(compare\)\n/);
  assert.match(text, /\n {3}Damage at the target: 3 missing, 1 corrupt of 40 examined$/);
  const ended = { ...running, resyncStatus: "Completed", verify: { compared: 40, different: 2 } };
  assert.match(resyncStatusText({ target: [ended] }), /\n {3}Ended: \[?2026-11-23 /);
  assert.doesNotMatch(text, /Ended/);
  assert.match(resyncStatusText({ target: [ended] }), /Verified: 2 of 40 versions differ$/);
  const but = { ...ended, verify: { level: "metadata", compared: 40, different: 0, exempt: 3 } };
  assert.match(resyncStatusText({ target: [but] }), /Verified: equal but for 3 that cannot be replicated, 40 versions/);
  const part = { ...but, outOfScope: 2 };
  assert.match(
    resyncStatusText({ target: [part] }),
    /, 40 versions compared at level metadata; 2 were left out, as asked for/,
  );
  const limited = { ...running, limits: { bytesPerSecond: 20 * 1024, inFlight: 1 } };
  const shown = resyncStatusText({ target: [limited] });
  assert.match(shown, /Limits: at most 20 KiB\/s, 1 version at a time$/);
  const none = { ...ended, outOfScope: 7, verify: { level: "metadata", compared: 0, different: 0 } };
  assert.match(
    resyncStatusText({ target: [none] }),
    /Verified: there was nothing to compare; 7 were left out, as asked for$/,
  );
  const sample = { key: "a", versionId: "v", reason: "AccessDenied" };
  const both = { ...ended, samples: [sample], verify: { ...ended.verify, samples: [sample, { ...sample, key: "b" }] } };
  assert.deepEqual(resyncStatusText({ target: [both] }).match(/[ab] \(v\)/g), ["a (v)", "b (v)"]);
  const failedCheck = { ...ended, verified: false };
  const passedCheck = { ...ended, verified: true };
  assert.deepEqual([isClean(failedCheck), isClean(passedCheck)], [false, true]);
});

test("a job that waits for its target says so, since when and why", () => {
  const targetAway = { since: "2026-11-23T00:44:00Z", reason: "connect ECONNREFUSED" };
  const more = { phase: "compare", total: 9, done: 3, sent: 3, bytes: 0, versionsPerSecond: 1, targetAway };
  const waiting = { ...done, ...more, resyncStatus: "Ongoing", alreadyEqual: 0, notReplicable: 0, onlyAtTarget: 0 };
  const away = /the target is away since 2026-11-23 00:44:00 UTC \(connect ECONNREFUSED\)/;
  assert.match(resyncStatusText({ target: [waiting] }), new RegExp(`Waiting: ${away.source}; it goes on by itself`));
  assert.match(resyncProgressLine(waiting, 0), away);
});
