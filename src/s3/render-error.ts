/** A failure in S3's words: one place that turns errors into status, headers and document (s3-api.md sections 3 and 21). */
import { StoreError } from "../model/errors.ts";
import { renderErrorJson, renderErrorXml } from "../protocol/error-document.ts";
import { errorMessage, errorStatus } from "../protocol/s3-errors.ts";
import type { Reply } from "./reply.ts";

export interface ErrorContext {
  readonly method: string;
  readonly resource: string;
  readonly bucket: string;
  readonly key: string;
  readonly region: string;
  readonly requestId: string;
  readonly hostId: string;
}

/** Headers whose spelling clients look for; others stay lower-case. */
const SPELLING: Readonly<Record<string, string>> = {
  etag: "ETag",
  "last-modified": "Last-Modified",
  "content-range": "Content-Range",
  "x-minio-replication-deletemarker-status": "X-Minio-Replication-DeleteMarker-Status",
};

const RETRY_AFTER_SECONDS = "60";

/** Thrown by sub-resources whose refusals are JSON documents: resync start (replication.md 7.1). */
export class JsonStoreError extends StoreError {}

/** Status and reply of an error. HEAD has no body: code and text go into headers that MinIO's clients read. */
export function renderError(error: StoreError, context: ErrorContext): Reply {
  const status = errorStatus(error.code);
  const headers: string[] = [];
  const json = error instanceof JsonStoreError;
  for (const [name, value] of Object.entries(error.detail.headers ?? {})) headers.push(SPELLING[name] ?? name, value);
  if (status === 503 || status === 429) headers.push("Retry-After", RETRY_AFTER_SECONDS);
  const message = error.detail.message ?? errorMessage(error.code);
  if (context.method === "HEAD") {
    headers.push("X-Minio-Error-Code", error.code, "X-Minio-Error-Desc", `"${headerText(message)}"`);
    return { status, headers, length: 0 };
  }
  const document = {
    code: error.code,
    message,
    key: error.detail.key ?? context.key,
    bucket: error.detail.bucket ?? context.bucket,
    resource: context.resource,
    region: context.region,
    requestId: context.requestId,
    hostId: context.hostId,
    fields: error.detail.fields,
  };
  headers.push("Content-Type", json ? "application/json" : "application/xml");
  return { status, headers, body: json ? renderErrorJson(document) : renderErrorXml(document) };
}

/** A message on one line of printable ASCII. */
function headerText(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, "?");
}
