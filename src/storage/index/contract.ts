/** What every ordered index must do, as tests: each implementation's test file calls this once. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { StoreError } from "../../model/errors.ts";
import { keyAfter } from "../keys.ts";
import { KEY_BYTES_MAX } from "../limits.ts";
import type { Check, Commit, CommitResult, Entry, KeyRange, OrderedIndex, ScanOptions } from "./index.ts";

type Make = () => Promise<OrderedIndex>;

const b = (text: string): Buffer => Buffer.from(text);
const all: KeyRange = { start: Buffer.from([0]), end: Buffer.alloc(64, 0xff) };
const NOTHING: Commit = { checks: [], puts: [], deletes: [], adds: [] };

function puts(...rows: [string, string][]): Commit {
  return { ...NOTHING, puts: rows.map(([key, value]) => ({ key: b(key), value: b(value) })) };
}

async function rowsOf(index: OrderedIndex, range = all, options: ScanOptions = { limit: 1e6 }): Promise<string[]> {
  return (await index.scan(range, options)).map((row) => `${row.key.toString()}=${row.value.toString()}`);
}

/** Registers the suite. `make` gives an empty index each time; the suite closes it. */
export function indexContract(name: string, make: Make): void {
  const on = (title: string, run: (index: OrderedIndex) => Promise<void>): void => {
    test(`${name}: ${title}`, async () => {
      const index = await make();
      try {
        await run(index);
      } finally {
        await index.close();
      }
    });
  };
  readsAndScans(on);
  checksAndCommits(on);
  limits(on);
  on("behaves as a sorted map, whatever the commits", property);
}

type On = (title: string, run: (index: OrderedIndex) => Promise<void>) => void;

function readsAndScans(on: On): void {
  on("get sees what was committed, and its buffers are the caller's", async (index) => {
    assert.equal(await index.get(b("a")), undefined);
    const value = b("one");
    assert.equal(await index.commit({ ...NOTHING, puts: [{ key: b("a"), value }] }), "committed");
    value.fill(0);
    const read = (await index.get(b("a"))) as Buffer;
    assert.equal(read.toString(), "one");
    read.fill(0);
    assert.equal((await index.get(b("a")))?.toString(), "one");
    const [row] = await index.scan(all, { limit: 1 });
    row?.key.fill(0);
    row?.value.fill(0);
    assert.deepEqual(await rowsOf(index), ["a=one"]);
  });

  on("rows are ordered by bytes, shorter first", async (index) => {
    const keys = [[0xff], [1], [1, 0], [1, 0, 0], [0x7f], [0x80], [1, 0xff], [2]].map((key) => Buffer.from(key));
    await index.commit({ ...NOTHING, puts: keys.map((key) => ({ key, value: key })) });
    const sorted = keys.toSorted(Buffer.compare);
    const read = await index.scan(all, { limit: 100 });
    assert.deepEqual(
      read.map((row) => row.key.toString("hex")),
      sorted.map((key) => key.toString("hex")),
    );
    for (const row of read) assert.ok(row.value.equals(row.key));
  });

  on("a scan has an inclusive start and an exclusive end, in both directions", async (index) => {
    await index.commit(puts(["a", "1"], ["b", "2"], ["c", "3"], ["d", "4"]));
    const range = { start: b("b"), end: b("d") };
    assert.deepEqual(await rowsOf(index, range), ["b=2", "c=3"]);
    assert.deepEqual(await rowsOf(index, range, { limit: 9, reverse: true }), ["c=3", "b=2"]);
    const between = { start: b("aa"), end: b("cc") };
    assert.deepEqual(await rowsOf(index, between), ["b=2", "c=3"]);
    assert.deepEqual(await rowsOf(index, between, { limit: 9, reverse: true }), ["c=3", "b=2"]);
    assert.deepEqual(await rowsOf(index, { start: b("b"), end: b("zz") }, { limit: 1, reverse: true }), ["d=4"]);
    assert.deepEqual(await rowsOf(index, { start: b("e"), end: b("zz") }, { limit: 1, reverse: true }), []);
    assert.deepEqual(await rowsOf(index, { start: b("0"), end: b("a") }, { limit: 1, reverse: true }), []);
    assert.deepEqual(await rowsOf(index, { start: b("d"), end: b("b") }), []);
  });

  on("limit and keysOnly", async (index) => {
    await index.commit(puts(["a", "1"], ["b", "2"], ["c", "3"]));
    assert.deepEqual(await rowsOf(index, all, { limit: 2 }), ["a=1", "b=2"]);
    assert.deepEqual(await rowsOf(index, all, { limit: 2, reverse: true }), ["c=3", "b=2"]);
    assert.deepEqual(await rowsOf(index, all, { limit: 0 }), []);
    assert.deepEqual(await rowsOf(index, all, { limit: 2, keysOnly: true }), ["a=", "b="]);
    assert.deepEqual(await rowsOf(index, all, { limit: 2, keysOnly: true, reverse: true }), ["c=", "b="]);
  });

  on("an empty value is a value", async (index) => {
    await index.commit(puts(["a", ""]));
    assert.equal((await index.get(b("a")))?.length, 0);
    assert.deepEqual(await rowsOf(index), ["a="]);
    const check: Check = { kind: "value", key: b("a"), value: Buffer.alloc(0) };
    assert.equal(await index.commit({ ...NOTHING, checks: [check] }), "committed");
  });
}

function checksAndCommits(on: On): void {
  on("value checks: same, other, absent", async (index) => {
    await index.commit(puts(["a", "1"]));
    const attempt = (key: string, value: string | null): Promise<CommitResult> =>
      index.commit({
        ...puts(["seen", "yes"]),
        checks: [{ kind: "value", key: b(key), value: value === null ? null : b(value) }],
      });
    assert.equal(await attempt("a", "2"), "conflict");
    assert.equal(await attempt("a", "11"), "conflict");
    assert.equal(await attempt("a", null), "conflict");
    assert.equal(await attempt("b", "1"), "conflict");
    assert.equal(await index.get(b("seen")), undefined);
    assert.equal(await attempt("b", null), "committed");
    assert.equal(await attempt("a", "1"), "committed");
  });

  on("first checks: the first key of a range, or none", async (index) => {
    await index.commit(puts(["b", "1"], ["c", "2"]));
    const attempt = (start: string, end: string, key: string | null): Promise<CommitResult> =>
      index.commit({
        ...NOTHING,
        checks: [{ kind: "first", range: { start: b(start), end: b(end) }, key: key === null ? null : b(key) }],
      });
    assert.equal(await attempt("a", "z", "b"), "committed");
    assert.equal(await attempt("a", "z", "c"), "conflict");
    assert.equal(await attempt("a", "z", null), "conflict");
    assert.equal(await attempt("a", "b", null), "committed");
    assert.equal(await attempt("a", "b", "b"), "conflict");
    assert.equal(await attempt("c", "z", "c"), "committed");
  });

  on("a conflict applies nothing", async (index) => {
    await index.commit(puts(["a", "1"], ["b", "2"]));
    const result = await index.commit({
      checks: [
        { kind: "value", key: b("a"), value: b("1") },
        { kind: "value", key: b("b"), value: null },
      ],
      puts: [{ key: b("c"), value: b("3") }],
      deletes: [b("a")],
      adds: [{ key: b("n"), delta: 1n }],
    });
    assert.equal(result, "conflict");
    assert.deepEqual(await rowsOf(index), ["a=1", "b=2"]);
  });

  on("deletes, then puts, then adds; deleting what is absent is fine", async (index) => {
    await index.commit(puts(["a", "1"], ["b", "2"]));
    await index.commit({ ...puts(["a", "3"]), deletes: [b("a"), b("b"), b("nothing")] });
    assert.deepEqual(await rowsOf(index), ["a=3"]);
  });

  on("adds are signed 64-bit sums and vanish at zero", async (index) => {
    const add = (delta: bigint): Promise<CommitResult> =>
      index.commit({
        ...NOTHING,
        adds: [
          { key: b("n"), delta },
          { key: b("m"), delta: 2n * delta },
        ],
      });
    const read = async (key: string): Promise<bigint | undefined> => (await index.get(b(key)))?.readBigInt64LE(0);
    await add(5n);
    await add(-7n);
    assert.equal(await read("n"), -2n);
    assert.equal(await read("m"), -4n);
    await add(2n);
    assert.equal(await read("n"), undefined);
    await Promise.all(Array.from({ length: 50 }, () => add(1n << 40n)));
    assert.equal(await read("n"), 50n << 40n);
    await index.commit({
      ...NOTHING,
      adds: [
        { key: b("x"), delta: 1n },
        { key: b("x"), delta: 2n },
      ],
    });
    assert.equal(await read("x"), 3n);
  });

  on("commits handed over together see those before them, in order", async (index) => {
    const step = (from: number): Promise<CommitResult> =>
      index.commit({
        ...puts(["n", String(from + 1)]),
        checks: [{ kind: "value", key: b("n"), value: from === 0 ? null : b(String(from)) }],
      });
    const results = await Promise.all([0, 1, 2, 2, 3, 9, 4].map(step));
    assert.deepEqual(
      results.map((result) => (result === "committed" ? 1 : 0)),
      [1, 1, 1, 0, 1, 0, 1],
    );
    assert.deepEqual(await rowsOf(index), ["n=5"]);
  });

  on("first checks see rows of commits before them", async (index) => {
    const range = { start: b("q"), end: b("r") };
    const take = (key: string): Promise<CommitResult> =>
      index.commit({ ...puts([key, "x"]), checks: [{ kind: "first", range, key: null }] });
    const results = await Promise.all([take("q2"), take("q1"), take("q3")]);
    assert.deepEqual(results, ["committed", "conflict", "conflict"]);
  });
}

function limits(on: On): void {
  on("values of up to 128 KiB come back byte for byte", async (index) => {
    const sizes = [1, 4095, 4096, 4097, 16_388, 32_768, 65_537, 131_072];
    const rows = sizes.map((size) => ({ key: b(`size ${size}`), value: pattern(size) }));
    await Promise.all(rows.map((row) => index.commit({ ...NOTHING, puts: [row] })));
    for (const row of rows) assert.ok((await index.get(row.key))?.equals(row.value));
    const read = await index.scan(all, { limit: 100 });
    assert.equal(read.length, rows.length);
    for (const row of read) assert.ok(row.value.equals(pattern(row.value.length)));
    const checks = rows.map((row): Check => ({ kind: "value", ...row }));
    assert.equal(await index.commit({ ...NOTHING, checks }), "committed");
  });

  on("keys of up to 1900 bytes; longer ones and empty ones are refused", async (index) => {
    const long = Buffer.alloc(KEY_BYTES_MAX, 7);
    const longer = Buffer.alloc(KEY_BYTES_MAX, 7);
    longer[KEY_BYTES_MAX - 1] = 8;
    await index.commit({
      ...NOTHING,
      puts: [
        { key: long, value: b("1") },
        { key: longer, value: b("2") },
      ],
    });
    assert.equal((await index.get(long))?.toString(), "1");
    const range = { start: long, end: longer };
    assert.equal((await index.scan(range, { limit: 9, reverse: true })).length, 1);
    const check: Check = { kind: "first", range, key: long };
    assert.equal(await index.commit({ ...NOTHING, checks: [check] }), "committed");
    for (const key of [Buffer.alloc(KEY_BYTES_MAX + 1, 7), Buffer.alloc(0)]) {
      const refused = index.commit({ ...NOTHING, puts: [{ key, value: b("x") }] });
      await assert.rejects(refused, (error) => error instanceof StoreError && error.code === "InternalError");
    }
    assert.equal(await index.commit(puts(["after", "1"])), "committed");
  });

  on(
    "what is looked for may be longer than any key: it is not there, and bounds a range as any other",
    async (index) => {
      const longest = Buffer.alloc(KEY_BYTES_MAX, 7);
      const keys = [b("\x06"), longest.subarray(1), longest, b("\x08")];
      await index.commit({ ...NOTHING, puts: keys.map((key) => ({ key, value: b("v") })) });
      const longer = Buffer.alloc(5000, 7);
      assert.equal(await index.get(longer), undefined);
      const count = async (range: KeyRange, reverse = false): Promise<number> =>
        (await index.scan(range, { limit: 9, reverse, keysOnly: true })).length;
      const low = { start: all.start, end: longer };
      const high = { start: longer, end: all.end };
      for (const reverse of [false, true])
        assert.deepEqual([await count(low, reverse), await count(high, reverse)], [3, 1]);
      const checks: Check[] = [
        { kind: "value", key: longer, value: null },
        { kind: "first", range: high, key: b("\x08") },
      ];
      assert.equal(await index.commit({ ...NOTHING, checks }), "committed");
    },
  );

  on("a commit of many rows, read back in pages", async (index) => {
    const rows = Array.from({ length: 5000 }, (_, i): Entry => ({ key: u32(i * 7919), value: u32(i) }));
    await index.commit({ ...NOTHING, puts: rows });
    let start: Buffer = Buffer.from([0]);
    let count = 0;
    let last: Buffer = Buffer.alloc(0);
    for (;;) {
      const page = await index.scan({ start, end: Buffer.alloc(5, 0xff) }, { limit: 333 });
      for (const row of page) {
        assert.ok(Buffer.compare(last, row.key) < 0);
        last = row.key;
      }
      count += page.length;
      if (page.length < 333) break;
      start = keyAfter(last);
    }
    assert.equal(count, rows.length);
  });

  on("a commit after close is refused", async (index) => {
    await index.commit(puts(["a", "1"]));
    await index.close();
    await assert.rejects(index.commit(puts(["b", "1"])), StoreError);
  });
}

function u32(value: number): Buffer {
  const out = Buffer.allocUnsafe(4);
  out.writeUInt32BE(value >>> 0);
  return out;
}

function pattern(size: number): Buffer {
  const out = Buffer.allocUnsafe(size);
  for (let i = 0; i < size; i++) out[i] = (i * 31 + size) & 0xff;
  return out;
}

/** The plainest index that could be right: a sorted array rebuilt for each question. */
class Model {
  rows = new Map<string, string>();

  commit(commit: Commit): CommitResult {
    for (const check of commit.checks) if (!this.#holds(check)) return "conflict";
    for (const key of commit.deletes) this.rows.delete(key.toString("hex"));
    for (const row of commit.puts) this.rows.set(row.key.toString("hex"), row.value.toString("hex"));
    for (const { key, delta } of commit.adds) {
      const before = this.rows.get(key.toString("hex"));
      const sum = (before === undefined ? 0n : Buffer.from(before, "hex").readBigInt64LE(0)) + delta;
      const value = Buffer.alloc(8);
      value.writeBigInt64LE(sum);
      if (sum === 0n) this.rows.delete(key.toString("hex"));
      else this.rows.set(key.toString("hex"), value.toString("hex"));
    }
    return "committed";
  }

  scan(range: KeyRange, options: ScanOptions): [string, string][] {
    const [start, end] = [range.start.toString("hex"), range.end.toString("hex")];
    const found = [...this.rows].filter(([key]) => key >= start && key < end).toSorted(([x], [y]) => (x < y ? -1 : 1));
    if (options.reverse) found.reverse();
    return found.slice(0, options.limit).map(([key, value]) => [key, options.keysOnly ? "" : value]);
  }

  #holds(check: Check): boolean {
    const wanted = check.kind === "value" ? check.value : check.key;
    const found =
      check.kind === "value" ? this.rows.get(check.key.toString("hex")) : this.scan(check.range, { limit: 1 })[0]?.[0];
    return (found ?? null) === (wanted?.toString("hex") ?? null);
  }
}

const key = fc.array(fc.constantFrom(1, 2, 0xff, 0), { minLength: 1, maxLength: 3 }).map((bytes) => Buffer.from(bytes));
const value = fc.uint8Array({ minLength: 0, maxLength: 4 }).map((bytes) => Buffer.from(bytes));
const range = fc.tuple(key, key).map(([start, end]): KeyRange => ({ start, end }));
const counter = fc.constantFrom("n1", "n2").map((text) => Buffer.from(text));
const check: fc.Arbitrary<Check> = fc.oneof(
  fc.record({ kind: fc.constant("value" as const), key, value: fc.oneof(value, fc.constant(null)) }),
  fc.record({ kind: fc.constant("first" as const), range, key: fc.oneof(key, fc.constant(null)) }),
);
const commit: fc.Arbitrary<Commit> = fc.record({
  checks: fc.oneof(
    { weight: 3, arbitrary: fc.constant([]) },
    { weight: 1, arbitrary: fc.array(check, { maxLength: 2 }) },
  ),
  puts: fc.array(fc.record({ key, value }), { maxLength: 4 }),
  deletes: fc.array(key, { maxLength: 2 }),
  adds: fc.array(fc.record({ key: counter, delta: fc.bigInt({ min: -3n, max: 3n }) }), { maxLength: 2 }),
});
const question = fc.record({ range, limit: fc.nat(5), reverse: fc.boolean(), keysOnly: fc.boolean() });

async function property(index: OrderedIndex): Promise<void> {
  const run = async (groups: Commit[][], questions: ({ range: KeyRange } & ScanOptions)[]): Promise<void> => {
    const old = await index.scan(all, { limit: 1e6, keysOnly: true });
    await index.commit({ ...NOTHING, deletes: old.map((row) => row.key) });
    const model = new Model();
    for (const group of groups) {
      const expected = group.map((one) => model.commit(one));
      assert.deepEqual(await Promise.all(group.map((one) => index.commit(one))), expected);
    }
    for (const { range: asked, ...options } of questions) {
      const read = await index.scan(asked, options);
      const found = read.map((row) => [row.key.toString("hex"), row.value.toString("hex")]);
      assert.deepEqual(found, model.scan(asked, options));
    }
    for (const [row, expected] of model.rows) {
      assert.equal((await index.get(Buffer.from(row, "hex")))?.toString("hex"), expected);
    }
  };
  const groups = fc.array(fc.array(commit, { minLength: 1, maxLength: 6 }), { maxLength: 8 });
  await fc.assert(fc.asyncProperty(groups, fc.array(question, { maxLength: 12 }), run), { numRuns: 60 });
}
