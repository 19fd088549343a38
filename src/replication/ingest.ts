/**
 * Small versions to a target of our own in company: what is ready while requests are under way goes out together with
 * the next one, as commits do in the index. Each version has a result of its own, as if it had been sent alone.
 */
import {
  decodeIngestResults,
  encodeIngestItem,
  INGEST_BYTES_MAX,
  INGEST_ITEMS_MAX,
  INGEST_PATH,
  type IngestItem,
  type IngestResult,
} from "../protocol/ingest.ts";
import { ERROR_CODE, ERROR_DESC, RESILVER_PURGED } from "../protocol/replication-headers.ts";
import { INGEST_REQUESTS_MAX } from "./limits.ts";
import type { TargetClient, TargetResponse } from "./wire.ts";

interface Waiting {
  readonly pieces: readonly [Buffer, Buffer];
  readonly resolve: (answer: TargetResponse) => void;
  readonly reject: (error: unknown) => void;
}

/** One request. */
interface Batch {
  readonly pieces: readonly Buffer[];
  readonly count: number;
  readonly answered: (answer: TargetResponse, results: IngestResult[] | undefined) => void;
  readonly failed: (error: unknown) => void;
}

const NO_BODY = Buffer.alloc(0);

export class Ingest {
  readonly #client: TargetClient;
  /** The endpoint is known to be ours, now. */
  readonly #spoken: () => boolean;
  #queue: Waiting[] = [];
  #batches: Batch[] = [];
  #gatheredLast = false;
  #running = 0;
  #planned = false;
  /** The target is of ours but older: it answered that it knows no such call. */
  #refused = false;

  constructor(client: TargetClient, spoken: () => boolean) {
    this.#client = client;
    this.#spoken = spoken;
  }

  get isSpoken(): boolean {
    return !this.#refused && this.#spoken();
  }

  /** The answer to this version alone. Rejects when no answer came. */
  put(item: IngestItem): Promise<TargetResponse> {
    return new Promise((resolve, reject) => {
      this.#queue.push({ pieces: encodeIngestItem(item), resolve, reject });
      this.#plan();
    });
  }

  /**
   * A whole request: `pieces` are those of `count` items, within the limits of one. Their results; undefined when there is
   * no answer that tells of each; "not spoken" when the target knows no such call. Never rejects.
   */
  putAll(pieces: readonly Buffer[], count: number): Promise<IngestResult[] | "not spoken" | undefined> {
    return new Promise((resolve) => {
      this.#batches.push({
        pieces,
        count,
        answered: (_answer, results) => resolve(this.#refused ? "not spoken" : results),
        failed: () => resolve(undefined),
      });
      this.#plan();
    });
  }

  /** After the code that runs now, with what else it makes ready. What comes while requests are out waits for one's end. */
  #plan(): void {
    if (this.#planned || this.#running >= INGEST_REQUESTS_MAX) return;
    this.#planned = true;
    queueMicrotask(() => {
      this.#planned = false;
      while (this.#running < INGEST_REQUESTS_MAX) {
        const batch = this.#next();
        if (batch === undefined) return;
        void this.#send(batch);
      }
    });
  }

  /** What came one by one and whole requests take turns, so that neither waits for the end of the other. */
  #next(): Batch | undefined {
    const gathers = this.#queue.length > 0 && (this.#batches.length === 0 || !this.#gatheredLast);
    this.#gatheredLast = gathers;
    return gathers ? this.#gathered() : this.#batches.shift();
  }

  /** As many as fit into one request. */
  #gathered(): Batch {
    let bytes = 0;
    let count = 0;
    for (const { pieces } of this.#queue) {
      bytes += pieces[0].length + pieces[1].length;
      if (count === INGEST_ITEMS_MAX || (count > 0 && bytes > INGEST_BYTES_MAX)) break;
      count++;
    }
    const taken = this.#queue.splice(0, count);
    return {
      pieces: taken.flatMap(({ pieces }) => pieces),
      count,
      answered: (answer, results) => {
        // 200 without a result for each item says nothing of any.
        const others = answer.status === 200 ? answerOf({ status: 502, code: "BadAnswer" }) : answer;
        for (const [at, waiting] of taken.entries())
          waiting.resolve(results === undefined ? others : answerOf(results[at] as IngestResult));
      },
      failed: (error) => {
        for (const waiting of taken) waiting.reject(error);
      },
    };
  }

  async #send(batch: Batch): Promise<void> {
    this.#running++;
    try {
      const answer = await this.#client.request({
        method: "POST",
        path: INGEST_PATH,
        query: { bucket: this.#client.bucket },
        body: Buffer.concat(batch.pieces),
        payload: "hashed",
      });
      if (answer.status === 501 || answer.status === 404) this.#refused = true;
      batch.answered(answer, answer.status === 200 ? decodeIngestResults(answer.body, batch.count) : undefined);
    } catch (error) {
      batch.failed(error);
    } finally {
      this.#running--;
      if (this.#queue.length > 0 || this.#batches.length > 0) this.#plan();
    }
  }
}

/** A result in the form of the answer that a request of its own would have had. */
function answerOf({ status, code, message, purged }: IngestResult): TargetResponse {
  const headers: Record<string, string> = {};
  if (code !== undefined) headers[ERROR_CODE] = code;
  if (message !== undefined) headers[ERROR_DESC] = message;
  if (purged !== undefined) headers[RESILVER_PURGED] = purged;
  return { status, headers, body: NO_BODY };
}
