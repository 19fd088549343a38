/**
 * Active-active reads (replication.md section 8): which sites may answer for a version that is not here, and how they
 * are asked. One question to one peer is one signed request that the peer never passes on.
 */
import { keepsVersions, type Bucket } from "../model/bucket.ts";
import { readTargets } from "../model/replication-config.ts";
import * as wire from "../protocol/replication-headers.ts";
import type { Clock } from "../runtime/clock.ts";
import { Drain } from "../runtime/drain.ts";
import { CommitBuilder } from "../storage/index/commit-builder.ts";
import type { OrderedIndex } from "../storage/index/index.ts";
import { counterKey, readCounter } from "../storage/keys.ts";
import type { Connection } from "./connections.ts";
import { PEER_ANSWER_MS, PROXY_COUNT_MS } from "./limits.ts";
import type { Targets } from "./targets.ts";
import type { OpenResponse, TargetRequest } from "./wire.ts";

/** Calls that a peer may answer for this site. */
export const PROXIED_CALLS = ["get", "head", "putTagging", "getTagging", "removeTagging"] as const;
export type ProxiedCall = (typeof PROXIED_CALLS)[number];

export type ProxyStats = Readonly<Record<ProxiedCall, { readonly total: number; readonly failed: number }>>;

/** A site that may hold what is not here. */
export interface Peer {
  /** It is asked over TLS. */
  readonly secure: boolean;
  /** See encryption.ts. */
  readonly carriesSecrets: boolean;
  /** Undefined when the peer did not begin an answer in time. The body must be read to its end, or discarded. */
  ask(request: Omit<TargetRequest, "payload" | "signal">): Promise<OpenResponse | undefined>;
}

export interface PeerReadsDeps {
  readonly index: OrderedIndex;
  readonly targets: Targets;
  readonly clock: Clock;
  readonly warn: (message: string, error: unknown) => void;
}

const statKey = (bucketId: string, call: ProxiedCall, what: "total" | "failed"): Buffer =>
  counterKey(`proxied/${bucketId}/${call}/${what}`);

/** Proxied calls of a bucket since it exists, by all processes of the site; the last second may lack. */
export async function proxyStats(index: OrderedIndex, bucketId: string): Promise<ProxyStats> {
  const read = async (call: ProxiedCall) => {
    const [total, failed] = await Promise.all([
      index.get(statKey(bucketId, call, "total")),
      index.get(statKey(bucketId, call, "failed")),
    ]);
    return [call, { total: Number(readCounter(total)), failed: Number(readCounter(failed)) }] as const;
  };
  return Object.fromEntries(await Promise.all(PROXIED_CALLS.map(read))) as unknown as ProxyStats;
}

export class PeerReads {
  readonly #deps: PeerReadsDeps;
  /** Counted and not written yet, by row key. */
  #counted = new Map<string, { readonly key: Buffer; count: bigint }>();
  readonly #writing = new Drain(
    () => this.#counted.size > 0,
    () => this.#write(),
  );
  readonly #closing = new AbortController();

  constructor(deps: PeerReadsDeps) {
    this.#deps = deps;
  }

  /** The peers to ask for a key, one after another; none while the bucket keeps no versions of it. */
  async peersFor(bucket: Bucket, key: string): Promise<readonly Peer[]> {
    if (bucket.replication === undefined || !keepsVersions(bucket, key)) return [];
    const arns = readTargets(bucket.replication, key);
    if (arns.length === 0) return [];
    const known = await this.#deps.targets.ofBucket(bucket.name);
    return known
      .filter(({ record }) => arns.includes(record.arn) && !record.disableProxy && record.dialect === undefined)
      .map((target) => this.#deps.targets.connect(target))
      .filter(({ endpoint }) => endpoint.isOpenForWork)
      .map((connection) => ({
        secure: connection.record.secure,
        carriesSecrets: connection.carriesSecrets,
        ask: (request) => askPeer(connection, request),
      }));
  }

  /** Counts one call that was passed on. */
  count(bucketId: string, call: ProxiedCall, succeeded: boolean): void {
    this.#add(statKey(bucketId, call, "total"));
    if (!succeeded) this.#add(statKey(bucketId, call, "failed"));
    this.#writing.start();
  }

  #add(key: Buffer): void {
    const name = key.toString("latin1");
    const known = this.#counted.get(name);
    if (known === undefined) this.#counted.set(name, { key, count: 1n });
    else known.count++;
  }

  async #write(): Promise<void> {
    await this.#deps.clock.sleep(PROXY_COUNT_MS, this.#closing.signal);
    const commit = new CommitBuilder();
    for (const { key, count } of this.#counted.values()) commit.add(key, count);
    this.#counted = new Map();
    try {
      await this.#deps.index.commit(commit);
    } catch (error) {
      this.#deps.warn("proxied reads could not be counted", error);
    }
  }

  /** Writes what was counted. */
  async close(): Promise<void> {
    this.#closing.abort();
    await this.#writing.ended;
  }
}

async function askPeer(
  connection: Connection,
  request: Omit<TargetRequest, "payload" | "signal">,
): Promise<OpenResponse | undefined> {
  const headers = { ...request.headers, [wire.SOURCE_PROXY_REQUEST]: "true" };
  try {
    return await connection.client.open({ ...request, headers, payload: "hashed" }, PEER_ANSWER_MS);
  } catch {
    // The next client must not wait as long for a peer that is gone.
    void connection.endpoint.confirm();
    return undefined;
  }
}
