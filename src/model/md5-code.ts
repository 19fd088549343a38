/**
 * The WebAssembly module of md5-lanes.ts: the MD5 compression of RFC 1321, section 3.4, for one body with plain numbers
 * and for four or eight at once with a body in each lane of a vector. A step waits for the one before, so that one body
 * leaves most of a core idle; steps of other bodies fill it.
 */
import {
  brIf,
  BLOCK,
  END,
  get,
  I32,
  i32,
  I32_ADD,
  I32_AND,
  I32_OR,
  I32_ROTL,
  I32_SUB,
  I32_XOR,
  I32X4_ADD,
  I32X4_SHL,
  I32X4_SHR_U,
  instantiate,
  loadI32,
  loadV128,
  LOOP,
  set,
  shuffle,
  storeI32,
  storeV128,
  tee,
  V128,
  V128_BITSELECT,
  V128_NOT,
  V128_OR,
  V128_XOR,
  type WasmFunction,
} from "./wasm.ts";

export const BLOCK_BYTES = 64;
export const LANES_MAX = 8;
/** Bytes of each lane that lie in the machine's memory at once: all lanes together fit the second cache of a core. */
export const LANE_BYTES = 16 * 1024;

const LANES = 4;
const STEPS = 64;
const VECTOR_BYTES = 16;
/** The constants of the steps, each four times; the states; the words of a block, a vector each; the lanes' bytes. */
const CONSTANTS = 0;
export const STATES = CONSTANTS + STEPS * VECTOR_BYTES;
/** Four words of four lanes. */
export const GROUP_BYTES = 4 * VECTOR_BYTES;
const WORDS = STATES + (LANES_MAX / LANES) * GROUP_BYTES;
const GROUP_WORDS_BYTES = 16 * VECTOR_BYTES;
export const DATA = WORDS + (LANES_MAX / LANES) * GROUP_WORDS_BYTES;

const SHIFTS = [
  [7, 12, 17, 22],
  [5, 9, 14, 20],
  [4, 11, 16, 23],
  [6, 10, 15, 21],
] as const;
const CONSTANT = Array.from({ length: STEPS }, (_, i) => Math.floor(Math.abs(Math.sin(i + 1)) * 2 ** 32) | 0);
/** Which word of the block a step takes, in each of the four rounds. */
const WORD_OF = [
  (i: number): number => i,
  (i: number): number => (5 * i + 1) % 16,
  (i: number): number => (3 * i + 5) % 16,
  (i: number): number => (7 * i) % 16,
] as const;

export interface Md5Machine {
  readonly memory: { readonly buffer: ArrayBuffer };
  /** Takes `blocks` blocks from the address on; the state is four words at STATES. */
  readonly one: (at: number, blocks: number) => void;
  /**
   * Takes as many blocks from four (eight) addresses on, one for each lane. Word `i` of lane `j` of a state lies at
   * STATES + GROUP_BYTES * (j >> 2) + 16 * i + 4 * (j & 3).
   */
  readonly four: (...addressesAndBlocks: number[]) => void;
  readonly eight: (...addressesAndBlocks: number[]) => void;
}

/** How a step is written: with plain numbers, or with vectors. `word` puts a word of the block on the stack. */
interface Arithmetic {
  readonly add: readonly number[];
  readonly load: (offset: number) => number[];
  readonly store: (offset: number) => number[];
  readonly constant: (step: number) => number[];
  /** The round's function of three locals; what is on the stack already is a term that it will be added to. */
  readonly mix: (round: number, b: number, c: number, d: number) => number[];
  /** Rotates what is on the stack. */
  readonly rotate: (by: number) => number[];
}

const PLAIN: Arithmetic = {
  add: [I32_ADD],
  load: loadI32,
  store: storeI32,
  constant: (step) => i32(CONSTANT[step] as number),
  mix(round, b, c, d) {
    if (round === 0) return [...get(c), ...get(d), I32_XOR, ...get(b), I32_AND, ...get(d), I32_XOR];
    // Its halves have no bit in common: one is added to what lies below before the other, which waits for `b`, is known.
    if (round === 1)
      return [...get(d), ...i32(-1), I32_XOR, ...get(c), I32_AND, I32_ADD, ...get(d), ...get(b), I32_AND];
    if (round === 2) return [...get(c), ...get(d), I32_XOR, ...get(b), I32_XOR];
    return [...get(d), ...i32(-1), I32_XOR, ...get(b), I32_OR, ...get(c), I32_XOR];
  },
  rotate: (by) => [...i32(by), I32_ROTL],
};

const vectors = (scratch: number): Arithmetic => ({
  add: I32X4_ADD,
  load: loadV128,
  store: storeV128,
  constant: (step) => [...i32(CONSTANTS), ...loadV128(VECTOR_BYTES * step)],
  mix(round, b, c, d) {
    if (round === 0) return [...get(c), ...get(d), ...get(b), ...V128_BITSELECT];
    if (round === 1) return [...get(b), ...get(c), ...get(d), ...V128_BITSELECT];
    if (round === 2) return [...get(b), ...get(c), ...V128_XOR, ...get(d), ...V128_XOR];
    return [...get(d), ...V128_NOT, ...get(b), ...V128_OR, ...get(c), ...V128_XOR];
  },
  rotate: (by) => [
    ...tee(scratch),
    ...i32(by),
    ...I32X4_SHL,
    ...get(scratch),
    ...i32(32 - by),
    ...I32X4_SHR_U,
    ...V128_OR,
  ],
});

/** A state in work: where it is kept, its locals, and how a word of its block is put on the stack. */
interface Chain {
  readonly arithmetic: Arithmetic;
  readonly kept: number;
  readonly wordBytes: number;
  readonly locals: readonly [number, number, number, number];
  readonly word: (index: number) => number[];
}

/** The 64 steps of a block for all chains, taking turns: a step of one does not wait for that of another. */
function steps(chains: readonly Chain[]): number[] {
  const code: number[] = [];
  for (let step = 0; step < STEPS; step++) {
    const round = step >> 4;
    const by = (SHIFTS[round] as readonly number[])[step & 3] as number;
    const index = (WORD_OF[round] as (i: number) => number)(step);
    for (const { arithmetic, locals, word } of chains) {
      const local = (i: number): number => locals[(i + STEPS - step) & 3] as number;
      const [a, b, c, d] = [local(0), local(1), local(2), local(3)];
      const { add, constant, mix, rotate } = arithmetic;
      code.push(...get(a), ...word(index), ...add, ...constant(step), ...add, ...mix(round, b, c, d), ...add);
      code.push(...rotate(by), ...get(b), ...add, ...set(a));
    }
  }
  return code;
}

/** `prepare` and the steps for each of the blocks; then the addresses, `lanes` locals from 0 on, are moved on. */
function compression(lanes: number, chains: readonly Chain[], prepare: readonly number[]): number[] {
  const left = lanes;
  const kept = (use: (chain: Chain, local: number, offset: number) => number[]): number[] =>
    chains.flatMap((chain) => chain.locals.flatMap((local, i) => use(chain, local, chain.kept + chain.wordBytes * i)));
  const begin = kept(({ arithmetic }, local, offset) => [...i32(0), ...arithmetic.load(offset), ...set(local)]);
  const addUp = kept(({ arithmetic: { load, store, add } }, local, offset) => [
    ...i32(0),
    ...i32(0),
    ...load(offset),
    ...get(local),
    ...add,
    ...tee(local),
    ...store(offset),
  ]);
  const on = Array.from({ length: lanes }, (_, i) => [...get(i), ...i32(BLOCK_BYTES), I32_ADD, ...set(i)]).flat();
  const next = [...get(left), ...i32(1), I32_SUB, ...tee(left), ...brIf(0)];
  return [...begin, ...BLOCK, ...LOOP, ...prepare, ...steps(chains), ...addUp, ...on, ...next, END, END];
}

const FIRST_HALVES = [0, 1, 2, 3, 16, 17, 18, 19, 4, 5, 6, 7, 20, 21, 22, 23];
const SECOND_HALVES = FIRST_HALVES.map((byte) => byte + 8);
const LOW = [0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23];
const HIGH = LOW.map((byte) => byte + 8);

/** Blocks of four lanes, from their addresses in locals, as vectors with one word of each lane, from `words` on. */
function transposition(addresses: readonly number[], words: number, scratch: readonly number[]): number[] {
  const [v, x] = [scratch.slice(0, 4), scratch.slice(4, 8)];
  const at = (list: readonly number[], i: number): number => list[i] as number;
  const merged = (a: number, b: number, bytes: readonly number[]): number[] => [
    ...get(a),
    ...get(b),
    ...shuffle(bytes),
  ];
  const code: number[] = [];
  for (let quarter = 0; quarter < 4; quarter++) {
    for (let i = 0; i < LANES; i++)
      code.push(...get(at(addresses, i)), ...loadV128(VECTOR_BYTES * quarter), ...set(at(v, i)));
    code.push(...merged(at(v, 0), at(v, 1), FIRST_HALVES), ...set(at(x, 0)));
    code.push(...merged(at(v, 2), at(v, 3), FIRST_HALVES), ...set(at(x, 1)));
    code.push(...merged(at(v, 0), at(v, 1), SECOND_HALVES), ...set(at(x, 2)));
    code.push(...merged(at(v, 2), at(v, 3), SECOND_HALVES), ...set(at(x, 3)));
    for (let i = 0; i < 4; i++) {
      const half = i & 2;
      const word = merged(at(x, half), at(x, half + 1), (i & 1) === 0 ? LOW : HIGH);
      code.push(...i32(0), ...word, ...storeV128(words + VECTOR_BYTES * (4 * quarter + i)));
    }
  }
  return code;
}

function plainFunction(): WasmFunction {
  const chain: Chain = {
    arithmetic: PLAIN,
    kept: STATES,
    wordBytes: 4,
    locals: [2, 3, 4, 5],
    word: (index) => [...get(0), ...loadI32(4 * index)],
  };
  const types = { parameters: [I32, I32], results: [], locals: [I32, I32, I32, I32] };
  return { name: "one", ...types, code: compression(1, [chain], []) };
}

function vectorFunction(name: string, groups: number): WasmFunction {
  const lanes = LANES * groups;
  const first = lanes + 1;
  const scratch = Array.from({ length: 8 }, (_, i) => first + 4 * groups + i);
  const arithmetic = vectors(scratch[0] as number);
  const prepare: number[] = [];
  const chains: Chain[] = [];
  for (let group = 0; group < groups; group++) {
    const words = WORDS + GROUP_WORDS_BYTES * group;
    const local = first + 4 * group;
    const addresses = Array.from({ length: LANES }, (_, i) => LANES * group + i);
    prepare.push(...transposition(addresses, words, scratch));
    chains.push({
      arithmetic,
      kept: STATES + GROUP_BYTES * group,
      wordBytes: VECTOR_BYTES,
      locals: [local, local + 1, local + 2, local + 3],
      word: (index) => [...i32(0), ...loadV128(words + VECTOR_BYTES * index)],
    });
  }
  const parameters = Array.from({ length: lanes + 1 }, () => I32);
  const locals = Array.from({ length: 4 * groups + 8 }, () => V128);
  return { name, parameters, results: [], locals, code: compression(lanes, chains, prepare) };
}

/** A machine of its own memory: LANES_MAX runs of LANE_BYTES from DATA on. */
export function assembleMd5(): Md5Machine {
  const functions = [plainFunction(), vectorFunction("four", 1), vectorFunction("eight", 2)];
  const machine = instantiate(DATA + LANES_MAX * LANE_BYTES, functions) as Md5Machine;
  const constants = new Int32Array(machine.memory.buffer, CONSTANTS, STEPS * LANES);
  for (let i = 0; i < constants.length; i++) constants[i] = CONSTANT[i >> 2] as number;
  return machine;
}
