/**
 * Runs every test and ends with `N passed, N failed`. Arguments: `unit` (beside the sources), `sim` (simulated
 * sites), `process` (starts servers), or file names; none: all. Tests run on the Node that this package installs.
 */
import { spawn } from "node:child_process";
import { globSync } from "node:fs";
import { resolve } from "node:path";

const root = resolve(import.meta.dirname, "..");
const GROUPS: Readonly<Record<string, readonly string[]>> = {
  unit: ["src/**/!(*.sim).test.ts", "tools/**/*.test.ts"],
  sim: ["src/**/*.sim.test.ts"],
  process: ["test/**/*.process.test.ts"],
};
/** A test that hangs is a failure with a name, not a run without an end. */
const FILE_TIMEOUT_MS = 6 * 60_000;
/** A group that is not done by then is stopped, and what was counted so far is told. */
const GROUP_TIMEOUT_MS = 40 * 60_000;
/** Servers and clients of one process test fill a core: more at a time only makes them slower. */
const CONCURRENCY: Readonly<Record<string, number>> = { unit: 2, sim: 1, process: 1 };

interface Count {
  passed: number;
  failed: number;
}

function run(files: readonly string[], concurrency: number): Promise<Count> {
  return new Promise((done) => {
    const child = spawn(
      process.execPath,
      // Not --test-force-exit: a file that still writes its results would lose those that the pipe has no room for.
      [
        "--test",
        `--test-timeout=${FILE_TIMEOUT_MS}`,
        `--test-concurrency=${concurrency}`,
        "--test-reporter=tap",
        ...files,
      ],
      {
        cwd: root,
        stdio: ["ignore", "pipe", "inherit"],
        env: { ...process.env, NODE_OPTIONS: "--disable-warning=ExperimentalWarning" },
      },
    );
    const count: Count = { passed: 0, failed: 0 };
    let rest = "";
    let failing = false;
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      const lines = (rest + text).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) {
        const total = /^# (pass|fail|cancelled) (\d+)$/.exec(line);
        if (total?.[1] === "pass") count.passed += Number(total[2]);
        else if (total !== null) count.failed += Number(total[2]);
        if (/^\s*not ok /.test(line)) failing = true;
        else if (/^\s*ok /.test(line)) failing = false;
        const skipped = /^\s*ok \d+ - .* # SKIP (.*)$/.exec(line);
        if (skipped !== null) process.stdout.write(`skipped: ${skipped[1]}\n`);
        if (failing) process.stdout.write(`${line}\n`);
      }
    });
    const late = setTimeout(() => {
      process.stdout.write("not ok: the group took too long\n");
      count.failed++;
      child.kill("SIGKILL");
    }, GROUP_TIMEOUT_MS);
    child.on("close", (code) => {
      clearTimeout(late);
      if (code !== 0 && count.failed === 0) count.failed = 1;
      done(count);
    });
  });
}

const asked = process.argv.slice(2);
const groups = asked.length === 0 ? Object.keys(GROUPS) : asked.filter((name) => GROUPS[name] !== undefined);
const named = asked.filter((name) => GROUPS[name] === undefined);
const sum: Count = { passed: 0, failed: 0 };
for (const group of groups) {
  const files = globSync([...(GROUPS[group] ?? [])], { cwd: root }).toSorted();
  process.stdout.write(`${group}: ${files.length} files\n`);
  const count = await run(files, CONCURRENCY[group] ?? 1);
  sum.passed += count.passed;
  sum.failed += count.failed;
}
if (named.length > 0) {
  const count = await run(named, 1);
  sum.passed += count.passed;
  sum.failed += count.failed;
}
process.stdout.write(`${sum.passed} passed, ${sum.failed} failed\n`);
process.exit(sum.failed === 0 && sum.passed > 0 ? 0 : 1);
