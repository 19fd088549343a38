import assert from "node:assert/strict";
import { test } from "node:test";
import { newTarget } from "./remote-target.ts";
import { asVersion2, nodesText, statusJson, statusText } from "./status-format.ts";

const ARN = "arn:minio:replication::id:dst";
const queued = {
  curr: { count: 0, bytes: 0 },
  avg: { count: 0.09, bytes: 262_144 },
  max: { count: 1, bytes: 5_246_706 },
};
const failed = {
  lastMinute: { count: 0, bytes: 0 },
  lastHour: { count: 3, bytes: 10_488_233 },
  totals: { count: 3, bytes: 10_488_233 },
};
const metrics = asVersion2({
  uptime: 536,
  currStats: {
    Stats: { [ARN]: { completedReplicationSize: 26_220_599, replicationCount: 10, failed, limitInBits: 0 } },
    completedReplicationSize: 26_220_599,
    replicationCount: 10,
    queued,
    failed,
  },
  queueStats: {
    nodes: [
      {
        nodeName: "a.example:9000",
        uptime: 536,
        activeWorkers: { curr: 0, avg: 0.05, max: 1 },
        transferSummary: {
          Large: { currRate: 0, avgRate: 0, peakRate: 0 },
          Small: { currRate: 0, avgRate: 1_189_268.3, peakRate: 2_622_814.17 },
          Total: { currRate: 0, avgRate: 1_189_268.3, peakRate: 2_622_814.17 },
        },
        tgtTransferStats: { [ARN]: { Large: {}, Small: {}, Total: {} } },
      },
    ],
  },
});
const target = {
  ...newTarget({ secure: false, endpoint: "b.example:9000", bucket: "dst" }, {}),
  arn: ARN,
  isOnline: true,
  totalDowntime: 0,
  latency: { curr: 6_134_105, avg: 1_075_190, max: 52_564_423 },
};

test("what waits, fails or cannot go is shown when there is any", () => {
  const stats = {
    state: "UNREACHABLE",
    reason: "away since 2026-11-23T00:43:10.000Z: connect ECONNREFUSED",
    probe: { fault: "The replication user lacks s3:ReplicateObject" },
    pendingReplicationCount: 3,
    pendingReplicationSize: 30,
    oldestPending: "2026-11-23T00:43:10Z",
    failedReplicationCount: 2,
    failedReplicationSize: 20,
    notReplicableCount: 1,
    notReplicableSize: 10,
  };
  const lines = statusText(asVersion2({ currStats: { Stats: { [ARN]: stats } } }), [target]).split("\n");
  const line = (name: string): string | undefined => lines.find((text) => text.startsWith(`  ${name}:`));
  assert.match(line("Pending") ?? "", /3 objects \(30 B\), oldest of .*2026/);
  assert.match(line("Failing") ?? "", /2 objects \(20 B\)$/);
  assert.match(line("Not replicable") ?? "", /1 objects \(10 B\), see `mc replicate backlog`$/);
  assert.match(line("State") ?? "", /UNREACHABLE/);
  assert.match(line("Reason") ?? "", /away since .*: connect ECONNREFUSED$/);
  assert.match(line("Probe") ?? "", /lacks s3:ReplicateObject/);
});

test("the text has the captured lines", () => {
  assert.deepEqual(statusText(metrics, [target]).split("\n"), [
    "  Replication status since 8 minutes",
    "  b.example:9000",
    "  Replicated:                   10 objects (25 MiB)",
    "  Queued:                       ● 0 objects, 0 B (avg: 0 objects, 256 KiB ; max: 1 objects, 5.0 MiB)",
    "  Workers:                      0 (avg: 0; max: 1)",
    "  Transfer Rate:                0 B/s (avg: 1.2 MB/s; max: 2.6 MB/s)",
    "  Latency:                      6ms (avg: 1ms; max: 53ms)",
    "  Link:                         ● online (total downtime: 0 milliseconds)",
    "  Errors:                       0 in last 1 minute; 3 in last 1hr; 3 since uptime",
  ]);
});

test("several targets are summed up, none too", () => {
  assert.match(
    statusText(metrics, [target, { ...target, arn: "other" }]),
    /\n {2}Summary\n {2}Replicated: +10 objects/,
  );
  assert.match(statusText(metrics, []), /Summary/);
});

test("what waits for one target is not said to wait for another", () => {
  const curr = { count: 4, bytes: 1024 };
  const Stats = { [ARN]: { queued: { curr: { count: 0, bytes: 0 } } }, other: { queued: { curr } } };
  const text = statusText({ currStats: { Stats, queued: { curr } } }, [target, { ...target, arn: "other" }]);
  const queued = text.split("\n").filter((line) => line.startsWith("  Queued:"));
  assert.deepEqual(
    queued.map((line) => /● (\d+) objects/.exec(line)?.[1]),
    ["0", "4", "4"],
  );
});

test("what is still to do is shown where the server counts it", () => {
  const counted = {
    ...metrics,
    currStats: { Stats: { [ARN]: { pendingReplicationCount: 4, pendingReplicationSize: 1024 } } },
  };
  assert.match(statusText(counted, [target]), /\n {2}Pending: +4 objects \(1\.0 KiB\)\n/);
});

test("the JSON has the members of both generations", () => {
  const json = JSON.parse(JSON.stringify(statusJson("a/src", metrics, [target]))) as {
    op: string;
    replicationstats: {
      uptime: number;
      completedReplicationSize: number;
      downtimeInfo: null;
      currStats: { queued: { peak: { count: number } }; replicationCount: number };
    };
    remoteTargets: unknown[];
  };
  assert.equal(json.op, "status");
  assert.equal(json.replicationstats.uptime, 536);
  assert.equal(json.replicationstats.completedReplicationSize, 26_220_599);
  assert.equal(json.replicationstats.downtimeInfo, null);
  assert.equal(json.replicationstats.currStats.queued.peak.count, 1);
  assert.equal(json.replicationstats.currStats.replicationCount, 10);
  assert.equal(json.remoteTargets.length, 1);
});

test("an answer of version 1 and the table of nodes", () => {
  assert.equal(asVersion2({ replicationCount: 3 }).currStats.replicationCount, 3);
  assert.match(nodesText(metrics), /^Node Name +Uptime +Label .*\na\.example:9000 +8 minutes +Large Objects +0 B\/s/);
});
