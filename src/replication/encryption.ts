/**
 * Encrypted versions on their way: they travel in plain, over TLS, and the target encrypts them with its own key
 * (replication.md 3.10). What can not go is refused with its reason, and what would fail is found before anything is sent.
 */
import { keyNameOf, type ObjectEncryption } from "../model/encryption.ts";
import { hasCode, StoreError } from "../model/errors.ts";
import type { BucketName } from "../model/names.ts";
import type { ObjectVersion } from "../model/version.ts";
import type { Objects } from "../objects/objects.ts";
import { REPLICA, REPLICATION_STATUS, SOURCE_REPLICATION_CHECK } from "../protocol/replication-headers.ts";
import { encryptionHeaders, sourceHeaders } from "./headers.ts";
import { ask, unreachableTarget } from "./target-checks.ts";
import { errorOf, type SendOutcome, type TargetClient } from "./wire.ts";

/** Where a target is, as far as secrets are concerned. */
export interface Carrier {
  /** Its connection may carry what is encrypted at rest. */
  readonly carriesSecrets: boolean;
}

/** `host:port` is this machine: nobody listens in between. */
function isLoopback(endpoint: string): boolean {
  const host = endpoint.replace(/:\d+$/, "");
  return host === "localhost" || host === "[::1]" || /^127(\.\d{1,3}){3}$/.test(host);
}

/** TLS, this machine, or an operator who said that the network is safe. */
export function carriesSecrets(target: { endpoint: string; secure: boolean }, allowed: boolean): boolean {
  return target.secure || allowed || target.endpoint.split(",").every(isLoopback);
}

const CODE = "XResilverNotReplicable";
const PLAIN_TARGET =
  "the version is encrypted and the target is reached over plain HTTP: use https, " +
  "or allow it with RESILVER_REPLICATE_ENCRYPTED_OVER_HTTP=on";
const CUSTOMER_KEY = "the version is encrypted with a client's key (SSE-C), which only the client has";

/** Why an encrypted version is not sent; undefined: it is. */
export function refusalOf({ encryption }: ObjectVersion, target: Carrier): SendOutcome | undefined {
  if (encryption === undefined) return undefined;
  if (encryption.kind === "SSE-C") return { kind: "refused", code: CODE, reason: CUSTOMER_KEY };
  return target.carriesSecrets ? undefined : { kind: "refused", code: CODE, reason: PLAIN_TARGET };
}

type Asked = Pick<ObjectEncryption, "kind" | "keyId">;

const labelOf = ({ kind, keyId }: Asked): string =>
  kind === "SSE-KMS" ? `SSE-KMS with the key "${keyId ?? ""}"` : kind;

/** The ways in which a bucket's versions are encrypted, and would be by default. SSE-C is left out: it is never sent. */
async function waysOf(objects: Objects, bucketName: BucketName): Promise<Asked[]> {
  const bucket = await objects.bucket(bucketName);
  const ways = new Map<string, Asked>();
  const add = (way: Asked): void => void ways.set(labelOf(way), way);
  for (const way of await objects.encryptedWith(bucket)) if (way.kind !== "SSE-C") add(way);
  const { encryption } = bucket;
  if (encryption?.kind === "SSE-S3") add({ kind: "SSE-S3" });
  else if (encryption?.keyId !== undefined) add({ kind: "SSE-KMS", keyId: keyNameOf(encryption.keyId) });
  return [...ways.values()];
}

/**
 * Finds what would fail for every encrypted version of a bucket: a key that this site lacks, a connection that must not
 * carry them, a key that the target lacks. Throws InvalidRequest with the reason, and what the key ring throws.
 */
export async function checkEncryption(
  objects: Objects,
  bucketName: BucketName,
  target: Carrier & { client: TargetClient },
  nowNs: bigint,
): Promise<void> {
  for (const way of await waysOf(objects, bucketName)) {
    await checkHere(objects, bucketName, way);
    if (!target.carriesSecrets) {
      throw new StoreError("InvalidRequest", { bucket: bucketName, message: `${bucketName}: ${PLAIN_TARGET}` });
    }
    await checkThere(bucketName, target.client, way, nowNs);
  }
}

async function checkHere(objects: Objects, bucket: BucketName, way: Asked): Promise<void> {
  try {
    await objects.checkEncryptionKey(way.keyId);
  } catch (error) {
    if (!hasCode(error, "NotImplemented", "KMS.NotFoundException", "KMS.InvalidCiphertextException")) throw error;
    const message = `${bucket} has versions encrypted by ${labelOf(way)}, and this site cannot open them: ${error.message}`;
    throw new StoreError("InvalidRequest", { bucket, message });
  }
}

/** A dry run of replication.md 2.5 that asks for the encryption: a target of ours looks for the key before it refuses. */
async function checkThere(bucket: BucketName, client: TargetClient, way: Asked, nowNs: bigint): Promise<void> {
  const body = Buffer.from("aaaaaaaa");
  const answer = await ask(client, {
    method: "PUT",
    key: "resilver/encryption-check",
    headers: {
      ...sourceHeaders({}, nowNs),
      ...encryptionHeaders(way),
      [REPLICATION_STATUS]: REPLICA,
      [SOURCE_REPLICATION_CHECK]: "true",
    },
    body,
    contentLength: body.length,
    payload: "hashed",
  });
  const { code, message } = errorOf(answer);
  const lacks = answer.status === 501 || code === "kms:KeyNotFound" || code.startsWith("KMS.");
  // An overloaded target did not look for its key.
  if (!lacks && (answer.status >= 500 || answer.status === 429)) throw unreachableTarget(`${code} ${message}`);
  if (!lacks) return;
  throw new StoreError("InvalidRequest", {
    bucket,
    message: `The target cannot encrypt what ${bucket} holds by ${labelOf(way)}: ${code} (${message})`,
  });
}
