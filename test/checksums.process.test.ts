/** The five checksums in every form that clients send them, on the site that took them and on the one they replicate to. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { Readable } from "node:stream";
import { after, before, describe, test } from "node:test";
import * as sdk from "@aws-sdk/client-s3";
import { checksumOf, compositeChecksum } from "../src/model/checksum.ts";
import { CHECKSUM_ALGORITHMS, type ChecksumAlgorithm } from "../src/model/version.ts";
import { awsClient } from "./support/clients.ts";
import { cleanUp } from "./support/server.ts";
import { explainDifference, setRule, Site, until } from "./support/site.ts";

const Bucket = "sums";
const MIB = 1024 * 1024;
const WAIT_MS = 30_000;

type Field = `Checksum${ChecksumAlgorithm}`;
const field = (algorithm: ChecksumAlgorithm): Field => `Checksum${algorithm}`;

describe("checksums", { timeout: 120_000 }, () => {
  let a: Site;
  let b: Site;
  let s3: sdk.S3Client;
  let far: sdk.S3Client;

  before(async () => {
    [a, b] = await Promise.all([Site.start(), Site.start()]);
    await Promise.all([a.makeBucket(Bucket), b.makeBucket(Bucket)]);
    await setRule(a, b, Bucket);
    s3 = awsClient(a.server);
    far = awsClient(b.server);
  });

  after(async () => {
    s3?.destroy();
    far?.destroy();
    await Promise.all([a?.close(), b?.close()]);
    await cleanUp();
  });

  const head = (client: sdk.S3Client, Key: string, PartNumber?: number) =>
    client.send(new sdk.HeadObjectCommand({ Bucket, Key, ChecksumMode: "ENABLED", PartNumber }));
  const attributes = async (client: sdk.S3Client, Key: string) => {
    const wanted: sdk.ObjectAttributes[] = ["Checksum", "ObjectParts", "ObjectSize", "ETag"];
    const answer = await client.send(new sdk.GetObjectAttributesCommand({ Bucket, Key, ObjectAttributes: wanted }));
    return { ...answer, $metadata: undefined, LastModified: undefined };
  };

  /** All versions of A are at B, and the two say the same of the checksums of these keys. */
  async function sameAtBoth(keys: readonly string[]): Promise<void> {
    const equal = async () => JSON.stringify(await a.lines(Bucket)) === JSON.stringify(await b.lines(Bucket));
    await until(equal, WAIT_MS, () => explainDifference(a, b, Bucket));
    for (const key of keys) {
      assert.deepEqual(await attributes(far, key), await attributes(s3, key), key);
      const [near, there] = [await head(s3, key), await head(far, key)];
      for (const algorithm of CHECKSUM_ALGORITHMS) assert.equal(there[field(algorithm)], near[field(algorithm)], key);
      assert.equal(there.ChecksumType, near.ChecksumType, key);
    }
  }

  test("one PUT: in a header, in a trailer, wrong in either", async () => {
    const body = randomBytes(70_000);
    const keys: string[] = [];
    for (const algorithm of CHECKSUM_ALGORITHMS) {
      const sum = checksumOf(algorithm, body);
      const given = { Bucket, Key: `header-${algorithm}`, Body: body, [field(algorithm)]: sum };
      assert.equal((await s3.send(new sdk.PutObjectCommand(given)))[field(algorithm)], sum);
      const wrong = {
        ...given,
        Key: `wrong-${algorithm}`,
        [field(algorithm)]: checksumOf(algorithm, Buffer.from("x")),
      };
      await assert.rejects(s3.send(new sdk.PutObjectCommand(wrong)), /BadDigest|did not match/);
      keys.push(given.Key);
      // The SDK streams with a trailer what it cannot read twice; it computes these two itself.
      if (algorithm !== "CRC32" && algorithm !== "SHA256") continue;
      const streamed = { Bucket, Key: `trailer-${algorithm}`, Body: Readable.from([body]), ContentLength: body.length };
      await s3.send(new sdk.PutObjectCommand({ ...streamed, ChecksumAlgorithm: algorithm }));
      keys.push(streamed.Key);
    }
    for (const key of keys) {
      const algorithm = key.slice(key.indexOf("-") + 1) as ChecksumAlgorithm;
      const seen = await head(s3, key);
      assert.deepEqual([seen[field(algorithm)], seen.ChecksumType], [checksumOf(algorithm, body), "FULL_OBJECT"], key);
    }
    await sameAtBoth(keys);
  });

  interface Kind {
    readonly algorithm: ChecksumAlgorithm;
    readonly type: "COMPOSITE" | "FULL_OBJECT";
  }
  const KINDS: readonly Kind[] = [
    ...(["CRC32", "CRC32C", "SHA1", "SHA256"] as const).map((algorithm) => ({ algorithm, type: "COMPOSITE" as const })),
    ...(["CRC32", "CRC32C", "CRC64NVME"] as const).map((algorithm) => ({ algorithm, type: "FULL_OBJECT" as const })),
  ];

  test("uploads in parts: composite and of the full object, a part at a time, and copied", async () => {
    const parts = [randomBytes(5 * MIB), randomBytes(5 * MIB + 1), randomBytes(7)];
    const whole = Buffer.concat(parts);
    const keys: string[] = [];
    for (const kind of KINDS) {
      const { algorithm, type } = kind;
      const Key = `parts-${algorithm}-${type}`;
      keys.push(Key);
      const completed = await upload(Key, kind, parts);
      const sums = parts.map((part) => checksumOf(algorithm, part));
      const composite = `${compositeChecksum(algorithm, sums)}-${parts.length}`;
      const expected = type === "COMPOSITE" ? composite : checksumOf(algorithm, whole);
      assert.equal(completed[field(algorithm)], expected, Key);
      const seen = await head(s3, Key);
      assert.deepEqual([seen[field(algorithm)], seen.ChecksumType], [expected, type], Key);
      assert.equal((await head(s3, Key, 2))[field(algorithm)], sums[1], Key);
      const CopySource = `${Bucket}/${Key}`;
      await s3.send(new sdk.CopyObjectCommand({ Bucket, Key: `copy-${Key}`, CopySource }));
      const copied = await head(s3, `copy-${Key}`);
      assert.deepEqual(
        [copied[field(algorithm)], copied.ChecksumType],
        [checksumOf(algorithm, whole), "FULL_OBJECT"],
        `copy of ${Key}`,
      );
      keys.push(`copy-${Key}`);
    }
    await sameAtBoth(keys);
  });

  async function upload(
    Key: string,
    kind: Kind,
    parts: readonly Buffer[],
  ): Promise<sdk.CompleteMultipartUploadCommandOutput> {
    const { algorithm, type } = kind;
    const created = await s3.send(
      new sdk.CreateMultipartUploadCommand({ Bucket, Key, ChecksumAlgorithm: algorithm, ChecksumType: type }),
    );
    assert.deepEqual([created.ChecksumAlgorithm, created.ChecksumType], [algorithm, type]);
    const { UploadId } = created;
    const Parts: sdk.CompletedPart[] = [];
    for (const [i, Body] of parts.entries()) {
      const at = { Bucket, Key, UploadId, PartNumber: i + 1, Body };
      const sum = checksumOf(algorithm, Body);
      const wrong = { ...at, [field(algorithm)]: checksumOf(algorithm, Buffer.from("x")) };
      if (i === 0) await assert.rejects(s3.send(new sdk.UploadPartCommand(wrong)), /BadDigest|did not match/);
      const { ETag } = await s3.send(new sdk.UploadPartCommand({ ...at, [field(algorithm)]: sum }));
      Parts.push({ PartNumber: i + 1, ETag, [field(algorithm)]: sum });
    }
    const whole = type === "FULL_OBJECT" ? { [field(algorithm)]: checksumOf(algorithm, Buffer.concat(parts)) } : {};
    const last = Parts.at(-1) ?? {};
    const bad = [...Parts.slice(0, -1), { ...last, [field(algorithm)]: checksumOf(algorithm, Buffer.from("x")) }];
    const complete = (list: sdk.CompletedPart[], more: object) =>
      s3.send(
        new sdk.CompleteMultipartUploadCommand({ Bucket, Key, UploadId, MultipartUpload: { Parts: list }, ...more }),
      );
    await assert.rejects(complete(bad, whole), /InvalidPart|could not be found|BadDigest/);
    if (type === "FULL_OBJECT") {
      const other = { [field(algorithm)]: checksumOf(algorithm, Buffer.from("x")) };
      await assert.rejects(complete(Parts, other), /BadDigest|did not match/);
    }
    return complete(Parts, { ...whole, ChecksumType: type });
  }

  test("parts copied from other objects have the checksums of the upload", async () => {
    const bytes = randomBytes(6 * MIB);
    await s3.send(new sdk.PutObjectCommand({ Bucket, Key: "source", Body: bytes, ChecksumAlgorithm: "SHA256" }));
    const Key = "from-copies";
    const { UploadId } = await s3.send(
      new sdk.CreateMultipartUploadCommand({ Bucket, Key, ChecksumAlgorithm: "CRC64NVME" }),
    );
    const ranges = [`bytes=0-${5 * MIB - 1}`, `bytes=${5 * MIB}-${6 * MIB - 1}`];
    const Parts: sdk.CompletedPart[] = [];
    for (const [i, CopySourceRange] of ranges.entries()) {
      const at = { Bucket, Key, UploadId, PartNumber: i + 1, CopySource: `${Bucket}/source`, CopySourceRange };
      const { CopyPartResult } = await s3.send(new sdk.UploadPartCopyCommand(at));
      const slice = i === 0 ? bytes.subarray(0, 5 * MIB) : bytes.subarray(5 * MIB);
      assert.equal(CopyPartResult?.ChecksumCRC64NVME, checksumOf("CRC64NVME", slice));
      Parts.push({
        PartNumber: i + 1,
        ETag: CopyPartResult?.ETag,
        ChecksumCRC64NVME: CopyPartResult?.ChecksumCRC64NVME,
      });
    }
    await s3.send(new sdk.CompleteMultipartUploadCommand({ Bucket, Key, UploadId, MultipartUpload: { Parts } }));
    assert.equal((await head(s3, Key)).ChecksumCRC64NVME, checksumOf("CRC64NVME", bytes));
    await sameAtBoth([Key, "source"]);
  });

  test("a copy can ask for another checksum, and gets CRC64NVME when its source has none", async () => {
    const body = randomBytes(50_000);
    await a.text("PUT", Bucket, { key: "bare", body });
    assert.equal((await head(s3, "bare")).ChecksumType, undefined);
    const copy = (Key: string, more: object) =>
      s3.send(new sdk.CopyObjectCommand({ Bucket, Key, CopySource: `${Bucket}/bare`, ...more }));
    await copy("bare-copy", {});
    assert.equal((await head(s3, "bare-copy")).ChecksumCRC64NVME, checksumOf("CRC64NVME", body));
    await copy("asked-copy", { ChecksumAlgorithm: "SHA1" });
    assert.equal((await head(s3, "asked-copy")).ChecksumSHA1, checksumOf("SHA1", body));
    await sameAtBoth(["bare", "bare-copy", "asked-copy"]);
  });
});
