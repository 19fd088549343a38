import assert from "node:assert/strict";
import { test } from "node:test";
import { MetricsRegistry } from "../observe/metrics.ts";
import { systemClock } from "../runtime/clock.ts";
import { systemRandom } from "../runtime/random.ts";
import { GatheredMetrics } from "./gather-metrics.ts";
import type { MetricsMessage } from "./processes.ts";

/** Processes that hear each other; those of `deaf` hear nothing. */
function processes(count: number, deaf: readonly number[] = []): GatheredMetrics[] {
  const all: GatheredMetrics[] = [];
  for (let self = 0; self < count; self++) {
    const registry = new MetricsRegistry({ process: String(self) });
    registry.counter({ name: "calls_total", help: "Calls.", v2: "node" }).add({ api: "get" }, self + 1);
    all.push(
      new GatheredMetrics({
        registry,
        others: count - 1,
        clock: systemClock(),
        random: systemRandom,
        tellOthers(message) {
          // As between processes: what arrives is a copy.
          const copy = JSON.parse(JSON.stringify(message)) as MetricsMessage;
          all.forEach((other, at) => {
            if (at !== self && !deaf.includes(at)) void other.told(copy);
          });
        },
      }),
    );
  }
  return all;
}

const calls = async (one: GatheredMetrics | undefined): Promise<[string | undefined, number][]> => {
  const families = (await one?.families()) ?? [];
  assert.equal(new Set(families.map(({ name }) => name)).size, families.length, "each name once");
  const found = families.find(({ name }) => name === "calls_total")?.samples ?? [];
  return found.map(({ labels, value }): [string | undefined, number] => [labels["process"], value]).sort();
};

test("whichever process is asked, all answer, also when several are asked at once", async () => {
  const all = processes(3);
  const expected = [
    ["0", 1],
    ["1", 2],
    ["2", 3],
  ];
  for (const found of await Promise.all(all.map(calls))) assert.deepEqual(found, expected);
  assert.deepEqual(await calls(processes(1)[0]), [["0", 1]]);
});

test("one that does not answer is left out, and nothing waits for it for long", async () => {
  assert.deepEqual(await calls(processes(3, [2])[0]), [
    ["0", 1],
    ["1", 2],
  ]);
});
