/**
 * Headers that a presigned URL carries in its query: SDKs put there what the user of the URL is not to be asked for
 * (metadata, tags, locks, encryption). They count as headers, as they do at AWS; the signature covers them.
 */
import type { S3Request } from "./request.ts";

/** Of the signature itself: read from the query where they are needed. */
const SIGNATURE4 = new Set(
  ["algorithm", "credential", "date", "expires", "signedheaders", "signature", "security-token", "content-sha256"].map(
    (name) => `x-amz-${name}`,
  ),
);
/** Only version 2 has its token there, and these two, which its text names beside the `x-amz-` headers. */
const ALSO_IN_2 = new Set(["x-amz-security-token", "content-type", "content-md5"]);
/** Computed by SDKs when the URL is made, over a body that they do not have: held against the real one, all would fail. */
const GUESSED = /^x-amz-(checksum-(crc|sha)|sdk-checksum-algorithm)/;

/**
 * Puts them among the headers of the request, where one that was sent stays as it is. Returns the names of those put;
 * undefined: none. A request whose signature is not in its query has none.
 */
export function takeHeadersOfQuery(request: S3Request): ReadonlySet<string> | undefined {
  const { pairs } = request.query;
  if (pairs.length === 0) return undefined;
  const is4 = request.query.get("X-Amz-Signature") !== undefined;
  if (!is4 && request.query.get("Signature") === undefined) return undefined;
  const { headers, rawHeaders } = request.incoming;
  let taken: Set<string> | undefined;
  for (const [given, value] of pairs) {
    const name = given.toLowerCase();
    const counts = is4
      ? name.startsWith("x-amz-") && !SIGNATURE4.has(name)
      : name.startsWith("x-amz-") || ALSO_IN_2.has(name);
    if (!counts || GUESSED.test(name) || headers[name] !== undefined) continue;
    // As they would have come: bytes, one character each.
    const text = Buffer.from(value, "utf8").toString("latin1");
    headers[name] = text;
    rawHeaders.push(name, text);
    (taken ??= new Set()).add(name);
  }
  return taken;
}
