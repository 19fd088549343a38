/**
 * Runs the simulator: `node src/sim/main.ts [--seeds N] [--seed S] [--from I] [--brief] [--trace]`. Without `--seed` the
 * seeds are numbers from `--from`; `--brief` runs are those of the tests. A failing seed is printed with what went wrong; `--seed` runs it again exactly, `--trace` shows its steps.
 */
import { parseArgs } from "node:util";
import { runSeed, type Report } from "./scenario.ts";

const { values } = parseArgs({
  options: {
    seeds: { type: "string", default: "200" },
    seed: { type: "string" },
    brief: { type: "boolean", default: false },
    from: { type: "string", default: "1" },
    trace: { type: "boolean", default: false },
  },
});

function show(report: Report): void {
  const { seed, profile, violations, trace } = report;
  process.stdout.write(`seed ${seed} FAILED\n  profile ${JSON.stringify(profile)}\n`);
  for (const { what, detail } of violations) process.stdout.write(`  ${what}: ${detail}\n`);
  if (values.trace) for (const line of trace) process.stdout.write(`    ${line}\n`);
}

const first = Number(values.from);
const seeds =
  values.seed === undefined ? Array.from({ length: Number(values.seeds) }, (_, i) => String(first + i)) : [values.seed];
const total = { operations: 0, troubles: 0, requests: 0, simulatedMs: 0, faults: 0 };
const failed: string[] = [];
const startedMs = performance.now();
for (const seed of seeds) {
  const report = await runSeed(seed, { brief: values.brief });
  total.operations += report.operations;
  total.troubles += report.troubles;
  total.requests += report.requests;
  total.simulatedMs += report.simulatedMs;
  total.faults += Object.values(report.faults).reduce((sum, count) => sum + count, 0);
  if (report.violations.length > 0) {
    failed.push(seed);
    show(report);
  } else if (values.seed !== undefined && values.trace)
    for (const line of report.trace) process.stdout.write(`    ${line}\n`);
}
const seconds = (performance.now() - startedMs) / 1000;
process.stdout.write(
  `${seeds.length} seeds in ${seconds.toFixed(1)} s (${(seeds.length / seconds).toFixed(1)} seeds/s): ${total.operations} operations, ` +
    `${total.faults} network faults and ${total.troubles} troubles injected, ${total.requests} requests, ${Math.round(total.simulatedMs / 60_000)} simulated minutes\n`,
);
process.stdout.write(failed.length === 0 ? "no violation\n" : `${failed.length} failing seeds: ${failed.join(" ")}\n`);
process.exit(failed.length === 0 ? 0 : 1);
