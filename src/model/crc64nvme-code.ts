/**
 * The WebAssembly module of crc64nvme.ts, assembled instruction by instruction. Memory, from 0: tables; zeros for as far
 * back as `fold` looks; the bytes to sum up, at DATA.
 */

import {
  BLOCK,
  br,
  brIf,
  END,
  get,
  I32,
  i32,
  I32_ADD,
  I32_AND,
  I32_GE_U,
  I32_GT_U,
  I32_SHL,
  I32_WRAP,
  I64,
  i64,
  I64_SHR_U,
  I64_XOR,
  instantiate,
  loadI64,
  loadI64Byte,
  loadV128,
  LOOP,
  set,
  storeV128,
  V128_XOR,
} from "./wasm.ts";

/** Bytes that a step of `update` takes, and tables that it looks them up in. */
export const SLICES = 16;
const TABLE_BYTES = 256 * 8;
const VECTOR_BYTES = 16;
/**
 * x^(128 * 1740) is the sum of x^(128 * (1740 - d)) over these d, modulo the polynomial: a birthday search found it, the
 * test proves it. So 16 bytes may be taken out of the sum by adding them, as they are, at each of these distances
 * (in 16 bytes) behind themselves: seven additions instead of sixteen lookups.
 */
export const FOLD_DISTANCES = [280, 979, 1172, 1598, 1607, 1645, 1740] as const;
/** `fold` leaves this many bytes. */
export const FOLDED_BYTES = VECTOR_BYTES * Math.max(...FOLD_DISTANCES);
/** Where the bytes lie. */
export const DATA = SLICES * TABLE_BYTES + FOLDED_BYTES;
/** As long as the pieces that bodies come in (SLAB_BYTES): what `fold` leaves of each is then a tenth. */
export const DATA_BYTES = 256 * 1024;

export interface Crc64Machine {
  readonly memory: { readonly buffer: ArrayBuffer };
  /** The CRC after the bytes [at, end) behind DATA; `crc` is the one before, not inverted. */
  readonly update: (crc: bigint, at: number, end: number) => bigint;
  /**
   * Changes the bytes [0, end) behind DATA so that the last FOLDED_BYTES of them have, from a CRC of zero, the CRC that
   * all had. `end` is a multiple of 16 and not less than FOLDED_BYTES.
   */
  readonly fold: (end: number) => void;
}

/** Terms added up as a tree: a chain of additions would be waited for. */
function sum(terms: readonly number[][], add: readonly number[]): number[] {
  if (terms.length === 1) return terms[0] as number[];
  const half = terms.length >> 1;
  return [...sum(terms.slice(0, half), add), ...sum(terms.slice(half), add), ...add];
}

/** `while (!(leaves)) body`; `leaves` puts a condition on the stack. */
function loop(leaves: readonly number[], body: readonly number[]): number[] {
  return [...BLOCK, ...LOOP, ...leaves, ...brIf(1), ...body, ...br(0), END, END];
}

const increase = (local: number, by: number): number[] => [...get(local), ...i32(by), I32_ADD, ...set(local)];

/** Byte `shift / 8` of a local, looked up in a table. */
function lookUp(local: number, shift: number, table: number): number[] {
  const byte = shift === 0 ? get(local) : [...get(local), ...i64(shift - 3), I64_SHR_U];
  const scaled = [...byte, I32_WRAP, ...(shift === 0 ? [...i32(3), I32_SHL] : []), ...i32(255 * 8), I32_AND];
  return [...scaled, ...loadI64(table * TABLE_BYTES)];
}

function updateCode(): number[] {
  const [crc, at, end, first, second] = [0, 1, 2, 3, 4];
  const eight = (local: number, table: number): number[][] =>
    Array.from({ length: 8 }, (_, i) => lookUp(local, 8 * i, table - i));
  const sixteenBytes = [
    ...get(crc),
    ...get(at),
    ...loadI64(DATA),
    I64_XOR,
    ...set(first),
    ...get(at),
    ...loadI64(DATA + 8),
    ...set(second),
    // The second word does not wait for the CRC before, so its lookups come first.
    ...sum(eight(second, 7), [I64_XOR]),
    ...sum(eight(first, 15), [I64_XOR]),
    I64_XOR,
    ...set(crc),
    ...increase(at, SLICES),
  ];
  const oneByte = [
    ...get(at),
    ...loadI64Byte(DATA),
    ...get(crc),
    I64_XOR,
    ...set(first),
    ...lookUp(first, 0, 0),
    ...get(crc),
    ...i64(8),
    I64_SHR_U,
    I64_XOR,
    ...set(crc),
    ...increase(at, 1),
  ];
  return [
    ...loop([...get(at), ...i32(SLICES), I32_ADD, ...get(end), I32_GT_U], sixteenBytes),
    ...loop([...get(at), ...get(end), I32_GE_U], oneByte),
    ...get(crc),
  ];
}

/** One loop for each number of distances: near the end only bytes far enough before it are still taken out. */
function foldCode(): number[] {
  const [end, at] = [0, 1];
  const words: number[] = [];
  for (const [i, distance] of FOLD_DISTANCES.entries()) {
    const terms = [0, ...FOLD_DISTANCES.slice(i)].map((d) => [...get(at), ...loadV128(DATA - VECTOR_BYTES * d)]);
    const taken = [...get(at), ...sum(terms, V128_XOR), ...storeV128(DATA), ...increase(at, VECTOR_BYTES)];
    const bound = [...get(end), ...i32(VECTOR_BYTES * distance - FOLDED_BYTES), I32_ADD];
    words.push(...loop([...get(at), ...bound, I32_GE_U], taken));
  }
  return words;
}

/** A machine of its own memory, its tables still empty. */
export function assembleCrc64(): Crc64Machine {
  const update = { parameters: [I64, I32, I32], results: [I64], locals: [I64, I64], code: updateCode() };
  const fold = { parameters: [I32], results: [], locals: [I32], code: foldCode() };
  const functions = [
    { name: "update", ...update },
    { name: "fold", ...fold },
  ];
  return instantiate(DATA + DATA_BYTES, functions) as Crc64Machine;
}
