/**
 * Runs the S3 conformance kit that lies beside this repository against servers of its own (the suite over HTTP and
 * over TLS, two SDKs), and fails when a test does not pass that passed before. What passes is in test/conformance/.
 *
 *     npm run conformance               fails on a regression; without the kit it says so and is content
 *     npm run conformance -- --update   runs all twice and writes what passed both times into the lists
 *
 * CONFORMANCE_KIT names the kit's folder, CONFORMANCE_CACHE where its Python packages go.
 */
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { cleanUp, ROOT_SECRET, ROOT_USER, startServer } from "../test/support/server.ts";

const root = resolve(import.meta.dirname, "..");
const kit = resolve(process.env["CONFORMANCE_KIT"] ?? join(root, "..", "shared", "conformance"));
const cache = resolve(process.env["CONFORMANCE_CACHE"] ?? join(root, ".cache", "conformance"));
/** One run of the kit takes a minute or two on two cores; the first also installs packages. */
const RUN_MS_MAX = 6 * 60_000;
const KMS_KEY = `testkey-1:${Buffer.alloc(32, 7).toString("base64")}`;

/** The suite over HTTP, the part of it that needs TLS, and the kit's two SDK programs. */
type Part = "http" | "tls" | "sdk";
const SDKS = ["boto3", "minio"] as const;

interface Outcome {
  readonly passed: ReadonlySet<string>;
  /** Reasons by test. */
  readonly failed: ReadonlyMap<string, string>;
}

const say = (line: string): void => void process.stdout.write(`conformance: ${line}\n`);
const listFile = (part: Part): string => join(root, "test", "conformance", `passes-${part}.txt`);

function lines(file: string): string[] {
  return existsSync(file) ? readFileSync(file, "utf8").split("\n").filter(Boolean) : [];
}

/** Names of the tests of a list that are not in another: over TLS only those run that HTTP leaves open. */
function without(tests: Iterable<string>, others: Iterable<string>): string[] {
  const known = new Set(others);
  return [...tests].filter((test) => !known.has(test)).toSorted();
}

/** Runs a part of the kit against a new, empty server; `only` restricts the suite to these tests. */
function run(part: Part, only?: readonly string[]): Promise<Outcome> {
  return part === "sdk" ? runSdks() : runSuite(part, only);
}

/** One program after the other; their steps are named `boto3: ...` and `minio: ...`. */
async function runSdks(): Promise<Outcome> {
  const passed = new Set<string>();
  const failed = new Map<string, string>();
  for (const sdk of SDKS) {
    try {
      const { port } = await startServer({ env: { RESILVER_KMS_SECRET_KEY: KMS_KEY } });
      const log = await runKit("sdk/run.sh", ["127.0.0.1", String(port), ROOT_USER, ROOT_SECRET, sdk], {});
      for (const [, step] of log.matchAll(/^PASS (.*)$/gm)) passed.add(`${sdk}: ${step}`);
      for (const [, step, why] of log.matchAll(/^FAIL (.*?) {2}-- (.*)$/gm)) failed.set(`${sdk}: ${step}`, why ?? "");
      if (![...passed, ...failed.keys()].some((step) => step.startsWith(sdk)))
        throw new Error(`the kit did not run:\n${log}`);
    } finally {
      await cleanUp();
    }
  }
  return { passed, failed };
}

async function runSuite(wire: "http" | "tls", only?: readonly string[]): Promise<Outcome> {
  const out = mkdtempSync(join(tmpdir(), "resilver-conformance-"));
  const certs = join(root, "test", "support", "certs");
  try {
    const server = await startServer({
      env: { RESILVER_KMS_SECRET_KEY: KMS_KEY },
      args: wire === "tls" ? ["--certs-dir", certs] : [],
    });
    const args = ["127.0.0.1", String(server.port), ROOT_USER, ROOT_SECRET];
    if (only !== undefined) args.push("-k", only.map((test) => test.slice(test.indexOf("::") + 2)).join(" or "));
    const log = await runKit("run.sh", args, { CONFORMANCE_OUT: out, CONFORMANCE_TLS: wire === "tls" ? "1" : "0" });
    await server.stop();
    if (!existsSync(join(out, "passed.txt"))) throw new Error(`the kit did not run:\n${log}`);
    const failed = lines(join(out, "failed.txt")).map((line) => line.split("\t") as [string, string]);
    return { passed: new Set(lines(join(out, "passed.txt"))), failed: new Map(failed) };
  } finally {
    await cleanUp();
    rmSync(out, { recursive: true, force: true });
  }
}

/** Resolves with what the kit printed, whatever the tests said. */
function runKit(script: string, args: readonly string[], env: Record<string, string>): Promise<string> {
  // A process group of its own: ending the script alone would leave its workers, and wait for them.
  const child = spawn(join(kit, script), args, {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, CONFORMANCE_CACHE: cache, ...env },
    detached: true,
  });
  const limit = setTimeout(() => child.pid !== undefined && process.kill(-child.pid, "SIGKILL"), RUN_MS_MAX);
  let log = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (log += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (log += text));
  return new Promise((done, fail) => {
    child.on("error", fail);
    child.on("close", () => {
      clearTimeout(limit);
      done(log);
    });
  });
}

/** Runs the expected tests of one part; those that fail get a second chance, since a busy machine fails some by time. */
async function check(part: Part): Promise<boolean> {
  const expected = lines(listFile(part));
  if (expected.length === 0) return true;
  const first = await run(part, part !== "tls" ? undefined : expected);
  const open = expected.filter((test) => !first.passed.has(test));
  const second = open.length === 0 ? undefined : await run(part, open);
  const regressions = open.filter((test) => second?.passed.has(test) !== true);
  for (const test of regressions) say(`REGRESSION (${part}): ${test}: ${second?.failed.get(test) ?? "no result"}`);
  const more = without(first.passed, expected);
  for (const test of more) say(`passes anew (${part}): ${test}`);
  say(`${part}: ${expected.length - regressions.length} of ${expected.length} expected tests hold`);
  return regressions.length === 0;
}

/** What passes in each of two runs. */
async function passesTwice(part: Part): Promise<string[]> {
  const first = await run(part);
  for (const [test, reason] of first.failed) say(`fails (${part}): ${test}: ${reason}`);
  const again = await run(part);
  return [...first.passed].filter((test) => again.passed.has(test)).toSorted();
}

async function update(): Promise<void> {
  const http = await passesTwice("http");
  const tls = without(await passesTwice("tls"), http);
  const sdk = await passesTwice("sdk");
  for (const [part, tests] of [["http", http] as const, ["tls", tls] as const, ["sdk", sdk] as const]) {
    writeFileSync(listFile(part), tests.map((test) => `${test}\n`).join(""));
    say(`${part}: ${tests.length} tests pass`);
  }
}

if (!existsSync(join(kit, "run.sh"))) {
  say(`there is no kit in ${kit}: nothing was run`);
} else if (process.argv.includes("--update")) {
  await update();
} else {
  const held = [await check("http"), await check("tls"), await check("sdk")];
  process.exitCode = held.every(Boolean) ? 0 : 1;
}
