/** Tag sets: the header form and the rules for both forms (s3-api.md section 18). */
import { StoreError } from "../model/errors.ts";
import type { Tags } from "../model/version.ts";

export const OBJECT_TAGS_MAX = 10;
export const BUCKET_TAGS_MAX = 50;
const KEY_RUNES_MAX = 128;
const VALUE_RUNES_MAX = 256;
const ALLOWED = /^[\p{L}\p{N}\p{Z} +\-._:/@=]*$/u;

function invalidTag(message: string): StoreError {
  return new StoreError("InvalidTag", { message });
}

/** Checked tags of `pairs`: InvalidTag for more than `max` (as AWS), a bad or repeated key. */
export function checkedTags(pairs: Iterable<readonly [string, string]>, max: number): Tags {
  const out: Record<string, string> = {};
  let count = 0;
  for (const [key, value] of pairs) {
    count++;
    if (key === "" || [...key].length > KEY_RUNES_MAX || !ALLOWED.test(key))
      throw invalidTag("The TagKey you have provided is invalid");
    if ([...value].length > VALUE_RUNES_MAX || !ALLOWED.test(value))
      throw invalidTag("The TagValue you have provided is invalid");
    if (Object.hasOwn(out, key)) throw invalidTag("Cannot provide multiple Tags with the same key");
    Object.defineProperty(out, key, { value, enumerable: true });
  }
  if (count > max) throw invalidTag(`Tags cannot be more than ${max}`);
  return out;
}

/** `x-amz-tagging`: encoded like a query string. */
export function parseTagHeader(text: string): Tags {
  return checkedTags(new URLSearchParams(text), OBJECT_TAGS_MAX);
}
