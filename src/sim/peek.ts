/** What a site holds, read past its processes: for oracles, which must neither wait nor be counted. */
import type { Bucket } from "../model/bucket.ts";
import type { Arn, VersionId } from "../model/names.ts";
import type { BlobRef, Part, Tombstone, Version } from "../model/version.ts";
import { openSeal } from "../objects/encryption.ts";
import type { LogRow } from "../objects/types.ts";
import type { TargetRecord } from "../replication/target-record.ts";
import { openBlobStore } from "../storage/blobs/store.ts";
import type { BlobStore } from "../storage/blobs/blobs.ts";
import { blobKeyOf, plainSize } from "../storage/blobs/seal.ts";
import { openEmbeddedRing } from "../storage/keyring/embedded.ts";
import { memoryIndex } from "../storage/index/memory.ts";
import type { Entry } from "../storage/index/index.ts";
import * as keys from "../storage/keys.ts";
import { decodeRow, decodeTombstone, decodeVersion } from "../storage/records.ts";
import { simRandom, Dice } from "./random.ts";
import { BUCKET, keysOf, type Site } from "./site.ts";

export const DIRECTORY = "/data";

/** Name of a version within the bucket. */
export const idOf = (version: { readonly key: string; readonly versionId: string }): string =>
  `${version.key} ${version.versionId}`;

export interface Held {
  readonly version: Version;
  readonly parts: readonly Part[];
}

export async function bucketOf(site: Site): Promise<Bucket | undefined> {
  const raw = await site.storage.index.get(keys.bucketRowKey(BUCKET));
  return raw === undefined ? undefined : decodeRow<Bucket>(raw);
}

const space = (site: Site, byte: number): Promise<Entry[]> => site.storage.rows(keys.prefixRange(Buffer.from([byte])));

/** Every version row of the site, by `idOf`. */
export async function heldBy(site: Site): Promise<Map<string, Held>> {
  const out = new Map<string, Held>();
  const parts = new Map(
    (await space(site, keys.SPACE.parts)).map(({ key, value }) => [
      idOf(keys.splitIdRowKey(key)),
      decodeRow<{ parts: Part[] }>(value).parts,
    ]),
  );
  for (const { value } of await space(site, keys.SPACE.version)) {
    const version = decodeVersion(value);
    out.set(idOf(version), { version, parts: parts.get(idOf(version)) ?? [] });
  }
  return out;
}

export async function tombstonesOf(site: Site): Promise<Map<string, Tombstone>> {
  const entries = await space(site, keys.SPACE.tombstone);
  return new Map(entries.map(({ value }) => decodeTombstone(value)).map((stone) => [idOf(stone), stone]));
}

export async function tombstoneOf(site: Site, key: string, versionId: string): Promise<Tombstone | undefined> {
  const bucket = await bucketOf(site);
  if (bucket === undefined) return undefined;
  const raw = await site.storage.index.get(keys.idRowKey(keys.SPACE.tombstone, bucket.id, key, versionId as VersionId));
  return raw === undefined ? undefined : decodeTombstone(raw);
}

export async function targetsOf(site: Site): Promise<TargetRecord[]> {
  return (await space(site, keys.SPACE.targets)).flatMap(
    ({ value }) => decodeRow<{ targets: TargetRecord[] }>(value).targets,
  );
}

export interface WaitingRow {
  readonly row: LogRow;
  readonly retry: boolean;
}

export async function waitingRows(site: Site, arn: Arn): Promise<WaitingRow[]> {
  const of = async (byte: number): Promise<WaitingRow[]> =>
    (await site.storage.rows(keys.targetRange(byte, arn))).map(({ value }) => ({
      row: decodeRow<LogRow>(value),
      retry: byte === keys.SPACE.retry,
    }));
  return [...(await of(keys.SPACE.log)), ...(await of(keys.SPACE.retry))];
}

/** Times of the rows that give the age of the retry queue's rows. */
export async function ageTimes(site: Site, arn: Arn): Promise<bigint[]> {
  return (await site.storage.rows(keys.targetRange(keys.SPACE.age, arn))).map(({ key }) => keys.logRowTime(key));
}

export async function counter(site: Site, name: string): Promise<number> {
  return Number(keys.readCounter(await site.storage.index.get(keys.counterKey(name))));
}

/** A blob store over the bare files of a site. */
export function inspector(site: Site): Promise<BlobStore> {
  return openBlobStore({ directory: DIRECTORY, files: site.storage.files, random: simRandom(new Dice("inspector")) });
}

export function refsOf({ version, parts }: Held): readonly BlobRef[] {
  if (version.kind === "delete-marker") return [];
  return version.blob === undefined ? parts.map((part) => part.blob) : [version.blob];
}

async function rowOf(site: Site, ref: BlobRef): Promise<Buffer | undefined> {
  return ref.inline ? site.storage.index.get(keys.blobRowKey(keys.SPACE.data, ref.id)) : undefined;
}

/** Every byte of the version is there and right, and the site serves it. */
export async function isHealthy(site: Site, blobs: BlobStore, held: Held): Promise<boolean> {
  if (held.version.kind === "object" && held.version.damaged !== undefined) return false;
  for (const ref of refsOf(held)) if ((await blobs.examine(ref, true, await rowOf(site, ref))) !== "ok") return false;
  return true;
}

/** The bytes of a healthy version. */
export async function bytesOf(site: Site, blobs: BlobStore, held: Held): Promise<Buffer> {
  const pieces: Buffer[] = [];
  const objectKey = await objectKeyOf(site, held.version);
  for (const [i, ref] of refsOf(held).entries()) {
    const row = await rowOf(site, ref);
    const key = objectKey && blobKeyOf(objectKey, ref.salt ?? "", held.parts[i]?.number ?? 0);
    const size = key === undefined ? ref.size : (plainSize(ref.size) ?? 0);
    // Long reads use their memory again.
    for await (const piece of blobs.read(ref, 0, size, row, false, key)) pieces.push(Buffer.from(piece));
  }
  return Buffer.concat(pieces);
}

/** Opened with the site's own keys. */
async function objectKeyOf(site: Site, version: Version): Promise<Buffer | undefined> {
  if (version.kind === "delete-marker" || version.encryption === undefined) return undefined;
  const clock = { nowMs: () => 0, nowNs: () => 0n, sleep: () => Promise.resolve() };
  const random = simRandom(new Dice("peek"));
  const keyRing = await openEmbeddedRing({ index: memoryIndex(), clock, random, keys: keysOf(site.name) });
  return openSeal({ keyRing }, { bucket: BUCKET, key: version.key }, version.encryption, undefined);
}
