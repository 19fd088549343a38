/** Bodies into objects: one PUT for small ones, parallel parts for large ones, resumable from a state file. */
import { createHash } from "node:crypto";
import * as calls from "../../client/s3-calls.ts";
import { checksumHeaderName, checksumOf } from "../../model/checksum.ts";
import type { PartEntry, PartToComplete } from "../../protocol/s3-xml-uploads.ts";
import type { ObjectAddress, PutResult } from "./calls.ts";
import { named, retried } from "./calls.ts";
import type { TransferOptions } from "./options.ts";
import { SINGLE_PUT_BYTES_MAX, partRanges, partSizeFor } from "./plan.ts";
import { forEachParallel } from "./pool.ts";
import type { UploadState } from "./upload-state.ts";

/** Bytes that can be read again from any place: a file, or an object on another server. */
export interface PartSource {
  readonly size: number;
  /** Exactly `length` bytes from `offset`. */
  read(offset: number, length: number): Promise<Buffer>;
  /** The whole as a stream, for --disable-multipart. */
  stream(): AsyncIterable<Buffer>;
}

interface Destination {
  readonly target: ObjectAddress;
  /** `ALIAS/BUCKET/KEY`: decides on encryption. */
  readonly path: string;
  /** Content type, metadata, tags, conditions. */
  readonly headers: Readonly<Record<string, string>>;
  readonly options: TransferOptions;
  onBytes(count: number): void;
}

export interface UploadRequest extends Destination {
  readonly source: PartSource;
  /** Undefined: not resumable. */
  readonly state?: UploadState | undefined;
}

/** Writes the object. Parts of a failed upload are removed, unless it may be resumed. */
export async function upload(request: UploadRequest): Promise<PutResult> {
  const { source, options } = request;
  if (source.size <= SINGLE_PUT_BYTES_MAX) return putWhole(request, await source.read(0, source.size));
  if (!options.multipart) return putStream(request);
  const partSize = partSizeFor(source.size, options.partSize);
  const ranges = partRanges(source.size, partSize);
  const parts = ranges.map(({ number, offset, size }): LazyPart => ({
    number,
    size,
    read: () => source.read(offset, size),
  }));
  return putParts(request, parts, request.state);
}

/** Writes a body of unknown length, in parts as they fill up. */
export async function uploadStream(
  request: Destination,
  body: AsyncIterable<Buffer>,
): Promise<PutResult & { size: number }> {
  let size = 0;
  const counting = {
    ...request,
    onBytes: (count: number) => {
      size += count;
      request.onBytes(count);
    },
  };
  const blocks = inBlocks(body, request.options.partSize)[Symbol.asyncIterator]();
  const first = await blocks.next();
  const second = first.done === true ? first : await blocks.next();
  if (second.done === true) {
    const result = await putWhole(counting, first.done === true ? Buffer.alloc(0) : first.value);
    return { ...result, size };
  }
  const rest = { [Symbol.asyncIterator]: () => blocks };
  const parts = numberedParts(first.done === true ? [] : [first.value, second.value], rest);
  const result = await putParts(counting, parts, undefined);
  return { ...result, size };
}

async function* numberedParts(begin: readonly Buffer[], rest: AsyncIterable<Buffer>): AsyncIterable<LazyPart> {
  let number = 0;
  const part = (bytes: Buffer): LazyPart => ({ number: (number += 1), size: bytes.length, read: async () => bytes });
  for (const bytes of begin) yield part(bytes);
  for await (const bytes of rest) yield part(bytes);
}

/** Regroups a stream into blocks of exactly `size` bytes, the last one shorter. */
export async function* inBlocks(body: AsyncIterable<Buffer>, size: number): AsyncGenerator<Buffer> {
  let held: Buffer[] = [];
  let length = 0;
  for await (const chunk of body) {
    let rest = chunk;
    while (length + rest.length >= size) {
      const cut = size - length;
      yield Buffer.concat([...held, rest.subarray(0, cut)], size);
      rest = rest.subarray(cut);
      held = [];
      length = 0;
    }
    if (rest.length > 0) held.push(rest);
    length += rest.length;
  }
  if (length > 0) yield Buffer.concat(held, length);
}

function writeHeaders(request: Destination): Record<string, string> {
  const { options, path, headers } = request;
  return { ...headers, ...options.headers, ...options.encryption.put(path) };
}

function bodyHeaders(options: TransferOptions, body: Buffer): Record<string, string> {
  const headers: Record<string, string> = {};
  // S3 refuses lock headers without a digest of the body.
  const locked = Object.keys(options.headers).some((name) => name.startsWith("x-amz-object-lock-"));
  if (options.md5 || locked) headers["content-md5"] = createHash("md5").update(body).digest("base64");
  if (options.checksum !== undefined)
    headers[checksumHeaderName(options.checksum)] = checksumOf(options.checksum, body);
  return headers;
}

async function putWhole(request: Destination, body: Buffer): Promise<PutResult> {
  const { target, options } = request;
  const headers = { ...writeHeaders(request), ...bodyHeaders(options, body) };
  const name = named(target, headers, options.signal);
  return resultOf(await sendCounted(request, body, (sent) => calls.putObject(target.client, { ...name, body: sent })));
}

type Headers = Readonly<Record<string, string>>;

/** Bodies up to this size are counted when they are through, larger ones as they leave: a bar that stands still for a part misleads. */
const COUNTED_WHOLE_BYTES_MAX = 1024 * 1024;
const SLICE_BYTES = 256 * 1024;

/** Sends `body`, again if that can help; bytes of a failed attempt are taken back from the count. */
function sendCounted(
  request: Destination,
  body: Buffer,
  send: (body: calls.Body) => Promise<Headers>,
): Promise<Headers> {
  return retried(request.options, async () => {
    let left = 0;
    const count = (bytes: number): void => {
      left += bytes;
      request.onBytes(bytes);
    };
    try {
      const whole = body.length <= COUNTED_WHOLE_BYTES_MAX;
      const answer = await send(whole ? body : { stream: counted(slices(body), count), length: body.length });
      request.onBytes(body.length - left);
      return answer;
    } catch (error) {
      request.onBytes(-left);
      throw error;
    }
  });
}

async function* slices(buffer: Buffer): AsyncIterable<Buffer> {
  for (let at = 0; at < buffer.length; at += SLICE_BYTES) yield buffer.subarray(at, at + SLICE_BYTES);
}

async function putStream(request: UploadRequest): Promise<PutResult> {
  const { source, target, options } = request;
  const body = { stream: counted(source.stream(), request.onBytes), length: source.size };
  return resultOf(
    await calls.putObject(target.client, { ...named(target, writeHeaders(request), options.signal), body }),
  );
}

function resultOf(headers: Headers): PutResult {
  return { etag: (headers["etag"] ?? "").replaceAll('"', ""), versionId: headers["x-amz-version-id"] };
}

/** `source`, telling the size of each chunk as it passes. */
async function* counted(source: AsyncIterable<Buffer>, onBytes: (count: number) => void): AsyncIterable<Buffer> {
  for await (const chunk of source) {
    yield chunk;
    onBytes(chunk.length);
  }
}

interface LazyPart {
  readonly number: number;
  readonly size: number;
  read(): Promise<Buffer>;
}

async function putParts(
  request: Destination,
  source: AsyncIterable<LazyPart> | Iterable<LazyPart>,
  state: UploadState | undefined,
): Promise<PutResult> {
  const { target, options, path } = request;
  const { signal } = options;
  const { client } = target;
  const held = await heldUpload(request, state);
  const create = named(target, createHeaders(request), signal);
  const uploadId = held?.uploadId ?? (await retried(options, () => calls.createUpload(client, create)));
  if (held === undefined) await state?.save(uploadId);
  const name = { ...named(target, options.encryption.get(path), signal), uploadId };
  const parts: PartToComplete[] = [];
  try {
    await forEachParallel(source, options.parallelParts, signal, async (part) => {
      const body = await part.read();
      const known = sameContent(held?.parts.get(part.number), body);
      if (known !== undefined) request.onBytes(body.length);
      parts.push(known ?? (await sendPart(request, name, part.number, body)));
    });
    parts.sort((a, b) => a.number - b.number);
    const result = await retried(options, () => calls.completeUpload(client, { ...name, parts }));
    await state?.forget();
    return result;
  } catch (error) {
    // Without the signal: an interrupted run still removes its parts. The first failure is what the user must see.
    if (state === undefined) await calls.abortUpload(client, { ...name, signal: undefined }).catch(() => undefined);
    throw error;
  }
}

async function sendPart(
  request: Destination,
  name: calls.UploadName,
  number: number,
  body: Buffer,
): Promise<PartToComplete> {
  const { options, target } = request;
  const { checksum } = options;
  const headers = { ...name.headers, ...bodyHeaders({ ...options, headers: {} }, body) };
  const send = (sent: calls.Body): Promise<Headers> =>
    calls.uploadPart(target.client, { ...name, headers, number, body: sent });
  const answer = await sendCounted(request, body, send);
  const { etag } = resultOf(answer);
  return {
    number,
    etag,
    ...(checksum === undefined ? {} : { checksum: { algorithm: checksum, value: checksumOf(checksum, body) } }),
  };
}

function createHeaders(request: Destination): Record<string, string> {
  const { checksum, fullObjectChecksum } = request.options;
  const headers = writeHeaders(request);
  if (checksum === undefined) return headers;
  const type = fullObjectChecksum ? "FULL_OBJECT" : "COMPOSITE";
  return { ...headers, "x-amz-checksum-algorithm": checksum, "x-amz-checksum-type": type };
}

interface HeldUpload {
  readonly uploadId: string;
  readonly parts: ReadonlyMap<number, PartEntry>;
}

/** The upload that an earlier run left, with the parts that the server holds; undefined when there is none any more. */
async function heldUpload(request: Destination, state: UploadState | undefined): Promise<HeldUpload | undefined> {
  const uploadId = await state?.load();
  if (uploadId === undefined) return undefined;
  const { target, options } = request;
  try {
    const parts = await calls.listParts(target.client, { ...named(target, {}, options.signal), uploadId });
    return { uploadId, parts: new Map(parts.map((part) => [part.number, part])) };
  } catch (error) {
    if (options.signal.aborted) throw error;
    return undefined;
  }
}

/** A part's ETag is the MD5 of its bytes unless the server encrypts; then the part is sent again. */
function sameContent(held: PartEntry | undefined, body: Buffer): PartToComplete | undefined {
  if (held === undefined || held.size !== body.length) return undefined;
  return held.etag === createHash("md5").update(body).digest("hex") ? held : undefined;
}
