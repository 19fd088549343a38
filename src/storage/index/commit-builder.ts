/** Collects the rows of one commit. Used by every writer of the index, so that commits are built one way. */
import type { Check, Commit, Entry, KeyRange } from "./index.ts";

/** More than any write of one version adds to. */
const COUNTERS_SUMMED = 16;

export class CommitBuilder implements Commit {
  readonly checks: Check[] = [];
  readonly puts: Entry[] = [];
  readonly deletes: Buffer[] = [];
  readonly adds: { key: Buffer; delta: bigint }[] = [];

  /** The row must still hold what was read (`undefined`: must still be absent). */
  unchanged(key: Buffer, value: Buffer | undefined): this {
    this.checks.push({ kind: "value", key, value: value ?? null });
    return this;
  }
  /** The first key of the range must still be `key`. */
  first(range: KeyRange, key: Buffer | undefined): this {
    this.checks.push({ kind: "first", range, key: key ?? null });
    return this;
  }
  put(key: Buffer, value: Buffer): this {
    this.puts.push({ key, value });
    return this;
  }
  delete(key: Buffer): this {
    this.deletes.push(key);
    return this;
  }
  /** Adds to a counter; of the first few counters of a commit each is written once, however often it is added to. */
  add(key: Buffer, delta: bigint): this {
    if (delta === 0n) return this;
    const known = this.adds.length <= COUNTERS_SUMMED ? this.adds.findIndex((add) => add.key.equals(key)) : -1;
    const before = this.adds[known];
    if (before === undefined) this.adds.push({ key, delta });
    else this.adds[known] = { key, delta: before.delta + delta };
    return this;
  }
}

/** For commits of many rows, which add to the same few counters again and again: each is written once. */
export class SummingCommitBuilder extends CommitBuilder {
  readonly #sums = new Map<string, { readonly key: Buffer; delta: bigint }>();

  override add(key: Buffer, delta: bigint): this {
    const name = key.toString("latin1");
    const sum = this.#sums.get(name);
    if (sum !== undefined) {
      sum.delta += delta;
      return this;
    }
    const first = { key, delta };
    this.#sums.set(name, first);
    this.adds.push(first);
    return this;
  }
}
