/** Uploads of any size: one PUT for the small, parallel parts for the large; a broken upload can be taken up again. */
import { createHash } from "node:crypto";
import type { PartToComplete } from "../protocol/s3-xml-objects.ts";
import { abortUpload, completeUpload, createUpload, listParts, putObject, uploadPart } from "./s3-calls.ts";
import type { S3Client } from "./s3-client.ts";

const MIB = 1024 * 1024;
const PART_BYTES = 16 * MIB;
const PARTS_MAX = 10_000;
const CONCURRENCY = 4;

/** Something with random access whose content stays the same while it is read. */
export interface UploadSource {
  readonly size: number;
  /** Bytes [start, end). May be called for several ranges at once, and twice for one. */
  read(start: number, end: number): AsyncIterable<Buffer>;
}

interface UploadBase {
  readonly client: S3Client;
  readonly bucket: string;
  readonly key: string;
  /** Of PUT or of the creation of the upload: content-type, x-amz-meta-*, ... */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** Bytes; default 16 MiB, raised when there would be more than 10000 parts. */
  readonly partSize?: number | undefined;
  /** Parts at once; default 4. */
  readonly concurrency?: number | undefined;
  /** Bytes that left, as they leave. */
  readonly onProgress?: ((bytes: number) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface Upload extends UploadBase {
  readonly source: UploadSource;
  /** Takes up this upload: parts that are there with the same content are not sent again. */
  readonly uploadId?: string | undefined;
  /** Told the id of a new upload, so that it can be taken up after a failure. Without it a failed upload is aborted. */
  readonly onUploadId?: ((uploadId: string) => void) | undefined;
  /** Wraps each request that can be repeated, for instance with `withRetry`. */
  readonly attempt?: (<T>(work: () => Promise<T>) => Promise<T>) | undefined;
}

export interface Uploaded {
  /** Without quotes. */
  readonly etag: string;
  readonly versionId?: string | undefined;
}

/** Size of parts for an object of `size` bytes: as wanted, or the whole MiB that keep the parts at 10000 or fewer. */
export function partSizeFor(size: number, wanted: number = PART_BYTES): number {
  return size <= wanted * PARTS_MAX ? wanted : Math.ceil(size / PARTS_MAX / MIB) * MIB;
}

function unquote(etag: string | undefined): string {
  return (etag ?? "").replace(/^"|"$/g, "");
}

async function* counted(stream: AsyncIterable<Buffer>, onProgress: ((bytes: number) => void) | undefined): AsyncIterable<Buffer> {
  for await (const piece of stream) {
    onProgress?.(piece.length);
    yield piece;
  }
}

/** Sends an object. A failure aborts the multipart upload unless somebody holds its id. */
export async function uploadObject(upload: Upload): Promise<Uploaded> {
  const { client, bucket, key, headers, source, signal } = upload;
  const partSize = partSizeFor(source.size, upload.partSize);
  const attempt = upload.attempt ?? ((work) => work());
  if (source.size <= partSize && upload.uploadId === undefined) {
    const answer = await attempt(() => {
      const body = { stream: counted(source.read(0, source.size), upload.onProgress), length: source.size };
      return putObject(client, { bucket, key, headers, signal, body: source.size === 0 ? Buffer.alloc(0) : body });
    });
    return { etag: unquote(answer["etag"]), versionId: answer["x-amz-version-id"] };
  }
  const uploadId = upload.uploadId ?? (await attempt(() => createUpload(client, { bucket, key, headers, signal })));
  if (upload.uploadId === undefined) upload.onUploadId?.(uploadId);
  try {
    const parts = await sendParts(upload, uploadId, partSize);
    return await attempt(() => completeUpload(client, { bucket, key, uploadId, parts, signal }));
  } catch (error) {
    const held = upload.uploadId !== undefined || upload.onUploadId !== undefined;
    // The first failure counts; an upload that stays is removed by the server after its time.
    if (!held) await abortUpload(client, { bucket, key, uploadId }).catch(() => undefined);
    throw error;
  }
}

async function sendParts(upload: Upload, uploadId: string, partSize: number): Promise<PartToComplete[]> {
  const { client, bucket, key, source, signal } = upload;
  const attempt = upload.attempt ?? ((work) => work());
  const there = upload.uploadId === undefined ? [] : await listParts(client, { bucket, key, uploadId, signal });
  const known = new Map(there.map((part) => [part.number, part]));
  const count = Math.max(1, Math.ceil(source.size / partSize));
  const parts: PartToComplete[] = new Array<PartToComplete>(count);
  await inParallel(count, upload.concurrency ?? CONCURRENCY, async (index) => {
    const number = index + 1;
    const start = index * partSize;
    const end = Math.min(start + partSize, source.size);
    const old = known.get(number);
    if (old !== undefined && old.size === end - start && (await md5Of(source.read(start, end))) === old.etag) {
      upload.onProgress?.(old.size);
      parts[index] = { number, etag: old.etag, checksum: old.checksum };
      return;
    }
    const answer = await attempt(() => {
      const body = { stream: counted(source.read(start, end), upload.onProgress), length: end - start };
      return uploadPart(client, { bucket, key, uploadId, number, signal, body });
    });
    parts[index] = { number, etag: unquote(answer["etag"]) };
  });
  return parts;
}

async function md5Of(stream: AsyncIterable<Buffer>): Promise<string> {
  const hash = createHash("md5");
  for await (const piece of stream) hash.update(piece);
  return hash.digest("hex");
}

/** Runs `work(0..count-1)`, at most `width` at once; the first failure stops what has not begun, and is thrown at the end. */
async function inParallel(count: number, width: number, work: (index: number) => Promise<void>): Promise<void> {
  let next = 0;
  let failed: { readonly error: unknown } | undefined;
  const lane = async (): Promise<void> => {
    while (next < count && failed === undefined) {
      try {
        await work(next++);
      } catch (error) {
        failed ??= { error };
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(width, count) }, lane));
  if (failed !== undefined) throw failed.error;
}

export interface StreamUpload extends UploadBase {
  /** Of unknown length. Parts are held in memory while they are sent: part size times concurrency. */
  readonly stream: AsyncIterable<Buffer>;
}

/** Sends a stream of unknown length: one PUT when it fits into a part, else parts as they fill. */
export async function uploadStream(upload: StreamUpload): Promise<Uploaded> {
  const { client, bucket, key, headers, signal } = upload;
  const pieces = partsOf(upload.stream, upload.partSize ?? PART_BYTES);
  const first = await pieces.next();
  const firstPart = first.done ? Buffer.alloc(0) : first.value;
  const second = first.done ? first : await pieces.next();
  if (second.done) {
    const answer = await putObject(client, { bucket, key, headers, signal, body: firstPart });
    upload.onProgress?.(firstPart.length);
    return { etag: unquote(answer["etag"]), versionId: answer["x-amz-version-id"] };
  }
  const uploadId = await createUpload(client, { bucket, key, headers, signal });
  const parts: PartToComplete[] = [];
  const running = new Set<Promise<void>>();
  let failed: { readonly error: unknown } | undefined;
  const send = async (body: Buffer, number: number): Promise<void> => {
    try {
      const answer = await uploadPart(client, { bucket, key, uploadId, number, signal, body });
      parts[number - 1] = { number, etag: unquote(answer["etag"]) };
      upload.onProgress?.(body.length);
    } catch (error) {
      failed ??= { error };
    }
  };
  try {
    let number = 0;
    const begin = async (body: Buffer): Promise<void> => {
      number++;
      const sending: Promise<void> = send(body, number).finally(() => running.delete(sending));
      running.add(sending);
      if (running.size >= (upload.concurrency ?? CONCURRENCY)) await Promise.race(running);
    };
    await begin(firstPart);
    await begin(second.value);
    while (failed === undefined) {
      const next = await pieces.next();
      if (next.done) break;
      await begin(next.value);
    }
    await Promise.all(running);
    if (failed !== undefined) throw (failed as { readonly error: unknown }).error;
    return await completeUpload(client, { bucket, key, uploadId, parts, signal });
  } catch (error) {
    await Promise.all(running);
    await abortUpload(client, { bucket, key, uploadId }).catch(() => undefined);
    throw error;
  }
}

/** Buffers of exactly `size` bytes, the last one shorter. */
async function* partsOf(stream: AsyncIterable<Buffer>, size: number): AsyncGenerator<Buffer, undefined, undefined> {
  let held: Buffer[] = [];
  let length = 0;
  for await (const piece of stream) {
    let rest = piece;
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
  return undefined;
}
