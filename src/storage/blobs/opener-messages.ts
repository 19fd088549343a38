/** What the calling thread and an opening thread say to each other. */

export interface ToOpener {
  readonly job: number;
  readonly key: Uint8Array;
  readonly first: number;
  readonly sealed: SharedArrayBuffer;
  readonly sealedLength: number;
  readonly out: SharedArrayBuffer;
  readonly outLength: number;
  readonly closes: number | undefined;
}

export interface FromOpener {
  readonly job: number;
  readonly good: boolean;
}
