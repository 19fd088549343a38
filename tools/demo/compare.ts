/** Compares two buckets through an independent client: every version, its times, ETags, sizes, metadata, tags, and all bytes. */
import { createHash } from "node:crypto";
import {
  GetObjectCommand,
  GetObjectTaggingCommand,
  ListObjectVersionsCommand,
  S3Client,
  type DeleteMarkerEntry,
  type ObjectVersion,
} from "@aws-sdk/client-s3";
import type { Site } from "./site.ts";

const PARALLEL = 16;

interface Row {
  readonly key: string;
  readonly versionId: string;
  readonly marker: boolean;
  readonly line: string;
}

function client(site: Site): S3Client {
  const { accessKey, secretKey } = site.credentials;
  return new S3Client({
    endpoint: site.url,
    region: "us-east-1",
    forcePathStyle: true,
    credentials: { accessKeyId: accessKey, secretAccessKey: secretKey },
  });
}

async function versions(s3: S3Client, bucket: string): Promise<Map<string, Row>> {
  const out = new Map<string, Row>();
  let markers: { KeyMarker?: string; VersionIdMarker?: string } = {};
  for (;;) {
    const page = await s3.send(new ListObjectVersionsCommand({ Bucket: bucket, ...markers }));
    const add = (item: ObjectVersion | DeleteMarkerEntry, marker: boolean): void => {
      const [key, versionId] = [item.Key ?? "", item.VersionId ?? ""];
      const line = [
        marker ? "marker" : "object",
        item.LastModified?.toISOString(),
        item.IsLatest,
        "ETag" in item ? item.ETag : "",
        "Size" in item ? item.Size : "",
      ].join(" ");
      out.set(`${key}\0${versionId}`, { key, versionId, marker, line });
    };
    for (const item of page.Versions ?? []) add(item, false);
    for (const item of page.DeleteMarkers ?? []) add(item, true);
    if (!page.IsTruncated) return out;
    markers = {
      ...(page.NextKeyMarker === undefined ? {} : { KeyMarker: page.NextKeyMarker }),
      ...(page.NextVersionIdMarker === undefined ? {} : { VersionIdMarker: page.NextVersionIdMarker }),
    };
  }
}

async function fingerprint(s3: S3Client, bucket: string, row: Row): Promise<string> {
  const name = { Bucket: bucket, Key: row.key, VersionId: row.versionId };
  const object = await s3.send(new GetObjectCommand(name));
  const hash = createHash("sha256");
  for await (const piece of object.Body as AsyncIterable<Uint8Array>) hash.update(piece);
  const tags = await s3.send(new GetObjectTaggingCommand(name));
  const sorted = (tags.TagSet ?? []).map((tag) => `${tag.Key}=${tag.Value}`).toSorted();
  return JSON.stringify([hash.digest("hex"), object.ContentType, object.Metadata, sorted]);
}

export interface Comparison {
  readonly versions: number;
  readonly markers: number;
  readonly bytesRead: boolean;
  readonly differences: string[];
}

/** Both listings, then every object's bytes, metadata and tags on both sides. */
export async function compare(
  a: Site,
  b: Site,
  bucket: string,
  progress: (done: number, total: number) => void,
): Promise<Comparison> {
  const [first, second] = [client(a), client(b)];
  const [left, right] = await Promise.all([versions(first, bucket), versions(second, bucket)]);
  const differences: string[] = [];
  for (const [id, row] of left) {
    const other = right.get(id);
    if (other === undefined) differences.push(`${row.key} ${row.versionId}: only at ${a.name}`);
    else if (other.line !== row.line) differences.push(`${row.key} ${row.versionId}: ${row.line} | ${other.line}`);
  }
  for (const [id, row] of right) if (!left.has(id)) differences.push(`${row.key} ${row.versionId}: only at ${b.name}`);
  const objects = [...left.values()].filter((row) => !row.marker && right.has(`${row.key}\0${row.versionId}`));
  let done = 0;
  const queue = objects.values();
  const worker = async (): Promise<void> => {
    for (const row of queue) {
      try {
        const [one, two] = await Promise.all([fingerprint(first, bucket, row), fingerprint(second, bucket, row)]);
        if (one !== two) differences.push(`${row.key} ${row.versionId}: content differs: ${one} | ${two}`);
      } catch (error) {
        differences.push(`${row.key} ${row.versionId}: cannot be read: ${(error as Error).message}`);
      }
      progress(++done, objects.length);
    }
  };
  await Promise.all(Array.from({ length: PARALLEL }, worker));
  first.destroy();
  second.destroy();
  return {
    versions: left.size,
    markers: left.size - [...left.values()].filter((row) => !row.marker).length,
    bytesRead: true,
    differences,
  };
}
