/** Every check of the repository in one command: types, lint, layers, tidy. Tests: `npm test`. */
import { spawnSync } from "node:child_process";
import { join, resolve } from "node:path";

const root = resolve(import.meta.dirname, "..");
const bin = (name: string): string => join(root, "node_modules", ".bin", name);
const STEPS: readonly (readonly [string, string, readonly string[]])[] = [
  ["types", bin("tsc"), ["-p", "tsconfig.json"]],
  ["lint", bin("oxlint"), ["--quiet"]],
  ["layers", process.execPath, ["tools/check-layers.ts"]],
  ["tidy", process.execPath, ["tools/tidy.ts"]],
];

let failed = 0;
for (const [name, command, args] of STEPS) {
  const { status } = spawnSync(command, args, { cwd: root, stdio: "inherit" });
  process.stdout.write(`${status === 0 ? "ok" : "FAILED"} ${name}\n`);
  if (status !== 0) failed++;
}
process.exit(failed === 0 ? 0 : 1);
