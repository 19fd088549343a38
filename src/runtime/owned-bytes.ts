/**
 * Memory of buffers that is given back by hand. What passes through a busy server would otherwise wait for the collector,
 * which marks the whole heap each time some MiB of it have gathered.
 */

/** Frees the memory of `piece`, unless it shares it with others. After that it has no bytes; once more does nothing. */
export function freeMemory(piece: Uint8Array): void {
  const { buffer } = piece;
  if (piece.length > 0 && piece.length === buffer.byteLength && buffer instanceof ArrayBuffer) buffer.transfer(0);
}

/** Bytes that are their holder's alone. */
export class OwnedBytes {
  readonly bytes: Buffer;
  readonly #memory: Buffer;

  /** `memory`: the buffer that `bytes` lies in. */
  constructor(bytes: Buffer, memory: Buffer = bytes) {
    this.bytes = bytes;
    this.#memory = memory;
  }

  /** Neither `bytes` nor a view of them may be used after this. */
  free(): void {
    freeMemory(this.#memory);
  }
}
