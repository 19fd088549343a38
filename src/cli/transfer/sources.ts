/** Where the bytes of an upload come from. */
import type { FileHandle } from "node:fs/promises";
import { open } from "node:fs/promises";
import { NetworkError } from "../../client/errors.ts";
import type { ObjectAddress, ObjectHead } from "./calls.ts";
import { getObject, retried } from "./calls.ts";
import type { TransferOptions } from "./options.ts";
import type { PartSource } from "./upload.ts";

/** Opens `path` for the time of `use`. */
export async function withFile<T>(path: string, size: number, use: (source: PartSource) => Promise<T>): Promise<T> {
  const file = await open(path, "r");
  try {
    return await use(fileSource(file, path, size));
  } finally {
    await file.close();
  }
}

function fileSource(file: FileHandle, path: string, size: number): PartSource {
  return {
    size,
    async read(offset, length) {
      const buffer = Buffer.allocUnsafe(length);
      let filled = 0;
      while (filled < length) {
        const { bytesRead } = await file.read(buffer, filled, length - filled, offset + filled);
        if (bytesRead === 0) throw new Error(`\`${path}\` became shorter while it was read`);
        filled += bytesRead;
      }
      return buffer;
    },
    stream: () => file.createReadStream({ start: 0, autoClose: false }),
  };
}

/** An object of another server, read in ranges of one and the same version (If-Match). */
export function objectSource(
  source: ObjectAddress,
  head: ObjectHead,
  headers: Readonly<Record<string, string>>,
  options: TransferOptions,
): PartSource {
  const { signal } = options;
  const same = head.etag === "" ? {} : { "if-match": `"${head.etag}"` };
  return {
    size: head.size,
    read: (offset, length) =>
      retried(options, async () => {
        const range = length === head.size ? {} : { range: `bytes=${offset}-${offset + length - 1}` };
        const { stream } = await getObject(source, { ...headers, ...same, ...range }, signal);
        return collect(stream, length);
      }),
    stream: () => streamOf(source, { ...headers, ...same }, signal),
  };
}

async function* streamOf(
  source: ObjectAddress,
  headers: Readonly<Record<string, string>>,
  signal: AbortSignal,
): AsyncIterable<Buffer> {
  const { stream } = await getObject(source, headers, signal);
  yield* stream;
}

async function collect(stream: AsyncIterable<Buffer>, length: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of stream) {
    chunks.push(chunk);
    size += chunk.length;
  }
  if (size !== length) throw truncated(size, length);
  return Buffer.concat(chunks, size);
}

/** The error of a body that ended before its length: worth another attempt. */
export function truncated(received: number, expected: number): NetworkError {
  return new NetworkError("GET", new Error(`the body ended after ${received} of ${expected} bytes`));
}
