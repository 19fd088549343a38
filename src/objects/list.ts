/**
 * Listings: a walk over the version rows of a bucket, which lie in key order, newest version first. Runs of old
 * versions and whole common prefixes are jumped over, so a page costs what it returns.
 */
import type { VersionId } from "../model/names.ts";
import type { ObjectVersion, Version } from "../model/version.ts";
import type { Entry, KeyRange } from "../storage/index/index.ts";
import * as keys from "../storage/keys.ts";
import { decodeVersion } from "../storage/records.ts";
import type { Context } from "./context.ts";
import type { ListedVersion, ListPage, ListRequest, ListVersionsPage, ListVersionsRequest } from "./types.ts";

const PAGE_MIN = 16;
const PAGE_MAX = 1024;
/** After this many rows to leave out in a row, a new seek is cheaper than reading on. */
const SKIP_ROWS = 24;
const ONE = Buffer.from([1]);

/** A forward walk with jumps; pages grow while nothing is jumped over. */
class Walk {
  readonly #context: Context;
  readonly #end: Buffer;
  #start: Buffer;
  #page: Entry[] = [];
  #next = 0;
  #size: number;
  #last = false;

  constructor(context: Context, range: KeyRange, expected: number) {
    this.#context = context;
    this.#start = range.start;
    this.#end = range.end;
    this.#size = Math.min(Math.max(expected, PAGE_MIN), PAGE_MAX);
  }

  async next(): Promise<Entry | undefined> {
    if (this.#next >= this.#page.length) {
      if (this.#last || Buffer.compare(this.#start, this.#end) >= 0) return undefined;
      this.#page = await this.#context.index.scan({ start: this.#start, end: this.#end }, { limit: this.#size });
      this.#last = this.#page.length < this.#size;
      this.#next = 0;
      const last = this.#page.at(-1);
      if (last === undefined) return undefined;
      this.#start = keys.keyAfter(last.key);
      this.#size = Math.min(this.#size * 2, PAGE_MAX);
    }
    return this.#page[this.#next++];
  }

  /** Goes on at `key`, which lies ahead: within the page at hand when it is near, else with a new seek. */
  jump(key: Buffer): void {
    const page = this.#page;
    for (let i = this.#next; i < page.length && i < this.#next + SKIP_ROWS; i++) {
      if (Buffer.compare((page[i] as Entry).key, key) >= 0) {
        this.#next = i;
        return;
      }
    }
    this.#page = [];
    this.#next = 0;
    this.#last = false;
    this.#start = key;
    this.#size = PAGE_MIN * 4;
  }
}

function commonPrefixOf(key: string, prefix: string, delimiter: string): string | undefined {
  if (delimiter === "") return undefined;
  const at = key.indexOf(delimiter, prefix.length);
  return at < 0 ? undefined : key.slice(0, at + delimiter.length);
}

/** First row key above everything of object key `key`. */
const afterKey = (bucketId: string, key: string): Buffer => {
  const prefix = keys.objectPrefix(keys.SPACE.version, bucketId, key);
  return Buffer.concat([prefix.subarray(0, prefix.length - 1), ONE]);
};
const afterPrefix = (bucketId: string, prefix: string): Buffer =>
  keys.keyPrefixRange(keys.SPACE.version, bucketId, prefix).end;

/** Where a page begins: after `after`, which may be a key or a common prefix of the page before. */
function startOf(bucketId: string, request: { prefix: string; delimiter: string }, after: string): KeyRange {
  const range = keys.keyPrefixRange(keys.SPACE.version, bucketId, request.prefix);
  if (after === "") return range;
  const { delimiter } = request;
  const inPrefix = after.startsWith(request.prefix) ? commonPrefixOf(after, request.prefix, delimiter) : undefined;
  const start = inPrefix !== undefined ? afterPrefix(bucketId, inPrefix) : afterKey(bucketId, after);
  return Buffer.compare(start, range.start) > 0 ? { start, end: range.end } : range;
}

/** Objects.list: the newest version of each key, delete markers left out. */
export async function list(context: Context, request: ListRequest): Promise<ListPage> {
  const { bucket } = await context.bucketRow(request.bucket);
  const objects: ObjectVersion[] = [];
  const commonPrefixes: string[] = [];
  let next: string | undefined;
  if (request.maxKeys === 0) return { bucket, objects, commonPrefixes, truncated: false };
  const walk = new Walk(context, startOf(bucket.id, request, request.after), request.maxKeys + 1);
  for (let entry = await walk.next(); entry !== undefined; entry = await walk.next()) {
    const key = keys.objectKeyOfVersionRow(entry.key);
    const common = commonPrefixOf(key, request.prefix, request.delimiter);
    const version = decodeVersion(entry.value);
    if (version.kind === "delete-marker") {
      walk.jump(afterKey(bucket.id, key));
      continue;
    }
    if (objects.length + commonPrefixes.length >= request.maxKeys)
      return { bucket, objects, commonPrefixes, truncated: true, next };
    if (common === undefined) {
      objects.push(version);
      next = key;
      walk.jump(afterKey(bucket.id, key));
    } else {
      commonPrefixes.push(common);
      next = common;
      walk.jump(afterPrefix(bucket.id, common));
    }
  }
  return { bucket, objects, commonPrefixes, truncated: false };
}

/** Where a versions page begins: after one version of a key, after a key, or at the prefix. */
async function versionsStart(context: Context, bucketId: string, request: ListVersionsRequest): Promise<KeyRange> {
  const { keyMarker, versionIdMarker } = request;
  if (versionIdMarker === undefined) return startOf(bucketId, request, keyMarker);
  const range = keys.keyPrefixRange(keys.SPACE.version, bucketId, request.prefix);
  const { row } = await context.rowById(bucketId, keyMarker as Version["key"], versionIdMarker);
  // The version may have been removed since the last page: then all of the key's versions are looked at again.
  const start = row === undefined ? keys.objectPrefix(keys.SPACE.version, bucketId, keyMarker) : keys.keyAfter(row.key);
  return Buffer.compare(start, range.start) > 0 ? { start, end: range.end } : range;
}

/** Objects.listVersions: every version and marker, newest first within a key. */
export async function listVersions(context: Context, request: ListVersionsRequest): Promise<ListVersionsPage> {
  const { bucket } = await context.bucketRow(request.bucket);
  const versions: ListedVersion[] = [];
  const commonPrefixes: string[] = [];
  let nextKeyMarker: string | undefined;
  let nextVersionIdMarker: VersionId | undefined;
  if (request.maxKeys === 0) return { bucket, versions, commonPrefixes, truncated: false };
  const walk = new Walk(context, await versionsStart(context, bucket.id, request), request.maxKeys + 1);
  let lastKey = request.versionIdMarker === undefined ? undefined : request.keyMarker;
  for (let entry = await walk.next(); entry !== undefined; entry = await walk.next()) {
    if (versions.length + commonPrefixes.length >= request.maxKeys) {
      return { bucket, versions, commonPrefixes, truncated: true, nextKeyMarker, nextVersionIdMarker };
    }
    const key = keys.objectKeyOfVersionRow(entry.key);
    const common = commonPrefixOf(key, request.prefix, request.delimiter);
    nextKeyMarker = common ?? key;
    nextVersionIdMarker = undefined;
    if (common !== undefined) {
      commonPrefixes.push(common);
      walk.jump(afterPrefix(bucket.id, common));
      continue;
    }
    const version = decodeVersion(entry.value);
    versions.push({ version, isLatest: key !== lastKey });
    lastKey = key;
    nextVersionIdMarker = version.versionId;
  }
  return { bucket, versions, commonPrefixes, truncated: false };
}
