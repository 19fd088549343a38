/**
 * Background work gives way to clients. What goes through a million versions in one process with those who serve clients
 * stops after every few of them (`sleep(0)` of its clock): then the event loop turns, and while clients are being served
 * it turns a while longer. What has several requests to others under way asks `clientsAreServed` for how many.
 */
import type { Clock } from "./clock.ts";

/** What background work leaves to clients between two pieces of its own, which take a good deal less than this. */
const PAUSE_MS = 2;
/** A client's next request often follows on its last: so long after one, clients are still being served. */
const STILL_SERVED_MS = 25;

/** The requests of clients in this process. */
export class Clients {
  #served = 0;
  #lastMs = Number.NEGATIVE_INFINITY;

  begin(): void {
    this.#served++;
  }

  /** `nowMs`: of the clock that `areServed` is asked with. */
  end(nowMs: number): void {
    this.#served--;
    this.#lastMs = nowMs;
  }

  areServed(nowMs: number): boolean {
    // A clock that was set back says nothing of how long ago it was.
    return this.#served > 0 || (nowMs >= this.#lastMs && nowMs - this.#lastMs < STILL_SERVED_MS);
  }
}

/** `clock`, which knows of the clients, with a `sleep(0)` of which one ends at a time, in the order of asking, and later while clients are served. */
export function givingWay(clock: Clock, clients: Clients): Clock {
  let last = Promise.resolve();
  const clientsAreServed = (): boolean => clients.areServed(clock.nowMs());
  const turn = (): Promise<void> => clock.sleep(clientsAreServed() ? PAUSE_MS : 0);
  return {
    nowNs: () => clock.nowNs(),
    nowMs: () => clock.nowMs(),
    sleep: (ms, signal) => (ms > 0 ? clock.sleep(ms, signal) : (last = last.then(turn))),
    clientsAreServed,
  };
}
