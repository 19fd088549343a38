/**
 * A digest: what a range of versions sums up to. Equal digests of two sites mean equal versions; a sum can be taken
 * apart again, so that one version more or less costs one addition. Lanes of 32 bits wrap on their own.
 */

/** Bytes of a row in space `I`: time (8, BE), size (8, BE), flags (1), identity and state (16 each). */
const LOOKUP_BYTES = 49;
const FLAG_MARKER = 1;
export const FLAG_DAMAGED = 2;
const SIZE_AT = 8;
const FLAGS_AT = 16;
const HASHES_AT = 17;
const LANES = 8;
const LANE_BYTES = 4;
/** Bytes of each of the two sums. */
export const SUM_BYTES = 16;
/** Bytes of a digest in a row of space `S`. */
export const DIGEST_BYTES = 56;
const TWO_32 = 2 ** 32;

export class Digest {
  count = 0;
  bytes = 0;
  /** Versions whose bytes are known to be lost: where there are some, equal sums prove nothing. */
  damaged = 0;
  /** Four lanes of the identities' sum, four of the states'. */
  readonly #lanes = new Uint32Array(LANES);

  /** Adds (or with -1 takes away) one version as its row in space `I` tells it; see `isSummed`. */
  addLookup(row: Buffer, sign: 1 | -1): this {
    if (!isSummed(row)) return this;
    this.count += sign;
    this.bytes += sign * (row.readUInt32BE(SIZE_AT) * TWO_32 + row.readUInt32BE(SIZE_AT + 4));
    if (((row[FLAGS_AT] as number) & FLAG_DAMAGED) !== 0) this.damaged += sign;
    for (let i = 0; i < LANES; i++) this.#addLane(i, sign * row.readUInt32LE(HASHES_AT + LANE_BYTES * i));
    return this;
  }

  add(other: Digest, sign: 1 | -1 = 1): this {
    this.count += sign * other.count;
    this.bytes += sign * other.bytes;
    this.damaged += sign * other.damaged;
    for (let i = 0; i < LANES; i++) this.#addLane(i, sign * (other.#lanes[i] as number));
    return this;
  }

  /** Nothing was added, or all of it was taken away again. */
  get isZero(): boolean {
    return this.count === 0 && this.bytes === 0 && this.damaged === 0 && this.#lanes.every((lane) => lane === 0);
  }

  /** The sum over key, version id, kind, time, size and ETag. 16 bytes. */
  get identity(): Buffer {
    return this.#sum(0);
  }

  /** The sum over all of that and metadata, tags and locks. 16 bytes. */
  get state(): Buffer {
    return this.#sum(LANES / 2);
  }

  equals(other: Digest): boolean {
    if (this.count !== other.count || this.bytes !== other.bytes || this.damaged !== other.damaged) return false;
    return this.#lanes.every((lane, i) => lane === other.#lanes[i]);
  }

  /** As a row of space `S`, with how many rows of the level below it covers. */
  encode(children: number): Buffer {
    const out = Buffer.allocUnsafe(DIGEST_BYTES);
    writeU64(out, this.count, 0);
    writeU64(out, this.bytes, 8);
    out.writeUInt32LE(Math.max(this.damaged, 0), 16);
    out.writeUInt32LE(children, 20);
    for (let i = 0; i < LANES; i++) out.writeUInt32LE(this.#lanes[i] as number, 24 + LANE_BYTES * i);
    return out;
  }

  /** Adds a row of space `S`. */
  addRow(row: Buffer): this {
    this.count += readU64(row, 0);
    this.bytes += readU64(row, 8);
    this.damaged += row.readUInt32LE(16);
    for (let i = 0; i < LANES; i++) this.#addLane(i, row.readUInt32LE(24 + LANE_BYTES * i));
    return this;
  }

  #addLane(at: number, value: number): void {
    this.#lanes[at] = (this.#lanes[at] as number) + value;
  }

  #sum(from: number): Buffer {
    const out = Buffer.allocUnsafe(SUM_BYTES);
    for (let i = 0; i < LANES / 2; i++) out.writeUInt32LE(this.#lanes[from + i] as number, LANE_BYTES * i);
    return out;
  }
}

/** The row has its version's hashes: rows of format 1 do not, and count nowhere. */
export const isSummed = (row: Buffer | undefined): row is Buffer => row !== undefined && row.length >= LOOKUP_BYTES;

/** How many rows of the level below a row of space `S` covers. */
export const childrenOf = (row: Buffer): number => row.readUInt32LE(20);

/** What a row of space `I` says of its version. Undefined: a row of format 1. */
export function readLookup(
  row: Buffer,
): { size: number; isMarker: boolean; isDamaged: boolean; identity: Buffer; state: Buffer } | undefined {
  if (!isSummed(row)) return undefined;
  const flags = row[FLAGS_AT] as number;
  return {
    size: row.readUInt32BE(SIZE_AT) * TWO_32 + row.readUInt32BE(SIZE_AT + 4),
    isMarker: (flags & FLAG_MARKER) !== 0,
    isDamaged: (flags & FLAG_DAMAGED) !== 0,
    identity: row.subarray(HASHES_AT, HASHES_AT + SUM_BYTES),
    state: row.subarray(HASHES_AT + SUM_BYTES, HASHES_AT + 2 * SUM_BYTES),
  };
}

/** A row of space `I`. `identity` and `state` are the first 16 bytes of the version's two hashes. */
export function encodeLookup(version: {
  readonly mtime: bigint;
  readonly size: number;
  readonly isMarker: boolean;
  readonly isDamaged: boolean;
  readonly identity: Buffer;
  readonly state: Buffer;
}): Buffer {
  const out = Buffer.allocUnsafe(LOOKUP_BYTES);
  out.writeBigUInt64BE(version.mtime, 0);
  out.writeUInt32BE(Math.floor(version.size / TWO_32), SIZE_AT);
  out.writeUInt32BE(version.size % TWO_32, SIZE_AT + 4);
  out[FLAGS_AT] = (version.isMarker ? FLAG_MARKER : 0) | (version.isDamaged ? FLAG_DAMAGED : 0);
  version.identity.copy(out, HASHES_AT, 0, SUM_BYTES);
  version.state.copy(out, HASHES_AT + SUM_BYTES, 0, SUM_BYTES);
  return out;
}

/** Below zero only where a digest was wrong already: that is for a check to find, and must not stop writes. */
function writeU64(out: Buffer, sum: number, at: number): void {
  const value = Math.max(sum, 0);
  out.writeUInt32LE(value % TWO_32, at);
  out.writeUInt32LE(Math.floor(value / TWO_32), at + 4);
}

const readU64 = (row: Buffer, at: number): number => row.readUInt32LE(at) + row.readUInt32LE(at + 4) * TWO_32;
