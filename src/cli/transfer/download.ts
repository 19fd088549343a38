/** Objects into files: a part file beside the target, renamed when it is whole. */
import { mkdir, open, rename, rm, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { isStream, partPath } from "../list/local.ts";
import type { ObjectAddress, ObjectHead } from "./calls.ts";
import { getObject, retried } from "./calls.ts";
import { applyAttributes } from "./file-attributes.ts";
import type { TransferOptions } from "./options.ts";
import { truncated } from "./sources.ts";

export interface DownloadRequest {
  readonly source: ObjectAddress;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly options: TransferOptions;
  onBytes(count: number): void;
}

interface Attempt {
  head: ObjectHead | undefined;
  /** Bytes known to be in the part file. */
  received: number;
  part: string;
  /** `part` is written to from one end to the other. */
  readonly stream: boolean;
}

/** Writes the object to `path`, replacing what is there only when all bytes have come. */
export async function download(request: DownloadRequest): Promise<ObjectHead> {
  const { path, options } = request;
  // Once: what a pipe or a device has been given cannot be taken back.
  if (await isStream(path)) return attempt(request, { head: undefined, received: 0, part: path, stream: true });
  await mkdir(dirname(path), { recursive: true });
  const state: Attempt = { head: undefined, received: 0, part: "", stream: false };
  try {
    const head = await retried(options, () => attempt(request, state));
    await rename(state.part, path);
    if (options.preserve) await applyAttributes(path, head.headers);
    return head;
  } catch (error) {
    if (!options.resume && state.part !== "") await rm(state.part, { force: true });
    throw error;
  }
}

/** One GET, from where the last one ended: a cut connection does not cost what has come already. */
async function attempt(request: DownloadRequest, state: Attempt): Promise<ObjectHead> {
  let answer = await getObject(request.source, { ...request.headers, ...rest(state) }, request.options.signal);
  const head = (state.head ??= answer.head);
  if (state.part === "") {
    // Named after the content, so that the rest of another version is never appended to it.
    state.part = partPath(request.path, head.etag.replace(/[^0-9a-zA-Z-]/g, "").slice(0, 16));
    const left = request.options.resume ? await sizeOf(state.part) : 0;
    if (left > 0 && left < head.size) {
      await answer.discard();
      state.received = left;
      answer = await getObject(request.source, { ...request.headers, ...rest(state) }, request.options.signal);
      request.onBytes(left);
    }
  }
  await writeBody(request, state, answer.stream);
  if (state.received !== head.size) throw truncated(state.received, head.size);
  return head;
}

function rest(state: Attempt): Record<string, string> {
  if (state.head === undefined || state.received === 0) return {};
  return { "if-match": `"${state.head.etag}"`, range: `bytes=${state.received}-` };
}

/** Each chunk is counted when the system has taken it, so `received` never runs ahead of the file. */
async function writeBody(request: DownloadRequest, state: Attempt, stream: AsyncIterable<Buffer>): Promise<void> {
  const file = await open(state.part, state.received === 0 ? "w" : "r+");
  try {
    for await (const chunk of stream) {
      let written = 0;
      while (written < chunk.length) {
        const position = state.stream ? null : state.received;
        const { bytesWritten } = await file.write(chunk, written, chunk.length - written, position);
        written += bytesWritten;
        state.received += bytesWritten;
      }
      request.onBytes(chunk.length);
    }
  } finally {
    await file.close();
  }
}

async function sizeOf(path: string): Promise<number> {
  return (await stat(path).catch(() => undefined))?.size ?? 0;
}
