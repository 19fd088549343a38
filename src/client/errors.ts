/** How a call to another server failed: no answer at all, or an error answer. */

import { tlsWords } from "./tls-errors.ts";

/** The transport failed; nothing is known of what the other side did. Trying again can help. */
export class NetworkError extends Error {
  override name = "NetworkError";
  readonly retryable = true;
  /** `ECONNREFUSED`, `UND_ERR_HEADERS_TIMEOUT`, ... */
  readonly code: string;
  constructor(what: string, cause: unknown) {
    const code = codeOf(cause);
    const detail = (cause as Error | undefined)?.message || code;
    super(`${what}: ${tlsWords(code, cause) ?? detail}`, { cause });
    this.code = code;
  }
}

function codeOf(error: unknown): string {
  for (
    let e = error as { code?: unknown; cause?: unknown } | undefined;
    e !== undefined && e !== null;
    e = e.cause as typeof e
  ) {
    if (typeof e.code === "string") return e.code;
  }
  return "NETWORK";
}

/** The elements of an S3 or admin error document; empty text when the answer had none. */
export interface ErrorFields {
  readonly status: number;
  readonly code: string;
  readonly message: string;
  readonly bucket: string;
  readonly key: string;
  readonly resource: string;
  readonly requestId: string;
  readonly hostId: string;
  readonly region: string;
  /** Value of the `Server` header. */
  readonly server: string;
}

/** The other side answered with an error status. */
export class S3ResponseError extends Error implements ErrorFields {
  override name = "S3ResponseError";
  readonly status: number;
  readonly code: string;
  readonly bucket: string;
  readonly key: string;
  readonly resource: string;
  readonly requestId: string;
  readonly hostId: string;
  readonly region: string;
  readonly server: string;
  constructor(fields: ErrorFields) {
    super(fields.message || fields.code || `HTTP status ${fields.status}`);
    this.status = fields.status;
    this.code = fields.code;
    this.bucket = fields.bucket;
    this.key = fields.key;
    this.resource = fields.resource;
    this.requestId = fields.requestId;
    this.hostId = fields.hostId;
    this.region = fields.region;
    this.server = fields.server;
  }
}

/** The same for the admin API. */
export class AdminError extends S3ResponseError {
  override name = "AdminError";
}

/** True when `error` is an error answer with one of `codes`. */
export function answeredWith(error: unknown, ...codes: string[]): error is S3ResponseError {
  return error instanceof S3ResponseError && codes.includes(error.code);
}
