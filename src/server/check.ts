/** `resilver check DIR`: looks a data directory through that no server has open. Exit codes: 0 sound, 3 faults, 1 failed, 2 usage. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { createObjects } from "../objects/create.ts";
import { systemClock } from "../runtime/clock.ts";
import { systemRandom } from "../runtime/random.ts";
import { openBlobStore } from "../storage/blobs/store.ts";
import { digestsReady, rebuildDigests } from "../storage/digests.ts";
import { fileRowsReady, rebuildFileRows } from "../storage/file-rows.ts";
import { openLmdbIndex } from "../storage/index/lmdb/index.ts";
import { openLmdbReader } from "../storage/index/lmdb/reader.ts";
import type { OrderedIndex } from "../storage/index/index.ts";
import { checkDirectory, type DirectoryResult, type Fault } from "../verify/directory.ts";
import {
  explainedDamage,
  lockDataDirectory,
  mayWrite,
  openDataDirectory,
  raiseFormat,
  refuseDamagedIndex,
  requireUsable,
  refuseServed,
} from "./data-directory.ts";
import { UsageError } from "./settings.ts";

const EXIT = { sound: 0, faults: 3 } as const;

interface Asked {
  readonly dir: string;
  readonly deep: boolean;
  readonly rebuild: boolean;
  readonly json: boolean;
}

function asked(argv: readonly string[]): Asked {
  const options = { deep: { type: "boolean" }, rebuild: { type: "boolean" }, json: { type: "boolean" } } as const;
  let parsed;
  try {
    parsed = parseArgs({ args: [...argv], options, allowPositionals: true });
  } catch (error) {
    throw new UsageError(`${(error as Error).message}. Type: resilver check [--deep] [--rebuild] [--json] DIR`);
  }
  const [dir, ...more] = parsed.positionals;
  if (dir === undefined || more.length > 0)
    throw new UsageError("type: resilver check [--deep] [--rebuild] [--json] DIR");
  const { deep = false, rebuild = false, json = false } = parsed.values;
  return { dir, deep, rebuild, json };
}

const print = (text: string): void => void process.stdout.write(`${text}\n`);

function progress(text: string): void {
  if (process.stderr.isTTY === true) process.stderr.write(`\r\u001b[2K${text}`);
}

/** Returns the exit code. Throws UsageError. */
export async function runCheck(argv: readonly string[]): Promise<number> {
  const { dir, deep, rebuild, json } = asked(argv);
  if (!existsSync(join(dir, "format.json"))) throw new UsageError(`${dir} is no data directory of Resilver`);
  const format = openDataDirectory(dir);
  const readOnly = !mayWrite(dir);
  if (readOnly && rebuild) throw new UsageError(`${dir} cannot be written: --rebuild needs that`);
  const lock = readOnly ? await refuseServed(dir) : await lockDataDirectory(dir);
  refuseDamagedIndex(dir, format);
  if (!readOnly) requireUsable(dir);
  const path = join(dir, "index");
  const index = readOnly ? openLmdbReader({ path }) : await openLmdbIndex({ path });
  try {
    if (rebuild) {
      raiseFormat(dir, format);
      await rebuildDigests(index, (versions) => progress(`digests: ${versions} versions`));
      await rebuildFileRows(index, (versions) => progress(`rows of files: ${versions} versions`));
    } else if (!(await digestsReady(index)) || !(await fileRowsReady(index))) {
      throw new UsageError(
        `${dir} is of an older format. The next start of the server brings it up; so does --rebuild`,
      );
    }
    const result = await look(index, { dir, deep, json, readOnly });
    tell(result, { deep, json });
    return result.faults === 0 ? EXIT.sound : EXIT.faults;
  } catch (error) {
    throw explainedDamage(dir, error);
  } finally {
    progress("");
    await index.close();
    lock?.close();
  }
}

interface Looked extends Omit<Asked, "rebuild"> {
  readonly readOnly: boolean;
}

async function look(index: OrderedIndex, { dir, deep, json, readOnly }: Looked): Promise<DirectoryResult> {
  const [clock, random] = [systemClock(), systemRandom];
  const blobs = await openBlobStore({ directory: dir, random, readOnly });
  try {
    const objects = createObjects({ index, blobs, clock, random, poke: () => undefined });
    return await checkDirectory(
      { index, blobs, objects, clock },
      {
        deep,
        onFault: (fault) => print(json ? JSON.stringify({ type: "fault", ...fault }) : lineOf(fault)),
        onProgress: (bucket, { examined, total }) => progress(`${bucket}: ${examined} of ${total} objects`),
      },
    );
  } finally {
    await blobs.close();
  }
}

function lineOf({ what, bucket, key, versionId, detail }: Fault): string {
  const name = key === undefined ? (bucket ?? "") : `${bucket ?? ""}/${key}`;
  const where = versionId === undefined ? name : `${name} (${versionId})`;
  return `! ${where}: ${what}${detail === undefined ? "" : `, ${detail}`}`;
}

function tell(result: DirectoryResult, { deep, json }: Pick<Asked, "deep" | "json">): void {
  const { buckets, examined, versions, faults } = result;
  const how = deep ? "every byte read" : "presence, size and time of each file";
  const what = `${examined} objects in ${buckets} buckets (${how}), ${versions} versions against their digests and counters`;
  const statement = faults === 0 ? `Sound: ${what}.` : `${faults} faults: ${what}.`;
  progress("");
  print(json ? JSON.stringify({ type: "check", deep, ...result, isSound: faults === 0, statement }) : statement);
}
