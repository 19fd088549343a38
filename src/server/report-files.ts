/** Reports of ended resyncs as files below `DIR/reports/`: for people; what the site answers comes from its index. */
import { mkdir, readdir, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";

/** The oldest go. */
const REPORTS_MAX = 1000;

/** Never rejects: a report that cannot be written as a file is still in the index, and `warn` hears of it. */
export function reportFiles(
  dir: string,
  warn: (message: string, error: unknown) => void,
): (name: string, text: string) => Promise<void> {
  const folder = join(dir, "reports");
  return async (name, text) => {
    try {
      await mkdir(folder, { recursive: true, mode: 0o700 });
      const path = join(folder, name);
      await writeFile(`${path}.new`, text, { mode: 0o600 });
      await rename(`${path}.new`, path);
      await removeOldest(folder);
    } catch (error) {
      warn("the report of a resync could not be written as a file", error);
    }
  };
}

async function removeOldest(folder: string): Promise<void> {
  const names = await readdir(folder);
  if (names.length <= REPORTS_MAX) return;
  const dated = await Promise.all(
    names.map(async (name) => ({ name, mtimeMs: (await stat(join(folder, name))).mtimeMs })),
  );
  dated.sort((a, b) => a.mtimeMs - b.mtimeMs);
  for (const { name } of dated.slice(0, names.length - REPORTS_MAX)) await rm(join(folder, name), { force: true });
}
