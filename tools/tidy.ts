/** The repository's own taste: file and line length, words that must not appear, unfinished marks, error codes. */
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { ERROR_CODES } from "../src/protocol/s3-errors.ts";

const root = resolve(import.meta.dirname, "..");
const LINES_MAX = 600;
/** A table of cases may be longer than code. */
const TEST_LINES_MAX = 700;
/** The formatter keeps code within 120; only literals that cannot be broken are longer. */
const COLUMNS_MAX = 200;
/** Pattern and what to do instead. Built from pieces so that this file does not find itself. */
const BANNED: readonly (readonly [RegExp, string])[] = [
  [new RegExp(`\\b(${["TO" + "DO", "FIX" + "ME", "XX" + "X"].join("|")})\\b`), "finish it, or say so in the limits"],
  [new RegExp(`@ts-${"ignore"}|\\bas an${"y"}\\s*(?=[;,)\\]}>]|$)|: an${"y"}\\s*[;,)\\]=>|&]`), "give it a type"],
  [new RegExp(`\\b(test|it|describe)\\.(sk${"ip"}|on${"ly"})\\(`), "a test runs, or is removed with its reason"],
  [new RegExp(`/wo${"rk"}/(main|shared)`), "no machine paths"],
];

/** Empty for a file that is removed in the work tree and not yet in the index of git. */
function textOf(name: string): string {
  const path = join(root, name);
  return existsSync(path) ? readFileSync(path, "utf8") : "";
}

export function tidyFaults(): string[] {
  const list = execFileSync("git", ["ls-files", "src", "test", "tools", "bench", "console", "layers.ts"], {
    cwd: root,
    encoding: "utf8",
  });
  const faults: string[] = [];
  for (const name of list.split("\n").filter((line) => /\.(ts|tsx)$/.test(line))) {
    const lines = textOf(name).split("\n");
    if (lines.length > (name.endsWith(".test.ts") ? TEST_LINES_MAX : LINES_MAX))
      faults.push(`${name}: ${lines.length} lines; which of its jobs can leave?`);
    lines.forEach((line, index) => {
      if (line.length > COLUMNS_MAX) faults.push(`${name}:${index + 1}: ${line.length} columns`);
      for (const [pattern, instead] of BANNED) if (pattern.test(line)) faults.push(`${name}:${index + 1}: ${instead}`);
    });
  }
  return faults;
}

/** Codes of the token service alone, which has a table of its own. */
const STS_CODES: readonly string[] = ["MissingParameter"];

/** A code that is thrown and not in the table is answered as 500; one of the table that nothing names is never answered. */
export function errorCodeFaults(): string[] {
  const list = execFileSync("git", ["ls-files", "src"], { cwd: root, encoding: "utf8" }).split("\n");
  const named = new Set<string>();
  const thrown = new Set<string>();
  for (const name of list.filter((file) => /(?<!\.test|s3-errors)\.ts$/.test(file))) {
    const text = textOf(name);
    for (const [word] of text.matchAll(/(?<=")[\w.:]+(?=")/g)) named.add(word);
    for (const [, code] of text.matchAll(/new StoreError\(\s*"([\w.:]+)"/g)) thrown.add(code as string);
  }
  const known = new Set([...ERROR_CODES, ...STS_CODES]);
  return [
    ...[...thrown]
      .filter((code) => !known.has(code))
      .map((code) => `${code}: thrown, but not in protocol/s3-errors.ts`),
    ...ERROR_CODES.filter((code) => !named.has(code)).map(
      (code) => `${code}: in protocol/s3-errors.ts, never answered`,
    ),
  ];
}

if (process.argv[1] === import.meta.filename) {
  const faults = [...tidyFaults(), ...errorCodeFaults()];
  for (const fault of faults) process.stdout.write(`${fault}\n`);
  process.stdout.write(faults.length === 0 ? "tidy: nothing to say\n" : `tidy: ${faults.length} faults\n`);
  process.exit(faults.length === 0 ? 0 : 1);
}
