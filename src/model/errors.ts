/**
 * Failures of the world and of requests, with the S3 code that names them. `protocol/s3-errors.ts` knows the status
 * and default text of each code; this file knows none of the wire.
 */
export interface StoreErrorDetail {
  /** Text for the client; the code's default text when absent. */
  readonly message?: string | undefined;
  readonly bucket?: string | undefined;
  readonly key?: string | undefined;
  readonly cause?: unknown;
  /** Extra response headers (lower-case names), e.g. `x-amz-delete-marker` on a 404. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** Extra elements of the error document, e.g. `ActualObjectSize`. */
  readonly fields?: Readonly<Record<string, string>> | undefined;
}

/** Thrown by every layer below the wire. `code` is an S3 or MinIO error code, e.g. `NoSuchKey`. */
export class StoreError extends Error {
  override name = "StoreError";
  readonly code: string;
  readonly detail: StoreErrorDetail;
  constructor(code: string, detail: StoreErrorDetail = {}) {
    super(detail.message ?? code, detail.cause === undefined ? undefined : { cause: detail.cause });
    this.code = code;
    this.detail = detail;
  }
}

/** True when `error` is a StoreError with one of `codes`. */
export function hasCode(error: unknown, ...codes: string[]): error is StoreError {
  return error instanceof StoreError && codes.includes(error.code);
}

/** ENOSPC and its like: the file system takes no more. */
const FULL: readonly unknown[] = ["ENOSPC", "EDQUOT", "EFBIG"];
/** The process, or the machine, has no file descriptor left: one comes back with the next request that ends. */
const NO_DESCRIPTOR: readonly unknown[] = ["EMFILE", "ENFILE"];

/** A failure of the machine as the layers above know it, by the `code` of the system call. StoreErrors pass through. */
export function asStoreError(error: unknown): StoreError {
  if (error instanceof StoreError) return error;
  const code: unknown = (error as { readonly code?: unknown } | undefined)?.code;
  if (FULL.includes(code)) return new StoreError("XMinioStorageFull", { cause: error });
  return new StoreError(NO_DESCRIPTOR.includes(code) ? "SlowDown" : "InternalError", { cause: error });
}
