/**
 * Remote targets of buckets: stored with sealed secrets, checked when set, listed with their health, and turned into
 * connections. The admin API calls `set`, `list` and `remove` (replication.md 2.2 to 2.4).
 */
import type { Objects } from "../objects/objects.ts";
import { StoreError } from "../model/errors.ts";
import type { Bucket } from "../model/bucket.ts";
import { parseArn, type Arn, type BucketName } from "../model/names.ts";
import type { ObjectLockConfig } from "../model/object-lock.ts";
import { ruleArn } from "../model/replication-config.ts";
import type { Sealer } from "../model/sealer.ts";
import { ZERO_TIME } from "../protocol/time.ts";
import { CommitBuilder } from "../storage/index/commit-builder.ts";
import type { OrderedIndex } from "../storage/index/index.ts";
import { namedRange, namedRowKey, SPACE } from "../storage/keys.ts";
import { decodeRow, encodeRow } from "../storage/records.ts";
import type { Clock } from "../runtime/clock.ts";
import type { Random } from "../runtime/random.ts";
import type { TargetAddress } from "./client-adapter.ts";
import { Connections, type Connection } from "./connections.ts";
import { carriesSecrets, checkEncryption } from "./encryption.ts";
import { putForgetJob } from "./forget.ts";
import { lockChange } from "./lock-change.ts";
import { dropLog, waitingWork } from "./log.ts";
import { dropProbe } from "./probe.ts";
import { dropSeen, lookAtTarget } from "./same-site.ts";
import * as checks from "./target-checks.ts";
import {
  endpointsOf,
  listedTarget,
  normalEndpoints,
  parseTargetJson,
  type TargetInput,
  type TargetRecord,
} from "./target-record.ts";
import type { SendObserver } from "./send-types.ts";
import type { TargetClient } from "./wire.ts";

export interface TargetsDeps {
  readonly index: OrderedIndex;
  readonly objects: Objects;
  readonly sealer: Sealer;
  readonly clock: Clock;
  readonly random: Random;
  readonly clientFor: (address: TargetAddress) => TargetClient;
  /** This site's x-amz-id-2: a target that answers with it is this very site. */
  readonly hostId: string;
  readonly observer?: SendObserver | undefined;
  /** Absent: nobody reads the log. */
  readonly warn?: ((message: string, error: unknown) => void) | undefined;
  /** See ConnectionsDeps. */
  readonly encryptedOverHttp?: boolean | undefined;
}

const SYNCHRONOUS_CACHE_MAX = 10_000;

interface TargetsRow {
  readonly bucket: BucketName;
  readonly targets: readonly TargetRecord[];
}

interface Loaded {
  readonly bucket: Bucket;
  readonly key: Buffer;
  readonly raw: Buffer | undefined;
  readonly targets: readonly TargetRecord[];
}

export interface KnownTarget {
  readonly bucket: BucketName;
  readonly bucketId: string;
  readonly record: TargetRecord;
}

export class Targets {
  readonly #deps: TargetsDeps;
  readonly connections: Connections;
  readonly #synchronous = new Map<string, { readonly raw: Buffer; readonly is: boolean }>();

  constructor(deps: TargetsDeps) {
    this.#deps = deps;
    this.connections = new Connections({
      clock: deps.clock,
      clientFor: deps.clientFor,
      hostId: deps.hostId,
      sealer: deps.sealer,
      index: deps.index,
      observer: deps.observer,
      encryptedOverHttp: deps.encryptedOverHttp,
    });
  }

  /**
   * Adds a target, or with `update` among the flags changes the flagged groups of one. Returns its ARN.
   * `json`: the client's document, text or parsed. Errors: replication.md 2.4.
   */
  async set(bucketName: BucketName, json: unknown, flags: Iterable<string> = []): Promise<Arn> {
    const flagged = new Set(flags);
    const loaded = await this.#load(bucketName);
    const input = parseTargetJson(json);
    const update = flagged.has("update");
    const record = update ? this.#updated(loaded, input, flagged) : this.#added(loaded, input);
    if (record.unchanged) return record.target.arn;
    const dialect = await this.#check(loaded, record.target, record.secret);
    const target: TargetRecord = { ...record.target, dialect: dialect === "s3" ? dialect : undefined };
    await this.#store(loaded, target);
    if (dialect === "minio") await this.#meet(loaded.bucket.name, target);
    return target.arn;
  }

  /** See same-site.ts: before anything is sent to it. One that goes away now is met when it is back. */
  async #meet(bucket: BucketName, record: TargetRecord): Promise<void> {
    try {
      const connection = this.connections.of({ bucket, record });
      await connection.endpoint.known();
      await lookAtTarget(this.#deps, connection, { made: true });
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
    }
  }

  /** See lock-change.ts. */
  lockChange(bucketName: BucketName, objectLock: ObjectLockConfig): Promise<(bucket: Bucket) => Bucket> {
    return lockChange({ objects: this.#deps.objects, targets: this }, bucketName, objectLock);
  }

  #added(loaded: Loaded, input: TargetInput): { target: TargetRecord; secret: string; unchanged: boolean } {
    if (input.type !== "replication")
      throw new StoreError("XMinioAdminConfigBadJSON", { message: 'The target type must be "replication"' });
    const fresh = this.#record(input);
    const same = loaded.targets.filter((known) => sameBucket(known, fresh.target));
    const twin = same.find((known) => known.accessKey === fresh.target.accessKey);
    // The same again is no change; with another secret it is the operator's correction, and is checked like one.
    if (twin !== undefined) {
      const unchanged = this.#deps.sealer.open(twin.secret) === fresh.secret;
      return {
        target: { ...twin, secret: fresh.target.secret, sessionToken: fresh.target.sessionToken },
        secret: fresh.secret,
        unchanged,
      };
    }
    const [other] = same;
    if (other === undefined) return { ...fresh, unchanged: false };
    if (isUsed(loaded.bucket, other.arn)) {
      const message = "A target for this endpoint and bucket exists and a rule uses it";
      throw new StoreError("XMinioAdminBucketRemoteAlreadyExists", { message, bucket: loaded.bucket.name });
    }
    // Left behind by an attempt that never got its rule: the new one takes its place.
    return { target: { ...fresh.target, arn: other.arn }, secret: fresh.secret, unchanged: false };
  }

  #record(input: TargetInput): { target: TargetRecord; secret: string } {
    const { credentials, endpoint, targetbucket } = input;
    if (!endpoint || !targetbucket || !credentials?.accessKey || !credentials.secretKey) {
      throw new StoreError("XMinioAdminConfigBadJSON", {
        message: "endpoint, targetbucket and credentials are needed",
      });
    }
    const secure = input.secure ?? false;
    const region = input.region || input.omitempty || "";
    const target: TargetRecord = {
      arn: `arn:minio:replication:${region}:${this.#deps.random.uuid()}:${targetbucket}` as Arn,
      endpoint: normalEndpoints(endpoint, secure),
      endpointAsGiven: endpoint,
      secure,
      targetBucket: targetbucket,
      accessKey: credentials.accessKey,
      secret: this.#deps.sealer.seal(credentials.secretKey),
      sessionToken: credentials.sessionToken,
      region,
      path: input.path ?? "",
      api: input.api ?? "",
      bandwidth: input.bandwidthlimit ?? 0,
      sync: input.replicationSync ?? false,
      disableProxy: input.disableProxy ?? false,
      healthCheckNs: input.healthCheckDuration ?? 0,
      storageClass: input.storageclass ?? "",
      resetId: "",
      resetBefore: ZERO_TIME,
    };
    return { target, secret: credentials.secretKey };
  }

  #updated(
    loaded: Loaded,
    input: TargetInput,
    flags: ReadonlySet<string>,
  ): { target: TargetRecord; secret: string; unchanged: boolean } {
    const known = loaded.targets.find((target) => target.arn === input.arn);
    if (known === undefined)
      throw new StoreError("XMinioAdminRemoteTargetNotFoundError", { bucket: loaded.bucket.name });
    let target: TargetRecord = known;
    let secret = this.#deps.sealer.open(known.secret);
    if (flags.has("creds")) {
      // An edit may leave the secret out: the stored one stays.
      const kept = input.credentials?.secretKey
        ? input
        : { ...input, credentials: { ...input.credentials, secretKey: secret } };
      const fresh = this.#record(kept);
      secret = fresh.secret;
      const { endpoint, endpointAsGiven, secure, targetBucket, accessKey, sessionToken } = fresh.target;
      target = {
        ...target,
        endpoint,
        endpointAsGiven,
        secure,
        targetBucket,
        accessKey,
        sessionToken,
        secret: fresh.target.secret,
      };
    }
    if (flags.has("sync")) target = { ...target, sync: input.replicationSync ?? false };
    if (flags.has("proxy")) target = { ...target, disableProxy: input.disableProxy ?? false };
    if (flags.has("path")) target = { ...target, path: input.path ?? "" };
    if (flags.has("bandwidth")) target = { ...target, bandwidth: input.bandwidthlimit ?? 0 };
    if (flags.has("healthcheck")) target = { ...target, healthCheckNs: input.healthCheckDuration ?? 0 };
    const clash = loaded.targets.some((other) => other.arn !== target.arn && sameBucket(other, target));
    if (clash) throw new StoreError("XMinioAdminBucketRemoteAlreadyExists", { bucket: loaded.bucket.name });
    return { target, secret, unchanged: false };
  }

  /** replication.md 2.4, rows 1 and 4 to 8. */
  async #check(loaded: Loaded, target: TargetRecord, secretKey: string): Promise<"minio" | "s3"> {
    if (target.bandwidth < 0)
      throw new StoreError("XMinioAdminReplicationBandwidthLimitError", {
        message: "The bandwidth limit must not be negative",
      });
    if (loaded.bucket.versioning?.status !== "Enabled") {
      throw new StoreError("ReplicationSourceNotVersionedError", { bucket: loaded.bucket.name });
    }
    const dialects = new Set<"minio" | "s3">();
    for (const endpoint of endpointsOf(target))
      dialects.add(await this.#checkEndpoint(loaded, { ...target, endpoint }, secretKey));
    const [dialect] = dialects;
    if (dialect === undefined || dialects.size > 1)
      throw new StoreError("InvalidRequest", { message: "The endpoints of a target must be those of one site" });
    return dialect;
  }

  async #checkEndpoint(loaded: Loaded, target: TargetRecord, secretKey: string): Promise<"minio" | "s3"> {
    const client = this.#deps.clientFor({ ...target, bucket: target.targetBucket, secretKey });
    try {
      if (target.targetBucket === loaded.bucket.name) {
        if (await checks.isThisSite(client, this.#deps.hostId))
          throw new StoreError("XMinioAdminRemoteIdenticalToSource", { bucket: loaded.bucket.name });
      }
      await checks.checkBucketThere(client, "XMinioAdminRemoteTargetNotFoundError");
      await checks.checkVersioned(client);
      const dialect = await checks.dialectOf(client);
      // Plain S3 is encrypted by what each request asks for: there is no key to look for.
      if (dialect === "s3") return dialect;
      const carries = carriesSecrets(target, this.#deps.encryptedOverHttp === true);
      const carrier = { client, carriesSecrets: carries };
      await checkEncryption(this.#deps.objects, loaded.bucket.name, carrier, this.#deps.clock.nowNs());
      return dialect;
    } finally {
      await client.close();
    }
  }

  async #store(loaded: Loaded, target: TargetRecord): Promise<void> {
    await this.#change(loaded, (targets) => {
      const at = targets.findIndex((known) => known.arn === target.arn);
      return at < 0 ? [...targets, target] : targets.with(at, target);
    });
  }

  /** Rewrites the row of a bucket; a row that changed meanwhile is read again. */
  async #change(
    loaded: Loaded,
    change: (targets: readonly TargetRecord[]) => readonly TargetRecord[],
    removed: readonly Arn[] = [],
  ): Promise<void> {
    for (let current = loaded; ; current = await this.#load(loaded.bucket.name)) {
      const targets = change(current.targets);
      const commit = new CommitBuilder().unchanged(current.key, current.raw);
      if (targets.length === 0) commit.delete(current.key);
      else commit.put(current.key, encodeRow({ bucket: current.bucket.name, targets } satisfies TargetsRow));
      for (const arn of removed) {
        putForgetJob(commit, current.bucket.id, arn);
        dropProbe(commit, arn);
        dropSeen(commit, arn);
      }
      if ((await this.#deps.index.commit(commit)) === "committed") return;
    }
  }

  async #load(bucketName: BucketName): Promise<Loaded> {
    const bucket = await this.#deps.objects.bucket(bucketName);
    const key = namedRowKey(SPACE.targets, bucket.id);
    const raw = await this.#deps.index.get(key);
    return { bucket, key, raw, targets: raw === undefined ? [] : decodeRow<TargetsRow>(raw).targets };
  }

  /** Targets of a bucket, or of all buckets when the name is empty; null when there are none (replication.md 2.2). */
  async list(bucketName: BucketName | "", type = ""): Promise<object[] | null> {
    if (type !== "" && type !== "replication") return null;
    const known = bucketName === "" ? await this.all() : await this.ofBucket(bucketName);
    const listed = await Promise.all(
      known.map(async ({ bucket, record }) =>
        listedTarget(record, bucket, await this.connections.health({ bucket, record })),
      ),
    );
    return listed.length === 0 ? null : listed;
  }

  /** Removes a target that no enabled rule uses, with what still waited in its log: returns how many changes that were. */
  async remove(bucketName: BucketName, arnText: string): Promise<number> {
    const arn = parseArn(arnText);
    const loaded = await this.#load(bucketName);
    if (!loaded.targets.some((target) => target.arn === arn)) {
      throw new StoreError("XMinioAdminRemoteTargetNotFoundError", { bucket: bucketName });
    }
    if (isUsed(loaded.bucket, arn)) throw new StoreError("XMinioAdminRemoteRemoveDisallowed", { bucket: bucketName });
    return this.#drop(loaded, [arn]);
  }

  /** DELETE ?replication: as `remove`. Throws XMinioAdminRemoteTargetNotFoundError when there are none. */
  async removeAll(bucketName: BucketName): Promise<number> {
    const loaded = await this.#load(bucketName);
    if (loaded.targets.length === 0)
      throw new StoreError("XMinioAdminRemoteTargetNotFoundError", { bucket: bucketName });
    return this.#drop(
      loaded,
      loaded.targets.map((target) => target.arn),
    );
  }

  async #drop(loaded: Loaded, arns: readonly Arn[]): Promise<number> {
    let dropped = 0;
    for (const arn of arns) {
      const { count } = await waitingWork(this.#deps.index, arn);
      dropped += count;
      if (count > 0) this.#deps.warn?.(`target ${arn} of bucket ${loaded.bucket.name} is removed`, undelivered(count));
    }
    await this.#change(loaded, (targets) => targets.filter((target) => !arns.includes(target.arn)), arns);
    // After the record: a crash in between leaves rows of a target that is gone, and the scheduler drops those.
    for (const arn of arns) {
      await dropLog(this.#deps.index, arn);
      await this.connections.forget(arn);
    }
    return dropped;
  }

  /** Every target of the site whose bucket exists. */
  async all(): Promise<KnownTarget[]> {
    const out: KnownTarget[] = [];
    const buckets = new Map((await this.#deps.objects.buckets()).map((bucket) => [bucket.id, bucket.name]));
    for (const entry of await this.#deps.index.scan(namedRange(SPACE.targets, ""), { limit: 100_000 })) {
      const bucketId = entry.key.toString("utf8", 1);
      const bucket = buckets.get(bucketId);
      if (bucket === undefined) continue;
      for (const record of decodeRow<TargetsRow>(entry.value).targets) out.push({ bucket, bucketId, record });
    }
    return out;
  }

  /** Throws NoSuchBucket. */
  async ofBucket(bucketName: BucketName): Promise<KnownTarget[]> {
    const { bucket, targets } = await this.#load(bucketName);
    return targets.map((record) => ({ bucket: bucket.name, bucketId: bucket.id, record }));
  }

  /** A target of a bucket. Throws XMinioAdminRemoteTargetNotFoundError. */
  async get(bucketName: BucketName, arn: string): Promise<KnownTarget> {
    const found = (await this.ofBucket(bucketName)).find(({ record }) => record.arn === arn);
    if (found === undefined) throw new StoreError("XMinioAdminRemoteTargetNotFoundError", { bucket: bucketName });
    return found;
  }

  /** Whether a bucket has a synchronous target: asked by every write that is replicated, so its row is read once. */
  async isSynchronous(bucketId: string): Promise<boolean> {
    const raw = await this.#deps.index.get(namedRowKey(SPACE.targets, bucketId));
    if (raw === undefined) return false;
    const known = this.#synchronous.get(bucketId);
    if (known?.raw.equals(raw) === true) return known.is;
    const is = decodeRow<TargetsRow>(raw).targets.some(({ sync }) => sync);
    if (this.#synchronous.size >= SYNCHRONOUS_CACHE_MAX) this.#synchronous.clear();
    this.#synchronous.set(bucketId, { raw, is });
    return is;
  }

  connect(known: KnownTarget): Connection {
    return this.connections.of(known);
  }

  /** The marks of a resync that started: shown in lists until the next one. */
  async setReset(bucketName: BucketName, arn: Arn, resetId: string, resetBefore: string): Promise<void> {
    const loaded = await this.#load(bucketName);
    await this.#change(loaded, (targets) =>
      targets.map((target) => (target.arn === arn ? { ...target, resetId, resetBefore } : target)),
    );
  }
}

/** Purges are among them: nothing but a resync carries those to the place afterwards. */
const undelivered = (count: number): StoreError =>
  new StoreError("InvalidRequest", {
    message: `${count} changes had not reached it and are dropped: a resync to a new target for the place carries them`,
  });

const sameBucket = (a: TargetRecord, b: TargetRecord): boolean =>
  a.secure === b.secure &&
  a.targetBucket === b.targetBucket &&
  endpointsOf(a).some((endpoint) => endpointsOf(b).includes(endpoint));

/** An enabled rule sends to the ARN. */
function isUsed(bucket: Bucket, arn: Arn): boolean {
  const config = bucket.replication;
  return config !== undefined && config.rules.some((rule) => rule.enabled && ruleArn(config, rule) === arn);
}
