/** Object bodies to a target: one PUT, or a multipart upload with identical parts (replication.md 3.4 and 3.5). */
import type { StoredVersion } from "../objects/types.ts";
import type { ObjectVersion, Part } from "../model/version.ts";
import { INGEST_OBJECT_BYTES_MAX } from "../protocol/ingest.ts";
import { parseXml, escapeXml } from "../protocol/xml.ts";
import { REPLICATION_STATUS, REPLICA, SOURCE_REPLICATION_REQUEST } from "../protocol/replication-headers.ts";
import { assert } from "../runtime/assert.ts";
import { limited } from "./bandwidth.ts";
import { completeHeaders, newObjectHeaders } from "./headers.ts";
import * as limits from "./limits.ts";
import { isBegunFor, type ResumePoint } from "./resume.ts";
import type { SendContext } from "./send-types.ts";
import {
  errorInBody,
  errorOf,
  failedAnswer,
  failedSend,
  isPurgedThere,
  SourceReadError,
  type SendOutcome,
  type TargetResponse,
} from "./wire.ts";

type Bytes = NonNullable<StoredVersion["object"]>;

/** Reads with every failure marked as ours, so that damage here is never taken for a fault of the connection. */
async function* sourceBytes(found: Bytes, start: number, end: number): AsyncIterable<Buffer> {
  try {
    yield* found.read(start, end);
  } catch (error) {
    throw new SourceReadError(error);
  }
}

/** Small bodies as one buffer (read before the request begins), larger ones as a stream. */
async function bodyOf(
  found: Bytes,
  start: number,
  end: number,
  { target: { limiter }, request: { signal } }: Pick<SendContext, "target" | "request">,
): Promise<Buffer | AsyncIterable<Buffer>> {
  const size = end - start;
  if (size > limits.BUFFERED_BODY_BYTES) return limited(sourceBytes(found, start, end), limiter, signal);
  const inline = size === found.version.size ? await found.inline?.() : undefined;
  const pieces: Buffer[] = inline === undefined ? [] : [inline];
  if (inline === undefined) for await (const piece of sourceBytes(found, start, end)) pieces.push(piece);
  await limiter?.take(size, signal);
  return pieces.length === 1 ? (pieces[0] as Buffer) : Buffer.concat(pieces, size);
}

function bytesOf({ object }: SendContext): Bytes {
  assert(object !== undefined, "only objects have bytes");
  return object;
}

/** `fetch`-like clients wrap what a body threw: the source's own failure is what counts. */
function unwrapped(error: unknown): unknown {
  for (let at = error; at instanceof Error; at = at.cause) if (at instanceof SourceReadError) return at;
  return error;
}

/** One PUT. `guard` false leaves the ETag out, so that the target rewrites what it has (3.3). */
export async function sendSingle(context: SendContext, version: ObjectVersion, guard: boolean): Promise<SendOutcome> {
  const { request, target } = context;
  const body = await bodyOf(bytesOf(context), 0, version.size, context);
  const { key, versionId } = request;
  const headers = newObjectHeaders(version, request.marks, { mtime: true, etag: guard });
  const { ingest } = target;
  if (ingest?.isSpoken === true && Buffer.isBuffer(body) && body.length <= INGEST_OBJECT_BYTES_MAX) {
    const answer = await ingest.put({ key, versionId, headers, body });
    // An older program at the target does not know the call: alone, then.
    if (ingest.isSpoken) return stored(answer, version.size);
  }
  try {
    const answer = await target.client.request({
      method: "PUT",
      key,
      query: { versionId },
      headers,
      body,
      contentLength: version.size,
      payload: "unsigned",
      signal: request.signal,
    });
    return stored(answer, version.size);
  } catch (error) {
    throw unwrapped(error);
  }
}

function stored(answer: TargetResponse, bytes: number): SendOutcome {
  if (isPurgedThere(answer)) return { kind: "purgedThere" };
  if (answer.status === 412 && errorOf(answer).code !== "XResilverPurged") return { kind: "alreadyEqual" };
  return answer.status < 300 ? { kind: "sent", bytes, what: "object" } : failedAnswer(answer);
}

interface SentPart {
  readonly number: number;
  /** Of a part that the target listed. */
  readonly size?: number | undefined;
  readonly etag: string;
  readonly checksum?: string | undefined;
}

/** A part as it travels: one of the version's own, or a stretch of an object that has none. */
interface Piece extends Pick<Part, "number" | "size" | "checksum"> {
  readonly etag?: string | undefined;
}

/**
 * Whether an object goes part by part. One of a single piece does when it is large and its checksum can be told from
 * parts, which MinIO wants to have of each part: there only objects without a checksum are split.
 */
export function goesInParts(version: ObjectVersion, target: SendContext["target"]): boolean {
  if (version.partCount > 0) return true;
  if (version.size < limits.SPLIT_OBJECT_BYTES) return false;
  const { checksum } = version;
  return checksum === undefined || (checksum.algorithm.startsWith("CRC") && target.ingest?.isSpoken === true);
}

/** Parts of a split object: the same ones however often it is begun anew. */
export function splitPieces(size: number): Piece[] {
  const each = Math.max(limits.SPLIT_PART_BYTES, Math.ceil(size / limits.SPLIT_PARTS_MAX));
  return Array.from({ length: Math.ceil(size / each) }, (_, i) => ({
    number: i + 1,
    size: Math.min(each, size - i * each),
  }));
}

/** Parts with the same numbers and sizes; an upload that was cut goes on with the parts that the target has. */
export async function sendMultipart(context: SendContext, version: ObjectVersion): Promise<SendOutcome> {
  const { target } = context;
  const found = bytesOf(context);
  const at = pointOf(context);
  const resumed = await resumeUpload(context, version);
  if (resumed !== undefined && "kind" in resumed) return resumed;
  let uploadId = resumed?.uploadId;
  if (uploadId === undefined) {
    const created = await createUpload(context, version);
    if (typeof created !== "string") return created;
    uploadId = created;
    await target.resume?.save(at, version, uploadId);
  }
  const ended = await sendPartsAndComplete(context, { version, found, uploadId, have: resumed?.parts ?? new Map() });
  const again = ended.kind === "retry" && ended.network;
  // Without an answer the upload may go on later; whatever else but success ends it, so that the target keeps no orphan.
  if (again && target.resume !== undefined) return ended;
  await target.resume?.forget(at);
  if (ended.kind !== "sent") await tryAbort(context, uploadId);
  return ended.kind === "sent" && resumed !== undefined ? { ...ended, resumed: true } : ended;
}

async function createUpload(context: SendContext, version: ObjectVersion): Promise<string | SendOutcome> {
  const { request, target } = context;
  const headers = newObjectHeaders(version, request.marks, { mtime: false, etag: true });
  const answer = await target.client.request({
    method: "POST",
    key: request.key,
    query: { uploads: "", versionId: request.versionId },
    headers: { ...headers, [REPLICATION_STATUS]: REPLICA },
    body: Buffer.alloc(0),
    payload: "unsigned",
    signal: request.signal,
  });
  if (answer.status >= 300 || isPurgedThere(answer)) return stored(answer, 0);
  const uploadId = parseXml(answer.body).value("UploadId") ?? "";
  if (uploadId === "")
    return { kind: "retry", code: "BadAnswer", reason: "the target gave no upload id", network: false };
  return uploadId;
}

/** Parts that the target holds of an upload begun earlier, by number; undefined: begin anew; an outcome: not now. */
async function resumeUpload(
  context: SendContext,
  version: ObjectVersion,
): Promise<{ uploadId: string; parts: Map<number, SentPart> } | SendOutcome | undefined> {
  const { request, target } = context;
  const begun = await target.resume?.find(pointOf(context));
  if (begun === undefined) return undefined;
  if (!isBegunFor(begun, version)) return void (await abandonUpload(context));
  const { uploadId } = begun;
  const parts = new Map<number, SentPart>();
  for (let marker = "0"; ;) {
    const answer = await target.client.request({
      method: "GET",
      key: request.key,
      query: { uploadId, "part-number-marker": marker, "max-parts": "1000" },
      payload: "hashed",
      signal: request.signal,
    });
    // A target that is busy, or about to stop, says nothing of what it has.
    if (answer.status >= 500 || answer.status === 429) return failedAnswer(answer);
    if (answer.status !== 200) return void (await tryAbort(context, uploadId));
    const root = parseXml(answer.body);
    for (const part of root.all("Part")) {
      const number = Number(part.value("PartNumber"));
      const etag = (part.value("ETag") ?? "").replaceAll('"', "");
      const checksum = version.checksum === undefined ? undefined : part.value(`Checksum${version.checksum.algorithm}`);
      parts.set(number, { number, size: Number(part.value("Size") ?? "-1"), etag, checksum });
    }
    const next = root.value("NextPartNumberMarker") ?? "0";
    if (root.value("IsTruncated") !== "true" || next === marker) return { uploadId, parts };
    marker = next;
  }
}

interface Upload {
  readonly version: ObjectVersion;
  readonly found: Bytes;
  readonly uploadId: string;
  /** Parts that the target has already. */
  readonly have: ReadonlyMap<number, SentPart>;
}

async function sendPartsAndComplete(context: SendContext, upload: Upload): Promise<SendOutcome> {
  const parts: readonly Piece[] = upload.found.parts.length > 0 ? upload.found.parts : splitPieces(upload.version.size);
  const done: SentPart[] = [];
  let failed: SendOutcome | undefined;
  let thrown: { error: unknown } | undefined;
  let next = 0;
  let offset = 0;
  const worker = async (): Promise<void> => {
    while (failed === undefined && thrown === undefined && next < parts.length) {
      const part = parts[next++] as Piece;
      const start = offset;
      offset += part.size;
      try {
        const result = await sendPart(context, upload, part, start);
        if ("kind" in result) failed = result;
        else done.push(result);
      } catch (error) {
        thrown = { error: unwrapped(error) };
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(limits.PARTS_IN_FLIGHT_MAX, parts.length) }, worker));
  if (thrown !== undefined) return failedSend(thrown.error);
  if (failed !== undefined) return failed;
  try {
    return await complete(context, upload, done);
  } catch (error) {
    return failedSend(error);
  }
}

async function sendPart(
  context: SendContext,
  upload: Upload,
  part: Piece,
  start: number,
): Promise<SentPart | SendOutcome> {
  const { request, target } = context;
  const known = upload.have.get(part.number);
  const has = part.etag === undefined ? known?.size === part.size : known?.etag === part.etag;
  if (known !== undefined && has)
    return { number: part.number, etag: known.etag, checksum: part.checksum ?? known.checksum };
  const headers: Record<string, string> = { [SOURCE_REPLICATION_REQUEST]: "true" };
  const algorithm = upload.version.checksum?.algorithm;
  if (algorithm !== undefined && part.checksum !== undefined) {
    headers["x-amz-checksum-algorithm"] = algorithm;
    headers[`x-amz-checksum-${algorithm.toLowerCase()}`] = part.checksum;
  }
  const answer = await target.client.request({
    method: "PUT",
    key: request.key,
    query: { partNumber: String(part.number), uploadId: upload.uploadId },
    headers,
    body: await bodyOf(upload.found, start, start + part.size, context),
    contentLength: part.size,
    payload: "unsigned",
    signal: request.signal,
  });
  if (answer.status >= 300) return failedAnswer(answer);
  const echoed = algorithm === undefined ? undefined : answer.headers[`x-amz-checksum-${algorithm.toLowerCase()}`];
  return {
    number: part.number,
    etag: (answer.headers["etag"] ?? "").replaceAll('"', ""),
    checksum: part.checksum ?? echoed,
  };
}

async function complete(context: SendContext, upload: Upload, parts: SentPart[]): Promise<SendOutcome> {
  const { request, target } = context;
  const { version, uploadId } = upload;
  const algorithm = version.checksum?.algorithm;
  parts.sort((a, b) => a.number - b.number);
  const xml = parts.map((part) => {
    const sum =
      algorithm !== undefined && part.checksum !== undefined
        ? `<Checksum${algorithm}>${escapeXml(part.checksum)}</Checksum${algorithm}>`
        : "";
    return `<Part><PartNumber>${part.number}</PartNumber><ETag>${escapeXml(part.etag)}</ETag>${sum}</Part>`;
  });
  const answer = await target.client.request({
    method: "POST",
    key: request.key,
    query: { uploadId },
    headers: completeHeaders(version, request.marks),
    body: Buffer.from(
      `<CompleteMultipartUpload xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${xml.join("")}</CompleteMultipartUpload>`,
    ),
    payload: "hashed",
    idleTimeoutMs: limits.COMPLETE_TIMEOUT_MS,
    signal: request.signal,
  });
  if (answer.status < 300 && errorInBody(answer)) return failedAnswer(answer);
  return stored(answer, version.size);
}

const pointOf = ({ request, target }: SendContext): ResumePoint => ({
  arn: target.arn,
  bucketId: request.bucketId,
  key: request.key,
  versionId: request.versionId,
});

/**
 * Ends an upload that was begun for what is no more: its parts would stay at the target for ever. Rejects when no answer
 * came.
 */
export async function abandonUpload(context: SendContext): Promise<void> {
  const { resume } = context.target;
  const begun = await resume?.find(pointOf(context));
  if (begun === undefined) return;
  await abort(context, begun.uploadId);
  await resume?.forget(pointOf(context));
}

async function abort({ request, target }: SendContext, uploadId: string): Promise<void> {
  await target.client.request({ method: "DELETE", key: request.key, query: { uploadId }, payload: "hashed" });
}

/** Best effort: the target's own clean-up takes what this misses. */
async function tryAbort(context: SendContext, uploadId: string): Promise<void> {
  try {
    await abort(context, uploadId);
  } catch {
    // The connection is gone; the outcome that led here is what gets reported.
  }
}
