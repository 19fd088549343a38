/** Objects over memory, for tests of this layer and those above it. */
import { parseBucketName, parseObjectKey, type BucketName, type ObjectKey } from "../model/names.ts";
import { systemClock, type Clock } from "../runtime/clock.ts";
import { systemRandom } from "../runtime/random.ts";
import { memoryBlobStore, type MemoryBlobStore } from "../storage/blobs/memory.ts";
import type { OrderedIndex } from "../storage/index/index.ts";
import { memoryIndex } from "../storage/index/memory.ts";
import { createObjects } from "./create.ts";
import type { Objects } from "./objects.ts";
import type { IncomingBody, ObjectAttributesInput } from "./types.ts";

export interface TestSite {
  readonly objects: Objects;
  readonly index: OrderedIndex;
  readonly blobs: MemoryBlobStore;
  readonly poked: string[];
}

export function testSite(clock: Clock = systemClock()): TestSite {
  const index = memoryIndex();
  const blobs = memoryBlobStore(systemRandom);
  const poked: string[] = [];
  const objects = createObjects({
    index,
    blobs,
    clock,
    random: systemRandom,
    poke: (arns) => void poked.push(...arns),
  });
  return { objects, index, blobs, poked };
}

/** A clock that a test sets, forward and back. Nanoseconds go on by one with every look, as those of a machine do. */
export class SettableClock implements Clock {
  ms: number;
  #looks = 0n;
  constructor(ms: number) {
    this.ms = ms;
  }
  nowMs(): number {
    return this.ms;
  }
  nowNs(): bigint {
    return BigInt(this.ms) * 1_000_000n + this.#looks++;
  }
  sleep(): Promise<void> {
    return Promise.resolve();
  }
}

export function bodyOf(text: string | Buffer): IncomingBody {
  const bytes = Buffer.from(text);
  return {
    stream: (async function* () {
      if (bytes.length > 0) yield bytes;
    })(),
    size: bytes.length,
  };
}

export const PLAIN: ObjectAttributesInput = { headers: {}, userMetadata: {}, storageClass: "STANDARD" };
export const bucketName = (text: string): BucketName => parseBucketName(text);
export const objectKey = (text: string): ObjectKey => parseObjectKey(text);

export async function textOf(pieces: AsyncIterable<Buffer>): Promise<string> {
  const out: Buffer[] = [];
  for await (const piece of pieces) out.push(piece);
  return Buffer.concat(out).toString("utf8");
}
