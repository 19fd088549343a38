/** Bytes that come in pieces whose size a stranger chooses. */

/** More pieces than this are copied together: an object for each byte takes a hundred times the memory of the byte. */
const PIECES_MAX = 256;
const NO_BYTES = Buffer.alloc(0);

/** Gathers pieces into one buffer; the work is in proportion to the bytes, however small the pieces are. */
export class PiecedBytes {
  #length = 0;
  #pieces: Buffer[] = [];
  /** What was copied together lies at its beginning. */
  #copied = NO_BYTES;
  #copiedLength = 0;

  get length(): number {
    return this.#length;
  }

  add(piece: Buffer): void {
    this.#length += piece.length;
    this.#pieces.push(piece);
    if (this.#pieces.length >= PIECES_MAX) this.#copy();
  }

  clear(): void {
    this.#length = 0;
    this.#pieces = [];
    this.#copied = NO_BYTES;
    this.#copiedLength = 0;
  }

  /** All of them; a single piece as it came. */
  whole(): Buffer {
    if (this.#copiedLength === 0 && this.#pieces.length === 1) return this.#pieces[0] as Buffer;
    this.#copy();
    return this.#copied.subarray(0, this.#copiedLength);
  }

  #copy(): void {
    if (this.#copied.length < this.#length) {
      const room = this.#copiedLength === 0 ? this.#length : Math.max(this.#length, 2 * this.#copied.length);
      const next = Buffer.allocUnsafeSlow(room);
      this.#copied.copy(next, 0, 0, this.#copiedLength);
      this.#copied = next;
    }
    for (const piece of this.#pieces) this.#copiedLength += piece.copy(this.#copied, this.#copiedLength);
    this.#pieces.length = 0;
  }
}
