/** Seeded choices and bodies for tests that break things: a run prints its seed, and `CRASH_SEED` replays it. */
import { createCipheriv, createHash } from "node:crypto";

export interface Dice {
  readonly seed: number;
  /** Integer in [0, below). */
  below(below: number): number;
  pick<T>(items: readonly T[]): T;
  /** True once in `n` on average. */
  oneIn(n: number): boolean;
}

/** Number from the environment, or the default. */
export function setting(name: string, otherwise: number): number {
  const text = process.env[name];
  return text === undefined || text === "" ? otherwise : Number(text);
}

/** `CRASH_SEED`, or a new one; printed so that a failing run can be repeated. */
export function seedOf(test: string): number {
  const seed = setting("CRASH_SEED", Math.floor(Math.random() * 2 ** 31));
  process.stderr.write(`# ${test}: CRASH_SEED=${seed}\n`);
  return seed;
}

/** mulberry32 */
export function dice(seed: number): Dice {
  let state = seed | 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  const below = (limit: number): number => Math.floor(next() * limit);
  return {
    seed,
    below,
    pick: (items) => {
      const item = items[below(items.length)];
      if (item === undefined) throw new Error("nothing to pick from");
      return item;
    },
    oneIn: (n) => below(n) === 0,
  };
}

const HEAD_BYTES = 12;
const ZEROS = Buffer.alloc(12 << 20);

/** Bytes that name themselves: an id, their size, then a stream that only this id gives. At least 12 bytes. */
export function bodyOf(id: number, size: number): Buffer {
  const cipher = createCipheriv("aes-128-ctr", createHash("md5").update(String(id)).digest(), Buffer.alloc(16));
  const body = cipher.update(ZEROS.subarray(0, size));
  body.write("BODY", 0, "latin1");
  body.writeUInt32BE(id, 4);
  body.writeUInt32BE(size, 8);
  return body;
}

/** The id in bytes that `bodyOf` made, or why they are not such bytes: torn, mixed, cut. */
export function idOfBody(body: Buffer): number | string {
  if (body.length < HEAD_BYTES || body.toString("latin1", 0, 4) !== "BODY") return `no head in ${body.length} bytes`;
  const id = body.readUInt32BE(4);
  const size = body.readUInt32BE(8);
  if (size !== body.length) return `body ${id} has ${body.length} bytes of ${size}`;
  const expected = bodyOf(id, size);
  if (expected.equals(body)) return id;
  const at = body.findIndex((byte, i) => byte !== expected[i]);
  return `body ${id} of ${size} bytes differs from byte ${at}`;
}

export const md5 = (body: Buffer): string => createHash("md5").update(body).digest("hex");
