/**
 * Whether what answers at a target's address still is what versions were sent to. Another site, one that was made anew,
 * and an older copy of it lack what was sent; nothing waits for them here, so without this look they would be called
 * caught up. A target of ours keeps a mark that only rises (storage/peer-marks.ts); of any other the day on which its
 * bucket was made is remembered. What was found stays until a resync or verification that began later proves the copy.
 */
import type { Arn } from "../model/names.ts";
import { isoMillis } from "../protocol/time.ts";
import { parseBucketList } from "../protocol/s3-xml-bucket.ts";
import type { Clock } from "../runtime/clock.ts";
import { CommitBuilder } from "../storage/index/commit-builder.ts";
import type { OrderedIndex } from "../storage/index/index.ts";
import { counterKey, namedRowKey, readCounter, SPACE } from "../storage/keys.ts";
import { decodeRow, encodeRow } from "../storage/records.ts";
import type { Connection } from "./connections.ts";
import { ask } from "./target-checks.ts";
import { errorOf } from "./wire.ts";

/** What is known of a target from the looks before. */
interface SeenRow {
  /** Its mark as it was raised last; absent: never. */
  readonly mark?: number | undefined;
  /** Log rows that had ended when it was raised: none since, nothing to raise it for. Absent: raise it in any case. */
  readonly sent?: number | undefined;
  /** What is there now is not yet marked higher than what was there before. */
  readonly raise?: true | undefined;
  /** When its bucket was made, as it lists it; empty: it had gone. */
  readonly made?: string | undefined;
  readonly replaced?: Replaced | undefined;
}

/** What answers at the target's address lacks what was sent. */
export interface Replaced {
  /** Milliseconds since the epoch: when it was noticed last. */
  readonly sinceMs: number;
  readonly why: string;
}

export interface LookDeps {
  readonly index: OrderedIndex;
  readonly clock: Clock;
}

/** Log rows of a target that ended well: sent, purged there, or found as they should be. */
async function endedRows(index: OrderedIndex, arn: Arn): Promise<number> {
  const counts = await Promise.all(["sent", "met"].map((as) => index.get(counterKey(`${as}/${arn}/count`))));
  return counts.reduce((sum, count) => sum + Number(readCounter(count)), 0);
}

const rowKey = (arn: Arn): Buffer => namedRowKey(SPACE.job, `seen/${arn}`);

async function load(index: OrderedIndex, arn: Arn): Promise<{ raw: Buffer | undefined; row: SeenRow }> {
  const raw = await index.get(rowKey(arn));
  return { raw, row: raw === undefined ? {} : decodeRow<SeenRow>(raw) };
}

/** Undefined: as far as was looked, it is what versions were sent to. */
export async function replacedTarget(index: OrderedIndex, arn: Arn): Promise<Replaced | undefined> {
  return (await load(index, arn)).row.replaced;
}

/** As people read it. */
export const replacedText = ({ sinceMs, why }: Replaced): string =>
  `noticed ${isoMillis(sinceMs)}: ${why}. Run a resync to this target`;

/**
 * Looks, and remembers what it saw; returns what was noticed now for the first time. `made`: also when the bucket was
 * made, which costs the target a list of its buckets. Throws
 * XMinioAdminReplicationRemoteConnectionError when no answer came.
 */
export async function lookAtTarget(
  { index, clock }: LookDeps,
  { arn, client, endpoint }: Pick<Connection, "arn" | "client" | "endpoint">,
  { made }: { readonly made: boolean },
): Promise<Replaced | undefined> {
  // Before the question: what is sent after it is not below the mark.
  const sent = await endedRows(index, arn);
  for (;;) {
    const { raw, row } = await load(index, arn);
    const found = endpoint.resilver === undefined ? {} : await askMark(client, arn, row, sent);
    const listed = made ? await askMade(client) : undefined;
    const isOther = row.made !== undefined && listed !== undefined && listed !== row.made;
    const why = found.why ?? (isOther ? (listed === "" ? GONE : ANEW) : undefined);
    const replaced = why === undefined ? undefined : { sinceMs: clock.nowMs(), why };
    const now: SeenRow = {
      ...row,
      ...found.row,
      ...(listed === undefined ? {} : { made: listed }),
      ...(replaced === undefined ? {} : { replaced }),
    };
    if (encodeRow(now).equals(raw ?? encodeRow({}))) return undefined;
    const commit = new CommitBuilder().unchanged(rowKey(arn), raw).put(rowKey(arn), encodeRow(now));
    if ((await index.commit(commit)) === "committed") return replaced;
  }
}

/** Something ended since the mark of a target that keeps marks was raised. Asks nobody. */
export async function isUnmarked(
  index: OrderedIndex,
  { arn, endpoint }: Pick<Connection, "arn" | "endpoint">,
): Promise<boolean> {
  if (endpoint.resilver === undefined) return false;
  const { row } = await load(index, arn);
  return row.mark !== undefined && row.sent !== (await endedRows(index, arn));
}

const ANEW = "the bucket at its address was made anew, or is another site's: it lacks what was sent before";
const OLDER = "the site at its address is not the one that versions were sent to, or an older copy of it";
const GONE = "its bucket is gone, with what was sent there";

interface MarkFound {
  readonly row?: Pick<SeenRow, "mark" | "sent" | "raise"> | undefined;
  readonly why?: string | undefined;
}

/** Nothing found: an older program, or one that may not be asked. */
async function askMark(client: Connection["client"], arn: Arn, row: SeenRow, sent: number): Promise<MarkFound> {
  const { mark = 0, raise } = row;
  // After a fault whatever is there is marked above what was there before: that one's return is a fault again.
  const wanted = raise ? { least: 0, floor: mark + 1 } : { least: mark, floor: 0 };
  const isNews = raise === true || row.mark === undefined || row.sent !== sent;
  const answer = await ask(client, {
    method: isNews ? "POST" : "GET",
    path: "/resilver/v1/mark",
    query: {
      bucket: client.bucket,
      arn,
      ...(isNews ? { least: String(wanted.least), floor: String(wanted.floor) } : {}),
    },
    payload: "hashed",
  });
  const gone = answer.status === 404 && errorOf(answer).code === "NoSuchBucket";
  if (gone) return row.mark === undefined || raise ? {} : { why: GONE, row: { raise: true } };
  if (answer.status !== 200) return {};
  const { mark: there } = JSON.parse(answer.body.toString("utf8")) as { mark: number };
  if (there < wanted.least) return { why: OLDER, row: { raise: true } };
  return isNews ? { row: { mark: there, sent, raise: undefined } } : {};
}

/** When the target's bucket was made, as it says; empty: there is none; undefined: its user may not list it. */
async function askMade(client: Connection["client"]): Promise<string | undefined> {
  const answer = await ask(client, { method: "GET", path: "/", payload: "hashed" });
  if (answer.status !== 200) return undefined;
  const made = parseBucketList(answer.body).buckets.find(({ name }) => name === client.bucket)?.created;
  if (made) return made;
  return (await ask(client, { method: "HEAD", payload: "hashed" })).status === 404 ? "" : undefined;
}

/**
 * A resync or verification has ended. What a resync sent is no row of the log: the mark is raised at the next look.
 * `provedSinceMs`: it began then, after a look, and found everything there that should be.
 */
export async function comparisonEnded(index: OrderedIndex, arn: Arn, provedSinceMs: number | undefined): Promise<void> {
  for (;;) {
    const { raw, row } = await load(index, arn);
    const { replaced, ...rest } = row;
    const stays = replaced !== undefined && (provedSinceMs === undefined || replaced.sinceMs > provedSinceMs);
    const now: SeenRow = { ...rest, sent: undefined, ...(stays ? { replaced } : {}) };
    const commit = new CommitBuilder().unchanged(rowKey(arn), raw).put(rowKey(arn), encodeRow(now));
    if ((await index.commit(commit)) === "committed") return;
  }
}

/** Adds the end of what is known of a target to the commit that removes it. */
export const dropSeen = (commit: CommitBuilder, arn: Arn): void => void commit.delete(rowKey(arn));
