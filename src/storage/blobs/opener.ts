/**
 * How packages of sealed files are opened: on the calling thread, or on threads of their own, where opening runs beside
 * the sending of the piece before, and what it leaves to the collector is not in the way of requests.
 */
import { borrow, giveBack } from "./read.ts";
import { CLOSING_BYTES, Opener } from "./seal.ts";

/** Packages to open. */
export interface OpenJob {
  readonly key: Uint8Array;
  /** Number of the first package in `sealed`. */
  readonly first: number;
  /** Whole packages, and behind them the closing tag when `closes` is given. */
  readonly sealed: Buffer;
  readonly out: Buffer;
  /** Plain bytes of the whole blob: the last of its packages is in `sealed`. */
  readonly closes: number | undefined;
}

export interface PackageOpener {
  /** Memory for a piece, sealed or plain, that `open` can work on. */
  borrow(): Buffer;
  giveBack(memory: Buffer): void;
  /** False: the packages are not what was sealed, and `out` holds nothing of use. */
  open(job: OpenJob): Promise<boolean>;
  close(): Promise<void>;
}

/** Does a job. */
export function openNow({ key, first, sealed, out, closes }: OpenJob): boolean {
  const opener = new Opener(key);
  if (closes === undefined) return opener.packages(first, sealed, out);
  const end = sealed.length - CLOSING_BYTES;
  return opener.packages(first, sealed.subarray(0, end), out) && opener.closing(closes, sealed.subarray(end));
}

/** On the calling thread. */
export function inlineOpener(): PackageOpener {
  return { borrow, giveBack, open: (job) => Promise.resolve(openNow(job)), close: () => Promise.resolve() };
}
