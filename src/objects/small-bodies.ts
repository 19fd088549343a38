/** Bytes of many small versions in one read each: for senders of batches, which have seen the versions just before. */
import type { ObjectVersion } from "../model/version.ts";
import * as keys from "../storage/keys.ts";
import { VERSIONS_PER_TURN, type Context } from "./context.ts";

/**
 * Objects.smallBodies. The versions themselves are not read again: a blob is never another version's, so where one was
 * removed or replaced since, the row of its bytes is gone.
 */
export async function smallBodies(context: Context, seen: readonly ObjectVersion[]): Promise<(Buffer | undefined)[]> {
  const out: (Buffer | undefined)[] = [];
  for (const { blob, damaged, encryption } of seen) {
    const isPlain = blob?.inline === true && damaged === undefined && encryption === undefined;
    const row = isPlain ? await context.index.get(keys.blobRowKey(keys.SPACE.data, blob.id)) : undefined;
    out.push(isPlain ? context.blobs.inlineBytes(blob, row) : undefined);
    if (out.length % VERSIONS_PER_TURN === 0) await context.clock.sleep(0);
  }
  return out;
}
