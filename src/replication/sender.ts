/**
 * Brings one version in line at one target: looks at what it is here now and speaks MinIO's wire (replication.md 3).
 * Repeats and reorderings are harmless. Stores nothing here; the caller records the outcome.
 */
import type { Objects } from "../objects/objects.ts";
import { hasCode } from "../model/errors.ts";
import { NULL_VERSION, type Arn, type UnixNs, type VersionId } from "../model/names.ts";
import {
  purgedEverywhere,
  type DeleteMarker,
  type ObjectVersion,
  type Tombstone,
  type Version,
} from "../model/version.ts";
import { unreachable } from "../runtime/assert.ts";
import * as wire from "../protocol/replication-headers.ts";
import { ask, askAndCompare, resyncHeader, SLOW_DOWN } from "./ask-target.ts";
import { nanoseconds, remoteOfHead } from "./compare.ts";
import { refusalOf } from "./encryption.ts";
import { sourceHeaders } from "./headers.ts";
import { sendMetadata } from "./send-metadata.ts";
import { abandonUpload, goesInParts, sendMultipart, sendSingle } from "./send-object.ts";
import {
  changedMeanwhile,
  errorOf,
  failedAnswer,
  refusesName,
  failedSend,
  isPurgedThere,
  type SendOutcome,
} from "./wire.ts";
import type { LocalState, SendContext, SendRequest, SendTarget, Sent } from "./send-types.ts";

async function localState(
  objects: Objects,
  at: Omit<SendRequest, "compareFirst" | "marks" | "signal">,
): Promise<LocalState> {
  try {
    const stored = await objects.stored(at);
    if (stored !== undefined)
      return stored.bucket.id === at.bucketId
        ? { kind: "version", version: stored.version, stored }
        : { kind: "nothing" };
    // A bucket that was made anew under the name has other versions under the null id.
    if ((await objects.bucket(at.bucket)).id !== at.bucketId) return { kind: "nothing" };
    const tombstone = await objects.tombstone(at);
    return tombstone === undefined ? { kind: "nothing" } : { kind: "tombstone", tombstone };
  } catch (error) {
    if (hasCode(error, "NoSuchBucket")) return { kind: "nothing" };
    throw error;
  }
}

/** Never rejects: whatever happens is an outcome. What is sent is looked up once the key is free. */
export function sendVersion(objects: Objects, target: SendTarget, request: SendRequest): Promise<Sent> {
  const send = (): Promise<Sent> => sendNow(objects, target, request);
  return target.mutex === undefined
    ? send()
    : target.mutex.run(`${target.arn}/${request.bucketId}/${request.key}`, send);
}

async function sendNow(objects: Objects, target: SendTarget, request: SendRequest): Promise<Sent> {
  const startMs = target.observer?.begin();
  const sent = await attempt(objects, target, request);
  if (startMs !== undefined) target.observer?.end(startMs, target.arn, request, sent.outcome);
  return sent;
}

async function attempt(objects: Objects, target: SendTarget, request: SendRequest): Promise<Sent> {
  let local: LocalState = { kind: "nothing" };
  try {
    local = await localState(objects, request);
    const object = local.kind === "version" ? local.stored.object : undefined;
    return { local, outcome: await dispatch({ objects, target, request, object }, local) };
  } catch (error) {
    return { local, outcome: failedSend(error) };
  }
}

function isCompleted({ request, target }: SendContext, local: LocalState): boolean {
  return (
    request.skipCompleted === true &&
    local.kind === "version" &&
    local.version.replication.targets[target.arn] === "COMPLETED"
  );
}

async function dispatch(context: SendContext, local: LocalState): Promise<SendOutcome> {
  if (isCompleted(context, local)) return { kind: "alreadyEqual" };
  if (local.kind !== "version") await abandonUpload(context);
  switch (local.kind) {
    case "nothing":
      return { kind: "gone" };
    case "tombstone": {
      const time = purgeToSend(context, local.tombstone);
      return time === undefined ? { kind: "gone" } : sendPurge(context, time);
    }
    case "version": {
      const earlier = await purgeBefore(context, local.version);
      if (earlier !== undefined) return sendPurge(context, earlier);
      return local.version.kind === "object" ? sendObject(context, local.version) : sendMarker(context, local.version);
    }
    default:
      return unreachable(local);
  }
}

/** The time of the purge that the target must learn of. A purge that no rule replicates is this site's own affair. */
function purgeToSend({ request, target }: SendContext, stone: Tombstone): UnixNs | undefined {
  const time = purgedEverywhere(stone);
  if (time === undefined || stone.will === "everywhere" || request.marks.resyncId !== undefined) return time;
  // An older purge of the null id goes once: it could meet what was written since, and was purged here alone.
  return isOwed(stone, target.arn) ? time : undefined;
}

const isOwed = (stone: Tombstone, arn: Arn): boolean => {
  const status = stone.replication.targets[arn];
  return status !== undefined && status !== "COMPLETED";
};

/** A null version that no rule sends there stands where another was purged for every site: only that is to be told. */
async function purgeBefore({ objects, target, request }: SendContext, version: Version): Promise<UnixNs | undefined> {
  const { versionId, replication } = version;
  if (versionId !== NULL_VERSION || replication.targets[target.arn] !== undefined) return undefined;
  if (request.marks.resyncId !== undefined) return undefined;
  const stone = await objects.tombstone({ bucket: request.bucket, key: request.key, versionId });
  return stone !== undefined && isOwed(stone, target.arn) ? purgedEverywhere(stone) : undefined;
}

async function sendObject(context: SendContext, version: ObjectVersion): Promise<SendOutcome> {
  const refusal = refusalOf(version, context.target);
  if (refusal !== undefined) return refusal;
  if (version.damaged !== undefined) return sendDamaged(context, version, version.damaged);
  const looks = context.request.compareFirst || wouldReplaceUnseen(context, version);
  return looks ? compareAndSend(context, version) : sendContent(context, version, true);
}

/** MinIO puts any null version in the place of its own, an older one too (3.3), and purges one without asking its time. */
const wouldReplaceUnseen = (
  { target }: Pick<SendContext, "target">,
  { versionId }: { versionId: VersionId },
): boolean => versionId === NULL_VERSION && isMinio(target);

/** What does not tell exact times: MinIO, or what passes for one. */
export const isMinio = ({ mergesAsMinio, ingest }: SendTarget): boolean =>
  mergesAsMinio === true && ingest?.isSpoken !== true;

/** The bytes are lost here, but the target may have them: then its tags and locks are all that can lack. */
async function sendDamaged(context: SendContext, version: ObjectVersion, damaged: string): Promise<SendOutcome> {
  const { answer: found, remote } = await ask(context, version);
  switch (found.kind) {
    case "equal":
    case "newerThere":
      return { kind: "alreadyEqual" };
    case "registers":
      return sendMetadata(context, version, remote);
    case "failed":
    case "busy":
      return found.outcome;
    case "fixed":
    case "content":
    case "absent": {
      const purge = await tellPurgeBefore(context, version);
      if (purge !== undefined && purge.kind !== "purged") return purge;
      return { kind: "refused", code: "XResilverObjectDamaged", reason: `the version's bytes are ${damaged} here` };
    }
    default:
      return unreachable(found);
  }
}

/**
 * A null version that cannot be sent does not tell the target that an older one was purged for every site, as its
 * arrival would have: that is told by itself, or the target keeps what was purged.
 */
async function tellPurgeBefore(
  context: SendContext,
  { key, versionId, mtime }: ObjectVersion,
): Promise<SendOutcome | undefined> {
  if (versionId !== NULL_VERSION) return undefined;
  const stone = await context.objects.tombstone({ bucket: context.request.bucket, key, versionId });
  const time = stone && purgedEverywhere(stone);
  return time === undefined || time >= mtime ? undefined : sendPurge(context, time);
}

/**
 * Sends the bytes. Where the target had them already (a send whose end was not recorded) or took an upload begun
 * earlier, its tags and locks may be older than ours, and no later row would mend that: they are compared then.
 */
async function sendContent(context: SendContext, version: ObjectVersion, guard: boolean): Promise<SendOutcome> {
  // Without the guard the very bytes are written again: that is for one PUT to do.
  const inParts = version.partCount > 0 || (guard && goesInParts(version, context.target));
  const outcome = await (inParts ? sendMultipart(context, version) : sendSingle(context, version, guard));
  const unsure = outcome.kind === "alreadyEqual" || (outcome.kind === "sent" && outcome.resumed === true);
  const changeable = version.tags !== undefined || version.retention !== undefined || version.legalHold !== undefined;
  if (!unsure || !changeable) return outcome;
  const { answer: found, remote } = await ask(context, version);
  if (found.kind === "registers") return sendMetadata(context, version, remote);
  return found.kind === "failed" || found.kind === "busy" ? found.outcome : outcome;
}

/** replication.md section 4: a HEAD decides between nothing, a metadata copy and the whole version. */
async function compareAndSend(context: SendContext, version: ObjectVersion): Promise<SendOutcome> {
  const { answer: found, remote } = await ask(context, version);
  switch (found.kind) {
    case "failed":
      return found.outcome;
    case "absent":
    case "busy":
      return sendContent(context, version, true);
    case "equal":
    case "newerThere":
      return { kind: "alreadyEqual" };
    case "fixed":
      return { kind: "alreadyEqual", fixed: found.what };
    case "registers":
      return sendMetadata(context, version, remote);
    case "content":
      return replaceContent(context, version, found.what);
    default:
      return unreachable(found);
  }
}

/** The target has other content under this id, or another time. That it has something is no word for equal. */
async function replaceContent(context: SendContext, version: ObjectVersion, what: string): Promise<SendOutcome> {
  // Without the ETag guard the target takes the same bytes again and with them the right time (3.3).
  const outcome = await sendContent(context, version, what !== "modification time");
  // Of two null versions the target's may be the one that wins.
  if (outcome.kind !== "alreadyEqual" || version.versionId === NULL_VERSION) return outcome;
  const found = await askAndCompare(context, version);
  if (found.kind === "failed" || found.kind === "busy") return found.outcome;
  if (found.kind === "absent") return changedMeanwhile;
  if (found.kind !== "content") return outcome;
  return { kind: "refused", code: "ContentDiffers", reason: `the target keeps its own: another ${found.what}` };
}

/** replication.md 3.7: DELETE with the marker header toggles at MinIO, so HEAD comes first, always. */
async function sendMarker(context: SendContext, marker: DeleteMarker): Promise<SendOutcome> {
  const { request, target } = context;
  const head = await target.client.request({
    method: "HEAD",
    key: request.key,
    query: { versionId: request.versionId },
    headers: {
      ...resyncHeader(request.marks),
      [wire.SOURCE_PROXY_REQUEST]: "false",
      [wire.CHECK_REPLICATION_READY]: "true",
    },
    payload: "hashed",
    signal: request.signal,
  });
  // Only a null id can be another marker's, and only a target that tells exact times takes the newer one in its place.
  const theirs = request.versionId === "null" ? nanoseconds(head.headers[wire.RESILVER_MTIME]) : undefined;
  if (head.status === 405 && (theirs === undefined || theirs >= marker.mtime)) return { kind: "alreadyEqual" };
  // An object under the same id would be deleted by the request: only a null id can meet one, and then the newer stays.
  if (head.status < 300) {
    const remote = remoteOfHead(head);
    const older = remote !== undefined && BigInt(remote.mtimeMs) * 1_000_000n < marker.mtime;
    if (request.versionId !== "null" || !older) return { kind: "alreadyEqual" };
  } else if (
    head.status !== 404 &&
    head.status !== 405 &&
    !SLOW_DOWN.includes(errorOf(head).code) &&
    head.headers[wire.REPLICATION_READY] !== "true"
  ) {
    return failedAnswer(head);
  }
  const answer = await target.client.request({
    method: "DELETE",
    key: request.key,
    query: { versionId: request.versionId },
    headers: {
      ...sourceHeaders(request.marks, marker.mtime),
      [wire.SOURCE_DELETE_MARKER]: "true",
      [wire.REPLICATION_STATUS]: wire.REPLICA,
    },
    payload: "hashed",
    signal: request.signal,
  });
  if (isPurgedThere(answer)) return { kind: "purgedThere" };
  return answer.status < 300 ? { kind: "sent", bytes: 0, what: "delete-marker" } : failedAnswer(answer);
}

/**
 * replication.md 3.8, for markers too: the form without the marker header removes and never re-creates. Except where two
 * sites purge one marker at the same moment: a MinIO then answers both, and has a new marker of that id. So what is not
 * ours is looked at afterwards: whoever made the new one sees it.
 */
async function sendPurge(context: SendContext, time: UnixNs): Promise<SendOutcome> {
  const { request, target } = context;
  if (wouldReplaceUnseen(context, request)) {
    const found = await lookForPurged(context, time);
    if (found === "newer") return { kind: "purged" };
    if (typeof found === "object") return found;
  }
  const answer = await target.client.request({
    method: "DELETE",
    key: request.key,
    query: { versionId: request.versionId },
    headers: { ...sourceHeaders(request.marks, time), [wire.REPLICATION_STATUS]: wire.REPLICA },
    payload: "hashed",
    signal: request.signal,
  });
  if (answer.status < 300) return isMinio(target) ? stayedAway(context, time) : { kind: "purged" };
  const { code } = errorOf(answer);
  const absent = code === "NoSuchVersion" || code === "NoSuchKey" || refusesName(code);
  return absent ? { kind: "purged" } : failedAnswer(answer);
}

/** What the target shows of the version that was purged at `time`; an outcome: it could not be asked. */
async function lookForPurged(
  { request, target }: SendContext,
  time: UnixNs,
): Promise<"there" | "newer" | "absent" | SendOutcome> {
  const head = await target.client.request({
    method: "HEAD",
    key: request.key,
    query: { versionId: request.versionId },
    headers: { [wire.SOURCE_PROXY_REQUEST]: "false" },
    payload: "hashed",
    signal: request.signal,
  });
  if (head.status >= 500) return failedAnswer(head);
  // Purged, while its server's own targets still have to be told: 405 as a marker's.
  if (head.headers[wire.REPLICATION_DELETE_STATUS] !== undefined) return "absent";
  if (head.status !== 200 && head.status !== 405) return "absent";
  if (request.versionId !== NULL_VERSION) return "there";
  // It tells whole seconds: what is newer by them was surely written after the purge.
  const there = remoteOfHead(head);
  return there !== undefined && BigInt(there.mtimeMs) * 1_000_000n > time ? "newer" : "there";
}

async function stayedAway(context: SendContext, time: UnixNs): Promise<SendOutcome> {
  const found = await lookForPurged(context, time);
  if (typeof found === "object") return found;
  if (found !== "there") return { kind: "purged" };
  return { kind: "retry", code: "PurgeUndone", reason: "another site's purge put it there again", network: false };
}
