/** Live connections to targets: one per record as it is stored now; endpoints and their health are shared between them. */
import type { Arn, BucketName } from "../model/names.ts";
import { assert } from "../runtime/assert.ts";
import type { Clock } from "../runtime/clock.ts";
import type { OrderedIndex } from "../storage/index/index.ts";
import { tokenBucket, type Limiter } from "./bandwidth.ts";
import type { TargetAddress } from "./client-adapter.ts";
import { carriesSecrets } from "./encryption.ts";
import { Endpoint, type HealthView } from "./health.ts";
import { Ingest } from "./ingest.ts";
import { genericClient } from "./generic-client.ts";
import { remoteIds } from "./remote-ids.ts";
import { KeyMutex } from "./key-mutex.ts";
import { RETIRED_CLIENT_MS } from "./limits.ts";
import { resumeStore, type ResumeStore } from "./resume.ts";
import type { SendObserver, SendTarget } from "./send-types.ts";
import { failoverClient, Link } from "./link.ts";
import { endpointsOf, type TargetRecord } from "./target-record.ts";
import type { KnownTarget } from "./targets.ts";
import type { TargetClient } from "./wire.ts";

export interface Connection extends SendTarget {
  readonly record: TargetRecord;
  readonly endpoint: Link;
}

interface Entry {
  connection: Connection;
  /** One for each endpoint. */
  readonly clients: readonly TargetClient[];
  fingerprint: string;
  /** Read by the limiter on every call, so that a changed limit holds at once. */
  rate: { bytesPerSecond: number };
  limiter: Limiter;
}

export interface ConnectionsDeps {
  readonly clock: Clock;
  readonly index: OrderedIndex;
  readonly sealer: { open(sealed: string): string };
  readonly clientFor: (address: TargetAddress) => TargetClient;
  /** What this site says in `x-amz-id-2`. */
  readonly hostId: string;
  readonly observer?: SendObserver | undefined;
  /** An operator said that what is encrypted at rest may travel over plain HTTP. */
  readonly encryptedOverHttp?: boolean | undefined;
}

const NEVER_ASKED: HealthView = {
  isOnline: false,
  lastOnlineMs: 0,
  totalDowntimeMs: 0,
  offlineCount: 0,
  latency: { curr: 0, avg: 0, max: 0 },
};

export class Connections {
  readonly #deps: ConnectionsDeps;
  readonly #resume: ResumeStore;
  readonly #mutex = new KeyMutex();
  readonly #entries = new Map<Arn, Entry>();
  readonly #endpoints = new Map<string, { endpoint: Endpoint; running: Promise<void> }>();
  /** Clients of targets whose record is another by now, until they are closed. */
  readonly #retired = new Set<Promise<void>>();
  readonly #closing = new AbortController();
  #closed = false;

  constructor(deps: ConnectionsDeps) {
    this.#deps = deps;
    this.#resume = resumeStore(deps.index);
  }

  /** The connection of a target as its record says now; a changed address or credential makes a new one. */
  of({ bucket, record }: Pick<KnownTarget, "bucket" | "record">): Connection {
    const fingerprint = [
      record.endpoint,
      record.secure,
      record.targetBucket,
      record.accessKey,
      record.secret,
      record.region,
      record.dialect,
    ].join("\n");
    const known = this.#entries.get(record.arn);
    if (known !== undefined) {
      known.rate.bytesPerSecond = record.bandwidth;
      if (known.fingerprint === fingerprint) {
        if (known.connection.record !== record) known.connection = { ...known.connection, record };
        return known.connection;
      }
      this.#retire(known.connection, record);
    }
    const opened = this.#open(bucket, record, fingerprint);
    for (const [i, endpoint] of known?.connection.endpoint.endpoints.entries() ?? [])
      if (!opened.endpoint.endpoints.includes(endpoint)) this.#release(endpoint, known?.clients[i]);
    return opened;
  }

  /**
   * At another address requests under way fail as network errors, and are repeated there. With other keys they may end:
   * the start of a resync, say, which a look at the target with the keys it had a moment ago would cut.
   */
  #retire({ client, record: before }: Connection, record: TargetRecord): void {
    const stays = before.endpoint === record.endpoint && before.secure === record.secure;
    const waited = stays ? this.#deps.clock.sleep(RETIRED_CLIENT_MS, this.#closing.signal) : Promise.resolve();
    const ended = waited.then(() => client.close()).then(() => void this.#retired.delete(ended));
    this.#retired.add(ended);
  }

  #open(bucket: BucketName, record: TargetRecord, fingerprint: string): Connection {
    const secretKey = this.#deps.sealer.open(record.secret);
    const ids = remoteIds(this.#deps.index, record.arn);
    const clients = endpointsOf(record).map((place) => {
      const direct = this.#deps.clientFor({ ...record, endpoint: place, bucket: record.targetBucket, secretKey });
      return record.dialect === "s3" ? genericClient(direct, ids) : direct;
    });
    const endpoints = endpointsOf(record).map((place, i) => this.#endpoint(record, place, clients[i]));
    const endpoint = new Link(endpoints, record.targetBucket === bucket ? this.#deps.hostId : "");
    const client = failoverClient(clients, endpoint);
    const rate = { bytesPerSecond: record.bandwidth };
    const limiter = tokenBucket(this.#deps.clock, () => rate.bytesPerSecond);
    const ingest = new Ingest(client, () => endpoint.resilver !== undefined);
    const shared = { resume: this.#resume, mutex: this.#mutex, observer: this.#deps.observer, ingest };
    const carries = carriesSecrets(record, this.#deps.encryptedOverHttp === true);
    const connection: Connection = {
      arn: record.arn,
      client,
      limiter,
      ...shared,
      carriesSecrets: carries,
      mergesAsMinio: record.dialect !== "s3",
      clock: this.#deps.clock,
      record,
      endpoint,
    };
    this.#entries.set(record.arn, { connection, clients, fingerprint, rate, limiter });
    return connection;
  }

  #endpoint(record: TargetRecord, place: string, client: TargetClient | undefined): Endpoint {
    assert(client !== undefined, "a client for each endpoint");
    const name = `${record.secure ? "https" : "http"}://${place}`;
    const known = this.#endpoints.get(name);
    if (known !== undefined) {
      known.endpoint.use(client);
      return known.endpoint;
    }
    const endpoint = new Endpoint(name, client, this.#deps.clock);
    this.#endpoints.set(name, { endpoint, running: this.#closed ? Promise.resolve() : endpoint.run() });
    return endpoint;
  }

  /** Health of a target's endpoint, which is asked when nobody did before. One that cannot be connected to is offline. */
  async health(target: Pick<KnownTarget, "bucket" | "record">): Promise<HealthView> {
    if (this.#closed) return NEVER_ASKED;
    let endpoint: Link;
    try {
      ({ endpoint } = this.of(target));
    } catch {
      // The log names the reason (scheduler.ts); lists and metrics of the other targets go on.
      return NEVER_ASKED;
    }
    return endpoint.known();
  }

  async forget(arn: Arn): Promise<void> {
    const entry = this.#entries.get(arn);
    if (entry === undefined) return;
    this.#entries.delete(arn);
    for (const [i, endpoint] of entry.connection.endpoint.endpoints.entries())
      this.#release(endpoint, entry.clients[i]);
    await entry.connection.client.close();
  }

  /** An endpoint that a target no longer uses goes on with another target's client, or ends. */
  #release(endpoint: Endpoint, client: TargetClient | undefined): void {
    for (const { connection, clients } of this.#entries.values()) {
      const at = connection.endpoint.endpoints.indexOf(endpoint);
      const other = clients[at];
      if (at < 0 || other === undefined || other === client) continue;
      return endpoint.use(other);
    }
    endpoint.stop();
    this.#endpoints.delete(endpoint.name);
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const { endpoint } of this.#endpoints.values()) endpoint.stop();
    this.#closing.abort();
    await Promise.all([...this.#entries.values()].map((entry) => entry.connection.client.close()));
    await Promise.all(this.#retired);
    await Promise.all([...this.#endpoints.values()].map((known) => known.running));
    this.#entries.clear();
    this.#endpoints.clear();
  }
}
