/** The endpoints of one target as one: whatever is asked goes to the first that answers its health call. */
import type { Away, Endpoint, HealthView } from "./health.ts";
import type { TargetClient } from "./wire.ts";

export class Link {
  readonly endpoints: readonly Endpoint[];
  readonly #sourceSite: string;

  /**
   * At least one; the order is the preference. `sourceSite`: where the target's bucket is the source bucket itself, so
   * that what is sent there would count as replicated and be nowhere else; empty: nowhere.
   */
  constructor(endpoints: readonly Endpoint[], sourceSite: string) {
    this.endpoints = endpoints;
    this.#sourceSite = sourceSite;
  }

  #isUsable(endpoint: Endpoint): boolean {
    return endpoint.isOpenForWork && (this.#sourceSite === "" || endpoint.site !== this.#sourceSite);
  }

  /** Position of the endpoint that requests go to now. */
  get currentIndex(): number {
    const open = this.endpoints.findIndex((endpoint) => this.#isUsable(endpoint));
    return Math.max(open, 0);
  }

  get #current(): Endpoint {
    return this.endpoints[this.currentIndex] as Endpoint;
  }

  /** Requests may go out. */
  get isOpenForWork(): boolean {
    return this.endpoints.some((endpoint) => this.#isUsable(endpoint));
  }

  /** Requests may go out, and it is known to whom: a name or an address may lead to another site than yesterday. */
  get isKnownAndOpen(): boolean {
    return this.isOpenForWork && this.#current.site !== undefined;
  }

  /** All that answers is the source itself. */
  get leadsHome(): boolean {
    return !this.isOpenForWork && this.#sourceSite !== "" && this.#current.site === this.#sourceSite;
  }

  /** Protocol version when the endpoint in use is this program. */
  get resilver(): string | undefined {
    return this.#current.resilver;
  }

  /** What the endpoint in use says of itself; empty: it never answered. */
  get identity(): string {
    return this.#current.identity;
  }

  /** Another word: the endpoint in use was away, is another program, or, where that can be told, another site. */
  get presence(): string {
    const { identity, resilver, site, offlineCount } = this.#current;
    return `${identity} ${offlineCount} ${resilver === undefined ? "" : site}`;
  }

  /** Called whenever one of the endpoints comes back. Returns the way to stop listening. */
  onOnline(listener: () => void): () => void {
    const stops = this.endpoints.map((endpoint) => endpoint.onOnline(listener));
    return () => {
      for (const stop of stops) stop();
    };
  }

  /** Online while one endpoint is; times and latency are those of the one in use. */
  view(): HealthView {
    const { away, ...view } = this.#current.view();
    if (this.isOpenForWork) return { ...view, isOnline: true };
    const home: Away = { sinceMs: view.lastOnlineMs, why: "what answers at its address is this very site" };
    return { ...view, isOnline: false, away: this.leadsHome ? home : away };
  }

  /** The same, but never a guess. */
  async known(): Promise<HealthView> {
    await Promise.all(this.endpoints.map((endpoint) => endpoint.known()));
    return this.view();
  }

  /** A request got no answer: asks the endpoint that it went to whether it lives. False: it, or another, is tried later. */
  async confirm(): Promise<boolean> {
    const current = this.#current;
    return (await current.confirm()) && this.#isUsable(current);
  }
}

/** Clients of the same target at each endpoint of `link`, as one. */
export function failoverClient(clients: readonly TargetClient[], link: Link): TargetClient {
  const [first] = clients as [TargetClient];
  if (clients.length === 1) return first;
  const current = (): TargetClient => clients[link.currentIndex] as TargetClient;
  return {
    bucket: first.bucket,
    request: (request) => current().request(request),
    open: (request, timeoutMs) => current().open(request, timeoutMs),
    probe: (path, timeoutMs) => current().probe(path, timeoutMs),
    async close() {
      await Promise.all(clients.map((client) => client.close()));
    },
  };
}
