/** Rows of the change log whose versions go to a target of our own in one request: fresh writes of small, plain objects. */
import type { Objects } from "../objects/objects.ts";
import type { LogRow, VersionRow } from "../objects/types.ts";
import { NULL_VERSION } from "../model/names.ts";
import type { ObjectVersion } from "../model/version.ts";
import { INGEST_OBJECT_BYTES_MAX } from "../protocol/ingest.ts";
import { TOGETHER_MIN } from "./limits.ts";
import type { QueueItem } from "./queue-item.ts";
import { cutForRequests, isPlain, ITEM_HEAD_BYTES, sendTogether, type Room } from "./send-together.ts";
import type { SendTarget } from "./send-types.ts";

/** Whether what a row tells of may travel so; what became of the version, `sendRowsTogether` looks at. */
export const mayGoTogether = ({ operation, attempts, size, versionId }: LogRow): boolean =>
  operation === "put" && attempts === 0 && size <= INGEST_OBJECT_BYTES_MAX && versionId !== NULL_VERSION;

const roomOf = ({ row }: { readonly row: LogRow }): Room => ({ count: 1, bytes: ITEM_HEAD_BYTES + row.size });

/** What becomes of some rows that could travel together. */
interface Cut {
  /** One request, in this order. */
  readonly together: readonly QueueItem[];
  /** Too few for one. */
  readonly alone: readonly QueueItem[];
  /** They wait for those before them of their key. */
  readonly later: readonly QueueItem[];
}

/** Cuts rows into requests, those of one key side by side in `rows`: none is on its way beside another of its key. */
export function* cutRows(rows: readonly QueueItem[]): Generator<Cut> {
  const begun = new Set<string>();
  for (const group of cutForRequests(rows, roomOf)) {
    const lanes = new Set<string>();
    const [now, later]: [QueueItem[], QueueItem[]] = [[], []];
    const enough = group.length >= TOGETHER_MIN;
    for (const item of group) {
      const waits = begun.has(item.lane) || (!enough && lanes.has(item.lane));
      (waits ? later : now).push(item);
      lanes.add(item.lane);
    }
    for (const lane of lanes) begun.add(lane);
    yield enough ? { together: now, alone: [], later } : { together: [], alone: now, later };
  }
}

/**
 * For each row (all of one target, as many as fit into one request) the version that arrived, as it was read; undefined:
 * `sendVersion` brings it there, or tells why not. Rejects when this site's index cannot be read.
 */
export async function sendRowsTogether(
  objects: Objects,
  target: SendTarget,
  rows: readonly LogRow[],
  signal: AbortSignal,
): Promise<(VersionRow | undefined)[]> {
  const out: (VersionRow | undefined)[] = rows.map(() => undefined);
  const [first] = rows;
  if (first === undefined) return out;
  const { bucket, rows: found } = await objects.versionRows(first.bucket, rows);
  const versions: ObjectVersion[] = [];
  const places: number[] = [];
  for (const [at, row] of found.entries()) {
    // The bucket may have been made anew under its name; what is not owed to the target, or no more, stays here.
    const owed = row?.version.replication.targets[target.arn] ?? "COMPLETED";
    if (row === undefined || owed === "COMPLETED" || rows[at]?.bucketId !== bucket.id || !isPlain(row.version))
      continue;
    versions.push(row.version);
    places.push(at);
  }
  const outcomes = await sendTogether(objects, target, { bucket, versions, marks: {}, signal });
  for (const [i, { kind }] of outcomes.entries()) {
    const at = places[i] as number;
    if (kind === "sent") out[at] = found[at];
  }
  return out;
}
