/** The child of tools/trace-durability.ts: three writes through the storage layer, each with a mark in the trace. */
import { writeSync } from "node:fs";
import { join } from "node:path";
import { systemRandom } from "../../src/runtime/random.ts";
import type { WrittenBlob } from "../../src/storage/blobs/blobs.ts";
import { openBlobStore } from "../../src/storage/blobs/store.ts";
import { CommitBuilder } from "../../src/storage/index/commit-builder.ts";
import { openLmdbIndex } from "../../src/storage/index/lmdb/index.ts";
import { blobRowKey, SPACE } from "../../src/storage/keys.ts";

const [, , directory = ""] = process.argv;
const index = await openLmdbIndex({ path: join(directory, "index") });
const blobs = await openBlobStore({ directory, random: systemRandom });

/** Written without delay, so that its place among the system calls is its place in time. */
const mark = (text: string): void => void writeSync(1, `${text}\n`);

async function* body(size: number): AsyncGenerator<Buffer> {
  for (let left = size; left > 0; left -= 65_536) yield Buffer.alloc(Math.min(left, 65_536), 7);
}

async function put(name: string, size: number): Promise<void> {
  mark(`BEGIN ${name}`);
  const blob: WrittenBlob = await blobs.write(body(size), { sizeHint: size, md5: true, sha256: false });
  const commit = new CommitBuilder().put(Buffer.from(`version of ${name}`), Buffer.from(blob.ref.id));
  if (blob.inlineRow !== undefined) commit.put(blobRowKey(SPACE.data, blob.ref.id), blob.inlineRow);
  const result = await index.commit(commit);
  mark(`ANSWER ${name} ${result} ${blob.ref.inline ? "inline" : blob.ref.id}`);
}

await put("inline", 4096);
await put("small-file", 100_000);
await put("large-file", 2_000_000);
await blobs.close();
await index.close();
