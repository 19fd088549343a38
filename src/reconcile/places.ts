/** Places of versions, as the sides of a comparison name them. */
import { NULL_VERSION, type ObjectKey, type VersionId } from "../model/names.ts";
import { bucketPlaces, type PlaceRange } from "../storage/index/digest/query.ts";
import { idRowKey, SPACE, splitIdRowKey } from "../storage/keys.ts";
import { END_PLACE, type Place, type Span } from "./side.ts";

const ID_BYTES = 16;
const BUCKET_BYTES = 8;
const ANY_BUCKET = "0".repeat(2 * BUCKET_BYTES);
const ROW_HEAD = Buffer.alloc(1 + BUCKET_BYTES, 0);

export function placeOf(key: string, versionId: string): Place {
  return idRowKey(SPACE.byId, ANY_BUCKET, key, versionId as VersionId).subarray(ROW_HEAD.length);
}

/** Key and version id of a place that is a version's. Undefined: it is none. */
export function versionAt(place: Place): { key: ObjectKey; versionId: VersionId } | undefined {
  if (place.length < ID_BYTES + 2 || place[place.length - ID_BYTES - 1] !== 0) return undefined;
  return splitIdRowKey(Buffer.concat([ROW_HEAD, place]));
}

/** The key alone. */
export function keyAt(place: Place): string | undefined {
  if (place.length < ID_BYTES + 2 || place[place.length - ID_BYTES - 1] !== 0) return undefined;
  return place.toString("utf8", 0, place.length - ID_BYTES - 1);
}

/** Where the versions of the key begin that a place lies in. A place that lies in no key is taken as it is. */
export function keyStart(place: Place): Place {
  const end = place.indexOf(0);
  return end < 0 ? place : Buffer.concat([place.subarray(0, end + 1), NULL_ID]);
}

/** All versions of keys that begin with `prefix`, those of `afterKey` and before left out when it is given. */
export function spanOf(prefix: string, afterKey = ""): Span {
  const from = Buffer.from(prefix);
  const start =
    afterKey === "" ? from : Buffer.concat([placeOf(afterKey, NULL_VERSION).subarray(0, -ID_BYTES), MAX_ID]);
  return {
    start: Buffer.compare(start, from) < 0 ? from : start,
    end: from.length === 0 ? END_PLACE : prefixEnd(from),
  };
}

const NULL_ID = Buffer.alloc(ID_BYTES);
// One byte more than any version id, all of them the largest.
const MAX_ID = Buffer.alloc(ID_BYTES + 1, 0xff);

/** A prefix of a key is UTF-8, so its last byte is below 0xff. */
function prefixEnd(prefix: Buffer): Place {
  const end = Buffer.from(prefix);
  end[end.length - 1] = (end[end.length - 1] as number) + 1;
  return end;
}

/** The span in the index of a site. `bucketId`: 16 hex digits. */
export function rangeIn(bucketId: string, span: Span): PlaceRange {
  const all = bucketPlaces(bucketId);
  const end = span.end.equals(END_PLACE) ? all.end : Buffer.concat([all.start, span.end]);
  return { start: Buffer.concat([all.start, span.start]), end };
}

/** The other way: a place of an index without its bucket. `all.end` is END_PLACE. */
export function placeWithin(bucketId: string, place: Buffer): Place {
  return place.equals(bucketPlaces(bucketId).end) ? END_PLACE : place.subarray(BUCKET_BYTES);
}
