/**
 * The writer thread of a process: takes batches, writes each in one synced transaction, answers. It is a thread because
 * the transaction and its sync block; reads go on beside it.
 */
import { statfsSync } from "node:fs";
import { parentPort, workerData } from "node:worker_threads";
import { assert } from "../../../runtime/assert.ts";
import { BATCHES_PER_READER_CHECK } from "../../limits.ts";
import { applyBatch } from "./apply.ts";
import { decodeBatch } from "./batch.ts";
import { LmdbStore, type StoreOptions } from "./binding.ts";

assert(parentPort !== null, "runs as a worker thread");
const port = parentPort;
const options = workerData as StoreOptions;
const store = new LmdbStore(options);
let batches = 0;

function freeBytes(): number {
  const { bavail, bsize } = statfsSync(options.path);
  return bavail * bsize;
}

port.on("message", (message: Uint8Array | "close") => {
  if (message === "close") {
    void store.close().then(() => port.close());
    return;
  }
  const commits = decodeBatch(Buffer.from(message.buffer, message.byteOffset, message.byteLength));
  port.postMessage(applyBatch(store, commits, freeBytes));
  if (++batches % BATCHES_PER_READER_CHECK === 0) store.checkReaders();
});
