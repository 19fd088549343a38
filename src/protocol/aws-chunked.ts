/**
 * Bodies in `aws-chunked` coding (s3-api.md 2.7): decoded incrementally, any split of the incoming buffers, data
 * sliced and never copied. Pieces are yielded before their chunk's signature is known: callers store nothing unless
 * the stream ends well.
 */
import { createHash, hash, type Hash } from "node:crypto";
import { StoreError } from "../model/errors.ts";
import { assert } from "../runtime/assert.ts";
import { EMPTY_SHA256 } from "./sigv4-canonical.ts";
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

const CHUNK_BYTES_MAX = 16 * 1024 * 1024;
const LINE_BYTES_MAX = 4096;
const TRAILER_LINES_MAX = 64;
export const TRAILER_SIGNATURE = "x-amz-trailer-signature";
export const CHUNK_SIGNATURE = ";chunk-signature=";
const LF = 10;
const CR = 13;

function malformed(what: string): StoreError {
  return new StoreError("BadRequest", { message: `The aws-chunked body is malformed: ${what}` });
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
export class SignatureChain {
  readonly #signing: ChunkSigning;
  #previous: string;

  constructor(signing: ChunkSigning) {
    this.#signing = signing;
    this.#previous = signing.seedSignature;
  }

  /** Signature of the next chunk by the hex SHA-256 of its data. */
  chunk(dataHash: string): string {
    const { amzDate, scope, key } = this.#signing;
    this.#previous = key.sign(
      `AWS4-HMAC-SHA256-PAYLOAD\n${amzDate}\n${scope}\n${this.#previous}\n${EMPTY_SHA256}\n${dataHash}`,
    );
    return this.#previous;
  }

  /** Signature of the trailer by the hex SHA-256 of its lines. */
  trailer(linesHash: string): string {
    const { amzDate, scope, key } = this.#signing;
    return key.sign(`AWS4-HMAC-SHA256-TRAILER\n${amzDate}\n${scope}\n${this.#previous}\n${linesHash}`);
  }
}

/** What a decoder expects next; "end": only line ends may follow. */
type Expected = "chunk header" | "data" | "end of data" | "trailers" | "end";

/**
 * Decodes a body that is pushed in pieces of any size. `push` and `end` throw SignatureDoesNotMatch (a chunk or the
 * trailer), IncompleteBody (early end, an announced trailer missing, fewer bytes than declared), ExcessData (more bytes
 * than declared) or BadRequest (syntax, a trailer that was not announced).
 */
export class ChunkedDecoder {
  readonly #options: ChunkedOptions;
  readonly #chain: SignatureChain | undefined;
  readonly #trailers: Record<string, string> = {};
  #expected: Expected = "chunk header";
  /** The part of a line that has come. */
  #line = "";
  /** Bytes of the chunk that have not come, and of all chunks so far. */
  #left = 0;
  #total = 0;
  /** Of the chunk: its signature, and its hash while it comes in several pieces. */
  #signature: string | undefined;
  #hash: Hash | undefined;
  #trailerLines = "";
  #trailerCount = 0;

  constructor(options: ChunkedOptions) {
    this.#options = options;
    if (options.mode === "unsigned-trailer") return;
    assert(options.signing !== undefined, "signed modes need a key");
    this.#chain = new SignatureChain(options.signing);
  }

  /** Trailers by lower-case name; complete after `end`. */
  get trailers(): Readonly<Record<string, string>> {
    return this.#trailers;
  }

  /** Takes the next bytes and adds the data among them to `data`: slices of `bytes`. */
  push(bytes: Buffer, data: Buffer[]): void {
    for (let at = 0; at < bytes.length;) {
      if (this.#expected === "data") {
        const piece = bytes.subarray(at, at + this.#left);
        at += piece.length;
        this.#takeData(piece);
        data.push(piece);
      } else if (this.#expected === "end") {
        const byte = bytes[at++];
        if (byte !== LF && byte !== CR) throw malformed("bytes after the last chunk");
      } else at = this.#readLine(bytes, at);
    }
  }

  /** The body is over. */
  end(): void {
    if (this.#line !== "") throw new StoreError("IncompleteBody");
    if (this.#expected === "trailers") this.#endTrailers(undefined);
    if (this.#expected !== "end") throw new StoreError("IncompleteBody");
  }

  /** Reads to the end of a line or of the bytes; where to go on. */
  #readLine(bytes: Buffer, from: number): number {
    const end = bytes.indexOf(LF, from);
    const stop = end < 0 ? bytes.length : end;
    if (this.#line.length + stop - from > LINE_BYTES_MAX) throw malformed("a line is too long");
    const text = this.#line + bytes.toString("latin1", from, stop);
    if (end < 0) {
      this.#line = text;
      return stop;
    }
    this.#line = "";
    this.#takeLine(text.charCodeAt(text.length - 1) === CR ? text.slice(0, -1) : text);
    return end + 1;
  }

  #takeLine(line: string): void {
    if (this.#expected === "chunk header") this.#takeHeader(line);
    else if (this.#expected === "trailers") this.#takeTrailer(line);
    else if (line !== "") throw malformed("a chunk does not end with CRLF");
    else this.#expected = "chunk header";
  }

  #takeHeader(line: string): void {
    const { size, signature } = parseChunkHeader(line);
    if (this.#chain !== undefined && signature === undefined) throw malformed("a chunk has no signature");
    const { decodedLength, mode } = this.#options;
    this.#total += size;
    if (decodedLength !== undefined && this.#total > decodedLength) throw new StoreError("ExcessData");
    this.#signature = signature;
    this.#left = size;
    this.#expected = "data";
    if (size > 0) return;
    this.#verifyChunk(EMPTY_SHA256);
    if (decodedLength !== undefined && this.#total < decodedLength) throw new StoreError("IncompleteBody");
    this.#expected = mode === "signed" ? "end" : "trailers";
  }

  #takeData(piece: Buffer): void {
    const whole = this.#hash === undefined && piece.length === this.#left;
    this.#left -= piece.length;
    if (this.#chain !== undefined && !whole) (this.#hash ??= createHash("sha256")).update(piece);
    if (this.#left > 0) return;
    // A chunk that has come in one piece: the one-shot call costs a third of the running one.
    if (this.#chain !== undefined) this.#verifyChunk(this.#hash?.digest("hex") ?? hash("sha256", piece, "hex"));
    this.#hash = undefined;
    this.#expected = "end of data";
  }

  #verifyChunk(dataHash: string): void {
    if (this.#chain !== undefined && !equalText(this.#chain.chunk(dataHash), this.#signature ?? ""))
      throw new StoreError("SignatureDoesNotMatch");
  }

  #takeTrailer(line: string): void {
    if (++this.#trailerCount > TRAILER_LINES_MAX) throw malformed("too many trailer lines");
    if (line === "") {
      // Go's client puts an empty line between the trailers and their signature; unsigned, it is the end.
      if (this.#chain === undefined) this.#endTrailers(undefined);
      return;
    }
    const colon = line.indexOf(":");
    if (colon <= 0) throw malformed("a trailer line has no colon");
    const name = trimmed(line.slice(0, colon)).toLowerCase();
    const value = trimmed(line.slice(colon + 1));
    if (this.#chain !== undefined && name === TRAILER_SIGNATURE) return this.#endTrailers(value);
    if (!this.#options.trailerNames.includes(name)) throw malformed(`the trailer ${name} was not announced`);
    this.#trailers[name] = value;
    this.#trailerLines += `${name}:${value}\n`;
  }

  #endTrailers(signature: string | undefined): void {
    for (const name of this.#options.trailerNames)
      if (this.#trailers[name] === undefined) throw new StoreError("IncompleteBody");
    this.#expected = "end";
    if (this.#chain === undefined) return;
    if (signature === undefined) throw new StoreError("IncompleteBody");
    const linesHash = hash("sha256", Buffer.from(this.#trailerLines, "latin1"), "hex");
    if (!equalText(this.#chain.trailer(linesHash), signature)) throw new StoreError("SignatureDoesNotMatch");
  }
}

/**
 * The data of a body that `decoder` reads. Ending early returns the body's iterator: give an HTTP request as
 * `request.iterator({ destroyOnReturn: false })`, or the socket is gone before the error can be answered.
 */
export async function* decodeAwsChunked(
  body: AsyncIterable<Buffer>,
  decoder: ChunkedDecoder,
): AsyncGenerator<Buffer, void, undefined> {
  const data: Buffer[] = [];
  for await (const bytes of body) {
    decoder.push(bytes, data);
    for (const piece of data) yield piece;
    data.length = 0;
  }
  decoder.end();
}
