/** Default encryption of buckets, from the client's side. */
import type { BucketEncryption } from "../model/encryption.ts";
import { parseBucketEncryption, renderBucketEncryption } from "../protocol/s3-xml-encryption.ts";
import { S3ResponseError } from "./errors.ts";
import type { S3Client } from "./s3-client.ts";

interface BucketCall {
  readonly bucket: string;
  readonly signal?: AbortSignal | undefined;
}

/** Undefined when the bucket has none. */
export async function getBucketEncryption(client: S3Client, name: BucketCall): Promise<BucketEncryption | undefined> {
  try {
    const answer = await client.send({ method: "GET", ...name, query: { encryption: "" } });
    return parseBucketEncryption(await answer.bytes());
  } catch (error) {
    const none = "ServerSideEncryptionConfigurationNotFoundError";
    if (error instanceof S3ResponseError && error.code === none) return undefined;
    throw error;
  }
}

export async function putBucketEncryption(
  client: S3Client,
  name: BucketCall,
  encryption: BucketEncryption,
): Promise<void> {
  const body = Buffer.from(renderBucketEncryption(encryption));
  await (await client.send({ method: "PUT", ...name, query: { encryption: "" }, body })).discard();
}

export async function deleteBucketEncryption(client: S3Client, name: BucketCall): Promise<void> {
  await (await client.send({ method: "DELETE", ...name, query: { encryption: "" } })).discard();
}
