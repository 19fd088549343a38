/** The S3 port against the official SDK. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import * as sdk from "@aws-sdk/client-s3";
import { startTestPort, TEST_ROOT, type TestPort } from "../src/s3/testing.ts";

let port: TestPort;
let s3: sdk.S3Client;
const Bucket = "tests";

before(async () => {
  port = await startTestPort();
  s3 = new sdk.S3Client({
    endpoint: port.endpoint,
    region: "us-east-1",
    forcePathStyle: true,
    credentials: { accessKeyId: TEST_ROOT.accessKey, secretAccessKey: TEST_ROOT.secretKey },
    maxAttempts: 1,
  });
  await s3.send(new sdk.CreateBucketCommand({ Bucket }));
  await s3.send(new sdk.PutBucketVersioningCommand({ Bucket, VersioningConfiguration: { Status: "Enabled" } }));
});

after(async () => {
  s3.destroy();
  await port.close();
});

const put = (Key: string, Body: string | Buffer, more: Partial<sdk.PutObjectCommandInput> = {}) =>
  s3.send(new sdk.PutObjectCommand({ Bucket, Key, Body, ...more }));
const text = async (out: sdk.GetObjectCommandOutput): Promise<string> => (await out.Body?.transformToString()) ?? "";
const status = (code: number) => (error: unknown) =>
  (error as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode === code;
const fails = (code: string) => (error: unknown) => (error as Error).name === code;

test("buckets: list, head, location, exists, not empty", async () => {
  const { Buckets } = await s3.send(new sdk.ListBucketsCommand({}));
  assert.deepEqual(
    Buckets?.map((bucket) => bucket.Name),
    [Bucket],
  );
  await s3.send(new sdk.HeadBucketCommand({ Bucket }));
  assert.equal((await s3.send(new sdk.GetBucketLocationCommand({ Bucket }))).LocationConstraint, undefined);
  await assert.rejects(s3.send(new sdk.CreateBucketCommand({ Bucket })), fails("BucketAlreadyOwnedByYou"));
  await assert.rejects(s3.send(new sdk.HeadBucketCommand({ Bucket: "absent" })), status(404));
  await put("some", "x");
  await assert.rejects(s3.send(new sdk.DeleteBucketCommand({ Bucket })), fails("BucketNotEmpty"));
});

test("put and get: metadata, tags, ranges, conditions, overrides", async () => {
  const Key = "a/ü +&.txt";
  const stored = await put(Key, "hello world", {
    ContentType: "text/plain",
    Metadata: { foo: "bar" },
    Tagging: "t=1&u=2",
    CacheControl: "no-cache",
  });
  const got = await s3.send(new sdk.GetObjectCommand({ Bucket, Key, ChecksumMode: "ENABLED" }));
  assert.equal(await text(got), "hello world");
  assert.equal(got.ETag, stored.ETag);
  assert.deepEqual(got.Metadata, { foo: "bar" });
  assert.equal(got.TagCount, 2);
  assert.equal(got.ContentType, "text/plain");
  assert.equal(got.VersionId, stored.VersionId);
  assert.equal(got.ChecksumCRC32, stored.ChecksumCRC32);
  const part = await s3.send(new sdk.GetObjectCommand({ Bucket, Key, Range: "bytes=6-" }));
  assert.equal(await text(part), "world");
  assert.equal(part.ContentRange, "bytes 6-10/11");
  await assert.rejects(s3.send(new sdk.GetObjectCommand({ Bucket, Key, Range: "bytes=11-" })), fails("InvalidRange"));
  await assert.rejects(s3.send(new sdk.GetObjectCommand({ Bucket, Key, IfNoneMatch: stored.ETag })), status(304));
  await assert.rejects(s3.send(new sdk.GetObjectCommand({ Bucket, Key, IfMatch: '"x"' })), fails("PreconditionFailed"));
  const named = await s3.send(new sdk.GetObjectCommand({ Bucket, Key, ResponseContentType: "text/html" }));
  assert.equal(named.ContentType, "text/html");
  await text(named);
  await assert.rejects(put(Key, "x", { IfNoneMatch: "*" }), fails("PreconditionFailed"));
  await assert.rejects(put("none", "x", { IfMatch: '"x"' }), fails("NoSuchKey"));
});

test("bodies: empty, streamed, every checksum, wrong checksum", async () => {
  await put("empty", "");
  assert.equal((await s3.send(new sdk.HeadObjectCommand({ Bucket, Key: "empty" }))).ContentLength, 0);
  const large = Buffer.alloc(3_000_000, "abc");
  await put("large", large);
  const got = await s3.send(new sdk.GetObjectCommand({ Bucket, Key: "large" }));
  assert.ok(Buffer.from((await got.Body?.transformToByteArray()) ?? []).equals(large));
  for (const ChecksumAlgorithm of ["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"] as const) {
    if (ChecksumAlgorithm === "CRC64NVME" || ChecksumAlgorithm === "CRC32C") continue;
    await put(`sum-${ChecksumAlgorithm}`, "data", { ChecksumAlgorithm });
  }
  await assert.rejects(
    put("bad", "data", { ChecksumSHA256: "n4bQgYhMfWWaL+qgxVrQFaO/TxsrC4Is0V1sFbDwCgg=" }),
    fails("BadDigest"),
  );
  await assert.rejects(s3.send(new sdk.GetObjectCommand({ Bucket, Key: "bad" })), fails("NoSuchKey"));
});

test("versions: markers, old versions, permanent deletes, listings", async () => {
  const one = await put("v/k", "1");
  const two = await put("v/k", "2");
  const marker = await s3.send(new sdk.DeleteObjectCommand({ Bucket, Key: "v/k" }));
  assert.equal(marker.DeleteMarker, true);
  await assert.rejects(s3.send(new sdk.GetObjectCommand({ Bucket, Key: "v/k" })), fails("NoSuchKey"));
  await assert.rejects(
    s3.send(new sdk.GetObjectCommand({ Bucket, Key: "v/k", VersionId: marker.VersionId })),
    fails("MethodNotAllowed"),
  );
  assert.equal(
    await text(await s3.send(new sdk.GetObjectCommand({ Bucket, Key: "v/k", VersionId: one.VersionId }))),
    "1",
  );
  const listed = await s3.send(new sdk.ListObjectVersionsCommand({ Bucket, Prefix: "v/" }));
  assert.deepEqual(
    listed.Versions?.map((version) => version.VersionId),
    [two.VersionId, one.VersionId],
  );
  assert.equal(listed.DeleteMarkers?.[0]?.IsLatest, true);
  await s3.send(new sdk.DeleteObjectCommand({ Bucket, Key: "v/k", VersionId: marker.VersionId }));
  assert.equal(await text(await s3.send(new sdk.GetObjectCommand({ Bucket, Key: "v/k" }))), "2");
  const unknown = "00000000-0000-4000-8000-000000000000";
  await assert.rejects(
    s3.send(new sdk.GetObjectCommand({ Bucket, Key: "v/k", VersionId: unknown })),
    fails("NoSuchVersion"),
  );
  await assert.rejects(
    s3.send(new sdk.GetObjectCommand({ Bucket, Key: "v/k", VersionId: "x" })),
    fails("InvalidArgument"),
  );
});

test("listings: both forms, pages, delimiter, encoding", async () => {
  for (const key of ["l/1", "l/2", "l/d/3", "l/d/4", "l/é"]) await put(key, key);
  const first = await s3.send(new sdk.ListObjectsV2Command({ Bucket, Prefix: "l/", Delimiter: "/", MaxKeys: 2 }));
  assert.deepEqual(
    first.Contents?.map((object) => object.Key),
    ["l/1", "l/2"],
  );
  const second = await s3.send(
    new sdk.ListObjectsV2Command({
      Bucket,
      Prefix: "l/",
      Delimiter: "/",
      ContinuationToken: first.NextContinuationToken,
      EncodingType: "url",
    }),
  );
  assert.deepEqual(
    second.CommonPrefixes?.map((prefix) => prefix.Prefix),
    ["l/d/"],
  );
  assert.deepEqual(
    second.Contents?.map((object) => object.Key),
    ["l/%C3%A9"],
  );
  const old = await s3.send(new sdk.ListObjectsCommand({ Bucket, Prefix: "l/", Marker: "l/d/3" }));
  assert.deepEqual(
    old.Contents?.map((object) => object.Key),
    ["l/d/4", "l/é"],
  );
});

test("DeleteObjects answers for each key", async () => {
  await put("m/1", "1");
  const out = await s3.send(
    new sdk.DeleteObjectsCommand({ Bucket, Delete: { Objects: [{ Key: "m/1" }, { Key: "m/2", VersionId: "bad" }] } }),
  );
  assert.equal(out.Deleted?.[0]?.DeleteMarker, true);
  assert.equal(out.Errors?.[0]?.Code, "NoSuchVersion");
});

test("multipart: parts, listing, complete, part reads, copy, abort", async () => {
  const Key = "mp";
  const { UploadId } = await s3.send(
    new sdk.CreateMultipartUploadCommand({ Bucket, Key, Metadata: { a: "b" }, ChecksumAlgorithm: "CRC32" }),
  );
  const big = Buffer.alloc(5 * 1024 * 1024, "x");
  const parts: sdk.CompletedPart[] = [];
  for (const [index, Body] of [big, Buffer.from("tail")].entries()) {
    const { ETag, ChecksumCRC32 } = await s3.send(
      new sdk.UploadPartCommand({ Bucket, Key, UploadId, PartNumber: index + 1, Body, ChecksumAlgorithm: "CRC32" }),
    );
    parts.push({ PartNumber: index + 1, ETag, ChecksumCRC32 });
  }
  const listed = await s3.send(new sdk.ListPartsCommand({ Bucket, Key, UploadId }));
  assert.deepEqual(
    listed.Parts?.map((part) => part.Size),
    [big.length, 4],
  );
  const uploads = await s3.send(new sdk.ListMultipartUploadsCommand({ Bucket }));
  assert.equal(uploads.Uploads?.[0]?.UploadId, UploadId);
  const done = await s3.send(
    new sdk.CompleteMultipartUploadCommand({ Bucket, Key, UploadId, MultipartUpload: { Parts: parts } }),
  );
  assert.match(done.ETag ?? "", /-2"$/);
  const tail = await s3.send(new sdk.GetObjectCommand({ Bucket, Key, PartNumber: 2 }));
  assert.equal(await text(tail), "tail");
  assert.equal(tail.PartsCount, 2);
  const attributes = await s3.send(
    new sdk.GetObjectAttributesCommand({
      Bucket,
      Key,
      ObjectAttributes: ["ETag", "ObjectSize", "ObjectParts", "Checksum"],
    }),
  );
  assert.equal(attributes.ObjectSize, big.length + 4);
  assert.equal(attributes.ObjectParts?.TotalPartsCount, 2);
  const copy = await s3.send(new sdk.CopyObjectCommand({ Bucket, Key: "copied", CopySource: `${Bucket}/${Key}` }));
  assert.doesNotMatch(copy.CopyObjectResult?.ETag ?? "", /-/);
  const again = await s3.send(new sdk.CreateMultipartUploadCommand({ Bucket, Key }));
  const range = { CopySource: `${Bucket}/${Key}`, CopySourceRange: "bytes=0-9" };
  await s3.send(new sdk.UploadPartCopyCommand({ Bucket, Key, UploadId: again.UploadId, PartNumber: 1, ...range }));
  await s3.send(new sdk.AbortMultipartUploadCommand({ Bucket, Key, UploadId: again.UploadId }));
  await assert.rejects(
    s3.send(new sdk.ListPartsCommand({ Bucket, Key, UploadId: again.UploadId })),
    fails("NoSuchUpload"),
  );
});

test("copy: onto itself needs a change, metadata can be replaced", async () => {
  await put("c", "1", { Metadata: { a: "1" } });
  const CopySource = `${Bucket}/c`;
  await assert.rejects(s3.send(new sdk.CopyObjectCommand({ Bucket, Key: "c", CopySource })), fails("InvalidRequest"));
  await s3.send(
    new sdk.CopyObjectCommand({ Bucket, Key: "c", CopySource, MetadataDirective: "REPLACE", Metadata: { b: "2" } }),
  );
  assert.deepEqual((await s3.send(new sdk.HeadObjectCommand({ Bucket, Key: "c" }))).Metadata, { b: "2" });
});

test("tags of objects and buckets", async () => {
  await put("t", "1");
  const TagSet = [{ Key: "k", Value: "v" }];
  await s3.send(new sdk.PutObjectTaggingCommand({ Bucket, Key: "t", Tagging: { TagSet } }));
  assert.deepEqual((await s3.send(new sdk.GetObjectTaggingCommand({ Bucket, Key: "t" }))).TagSet, TagSet);
  await s3.send(new sdk.DeleteObjectTaggingCommand({ Bucket, Key: "t" }));
  assert.deepEqual((await s3.send(new sdk.GetObjectTaggingCommand({ Bucket, Key: "t" }))).TagSet, []);
  await assert.rejects(s3.send(new sdk.GetBucketTaggingCommand({ Bucket })), fails("NoSuchTagSet"));
  await s3.send(new sdk.PutBucketTaggingCommand({ Bucket, Tagging: { TagSet } }));
  assert.deepEqual((await s3.send(new sdk.GetBucketTaggingCommand({ Bucket }))).TagSet, TagSet);
});

test("policy lets anonymous callers in, and keeps missing keys secret", async () => {
  await put("public/x", "open");
  const url = `${port.endpoint}/${Bucket}/public/x`;
  assert.equal((await fetch(url)).status, 403);
  const Policy = JSON.stringify({
    Version: "2012-10-17",
    Statement: [
      { Effect: "Allow", Principal: "*", Action: ["s3:GetObject"], Resource: [`arn:aws:s3:::${Bucket}/public/*`] },
    ],
  });
  await s3.send(new sdk.PutBucketPolicyCommand({ Bucket, Policy }));
  assert.equal(await (await fetch(url)).text(), "open");
  assert.equal((await fetch(`${port.endpoint}/${Bucket}/public/none`)).status, 403);
  assert.equal((await s3.send(new sdk.GetBucketPolicyStatusCommand({ Bucket }))).PolicyStatus?.IsPublic, true);
  await s3.send(new sdk.DeleteBucketPolicyCommand({ Bucket }));
  assert.equal((await fetch(url)).status, 403);
});

test("absent features say so", async () => {
  await assert.rejects(put("enc", "1", { ServerSideEncryption: "AES256" }), fails("NotImplemented"));
  await assert.rejects(
    s3.send(new sdk.GetBucketEncryptionCommand({ Bucket })),
    fails("ServerSideEncryptionConfigurationNotFoundError"),
  );
  await assert.rejects(s3.send(new sdk.GetBucketCorsCommand({ Bucket })), fails("NoSuchCORSConfiguration"));
});
