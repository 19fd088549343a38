/**
 * Keeps the digests right: called once by every transaction, after its rows are in place, with each row of space `I`
 * that it changed. A batch of commits so touches each row of an upper level once.
 */
import { SPACE } from "../../keys.ts";
import type { Entry } from "../index.ts";
import { childrenOf, Digest, isSummed } from "./digest.ts";
import {
  bucketEnd,
  bucketStart,
  CHILDREN_MAX,
  isBucketStart,
  levelOf,
  LEVELS,
  placeOfLookup,
  placeOfRow,
  rowKey,
  rowRange,
  type Place,
  type Rows,
  type WritableRows,
} from "./levels.ts";

const ZERO = Buffer.from([0]);
const PLACEHOLDER = new Digest().encode(0);

/** What a transaction did to rows of space `I`: how they were before it. */
export class LookupChanges {
  readonly #rows = new Map<
    string,
    { readonly key: Buffer; readonly before: Buffer | undefined; now: Buffer | undefined }
  >();

  /**
   * To be called before a row is put or (`value` undefined) removed; keys of other spaces are passed over. The buffers
   * must stay as they are until `apply`.
   */
  note(rows: Rows, key: Buffer, value: Buffer | undefined): void {
    if (key[0] !== SPACE.byId) return;
    const name = key.toString("latin1");
    const known = this.#rows.get(name);
    if (known !== undefined) known.now = value;
    else this.#rows.set(name, { key, before: rows.get(key), now: value });
  }

  /** Brings the digests in line with the rows as they are now. */
  apply(rows: WritableRows): void {
    let changes: Change[] = [];
    for (const { key, before, now } of this.#rows.values()) {
      const [was, is] = [isSummed(before), isSummed(now)];
      const delta = new Digest();
      if (before !== undefined) delta.addLookup(before, -1);
      if (now !== undefined) delta.addLookup(now, 1);
      if (was === is && delta.isZero) continue;
      changes.push({ place: placeOfLookup(key), delta, appears: is && !was, vanishes: was && !is });
    }
    changes.sort((a, b) => Buffer.compare(a.place, b.place));
    for (let level = 1; level <= LEVELS && changes.length > 0; level++) {
      changes = new LevelUpdate(rows, level).apply(changes);
    }
  }
}

/** A row of the level below has another sum, is new, or is gone. */
interface Change {
  readonly place: Place;
  readonly delta: Digest;
  readonly appears: boolean;
  readonly vanishes: boolean;
}

interface Touched {
  readonly place: Place;
  readonly before: Digest | undefined;
  now: Digest;
  children: number;
  /** What it covers changed: it is summed anew from the level below. */
  recount: boolean;
  gone: boolean;
}

class LevelUpdate {
  readonly #rows: WritableRows;
  readonly #level: number;
  readonly #touched = new Map<string, Touched>();
  /** The row that the last change fell into, and the place where the next row begins when that is known. */
  #last: { row: Touched; next: Place | undefined } | undefined;

  constructor(rows: WritableRows, level: number) {
    this.#rows = rows;
    this.#level = level;
  }

  /** Takes the changes of the level below, in order; returns those of this level, in order. */
  apply(changes: readonly Change[]): Change[] {
    const cut: Place[] = [];
    for (const change of changes) if (this.#cuts(change)) cut.push(change.place);
    for (const place of cut) this.#rowBefore(place).recount = true;
    for (const change of changes) this.#add(change);
    for (const row of this.#touched.values()) if (row.recount && !row.gone) this.#recount(row);
    for (const row of this.#touched.values()) if (!row.gone && row.children > CHILDREN_MAX) this.#split(row);
    return this.#write();
  }

  /** Begins or ends a row where the change asks for it; true: the row before it covers something else now. */
  #cuts({ place, appears, vanishes }: Change): boolean {
    if (isBucketStart(place)) return false;
    const key = rowKey(this.#level, place);
    if (appears && levelOf(place) >= this.#level) {
      this.#rows.put(key, PLACEHOLDER);
      this.#touch(place, undefined).recount = true;
      return true;
    }
    if (!vanishes) return false;
    const raw = this.#rows.get(key);
    if (raw === undefined) return false;
    this.#rows.remove(key);
    this.#touch(place, raw).gone = true;
    return true;
  }

  #touch(place: Place, raw: Buffer | undefined): Touched {
    const name = place.toString("latin1");
    let row = this.#touched.get(name);
    if (row === undefined) {
      const before = raw === undefined ? undefined : new Digest().addRow(raw);
      const now = before === undefined ? new Digest() : new Digest().add(before);
      const children = raw === undefined ? 0 : childrenOf(raw);
      row = { place: Buffer.from(place), before, now, children, recount: false, gone: false };
      this.#touched.set(name, row);
    }
    return row;
  }

  #found(entry: Entry): Touched {
    return this.#touch(placeOfRow(this.#level, entry.key), entry.value);
  }

  /** The row that covers what lies right before `place`. */
  #rowBefore(place: Place): Touched {
    const range = rowRange(this.#level, bucketStart(place), place);
    const [entry] = this.#rows.scan(range, { limit: 1, reverse: true });
    return entry === undefined ? this.#begin(place) : this.#found(entry);
  }

  /** The bucket's first row, which is made with its first version. */
  #begin(place: Place): Touched {
    const start = bucketStart(place);
    this.#rows.put(rowKey(this.#level, start), PLACEHOLDER);
    return this.#touch(start, undefined);
  }

  #rowAt(place: Place): Touched {
    const last = this.#last;
    if (last?.next !== undefined && Buffer.compare(place, last.next) < 0) return last.row;
    const range = { start: rowKey(this.#level, bucketStart(place)), end: rowKey(this.#level, after(place)) };
    const [entry] = this.#rows.scan(range, { limit: 1, reverse: true });
    const row = entry === undefined ? this.#begin(place) : this.#found(entry);
    // A second change of the same row: more may follow, so it pays to know where the row ends.
    this.#last = { row, next: last?.row === row ? this.#endOf(row.place) : undefined };
    return row;
  }

  /** Where the row at `place` ends: the next row of its level, or the bucket's end. */
  #endOf(place: Place): Place {
    const range = rowRange(this.#level, after(place), bucketEnd(place));
    const [entry] = this.#rows.scan(range, { limit: 1, keysOnly: true });
    return entry === undefined ? range.end.subarray(2) : placeOfRow(this.#level, entry.key);
  }

  #add({ place, delta, appears, vanishes }: Change): void {
    const row = this.#rowAt(place);
    if (row.recount) return;
    row.now.add(delta);
    row.children += (appears ? 1 : 0) - (vanishes ? 1 : 0);
  }

  #below(start: Place, end: Place): Entry[] {
    const below = this.#rows.scan(rowRange(this.#level - 1, start, end), { limit: Number.MAX_SAFE_INTEGER });
    return this.#level === 1 ? below.filter(({ value }) => isSummed(value)) : below;
  }

  #recount(row: Touched): void {
    const children = this.#below(row.place, this.#endOf(row.place));
    row.now = this.#sum(children);
    row.children = children.length;
  }

  #sum(children: readonly Entry[]): Digest {
    const sum = new Digest();
    for (const { value } of children) {
      if (this.#level === 1) sum.addLookup(value, 1);
      else sum.addRow(value);
    }
    return sum;
  }

  /** Cuts a row that covers too much into halves of what may be; the first keeps the place. */
  #split(row: Touched): void {
    const children = this.#below(row.place, this.#endOf(row.place));
    const half = CHILDREN_MAX >> 1;
    for (let from = 0; from < children.length; from += half) {
      const part = children.slice(from, from + half);
      const place = from === 0 ? row.place : placeOfRow(this.#level - 1, (part[0] as Entry).key);
      const piece = from === 0 ? row : this.#touch(place, undefined);
      piece.now = this.#sum(part);
      piece.children = part.length;
    }
  }

  #write(): Change[] {
    const out: Change[] = [];
    for (const row of this.#touched.values()) {
      const { place, before, now } = row;
      const key = rowKey(this.#level, place);
      // The bucket's first row is no version's: it leaves with the last that it covered.
      if (!row.gone && isBucketStart(place) && row.children === 0) {
        this.#rows.remove(key);
        row.gone = true;
      }
      const delta = new Digest();
      if (before !== undefined) delta.add(before, -1);
      if (!row.gone) {
        this.#rows.put(key, now.encode(row.children));
        delta.add(now);
      }
      const [appears, vanishes] = [before === undefined && !row.gone, before !== undefined && row.gone];
      if (appears || vanishes || !delta.isZero) out.push({ place, delta, appears, vanishes });
    }
    return out.sort((a, b) => Buffer.compare(a.place, b.place));
  }
}

const after = (place: Place): Place => Buffer.concat([place, ZERO]);
