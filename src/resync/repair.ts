/**
 * Brings the bytes of one damaged version back from a peer that a rule names: everything else of it is in the index.
 * The version stays what it was: its time, metadata, tags, locks and replication state do not change.
 */
import type { Bucket } from "../model/bucket.ts";
import type { EncryptionRequest } from "../model/encryption.ts";
import { StoreError } from "../model/errors.ts";
import type { ObjectVersion, Part } from "../model/version.ts";
import type { Objects } from "../objects/objects.ts";
import type { IncomingBody, ObjectAttributesInput, ReplicaSource, UploadSelector } from "../objects/types.ts";
import { TAGGING_DIRECTIVE } from "../protocol/replication-headers.ts";
import { limited, type Limiter } from "../replication/bandwidth.ts";
import { compareObject, remoteOfHead } from "../replication/compare.ts";
import type { Peer } from "../replication/peer-reads.ts";
import type { OpenResponse } from "../replication/wire.ts";

export type RepairOutcome =
  | "repaired"
  /** No rule names a peer that answers. */
  | "no peer"
  /** No peer has this version with its bytes. */
  | "not there"
  /** Only clients have the key that it is encrypted with. */
  | "customer key"
  /** What came was not what was lost. */
  | "failed";

export interface RepairDeps {
  readonly objects: Objects;
  readonly peersFor: (bucket: Bucket, key: string) => Promise<readonly Peer[]>;
  readonly limiter?: Limiter | undefined;
  readonly warn: (message: string, error: unknown) => void;
}

/** `version` is marked damaged. Never rejects for what a peer does. */
export async function repairVersion(deps: RepairDeps, bucket: Bucket, version: ObjectVersion): Promise<RepairOutcome> {
  if (version.encryption?.kind === "SSE-C") return "customer key";
  const peers = await deps.peersFor(bucket, version.key);
  // What is encrypted here travels in plain.
  const fit = version.encryption === undefined ? peers : peers.filter(({ carriesSecrets }) => carriesSecrets);
  let outcome: RepairOutcome = fit.length === 0 ? "no peer" : "not there";
  for (const peer of fit) {
    try {
      const { parts } = await deps.objects.find(selectorOf(bucket, version));
      const came = await (parts.length > 0
        ? pullParts(deps, bucket, version, { peer, parts })
        : pullWhole(deps, bucket, version, peer));
      if (came) return "repaired";
    } catch (error) {
      // Removed, replaced or mended meanwhile: then nothing is lost.
      if (error instanceof StoreError && GONE.has(error.code)) return "repaired";
      deps.warn(`${bucket.name}/${version.key} could not be repaired from a peer`, error);
      outcome = "failed";
    }
  }
  return outcome;
}

/** PreconditionFailed: another write brought its bytes, or a null version took its place. */
const GONE: ReadonlySet<string> = new Set([
  "NoSuchBucket",
  "NoSuchKey",
  "NoSuchVersion",
  "MethodNotAllowed",
  "PreconditionFailed",
]);

const selectorOf = (bucket: Bucket, { key, versionId }: ObjectVersion) => ({ bucket: bucket.name, key, versionId });

/** Bytes [start, end) at the peer, if it holds this very version; undefined: it does not. */
async function ask(
  peer: Peer,
  version: ObjectVersion,
  range?: { start: number; end: number },
): Promise<OpenResponse | undefined> {
  const answer = await peer.ask({
    method: "GET",
    key: version.key,
    query: { versionId: version.versionId },
    headers: {
      [TAGGING_DIRECTIVE]: "ACCESS",
      ...(range === undefined ? {} : { range: `bytes=${range.start}-${range.end - 1}` }),
    },
  });
  if (answer === undefined) return undefined;
  const whole = String(version.size);
  const headers = { ...answer.headers, "content-length": whole };
  const remote = answer.status === 200 || answer.status === 206 ? remoteOfHead({ headers, ...NO_BODY }) : undefined;
  const told = range === undefined ? answer.headers["content-length"] : answer.headers["content-range"]?.split("/")[1];
  const found = remote === undefined ? "content" : compareObject(version, remote).kind;
  if (told === whole && found !== "content" && found !== "newerThere") return answer;
  await answer.discard();
  return undefined;
}

const NO_BODY = { status: 200, body: Buffer.alloc(0) } as const;

const sourceOf = (version: ObjectVersion): ReplicaSource => ({
  replica: version.replication.replica === true,
  mtime: version.mtime,
  etag: version.etag,
  repairs: true,
});

/** Registers are left out: the row keeps its own. */
const attributesOf = ({ headers, userMetadata, storageClass }: ObjectVersion): ObjectAttributesInput => ({
  headers,
  userMetadata,
  storageClass,
});

function encryptionOf({ encryption }: ObjectVersion): EncryptionRequest | undefined {
  if (encryption === undefined || encryption.kind === "SSE-C") return undefined;
  if (encryption.kind === "SSE-S3") return { kind: "SSE-S3" };
  return { kind: "SSE-KMS", keyId: encryption.keyId, context: encryption.context };
}

const MD5 = /^[0-9a-f]{32}$/;

/** What arrives must be what was lost: by its MD5 where the ETag is one, by its checksum where it has one. */
function bodyOf(
  deps: RepairDeps,
  stream: AsyncIterable<Buffer>,
  expected: { size: number; etag: string; checksum?: string | undefined; hidden: boolean; version: ObjectVersion },
): IncomingBody {
  const { size, etag, checksum, hidden, version } = expected;
  return {
    stream: limited(stream, deps.limiter),
    size,
    ...(!hidden && MD5.test(etag) ? { md5: etag } : {}),
    checksumAlgorithm: version.checksum?.algorithm,
    expectedChecksum: checksum === undefined ? undefined : () => checksum,
  };
}

const hidesMd5 = ({ encryption }: ObjectVersion): boolean => encryption !== undefined && encryption.kind !== "SSE-S3";

async function pullWhole(deps: RepairDeps, bucket: Bucket, version: ObjectVersion, peer: Peer): Promise<boolean> {
  const answer = await ask(peer, version);
  if (answer === undefined) return false;
  const { size, etag, checksum } = version;
  const expected = { size, etag, checksum: checksum?.value, hidden: hidesMd5(version), version };
  await deps.objects.put({
    ...selectorOf(bucket, version),
    attributes: attributesOf(version),
    body: bodyOf(deps, answer.stream, expected),
    source: sourceOf(version),
    encryption: encryptionOf(version),
  });
  return true;
}

/** As an upload with the same parts, so that part numbers and ETags stay. */
async function pullParts(
  deps: RepairDeps,
  bucket: Bucket,
  version: ObjectVersion,
  from: { readonly peer: Peer; readonly parts: readonly Part[] },
): Promise<boolean> {
  const { objects } = deps;
  const { versionId, ...at } = selectorOf(bucket, version);
  const { checksum } = version;
  const upload = await objects.createUpload({
    ...at,
    versionId,
    attributes: attributesOf(version),
    checksumAlgorithm: checksum?.algorithm,
    checksumType: checksum?.type,
    source: sourceOf(version),
    initiator: "repair",
    encryption: encryptionOf(version),
  });
  const selector: UploadSelector = { ...at, uploadId: upload.uploadId };
  try {
    const stored = [];
    let start = 0;
    for (const part of from.parts) {
      const end = start + part.size;
      const answer = await ask(from.peer, version, part.size === 0 ? undefined : { start, end });
      if (answer === undefined) return false;
      const expected = {
        size: part.size,
        etag: part.etag,
        checksum: part.checksum,
        hidden: hidesMd5(version),
        version,
      };
      stored.push(await objects.putPart(selector, part.number, bodyOf(deps, answer.stream, expected)));
      start = end;
    }
    const parts = stored.map(({ number, etag }) => ({ number, etag }));
    await objects.completeUpload({ ...selector, parts, source: sourceOf(version) });
    return true;
  } finally {
    // After a completion there is none, and that is fine.
    await objects.abortUpload(selector).catch(() => undefined);
  }
}
