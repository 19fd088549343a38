/**
 * Marks that sites which send here leave in this index, one a bucket and target of theirs. A mark only rises: a lower one,
 * or none, tells its sender that this index is not the one it sent to, or an older copy of it. docs/format.md.
 */
import { CommitBuilder } from "./index/commit-builder.ts";
import type { OrderedIndex } from "./index/index.ts";
import { namedRowKey, SPACE } from "./keys.ts";
import { decodeRow, encodeRow } from "./records.ts";

/** Most targets that have a mark in one bucket: the one that was raised longest ago goes first. */
export const PEER_MARKS_MAX = 256;

interface MarksRow {
  /** By the sender's ARN, the one raised last at the end. */
  readonly marks: readonly (readonly [arn: string, mark: number])[];
}

/** Goes with its bucket, in the commit that deletes it. */
export const peerMarksKey = (bucketId: string): Buffer => namedRowKey(SPACE.job, `peer-marks/${bucketId}`);

/** 0: there is none. */
export async function peerMark(index: OrderedIndex, bucketId: string, arn: string): Promise<number> {
  const raw = await index.get(peerMarksKey(bucketId));
  return raw === undefined ? 0 : markOf(decodeRow<MarksRow>(raw), arn);
}

const markOf = ({ marks }: MarksRow, arn: string): number => marks.find(([of]) => of === arn)?.[1] ?? 0;

/**
 * Raises the mark of a target by one, to `floor` at least, and returns it. Where it is below `least` it stays, and is
 * returned as it is.
 */
export async function raisePeerMark(
  index: OrderedIndex,
  at: { readonly bucketId: string; readonly arn: string },
  { least, floor }: { readonly least: number; readonly floor: number },
): Promise<number> {
  const key = peerMarksKey(at.bucketId);
  for (;;) {
    const raw = await index.get(key);
    const row = raw === undefined ? { marks: [] } : decodeRow<MarksRow>(raw);
    const before = markOf(row, at.arn);
    if (before < least) return before;
    const mark = Math.max(before + 1, floor);
    const others = row.marks.filter(([arn]) => arn !== at.arn).slice(1 - PEER_MARKS_MAX);
    const raised: MarksRow = { marks: [...others, [at.arn, mark]] };
    const commit = new CommitBuilder().unchanged(key, raw).put(key, encodeRow(raised));
    if ((await index.commit(commit)) === "committed") return mark;
  }
}
