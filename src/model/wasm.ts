/**
 * Small WebAssembly modules, assembled instruction by instruction, for loops over bytes that no native module offers.
 * Names of instructions are those of the specification (WebAssembly Core, chapter 5).
 */

/** What is used of the engine's global: its types come with those of browsers only. */
declare const WebAssembly: {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object) => { readonly exports: object };
};

/** `\0asm`, version 1. */
const MAGIC = [0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0];
const PAGE_BYTES = 65_536;

/** Value types. */
export const I32 = 0x7f;
export const I64 = 0x7e;
export const V128 = 0x7b;

export const BLOCK = [0x02, 0x40];
export const LOOP = [0x03, 0x40];
export const END = 0x0b;
export const I32_ADD = 0x6a;
export const I32_SUB = 0x6b;
export const I32_AND = 0x71;
export const I32_OR = 0x72;
export const I32_XOR = 0x73;
export const I32_SHL = 0x74;
export const I32_ROTL = 0x77;
export const I32_GT_U = 0x4b;
export const I32_GE_U = 0x4f;
export const I32_WRAP = 0xa7;
export const I64_XOR = 0x85;
export const I64_SHR_U = 0x88;

/** An instruction of the vector set. */
const vector = (opcode: number): number[] => [0xfd, ...unsigned(opcode)];
export const V128_NOT = vector(0x4d);
export const V128_OR = vector(0x50);
export const V128_XOR = vector(0x51);
/** `a b mask`: bits of `a` where the mask has ones, of `b` elsewhere. */
export const V128_BITSELECT = vector(0x52);
export const I32X4_SHL = vector(0xab);
export const I32X4_SHR_U = vector(0xad);
export const I32X4_ADD = vector(0xae);
/** Bytes of two vectors by their numbers, those of the second from 16 on. */
export const shuffle = (bytes: readonly number[]): number[] => [...vector(0x0d), ...bytes];

export const get = (local: number): number[] => [0x20, ...unsigned(local)];
export const set = (local: number): number[] => [0x21, ...unsigned(local)];
export const tee = (local: number): number[] => [0x22, ...unsigned(local)];
export const brIf = (depth: number): number[] => [0x0d, depth];
export const br = (depth: number): number[] => [0x0c, depth];
export const i32 = (value: number): number[] => [0x41, ...signed(value)];
export const i64 = (value: number): number[] => [0x42, ...signed(value)];
/** Loads and stores at `offset` behind the address on the stack; no alignment is promised. */
export const loadI32 = (offset: number): number[] => [0x28, 0, ...unsigned(offset)];
export const storeI32 = (offset: number): number[] => [0x36, 0, ...unsigned(offset)];
export const loadI64 = (offset: number): number[] => [0x29, 0, ...unsigned(offset)];
export const loadI64Byte = (offset: number): number[] => [0x31, 0, ...unsigned(offset)];
export const loadV128 = (offset: number): number[] => [...vector(0x00), 0, ...unsigned(offset)];
export const storeV128 = (offset: number): number[] => [...vector(0x0b), 0, ...unsigned(offset)];

function unsigned(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...unsigned(value >>> 7)];
}

function signed(value: number): number[] {
  return value >= -0x40 && value < 0x40 ? [value & 0x7f] : [(value & 0x7f) | 0x80, ...signed(value >> 7)];
}

/** A function that is exported under its name. */
export interface WasmFunction {
  readonly name: string;
  readonly parameters: readonly number[];
  readonly results: readonly number[];
  /** Types of the locals behind the parameters. */
  readonly locals: readonly number[];
  readonly code: readonly number[];
}

/** An instance of a module of these functions, over a memory of its own that holds `bytes`, exported as `memory`. */
export function instantiate(bytes: number, functions: readonly WasmFunction[]): object {
  const section = (id: number, body: readonly number[]): number[] => [id, ...list(body)];
  const count = unsigned(functions.length);
  const module = Uint8Array.from([
    ...MAGIC,
    ...section(1, [...count, ...functions.flatMap((f) => [0x60, ...list(f.parameters), ...list(f.results)])]),
    ...section(3, [...count, ...functions.keys()]),
    ...section(5, [1, 0, ...unsigned(Math.ceil(bytes / PAGE_BYTES))]),
    ...section(7, [
      ...unsigned(functions.length + 1),
      ...functions.flatMap((f, i) => [...list([...Buffer.from(f.name)]), 0, i]),
      ...list([...Buffer.from("memory")]),
      2,
      0,
    ]),
    ...section(10, [...count, ...functions.flatMap((f) => list([...localsOf(f), ...f.code, END]))]),
  ]);
  return new WebAssembly.Instance(new WebAssembly.Module(module)).exports;
}

const list = (bytes: readonly number[]): number[] => [...unsigned(bytes.length), ...bytes];

const localsOf = ({ locals }: WasmFunction): number[] => [
  ...unsigned(locals.length),
  ...locals.flatMap((type) => [1, type]),
];
