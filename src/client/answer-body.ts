/** Bodies of answers, gathered: of a told length, in chunks, or up to the end of the connection (RFC 9112, 6 and 7). */

/** Gathered answers lie in memory: larger ones are for streams. */
const BODY_BYTES_MAX = 64 * 1024 * 1024;
/** The line before a chunk, and all trailers. */
const LINES_BYTES_MAX = 16 * 1024;
const LENGTH = /^\d{1,15}$/;
const CHUNK_SIZE = /^([0-9a-f]{1,12})[ \t]*(?:;|$)/i;
const NEWLINE = 10;

/** What came is no answer of HTTP/1.1, or none that may be gathered. */
export class AnswerError extends Error {
  override name = "AnswerError";
  readonly code = "HTTP_BAD_ANSWER";
}

export interface GatheredBody {
  /** Takes what came from `at` on; the place behind the body's end, or below 0: more is to come. Throws AnswerError. */
  push(bytes: Buffer, at: number): number;
  /** All of it. */
  bytes(): Buffer;
  readonly endsWithConnection: boolean;
}

/** Undefined: there is none. Throws AnswerError for a length that is none, or more than one way of telling the end. */
export function bodyFor(framing: {
  readonly status: number;
  readonly length: string | undefined;
  readonly transfer: string | undefined;
}): GatheredBody | undefined {
  const { status, length, transfer } = framing;
  if (status === 204 || status === 304) return undefined;
  if (transfer !== undefined) {
    if (length !== undefined || transfer.toLowerCase() !== "chunked")
      throw new AnswerError("the end of the answer cannot be told");
    return new ChunkedBody();
  }
  if (length === undefined) return new OpenBody();
  if (!LENGTH.test(length)) throw new AnswerError("the answer's length is none");
  return length === "0" ? undefined : new SizedBody(Number(length));
}

/** Copies of what came. */
class Pieces {
  readonly #pieces: Buffer[] = [];
  #length = 0;

  add(bytes: Buffer, from: number, to: number): void {
    if (from >= to) return;
    this.#length += to - from;
    if (this.#length > BODY_BYTES_MAX) throw new AnswerError("the answer is too long to be gathered");
    this.#pieces.push(Buffer.from(bytes.subarray(from, to)));
  }

  bytes(): Buffer {
    return this.#pieces.length === 1 ? (this.#pieces[0] as Buffer) : Buffer.concat(this.#pieces, this.#length);
  }
}

class SizedBody implements GatheredBody {
  readonly endsWithConnection = false;
  readonly #pieces = new Pieces();
  #left: number;

  constructor(length: number) {
    this.#left = length;
  }

  push(bytes: Buffer, at: number): number {
    const end = Math.min(bytes.length, at + this.#left);
    this.#pieces.add(bytes, at, end);
    this.#left -= end - at;
    return this.#left === 0 ? end : -1;
  }

  bytes(): Buffer {
    return this.#pieces.bytes();
  }
}

class OpenBody implements GatheredBody {
  readonly endsWithConnection = true;
  readonly #pieces = new Pieces();

  push(bytes: Buffer, at: number): number {
    this.#pieces.add(bytes, at, bytes.length);
    return -1;
  }

  bytes(): Buffer {
    return this.#pieces.bytes();
  }
}

class ChunkedBody implements GatheredBody {
  readonly endsWithConnection = false;
  readonly #pieces = new Pieces();
  #awaits: "size" | "data" | "data-end" | "trailer" = "size";
  #left = 0;
  /** Of a line that goes on in what comes next. */
  #partial = "";
  #linesBytes = 0;

  push(bytes: Buffer, start: number): number {
    let at = start;
    while (at < bytes.length) {
      if (this.#awaits === "data") {
        const end = Math.min(bytes.length, at + this.#left);
        this.#pieces.add(bytes, at, end);
        this.#left -= end - at;
        at = end;
        if (this.#left === 0) this.#awaits = "data-end";
        continue;
      }
      const newline = bytes.indexOf(NEWLINE, at);
      const end = newline < 0 ? bytes.length : newline + 1;
      this.#linesBytes += end - at;
      if (this.#linesBytes > LINES_BYTES_MAX)
        throw new AnswerError("a chunk of the answer begins with too long a line");
      this.#partial += bytes.toString("latin1", at, end);
      at = end;
      if (newline >= 0 && this.#takeLine()) return at;
    }
    return -1;
  }

  bytes(): Buffer {
    return this.#pieces.bytes();
  }

  /** True: it was the last one. */
  #takeLine(): boolean {
    if (!this.#partial.endsWith("\r\n")) throw new AnswerError("a chunk of the answer is malformed");
    const line = this.#partial.slice(0, -2);
    this.#partial = "";
    if (this.#awaits === "trailer") return line === "";
    this.#linesBytes = 0;
    if (this.#awaits === "data-end") {
      if (line !== "") throw new AnswerError("a chunk of the answer is longer than it says");
      this.#awaits = "size";
      return false;
    }
    const size = CHUNK_SIZE.exec(line)?.[1];
    if (size === undefined) throw new AnswerError("a chunk of the answer is malformed");
    this.#left = Number.parseInt(size, 16);
    this.#awaits = this.#left === 0 ? "trailer" : "data";
    return false;
  }
}
