/** ListMultipartUploads: by key, then by time of initiation; prefix, delimiter and markers as AWS has them. */
import * as keys from "../storage/keys.ts";
import { decodeRow } from "../storage/records.ts";
import type { Context } from "./context.ts";
import type { ListUploadsPage, ListUploadsRequest, Upload } from "./types.ts";

const PAGE = 1000;

/** Objects.listUploads. Uploads of one key come in the order of their ids, which is stable between pages. */
export async function listUploads(context: Context, request: ListUploadsRequest): Promise<ListUploadsPage> {
  const { bucket } = await context.bucketRow(request.bucket);
  const uploads: Upload[] = [];
  const commonPrefixes: string[] = [];
  let nextKeyMarker: string | undefined;
  let nextUploadIdMarker: string | undefined;
  if (request.maxUploads === 0) return { bucket, uploads, commonPrefixes, truncated: false };
  const range = keys.keyPrefixRange(keys.SPACE.upload, bucket.id, request.prefix);
  let start = startOf(bucket.id, request, range.start);
  for (;;) {
    const page = await context.index.scan({ start, end: range.end }, { limit: PAGE });
    for (const entry of page) {
      const upload = decodeRow<Upload>(entry.value);
      const at = request.delimiter === "" ? -1 : upload.key.indexOf(request.delimiter, request.prefix.length);
      const common = at < 0 ? undefined : upload.key.slice(0, at + request.delimiter.length);
      if (common !== undefined && (common === commonPrefixes.at(-1) || request.keyMarker.startsWith(common))) continue;
      if (uploads.length + commonPrefixes.length >= request.maxUploads) {
        return { bucket, uploads, commonPrefixes, truncated: true, nextKeyMarker, nextUploadIdMarker };
      }
      if (common === undefined) uploads.push(upload);
      else commonPrefixes.push(common);
      nextKeyMarker = common ?? upload.key;
      nextUploadIdMarker = common === undefined ? upload.uploadId : "";
    }
    const last = page.at(-1);
    if (last === undefined || page.length < PAGE) return { bucket, uploads, commonPrefixes, truncated: false };
    start = keys.keyAfter(last.key);
  }
}

function startOf(bucketId: string, request: ListUploadsRequest, least: Buffer): Buffer {
  if (request.keyMarker === "") return least;
  const row = keys.objectPrefix(keys.SPACE.upload, bucketId, request.keyMarker);
  const isId = /^[0-9a-f]{32}$/.test(request.uploadIdMarker);
  // Without an upload id all uploads of the marker's key are behind us; with one only those up to it.
  const start = isId
    ? keys.keyAfter(Buffer.concat([row, Buffer.from(request.uploadIdMarker, "hex")]))
    : Buffer.concat([row.subarray(0, row.length - 1), Buffer.from([1])]);
  return Buffer.compare(start, least) > 0 ? start : least;
}
