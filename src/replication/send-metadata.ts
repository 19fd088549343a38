/**
 * Tags, retention and legal hold of a version that the target has (replication.md 3.6). MinIO takes all of them off the
 * version first and puts back what is newer than the last change that it remembers: an unchanged retention is lost with
 * every copy that tells its true time again, and tags are when the target's were newer. So a retention that the target
 * shows already, or none of, goes with the time of now; and what was taken off all the same is sent again a moment later,
 * when a newer value of the target's has had the time to come here. Such a time overrules newer values of other sites too,
 * and an old MinIO knows no times at all: a newer value that arrives here is sent from here as well.
 */
import type { ObjectVersion } from "../model/version.ts";
import * as wire from "../protocol/replication-headers.ts";
import { encodeS3Path } from "../protocol/uri.ts";
import { rfc3339Nano } from "../protocol/time.ts";
import { ask } from "./ask-target.ts";
import { LOCK_HOLD, LOCK_MODE, sameRetention, retentionTold, type RemoteObject } from "./compare.ts";
import { METADATA_AGAIN_MS } from "./limits.ts";
import { metadataCopyHeaders } from "./headers.ts";
import type { SendContext } from "./send-types.ts";
import { changedMeanwhile, errorInBody, failedAnswer, isPurgedThere, type SendOutcome } from "./wire.ts";

/** `remote`: what the target told a moment ago. */
export async function sendMetadata(
  context: SendContext,
  version: ObjectVersion,
  remote: RemoteObject | undefined,
): Promise<SendOutcome> {
  const times = takesOff(context, remote) ? timesOfNow(context, version, remote) : {};
  const { objects, target, request } = context;
  if (takesOff(context, remote) && !(await objects.markResend(request.bucket, target.arn, version)))
    return changedMeanwhile;
  const outcome = await copy(context, version, times);
  if (outcome.kind !== "sent" || !takesOff(context, remote) || !hasRegisters(version)) return outcome;
  if (await changedHere(context, version)) return changedMeanwhile;
  const { answer, remote: after } = await ask(context, version);
  if (answer.kind === "failed" || answer.kind === "busy") return answer.outcome;
  if (answer.kind !== "registers") return outcome;
  // A user without the right to see tags or locks is shown none: only what was to be seen can be missed.
  const shown = answer.what === "tags" ? showsTags(after) : showsLocks(remote) || showsLocks(after);
  if (!shown) return outcome;
  const reason = `the target took the ${answer.what} off: its own may be newer`;
  return { kind: "retry", code: "MetadataNotTaken", reason, network: false, afterMs: METADATA_AGAIN_MS };
}

/** A newer value came from the target while ours was on its way to it. */
async function changedHere({ objects, request }: SendContext, sent: ObjectVersion): Promise<boolean> {
  const { bucket, key, versionId } = request;
  const now = (await objects.version({ bucket, key, versionId }))?.version;
  if (now?.kind !== "object") return true;
  const { tags, retention, legalHold } = now;
  return (
    tags?.time !== sent.tags?.time ||
    retention?.time !== sent.retention?.time ||
    legalHold?.time !== sent.legalHold?.time
  );
}

const hasTags = (version: ObjectVersion): boolean => Object.keys(version.tags?.value ?? {}).length > 0;

/** An empty value is taken in any case, and so is a legal hold. */
const hasRegisters = (version: ObjectVersion): boolean => hasTags(version) || version.retention?.value != null;

/** Peers of this kind tell exact times, and merge by them. */
const takesOff = (context: SendContext, remote: RemoteObject | undefined): remote is RemoteObject =>
  context.target.mergesAsMinio === true && remote !== undefined && remote.mtime === undefined;

const showsTags = (remote: RemoteObject | undefined): boolean => (remote?.tags ?? remote?.tagsTime) !== undefined;

const showsLocks = (remote: RemoteObject | undefined): boolean =>
  Boolean(remote?.metadata?.[LOCK_MODE] ?? remote?.metadata?.[LOCK_HOLD]);

async function copy(
  context: SendContext,
  version: ObjectVersion,
  times: Readonly<Record<string, string>>,
): Promise<SendOutcome> {
  const { request, target } = context;
  const copySource = `${target.client.bucket}/${encodeS3Path(request.key)}?versionId=${request.versionId}`;
  const headers = metadataCopyHeaders(version, copySource, request.marks);
  const answer = await target.client.request({
    method: "PUT",
    key: request.key,
    query: { versionId: request.versionId },
    headers: { ...headers, ...times },
    body: Buffer.alloc(0),
    payload: "unsigned",
    signal: request.signal,
  });
  if (isPurgedThere(answer)) return { kind: "purgedThere" };
  if (answer.status !== 200 || errorInBody(answer)) return failedAnswer(answer);
  return { kind: "sent", bytes: 0, what: "metadata" };
}

/** Times for values that can hardly overrule a newer one: the target has the same retention, or none, or no tags any more. */
function timesOfNow(context: SendContext, version: ObjectVersion, remote: RemoteObject): Record<string, string> {
  const headers: Record<string, string> = {};
  const now = rfc3339Nano(context.target.clock.nowNs());
  const noTags = Object.keys(remote.tags ?? {}).length === 0;
  if (context.request.repeated === true && noTags && hasTags(version)) headers[wire.SOURCE_TAGGING_TIME] = now;
  const ours = version.retention?.value ?? null;
  const theirs = retentionTold(remote.metadata ?? {});
  if (ours !== null && (theirs === null || sameRetention(ours, theirs))) headers[wire.SOURCE_RETENTION_TIME] = now;
  return headers;
}
