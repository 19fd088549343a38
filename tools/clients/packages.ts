/** Versions of npm packages as installed here. */
import { readFileSync } from "node:fs";
import { resolve } from "node:path";

export function packageVersion(name: string): string | undefined {
  try {
    const file = resolve(import.meta.dirname, "../../node_modules", name, "package.json");
    return (JSON.parse(readFileSync(file, "utf8")) as { version: string }).version;
  } catch {
    return undefined;
  }
}
