/** If-* headers and Range of a read: parsing, and the decision (s3-api.md sections 6 and 7). Pure. */
import { StoreError } from "../model/errors.ts";
import type { ObjectVersion } from "../model/version.ts";
import type { DeleteConditions, ReadConditions, WriteConditions } from "../objects/types.ts";
import { parseHttpDate } from "../protocol/time.ts";
import { mtimeMs } from "./object-headers.ts";
import { invalidArgument, type S3Request } from "./request.ts";

/** An ETag of a condition without its quotes; `W/` marks are dropped. */
export function bareEtag(text: string): string {
  let etag = text.trim();
  if (etag.startsWith("W/")) etag = etag.slice(2);
  return etag.length >= 2 && etag.startsWith('"') && etag.endsWith('"') ? etag.slice(1, -1) : etag;
}

/** Conditions named `<prefix>if-match` and so on; undefined when there are none. Unparsable dates are ignored. */
export function readConditions(request: S3Request, prefix: "" | "x-amz-copy-source-"): ReadConditions | undefined {
  const { headers } = request;
  const match = headers[`${prefix}if-match`];
  const noneMatch = headers[`${prefix}if-none-match`];
  const modified = headers[`${prefix}if-modified-since`];
  const unmodified = headers[`${prefix}if-unmodified-since`];
  if (match === undefined && noneMatch === undefined && modified === undefined && unmodified === undefined)
    return undefined;
  return {
    ifMatch: typeof match === "string" ? bareEtag(match) : undefined,
    ifNoneMatch: typeof noneMatch === "string" ? bareEtag(noneMatch) : undefined,
    ifModifiedSince: typeof modified === "string" ? parseHttpDate(modified) : undefined,
    ifUnmodifiedSince: typeof unmodified === "string" ? parseHttpDate(unmodified) : undefined,
  };
}

/** If-Match and If-None-Match of a write. */
export function writeConditions(request: S3Request): WriteConditions | undefined {
  const match = request.headers["if-match"];
  const noneMatch = request.headers["if-none-match"];
  if (match === undefined && noneMatch === undefined) return undefined;
  return {
    ifMatch: match === undefined ? undefined : bareEtag(match),
    ifNoneMatch: noneMatch === undefined ? undefined : bareEtag(noneMatch),
  };
}

/** Conditions of DeleteObject; undefined when there are none. */
export function deleteConditions({ headers }: S3Request): DeleteConditions | undefined {
  const etag = headers["if-match"];
  const lastModified = headers["x-amz-if-match-last-modified-time"];
  const size = headers["x-amz-if-match-size"];
  if (etag === undefined && lastModified === undefined && size === undefined) return undefined;
  return parseDeleteConditions({ etag, lastModified: lastModified?.toString(), size: size?.toString() });
}

/** InvalidArgument for a time or size that cannot be read: to ignore it would delete what it protects. */
export function parseDeleteConditions(text: {
  readonly etag?: string | undefined;
  readonly lastModified?: string | undefined;
  readonly size?: string | undefined;
}): DeleteConditions {
  const { etag, lastModified, size } = text;
  const time = lastModified === undefined ? undefined : (parseHttpDate(lastModified) ?? Date.parse(lastModified));
  if (Number.isNaN(time)) throw invalidArgument("The last modified time of the condition is not a time.");
  if (size !== undefined && !/^\d{1,15}$/.test(size)) throw invalidArgument("The size of the condition is not a size.");
  return {
    etag: etag === undefined ? undefined : bareEtag(etag),
    lastModifiedMs: time,
    size: size === undefined ? undefined : Number(size),
  };
}

const same = (wanted: string, etag: string): boolean => wanted === "*" || wanted === etag;
const second = (ms: number): number => Math.floor(ms / 1000);

const refused = (condition: string): StoreError =>
  new StoreError("PreconditionFailed", { fields: { Condition: condition } });

/** 304 wins over 412; If-Unmodified-Since counts only without If-Match, If-Modified-Since only without If-None-Match. */
export function decideRead(
  conditions: ReadConditions,
  version: Pick<ObjectVersion, "etag" | "mtime">,
): "send" | "not-modified" {
  const { ifMatch, ifNoneMatch, ifModifiedSince, ifUnmodifiedSince } = conditions;
  const modified = second(mtimeMs(version));
  if (ifNoneMatch !== undefined) {
    if (same(ifNoneMatch, version.etag)) return "not-modified";
  } else if (ifModifiedSince !== undefined && modified <= second(ifModifiedSince)) return "not-modified";
  if (ifMatch !== undefined) {
    if (!same(ifMatch, version.etag)) throw refused("If-Match");
  } else if (ifUnmodifiedSince !== undefined && modified > second(ifUnmodifiedSince)) {
    throw refused("If-Unmodified-Since");
  }
  return "send";
}

export interface ByteRange {
  readonly start: number;
  /** Exclusive. */
  readonly end: number;
}

function invalidRange(size: number, asked: string): StoreError {
  return new StoreError("InvalidRange", {
    headers: { "content-range": `bytes */${size}` },
    fields: { ActualObjectSize: String(size), RangeRequested: asked },
  });
}

/**
 * If-Range: the range is of the content that the client has a part of. Of another it gets the whole, or it would put
 * together what does not belong together (RFC 9110 13.1.5: exact times, no weak tags).
 */
export function rangeIsMeant(request: S3Request, version: Pick<ObjectVersion, "etag" | "mtime">): boolean {
  const text = request.header("if-range");
  if (text === undefined) return true;
  const time = parseHttpDate(text);
  if (time !== undefined) return second(time) === second(mtimeMs(version));
  return !text.startsWith("W/") && bareEtag(text) === version.etag;
}

const RANGE = /^bytes=(\d*)-(\d*)$/;

/**
 * The bytes that `Range` asks of an object of `size` bytes; undefined when the header is to be ignored (several ranges,
 * other units, garbage). Throws InvalidRange 416.
 */
export function parseRange(header: string, size: number): ByteRange | undefined {
  const match = RANGE.exec(header);
  if (match === null) return undefined;
  const [, first = "", last = ""] = match;
  if (first === "" && last === "") return undefined;
  const asked = `${first}-${last}`;
  if (first === "") {
    const suffix = Number(last);
    if (suffix === 0 || size === 0) throw invalidRange(size, asked);
    return { start: Math.max(size - suffix, 0), end: size };
  }
  const start = Number(first);
  const end = last === "" ? size : Math.min(Number(last) + 1, size);
  if (start >= size || (last !== "" && Number(last) < start)) throw invalidRange(size, asked);
  return { start, end };
}

/** `x-amz-copy-source-range`: only `bytes=a-b`, and never past the end of the source. */
export function parseCopyRange(header: string): ByteRange {
  const match = /^bytes=(\d+)-(\d+)$/.exec(header);
  const start = Number(match?.[1]);
  const end = Number(match?.[2]) + 1;
  if (match === null || end <= start) {
    throw new StoreError("InvalidArgument", {
      message: "The x-amz-copy-source-range value must be of the form bytes=first-last.",
    });
  }
  return { start, end };
}
