/** What the calling thread and a pump thread say to each other. `body` numbers the bodies of one thread. */
import type { DigestOptions } from "./digests.ts";
import type { PumpedFile } from "./pump.ts";

/** Bytes in shared memory to hash and write. Slabs come back in any order, so `number` names each. */
export interface Slab {
  readonly number: number;
  readonly bytes: Uint8Array;
}

export type ToPump =
  | { readonly kind: "open"; readonly body: number; readonly path: string; readonly options: DigestOptions }
  | { readonly kind: "slab"; readonly body: number; readonly slab: Slab }
  | { readonly kind: "end"; readonly body: number }
  | { readonly kind: "abort"; readonly body: number };

export type FromPump =
  /** The slab was hashed and written (or dropped, after a failure): its memory may be used again. */
  | { readonly kind: "freed"; readonly body: number; readonly slab: number }
  | { readonly kind: "done"; readonly body: number; readonly file: PumpedFile }
  | { readonly kind: "aborted"; readonly body: number }
  | { readonly kind: "failed"; readonly body: number; readonly code: string | undefined; readonly message: string };
