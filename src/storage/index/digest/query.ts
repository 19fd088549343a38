/** Digests of ranges, read from the rows that `update.ts` keeps. All functions read one moment and write nothing. */
import type { Entry } from "../index.ts";
import { Digest } from "./digest.ts";
import { bucketEnd, bucketStart, LEVELS, placeOfRow, rowKey, rowRange, type Place, type Rows } from "./levels.ts";

/** Places of one bucket: `start` inclusive, `end` exclusive. */
export interface PlaceRange {
  readonly start: Place;
  readonly end: Place;
}

export interface DigestPart extends PlaceRange {
  readonly digest: Digest;
}

const ALL = { limit: Number.MAX_SAFE_INTEGER } as const;

/** The digest of a range within one bucket: the rows that lie in it whole, and at its two ends those of lower levels. */
export function digestOfRange(rows: Rows, { start, end }: PlaceRange): Digest {
  const sum = new Digest();
  const range = { start, end: clamp(start, end) };
  const whole = wholeRow(rows, range);
  if (whole !== undefined) return sum.addRow(whole);
  addRange(rows, LEVELS, range, sum);
  return sum;
}

/** The peer's parts are rows of its lowest level most of the time, and rows here alike: then one look is enough. */
function wholeRow(rows: Rows, { start, end }: PlaceRange): Buffer | undefined {
  const range = rowRange(1, start, bucketEnd(start));
  const [row, next] = rows.scan(range, { limit: 2 });
  if (row === undefined || !placeOfRow(1, row.key).equals(start)) return undefined;
  return (next === undefined ? bucketEnd(start) : placeOfRow(1, next.key)).equals(end) ? row.value : undefined;
}

/** No row beyond the bucket is of interest, and its end is where its last row of every level ends. */
function clamp(start: Place, end: Place): Place {
  const last = bucketEnd(start);
  return Buffer.compare(end, last) < 0 ? end : last;
}

function addRange(rows: Rows, level: number, range: PlaceRange, sum: Digest): void {
  if (Buffer.compare(range.start, range.end) >= 0) return;
  const found = rows.scan(rowRange(level, range.start, range.end), ALL);
  if (level === 0) {
    for (const { value } of found) sum.addLookup(value, 1);
    return;
  }
  const first = found[0];
  const last = found[found.length - 1];
  if (first === undefined || last === undefined) return addRange(rows, level - 1, range, sum);
  addRange(rows, level - 1, { start: range.start, end: placeOfRow(level, first.key) }, sum);
  for (const entry of found) if (entry !== last) sum.addRow(entry.value);
  if (endsRow(rows, level, range.end)) sum.addRow(last.value);
  else addRange(rows, level - 1, { start: placeOfRow(level, last.key), end: range.end }, sum);
}

/** The row before `end` reaches just up to it. */
function endsRow(rows: Rows, level: number, end: Place): boolean {
  return isBucketEnd(end) || rows.get(rowKey(level, end)) !== undefined;
}

// Ends of buckets are the only places of this length but their starts, and a range that ends at a start is empty.
const isBucketEnd = (end: Place): boolean =>
  end.length <= 9 && (end.length === 8 || end.every((byte) => byte === 0xff));

/**
 * Cuts a range of one bucket where rows begin: at the highest level that gives at least `least` parts, into `most` at
 * the most. One part: it cannot be cut further.
 */
export function partsOfRange(rows: Rows, given: PlaceRange, count: { least: number; most: number }): DigestPart[] {
  const range = { start: given.start, end: clamp(given.start, given.end) };
  for (let level = LEVELS; level >= 1; level--) {
    const found = rows.scan(rowRange(level, range.start, range.end), ALL);
    if (found.length < count.least && level > 1) continue;
    return partsAt(rows, level, range, found, count.most);
  }
  return [];
}

/** `found`: the rows of `level` that begin in the range. */
function partsAt(rows: Rows, level: number, range: PlaceRange, found: readonly Entry[], most: number): DigestPart[] {
  const pieces: DigestPart[] = [];
  const places = found.map(({ key }) => placeOfRow(level, key));
  const first = places[0] ?? range.end;
  if (!first.equals(range.start)) {
    const piece = { start: range.start, end: first };
    pieces.push({ ...piece, digest: digestOfRange(rows, piece) });
  }
  for (const [i, { value }] of found.entries()) {
    const piece = { start: places[i] as Place, end: places[i + 1] ?? range.end };
    const isWhole = i + 1 < found.length || endsRow(rows, level, range.end);
    pieces.push({ ...piece, digest: isWhole ? new Digest().addRow(value) : digestOfRange(rows, piece) });
  }
  const every = Math.ceil(pieces.length / most);
  return every < 2
    ? pieces
    : Array.from({ length: Math.ceil(pieces.length / every) }, (_, i) =>
        joined(pieces.slice(i * every, (i + 1) * every)),
      );
}

function joined(pieces: readonly DigestPart[]): DigestPart {
  const digest = new Digest();
  for (const piece of pieces) digest.add(piece.digest);
  return { start: (pieces[0] as DigestPart).start, end: (pieces.at(-1) as DigestPart).end, digest };
}

/** Every place of a bucket. `bucketId`: 16 hex digits. */
export function bucketPlaces(bucketId: string): PlaceRange {
  const start = bucketStart(Buffer.from(bucketId, "hex"));
  return { start, end: bucketEnd(start) };
}
