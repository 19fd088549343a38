/**
 * Where the digests of an index lie: rows of space `S`, level above level. A row of level 1 sums the versions from its
 * own place (a place in the order of space `I`) up to the next row of its level, a row of level 2 the rows of level 1
 * from there, and so on. A hash of key and version id says which places begin a row: both sites cut alike, whatever the
 * order of their writes, so one site's ranges are whole rows at the other.
 */
import type { Entry, KeyRange, ScanOptions } from "../index.ts";
import { SPACE } from "../../keys.ts";

/** The calls of an implementation that digests are kept and read with: synchronous, all of one moment. */
export interface Rows {
  get(key: Buffer): Buffer | undefined;
  scan(range: KeyRange, options: ScanOptions): Entry[];
}
export interface WritableRows extends Rows {
  put(key: Buffer, value: Buffer): void;
  remove(key: Buffer): void;
}

export const LEVELS = 2;
/**
 * Bits of the hash that are zero where a row of each level begins: one of level 1 covers about 64 versions, one of level 2
 * about 128 of those. Each level more would cost every commit another row, and save a query of 100 million versions 10 ms.
 */
const ZERO_BITS = [6, 13] as const;
/** Keys chosen so that none begins a row are cut here all the same. */
export const CHILDREN_MAX = 1024;

const BUCKET_ID_BYTES = 8;

/** A place: bucket id, object key, 00, version id, as in the keys of space `I`; the bucket id alone is its start. */
export type Place = Buffer;

export const placeOfLookup = (key: Buffer): Place => key.subarray(1);
export const placeOfRow = (level: number, key: Buffer): Place => key.subarray(level === 0 ? 1 : 2);

/** Key of the row of `level` at a place; level 0 are the rows of space `I`. */
export function rowKey(level: number, place: Place): Buffer {
  if (level === 0) {
    const key = Buffer.allocUnsafe(1 + place.length);
    key[0] = SPACE.byId;
    place.copy(key, 1);
    return key;
  }
  const key = Buffer.allocUnsafe(2 + place.length);
  key[0] = SPACE.digest;
  key[1] = level;
  place.copy(key, 2);
  return key;
}

export const rowRange = (level: number, start: Place, end: Place): KeyRange => ({
  start: rowKey(level, start),
  end: rowKey(level, end),
});

export const bucketStart = (place: Place): Place => place.subarray(0, BUCKET_ID_BYTES);

/** The smallest place after every place of the bucket. */
export function bucketEnd(place: Place): Place {
  const end = Buffer.from(bucketStart(place));
  for (let at = BUCKET_ID_BYTES - 1; at >= 0; at--) {
    end[at] = ((end[at] as number) + 1) & 0xff;
    if (end[at] !== 0) return end;
  }
  // The last of all bucket ids: nothing but longer places of the same prefix lie after it.
  return Buffer.alloc(BUCKET_ID_BYTES + 1, 0xff);
}

export const isBucketStart = (place: Place): boolean => place.length === BUCKET_ID_BYTES;

/** The highest level at which a version's place begins a row; 0: at none. The bucket's id differs between sites. */
export function levelOf(place: Place): number {
  let hash = 0x811c9dc5;
  for (let at = BUCKET_ID_BYTES; at < place.length; at++) hash = Math.imul(hash ^ (place[at] as number), 0x01000193);
  hash ^= hash >>> 16;
  hash = Math.imul(hash, 0x85ebca6b);
  hash ^= hash >>> 13;
  hash = Math.imul(hash, 0xc2b2ae35);
  hash ^= hash >>> 16;
  const zeros = Math.clz32(hash);
  return zeros < ZERO_BITS[0] ? 0 : zeros < ZERO_BITS[1] ? 1 : 2;
}
