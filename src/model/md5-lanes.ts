/**
 * MD5 of several bodies at once. One body costs what it costs elsewhere; of two, four and eight that come at the same time
 * each costs four fifths, a half, and a quarter of that (bench/md5.ts). What is added waits until `run`, or until a digest
 * is asked for: whoever has bytes of several bodies in hand adds them all before that.
 */
import {
  assembleMd5,
  BLOCK_BYTES,
  DATA,
  GROUP_BYTES,
  LANE_BYTES,
  LANES_MAX,
  STATES,
  type Md5Machine,
} from "./md5-code.ts";

/** RFC 1321, section 3.3. */
const FIRST_STATE = [0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476] as const;
const STATE_WORDS = FIRST_STATE.length;
const LENGTH_BYTES = 8;
const TWO_32 = 2 ** 32;

interface Machine extends Md5Machine {
  readonly states: Uint32Array;
  /** Memory of each lane. */
  readonly lanes: readonly Uint8Array[];
}

const addressOf = (lane: number): number => DATA + LANE_BYTES * lane;

function makeMachine(): Machine {
  const { memory, one, four, eight } = assembleMd5();
  const lanes = Array.from({ length: LANES_MAX }, (_, i) => new Uint8Array(memory.buffer, addressOf(i), LANE_BYTES));
  const states = new Uint32Array(memory.buffer, STATES, STATE_WORDS * LANES_MAX);
  return { memory, one, four, eight, states, lanes };
}

/** A body whose bytes lie in a lane: where they go on, and how many whole blocks are left of them. */
interface Lane {
  readonly stream: Md5Stream;
  at: number;
  blocks: number;
}

/** One thread's streams: those that have bytes waiting are taken together. */
export class Md5Lanes {
  #machine: Machine | undefined;
  #waiting: Md5Stream[] = [];

  /** Starts the MD5 of a body. */
  stream(): Md5Stream {
    return new Md5Stream(this);
  }

  /** Said by a stream when its first bytes come. */
  waits(stream: Md5Stream): void {
    this.#waiting.push(stream);
  }

  /** Takes all that was added to the streams; its memory is free after that. */
  run(): void {
    if (this.#waiting.length === 0) return;
    const machine = (this.#machine ??= makeMachine());
    while (this.#waiting.length > 0) {
      const streams = this.#waiting.slice(0, LANES_MAX);
      const lanes = streams.map((stream, i): Lane => {
        const blocks = stream.fill(machine.lanes[i] as Uint8Array);
        return { stream, at: addressOf(i), blocks };
      });
      compressAll(machine, lanes);
      // Streams that have more come first again: the lanes of those that ended go to the next.
      const more = streams.filter((stream) => stream.hasMore);
      this.#waiting = [...more, ...this.#waiting.slice(LANES_MAX)];
    }
  }
}

/** Of lanes with unlike numbers of blocks, as many as all have are taken together, then those of the longer ones. */
function compressAll(machine: Machine, lanes: readonly Lane[]): void {
  for (;;) {
    const busy = lanes.filter((lane) => lane.blocks > 0);
    if (busy.length === 0) return;
    const blocks = Math.min(...busy.map((lane) => lane.blocks));
    compress(machine, busy, blocks);
    for (const lane of busy) {
      lane.at += BLOCK_BYTES * blocks;
      lane.blocks -= blocks;
    }
  }
}

function compress({ states, one, four, eight }: Machine, lanes: readonly Lane[], blocks: number): void {
  const first = lanes[0] as Lane;
  if (lanes.length === 1) {
    states.set(first.stream.state);
    one(first.at, blocks);
    first.stream.state.set(states.subarray(0, STATE_WORDS));
    return;
  }
  const width = lanes.length <= 4 ? 4 : LANES_MAX;
  const addresses: number[] = [];
  // A lane without a body takes the first one's bytes; nobody looks at what becomes of it.
  for (let i = 0; i < width; i++) addresses.push(lanes[i]?.at ?? first.at);
  for (const [i, { stream }] of lanes.entries()) {
    for (let word = 0; word < STATE_WORDS; word++) states[placeOf(i, word)] = stream.state[word] as number;
  }
  (width === 4 ? four : eight)(...addresses, blocks);
  for (const [i, { stream }] of lanes.entries()) {
    for (let word = 0; word < STATE_WORDS; word++) stream.state[word] = states[placeOf(i, word)] as number;
  }
}

/** See Md5Machine.four. */
const placeOf = (lane: number, word: number): number => (GROUP_BYTES * (lane >> 2)) / 4 + 4 * word + (lane & 3);

/** What follows a body of `length` bytes, up to the end of a block. RFC 1321, sections 3.1 and 3.2. */
export function paddingOf(length: number): Buffer {
  const zeros = (2 * BLOCK_BYTES - LENGTH_BYTES - 1 - (length % BLOCK_BYTES)) % BLOCK_BYTES;
  const padding = Buffer.alloc(1 + zeros + LENGTH_BYTES);
  padding[0] = 0x80;
  padding.writeUInt32LE((length * 8) % TWO_32, 1 + zeros);
  padding.writeUInt32LE(Math.floor((length * 8) / TWO_32), 5 + zeros);
  return padding;
}

/** The MD5 of one body. */
export class Md5Stream {
  readonly state = Uint32Array.from(FIRST_STATE);
  readonly #lanes: Md5Lanes;
  #pieces: Uint8Array[] = [];
  /** Bytes of the first piece that were taken. */
  #taken = 0;
  /** The start of a block whose end has not come. */
  readonly #begun = new Uint8Array(BLOCK_BYTES);
  #begunBytes = 0;
  #length = 0;

  constructor(lanes: Md5Lanes) {
    this.#lanes = lanes;
  }

  /** Adds bytes, which must stay as they are until the lanes have run. */
  update(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.#length += bytes.length;
    this.#add(bytes);
  }

  get hasMore(): boolean {
    return this.#pieces.length > 0;
  }

  /** Moves waiting bytes to `lane`; how many whole blocks there are then. What is left of the last piece is kept. */
  fill(lane: Uint8Array): number {
    let filled = this.#begunBytes;
    lane.set(this.#begun.subarray(0, filled));
    while (filled < lane.length) {
      const piece = this.#pieces[0];
      if (piece === undefined) break;
      const bytes = piece.subarray(this.#taken, this.#taken + lane.length - filled);
      lane.set(bytes, filled);
      filled += bytes.length;
      this.#taken += bytes.length;
      if (this.#taken < piece.length) continue;
      this.#pieces.shift();
      this.#taken = 0;
    }
    this.#begunBytes = filled % BLOCK_BYTES;
    this.#begun.set(lane.subarray(filled - this.#begunBytes, filled));
    return (filled - this.#begunBytes) / BLOCK_BYTES;
  }

  /** Hex. Runs the lanes, with what waits in others. Call once, after the last update. RFC 1321, section 3.5. */
  digest(): string {
    this.#add(paddingOf(this.#length));
    this.#lanes.run();
    const out = Buffer.allocUnsafe(4 * STATE_WORDS);
    for (const [i, word] of this.state.entries()) out.writeUInt32LE(word, 4 * i);
    return out.toString("hex");
  }

  #add(bytes: Uint8Array): void {
    if (this.#pieces.length === 0) this.#lanes.waits(this);
    this.#pieces.push(bytes);
  }
}
