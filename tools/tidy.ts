/** The repository's own taste: file and line length, words that must not appear, unfinished marks. */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";

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

export function tidyFaults(): string[] {
  const list = execFileSync("git", ["ls-files", "src", "test", "tools", "bench", "console", "layers.ts"], {
    cwd: root,
    encoding: "utf8",
  });
  const faults: string[] = [];
  for (const name of list.split("\n").filter((line) => /\.(ts|tsx)$/.test(line))) {
    let text: string;
    try {
      text = readFileSync(join(root, name), "utf8");
    } catch {
      continue; // removed in the work tree, not yet in the index of git
    }
    const lines = text.split("\n");
    if (lines.length > (name.endsWith(".test.ts") ? TEST_LINES_MAX : LINES_MAX))
      faults.push(`${name}: ${lines.length} lines; which of its jobs can leave?`);
    lines.forEach((line, index) => {
      if (line.length > COLUMNS_MAX) faults.push(`${name}:${index + 1}: ${line.length} columns`);
      for (const [pattern, instead] of BANNED) if (pattern.test(line)) faults.push(`${name}:${index + 1}: ${instead}`);
    });
  }
  return faults;
}

if (process.argv[1] === import.meta.filename) {
  const faults = tidyFaults();
  for (const fault of faults) process.stdout.write(`${fault}\n`);
  process.stdout.write(faults.length === 0 ? "tidy: nothing to say\n" : `tidy: ${faults.length} faults\n`);
  process.exit(faults.length === 0 ? 0 : 1);
}
