/**
 * The request target, taken apart by hand: routing uses the raw path (no normalisation), decoded exactly once.
 * Knows nothing of operations.
 */
import { StoreError } from "../model/errors.ts";
import { decodePercentBytes, hasBadEscape } from "../protocol/uri.ts";
import { TARGET_BYTES_MAX } from "./limits.ts";

/** Query parameters in the order received, decoded. The first value of a name counts. */
export class Query {
  readonly pairs: readonly (readonly [string, string])[];

  constructor(pairs: readonly (readonly [string, string])[]) {
    this.pairs = pairs;
  }

  get(name: string): string | undefined {
    for (const pair of this.pairs) if (pair[0] === name) return pair[1];
    return undefined;
  }

  has(name: string): boolean {
    return this.get(name) !== undefined;
  }
}

const NO_QUERY = new Query([]);

export interface Target {
  /** Path as sent (and signed): for virtual-host requests without the bucket. */
  readonly rawPath: string;
  /** The host names the bucket. */
  readonly inHost: boolean;
  /** Raw text after `?`, empty when absent. */
  readonly rawQuery: string;
  readonly query: Query;
  /** Empty: the service itself. Not validated. */
  readonly bucket: string;
  /** Empty: the bucket itself. Not validated. */
  readonly key: string;
}

const UTF8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function bad(message: string): StoreError {
  return new StoreError("InvalidArgument", { message });
}

function isPlain(text: string, plusIsBlank: boolean): boolean {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === 37 || code > 126 || (plusIsBlank && code === 43)) return false;
  }
  return true;
}

/**
 * Percent-decodes `text` (one character a byte, as the HTTP parser gives it) into UTF-8 text.
 * Throws InvalidArgument for a broken escape and XMinioInvalidObjectName for bytes that are not UTF-8.
 */
export function percentDecode(text: string, plusIsBlank: boolean): string {
  if (isPlain(text, plusIsBlank)) return text;
  if (hasBadEscape(text)) throw bad("The request contains an invalid percent-encoding.");
  try {
    return UTF8.decode(decodePercentBytes(text, plusIsBlank));
  } catch (cause) {
    throw new StoreError("XMinioInvalidObjectName", { cause });
  }
}

/** Parses `a=b&c`; a name without `=` has the empty value. */
export function parseQuery(raw: string): Query {
  if (raw === "") return NO_QUERY;
  const pairs: [string, string][] = [];
  let start = 0;
  while (start <= raw.length) {
    let end = raw.indexOf("&", start);
    if (end < 0) end = raw.length;
    if (end > start) {
      const equals = raw.indexOf("=", start);
      const split = equals >= 0 && equals < end ? equals : end;
      const value = split < end ? percentDecode(raw.slice(split + 1, end), true) : "";
      pairs.push([percentDecode(raw.slice(start, split), true), value]);
    }
    start = end + 1;
  }
  return new Query(pairs);
}

/** Bucket named by a virtual host, `""` when the host is a bare domain or no domain of ours. A domain may lie in another. */
function hostBucket(host: string, domains: readonly string[]): string {
  const colon = host.lastIndexOf(":");
  const name = (colon > host.lastIndexOf("]") && colon >= 0 ? host.slice(0, colon) : host).toLowerCase();
  let shortest: string | undefined;
  for (const domain of domains) {
    if (name === domain) return "";
    const at = name.length - domain.length - 1;
    if (at < 1 || !name.endsWith(domain) || name.charCodeAt(at) !== 46) continue;
    if (shortest === undefined || at < shortest.length) shortest = name.slice(0, at);
  }
  return shortest === undefined || shortest === "minio" ? "" : shortest;
}

function checkHost(host: string): void {
  for (let i = 0; i < host.length; i++) {
    const code = host.charCodeAt(i);
    if (code <= 32 || code > 126 || code === 47 || code === 64 || code === 92) {
      throw new StoreError("InvalidRequest", { message: "Invalid request (invalid hostname)" });
    }
  }
}

/** Text from the path on: an absolute-form target (a proxy's) loses its scheme and authority. */
function originForm(url: string): string {
  if (url.charCodeAt(0) === 47) return url;
  const scheme = url.indexOf("://");
  if (scheme < 0) throw new StoreError("BadRequest", { message: "The request target is not a path." });
  const slash = url.indexOf("/", scheme + 3);
  return slash < 0 ? "/" : url.slice(slash);
}

/**
 * Splits a request target. Throws InvalidArgument (broken escapes), XMinioInvalidObjectName (not UTF-8, NUL),
 * XMinioInvalidResourceName (too long), InvalidRequest (malformed Host): all 400. s3-api.md section 19.
 */
export function parseTarget(url: string, host: string, domains: readonly string[]): Target {
  if (url.length > TARGET_BYTES_MAX) throw new StoreError("XMinioInvalidResourceName");
  checkHost(host);
  const text = originForm(url);
  const mark = text.indexOf("?");
  const rawQuery = mark < 0 ? "" : text.slice(mark + 1);
  const rawPath = mark < 0 ? text : text.slice(0, mark);
  const path = percentDecode(rawPath, false);
  if (path.includes("\0")) throw new StoreError("XMinioInvalidObjectName");
  // Rows of the index end their keys with NUL: a prefix or marker that holds one would reach into them.
  if (rawQuery.includes("%00")) throw bad("The query holds a NUL character.");
  const query = parseQuery(rawQuery);
  const virtual = domains.length > 0 ? hostBucket(host, domains) : "";
  const raw = { rawPath, rawQuery, query, inHost: virtual !== "" };
  if (raw.inHost) return { ...raw, bucket: virtual, key: path.slice(1) };
  const slash = path.indexOf("/", 1);
  if (slash < 0) return { ...raw, bucket: path.slice(1), key: "" };
  return { ...raw, bucket: path.slice(1, slash), key: path.slice(slash + 1) };
}
