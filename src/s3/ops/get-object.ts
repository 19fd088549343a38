/** GetObject and HeadObject: conditions, ranges, parts, and what a peer's replication asks (replication.md 3.7, 3.9, 3.12). */
import { hasCode, StoreError } from "../../model/errors.ts";
import { isMultipart, type ObjectVersion, type Part } from "../../model/version.ts";
import type { FoundObject } from "../../objects/types.ts";
import * as names from "../../protocol/replication-headers.ts";
import { taggingHeader } from "../../protocol/tagging-header.ts";
import { allowed, authorizeFor } from "../authorize.ts";
import { encryptionHeaders, readKey, unlockFor } from "../encryption.ts";
import { PART_NUMBER_MAX, SMALL_REPLY_BYTES_MAX } from "../limits.ts";
import { seesLocks } from "../lock-request.ts";
import { expirationHeaders } from "../expiration.ts";
import * as headers from "../object-headers.ts";
import { bytesFromPeer, readFromPeer } from "../peer-read.ts";
import { decideRead, parseRange, rangeIsMeant, readConditions, type ByteRange } from "../read-conditions.ts";
import { isPeerRead } from "../replica.ts";
import type { Reply } from "../reply.ts";
import { invalidArgument, type Operation, type S3Request } from "../request.ts";

export const getObject: Operation = { name: "GetObject", run: (request) => read(request) };
export const headObject: Operation = { name: "HeadObject", run: (request) => read(request) };

async function read(request: S3Request): Promise<Reply> {
  const key = readKey(request);
  const looked = await findAuthorized(request);
  if ("fault" in looked) {
    refuseOverrides(request);
    const reply = await readFromPeer(request, looked.fault);
    if (reply === undefined) throw await missing(request, looked.fault);
    if (reply.status === 304 || request.query.pairs.length === 0) return reply;
    const replaced = [...reply.headers];
    overrideHeaders(request, replaced);
    return { ...reply, headers: replaced };
  }
  const found = looked;
  const { version } = found;
  if (key !== undefined || found.unlock !== undefined) await unlockFor(request.selector, found, key);
  const slice = sliceOf(request, found);
  const peer = isPeerRead(request);
  const identity = headers.identityHeaders(version, peer);
  if (peer) identity.push(...headers.peerHeaders(version));
  const conditions = readConditions(request, "");
  if (conditions !== undefined && decideRead(conditions, version) === "not-modified") {
    return { status: 304, headers: [...identity, ...headers.cacheHeaders(version)] };
  }
  // Content-Range cannot speak of no bytes.
  const range = slice !== undefined && version.size === 0 ? undefined : (slice ?? rangeOf(request, version));
  const out = [...identity, ...headers.metadataHeaders(version)];
  if (version.encryption !== undefined) out.push(...encryptionHeaders(version.encryption, key?.md5));
  await addOptional(request, found, { partial: range !== undefined, slice }, out);
  const { start, end } = range ?? { start: 0, end: version.size };
  if (end > start && range !== undefined) out.push("Content-Range", `bytes ${start}-${end - 1}/${version.size}`);
  const status = range === undefined ? 200 : 206;
  const length = end - start;
  if (request.method === "HEAD") return { status, headers: out, length };
  return { status, headers: out, length, ...(await bodyOf(request, found, start, end)) };
}

/**
 * One buffer for small objects; a stream whose first piece is in hand for others: damage there is still an error answer.
 * From where bytes are damaged on, they come from a peer that has them.
 */
async function bodyOf(
  request: S3Request,
  found: FoundObject,
  start: number,
  end: number,
): Promise<Pick<Reply, "body" | "stream">> {
  if (end === start) return { body: Buffer.alloc(0) };
  try {
    if (end - start <= SMALL_REPLY_BYTES_MAX) {
      const row = await found.inline?.();
      return { body: row?.subarray(start, end) ?? (await gathered(found.read(start, end))) };
    }
    const iterator = found.read(start, end, true)[Symbol.asyncIterator]();
    return { stream: resumed(request, found, { first: await iterator.next(), rest: iterator, start, end }) };
  } catch (error) {
    return { stream: await mended(request, found, { start, end }, error) };
  }
}

async function gathered(stream: AsyncIterable<Buffer>): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of stream) pieces.push(piece);
  return pieces.length === 1 ? (pieces[0] as Buffer) : Buffer.concat(pieces);
}

interface Begun extends ByteRange {
  readonly first: IteratorResult<Buffer>;
  readonly rest: AsyncIterator<Buffer>;
}

async function* resumed(
  request: S3Request,
  found: FoundObject,
  { first, rest, start, end }: Begun,
): AsyncGenerator<Buffer, void, undefined> {
  let at = start;
  try {
    for (let next = first; !next.done; next = await rest.next()) {
      at += next.value.length;
      yield next.value;
    }
  } catch (error) {
    yield* await mended(request, found, { start: at, end }, error);
  } finally {
    await rest.return?.();
  }
}

/** The bytes that are damaged here, from a peer; throws `error` when it is another one or no peer has them. */
async function mended(
  request: S3Request,
  found: FoundObject,
  { start, end }: ByteRange,
  error: unknown,
): Promise<AsyncIterable<Buffer>> {
  const bytes = hasCode(error, "XResilverObjectDamaged") ? await bytesFromPeer(request, found, start, end) : undefined;
  if (bytes === undefined) throw error;
  return bytes;
}

/**
 * Finds first, so that policies can look at the object's tags; whether it was found is only told to those who may know.
 * s3-api.md section 15: without s3:ListBucket a missing key is AccessDenied to anonymous callers.
 */
async function findAuthorized(request: S3Request): Promise<FoundObject | { readonly fault: unknown }> {
  const { selector } = request;
  let found: FoundObject | undefined;
  let fault: unknown;
  try {
    found = await request.deps.objects.find(selector);
    request.bucketSeen = found.bucket;
  } catch (error) {
    fault = error;
  }
  const tags = found?.version.tags?.value;
  await authorizeFor(request, { action: "s3:GetObject", tags });
  if (selector.versionId !== undefined)
    await authorizeFor(request, { action: "s3:GetObjectVersion", tags, denyOnly: true });
  if (found === undefined) return { fault };
  // To a peer damaged bytes are absent: it sends them again.
  if (found.version.damaged !== undefined && isPeerRead(request)) throw new StoreError("NoSuchVersion");
  return found;
}

async function missing(request: S3Request, error: unknown): Promise<unknown> {
  if (!(error instanceof StoreError)) return error;
  const fault =
    hasCode(error, "MethodNotAllowed") && isPeerRead(request) ? await withMarkerTime(request, error) : error;
  if (request.identity.kind === "anonymous" && hasCode(fault, "NoSuchKey") && fault.detail.headers === undefined) {
    if (!(await allowed(request, { action: "s3:ListBucket", key: "" }))) return new StoreError("AccessDenied");
  }
  if (request.headers[names.CHECK_REPLICATION_READY] === undefined || !(await keyExists(request))) return fault;
  const { detail } = fault;
  return new StoreError(fault.code, { ...detail, headers: { ...detail.headers, [names.REPLICATION_READY]: "true" } });
}

/** A null id may stand for another marker than the peer's: its exact time tells. */
async function withMarkerTime(request: S3Request, fault: StoreError): Promise<StoreError> {
  const found = await request.deps.objects.version(request.selector);
  if (found === undefined) return fault;
  const { detail } = fault;
  return new StoreError(fault.code, {
    ...detail,
    headers: { ...detail.headers, [names.RESILVER_MTIME]: String(found.version.mtime) },
  });
}

/** `X-Minio-Replication-Ready`: some version of the key exists. */
async function keyExists(request: S3Request): Promise<boolean> {
  const { bucket, key } = request;
  return (await request.deps.objects.version({ bucket, key })) !== undefined;
}

interface PartSlice extends ByteRange {
  readonly part: Part | undefined;
}

/** Bytes that `partNumber` names. InvalidRequest beside Range, InvalidPartNumber 416 when the object has no such part. */
function sliceOf(request: S3Request, found: FoundObject): PartSlice | undefined {
  const text = request.query.get("partNumber");
  if (text === undefined || text === "") return undefined;
  const number = Number(text);
  if (!/^\d{1,6}$/.test(text) || number < 1 || number > PART_NUMBER_MAX)
    throw invalidArgument("Part number must be an integer between 1 and 10000, inclusive");
  if (request.headers.range !== undefined) {
    throw new StoreError("InvalidRequest", {
      message: "Cannot specify both Range header and partNumber query parameter",
    });
  }
  const { version } = found;
  const parts = isMultipart(version) ? found.parts : [];
  if (parts.length === 0) {
    if (number !== 1) throw new StoreError("InvalidPartNumber");
    return { start: 0, end: version.size, part: undefined };
  }
  let start = 0;
  for (const part of parts) {
    if (part.number === number) return { start, end: start + part.size, part };
    start += part.size;
  }
  throw new StoreError("InvalidPartNumber");
}

function rangeOf(request: S3Request, version: ObjectVersion): ByteRange | undefined {
  const text = request.headers.range;
  if (text === undefined || !rangeIsMeant(request, version)) return undefined;
  return parseRange(text, version.size);
}

/** Headers that only some requests get: checksums, locks, tags, overrides, the number of parts. */
async function addOptional(
  request: S3Request,
  found: FoundObject,
  shape: { partial: boolean; slice: PartSlice | undefined },
  out: string[],
): Promise<void> {
  const { version } = found;
  if (version.retention !== undefined || version.legalHold !== undefined) {
    out.push(...headers.lockHeaders(version, await seesLocks(request)));
  }
  if (found.bucket.lifecycle !== undefined && found.isLatest) out.push(...expirationHeaders(found.bucket, version));
  if (request.headers["x-amz-checksum-mode"] !== undefined) addChecksum(request, version, shape, out);
  if (version.tags !== undefined && request.header(names.TAGGING_DIRECTIVE)?.toUpperCase() === "ACCESS") {
    const text = taggingHeader(version.tags.value);
    if (text !== "") out.push("X-Amz-Tagging", text);
  }
  if (shape.slice?.part !== undefined) out.push("x-amz-mp-parts-count", String(found.parts.length));
  if (request.query.pairs.length > 0) {
    refuseOverrides(request);
    overrideHeaders(request, out);
  }
}

function addChecksum(
  request: S3Request,
  version: ObjectVersion,
  shape: { partial: boolean; slice: PartSlice | undefined },
  out: string[],
): void {
  const { checksum } = version;
  if (checksum === undefined || request.header("x-amz-checksum-mode")?.toUpperCase() !== "ENABLED") return;
  const part = shape.slice?.part;
  if (part !== undefined) {
    if (part.checksum === undefined) return;
    out.push(`x-amz-checksum-${checksum.algorithm.toLowerCase()}`, part.checksum, "x-amz-checksum-type", checksum.type);
  } else if (!shape.partial || shape.slice !== undefined)
    out.push(...headers.checksumHeaders(checksum, version.partCount));
}

const OVERRIDES: Readonly<Record<string, string>> = {
  "response-content-type": "Content-Type",
  "response-content-language": "Content-Language",
  "response-expires": "Expires",
  "response-cache-control": "Cache-Control",
  "response-content-disposition": "Content-Disposition",
  "response-content-encoding": "Content-Encoding",
};

/** InvalidRequest for `response-*` of a stranger (s3-api.md 2.4). */
function refuseOverrides({ identity, query }: S3Request): void {
  if (identity.kind !== "anonymous" || !query.pairs.some(([name]) => OVERRIDES[name] !== undefined)) return;
  throw new StoreError("InvalidRequest", {
    message: "Request specific response headers cannot be used for anonymous GET requests.",
  });
}

/** `response-*` of the query replace the stored headers. */
function overrideHeaders(request: S3Request, out: string[]): void {
  for (const [query, value] of request.query.pairs) {
    const name = OVERRIDES[query];
    if (name === undefined) continue;
    // Only every other text is a name: metadata may have the value `Expires`.
    let at = 0;
    while (at < out.length && out[at] !== name) at += 2;
    out[at] = name;
    out[at + 1] = headers.headerValue(value);
  }
}
