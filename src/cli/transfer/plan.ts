/** Part sizes of large transfers. Pure. */

export const MIB = 1024 * 1024;
/** Bodies up to this size go in one PUT. */
export const SINGLE_PUT_BYTES_MAX = 16 * MIB;
export const PART_BYTES_DEFAULT = 16 * MIB;
/** Copies within one server up to this size are one CopyObject. */
export const SINGLE_COPY_BYTES_MAX = 64 * MIB;
const PARTS_MAX = 10_000;
export const PART_BYTES_MIN = 5 * MIB;

export interface PartRange {
  /** From 1. */
  readonly number: number;
  readonly offset: number;
  readonly size: number;
}

/** The wanted part size, grown in whole MiB until the object fits in 10000 parts. */
export function partSizeFor(size: number, wanted: number): number {
  return size <= wanted * PARTS_MAX ? wanted : Math.ceil(size / PARTS_MAX / MIB) * MIB;
}

/** Parts of an object of `size` bytes; an empty one has a single empty part. */
export function partRanges(size: number, partSize: number): PartRange[] {
  const ranges: PartRange[] = [];
  let offset = 0;
  do {
    ranges.push({ number: ranges.length + 1, offset, size: Math.min(partSize, size - offset) });
    offset += partSize;
  } while (offset < size);
  return ranges;
}
