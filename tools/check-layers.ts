/** Enforces layers.ts: import order between folders of src/, no cycles between files' folders, ambient modules only where allowed. */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { AMBIENT_EXCEPTIONS, AMBIENT_MODULES, LAYERS } from "../layers.ts";

const root = resolve(import.meta.dirname, "..");
const src = join(root, "src");
const IMPORT = /(?:^|\n)\s*(?:import|export)\s[^;]*?from\s+"([^"]+)"|import\(\s*"([^"]+)"\s*\)/g;

function files(dir: string): string[] {
  return readdirSync(dir, { withFileTypes: true }).flatMap((entry) => {
    const path = join(dir, entry.name);
    if (entry.isDirectory()) return files(path);
    return path.endsWith(".ts") ? [path] : [];
  });
}

/** Tests and contract suites may use what their subject may not: the test runner, temporary folders, fakes. */
const isTest = (path: string): boolean =>
  /\.(test|contract|bench)\.ts$|\/(contract|testing)\.ts$|\/testing\//.test(path);

export function layerFaults(): string[] {
  const faults: string[] = [];
  for (const file of files(src)) {
    const place = relative(src, file);
    const layer = place.split("/")[0] as (typeof LAYERS)[number];
    const rank = LAYERS.indexOf(layer);
    if (rank < 0) {
      faults.push(`${place}: folder ${layer} is not in layers.ts`);
      continue;
    }
    if (isTest(file)) continue;
    for (const match of readFileSync(file, "utf8").matchAll(IMPORT)) {
      const target = (match[1] ?? match[2]) as string;
      if (target.startsWith(".")) {
        const other = relative(src, resolve(dirname(file), target)).split("/")[0] as (typeof LAYERS)[number];
        if (LAYERS.indexOf(other) > rank) faults.push(`${place}: ${layer} must not import ${other} (${target})`);
      } else if ((AMBIENT_MODULES as readonly string[]).includes(target) && layer !== "runtime") {
        const allowed = Object.keys(AMBIENT_EXCEPTIONS).some((prefix) => place.startsWith(`${prefix}/`));
        if (!allowed) faults.push(`${place}: ${target} belongs to runtime/ (see layers.ts)`);
      }
    }
  }
  return faults;
}

if (process.argv[1] === import.meta.filename) {
  const faults = layerFaults();
  for (const fault of faults) process.stdout.write(`${fault}\n`);
  process.stdout.write(faults.length === 0 ? "layers: in order\n" : `layers: ${faults.length} faults\n`);
  process.exit(faults.length === 0 ? 0 : 1);
}
