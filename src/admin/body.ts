/** Reads the body of a request whole. */
import type { IncomingMessage } from "node:http";
import { StoreError } from "../model/errors.ts";
import { PiecedBytes } from "../runtime/pieced-bytes.ts";

/** At most `limit` bytes; a larger body is refused with the code `tooLarge`. */
export async function readWhole(incoming: IncomingMessage, limit: number, tooLarge: string): Promise<Buffer> {
  if (Number(incoming.headers["content-length"] ?? 0) > limit) throw new StoreError(tooLarge);
  const pieces = new PiecedBytes();
  // The stream must outlive a refusal: destroying it would take the socket away before the answer is sent.
  for await (const piece of incoming.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    if (pieces.length + piece.length > limit) throw new StoreError(tooLarge);
    pieces.add(piece);
  }
  return pieces.whole();
}
