/**
 * A MinIO with clients of its own and targets: the double of `fake-target.ts`, and what such a server does as a source
 * (replication.md 3 and 4): fresh objects go out unasked, edits after a HEAD, markers after a HEAD, purges at once, and
 * what failed again later. What came from a peer is not sent on, but for its tags and locks when they are changed here.
 */
import { createHash, randomUUID } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";
import { S3Client, type S3Response } from "../../src/client/s3-client.ts";
import { encodeS3Path } from "../../src/protocol/uri.ts";
import { msOf, parseHttpDate, rfc3339Nano } from "../../src/protocol/time.ts";
import type { FakeVersion } from "../../src/replication/testing/fake-store.ts";
import { FakeTarget } from "../../src/replication/testing/fake-target.ts";
import { ROOT_SECRET, ROOT_USER } from "./server.ts";
import type { Place } from "./site.ts";

const RETRY_MS = 50;
const LOCK = "x-amz-object-lock-";
const REPLICA = { "x-amz-replication-status": "REPLICA", "x-minio-source-replication-request": "true" };
const md5 = (bytes: Buffer): string => createHash("md5").update(bytes).digest("hex");

type Operation = "object" | "metadata" | "marker" | "purge" | "toggle";

interface Work {
  readonly operation: Operation;
  readonly key: string;
  readonly versionId: string;
  /** Of a purge: when it was asked for. */
  readonly time: bigint;
  readonly target: S3Client;
}

export interface NewUpload {
  readonly parts: readonly Buffer[];
  /** `x-amz-checksum-*` of the whole object and of each part. */
  readonly checksum?:
    | { readonly name: string; readonly algorithm: string; readonly whole: string; readonly parts: readonly string[] }
    | undefined;
}

export class MinioPeer {
  readonly fake: FakeTarget;
  readonly #bucket: string;
  #targets: S3Client[] = [];
  /** What waits, one key after another as the server's lock on a key has it. */
  readonly #keys = new Map<string, Promise<void>>();
  #stopped = false;
  /** Of the last attempts that failed. */
  readonly failures: string[] = [];

  constructor(bucket: string) {
    this.#bucket = bucket;
    this.fake = new FakeTarget(bucket);
    this.fake.objectLock = true;
    this.fake.onTagged = ({ key, versionId }) => this.#queue("metadata", key, versionId);
  }

  /** As a target of others. */
  get place(): Place {
    const port = Number(this.fake.endpoint.split(":")[1]);
    return { server: { url: `http://${this.fake.endpoint}`, port } };
  }

  replicateTo(places: readonly Place[]): void {
    this.#targets = places.map(
      ({ server }) => new S3Client({ url: server.url, accessKey: ROOT_USER, secretKey: ROOT_SECRET }),
    );
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.settled();
    await Promise.all(this.#targets.map((target) => target.close()));
    await this.fake.stop();
  }

  /** Resolves when nothing waits any more. */
  async settled(): Promise<void> {
    while (this.#keys.size > 0) await Promise.all(this.#keys.values());
  }

  get waiting(): number {
    return this.#keys.size;
  }

  #nowNs(): bigint {
    return BigInt(Math.round((performance.timeOrigin + performance.now()) * 1e6));
  }

  put(key: string, body: Buffer, headers: Record<string, string> = {}): string {
    const versionId = randomUUID();
    this.fake.store.put({ key, versionId, headers, body, etag: md5(body), mtime: this.#nowNs() });
    this.#queue("object", key, versionId);
    return versionId;
  }

  upload(key: string, { parts, checksum }: NewUpload): string {
    const versionId = randomUUID();
    const etag = `${md5(Buffer.concat(parts.map((part) => createHash("md5").update(part).digest())))}-${parts.length}`;
    const headers = checksum === undefined ? {} : { [`x-amz-checksum-${checksum.name}`]: checksum.whole };
    const partSizes = parts.map((part) => part.length);
    const body = Buffer.concat(parts);
    this.fake.store.put({ key, versionId, headers, body, etag, partSizes, mtime: this.#nowNs() });
    if (checksum !== undefined) this.#checksums.set(versionId, checksum);
    this.#queue("object", key, versionId);
    return versionId;
  }
  readonly #checksums = new Map<string, NonNullable<NewUpload["checksum"]>>();

  /** DELETE without an id: never a second marker, none where nothing is. */
  remove(key: string): string | undefined {
    const [latest] = this.fake.store.of(key).filter(({ versionId }) => !this.fake.store.isPurging(key, versionId));
    if (latest === undefined || latest.kind === "delete-marker") return latest?.versionId;
    const versionId = randomUUID();
    this.fake.store.marker(key, versionId, this.#nowNs(), false);
    this.#queue("marker", key, versionId);
    return versionId;
  }

  /** DELETE with an id: hidden now, gone when every target has heard. That of a marker goes out in the form that toggles. */
  purge(key: string, versionId: string): void {
    const version = this.fake.find(key, versionId);
    if (version === undefined) return;
    this.fake.store.purging.add(`${key} ${versionId}`);
    this.#queue(version.kind === "delete-marker" ? "toggle" : "purge", key, versionId);
  }

  tag(key: string, versionId: string, tags: string): void {
    this.#edit(key, versionId, (old) => ({ ...old, tags, tagsTime: this.#nowNs() }));
  }

  retain(key: string, versionId: string, mode: string, until: string): void {
    const locks = { [`${LOCK}mode`]: mode, [`${LOCK}retain-until-date`]: new Date(until).toISOString() };
    this.#edit(key, versionId, (old) => ({
      ...old,
      metadata: { ...old.metadata, ...locks },
      lockTime: this.#nowNs(),
    }));
  }

  #edit(key: string, versionId: string, change: (old: FakeVersion) => FakeVersion): void {
    const old = this.fake.find(key, versionId);
    if (old?.kind !== "object" || this.fake.store.isPurging(key, versionId)) return;
    this.fake.store.change(change(old));
    this.#queue("metadata", key, versionId);
  }

  #queue(operation: Operation, key: string, versionId: string): void {
    const time = this.#nowNs();
    const before = this.#keys.get(key) ?? Promise.resolve();
    const mine: Promise<void> = before.then(async () => {
      for (const target of this.#targets) await this.#until({ operation, key, versionId, time, target });
      if (operation === "purge" || operation === "toggle") this.fake.store.remove(key, versionId);
      if (this.#keys.get(key) === mine) this.#keys.delete(key);
    });
    this.#keys.set(key, mine);
  }

  async #until(work: Work): Promise<void> {
    for (let attempt = 0; !this.#stopped; attempt++) {
      const failure = await this.#send(work, attempt).catch((error: unknown) => String(error));
      if (failure === undefined) return;
      this.failures.push(`${work.operation} ${work.key} ${work.versionId}: ${failure}`);
      await pause(RETRY_MS);
    }
  }

  /** Undefined: done. */
  #send(work: Work, attempt: number): Promise<string | undefined> {
    switch (work.operation) {
      case "purge":
        return this.#sendPurge(work);
      case "toggle":
        return this.#sendToggle(work);
      case "marker":
        return this.#sendMarker(work);
      default:
        return attempt === 0 && work.operation === "object" ? this.#sendObject(work) : this.#compare(work);
    }
  }

  #call(work: Work, method: string, query: Record<string, string>, headers: object, body?: Buffer) {
    const { target, key } = work;
    const all = headers as Record<string, string>;
    return target.request({ method, bucket: this.#bucket, key, query, headers: all, body });
  }

  async #sendPurge(work: Work): Promise<string | undefined> {
    const headers = { ...REPLICA, "x-minio-source-mtime": rfc3339Nano(work.time) };
    return failureOf(await this.#call(work, "DELETE", { versionId: work.versionId }, headers));
  }

  /** HEAD, the toggle with the time of the purge, and at the next touch the plain form with the marker's own (3.8). */
  async #sendToggle(work: Work): Promise<string | undefined> {
    const head = await this.#headMarker(work);
    if (head.status === 405) {
      const failure = await this.#markerCall(work, work.time);
      if (failure !== undefined) return failure;
    }
    const marker = this.fake.find(work.key, work.versionId);
    return this.#sendPurge({ ...work, time: marker?.mtime ?? work.time });
  }

  async #sendMarker(work: Work): Promise<string | undefined> {
    const marker = this.fake.find(work.key, work.versionId);
    if (marker === undefined) return undefined;
    const head = await this.#headMarker(work);
    if (head.status === 405) return undefined;
    if (head.status !== 404 && head.status >= 300) return `HEAD of a marker: ${head.status}`;
    return this.#markerCall(work, marker.mtime);
  }

  async #headMarker(work: Work): Promise<S3Response> {
    const asks = { "x-minio-source-proxy-request": "false", "x-minio-check-replication-ready": "true" };
    const head = await this.#call(work, "HEAD", { versionId: work.versionId }, asks);
    await head.discard();
    return head;
  }

  async #markerCall(work: Work, mtime: bigint): Promise<string | undefined> {
    const headers = { ...REPLICA, "x-minio-source-deletemarker": "true", "x-minio-source-mtime": rfc3339Nano(mtime) };
    return failureOf(await this.#call(work, "DELETE", { versionId: work.versionId }, headers));
  }

  async #sendObject(work: Work): Promise<string | undefined> {
    const version = this.fake.find(work.key, work.versionId);
    if (version === undefined || this.fake.store.isPurging(work.key, work.versionId)) return undefined;
    if (version.parts > 0) return this.#sendParts(work, version);
    const headers = { ...describe(version), "x-minio-source-mtime": rfc3339Nano(version.mtime) };
    return failureOf(await this.#call(work, "PUT", { versionId: version.versionId }, headers, version.body), 412);
  }

  /** The same parts again; no time at the start, no id and no locks at the end, never the checksum's type (3.5). */
  async #sendParts(work: Work, version: FakeVersion): Promise<string | undefined> {
    const sums = this.#checksums.get(version.versionId);
    const start = await this.#call(
      work,
      "POST",
      { uploads: "", versionId: version.versionId },
      {
        ...describe(version),
        ...(sums === undefined ? {} : { "x-amz-checksum-algorithm": sums.algorithm }),
      },
    );
    const begun = (await start.bytes()).toString("utf8");
    if (start.status === 412) return undefined;
    if (start.status !== 200) return `create: ${start.status} ${begun}`;
    const uploadId = /<UploadId>(.*?)<\/UploadId>/.exec(begun)?.[1] ?? "";
    const named: string[] = [];
    let at = 0;
    for (const [i, size] of (version.partSizes ?? []).entries()) {
      const sum = sums === undefined ? {} : { [`x-amz-checksum-${sums.name}`]: sums.parts[i] ?? "" };
      const headers = { "x-minio-source-replication-request": "true", ...sum };
      const body = version.body.subarray(at, at + size);
      const part = await this.#call(work, "PUT", { partNumber: String(i + 1), uploadId }, headers, body);
      await part.discard();
      if (part.status !== 200) return `part: ${part.status}`;
      const echo = sums === undefined ? undefined : part.headers[`x-amz-checksum-${sums.name}`];
      const element = sums === undefined ? "" : `<Checksum${sums.algorithm}>${echo ?? ""}</Checksum${sums.algorithm}>`;
      named.push(`<Part><PartNumber>${i + 1}</PartNumber><ETag>${part.headers["etag"]}</ETag>${element}</Part>`);
      at += size;
    }
    const body = Buffer.from(`<CompleteMultipartUpload>${named.join("")}</CompleteMultipartUpload>`);
    const whole = sums === undefined ? {} : { [`x-amz-checksum-${sums.name}`]: sums.whole.replace(/-\d+$/, "") };
    const answer = await this.#call(
      work,
      "POST",
      { uploadId },
      {
        ...whole,
        ...(sums === undefined ? {} : { "x-amz-checksum-algorithm": sums.algorithm }),
        "content-type": "application/octet-stream",
        "x-minio-source-mtime": rfc3339Nano(version.mtime),
        "x-minio-source-etag": version.etag,
        "x-minio-source-replication-request": "true",
        "x-minio-replication-actual-object-size": String(version.body.length),
      },
      body,
    );
    const failure = await failureOf(answer);
    if (failure !== undefined) await (await this.#call(work, "DELETE", { uploadId }, {})).discard();
    return failure;
  }

  /** HEAD decides between nothing, a metadata copy and the whole version (section 4). */
  async #compare(work: Work): Promise<string | undefined> {
    const version = this.fake.find(work.key, work.versionId);
    if (version === undefined || this.fake.store.isPurging(work.key, work.versionId)) return undefined;
    const asks = { "x-minio-source-proxy-request": "false", "x-amz-tagging-directive": "ACCESS" };
    const head = await this.#call(work, "HEAD", { versionId: work.versionId }, asks);
    await head.discard();
    if (head.status === 404 || head.status === 405) return this.#sendObject(work);
    if (head.status !== 200) return `HEAD: ${head.status}`;
    const { headers: told } = head;
    const seconds = Math.floor(msOf(version.mtime) / 1000);
    const same =
      told["etag"] === `"${version.etag}"` &&
      told["x-amz-version-id"] === version.versionId &&
      told["content-length"] === String(version.body.length) &&
      Math.floor((parseHttpDate(told["last-modified"] ?? "") ?? 0) / 1000) === seconds;
    if (!same) return this.#sendObject(work);
    const names = ["mode", "retain-until-date", "legal-hold"].map((name) => LOCK + name);
    const locksEqual = names.every((name) => (told[name] ?? "") === (version.metadata[name] ?? ""));
    if (sameTags(told["x-amz-tagging"] ?? "", version.tags) && locksEqual) return undefined;
    return failureOf(
      await this.#call(
        work,
        "PUT",
        { versionId: version.versionId },
        {
          ...describe(version),
          "x-amz-copy-source": `${this.#bucket}/${encodeS3Path(version.key)}?versionId=${version.versionId}`,
          "x-amz-tagging-directive": "REPLACE",
          "x-amz-tagging": version.tags,
          "x-minio-source-mtime": rfc3339Nano(version.mtime),
        },
      ),
    );
  }
}

/** Headers of a new version (3.4): each time is that of its datum, else that of the object. */
function describe(version: FakeVersion): Record<string, string> {
  const { tagsTime = version.mtime, lockTime = version.mtime, metadata } = version;
  const time = (name: string, of: bigint): Record<string, string> => ({
    [`x-minio-source-replication-${name}-timestamp`]: rfc3339Nano(of),
  });
  return {
    ...metadata,
    ...version.checksums,
    "x-amz-storage-class": "STANDARD",
    ...(version.tags === "" ? {} : { "x-amz-tagging": version.tags }),
    ...(version.tagsTime === undefined && version.tags === "" ? {} : time("tagging", tagsTime)),
    ...(metadata[`${LOCK}mode`] === undefined ? {} : time("retention", lockTime)),
    ...(metadata[`${LOCK}legal-hold`] === undefined ? {} : time("legalhold", lockTime)),
    ...REPLICA,
    "x-minio-source-etag": version.etag,
  };
}

function sameTags(a: string, b: string): boolean {
  const sorted = (text: string): string => [...new URLSearchParams(text)].map(String).toSorted().join("&");
  return sorted(a) === sorted(b);
}

async function failureOf(answer: S3Response, ...fine: number[]): Promise<string | undefined> {
  const text = (await answer.bytes()).toString("utf8");
  const bad = answer.status >= 300 && !fine.includes(answer.status);
  return bad || text.includes("<Error>") ? `${answer.status} ${text.slice(0, 300)}` : undefined;
}
