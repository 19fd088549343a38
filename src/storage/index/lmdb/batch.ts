/**
 * Commits as one run of bytes, so that a batch crosses to the writer thread as one transferred buffer, each key and
 * value copied once. Only ever in memory, between two threads of one program: it has no format version.
 *
 * batch:  u32 number of commits, then each commit:
 * commit: u32 checks, u32 deletes, u32 puts, u32 adds, then those in this order
 * check:  u8 kind; "value": bytes key, bytes-or-none value; "first": bytes start, bytes end, bytes-or-none key
 * delete: bytes key; put: bytes key, bytes value; add: bytes key, i64 delta
 * bytes:  u32 length (0xffffffff: none), then that many. All numbers little-endian.
 */
import type { Check, Commit } from "../index.ts";

const NONE = 0xffffffff;
const KIND_VALUE = 1;
const KIND_FIRST = 2;

function checkBytes(check: Check): number {
  if (check.kind === "value") return 1 + 8 + check.key.length + (check.value?.length ?? 0);
  return 1 + 12 + check.range.start.length + check.range.end.length + (check.key?.length ?? 0);
}

/** How many bytes `commit` takes in a batch. */
export function commitBytes(commit: Commit): number {
  let total = 16;
  for (const check of commit.checks) total += checkBytes(check);
  for (const key of commit.deletes) total += 4 + key.length;
  for (const row of commit.puts) total += 8 + row.key.length + row.value.length;
  for (const add of commit.adds) total += 12 + add.key.length;
  return total;
}

/** `bytes` is the sum of `commitBytes` over `commits`. The buffer has its memory to itself: it can be transferred. */
export function encodeBatch(commits: readonly Commit[], bytes: number): Buffer<ArrayBuffer> {
  const out = Buffer.from(new ArrayBuffer(4 + bytes));
  let at = out.writeUInt32LE(commits.length, 0);
  const put = (field: Buffer | null): void => {
    if (field === null) {
      at = out.writeUInt32LE(NONE, at);
      return;
    }
    at = out.writeUInt32LE(field.length, at);
    at += field.copy(out, at);
  };
  for (const commit of commits) {
    at = out.writeUInt32LE(commit.checks.length, at);
    at = out.writeUInt32LE(commit.deletes.length, at);
    at = out.writeUInt32LE(commit.puts.length, at);
    at = out.writeUInt32LE(commit.adds.length, at);
    for (const check of commit.checks) {
      at = out.writeUInt8(check.kind === "value" ? KIND_VALUE : KIND_FIRST, at);
      if (check.kind === "value") {
        put(check.key);
        put(check.value);
      } else {
        put(check.range.start);
        put(check.range.end);
        put(check.key);
      }
    }
    for (const key of commit.deletes) put(key);
    for (const row of commit.puts) {
      put(row.key);
      put(row.value);
    }
    for (const add of commit.adds) {
      put(add.key);
      at = out.writeBigInt64LE(add.delta, at);
    }
  }
  return out;
}

/** The inverse of `encodeBatch`; keys and values are views of `bytes`. */
export function decodeBatch(bytes: Buffer): Commit[] {
  let at = 0;
  const u32 = (): number => {
    const value = bytes.readUInt32LE(at);
    at += 4;
    return value;
  };
  const optional = (): Buffer | null => {
    const length = u32();
    if (length === NONE) return null;
    at += length;
    return bytes.subarray(at - length, at);
  };
  const field = (): Buffer => {
    const length = u32();
    at += length;
    return bytes.subarray(at - length, at);
  };
  const check = (): Check => {
    const kind = bytes.readUInt8(at++);
    if (kind === KIND_VALUE) return { kind: "value", key: field(), value: optional() };
    return { kind: "first", range: { start: field(), end: field() }, key: optional() };
  };
  const delta = (): bigint => {
    at += 8;
    return bytes.readBigInt64LE(at - 8);
  };
  const many = <T>(count: number, one: () => T): T[] => {
    const out: T[] = [];
    for (let i = 0; i < count; i++) out.push(one());
    return out;
  };
  return many(u32(), () => {
    const [checks, deletes, puts, adds] = [u32(), u32(), u32(), u32()];
    return {
      checks: many(checks, check),
      deletes: many(deletes, field),
      puts: many(puts, () => ({ key: field(), value: field() })),
      adds: many(adds, () => ({ key: field(), delta: delta() })),
    };
  });
}
