/** Tags as one header value (`x-amz-tagging`), also the `UserTags` of a listing (s3-api.md section 18). */
import type { Tags } from "../model/version.ts";

/** `k1=v1&k2=v2` in the encoding of query strings, keys sorted. */
export function taggingHeader(tags: Tags): string {
  const sorted = Object.keys(tags).sort();
  return new URLSearchParams(sorted.map((key): [string, string] => [key, tags[key] as string])).toString();
}
