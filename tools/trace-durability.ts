/**
 * Shows, from the system calls of a real process, that a write is on disk before it is answered: `strace` watches a
 * child that writes an inline object, a small file and a large one through the storage layer, and the trace must have
 * file sync (after its last byte), rename, sync of the directory and the index's sync, in this order, before the answer.
 *
 *   node tools/trace-durability.ts
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const CALLS = "openat,write,pwrite64,writev,pwritev,ftruncate,fsync,fdatasync,rename,renameat,renameat2,linkat,close";

/** One finished system call; `path` is that of the descriptor or the first argument. */
interface Call {
  readonly name: string;
  readonly text: string;
  readonly path: string;
  readonly ok: boolean;
}

interface Step {
  readonly what: string;
  readonly matches: (call: Call, at: number) => boolean;
}

const synced = (call: Call): boolean => call.ok && (call.name === "fsync" || call.name === "fdatasync");

/** LMDB writes its pages, syncs, then writes the page that makes them count, through a descriptor that syncs by itself. */
function indexSteps(calls: readonly Call[]): Step[] {
  const opened = calls.find((call) => call.path.endsWith("/index/data.mdb") && call.text.includes("O_DSYNC"));
  const descriptor = /= (\d+)</.exec(opened?.text ?? "")?.[1] ?? "none";
  return [
    { what: "the index's pages are synced", matches: (call) => synced(call) && call.path.endsWith("/index/data.mdb") },
    {
      what: "its commit is written synced",
      matches: (call) => call.ok && call.text.startsWith(`pwrite64(${descriptor}<`),
    },
  ];
}

function stepsOf(answer: readonly string[], calls: readonly Call[]): Step[] {
  const [, , result, id = ""] = answer;
  if (result !== "committed") throw new Error(`the commit was not answered: ${answer.join(" ")}`);
  if (id === "inline") return indexSteps(calls);
  const changes = /write|truncate/;
  const staged = calls.findLastIndex((call) => changes.test(call.name) && call.path.endsWith(`/staging/${id}`));
  const named = `/blobs/${id.slice(0, 2)}/${id}`;
  return [
    {
      what: "the staged file is synced",
      matches: (call, at) => at > staged && synced(call) && call.path.endsWith(`/staging/${id}`),
    },
    {
      what: "it gets its name",
      matches: (call) => call.ok && call.name.startsWith("rename") && call.text.includes(named),
    },
    {
      what: "the directory is synced",
      matches: (call) => synced(call) && call.path.endsWith(`/blobs/${id.slice(0, 2)}`),
    },
    ...indexSteps(calls),
  ];
}

/** The calls in order of their end. Calls that strace shows in two lines, because others came between, are joined. */
function parse(trace: string): Call[] {
  const open = new Map<string, string>();
  const calls: Call[] = [];
  for (const line of trace.split("\n")) {
    const [, pid = "", rest = ""] = /^(\d+) +(?:\d+:\d+:\d+\.\d+ )?(.*)$/.exec(line) ?? [];
    const unfinished = /^(.*) <unfinished \.\.\.>$/.exec(rest);
    if (unfinished !== null) {
      open.set(pid, unfinished[1] ?? "");
      continue;
    }
    const resumed = /^<\.\.\. \w+ resumed>(.*)$/.exec(rest);
    const text = resumed === null ? rest : `${open.get(pid) ?? ""}${resumed[1] ?? ""}`;
    const name = /^(\w+)\(/.exec(text)?.[1];
    if (name === undefined) continue;
    const path = /^\w+\((?:AT_FDCWD[^,]*, )?(?:\d+<([^>]*)>|"([^"]*)")/.exec(text);
    calls.push({ name, text, path: path?.[1] ?? path?.[2] ?? "", ok: !/= -1 /.test(text) });
  }
  return calls;
}

/** The lines of one write, checked: what was found, and what is missing or out of order. */
function checkWrite(name: string, calls: readonly Call[]): { lines: string[]; faults: string[] } {
  const begin = calls.findIndex((call) => call.text.includes(`"BEGIN ${name}\\n"`));
  const end = calls.findIndex((call) => call.text.includes(`"ANSWER ${name} `));
  if (begin < 0 || end < begin) return { lines: [], faults: [`${name}: no begin or no answer in the trace`] };
  const answer = /"([^"]*)\\n"/.exec(calls[end]?.text ?? "")?.[1] ?? "";
  const lines = [name];
  const faults: string[] = [];
  let from = begin;
  for (const step of stepsOf(answer.split(" "), calls)) {
    const at = calls.findIndex((call, i) => i > from && i < end && step.matches(call, i));
    if (at < 0) faults.push(`${name}: not before the answer, or out of order: ${step.what}`);
    else lines.push(`  ${step.what.padEnd(30)} ${shortened(calls[at]?.text ?? "")}`);
    if (at >= 0) from = at;
  }
  lines.push(`  ${"the answer".padEnd(30)} ${shortened(calls[end]?.text ?? "")}`);
  return { lines, faults };
}

const shortened = (text: string): string => (text.length > 150 ? `${text.slice(0, 147)}...` : text);

function main(): number {
  const directory = mkdtempSync(join(tmpdir(), "resilver-trace-"));
  try {
    const traceFile = join(directory, "trace");
    const child = join(import.meta.dirname, "durability", "child.ts");
    const args = ["-f", "-y", "-s", "200", "-e", `trace=${CALLS}`, "-o", traceFile];
    const run = spawnSync("strace", [...args, process.execPath, child, join(directory, "site")], { encoding: "utf8" });
    if (run.error !== undefined) {
      process.stderr.write(
        "strace is not installed. Debian, Ubuntu: apt-get install strace; Fedora: dnf install strace\n",
      );
      return 2;
    }
    if (run.status !== 0) {
      process.stderr.write(`the traced child failed (${run.status}):\n${run.stderr}\n`);
      return 1;
    }
    const calls = parse(readFileSync(traceFile, "utf8"));
    const results = ["inline", "small-file", "large-file"].map((name) => checkWrite(name, calls));
    for (const { lines } of results) process.stdout.write(`${lines.join("\n")}\n`);
    const faults = results.flatMap((result) => result.faults);
    for (const fault of faults) process.stderr.write(`FAULT ${fault}\n`);
    process.stdout.write(faults.length === 0 ? "ok: every write was on disk before its answer\n" : "not durable\n");
    return faults.length === 0 ? 0 : 1;
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

process.exitCode = main();
