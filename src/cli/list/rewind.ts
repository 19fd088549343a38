/** `--rewind`: a version listing as the bucket was at a moment. Pure. */
import type { Entry } from "./entry.ts";

/**
 * The versions that were current at `atMs`: of each key, the newest that is not younger. Delete markers are dropped
 * unless `markers`. `versions` is a version listing (keys together, newest first).
 */
export async function* currentAt(versions: AsyncIterable<Entry>, atMs: number, markers = false): AsyncIterable<Entry> {
  let done: string | undefined;
  for await (const entry of versions) {
    if (entry.type === "folder") yield entry;
    else if (entry.key !== done && entry.modifiedMs <= atMs) {
      done = entry.key;
      if (markers || entry.isDeleteMarker !== true) yield entry;
    }
  }
}

/** The versions not younger than `atMs`. */
export async function* notAfter(versions: AsyncIterable<Entry>, atMs: number): AsyncIterable<Entry> {
  for await (const entry of versions) if (entry.type === "folder" || entry.modifiedMs <= atMs) yield entry;
}
