/**
 * Notices that the index file was taken away, or another put in its place, while it is open: LMDB would go on with a file
 * that nobody finds again, and every write that is answered from then on would be gone with the process.
 */
import { stat, statSync } from "node:fs";
import { join } from "node:path";

const LOOK_MS = 2000;
/** What the system says of a file that is not there; other failures may pass. */
const GONE: readonly unknown[] = ["ENOENT", "ENOTDIR"];

/** Calls `lost` once, with what happened, as soon as `DIR/index/data.mdb` is not the file any more that it is now. */
export function watchIndexFile(dir: string, lost: (what: string) => void): { stop(): void } {
  const path = join(dir, "index", "data.mdb");
  const open = statSync(path, { bigint: true });
  const look = (): void =>
    stat(path, { bigint: true }, (error, now) => {
      const same = error === null ? now.ino === open.ino && now.dev === open.dev : !GONE.includes(error.code);
      if (same || stopped) return;
      stop();
      lost(
        `${path} was ${error === null ? "replaced" : "removed"} while it was in use: what is written now would be lost`,
      );
    });
  const timer = setInterval(look, LOOK_MS).unref();
  let stopped = false;
  const stop = (): void => {
    stopped = true;
    clearInterval(timer);
  };
  return { stop };
}
