/** Looks whether the keys that objects need work: for the health call, and for the log before an object fails. */
import { hasCode } from "../model/errors.ts";
import type { Logger } from "../observe/log.ts";
import type { Objects } from "../objects/objects.ts";
import type { Clock } from "../runtime/clock.ts";
import { checkKey } from "../storage/keyring/check.ts";
import type { KeyRing } from "../storage/keyring/keyring.ts";
import type { OrderedIndex } from "../storage/index/index.ts";

/** Health calls within this time share one look: a load balancer must not load the key server. */
const FRESH_MS = 2000;

export interface KeyWatchDeps {
  readonly ring: KeyRing;
  readonly index: OrderedIndex;
  readonly objects: Pick<Objects, "buckets" | "encryptedWith">;
  readonly clock: Clock;
  readonly log: Logger;
}

/** One look at the default key, under way or done. */
interface Look {
  /** When it ended, Unix ms. */
  endedMs: number | undefined;
  readonly fault: Promise<Error | undefined>;
}

export class KeyWatch {
  readonly #deps: KeyWatchDeps;
  #last: Look | undefined;
  /** What was logged of each key, so that each change is told once. */
  readonly #told = new Map<string, string>();

  constructor(deps: KeyWatchDeps) {
    this.#deps = deps;
  }

  /** Why nothing can be encrypted with the default key, or read that was; undefined: it can. */
  fault(): Promise<Error | undefined> {
    const { clock, ring } = this.#deps;
    const endedMs = this.#last?.endedMs;
    // A clock that was set back makes nothing fresh; a key server that hangs is not asked again meanwhile.
    const stale = endedMs !== undefined && Math.abs(clock.nowMs() - endedMs) >= FRESH_MS;
    if (this.#last !== undefined && !stale) return this.#last.fault;
    const fault = this.#try(ring.defaultKeyId);
    const last: Look = { endedMs: undefined, fault };
    this.#last = last;
    void fault.then(() => (last.endedMs = clock.nowMs()));
    return fault;
  }

  /** Tries every key that versions are encrypted with, and the default one; tells the log what is new. */
  async step(): Promise<void> {
    const { objects, ring, log } = this.#deps;
    const keys = new Set([ring.defaultKeyId]);
    for (const bucket of await objects.buckets()) {
      for (const { keyId, versions } of await objects.encryptedWith(bucket))
        if (keyId !== undefined && versions > 0) keys.add(keyId);
    }
    for (const key of keys) {
      const error = await this.#try(key);
      const now = error?.message ?? "";
      if (now === (this.#told.get(key) ?? "")) continue;
      this.#told.set(key, now);
      if (error === undefined) log.info("an encryption key works again", { key });
      else log.warn("objects cannot be encrypted or read: an encryption key does not work", { key, error: now });
    }
  }

  async #try(keyId: string): Promise<Error | undefined> {
    try {
      await checkKey(this.#deps.ring, this.#deps.index, keyId);
      return undefined;
    } catch (error) {
      return error instanceof Error ? error : new Error(String(error));
    }
  }
}

/** What stands in the health answer: the code of a failure that clients would see as well. */
export function codeOf(error: Error | undefined): string | undefined {
  if (error === undefined) return undefined;
  const told = hasCode(error, "KMS.NotFoundException", "KMS.InvalidCiphertextException", "KMS.AccessDeniedException");
  return told ? error.code : "XResilverKeyServerUnavailable";
}
