/** One of the two buckets that are compared: any S3 that lists versions, a Resilver among them. */
import { RESILVER, SOURCE_PROXY_REQUEST, TAGGING_DIRECTIVE } from "../protocol/replication-headers.ts";
import { parseTagging } from "../protocol/s3-xml-bucket.ts";
import { remoteOfHead } from "../replication/compare.ts";
import { taggingRequest } from "../replication/target-tags.ts";
import { errorOf, type TargetClient, type TargetRequest, type TargetResponse } from "../replication/wire.ts";
import { placeOf } from "../reconcile/places.ts";
import { RECONCILE_PATH, RemoteSide } from "../reconcile/remote.ts";
import type { Side } from "../reconcile/side.ts";
import { ListingError, listTarget } from "../resync/target-listing.ts";
import type { Tags } from "../model/version.ts";
import type { Clock } from "../runtime/clock.ts";
import { ATTEMPTS, RETRY_MS, SILENCE_MS } from "./limits.ts";
import { seenOfDescribed, seenOfListed, type Seen, type SeenObject } from "./seen.ts";

/** A bucket as verifying looks at it. All of it throws CannotLook when it cannot be asked. */
export interface Looked {
  /** As the user wrote it. */
  readonly name: string;
  /** Only keys that begin with it. */
  readonly prefix: string;
  /** The protocol of Resilver that it speaks; undefined: it is another server. */
  resilver(): Promise<string | undefined>;
  /** It as a side of a comparison by digests. */
  digests(): Side;
  /** Every version, in the order of keys. */
  list(): AsyncGenerator<{ key: string; versions: Seen[] }>;
  /** Versions as they are now, by name; in the order of `names`. Only of what keeps digests. */
  lookAll(names: readonly { key: string; versionId: string }[]): Promise<(Seen | undefined)[]>;
  /** One version as it is now. */
  look(key: string, versionId: string): Promise<Seen | undefined>;
  /** Metadata and tags where the listing left them out. */
  complete(seen: Seen | undefined): Promise<Seen | undefined>;
  /** Reads every byte; `take` gets them in order. Undefined: done; text: the code for which they cannot be read. */
  read(seen: Seen, take: (chunk: Buffer) => void): Promise<string | undefined>;
}

/** A side could not be looked at: nothing may be said about the two. */
export class CannotLook extends Error {
  override name = "CannotLook";
}

/** What is needed of a connection to a bucket. */
export type VerifyClient = Pick<TargetClient, "bucket" | "request" | "probe">;

export interface SideOptions {
  /** As the user wrote it. */
  readonly name: string;
  readonly client: VerifyClient;
  /** Only keys that begin with it. */
  readonly prefix: string;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** Versions as a side of a comparison by digests has them now. */
export async function lookedUp(
  side: Side,
  names: readonly { key: string; versionId: string }[],
): Promise<(Seen | undefined)[]> {
  const out: (Seen | undefined)[] = [];
  while (out.length < names.length) {
    const lookups = names.slice(out.length).map(({ key, versionId }) => placeOf(key, versionId));
    const answer = await side.describe({ level: "state", spans: [], lookups });
    if (answer.lookups.length === 0) throw new CannotLook("a site does not say what it has");
    for (const found of answer.lookups) out.push(found.kind === "version" ? seenOfDescribed(found.version) : undefined);
  }
  return out;
}

const RETRIED: readonly number[] = [408, 429, 500, 502, 503, 504];
const NO_PROXY = { [SOURCE_PROXY_REQUEST]: "false" } as const;
/** A target of ours shows damage to whoever names a resync: no content has the ETag that it shows. */
const LOOKING = "verify";

export class VerifySide implements Looked {
  readonly name: string;
  readonly prefix: string;
  readonly #options: SideOptions;
  readonly #metadata = { wanted: true };

  constructor(options: SideOptions) {
    this.name = options.name;
    this.prefix = options.prefix;
    this.#options = options;
  }

  /** The protocol of Resilver that it speaks; undefined: it is another server. Throws CannotLook when none answers. */
  async resilver(): Promise<string | undefined> {
    try {
      const answer = await this.#options.client.probe("/minio/health/live", SILENCE_MS);
      return answer.headers[RESILVER];
    } catch (error) {
      throw new CannotLook(`${this.name} does not answer: ${(error as Error).message}`, { cause: error });
    }
  }

  /** It as a side of a comparison by digests. */
  digests(): RemoteSide {
    return new RemoteSide(async (call, body) => {
      const { client } = this.#options;
      const query = { bucket: client.bucket, call };
      const answer = await this.#ask({ method: "POST", path: RECONCILE_PATH, query, body, payload: "hashed" });
      if (answer.status !== 200) throw this.#refused(answer, "cannot be compared by digests");
      return answer.body;
    });
  }

  /** Every version, in the order of keys. Throws CannotLook. */
  async *list(afterKey = "", prefix = this.prefix): AsyncGenerator<{ key: string; versions: Seen[] }> {
    const { client, signal } = this.#options;
    let after = afterKey;
    for (let failures = 0; ;) {
      try {
        const options = { resyncId: LOOKING, prefix, afterKey: after, signal, metadata: this.#metadata };
        for await (const { key, versions } of listTarget(client, options)) {
          yield { key, versions: versions.map((version) => seenOfListed(key, version)) };
          after = key;
          failures = 0;
        }
        return;
      } catch (error) {
        signal.throwIfAborted();
        const isFinal = error instanceof ListingError && error.permanent;
        if (isFinal || ++failures === ATTEMPTS)
          throw new CannotLook(`${this.name}: ${(error as Error).message.replace(/^the target's /, "its ")}`, {
            cause: error,
          });
        await this.#options.clock.sleep(RETRY_MS * failures, signal);
      }
    }
  }

  /** One version as it is now. */
  async look(key: string, versionId: string): Promise<Seen | undefined> {
    for await (const found of this.list("", key)) {
      if (found.key !== key) return undefined;
      return found.versions.find((version) => version.versionId === versionId);
    }
    return undefined;
  }

  /** Versions as a Resilver has them now, by name; in the order of `names`. */
  async lookAll(names: readonly { key: string; versionId: string }[]): Promise<(Seen | undefined)[]> {
    return lookedUp(this.digests(), names);
  }

  /** Metadata and tags where the listing left them out: some servers know no listing with metadata. */
  async complete(seen: Seen | undefined): Promise<Seen | undefined> {
    if (seen?.kind !== "object" || seen.metadata !== undefined) return seen;
    const query = { versionId: seen.versionId };
    const headers = { ...NO_PROXY, [TAGGING_DIRECTIVE]: "ACCESS" };
    const answer = await this.#ask({ method: "HEAD", key: seen.key, query, headers, payload: "hashed" });
    if (answer.status === 404) return undefined;
    const found = answer.status === 200 ? remoteOfHead(answer) : undefined;
    if (found === undefined) throw this.#refused(answer, `${seen.key} (${seen.versionId}) cannot be looked at`);
    const tags = found.tags ?? (await this.#tags(seen));
    return { ...seen, metadata: found.metadata, tags } satisfies SeenObject;
  }

  async #tags({ key, versionId }: Seen): Promise<Tags> {
    const answer = await this.#ask(taggingRequest(key, versionId));
    if (answer.status !== 200) throw this.#refused(answer, `the tags of ${key} (${versionId}) cannot be read`);
    return parseTagging(answer.body);
  }

  /** Reads every byte; `take` gets them in order. Undefined: done; text: why they cannot be read. */
  async read({ key, versionId }: Seen, take: (chunk: Buffer) => void): Promise<string | undefined> {
    const { client, signal } = this.#options;
    const query = { versionId };
    // Repeated by the caller, whose hash has to begin anew.
    const answer = await client.request({
      method: "GET",
      key,
      query,
      headers: NO_PROXY,
      payload: "hashed",
      onData: take,
      signal,
    });
    return answer.status === 200 ? undefined : errorOf(answer).code;
  }

  async #ask(request: TargetRequest): Promise<TargetResponse> {
    const { client, signal, clock } = this.#options;
    for (let attempt = 1; ; attempt++) {
      try {
        const answer = await client.request({ ...request, signal });
        if (!RETRIED.includes(answer.status) || attempt === ATTEMPTS) return answer;
      } catch (error) {
        signal.throwIfAborted();
        if (attempt === ATTEMPTS)
          throw new CannotLook(`${this.name} does not answer: ${(error as Error).message}`, { cause: error });
      }
      await clock.sleep(RETRY_MS * attempt, signal);
      signal.throwIfAborted();
    }
  }

  #refused(answer: TargetResponse, what: string): CannotLook {
    const { code, message } = errorOf(answer);
    return new CannotLook(`${this.name}: ${what}: ${code} (${message})`);
  }
}
