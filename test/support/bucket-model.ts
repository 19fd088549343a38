/** A bucket as a naive program would keep it: what the server must answer, said in the fewest words. */
import { createHash } from "node:crypto";

export interface ModelVersion {
  readonly id: string;
  readonly marker: boolean;
  readonly body: Buffer;
  readonly etag: string;
  readonly meta: string;
  /** Sizes, for objects made of parts. */
  readonly parts: readonly number[];
}

export type Versioning = "" | "Enabled" | "Suspended";

export const md5 = (body: Buffer): string => createHash("md5").update(body).digest("hex");
const byBytes = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b));

export interface ListQuery {
  readonly prefix: string;
  readonly delimiter: string;
  /** Exclusive. */
  readonly after: string;
}

/** A line of a listing: a common prefix, or a version of a key. */
export interface Line {
  readonly name: string;
  /** Absent: a common prefix. */
  readonly version?: ModelVersion;
  readonly latest?: boolean;
}

export class BucketModel {
  readonly name: string;
  versioning: Versioning = "";
  /** Newest first. */
  readonly keys = new Map<string, ModelVersion[]>();

  constructor(name: string) {
    this.name = name;
  }

  versions(key: string): ModelVersion[] {
    return this.keys.get(key) ?? [];
  }

  /** The current version when it is an object. */
  object(key: string): ModelVersion | undefined {
    const [version] = this.versions(key);
    return version?.marker === false ? version : undefined;
  }

  /** Makes `version` the newest; a null version takes the place of the one before. */
  add(key: string, version: ModelVersion): void {
    const kept = this.versions(key).filter((one) => version.id !== "null" || one.id !== "null");
    this.keys.set(key, [version, ...kept]);
  }

  remove(key: string, id: string): void {
    const kept = this.versions(key).filter((version) => version.id !== id);
    if (kept.length === 0) this.keys.delete(key);
    else this.keys.set(key, kept);
  }

  /** DELETE without a version id; `id` is the marker's as the server told it. */
  delete(key: string, id: string): void {
    if (this.versioning === "") return this.remove(key, "null");
    const own = this.versioning === "Enabled" ? id : "null";
    this.add(key, { id: own, marker: true, body: Buffer.alloc(0), etag: "", meta: "", parts: [] });
  }

  /** Every line of a listing, whole. */
  lines(query: ListQuery, allVersions: boolean): Line[] {
    const out: Line[] = [];
    for (const key of [...this.keys.keys()].toSorted(byBytes)) {
      const object = this.object(key);
      if (!key.startsWith(query.prefix) || (!allVersions && object === undefined)) continue;
      const cut = query.delimiter === "" ? -1 : key.indexOf(query.delimiter, query.prefix.length);
      const name = cut < 0 ? key : key.slice(0, cut + query.delimiter.length);
      if (query.after !== "" && byBytes(name, query.after) <= 0) continue;
      if (cut >= 0) {
        const last = out.at(-1);
        if (last?.name !== name || last.version !== undefined) out.push({ name });
        continue;
      }
      const versions = allVersions || object === undefined ? this.versions(key) : [object];
      versions.forEach((version, at) => out.push({ name, version, latest: at === 0 }));
    }
    return out;
  }
}

export interface ReadQuery {
  readonly range?: string | undefined;
  readonly partNumber?: number | undefined;
  readonly ifMatch?: string | undefined;
  readonly ifNoneMatch?: string | undefined;
  /** true: a date after every write, false: one before. */
  readonly modifiedSince?: boolean | undefined;
  readonly unmodifiedSince?: boolean | undefined;
}

export interface ReadAnswer {
  readonly status: number;
  readonly code: string;
  readonly body?: Buffer;
  readonly range?: string;
}

const failed = (status: number, code: string): ReadAnswer => ({ status, code });

/** First and last byte that a Range header asks for; undefined: it is ignored; "empty": it asks for nothing that is there. */
function rangeOf(header: string, size: number): [number, number] | "empty" | undefined {
  const match = /^bytes=(\d*)-(\d*)$/.exec(header);
  const [first, last] = [match?.[1] ?? "", match?.[2] ?? ""];
  if (match === null || first + last === "") return undefined;
  if (first === "") return Number(last) === 0 || size === 0 ? "empty" : [Math.max(size - Number(last), 0), size - 1];
  if (Number(first) >= size || (last !== "" && Number(last) < Number(first))) return "empty";
  return [Number(first), last === "" ? size - 1 : Math.min(Number(last), size - 1)];
}

/** s3-api.md sections 6 and 7: part number, then conditions (304 before 412), then the range. */
export function readOf(version: ModelVersion, query: ReadQuery): ReadAnswer {
  const { body } = version;
  const size = body.length;
  let slice: [number, number] | undefined;
  if (query.partNumber !== undefined) {
    if (query.range !== undefined) return failed(400, "InvalidRequest");
    const sizes = version.parts.length === 0 ? [size] : version.parts;
    const own = sizes[query.partNumber - 1];
    if (own === undefined) return failed(416, "InvalidPartNumber");
    const start = sizes.slice(0, query.partNumber - 1).reduce((sum, one) => sum + one, 0);
    slice = [start, start + own - 1];
  }
  const same = (wanted: string): boolean => wanted === "*" || wanted === version.etag;
  const unchanged = query.ifNoneMatch === undefined ? query.modifiedSince === true : same(query.ifNoneMatch);
  if (unchanged) return failed(304, "");
  const changed = query.ifMatch === undefined ? query.unmodifiedSince === false : !same(query.ifMatch);
  if (changed) return failed(412, "PreconditionFailed");
  const asked = query.range === undefined ? undefined : rangeOf(query.range, size);
  if (asked === "empty") return failed(416, "InvalidRange");
  slice ??= asked;
  // Content-Range cannot speak of no bytes.
  if (slice === undefined || size === 0) return { status: 200, code: "", body };
  const [first, last] = slice;
  if (last < first) return { status: 206, code: "", body: body.subarray(first, first) };
  return { status: 206, code: "", body: body.subarray(first, last + 1), range: `bytes ${first}-${last}/${size}` };
}
