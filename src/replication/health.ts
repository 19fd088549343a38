/**
 * Health of the endpoints that targets live on: a probe every few seconds and a circuit breaker that closes by itself.
 * While it is open nothing is read from a change log and nothing is sent.
 */
import type { Clock } from "../runtime/clock.ts";
import { Waker } from "../runtime/waker.ts";
import { RESILVER } from "../protocol/replication-headers.ts";
import { PROBE_FIRST_MS, PROBE_INTERVAL_MS, PROBE_TIMEOUT_MS } from "./limits.ts";
import type { TargetClient } from "./wire.ts";

const NS_PER_MS = 1_000_000;

/** Nothing is sent to a target, since when and why. */
export interface Away {
  /** Milliseconds since the epoch: when it was noticed. */
  readonly sinceMs: number;
  readonly why: string;
}

export interface HealthView {
  readonly isOnline: boolean;
  /** Absent while it is online. */
  readonly away?: Away | undefined;
  /** Milliseconds since the epoch; 0: never. */
  readonly lastOnlineMs: number;
  readonly totalDowntimeMs: number;
  readonly offlineCount: number;
  /** Nanoseconds. */
  readonly latency: { readonly curr: number; readonly avg: number; readonly max: number };
}

/** One endpoint (scheme, host, port), shared by every target on it. */
export class Endpoint {
  readonly name: string;
  readonly #clock: Clock;
  #client: TargetClient;
  #state: "closed" | "open" = "closed";
  #lastOnlineMs = 0;
  #downSinceMs = 0;
  #downWhy = "";
  #downtimeMs = 0;
  #offlineCount = 0;
  #latency = { curr: 0, sum: 0, count: 0, max: 0 };
  #resilver: string | undefined;
  #probing: Promise<boolean> | undefined;
  #asked = false;
  #identity = "";
  #site: string | undefined;
  #stopped = new AbortController();
  readonly #waker = new Waker();
  readonly #listeners = new Set<() => void>();

  constructor(name: string, client: TargetClient, clock: Clock) {
    this.name = name;
    this.#client = client;
    this.#clock = clock;
  }

  /** The client whose connection probes go over: replaced when credentials change. */
  use(client: TargetClient): void {
    this.#client = client;
  }

  /** Requests may go out. */
  get isOpenForWork(): boolean {
    return this.#state === "closed";
  }

  /** Protocol version when the endpoint is this program, as the last probe said. */
  get resilver(): string | undefined {
    return this.#resilver;
  }

  /** What the endpoint says of itself: another word means another program. Empty: it never answered. */
  get identity(): string {
    return this.#identity;
  }

  /** Id of the site that answered last, as its `x-amz-id-2`; undefined: none did yet. */
  get site(): string | undefined {
    return this.#site;
  }

  /** How often it went away. */
  get offlineCount(): number {
    return this.#offlineCount;
  }

  /** Called whenever the endpoint comes back, or another site answers there. Returns the way to stop listening. */
  onOnline(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** The same as `view`, but never a guess: the first question asks the endpoint. */
  async known(): Promise<HealthView> {
    if (!this.#asked) await this.probe();
    return this.view();
  }

  view(): HealthView {
    const down = this.#state === "open" ? this.#clock.nowMs() - this.#downSinceMs : 0;
    const { curr, sum, count, max } = this.#latency;
    return {
      isOnline: this.#state === "closed",
      away: this.#state === "open" ? { sinceMs: this.#downSinceMs, why: this.#downWhy } : undefined,
      lastOnlineMs: this.#lastOnlineMs,
      totalDowntimeMs: this.#downtimeMs + down,
      offlineCount: this.#offlineCount,
      latency: { curr, avg: count === 0 ? 0 : Math.round(sum / count), max },
    };
  }

  /** A request got no answer: asks the endpoint at once whether it lives. True: it does, so the fault was the request's. */
  confirm(): Promise<boolean> {
    return this.probe();
  }

  /** One probe; calls made meanwhile share it. */
  probe(): Promise<boolean> {
    this.#probing ??= this.#probeOnce().finally(() => {
      this.#probing = undefined;
    });
    return this.#probing;
  }

  async #probeOnce(): Promise<boolean> {
    const started = this.#clock.nowNs();
    let alive = false;
    const siteBefore = this.#site;
    try {
      const answer = await this.#client.probe("/minio/health/live", PROBE_TIMEOUT_MS);
      alive = answer.status === 200 && answer.headers["x-minio-server-status"] !== "offline";
      this.#downWhy = `its health call answers ${answer.status === 200 ? "that it is offline" : answer.status}`;
      if (alive) {
        this.#resilver = answer.headers[RESILVER];
        this.#site = answer.headers["x-amz-id-2"] ?? "";
        this.#identity = `${answer.headers["server"] ?? "?"}/${this.#resilver ?? "-"}`;
      }
    } catch (error) {
      this.#downWhy = error instanceof Error ? error.message : String(error);
    }
    this.#asked = true;
    if (alive) this.#measured(Number(this.#clock.nowNs() - started));
    this.#set(alive, this.#site !== siteBefore);
    return alive;
  }

  #measured(ns: number): void {
    this.#lastOnlineMs = this.#clock.nowMs();
    this.#latency = {
      curr: ns,
      sum: this.#latency.sum + ns,
      count: this.#latency.count + 1,
      max: Math.max(this.#latency.max, ns),
    };
  }

  #set(alive: boolean, isAnother: boolean): void {
    if (!alive && this.#state === "closed") {
      this.#state = "open";
      this.#offlineCount++;
      this.#downSinceMs = this.#clock.nowMs();
      // The loop is in its long sleep: from now on it asks often.
      this.#waker.wake();
    } else if (alive && (this.#state === "open" || isAnother)) {
      if (this.#state === "open") this.#downtimeMs += this.#clock.nowMs() - this.#downSinceMs;
      this.#state = "closed";
      for (const listener of this.#listeners) listener();
    }
  }

  /** Probes until `stop`: seldom while all is well, soon and then ever less often while it is down. */
  async run(): Promise<void> {
    let waitMs = 0;
    while (!this.#stopped.signal.aborted) {
      const woken = await this.#waker.sleep(this.#clock, waitMs, this.#stopped.signal);
      if (this.#stopped.signal.aborted) return;
      const alive = woken ? false : await this.probe();
      if (alive) waitMs = PROBE_INTERVAL_MS;
      else
        waitMs =
          woken || waitMs >= PROBE_INTERVAL_MS
            ? PROBE_FIRST_MS
            : Math.min(Math.max(waitMs, PROBE_FIRST_MS) * 2, PROBE_INTERVAL_MS - 1);
    }
  }

  stop(): void {
    this.#stopped.abort();
  }
}

export const msToNs = (ms: number): number => Math.round(ms * NS_PER_MS);
