/** The AWS SDK for JavaScript, version 3. */
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { Readable } from "node:stream";
import * as sdk from "@aws-sdk/client-s3";
import type { Client, ClientSite, Step } from "./day.ts";
import { ODD_NAMES } from "./features.ts";
import { packageVersion } from "./packages.ts";

const MIB = 1024 * 1024;
const Bucket = "aws-sdk-day";
const PAGE_SIZE = 3;

const sha256 = (data: Uint8Array): string => createHash("sha256").update(data).digest("hex");

class Day {
  readonly site: ClientSite;
  readonly s3: sdk.S3Client;
  readonly large = randomBytes(11 * MIB);

  constructor(site: ClientSite) {
    this.site = site;
    this.s3 = new sdk.S3Client({
      endpoint: site.url,
      region: "us-east-1",
      forcePathStyle: true,
      credentials: { accessKeyId: site.accessKey, secretAccessKey: site.secretKey },
      maxAttempts: 1,
    });
  }

  put = (Key: string, Body: string | Readable, more: Partial<Omit<sdk.PutObjectCommandInput, "Body">> = {}) =>
    this.s3.send(new sdk.PutObjectCommand({ Bucket, Key, Body, ...more }));

  async read(Key: string, more: Partial<sdk.GetObjectCommandInput> = {}): Promise<Buffer> {
    const { Body } = await this.s3.send(new sdk.GetObjectCommand({ Bucket, Key, ...more }));
    return Buffer.from((await Body?.transformToByteArray()) ?? []);
  }

  async buckets(): Promise<void> {
    await this.s3.send(new sdk.CreateBucketCommand({ Bucket }));
    await this.s3.send(new sdk.HeadBucketCommand({ Bucket }));
    const { Buckets } = await this.s3.send(new sdk.ListBucketsCommand({}));
    assert.ok(Buckets?.some(({ Name }) => Name === Bucket));
    const missing = this.s3.send(new sdk.HeadBucketCommand({ Bucket: "no-such-bucket" }));
    await assert.rejects(missing, { name: "NotFound" });
  }

  async objects(): Promise<void> {
    await this.put("small", "hello");
    await this.put("empty", "");
    assert.equal((await this.read("small", { Range: "bytes=1-3" })).toString(), "ell");
    assert.equal((await this.read("empty")).length, 0);
    await assert.rejects(this.read("missing"), { name: "NoSuchKey" });
    // Of unknown checksum: it goes out in chunks with a trailer and comes back verified.
    const bytes = this.large.subarray(0, 3 * MIB);
    const stream = Readable.from([bytes.subarray(0, 7), bytes.subarray(7)]);
    const answer = await this.put("trailer", stream, { ContentLength: bytes.length });
    const got = await this.s3.send(new sdk.GetObjectCommand({ Bucket, Key: "trailer", ChecksumMode: "ENABLED" }));
    assert.ok(answer.ChecksumCRC32);
    assert.equal(got.ChecksumCRC32, answer.ChecksumCRC32);
    assert.equal(sha256((await got.Body?.transformToByteArray()) ?? Buffer.alloc(0)), sha256(bytes));
  }

  async multipart(): Promise<void> {
    const at = { Bucket, Key: "large" };
    const { UploadId } = await this.s3.send(new sdk.CreateMultipartUploadCommand(at));
    const pieces = [this.large.subarray(0, 6 * MIB), this.large.subarray(6 * MIB)];
    const Parts: sdk.CompletedPart[] = [];
    for (const [index, Body] of pieces.entries()) {
      const PartNumber = index + 1;
      const part = await this.s3.send(new sdk.UploadPartCommand({ ...at, UploadId, PartNumber, Body }));
      Parts.push({ PartNumber, ETag: part.ETag, ChecksumCRC32: part.ChecksumCRC32 });
    }
    await this.s3.send(new sdk.CompleteMultipartUploadCommand({ ...at, UploadId, MultipartUpload: { Parts } }));
    assert.equal(sha256(await this.read("large")), sha256(this.large));
    assert.equal(sha256(await this.read("large", { PartNumber: 2 })), sha256(this.large.subarray(6 * MIB)));
  }

  async oddNames(): Promise<void> {
    for (const name of ODD_NAMES) {
      await this.put(`odd/${name}`, name);
      assert.equal((await this.read(`odd/${name}`)).toString(), name);
    }
  }

  async listing(): Promise<void> {
    const found: string[] = [];
    const pages = sdk.paginateListObjectsV2({ client: this.s3, pageSize: PAGE_SIZE }, { Bucket, Prefix: "odd/" });
    for await (const page of pages) found.push(...(page.Contents ?? []).map(({ Key }) => (Key ?? "").slice(4)));
    assert.deepEqual(found.toSorted(), [...ODD_NAMES].toSorted());
    const top = await this.s3.send(new sdk.ListObjectsV2Command({ Bucket, Delimiter: "/" }));
    assert.deepEqual(top.CommonPrefixes, [{ Prefix: "odd/" }]);
  }

  async copy(): Promise<void> {
    const CopySource = encodeURI(`${Bucket}/odd/${ODD_NAMES[2] ?? ""}`);
    await this.s3.send(new sdk.CopyObjectCommand({ Bucket, Key: "copied", CopySource }));
    assert.equal((await this.read("copied")).toString(), ODD_NAMES[2]);
  }

  async metadata(): Promise<void> {
    await this.put("marked", "x", { ContentType: "text/x", Metadata: { colour: "red" }, Tagging: "a=1&b=two%20words" });
    const head = await this.s3.send(new sdk.HeadObjectCommand({ Bucket, Key: "marked" }));
    assert.deepEqual([head.ContentType, head.Metadata], ["text/x", { colour: "red" }]);
    const { TagSet } = await this.s3.send(new sdk.GetObjectTaggingCommand({ Bucket, Key: "marked" }));
    assert.deepEqual(TagSet?.map(({ Key, Value }) => `${Key}=${Value}`).toSorted(), ["a=1", "b=two words"]);
    const ObjectAttributes: sdk.ObjectAttributes[] = ["ETag", "ObjectSize", "ObjectParts"];
    const attributes = await this.s3.send(
      new sdk.GetObjectAttributesCommand({ Bucket, Key: "large", ObjectAttributes }),
    );
    assert.deepEqual([attributes.ObjectSize, attributes.ObjectParts?.TotalPartsCount], [this.large.length, 2]);
  }

  async versions(): Promise<void> {
    const VersioningConfiguration = { Status: "Enabled" } as const;
    await this.s3.send(new sdk.PutBucketVersioningCommand({ Bucket, VersioningConfiguration }));
    const first = await this.put("history", "one");
    await this.put("history", "two");
    const removed = await this.s3.send(new sdk.DeleteObjectCommand({ Bucket, Key: "history" }));
    assert.equal(removed.DeleteMarker, true);
    await assert.rejects(this.read("history"), { name: "NoSuchKey" });
    assert.equal((await this.read("history", { VersionId: first.VersionId })).toString(), "one");
    const listed = await this.s3.send(new sdk.ListObjectVersionsCommand({ Bucket, Prefix: "history" }));
    assert.deepEqual([listed.Versions?.length, listed.DeleteMarkers?.length], [2, 1]);
  }

  async policy(): Promise<void> {
    const url = `${this.site.url}/${Bucket}/small`;
    const statement = {
      Effect: "Allow",
      Principal: "*",
      Action: "s3:GetObject",
      Resource: `arn:aws:s3:::${Bucket}/small`,
    };
    const Policy = JSON.stringify({ Version: "2012-10-17", Statement: [statement] });
    await this.s3.send(new sdk.PutBucketPolicyCommand({ Bucket, Policy }));
    assert.equal((await fetch(url)).status, 200);
    await this.s3.send(new sdk.DeleteBucketPolicyCommand({ Bucket }));
    assert.equal((await fetch(url)).status, 403);
  }

  async delete(): Promise<void> {
    const full = this.s3.send(new sdk.DeleteBucketCommand({ Bucket }));
    await assert.rejects(full, { name: "BucketNotEmpty" });
    const { Versions = [], DeleteMarkers = [] } = await this.s3.send(new sdk.ListObjectVersionsCommand({ Bucket }));
    const Objects = [...Versions, ...DeleteMarkers].map(({ Key, VersionId }) => ({ Key, VersionId }));
    const { Errors = [] } = await this.s3.send(new sdk.DeleteObjectsCommand({ Bucket, Delete: { Objects } }));
    assert.deepEqual(Errors, []);
    await this.s3.send(new sdk.DeleteBucketCommand({ Bucket }));
    this.s3.destroy();
  }
}

export function awsSdkClient(): Client {
  return {
    name: "AWS SDK v3 (npm)",
    install: "npm install @aws-sdk/client-s3",
    remarks: "`endpoint`, `forcePathStyle: true`, any region",
    version: async () => packageVersion("@aws-sdk/client-s3"),
    day(site): readonly Step[] {
      const day = new Day(site);
      return [
        { feature: "buckets", run: () => day.buckets() },
        { feature: "objects", run: () => day.objects() },
        { feature: "multipart", run: () => day.multipart() },
        { feature: "odd names", run: () => day.oddNames() },
        { feature: "listing", run: () => day.listing() },
        { feature: "copy", run: () => day.copy() },
        { feature: "metadata", run: () => day.metadata() },
        { feature: "versions", run: () => day.versions() },
        { feature: "policy", run: () => day.policy() },
        { feature: "delete", run: () => day.delete() },
      ];
    },
  };
}
