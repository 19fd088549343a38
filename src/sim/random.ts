/** All randomness of a run: one seed, forked by name, so that a draw more in one part does not shift the others. */
import type { Random } from "../runtime/random.ts";

/** A small fast generator (sfc32) with the draws that scenarios need. */
export class Dice {
  readonly #state: Uint32Array;
  readonly #name: string;

  /** `name` is the seed: the same text gives the same draws. */
  constructor(name: string) {
    this.#name = name;
    this.#state = seeded(name);
    for (let i = 0; i < 12; i++) this.u32();
  }

  /** Dice of their own for a part of the run. */
  fork(part: string): Dice {
    return new Dice(`${this.#name}/${part}`);
  }

  u32(): number {
    const s = this.#state as Uint32Array & { 0: number; 1: number; 2: number; 3: number };
    const t = (s[0] + s[1] + s[3]) | 0;
    s[3] = s[3] + 1;
    s[0] = s[1] ^ (s[1] >>> 9);
    s[1] = s[2] + (s[2] << 3);
    s[2] = ((s[2] << 21) | (s[2] >>> 11)) + t;
    return t >>> 0;
  }

  /** A whole number from 0 up to, not including, `end`. */
  below(end: number): number {
    return Math.floor((this.u32() / 2 ** 32) * end);
  }

  /** A whole number, both ends included. */
  between(low: number, high: number): number {
    return low + this.below(high - low + 1);
  }

  chance(probability: number): boolean {
    return this.u32() < probability * 2 ** 32;
  }

  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)] as T;
  }

  /** One of the names, each as often as its weight says. */
  weighted<T extends string>(weights: Readonly<Record<T, number>>): T {
    const entries = Object.entries(weights) as [T, number][];
    let rest = this.below(entries.reduce((sum, [, weight]) => sum + weight, 0));
    for (const [name, weight] of entries) if ((rest -= weight) < 0) return name;
    return (entries.at(-1) as [T, number])[0];
  }

  shuffled<T>(items: readonly T[]): T[] {
    const out = [...items];
    for (let i = out.length - 1; i > 0; i--) {
      const j = this.below(i + 1);
      [out[i], out[j]] = [out[j] as T, out[i] as T];
    }
    return out;
  }
}

/** Four words from a text (FNV-1a, once for each word with another start). */
function seeded(name: string): Uint32Array {
  const words = new Uint32Array(4);
  for (let word = 0; word < 4; word++) {
    let hash = 0x811c9dc5 + word * 0x9e3779b9;
    for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193);
    words[word] = hash;
  }
  return words;
}

/** The randomness of one process: ids are unique among all that one run makes, as those of a real site are. */
export function simRandom(dice: Dice): Random {
  const bytes = (length: number): Buffer => {
    const out = Buffer.allocUnsafe(length);
    for (let i = 0; i < length; i++) out[i] = dice.u32() & 0xff;
    return out;
  };
  return {
    bytes,
    uuid() {
      const id = bytes(16);
      id[6] = ((id[6] as number) & 0x0f) | 0x40;
      id[8] = ((id[8] as number) & 0x3f) | 0x80;
      const hex = id.toString("hex");
      return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
    },
  };
}
