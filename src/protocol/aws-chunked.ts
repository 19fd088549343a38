/**
 * Bodies in `aws-chunked` coding (s3-api.md 2.7): decoded incrementally, any split of the incoming buffers, data
 * sliced and never copied. Pieces are yielded before their chunk's signature is known: callers store nothing unless
 * the stream ends well.
 */
import { createHash, type Hash } from "node:crypto";
import { StoreError } from "../model/errors.ts";
import { assert } from "../runtime/assert.ts";
import { EMPTY_SHA256, hmacHex } from "./sigv4-canonical.ts";
import { equalText, type ChunkSigning } from "./sigv4.ts";

export type ChunkedMode = "signed" | "signed-trailer" | "unsigned-trailer";

/** Value of `x-amz-content-sha256` that asks for each mode. */
export const STREAMING_HASHES: Readonly<Record<ChunkedMode, string>> = {
  signed: "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
  "signed-trailer": "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
  "unsigned-trailer": "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
};

/** The mode that a payload hash asks for; undefined for all others. */
export function chunkedMode(payloadHash: string): ChunkedMode | undefined {
  switch (payloadHash) {
    case STREAMING_HASHES.signed:
      return "signed";
    case STREAMING_HASHES["signed-trailer"]:
      return "signed-trailer";
    case STREAMING_HASHES["unsigned-trailer"]:
      return "unsigned-trailer";
    default:
      return undefined;
  }
}

export interface ChunkedOptions {
  readonly mode: ChunkedMode;
  /** `x-amz-decoded-content-length`; undefined when not sent. */
  readonly decodedLength: number | undefined;
  /** Needed by the signed modes (`chunkSigning` of the verified request). */
  readonly signing?: ChunkSigning | undefined;
  /** Lower-case names announced by `x-amz-trailer`. */
  readonly trailerNames: readonly string[];
}

export interface DecodedChunks {
  readonly stream: AsyncIterable<Buffer>;
  /** Trailers by lower-case name; complete once the stream has ended. */
  trailers(): Record<string, string>;
}

const CHUNK_BYTES_MAX = 16 * 1024 * 1024;
const LINE_BYTES_MAX = 4096;
const TRAILER_LINES_MAX = 64;
const TRAILER_SIGNATURE = "x-amz-trailer-signature";
const CHUNK_SIGNATURE = ";chunk-signature=";
const LF = 10;
const CR = 13;

function malformed(what: string): StoreError {
  return new StoreError("BadRequest", { message: `The aws-chunked body is malformed: ${what}` });
}

/** Hands out lines and slices of a stream of buffers. */
class Source {
  readonly #iterator: AsyncIterator<Buffer>;
  #buffer: Buffer = Buffer.alloc(0);
  #at = 0;

  constructor(body: AsyncIterable<Buffer>) {
    this.#iterator = body[Symbol.asyncIterator]();
  }

  /** False at the end of the body. */
  async #fill(): Promise<boolean> {
    while (this.#at === this.#buffer.length) {
      const next = await this.#iterator.next();
      if (next.done) return false;
      this.#buffer = next.value;
      this.#at = 0;
    }
    return true;
  }

  /** A line without its CRLF or LF; undefined when the body ends before its first byte. */
  async line(): Promise<string | undefined> {
    let text = "";
    for (;;) {
      if (!(await this.#fill())) {
        if (text === "") return undefined;
        throw new StoreError("IncompleteBody");
      }
      const end = this.#buffer.indexOf(LF, this.#at);
      const stop = end < 0 ? this.#buffer.length : end;
      if (text.length + stop - this.#at > LINE_BYTES_MAX) throw malformed("a line is too long");
      text += this.#buffer.toString("latin1", this.#at, stop);
      this.#at = end < 0 ? stop : end + 1;
      if (end < 0) continue;
      return text.charCodeAt(text.length - 1) === CR ? text.slice(0, -1) : text;
    }
  }

  /** What is at hand, at most `max` bytes and at least one. */
  async piece(max: number): Promise<Buffer> {
    if (!(await this.#fill())) throw new StoreError("IncompleteBody");
    const end = Math.min(this.#at + max, this.#buffer.length);
    const piece = this.#buffer.subarray(this.#at, end);
    this.#at = end;
    return piece;
  }

  /** Reads to the end, where only line ends may follow. */
  async finish(): Promise<void> {
    while (await this.#fill()) {
      for (; this.#at < this.#buffer.length; this.#at++) {
        const byte = this.#buffer[this.#at];
        if (byte !== LF && byte !== CR) throw malformed("bytes after the last chunk");
      }
    }
  }

  /** Tells the body that nobody reads on. */
  async close(): Promise<void> {
    await this.#iterator.return?.();
  }
}

interface ChunkHeader {
  readonly size: number;
  readonly signature: string | undefined;
}

/** Without blanks and tabs at its ends: other white space is a wrong byte. */
const trimmed = (text: string): string => text.replace(/^[ \t]+|[ \t]+$/g, "");

function parseChunkHeader(line: string): ChunkHeader {
  const semicolon = line.indexOf(";");
  const hex = trimmed(semicolon < 0 ? line : line.slice(0, semicolon));
  if (!/^[0-9a-fA-F]{1,16}$/.test(hex)) throw malformed("a chunk size is no hexadecimal number");
  const size = Number.parseInt(hex, 16);
  if (size > CHUNK_BYTES_MAX) throw malformed("a chunk is larger than 16 MiB");
  const signature = semicolon >= 0 && line.startsWith(CHUNK_SIGNATURE, semicolon);
  return { size, signature: signature ? line.slice(semicolon + CHUNK_SIGNATURE.length) : undefined };
}

/** The chain of chunk signatures, each over the one before. */
class SignatureChain {
  readonly #signing: ChunkSigning;
  #previous: string;

  constructor(signing: ChunkSigning) {
    this.#signing = signing;
    this.#previous = signing.seedSignature;
  }

  /** Signature of the next chunk by the hex SHA-256 of its data. */
  chunk(dataHash: string): string {
    const { amzDate, scope, key } = this.#signing;
    this.#previous = hmacHex(
      key,
      `AWS4-HMAC-SHA256-PAYLOAD\n${amzDate}\n${scope}\n${this.#previous}\n${EMPTY_SHA256}\n${dataHash}`,
    );
    return this.#previous;
  }

  /** Signature of the trailer by the hex SHA-256 of its lines. */
  trailer(linesHash: string): string {
    const { amzDate, scope, key } = this.#signing;
    return hmacHex(key, `AWS4-HMAC-SHA256-TRAILER\n${amzDate}\n${scope}\n${this.#previous}\n${linesHash}`);
  }
}

/**
 * Decodes a body. The stream throws SignatureDoesNotMatch (a chunk or the trailer), IncompleteBody (early end, an
 * announced trailer missing, fewer bytes than declared), ExcessData (more bytes than declared) or BadRequest (syntax,
 * a trailer that was not announced). Ending early returns the body's iterator: give an HTTP request as
 * `request.iterator({ destroyOnReturn: false })`, or the socket is gone before the error can be answered.
 */
export function decodeAwsChunked(body: AsyncIterable<Buffer>, options: ChunkedOptions): DecodedChunks {
  assert(options.mode === "unsigned-trailer" || options.signing !== undefined, "signed modes need a key");
  const trailers: Record<string, string> = {};
  return { stream: decode(new Source(body), options, trailers), trailers: () => trailers };
}

async function* decode(
  source: Source,
  options: ChunkedOptions,
  trailers: Record<string, string>,
): AsyncGenerator<Buffer, void, undefined> {
  const signed = options.mode !== "unsigned-trailer";
  const chain = signed && options.signing !== undefined ? new SignatureChain(options.signing) : undefined;
  let total = 0;
  try {
    for (;;) {
      const line = await source.line();
      if (line === undefined) throw new StoreError("IncompleteBody");
      const { size, signature } = parseChunkHeader(line);
      if (chain !== undefined && signature === undefined) throw malformed("a chunk has no signature");
      total += size;
      if (options.decodedLength !== undefined && total > options.decodedLength) throw new StoreError("ExcessData");
      const hash: Hash | undefined = chain === undefined ? undefined : createHash("sha256");
      for (let left = size; left > 0;) {
        const piece = await source.piece(left);
        left -= piece.length;
        hash?.update(piece);
        yield piece;
      }
      if (chain !== undefined && hash !== undefined && !equalText(chain.chunk(hash.digest("hex")), signature ?? "")) {
        throw new StoreError("SignatureDoesNotMatch");
      }
      if (size === 0) break;
      if ((await source.line()) !== "") throw malformed("a chunk does not end with CRLF");
    }
    if (options.decodedLength !== undefined && total < options.decodedLength) throw new StoreError("IncompleteBody");
    if (options.mode !== "signed") await readTrailers(source, options.trailerNames, chain, trailers);
    await source.finish();
  } finally {
    await source.close();
  }
}

async function readTrailers(
  source: Source,
  announced: readonly string[],
  chain: SignatureChain | undefined,
  trailers: Record<string, string>,
): Promise<void> {
  let lines = "";
  let signature: string | undefined;
  for (let count = 0; signature === undefined; count++) {
    if (count > TRAILER_LINES_MAX) throw malformed("too many trailer lines");
    const line = await source.line();
    if (line === undefined) break;
    if (line === "") {
      // Go's client puts an empty line between the trailers and their signature; unsigned, it is the end.
      if (chain === undefined) break;
      continue;
    }
    const colon = line.indexOf(":");
    if (colon <= 0) throw malformed("a trailer line has no colon");
    const name = trimmed(line.slice(0, colon)).toLowerCase();
    const value = trimmed(line.slice(colon + 1));
    if (chain !== undefined && name === TRAILER_SIGNATURE) {
      signature = value;
      break;
    }
    if (!announced.includes(name)) throw malformed(`the trailer ${name} was not announced`);
    trailers[name] = value;
    lines += `${name}:${value}\n`;
  }
  for (const name of announced) if (trailers[name] === undefined) throw new StoreError("IncompleteBody");
  if (chain === undefined) return;
  if (signature === undefined) throw new StoreError("IncompleteBody");
  const linesHash = createHash("sha256").update(lines, "latin1").digest("hex");
  if (!equalText(chain.trailer(linesHash), signature)) throw new StoreError("SignatureDoesNotMatch");
}

export interface ChunkedEncoding {
  readonly mode: ChunkedMode;
  readonly signing?: ChunkSigning | undefined;
  readonly trailers?: Readonly<Record<string, string>> | undefined;
  /** How trailer lines end: Go's clients write LF, others CRLF. */
  readonly trailerLineEnd?: "\n" | "\r\n" | undefined;
}

/** The inverse: one chunk per given buffer (none of them empty), then the last chunk and the trailers. */
export function encodeAwsChunked(chunks: readonly Buffer[], encoding: ChunkedEncoding): Buffer {
  const signed = encoding.mode !== "unsigned-trailer" && encoding.signing !== undefined;
  const chain = signed && encoding.signing !== undefined ? new SignatureChain(encoding.signing) : undefined;
  const out: Buffer[] = [];
  const header = (data: Buffer): void => {
    const signature = chain?.chunk(createHash("sha256").update(data).digest("hex"));
    const extension = signature === undefined ? "" : `${CHUNK_SIGNATURE}${signature}`;
    out.push(Buffer.from(`${data.length.toString(16)}${extension}\r\n`));
  };
  for (const chunk of chunks) {
    header(chunk);
    out.push(chunk, Buffer.from("\r\n"));
  }
  header(Buffer.alloc(0));
  if (encoding.mode !== "signed") {
    const end = encoding.trailerLineEnd ?? "\r\n";
    const pairs = Object.entries(encoding.trailers ?? {});
    out.push(Buffer.from(pairs.map(([name, value]) => `${name}:${value}${end}`).join("")));
    if (chain !== undefined) {
      const lines = pairs.map(([name, value]) => `${name}:${value}\n`).join("");
      const signature = chain.trailer(createHash("sha256").update(lines, "latin1").digest("hex"));
      out.push(Buffer.from(`${TRAILER_SIGNATURE}:${signature}\r\n`));
    }
  }
  out.push(Buffer.from("\r\n"));
  return Buffer.concat(out);
}
