/** Many small versions with their bytes in two reads each: for senders of batches, which have seen the versions just before. */
import type { Bucket } from "../model/bucket.ts";
import type { ObjectVersion } from "../model/version.ts";
import * as keys from "../storage/keys.ts";
import { decodeVersion } from "../storage/records.ts";
import { VERSIONS_PER_TURN, type Context } from "./context.ts";

/** A version as it is now, and all of its bytes, checked. */
export interface SmallBody {
  readonly version: ObjectVersion;
  readonly bytes: Buffer;
}

/**
 * Objects.smallBodies. Two reads are not one moment, but a blob is never another's: where the version was removed or
 * replaced in between, its row is gone.
 */
export async function smallBodies(
  context: Context,
  bucket: Pick<Bucket, "id">,
  seen: readonly ObjectVersion[],
): Promise<(SmallBody | undefined)[]> {
  const out: (SmallBody | undefined)[] = [];
  for (const version of seen) {
    out.push(await smallBody(context, bucket.id, version));
    if (out.length % VERSIONS_PER_TURN === 0) await context.clock.sleep(0);
  }
  return out;
}

async function smallBody(context: Context, bucketId: string, seen: ObjectVersion): Promise<SmallBody | undefined> {
  const raw = await context.index.get(keys.versionRowKey(bucketId, seen));
  const version = raw === undefined ? undefined : decodeVersion(raw);
  if (version?.kind !== "object" || version.damaged !== undefined || version.encryption !== undefined) return undefined;
  const { blob } = version;
  if (blob?.inline !== true) return undefined;
  const bytes = context.blobs.inlineBytes(blob, await context.index.get(keys.blobRowKey(keys.SPACE.data, blob.id)));
  return bytes === undefined ? undefined : { version, bytes };
}
