/** One object or file from one place to another: upload, download, copy on the server, or through this machine. */
import { createReadStream, createWriteStream } from "node:fs";
import { copyFile, mkdir, rename, rm, stat } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { pipeline } from "node:stream/promises";
import * as calls from "../../client/s3-calls.ts";
import type { PartToComplete } from "../../protocol/s3-xml-uploads.ts";
import { isStream, partPath } from "../list/local.ts";
import type { ObjectAddress, ObjectHead } from "./calls.ts";
import { headObject, named, retried } from "./calls.ts";
import { contentType } from "./content-type.ts";
import { download } from "./download.ts";
import { attributesHeader } from "./file-attributes.ts";
import type { TransferOptions } from "./options.ts";
import { carriedMetadata } from "./options.ts";
import { SINGLE_COPY_BYTES_MAX, partRanges, partSizeFor } from "./plan.ts";
import { forEachParallel } from "./pool.ts";
import { objectSource, withFile } from "./sources.ts";
import { upload } from "./upload.ts";
import { uploadState } from "./upload-state.ts";

export type Place =
  | { readonly kind: "local"; readonly path: string }
  /** `path` is ALIAS/BUCKET/KEY. */
  | { readonly kind: "remote"; readonly path: string; readonly address: ObjectAddress };

export interface Transfer {
  readonly source: Place;
  readonly target: Place;
  readonly options: TransferOptions;
  /** Sent with the write, e.g. `if-none-match`. */
  readonly conditions?: Readonly<Record<string, string>> | undefined;
  onBytes(count: number): void;
}

type Remote = Extract<Place, { kind: "remote" }>;
type Local = Extract<Place, { kind: "local" }>;

/** Does it. The target is replaced only as a whole. */
export async function transfer(job: Transfer): Promise<void> {
  const { source, target, options } = job;
  if (source.kind === "local") {
    if (target.kind === "local") return copyLocal(job, source, target);
    return uploadFile(job, source, target);
  }
  if (target.kind === "local") {
    const headers = options.encryption.get(source.path);
    await download({ source: source.address, path: target.path, headers, options, onBytes: job.onBytes });
    return;
  }
  if (source.address.client === target.address.client) return copyWithin(job, source, target);
  return copyBetween(job, source, target);
}

async function copyLocal(job: Transfer, source: Local, target: Local): Promise<void> {
  if (await isStream(target.path)) {
    await pipeline(createReadStream(source.path), createWriteStream(target.path));
    return job.onBytes((await stat(source.path)).size);
  }
  await mkdir(dirname(target.path), { recursive: true });
  const part = partPath(target.path);
  try {
    await copyFile(source.path, part);
    await rename(part, target.path);
  } catch (error) {
    await rm(part, { force: true });
    throw error;
  }
  job.onBytes((await stat(target.path)).size);
}

async function uploadFile(job: Transfer, source: Local, target: Remote): Promise<void> {
  const { options } = job;
  const { address } = target;
  const stats = await stat(source.path);
  const partSize = partSizeFor(stats.size, options.partSize);
  const identity = {
    source: resolve(source.path),
    target: `${address.client.endpoint.url}/${address.bucket}/${address.key}`,
    size: stats.size,
    modifiedMs: Math.floor(stats.mtimeMs),
    partSize,
  };
  // A resumed part has no checksum to quote at completion, which an upload with checksums needs.
  const state = options.resume && options.checksum === undefined ? uploadState(options.stateDir, identity) : undefined;
  const headers = {
    "content-type": contentType(source.path),
    ...(options.preserve ? attributesHeader(await stat(source.path, { bigint: true })) : {}),
    ...options.attributes,
    ...tagHeader(options.tags),
    ...job.conditions,
  };
  await withFile(source.path, stats.size, (bytes) =>
    upload({ target: address, path: target.path, source: bytes, headers, options, state, onBytes: job.onBytes }),
  );
}

function tagHeader(tags: string | undefined): Record<string, string> {
  return tags === undefined || tags === "" ? {} : { "x-amz-tagging": tags };
}

/** On the server: CopyObject up to 64 MiB, above it copied parts. */
async function copyWithin(job: Transfer, source: Remote, target: Remote): Promise<void> {
  const { options } = job;
  const { client } = target.address;
  const head = await retried(options, () =>
    headObject(source.address, options.encryption.get(source.path), options.signal),
  );
  if (head.size > SINGLE_COPY_BYTES_MAX && options.multipart) return copyParts(job, source, target, head);
  const replaces = Object.keys(options.attributes).length > 0;
  const metadata = replaces
    ? { "x-amz-metadata-directive": "REPLACE", ...carriedMetadata(head.headers), ...options.attributes }
    : {};
  const tags = options.tags === undefined ? {} : { "x-amz-tagging-directive": "REPLACE", ...tagHeader(options.tags) };
  const checksum = options.checksum === undefined ? {} : { "x-amz-checksum-algorithm": options.checksum };
  const headers = {
    ...metadata,
    ...tags,
    ...checksum,
    ...options.headers,
    ...options.encryption.put(target.path),
    ...options.encryption.copySource(source.path),
    ...job.conditions,
  };
  await retried(options, () =>
    calls.copyObject(client, { ...named(target.address, headers, options.signal), from: from(source) }),
  );
  job.onBytes(head.size);
}

function from(source: Remote): calls.CopyObject["from"] {
  const { bucket, key, versionId } = source.address;
  return { bucket, key, versionId };
}

async function copyParts(job: Transfer, source: Remote, target: Remote, head: ObjectHead): Promise<void> {
  const { options } = job;
  const { client } = target.address;
  const create = named(
    target.address,
    { ...(await objectHeaders(job, source, head)), ...options.encryption.put(target.path) },
    options.signal,
  );
  const uploadId = await retried(options, () => calls.createUpload(client, create));
  const partHeaders = { ...options.encryption.get(target.path), ...options.encryption.copySource(source.path) };
  const name = { ...named(target.address, {}, options.signal), uploadId };
  const parts: PartToComplete[] = [];
  try {
    const ranges = partRanges(head.size, partSizeFor(head.size, SINGLE_COPY_BYTES_MAX));
    await forEachParallel(ranges, options.parallelParts, options.signal, async ({ number, offset, size }) => {
      const headers = { ...partHeaders, "x-amz-copy-source-if-match": `"${head.etag}"` };
      const part = { ...name, headers, number, from: from(source), start: offset, end: offset + size };
      const { etag, checksum } = await retried(options, () => calls.uploadPartCopy(client, part));
      parts.push({ number, etag, checksum });
      job.onBytes(size);
    });
    parts.sort((a, b) => a.number - b.number);
    const headers = options.encryption.get(target.path);
    await retried(options, () => calls.completeUpload(client, { ...name, headers, parts }));
  } catch (error) {
    await calls.abortUpload(client, { ...name, signal: undefined }).catch(() => undefined);
    throw error;
  }
}

/** Between servers: ranges of the source become parts of the target. */
async function copyBetween(job: Transfer, source: Remote, target: Remote): Promise<void> {
  const { options } = job;
  const readHeaders = options.encryption.get(source.path);
  const head = await retried(options, () => headObject(source.address, readHeaders, options.signal));
  const pinned: ObjectAddress = {
    ...source.address,
    versionId: source.address.versionId ?? realVersion(head.versionId),
  };
  await upload({
    target: target.address,
    path: target.path,
    source: objectSource(pinned, head, readHeaders, options),
    headers: { ...(await objectHeaders(job, source, head)), ...job.conditions },
    options,
    onBytes: job.onBytes,
  });
}

const realVersion = (id: string | undefined): string | undefined => (id === "" ? undefined : id);

/** What the new object takes over from the source: metadata, and tags, unless the flags say otherwise. */
async function objectHeaders(job: Transfer, source: Remote, head: ObjectHead): Promise<Record<string, string>> {
  const { options } = job;
  const headers = { ...carriedMetadata(head.headers), ...options.attributes, ...options.headers };
  if (options.tags !== undefined) return { ...headers, ...tagHeader(options.tags) };
  if (Number(head.headers["x-amz-tagging-count"] ?? "0") === 0) return headers;
  const tags = await retried(options, () =>
    calls.getTags(source.address.client, { ...from(source), signal: options.signal }),
  );
  return { ...headers, ...tagHeader(new URLSearchParams(Object.entries(tags)).toString()) };
}
