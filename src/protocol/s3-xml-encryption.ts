/** ServerSideEncryptionConfiguration of a bucket (s3-api.md 13.4). */
import type { BucketEncryption } from "../model/encryption.ts";
import { StoreError } from "../model/errors.ts";
import { document, optionalTag, parseXmlRoot, tag, wrap } from "./xml.ts";

function malformed(message: string): StoreError {
  return new StoreError("MalformedXML", { message });
}

/** MalformedXML unless there is exactly one rule with one algorithm, and a key id with `aws:kms` only. */
export function parseBucketEncryption(body: Buffer): BucketEncryption {
  const rules = parseXmlRoot(body, "ServerSideEncryptionConfiguration").all("Rule");
  const [rule] = rules;
  if (rule === undefined || rules.length > 1) throw malformed("Exactly one rule of encryption is needed.");
  const defaults = rule.child("ApplyServerSideEncryptionByDefault");
  const algorithm = defaults?.value("SSEAlgorithm")?.trim();
  const keyId = defaults?.value("KMSMasterKeyID")?.trim() || undefined;
  if (algorithm === "aws:kms") return { kind: "SSE-KMS", keyId };
  if (algorithm !== "AES256") throw malformed("The algorithm must be AES256 or aws:kms.");
  if (keyId !== undefined) throw malformed("AES256 has no key id.");
  return { kind: "SSE-S3" };
}

export function renderBucketEncryption(encryption: BucketEncryption): string {
  const algorithm = tag("SSEAlgorithm", encryption.kind === "SSE-S3" ? "AES256" : "aws:kms");
  const defaults = wrap(
    "ApplyServerSideEncryptionByDefault",
    algorithm + optionalTag("KMSMasterKeyID", encryption.keyId),
  );
  return document("ServerSideEncryptionConfiguration", wrap("Rule", defaults));
}
