import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, mock, test } from "node:test";
import { startWorkers, type ProcessMessage } from "./processes.ts";

let dir: string;
let script: string;
before(() => {
  dir = mkdtempSync(join(tmpdir(), "resilver-processes-"));
  script = join(dir, "worker.mjs");
  writeFileSync(script, "process.send({ metricsWanted: String(process.pid) }); process.send({ ready: true });");
});
after(() => rmSync(dir, { recursive: true, force: true }));

/** Processes that tell their id and wait. */
async function started(count: number) {
  const ids: number[] = [];
  const seen = { forks: 0, warned: () => undefined as void };
  const workers = await startWorkers({
    script,
    args: [],
    get env() {
      seen.forks++;
      return process.env;
    },
    count,
    onMessage: (message: ProcessMessage) => {
      if ("metricsWanted" in message) ids.push(Number(message.metricsWanted));
    },
    greeting: () => undefined,
    warn: () => seen.warned(),
  });
  return { workers, ids, seen };
}

/** Ends a process; nobody here hears of it before this returns. */
function killUnheard(id: number): void {
  process.kill(id, "SIGKILL");
  while (!/\) Z/.test(readFileSync(`/proc/${id}/stat`, "utf8")));
}

test("what is told to a process that has just died is no fault of the one that tells it", async () => {
  const { workers, ids } = await started(1);
  try {
    killUnheard(ids[0] as number);
    workers.broadcast({ config: true });
    await new Promise((resolve) => setImmediate(resolve));
  } finally {
    await workers.stop();
  }
});

test("a process that died just before the end is not started again after it", async () => {
  const { workers, ids, seen } = await started(1);
  mock.timers.enable({ apis: ["setTimeout"] });
  try {
    const warned = new Promise<void>((resolve) => (seen.warned = resolve));
    process.kill(ids[0] as number, "SIGKILL");
    await warned;
    await workers.stop();
    mock.timers.tick(60_000);
    assert.equal(seen.forks, 1);
  } finally {
    mock.timers.reset();
    await workers.stop();
  }
});
