/** What the calling thread and a pump thread say to each other. `body` numbers the bodies of one thread. */
import type { DigestOptions } from "./digests.ts";
import type { PumpedFile } from "./pump.ts";

export type ToPump =
  | { readonly kind: "open"; readonly body: number; readonly path: string; readonly options: DigestOptions }
  | { readonly kind: "slab"; readonly body: number; readonly slab: SharedArrayBuffer; readonly length: number }
  | { readonly kind: "end"; readonly body: number }
  | { readonly kind: "abort"; readonly body: number };

export type FromPump =
  /** The oldest slab of the body was hashed and written (or dropped, after a failure). */
  | { readonly kind: "freed"; readonly body: number }
  | { readonly kind: "done"; readonly body: number; readonly file: PumpedFile }
  | { readonly kind: "aborted"; readonly body: number }
  | { readonly kind: "failed"; readonly body: number; readonly code: string | undefined; readonly message: string };
