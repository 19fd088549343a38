/**
 * Requests and answers of `POST /resilver/v1/reconcile` as bytes; docs/reference/peers.md describes the same. Places are
 * written as how much they share with the place before and what follows, since neighbours share most of their key.
 */
import { StoreError } from "../model/errors.ts";
import { FINGERPRINT_FORMAT } from "../model/fingerprint.ts";
import {
  END_PLACE,
  SHORT_BYTES,
  type Answer,
  type Items,
  type Level,
  type Place,
  type Question,
  type Summary,
} from "./side.ts";

/**
 * Other bytes, or other hashes: then sums of two sites mean nothing to each other. A side that has another one answers
 * InvalidRequest, and the sites compare listings.
 */
const FRAME_FORMAT = 0x10 | FINGERPRINT_FORMAT;
const SUM_BYTES = 16;
const LEVELS: readonly Level[] = ["identity", "state"];
const ASKS = ["sum", "items", "compare"] as const;
const KINDS = ["equal", "sum", "oneSided", "parts", "items"] as const;
const FLAG_CONTINUES = 0x10;
const FLAG_DAMAGED = 0x20;
const KIND_MASK = 0x0f;
/** A place is a key of at most 1,024 bytes, a zero and a version id, or a little more to be after all of them. */
const PLACE_BYTES_MAX = 1200;

function malformed(): StoreError {
  return new StoreError("InvalidRequest", { message: "The reconcile frame is malformed." });
}

class Writer {
  #bytes = Buffer.allocUnsafe(4096);
  #at = 0;
  #place: Place = Buffer.alloc(0);

  #reserve(count: number): void {
    if (this.#at + count <= this.#bytes.length) return;
    const grown = Buffer.allocUnsafe(Math.max(2 * this.#bytes.length, this.#at + count));
    this.#bytes.copy(grown, 0, 0, this.#at);
    this.#bytes = grown;
  }

  byte(value: number): void {
    this.#reserve(1);
    this.#bytes[this.#at++] = value;
  }

  /** Seven bits a byte, the lowest first. */
  number(value: number): void {
    let rest = value;
    while (rest >= 0x80) {
      this.byte((rest % 0x80) | 0x80);
      rest = Math.floor(rest / 0x80);
    }
    this.byte(rest);
  }

  raw(bytes: Buffer): void {
    this.#reserve(bytes.length);
    this.#at += bytes.copy(this.#bytes, this.#at);
  }

  latin1(text: string): void {
    this.#reserve(text.length);
    this.#at += this.#bytes.write(text, this.#at, "latin1");
  }

  place(place: Place): void {
    const before = this.#place;
    let shared = 0;
    while (shared < place.length && shared < before.length && place[shared] === before[shared]) shared++;
    this.number(shared);
    this.number(place.length - shared);
    this.raw(place.subarray(shared));
    this.#place = place;
  }

  isAt(place: Place): boolean {
    return this.#place.equals(place);
  }

  end(): Buffer {
    return Buffer.from(this.#bytes.subarray(0, this.#at));
  }
}

class Reader {
  readonly #bytes: Buffer;
  #at = 0;
  #place: Place = Buffer.alloc(0);

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  byte(): number {
    const value = this.#bytes[this.#at++];
    if (value === undefined) throw malformed();
    return value;
  }

  number(): number {
    let value = 0;
    for (let scale = 1; ; scale *= 0x80) {
      const byte = this.byte();
      value += (byte & 0x7f) * scale;
      if (value > Number.MAX_SAFE_INTEGER) throw malformed();
      if (byte < 0x80) return value;
    }
  }

  /** How many things of at least `bytes` each follow: never more than there are bytes left. */
  count(bytes: number): number {
    const count = this.number();
    if (count * bytes > this.#bytes.length - this.#at) throw malformed();
    return count;
  }

  raw(count: number): Buffer {
    if (count > this.#bytes.length - this.#at) throw malformed();
    this.#at += count;
    return this.#bytes.subarray(this.#at - count, this.#at);
  }

  place(): Place {
    const shared = this.number();
    const length = this.number();
    if (shared > this.#place.length || shared + length > PLACE_BYTES_MAX) throw malformed();
    this.#place = Buffer.concat([this.#place.subarray(0, shared), this.raw(length)]);
    return this.#place;
  }

  get last(): Place {
    return this.#place;
  }

  expectEnd(): void {
    if (this.#at !== this.#bytes.length) throw malformed();
  }
}

function writeSummary(out: Writer, { count, sum }: Summary): void {
  out.number(count);
  out.raw(sum);
}

function readSummary(bytes: Reader, flags: number): Summary {
  return { count: bytes.number(), isDamaged: (flags & FLAG_DAMAGED) !== 0, sum: bytes.raw(SUM_BYTES) };
}

export function encodeQuestions(level: Level, questions: readonly Question[]): Buffer {
  const out = new Writer();
  out.byte(FRAME_FORMAT);
  out.byte(LEVELS.indexOf(level));
  out.number(questions.length);
  for (const question of questions) {
    const continues = out.isAt(question.start);
    const damaged = question.ask === "compare" && question.summary.isDamaged;
    out.byte(ASKS.indexOf(question.ask) | (continues ? FLAG_CONTINUES : 0) | (damaged ? FLAG_DAMAGED : 0));
    if (!continues) out.place(question.start);
    out.place(question.end);
    if (question.ask === "compare") writeSummary(out, question.summary);
  }
  return out.end();
}

/** Throws InvalidRequest. */
export function decodeQuestions(frame: Buffer): { level: Level; questions: Question[] } {
  const bytes = new Reader(frame);
  if (bytes.byte() !== FRAME_FORMAT) throw malformed();
  const level = LEVELS[bytes.byte()];
  if (level === undefined) throw malformed();
  const questions: Question[] = [];
  for (let left = bytes.count(3); left > 0; left--) {
    const flags = bytes.byte();
    const ask = ASKS[flags & KIND_MASK];
    if (ask === undefined) throw malformed();
    const start = (flags & FLAG_CONTINUES) !== 0 ? bytes.last : bytes.place();
    const end = bytes.place();
    if (Buffer.compare(start, end) > 0 || Buffer.compare(end, END_PLACE) > 0) throw malformed();
    if (ask === "compare") questions.push({ ask, start, end, summary: readSummary(bytes, flags) });
    else questions.push({ ask, start, end });
  }
  bytes.expectEnd();
  return { level, questions };
}

export function encodeAnswers(answers: readonly Answer[]): Buffer {
  const out = new Writer();
  out.byte(FRAME_FORMAT);
  out.number(answers.length);
  for (const answer of answers) writeAnswer(out, answer);
  return out.end();
}

function writeAnswer(out: Writer, answer: Answer): void {
  const kind = KINDS.indexOf(answer.kind);
  switch (answer.kind) {
    case "equal":
      return out.byte(kind);
    case "sum":
      out.byte(kind | (answer.summary.isDamaged ? FLAG_DAMAGED : 0));
      return writeSummary(out, answer.summary);
    case "oneSided":
      out.byte(kind);
      return out.number(answer.count);
    case "items":
      out.byte(kind);
      return writeItems(out, answer.items);
    case "parts":
      out.byte(kind);
      out.number(answer.parts.length);
      for (const { end, summary } of answer.parts) {
        out.byte(summary.isDamaged ? FLAG_DAMAGED : 0);
        out.place(end);
        writeSummary(out, summary);
      }
  }
}

function writeItems(out: Writer, { healthy, damaged }: Items): void {
  out.number(healthy.length);
  out.number(damaged.length);
  for (const item of healthy) out.latin1(item);
  for (const item of damaged) out.latin1(item);
}

/** The first of `questions` answered. Throws InvalidRequest where the bytes are none of this. */
export function decodeAnswers(frame: Buffer, questions: readonly Question[]): Answer[] {
  const bytes = new Reader(frame);
  if (bytes.byte() !== FRAME_FORMAT) throw malformed();
  const count = bytes.count(1);
  if (count === 0 || count > questions.length) throw malformed();
  const answers = questions.slice(0, count).map((question) => readAnswer(bytes, question));
  bytes.expectEnd();
  return answers;
}

function readAnswer(bytes: Reader, question: Question): Answer {
  const flags = bytes.byte();
  switch (KINDS[flags & KIND_MASK]) {
    case "equal":
      return { kind: "equal" };
    case "sum":
      return { kind: "sum", summary: readSummary(bytes, flags) };
    case "oneSided":
      return { kind: "oneSided", count: bytes.number() };
    case "items": {
      const [healthy, damaged] = [bytes.count(SHORT_BYTES), bytes.count(SHORT_BYTES)];
      return { kind: "items", items: { healthy: readItems(bytes, healthy), damaged: readItems(bytes, damaged) } };
    }
    case "parts":
      return { kind: "parts", parts: readParts(bytes, question) };
    default:
      throw malformed();
  }
}

const readItems = (bytes: Reader, count: number): string[] =>
  Array.from({ length: count }, () => bytes.raw(SHORT_BYTES).toString("latin1"));

/** Parts that left something out would be taken for a comparison of all of it. */
function readParts(bytes: Reader, question: Question): Extract<Answer, { kind: "parts" }>["parts"] {
  let { start } = question;
  const parts = Array.from({ length: bytes.count(SUM_BYTES) }, () => {
    const flags = bytes.byte();
    const end = bytes.place();
    if (Buffer.compare(start, end) >= 0) throw malformed();
    const part = { start, end, summary: readSummary(bytes, flags) };
    start = end;
    return part;
  });
  if (!start.equals(question.end)) throw malformed();
  return parts;
}
