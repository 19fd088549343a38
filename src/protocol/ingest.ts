/**
 * Bodies of `POST /resilver/v1/ingest`: many small versions in one request, and a result for each. A request is a row of
 * items, each `u32 header length, u32 body length` (little-endian), the header as JSON, the bytes. The header carries
 * what the headers of a replication PUT would (replication.md 3.4). The answer is one JSON array, in the items' order.
 */
import { StoreError } from "../model/errors.ts";

export const INGEST_PATH = "/resilver/v1/ingest";
/** Objects up to this size travel so; larger ones gain nothing from company. */
export const INGEST_OBJECT_BYTES_MAX = 32 * 1024;
/** Items in one request, and bytes of one request: a sender keeps below, a receiver refuses what is above. */
export const INGEST_ITEMS_MAX = 256;
export const INGEST_BYTES_MAX = 8 * 1024 * 1024;

const PREFIX_BYTES = 8;

export interface IngestItem {
  readonly key: string;
  readonly versionId: string;
  /** Headers of the PUT that this item stands for; lower-case names. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

/** What became of one item: status, and for failures S3's code and message. */
export interface IngestResult {
  readonly status: number;
  readonly code?: string | undefined;
  readonly message?: string | undefined;
  /** The version was purged here, by this will: nothing was stored. */
  readonly purged?: string | undefined;
}

/** One item as the pieces that it is on the wire. */
export function encodeIngestItem(item: IngestItem): readonly [Buffer, Buffer] {
  const json = JSON.stringify({ key: item.key, versionId: item.versionId, headers: item.headers });
  const length = Buffer.byteLength(json);
  const head = Buffer.allocUnsafe(PREFIX_BYTES + length);
  head.writeUInt32LE(length, 0);
  head.writeUInt32LE(item.body.length, 4);
  head.write(json, PREFIX_BYTES);
  return [head, item.body];
}

function malformed(why: string): StoreError {
  return new StoreError("InvalidRequest", { message: `The ingest body is malformed: ${why}.` });
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function headOf(bytes: Buffer): Pick<IngestItem, "key" | "versionId" | "headers"> {
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString());
  } catch {
    throw malformed("an item's header is no JSON");
  }
  if (!isRecord(value)) throw malformed("an item's header is no object");
  const { key, versionId, headers } = value;
  if (typeof key !== "string" || typeof versionId !== "string" || !isRecord(headers))
    throw malformed("an item lacks its key, version id or headers");
  for (const name in headers) {
    if (typeof headers[name] !== "string" || name !== name.toLowerCase())
      throw malformed("a header is no text or not in lower case");
  }
  return { key, versionId, headers: headers as Record<string, string> };
}

/** Items of a request's body, which they share memory with. Throws InvalidRequest. */
export function decodeIngest(bytes: Buffer): IngestItem[] {
  const items: IngestItem[] = [];
  for (let at = 0; at < bytes.length;) {
    if (items.length === INGEST_ITEMS_MAX) throw malformed(`more than ${INGEST_ITEMS_MAX} items`);
    if (bytes.length - at < PREFIX_BYTES) throw malformed("it ends in the middle of an item");
    const head = at + PREFIX_BYTES;
    const body = head + bytes.readUInt32LE(at);
    const end = body + bytes.readUInt32LE(at + 4);
    if (end > bytes.length) throw malformed("it ends in the middle of an item");
    if (end - body > INGEST_OBJECT_BYTES_MAX) throw malformed("an object is too large");
    items.push({ ...headOf(bytes.subarray(head, body)), body: bytes.subarray(body, end) });
    at = end;
  }
  return items;
}

export function encodeIngestResults(results: readonly IngestResult[]): string {
  return JSON.stringify(results);
}

/** Results of `count` items; undefined when the answer is none. */
export function decodeIngestResults(bytes: Buffer, count: number): IngestResult[] | undefined {
  try {
    const value: unknown = JSON.parse(bytes.toString());
    if (!Array.isArray(value) || value.length !== count) return undefined;
    return value.every((one) => isRecord(one) && typeof one["status"] === "number")
      ? (value as IngestResult[])
      : undefined;
  } catch {
    return undefined;
  }
}
