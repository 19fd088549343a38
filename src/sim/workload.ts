/** Clients: writers on a few hot keys of every site, over the real S3 client and handlers. */
import { createHash } from "node:crypto";
import { NetworkError, S3ResponseError } from "../client/errors.ts";
import * as lock from "../client/lock-calls.ts";
import * as s3 from "../client/s3-calls.ts";
import type { S3Client } from "../client/s3-client.ts";
import { md5 } from "./history.ts";
import type { Retention } from "../model/version.ts";
import { heldBy, idOf, tombstoneOf } from "./peek.ts";
import { RETENTION_MS_MAX, type Operation, type Trouble } from "./profile.ts";
import type { Dice } from "./random.ts";
import { BUCKET, type Site } from "./site.ts";
import type { World } from "./world.ts";

/** Answers that a client must be prepared for in this workload, whatever goes on. */
const EXPECTED = new Set([
  "NoSuchKey",
  "NoSuchVersion",
  "MethodNotAllowed",
  "PreconditionFailed",
  "NoSuchUpload",
  "NoSuchBucket",
  "XMinioStorageFull",
  "XResilverObjectDamaged",
  "SlowDownWrite",
  "SlowDownRead",
  "InvalidRequest",
  "RequestTimeTooSkewed",
  "NoSuchTagSet",
]);

/** After these a site may have forgotten a lock, or its clock may have been where the lock had ended. */
const UNLOCKING: readonly Trouble[] = ["restore", "wipe", "skew"];

/** Smallest part before the last (s3-api.md section 12). */
const PART_BYTES_MIN = 5 * 1024 * 1024;

/** One client at one site. */
export class Client {
  readonly #world: World;
  readonly #site: Site;
  readonly #dice: Dice;
  readonly #s3: S3Client;

  constructor(world: World, site: Site, name: string) {
    this.#world = world;
    this.#site = site;
    this.#dice = world.dice.fork(`client/${site.name}/${name}`);
    this.#s3 = site.client(`${name}@${site.name}`);
  }

  async run(untilMs: number): Promise<void> {
    const { time, profile } = this.#world;
    for (;;) {
      await time.sleep(this.#dice.between(0, profile.thinkMs * 2));
      if (time.nowMs >= untilMs || this.#world.counts.operations >= profile.operationsMax) return;
      await this.step(this.#dice.weighted(profile.operations));
    }
  }

  /** One operation; whatever a client may be told is fine. */
  async step(operation: Operation): Promise<void> {
    const { counts } = this.#world;
    counts.operations++;
    try {
      await this.#do(operation);
    } catch (error) {
      counts.refused++;
      if (error instanceof NetworkError) return;
      if (error instanceof S3ResponseError && EXPECTED.has(error.code)) return;
      if (error instanceof S3ResponseError && this.#mayBeTold(error.code)) return;
      this.#world.violation(
        "an operation failed",
        `${operation} at ${this.#site.name}: ${error instanceof S3ResponseError ? error.code : ""} ${(error as Error).stack}`,
      );
    }
  }

  /** Beyond what may be told at any time. */
  #mayBeTold(code: string): boolean {
    const { locks, troubles } = this.#world.profile;
    return code === "AccessDenied" ? locks : code === "InternalError" && troubles.includes("failing");
  }

  #do(operation: Operation): Promise<void> {
    const key = this.#dice.pick(this.#world.profile.keys);
    switch (operation) {
      case "put":
        return this.#put(key);
      case "delete":
        return this.#delete(key);
      case "purge":
        return this.#purge(key);
      case "tag":
        return this.#tag(key);
      case "untag":
        return this.#untag(key);
      case "copy":
        return this.#copy(key);
      case "multipart":
        return this.#multipart(key);
      case "deleteMany":
        return this.#deleteMany();
      case "read":
        return this.#read(key);
      case "lock":
        return this.#lock(key);
      case "look":
        return this.#look();
    }
  }

  #body(): Buffer {
    const dice = this.#dice;
    const size = dice.pick([0, 1, 20, 60, 200, 2000, dice.between(100, 9000), 70_000]);
    const bytes = Buffer.alloc(size, dice.u32() & 0xff);
    // Mostly unlike every other, at times the same again.
    if (size >= 4 && dice.chance(0.9)) bytes.writeUInt32LE(dice.u32(), 0);
    return bytes;
  }

  #headers(): Record<string, string> {
    const dice = this.#dice;
    const out: Record<string, string> = {};
    if (dice.chance(0.3)) out["x-amz-meta-note"] = `n${dice.below(100)}`;
    if (dice.chance(0.2)) out["content-type"] = "text/plain";
    if (dice.chance(0.2)) out["x-amz-server-side-encryption"] = "AES256";
    if (dice.chance(0.3)) out["x-amz-tagging"] = `t=${dice.below(5)}`;
    if (this.#world.profile.locks && dice.chance(0.2)) {
      const { mode, until } = this.#retention();
      out["x-amz-object-lock-mode"] = mode;
      out["x-amz-object-lock-retain-until-date"] = until;
    }
    if (this.#world.profile.locks && dice.chance(0.1)) out["x-amz-object-lock-legal-hold"] = "ON";
    return out;
  }

  async #put(key: string): Promise<void> {
    const dice = this.#dice;
    const body = this.#body();
    const headers = this.#headers();
    if (dice.chance(0.1)) headers["if-none-match"] = "*";
    if (dice.chance(0.3)) headers["x-amz-checksum-sha256"] = createHash("sha256").update(body).digest("base64");
    this.#world.history.attempted(md5(body), body);
    await this.#stored(key, md5(body), await s3.putObject(this.#s3, { bucket: BUCKET, key, headers, body }));
  }

  async #stored(key: string, etag: string, answer: Readonly<Record<string, string>>): Promise<void> {
    const { history, time } = this.#world;
    const told = (answer["etag"] ?? "").replaceAll('"', "");
    if (told !== etag) this.#world.violation("wrong ETag", `${key}: sent ${etag}, told ${told}`);
    const versionId = answer["x-amz-version-id"];
    if (versionId !== undefined) {
      history.acknowledge({ key, versionId, kind: "object", etag, site: this.#site.name, atMs: time.nowMs });
      return;
    }
    const held = (await heldBy(this.#site)).get(idOf({ key, versionId: "null" }));
    if (held?.version.kind === "object" && held.version.etag === etag)
      history.nullWritten(key, etag, held.version.mtime);
  }

  async #delete(key: string): Promise<void> {
    const { history, time, profile } = this.#world;
    // Where versions are null a delete replaces or removes the null version: for the oracle it is a purge.
    const isPurge = profile.bucketMode !== "versioned" || profile.prehistory;
    if (isPurge) history.purgeTried.add(idOf({ key, versionId: "null" }));
    const remove = (): ReturnType<typeof s3.deleteObject> => s3.deleteObject(this.#s3, { bucket: BUCKET, key });
    const answer = isPurge ? await this.#purgingNulls([key], remove) : await remove();
    const versionId = answer["x-amz-version-id"];
    if (versionId === undefined || versionId === "null") return;
    history.acknowledge({ key, versionId, kind: "delete-marker", etag: "", site: this.#site.name, atMs: time.nowMs });
  }

  /** A version that the site lists now, older ones too. */
  async #someVersion(key: string): Promise<string | undefined> {
    const page = await s3.listVersions(this.#s3, { bucket: BUCKET, prefix: key });
    const ids = page.versions.flatMap((entry) => (entry.key === key ? [entry.versionId] : []));
    if (ids.length === 0) return undefined;
    // Locks and purges mean something where they meet.
    return this.#world.profile.locks && this.#dice.chance(0.6) ? ids.at(-1) : this.#dice.pick(ids);
  }

  async #purge(key: string): Promise<void> {
    const versionId = await this.#someVersion(key);
    if (versionId === undefined) return;
    this.#world.history.purgeTried.add(idOf({ key, versionId }));
    const bypass = this.#world.profile.locks && this.#dice.chance(0.5);
    const headers = bypass ? { "x-amz-bypass-governance-retention": "true" } : {};
    const remove = (): ReturnType<typeof s3.deleteObject> =>
      s3.deleteObject(this.#s3, { bucket: BUCKET, key, versionId, headers });
    await (versionId === "null" ? this.#purgingNulls([key], remove) : remove());
    await this.#purged(key, versionId);
  }

  /** Runs a request that may purge null versions, and notes up to when they may be gone. */
  async #purgingNulls<T>(names: readonly string[], request: () => Promise<T>): Promise<T> {
    const { history } = this.#world;
    const nullOf = (key: string): string => idOf({ key, versionId: "null" });
    const before = await heldBy(this.#site);
    try {
      const answer = await request();
      const after = await heldBy(this.#site);
      for (const key of names) {
        const stone = await tombstoneOf(this.#site, key, "null");
        // A purge where there are no rules leaves an older tombstone as it is, and may have removed what came after the look.
        const written = (history.nullWrites.get(key) ?? []).reduce((max, { mtime }) => (mtime > max ? mtime : max), 0n);
        const [old, now] = [before, after].map((held) => held.get(nullOf(key))?.version);
        // A marker in its place is no purge, and a tombstone from before it says nothing of this request.
        if (now !== undefined && (old === undefined || now.mtime > old.mtime)) continue;
        history.nullPurge(
          key,
          stone !== undefined && stone.time > (old?.mtime ?? 0n) && stone.time > written ? stone : undefined,
        );
      }
      return answer;
    } catch (error) {
      for (const key of names) history.nullPurge(key, undefined);
      throw error;
    }
  }

  /** The answer came: whose will was it? */
  async #purged(key: string, versionId: string): Promise<void> {
    const stone = await tombstoneOf(this.#site, key, versionId);
    const gone = versionId !== "null" && !(await heldBy(this.#site)).has(idOf({ key, versionId }));
    if (stone?.will !== "everywhere" || !gone) return;
    const { purgedAt, purgedEverywhere } = this.#world.history;
    const id = idOf({ key, versionId });
    purgedEverywhere.add(id);
    purgedAt.set(id, (purgedAt.get(id) ?? new Set()).add(this.#site.name));
  }

  async #tag(key: string): Promise<void> {
    const versionId = this.#dice.chance(0.5) ? await this.#someVersion(key) : undefined;
    this.#world.history.edited(key, this.#site.name);
    await s3.putTags(this.#s3, { bucket: BUCKET, key, versionId }, { t: String(this.#dice.below(5)) });
  }

  #retention(): Retention {
    const until = new Date(this.#site.nowMs() + this.#dice.between(1, RETENTION_MS_MAX)).toISOString();
    return { mode: this.#dice.chance(0.5) ? "COMPLIANCE" : "GOVERNANCE", until };
  }

  /** A change of one version's locks. */
  async #lock(key: string): Promise<void> {
    const dice = this.#dice;
    const versionId = dice.chance(0.7) ? await this.#someVersion(key) : undefined;
    const name = { bucket: BUCKET, key, versionId };
    if (dice.chance(0.4)) return lock.putLegalHold(this.#s3, name, dice.chance(0.4));
    const retention = dice.chance(0.2) ? null : this.#retention();
    await lock.putRetention(this.#s3, name, retention, { bypassGovernance: dice.chance(0.5) });
    if (retention?.mode === "COMPLIANCE" && versionId !== undefined) await this.#isKept(key, versionId, retention);
  }

  /** Whatever clients and peers do meanwhile: until its time the version is here. */
  async #isKept(key: string, versionId: string, { until }: Retention): Promise<void> {
    const { profile, time } = this.#world;
    if (profile.troubles.some((trouble) => UNLOCKING.includes(trouble))) return;
    await time.sleep(this.#dice.between(0, RETENTION_MS_MAX));
    const isHeld = !this.#site.up || (await heldBy(this.#site)).has(idOf({ key, versionId }));
    if (!isHeld && this.#site.nowMs() < Date.parse(until))
      this.#world.violation(
        "lost before its time",
        `${idOf({ key, versionId })} at ${this.#site.name}, kept until ${until}`,
      );
  }

  async #untag(key: string): Promise<void> {
    this.#world.history.edited(key, this.#site.name);
    await s3.deleteTags(this.#s3, { bucket: BUCKET, key });
  }

  async #copy(key: string): Promise<void> {
    const from = this.#dice.pick(this.#world.profile.keys);
    const headers: Record<string, string> =
      this.#dice.chance(0.5) || from === key ? { "x-amz-metadata-directive": "REPLACE" } : {};
    const found = await this.#content(from);
    if (found === undefined) return;
    this.#world.history.attempted(md5(found), found);
    await s3.copyObject(this.#s3, { bucket: BUCKET, key, from: { bucket: BUCKET, key: from }, headers });
  }

  /** The current content of a key, as the site serves it. */
  async #content(key: string): Promise<Buffer | undefined> {
    const response = await s3.getObject(this.#s3, { bucket: BUCKET, key });
    return response.bytes();
  }

  async #read(key: string): Promise<void> {
    const response = await s3.getObject(this.#s3, { bucket: BUCKET, key });
    const bytes = await response.bytes();
    const etag = (response.headers["etag"] ?? "").replaceAll('"', "");
    const known = this.#world.history.contentOf(etag);
    if (known !== md5(bytes)) this.#world.violation("wrong bytes served", `${key} at ${this.#site.name}: etag ${etag}`);
  }

  /** A version by its id, which may not be here yet: then a peer's answer, but never that of one that was purged here. */
  async #look(): Promise<void> {
    const dice = this.#dice;
    const known = [...this.#world.history.acknowledged.values()];
    if (known.length === 0) return;
    const { key, versionId, kind, etag } = dice.pick(known);
    const isPurged = (await tombstoneOf(this.#site, key, versionId))?.will === "everywhere";
    const name = { bucket: BUCKET, key, versionId };
    if (dice.chance(0.3)) return void (await s3.getTags(this.#s3, name));
    const response = await s3.getObject(this.#s3, name);
    const bytes = await response.bytes();
    const told = (response.headers["etag"] ?? "").replaceAll('"', "");
    const fault = kind === "delete-marker" || told !== etag || this.#world.history.contentOf(told) !== md5(bytes);
    const what = `${idOf({ key, versionId })} at ${this.#site.name}: etag ${told}`;
    if (fault) this.#world.violation("wrong bytes served", what);
    else if (isPurged) this.#world.violation("a purged version was served", what);
  }

  async #multipart(key: string): Promise<void> {
    const dice = this.#dice;
    const name = { bucket: BUCKET, key };
    const headers = dice.chance(0.3) ? { ...this.#headers(), "x-amz-checksum-algorithm": "CRC32" } : this.#headers();
    const uploadId = await s3.createUpload(this.#s3, { ...name, headers });
    const upload = { ...name, uploadId };
    const first = dice.between(1, 3);
    const large = this.#world.profile.largeUploads && dice.chance(0.4);
    const bodies = large ? [Buffer.alloc(PART_BYTES_MIN, dice.u32() & 0xff), this.#body()] : [this.#body()];
    const parts: { number: number; etag: string }[] = [];
    for (const [i, body] of bodies.entries()) {
      await s3.uploadPart(this.#s3, { ...upload, number: first + i, body });
      parts.push({ number: first + i, etag: md5(body) });
    }
    if (dice.chance(0.1)) return s3.abortUpload(this.#s3, upload);
    const etag = `${md5(Buffer.from(parts.map((part) => part.etag).join(""), "hex"))}-${parts.length}`;
    this.#world.history.attempted(etag, Buffer.concat(bodies));
    const done = await s3.completeUpload(this.#s3, { ...upload, parts });
    await this.#stored(key, etag, {
      etag: done.etag,
      ...(done.versionId === undefined ? {} : { "x-amz-version-id": done.versionId }),
    });
  }

  async #deleteMany(): Promise<void> {
    const { history, profile, time } = this.#world;
    const objects: { key: string; versionId?: string | undefined }[] = [];
    for (const key of profile.keys) {
      if (this.#dice.chance(0.5)) continue;
      const versionId = this.#dice.chance(0.5) ? await this.#someVersion(key) : undefined;
      history.purgeTried.add(idOf({ key, versionId: versionId ?? "null" }));
      objects.push({ key, versionId });
    }
    if (objects.length === 0) return;
    const names = objects.flatMap(({ key, versionId }) =>
      versionId === undefined || versionId === "null" ? [key] : [],
    );
    const answer = await this.#purgingNulls(names, () => s3.deleteObjects(this.#s3, { bucket: BUCKET, objects }));
    for (const deleted of answer.deleted) {
      if (deleted.versionId) await this.#purged(deleted.key, deleted.versionId);
      else if (deleted.deleteMarkerVersionId && deleted.deleteMarkerVersionId !== "null") {
        const versionId = deleted.deleteMarkerVersionId;
        history.acknowledge({
          key: deleted.key,
          versionId,
          kind: "delete-marker",
          etag: "",
          site: this.#site.name,
          atMs: time.nowMs,
        });
      }
    }
  }
}
