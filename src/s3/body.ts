/**
 * Request bodies: the length rules, aws-chunked decoding, checksum claims, and whole documents.
 * s3-api.md 2.7, 4, 5 and replication.md 3.0. Nothing is stored here.
 */
import { createHash } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { checksumHeaderName, parseChecksumAlgorithm } from "../model/checksum.ts";
import { checksumOf } from "../model/checksum.ts";
import { hasCode, StoreError } from "../model/errors.ts";
import type { ChecksumAlgorithm } from "../model/version.ts";
import type { IncomingBody } from "../objects/types.ts";
import { ChunkedDecoder, decodeAwsChunked } from "../protocol/aws-chunked.ts";
import { freeMemory, OwnedBytes } from "../runtime/owned-bytes.ts";
import { PiecedBytes } from "../runtime/pieced-bytes.ts";
import type { HeaderView } from "./attributes.ts";
import { DOCUMENTS_BYTES_MAX, OBJECT_BYTES_MAX, SMALL_BODY_BYTES_MAX } from "./limits.ts";
import { STRANGERS_DOCUMENTS_BYTES_MAX } from "./limits.ts";
import { invalidArgument, type S3Request } from "./request.ts";

const CHECKSUM_PREFIX = "x-amz-checksum-";

/** A checksum that a request claims for its body: its algorithm, and its value when not in a trailer. */
export interface ChecksumClaim {
  readonly algorithm: ChecksumAlgorithm;
  readonly value?: string | undefined;
}

/** Headers of that name that are no checksums. */
const ABOUT_CHECKSUMS = new Set(["algorithm", "mode", "type"].map((name) => CHECKSUM_PREFIX + name));

/**
 * The algorithm that a header or trailer is named after; undefined when it is no checksum. InvalidArgument for one that
 * is not here: taken, its sender would believe the bytes checked.
 */
function algorithmNamed(name: string): ChecksumAlgorithm | undefined {
  if (!name.startsWith(CHECKSUM_PREFIX) || ABOUT_CHECKSUMS.has(name)) return undefined;
  const algorithm = parseChecksumAlgorithm(name.slice(CHECKSUM_PREFIX.length));
  if (algorithm === undefined) throw invalidArgument("Checksum algorithm provided is unsupported.");
  return algorithm;
}

/** One of them would not be looked at. */
function twoChecksums(): StoreError {
  const message = "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.";
  return new StoreError("InvalidRequest", { message });
}

/** The `x-amz-checksum-<algorithm>` header of a request. Two of them: InvalidRequest. */
export function checksumHeader(request: HeaderView): ChecksumClaim | undefined {
  let claim: ChecksumClaim | undefined;
  for (const name in request.headers) {
    const algorithm = algorithmNamed(name);
    if (algorithm === undefined) continue;
    const value = request.header(name) ?? "";
    if (claim !== undefined) throw twoChecksums();
    claim = { algorithm, value };
  }
  return claim;
}

/** Value without the `-N` of a composite, and whether it had one. */
export function splitComposite(value: string): { value: string; parts: number | undefined } {
  const match = /^(.*)-(\d{1,5})$/.exec(value);
  return match === null ? { value, parts: undefined } : { value: match[1] as string, parts: Number(match[2]) };
}

/** `x-amz-checksum-algorithm` or its SDK name; InvalidArgument for an unknown one. */
export function wantedAlgorithm(request: S3Request): ChecksumAlgorithm | undefined {
  const text = request.header("x-amz-checksum-algorithm") || request.header("x-amz-sdk-checksum-algorithm");
  if (text === undefined || text === "") return undefined;
  const algorithm = parseChecksumAlgorithm(text);
  if (algorithm === undefined) throw invalidArgument("Checksum algorithm provided is unsupported.");
  return algorithm;
}

/** Content-MD5 as hex; InvalidDigest unless it is base64 of 16 bytes. */
function contentMd5(request: S3Request): string | undefined {
  const text = request.header("content-md5");
  if (text === undefined) return undefined;
  const bytes = Buffer.from(text, "base64");
  if (bytes.length !== 16 || bytes.toString("base64") !== text) throw new StoreError("InvalidDigest");
  return bytes.toString("hex");
}

function lengthOf(text: string | undefined, name: string): number | undefined {
  if (text === undefined) return undefined;
  if (text === "") throw new StoreError("MissingContentLength");
  const length = Number(text);
  if (!/^\d{1,16}$/.test(text) || !Number.isSafeInteger(length))
    throw invalidArgument(`${name} is not a valid length.`);
  if (length > OBJECT_BYTES_MAX) throw new StoreError("EntityTooLarge");
  return length;
}

interface Trailers {
  /** Lower-case. */
  readonly names: readonly string[];
  readonly algorithm: ChecksumAlgorithm | undefined;
}

function announcedTrailers(request: S3Request): Trailers {
  const text = request.header("x-amz-trailer");
  if (text === undefined || text === "") return { names: [], algorithm: undefined };
  const names = text
    .split(",")
    .map((name) => name.trim().toLowerCase())
    .filter((name) => name !== "");
  const checksums = names.map(algorithmNamed).filter((algorithm) => algorithm !== undefined);
  if (checksums.length > 1) throw invalidArgument("Expecting a single x-amz-checksum- trailer.");
  return { names, algorithm: checksums[0] };
}

/**
 * The body of PutObject and UploadPart. Throws MissingContentLength 411 when nothing tells its size: a chunked transfer
 * is fine with `x-amz-decoded-content-length` (a MinIO source sends empty objects so) or with a streaming signature.
 */
export function objectBody(request: S3Request): IncomingBody {
  const { bodyAuth, incoming } = request;
  const claim = checksumHeader(request);
  // A value that no digest can have is a wrong digest: AWS says BadDigest.
  const declared = lengthOf(request.header("content-length"), "Content-Length");
  const decoded = lengthOf(request.header("x-amz-decoded-content-length"), "x-amz-decoded-content-length");
  const common = {
    lent: true,
    md5: contentMd5(request),
    checksumAlgorithm: claim?.algorithm,
    expectedChecksum: claim && (() => claim.value),
  };
  if (bodyAuth.kind === "plain") {
    const size = declared ?? decoded;
    if (size === undefined) throw new StoreError("MissingContentLength");
    const stream = streamed(request, declared === undefined ? size : OBJECT_BYTES_MAX, true);
    const whole = isSmall(declared) ? () => wholeOf(request, declared) : undefined;
    return { ...common, stream, whole, size, sha256: bodyAuth.sha256 };
  }
  const trailers = announcedTrailers(request);
  if (trailers.algorithm !== undefined && claim !== undefined) throw twoChecksums();
  if (declared === undefined && decoded === undefined && incoming.headers["transfer-encoding"] === undefined) {
    throw new StoreError("MissingContentLength");
  }
  const decoder = new ChunkedDecoder({
    mode: bodyAuth.mode,
    decodedLength: decoded,
    signing: bodyAuth.signing,
    trailerNames: trailers.names,
  });
  const stream = decodeAwsChunked(streamed(request, OBJECT_BYTES_MAX, true), decoder);
  const whole = isSmall(declared) ? () => wholeOfChunks(request, declared, decoder) : undefined;
  const { algorithm } = trailers;
  if (algorithm === undefined) return { ...common, stream, whole, size: decoded };
  const name = checksumHeaderName(algorithm);
  return {
    ...common,
    stream,
    whole,
    size: decoded,
    checksumAlgorithm: algorithm,
    expectedChecksum: () => decoder.trailers[name],
  };
}

const isSmall = (declared: number | undefined): declared is number =>
  declared !== undefined && declared <= SMALL_BODY_BYTES_MAX;

const NO_BYTES = Buffer.alloc(0);

async function wholeOf(request: S3Request, declared: number): Promise<OwnedBytes> {
  return new OwnedBytes(declared === 0 ? NO_BYTES : await gather(request, declared));
}

async function wholeOfChunks(request: S3Request, declared: number, decoder: ChunkedDecoder): Promise<OwnedBytes> {
  const raw = await gather(request, declared);
  const data: Buffer[] = [];
  decoder.push(raw, data);
  decoder.end();
  return data.length === 1 ? new OwnedBytes(data[0] as Buffer, raw) : new OwnedBytes(Buffer.concat(data), raw);
}

/** The body as sent, of any length up to the end of the request. */
export function rawBody(request: S3Request): AsyncGenerator<Buffer, void, undefined> {
  return streamed(request, OBJECT_BYTES_MAX);
}

/**
 * ExcessData above `limit` bytes: a chunked transfer has no other end. `lent`: the memory of a piece is freed when the next
 * one is asked for: left to the collector, the bodies of a busy server cost more than a quarter of what storing them does.
 */
async function* streamed(
  request: S3Request,
  limit: number,
  lent: boolean = false,
): AsyncGenerator<Buffer, void, undefined> {
  request.readBody();
  let length = 0;
  try {
    // Whoever stops reading early (a bad chunk signature) still has an answer to send: the socket must live on.
    for await (const chunk of request.incoming.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      length += chunk.length;
      if (length > limit) throw new StoreError("ExcessData");
      yield chunk;
      if (lent) freeMemory(chunk);
    }
  } catch (cause) {
    throw request.incoming.errored === null ? cause : cutShort(cause);
  }
  if (!request.incoming.complete) throw new StoreError("IncompleteBody");
  // What is left is the server's: a slow disk may take long to have all of it.
  request.longRunning();
}

/** IncompleteBody, unless it was the server who ended it. */
function cutShort(cause: unknown): StoreError {
  return hasCode(cause, "RequestTimeout") ? cause : new StoreError("IncompleteBody", { cause });
}

interface Reading {
  readonly most: number;
  bytes: number;
}

/** Documents that this process is reading. */
const reading: Reading = { most: DOCUMENTS_BYTES_MAX, bytes: 0 };
const readingOfStrangers: Reading = { most: STRANGERS_DOCUMENTS_BYTES_MAX, bytes: 0 };

/** As `gather`, for documents. SlowDownWrite when those under way are too many: some are read before anybody is asked. */
async function gatherDocument(request: S3Request, limit: number): Promise<Buffer> {
  const all = request.identity.kind === "anonymous" ? readingOfStrangers : reading;
  let own = 0;
  try {
    return await gather(request, limit, (bytes) => {
      own += bytes;
      all.bytes += bytes;
      return all.bytes <= all.most;
    });
  } finally {
    all.bytes -= own;
  }
}

const anyRoom = (): boolean => true;

/**
 * Reads a whole body of at most `limit` bytes with plain events: an iterator costs more than such a body. `room` is asked
 * for each piece: SlowDownWrite when it has none.
 */
function gather(request: S3Request, limit: number, room: (bytes: number) => boolean = anyRoom): Promise<Buffer> {
  request.readBody();
  const { incoming } = request;
  // Gone before anybody read: no event would come any more, and the request would count as one in work for ever.
  if (incoming.destroyed) return Promise.reject(new StoreError("IncompleteBody"));
  return new Promise((resolve, reject) => {
    const pieces = new PiecedBytes();
    let settled = false;
    const fail = (error: unknown): void => {
      settled = true;
      pieces.clear();
      reject(error as Error);
    };
    incoming.on("data", (chunk: Buffer) => {
      if (settled) return;
      if (pieces.length + chunk.length > limit) return fail(new StoreError("EntityTooLarge"));
      if (!room(chunk.length)) return fail(new StoreError("SlowDownWrite"));
      pieces.add(chunk);
    });
    incoming.on("end", () => {
      if (settled) return;
      settled = true;
      resolve(pieces.whole());
    });
    incoming.on("error", (cause) => fail(cutShort(cause)));
    // Also of a body that had arrived whole, and was destroyed before it was handed out. Of no other: an error costs a stack.
    incoming.on("close", () => {
      if (!settled) fail(new StoreError("IncompleteBody"));
    });
  });
}

/**
 * A document of at most `limit` bytes, held against its signed hash, Content-MD5 and checksum.
 * Throws EntityTooLarge, XAmzContentSHA256Mismatch, BadDigest, IncompleteBody, SlowDownWrite.
 */
export async function readDocument(request: S3Request, limit: number): Promise<Buffer> {
  const declared = lengthOf(request.header("content-length"), "Content-Length");
  if (declared !== undefined && declared > limit) throw new StoreError("EntityTooLarge");
  const md5 = contentMd5(request);
  const bytes = declared === 0 || !hasBody(request.incoming) ? Buffer.alloc(0) : await gatherDocument(request, limit);
  const { bodyAuth } = request;
  if (bodyAuth.kind === "plain" && bodyAuth.sha256 !== undefined) {
    if (createHash("sha256").update(bytes).digest("hex") !== bodyAuth.sha256)
      throw new StoreError("XAmzContentSHA256Mismatch");
  }
  if (md5 !== undefined && createHash("md5").update(bytes).digest("hex") !== md5) throw new StoreError("BadDigest");
  return bytes;
}

/** As `readDocument`, and an `x-amz-checksum-*` header must fit: for operations where it speaks of the document. */
export async function readCheckedDocument(request: S3Request, limit: number): Promise<Buffer> {
  const claim = checksumHeader(request);
  const bytes = await readDocument(request, limit);
  if (claim?.value !== undefined && checksumOf(claim.algorithm, bytes) !== claim.value)
    throw new StoreError("BadDigest");
  return bytes;
}

/**
 * MissingContentMD5 unless something vouches for the document. A hash of it that the signature binds says as much as
 * Content-MD5; some SDKs send nothing else.
 */
export function requireDigest(request: S3Request): void {
  const { bodyAuth, headers } = request;
  const signed = bodyAuth.kind === "plain" && bodyAuth.sha256 !== undefined;
  if (headers["content-md5"] === undefined && !signed && checksumHeader(request) === undefined)
    throw new StoreError("MissingContentMD5");
}

/** The request declares a body, even an empty one. */
export function hasBody(incoming: IncomingMessage): boolean {
  return incoming.headers["content-length"] !== undefined || incoming.headers["transfer-encoding"] !== undefined;
}
