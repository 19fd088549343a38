/** Everything that a client which is not ours (the AWS SDK) sees of a bucket: what sites that are equal must agree on. */
import assert from "node:assert/strict";
import {
  GetObjectCommand,
  GetObjectTaggingCommand,
  ListObjectVersionsCommand,
  type S3Client,
} from "@aws-sdk/client-s3";
import { awsClient } from "./clients.ts";
import { idOfBody } from "./random.ts";
import type { Site } from "./site.ts";

const READERS = 8;

export interface Seen {
  readonly key: string;
  readonly versionId: string;
  /** Undefined: a delete marker. */
  readonly bodyId: number | undefined;
  readonly latest: boolean;
  readonly tags: Readonly<Record<string, string>>;
  /** All that must be the same at every site that has it. */
  readonly text: string;
}

/** All versions of a bucket, by key and id, read whole. Fails when one cannot be read, or its bytes are torn or mixed. */
export async function inventory(site: Site, bucket: string): Promise<Map<string, Seen>> {
  const s3 = awsClient(site.server);
  // Only what is here counts: a site passes reads of what it lacks on to its peers.
  s3.middlewareStack.add(
    (next) => (args) => {
      Object.assign((args.request as { headers: object }).headers, { "x-minio-source-proxy-request": "false" });
      return next(args);
    },
    { step: "build" },
  );
  try {
    const rows = await list(s3, bucket);
    const out = new Map<string, Seen>();
    const reader = async (): Promise<void> => {
      for (let row = rows.shift(); row !== undefined; row = rows.shift()) {
        out.set(`${row.key} ${row.versionId}`, row.marker ? seenMarker(row) : await seenObject(s3, bucket, row));
      }
    };
    await Promise.all(Array.from({ length: READERS }, reader));
    return out;
  } finally {
    s3.destroy();
  }
}

interface Row {
  readonly key: string;
  readonly versionId: string;
  readonly marker: boolean;
  readonly latest: boolean;
  readonly time: string;
  readonly etag: string;
  readonly size: number;
}

async function list(s3: S3Client, Bucket: string): Promise<Row[]> {
  const rows: Row[] = [];
  for (let KeyMarker: string | undefined, VersionIdMarker: string | undefined; ;) {
    const page = await s3.send(new ListObjectVersionsCommand({ Bucket, KeyMarker, VersionIdMarker }));
    const markers = (page.DeleteMarkers ?? []).map((row) => ({ ...row, ETag: "", Size: 0, marker: true }));
    const objects = (page.Versions ?? []).map((row) => ({ ...row, marker: false }));
    for (const { Key = "", VersionId = "", IsLatest, LastModified, ETag = "", Size = 0, marker } of [
      ...objects,
      ...markers,
    ]) {
      const time = LastModified?.toISOString() ?? "";
      rows.push({ key: Key, versionId: VersionId, marker, latest: IsLatest === true, time, etag: ETag, size: Size });
    }
    if (page.IsTruncated !== true) return rows;
    ({ NextKeyMarker: KeyMarker, NextVersionIdMarker: VersionIdMarker } = page);
  }
}

function seenMarker({ key, versionId, latest, time }: Row): Seen {
  return { key, versionId, bodyId: undefined, latest, tags: {}, text: `marker ${time}` };
}

async function seenObject(s3: S3Client, Bucket: string, row: Row): Promise<Seen> {
  const { key, versionId, latest, time, etag, size } = row;
  const at = { Bucket, Key: key, VersionId: versionId };
  const got = await s3.send(new GetObjectCommand(at));
  const bytes = Buffer.from((await got.Body?.transformToByteArray()) ?? []);
  const bodyId = idOfBody(bytes);
  assert.ok(typeof bodyId === "number", `${key} ${versionId}: ${bodyId}`);
  const set = (got.TagCount ?? 0) > 0 ? ((await s3.send(new GetObjectTaggingCommand(at))).TagSet ?? []) : [];
  const tags = Object.fromEntries(set.map((tag) => [tag.Key ?? "", tag.Value ?? ""]));
  const { ContentType, Metadata, ObjectLockMode, ObjectLockRetainUntilDate, ObjectLockLegalHoldStatus } = got;
  const locks = [ObjectLockMode, ObjectLockRetainUntilDate?.toISOString(), ObjectLockLegalHoldStatus];
  const text = JSON.stringify([time, etag, size, bytes.length, bodyId, ContentType, Metadata, tags, locks]);
  return { key, versionId, bodyId, latest, tags, text };
}
