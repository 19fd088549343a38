/**
 * A version as two hashes that are the same wherever the version is the same: what it is, and that together with what a
 * client can see beside it. Nothing of one site only is in them: neither replication status nor where the bytes lie, how
 * they are encrypted or that they are damaged.
 */
import { hash } from "node:crypto";
import type { DeleteMarker, ObjectVersion, Register } from "./version.ts";

/** Raised when what is hashed changes: digests of another number are built anew. */
export const FINGERPRINT_FORMAT = 1;

/** What of a version is hashed. */
export type HashedMarker = Pick<DeleteMarker, "kind" | "key" | "versionId" | "mtime">;
export type HashedObject = Pick<
  ObjectVersion,
  | "kind"
  | "key"
  | "versionId"
  | "mtime"
  | "size"
  | "etag"
  | "headers"
  | "userMetadata"
  | "tags"
  | "retention"
  | "legalHold"
>;

export interface Fingerprint {
  /** SHA-256 over kind, key, version id, time, size and ETag. */
  readonly identity: Buffer;
  /** SHA-256 over the same and headers, user metadata, tags, retention and legal hold, with the times of these three. */
  readonly state: Buffer;
}

export function fingerprint(version: HashedMarker | HashedObject): Fingerprint {
  const { kind, key, versionId, mtime } = version;
  const what = `${kind}\0${key}\0${versionId}\0${mtime}`;
  // NUL ends each field: neither keys nor header values hold one.
  const identity = kind === "object" ? `${what}\0${version.size}\0${version.etag}` : what;
  return { identity: sha256(identity), state: sha256(`${identity}\0${stateText(version)}`) };
}

const sha256 = (text: string): Buffer => hash("sha256", text, "buffer");

function stateText(version: HashedMarker | HashedObject): string {
  if (version.kind === "delete-marker") return "";
  const { headers, userMetadata, tags, retention, legalHold } = version;
  const lock = retention?.value ?? undefined;
  return JSON.stringify([
    sorted(headers),
    sorted(userMetadata),
    sorted(tags?.value ?? {}),
    timeOf(tags),
    lock === undefined ? null : [lock.mode, lock.until],
    timeOf(retention),
    legalHold?.value ?? false,
    timeOf(legalHold),
  ]);
}

const timeOf = (register: Register<unknown> | undefined): string => String(register?.time ?? 0n);

/** Code units suffice for the order: it only has to be the same everywhere. */
function sorted(members: Readonly<Record<string, string>>): [string, string][] {
  const entries = Object.entries(members);
  return entries.length < 2 ? entries : entries.sort(([a], [b]) => (a < b ? -1 : 1));
}
