/** An opening thread: sealed packages in shared memory become plain bytes where they lie. */
import { parentPort } from "node:worker_threads";
import { assert } from "../../runtime/assert.ts";
import type { FromOpener, ToOpener } from "./opener-messages.ts";
import { Opener } from "./seal.ts";

assert(parentPort !== null, "runs as a worker thread");
const port = parentPort;

port.on("message", ({ job, key, memory, length, position, closes }: ToOpener) => {
  const plain = new Opener(key).inPlace(Buffer.from(memory, 0, length), position, closes);
  port.postMessage({ job, good: plain !== undefined } satisfies FromOpener);
});
