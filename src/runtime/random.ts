/** Randomness as a parameter, so that a seed can replay a run. */
import { randomBytes, randomUUID } from "node:crypto";

export interface Random {
  bytes(length: number): Buffer;
  uuid(): string;
}

const POOL_BYTES = 8192;
let pool = Buffer.alloc(0);

/** Small requests are cut from a pool: the system is asked once for hundreds of ids. Bytes are handed out once. */
function pooled(length: number): Buffer {
  if (length > POOL_BYTES / 4) return randomBytes(length);
  if (pool.length < length) pool = randomBytes(POOL_BYTES);
  const out = pool.subarray(0, length);
  pool = pool.subarray(length);
  return out;
}

export const systemRandom: Random = { bytes: pooled, uuid: () => randomUUID() };
