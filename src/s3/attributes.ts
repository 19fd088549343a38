/** What headers say about a new object: content headers, user metadata, storage class, tags. s3-api.md sections 3, 11, 18. */
import { StoreError } from "../model/errors.ts";
import type { Tags } from "../model/version.ts";
import type { ObjectAttributesInput } from "../objects/types.ts";
import { SOURCE_REPLICATION_REQUEST } from "../protocol/replication-headers.ts";
import { invalidArgument } from "./request.ts";
import { parseTagHeader } from "./tags.ts";

/** Headers by lower-case name: a request's, or the fields of a form that stand for headers. */
export interface HeaderView {
  header(name: string): string | undefined;
  readonly headers: Readonly<Record<string, unknown>>;
}

const CONTENT_HEADERS = [
  "content-type",
  "cache-control",
  "content-disposition",
  "content-language",
  "expires",
  "x-amz-website-redirect-location",
] as const;

/** What MinIO stores when the client names no type. */
const DEFAULT_CONTENT_TYPE = "binary/octet-stream";

const UTF8 = new TextDecoder("utf-8", { fatal: true });

/** A header's text: the HTTP parser gives one character a byte; bytes that are UTF-8 are read as such. */
export function headerText(value: string): string {
  let ascii = true;
  for (let i = 0; i < value.length && ascii; i++) ascii = value.charCodeAt(i) < 128;
  if (ascii) return value;
  try {
    return UTF8.decode(Buffer.from(value, "latin1"));
  } catch {
    return value;
  }
}

/** Content-Encoding without `aws-chunked`, which only says how the body was sent; undefined when nothing is left. */
function storedEncoding(value: string): string | undefined {
  if (!value.toLowerCase().includes("aws-chunked")) return value === "" ? undefined : value;
  const kept = value.split(",").filter((part) => !/^\s*(aws-chunked)?\s*$/i.test(part));
  // What stays stays as it was written, blanks between the words included.
  return kept.length === 0 ? undefined : kept.join(",").trim();
}

const REDIRECT_CHARS_MAX = 2048;

/** InvalidRedirectLocation for a redirect to what is neither an address nor a path. */
function checkRedirect(location: string | undefined): void {
  if (location === undefined) return;
  if (location.length <= REDIRECT_CHARS_MAX && /^(https?:\/\/|\/)/.test(location)) return;
  throw new StoreError("InvalidRedirectLocation");
}

/** `x-amz-website-redirect-location` of a copy that keeps the rest of its source's headers. */
export function redirectOf(request: HeaderView): string | undefined {
  const location = request.header("x-amz-website-redirect-location") || undefined;
  checkRedirect(location);
  return location;
}

/** A name of HTTP, in lower case (RFC 9110 5.6.2). */
const TOKEN = /^[!#$%&'*+.^_`|~0-9a-z-]+$/;

/**
 * InvalidArgument for what could be no header of an answer: forms and the queries of presigned URLs can name anything,
 * and an object with such a name could never be read.
 */
function checkMetadataName(name: string): void {
  if (!TOKEN.test(name)) throw invalidArgument("A name of user metadata is not a valid header name.");
}

/** Content headers and user metadata as stored. */
export function metadataOf(request: HeaderView): Pick<ObjectAttributesInput, "headers" | "userMetadata"> {
  const headers: Record<string, string> = {};
  const userMetadata: Record<string, string> = {};
  headers["content-type"] = DEFAULT_CONTENT_TYPE;
  for (const name of CONTENT_HEADERS) {
    const value = request.header(name);
    if (value !== undefined && value !== "") headers[name] = headerText(value);
  }
  // What a peer has stored already is taken as it is, or it would never arrive.
  if (!(SOURCE_REPLICATION_REQUEST in request.headers)) checkRedirect(headers["x-amz-website-redirect-location"]);
  const encoding = request.header("content-encoding");
  const stored = encoding === undefined ? undefined : storedEncoding(encoding);
  if (stored !== undefined) headers["content-encoding"] = stored;
  for (const name in request.headers) {
    if (name.startsWith("x-amz-meta-") || name.startsWith("x-minio-meta-")) {
      checkMetadataName(name);
      userMetadata[name] = headerText(request.header(name) ?? "");
    }
  }
  return { headers, userMetadata };
}

/** `x-amz-storage-class`; undefined when absent. InvalidStorageClass for one this server does not have. */
export function storageClassOf(request: HeaderView): "STANDARD" | "REDUCED_REDUNDANCY" | undefined {
  const text = request.header("x-amz-storage-class");
  if (text === undefined || text === "") return undefined;
  if (text !== "STANDARD" && text !== "REDUCED_REDUNDANCY") throw new StoreError("InvalidStorageClass");
  return text;
}

/** `x-amz-tagging`; undefined when absent or empty. */
export function tagsOf(request: HeaderView): Tags | undefined {
  const text = request.header("x-amz-tagging");
  return text === undefined || text === "" ? undefined : parseTagHeader(text);
}

/** All of them, for PutObject and CreateMultipartUpload. */
export function attributesOf(request: HeaderView): ObjectAttributesInput {
  return { ...metadataOf(request), storageClass: storageClassOf(request) ?? "STANDARD", tags: tagsOf(request) };
}

/** COPY when absent; InvalidArgument for another word. */
export function directiveOf(
  request: HeaderView,
  name: "x-amz-metadata-directive" | "x-amz-tagging-directive",
): "COPY" | "REPLACE" {
  const text = request.header(name);
  if (text === undefined || text === "" || text === "COPY") return "COPY";
  if (text === "REPLACE") return "REPLACE";
  throw invalidArgument(`Unknown ${name === "x-amz-metadata-directive" ? "metadata" : "tagging"} directive.`);
}
