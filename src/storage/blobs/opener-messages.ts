/** What the calling thread and an opening thread say to each other. */

export interface ToOpener {
  readonly job: number;
  readonly key: Uint8Array;
  /** At its beginning are whole packages, and behind them the closing tag when `closes` is given: `length` bytes. */
  readonly memory: SharedArrayBuffer;
  readonly length: number;
  /** Where in the blob the packages begin, stored bytes. */
  readonly position: number;
  /** Plain bytes of the whole blob: the last of its packages is among these. */
  readonly closes: number | undefined;
}

export interface FromOpener {
  readonly job: number;
  /** False: the packages are not what was sealed, and the memory holds nothing of use. */
  readonly good: boolean;
}
