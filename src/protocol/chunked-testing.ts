/** Bodies in `aws-chunked` coding as clients make them: for tests and benches, servers only decode. */
import { createHash } from "node:crypto";
import { CHUNK_SIGNATURE, SignatureChain, TRAILER_SIGNATURE, type ChunkedMode } from "./aws-chunked.ts";
import type { ChunkSigning } from "./sigv4.ts";

interface ChunkedEncoding {
  readonly mode: ChunkedMode;
  readonly signing?: ChunkSigning | undefined;
  readonly trailers?: Readonly<Record<string, string>> | undefined;
  /** How trailer lines end: Go's clients write LF, others CRLF. */
  readonly trailerLineEnd?: "\n" | "\r\n" | undefined;
}

/** The inverse: one chunk per given buffer (none of them empty), then the last chunk and the trailers. */
export function encodeAwsChunked(chunks: readonly Buffer[], encoding: ChunkedEncoding): Buffer {
  const { mode, signing } = encoding;
  const chain = mode !== "unsigned-trailer" && signing !== undefined ? new SignatureChain(signing) : undefined;
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
  if (mode !== "signed") {
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
