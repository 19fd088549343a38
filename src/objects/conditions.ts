/** If-Match and its kin, decided against a version (s3-api.md section 6). */
import { StoreError } from "../model/errors.ts";
import type { ObjectVersion, Version } from "../model/version.ts";
import type { DeleteConditions, ReadConditions, WriteConditions } from "./types.ts";

const matches = (wanted: string, etag: string): boolean => wanted === "*" || wanted === etag;

/** Throws PreconditionFailed, or NoSuchKey when If-Match meets nothing (a delete marker is nothing). */
export function checkWrite(conditions: WriteConditions | undefined, current: Version | undefined): void {
  if (conditions === undefined) return;
  const object = current?.kind === "object" ? current : undefined;
  if (conditions.ifMatch !== undefined) {
    if (object === undefined) throw new StoreError("NoSuchKey");
    if (!matches(conditions.ifMatch, object.etag)) throw preconditionFailed(object, "If-Match");
  }
  if (conditions.ifNoneMatch !== undefined && object !== undefined && matches(conditions.ifNoneMatch, object.etag)) {
    throw preconditionFailed(object, "If-None-Match");
  }
}

/** Throws PreconditionFailed unless `found` is the object that the conditions describe; a delete marker only meets `*`. */
export function checkDelete(conditions: DeleteConditions, found: Version): void {
  const { etag, lastModifiedMs, size, mtime } = conditions;
  const exact = mtime === undefined || mtime === found.mtime;
  if (found.kind === "delete-marker") {
    const any = etag === "*" || (etag === undefined && mtime !== undefined);
    if (any && exact && lastModifiedMs === undefined && size === undefined) return;
    throw new StoreError("PreconditionFailed", { key: found.key });
  }
  if (etag !== undefined && !matches(etag, found.etag)) throw preconditionFailed(found, "If-Match");
  if (lastModifiedMs !== undefined && Math.floor(lastModifiedMs / 1000) !== Number(found.mtime / 1_000_000_000n)) {
    throw preconditionFailed(found, "x-amz-if-match-last-modified-time");
  }
  if (size !== undefined && size !== found.size) throw preconditionFailed(found, "x-amz-if-match-size");
  if (!exact) throw preconditionFailed(found);
}

export const hasConditions = (conditions: WriteConditions | undefined): boolean =>
  conditions?.ifMatch !== undefined || conditions?.ifNoneMatch !== undefined;

/**
 * 412 carries the ETag and Last-Modified of what is stored (captures.md 5.3), and the header that did not hold, as
 * clients that write only what is not there yet look for it in the document.
 */
export function preconditionFailed(stored: ObjectVersion, condition?: string): StoreError {
  return new StoreError("PreconditionFailed", {
    key: stored.key,
    headers: {
      etag: `"${stored.etag}"`,
      "last-modified": new Date(Number(stored.mtime / 1_000_000n)).toUTCString(),
    },
    fields: condition === undefined ? undefined : { Condition: condition },
  });
}

/** Conditions of a copy's source: every failure is 412 (s3-api.md section 6, row Copy). Times are compared in whole seconds. */
export function checkCopySource(conditions: ReadConditions | undefined, source: ObjectVersion): void {
  if (conditions === undefined) return;
  const seconds = Number(source.mtime / 1_000_000_000n);
  const second = (ms: number): number => Math.floor(ms / 1000);
  const { ifMatch, ifNoneMatch, ifModifiedSince, ifUnmodifiedSince } = conditions;
  const refuse = (condition: string): never => {
    throw preconditionFailed(source, `x-amz-copy-source-${condition}`);
  };
  if (ifMatch !== undefined) {
    if (!matches(ifMatch, source.etag)) refuse("If-Match");
  } else if (ifUnmodifiedSince !== undefined && seconds > second(ifUnmodifiedSince)) refuse("If-Unmodified-Since");
  if (ifNoneMatch !== undefined) {
    if (matches(ifNoneMatch, source.etag)) refuse("If-None-Match");
  } else if (ifModifiedSince !== undefined && seconds <= second(ifModifiedSince)) refuse("If-Modified-Since");
}
