/** Trying again, for callers that wait for the result (the command line). Replication has queues of its own instead. */
import type { Clock } from "../runtime/clock.ts";
import type { Random } from "../runtime/random.ts";
import { NetworkError, S3ResponseError } from "./errors.ts";

export interface RetryOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** Attempts in all; default 5. */
  readonly attempts?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

const ATTEMPTS = 5;
const FIRST_WAIT_MS = 200;
const WAIT_MS_MAX = 10_000;

/** s3-api.md 21: what clients of S3 repeat. */
const STATUSES = new Set([408, 429, 499, 500, 502, 503, 504, 520]);
const CODES = new Set(["RequestError", "RequestTimeout", "Throttling", "ThrottlingException", "RequestLimitExceeded"]);

/** True when the same call may succeed later. */
export function isRetryable(error: unknown): boolean {
  if (error instanceof NetworkError) return true;
  return error instanceof S3ResponseError && (STATUSES.has(error.status) || CODES.has(error.code));
}

/** Longest wait before attempt `next` (2, 3, ...): doubles each time. */
export function retryWaitMs(next: number): number {
  return Math.min(WAIT_MS_MAX, FIRST_WAIT_MS * 2 ** (next - 2));
}

/**
 * Runs `work` until it succeeds, fails for good, or the attempts are used up; then throws its last error. Between
 * attempts a random part of a doubling wait passes, so that many clients do not come back at once.
 */
export async function withRetry<T>(work: (attempt: number) => Promise<T>, options: RetryOptions): Promise<T> {
  const attempts = options.attempts ?? ATTEMPTS;
  for (let attempt = 1; ; attempt++) {
    try {
      return await work(attempt);
    } catch (error) {
      if (attempt >= attempts || !isRetryable(error) || options.signal?.aborted) throw error;
      const share = options.random.bytes(4).readUInt32BE() / 2 ** 32;
      await options.clock.sleep(retryWaitMs(attempt + 1) * share, options.signal);
      if (options.signal?.aborted) throw error;
    }
  }
}
