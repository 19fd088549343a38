/** This site as a side of a comparison: answers from the index, a bounded piece of work at a time. */
import type { Version } from "../model/version.ts";
import type { Clock } from "../runtime/clock.ts";
import type { Digest } from "../storage/index/digest/digest.ts";
import { readLookup } from "../storage/index/digest/digest.ts";
import { rowRange } from "../storage/index/digest/levels.ts";
import type { Entry, OrderedIndex } from "../storage/index/index.ts";
import { idRowKey, keyAfter, SPACE, versionRowKeyOf } from "../storage/keys.ts";
import { decodeTombstone, decodeVersion } from "../storage/records.ts";
import {
  DESCRIBED_MAX,
  FRAME_BYTES,
  ITEMS_AT_ONCE_MAX,
  ITEMS_MAX,
  PARTS,
  QUESTIONS_PER_TURN,
  ROWS_PER_READ,
  VERSIONS_PER_TURN,
} from "./limits.ts";
import { placeWithin, rangeIn, versionAt } from "./places.ts";
import {
  SHORT_BYTES,
  type Answer,
  type DescribeAnswer,
  type DescribedSpan,
  type DescribeRequest,
  type DescribeSpan,
  type Found,
  type Items,
  type Level,
  type Place,
  type Question,
  type Side,
  type Span,
  type SummedSpan,
  type Summary,
} from "./side.ts";

export interface LocalDeps {
  readonly index: OrderedIndex;
  readonly clock: Clock;
  /** 16 hex digits. */
  readonly bucketId: string;
}

const PART_BYTES = 48;
const DESCRIBED_BYTES = 400;

export class LocalSide implements Side<Version> {
  readonly isRemote = false;
  readonly #deps: LocalDeps;
  /** About the most bytes of one answer. */
  readonly #frameBytes: number;
  /** Most versions that one call describes: whoever takes them in small steps need not hold them all. */
  readonly #describedMax: number;

  constructor(deps: LocalDeps, frameBytes = FRAME_BYTES, describedMax = DESCRIBED_MAX) {
    this.#deps = deps;
    this.#frameBytes = frameBytes;
    this.#describedMax = describedMax;
  }

  async answer(level: Level, questions: readonly Question[]): Promise<Answer[]> {
    const answers: Answer[] = [];
    let bytes = 0;
    for (const question of questions) {
      if (bytes > this.#frameBytes) break;
      if (answers.length % QUESTIONS_PER_TURN === QUESTIONS_PER_TURN - 1) await this.#deps.clock.sleep(0);
      const answer = await this.#answerOne(level, question);
      bytes += bytesOf(answer);
      answers.push(answer);
    }
    return answers;
  }

  async #answerOne(level: Level, question: Question): Promise<Answer> {
    const { index, bucketId } = this.#deps;
    const range = rangeIn(bucketId, question);
    const digest = await index.digest(range);
    if (question.ask === "sum") return { kind: "sum", summary: summaryOf(level, digest) };
    if (question.ask === "items") {
      return digest.count <= ITEMS_AT_ONCE_MAX ? this.#items(level, question) : this.#parts(level, question);
    }
    const mine = summaryOf(level, digest);
    if (isSame(mine, question.summary)) return { kind: "equal" };
    if (mine.count === 0 || question.summary.count === 0) return { kind: "oneSided", count: mine.count };
    return Math.max(mine.count, question.summary.count) <= ITEMS_MAX
      ? this.#items(level, question)
      : this.#parts(level, question);
  }

  /** What cannot be cut is listed. */
  async #parts(level: Level, span: Span): Promise<Answer> {
    const { index, bucketId } = this.#deps;
    const found = await index.digestParts(rangeIn(bucketId, span), PARTS);
    if (found.length < 2) return this.#items(level, span);
    const parts = found.map(({ start, end, digest }): SummedSpan => ({
      start: placeWithin(bucketId, start),
      end: placeWithin(bucketId, end),
      summary: summaryOf(level, digest),
    }));
    return { kind: "parts", parts };
  }

  async #items(level: Level, span: Span): Promise<Answer> {
    const items = { healthy: [] as string[], damaged: [] as string[] };
    for await (const page of this.#lookups(span)) {
      for (const { value } of page) {
        const short = shortOf(level, value);
        if (short !== undefined) items[short.list].push(short.text);
      }
    }
    return { kind: "items", items };
  }

  /** `atOnce`: rows that are read at a time. */
  async *#lookups(span: Span, atOnce = ROWS_PER_READ): AsyncGenerator<Entry[]> {
    const { start, end } = rangeIn(this.#deps.bucketId, span);
    let range = rowRange(0, start, end);
    for (;;) {
      const page = await this.#deps.index.scan(range, { limit: atOnce });
      if (page.length > 0) yield page;
      const last = page.at(-1);
      if (last === undefined || page.length < atOnce) return;
      range = { start: keyAfter(last.key), end: range.end };
      await this.#deps.clock.sleep(0);
    }
  }

  async describe({ level, spans, lookups }: DescribeRequest): Promise<DescribeAnswer<Version>> {
    const room = { versions: Math.min(this.#describedMax, Math.ceil(this.#frameBytes / DESCRIBED_BYTES)) };
    const described: DescribedSpan<Version>[] = [];
    for (const span of spans) {
      if (room.versions <= 0) break;
      described.push(await this.#describeSpan(level, span, room));
    }
    const found: Found<Version>[] = [];
    for (const place of described.length < spans.length ? [] : lookups) {
      if (room.versions-- <= 0 && found.length > 0) break;
      found.push(await this.#lookUp(place));
    }
    return { spans: described, lookups: found };
  }

  async #describeSpan(level: Level, span: DescribeSpan, room: { versions: number }): Promise<DescribedSpan<Version>> {
    const wanted = span.only === undefined ? undefined : new Set([...span.only.healthy, ...span.only.damaged]);
    const versions: Version[] = [];
    // Of a span that is described whole no more rows are read than there is room for, and one that tells where to go on.
    const atOnce = wanted === undefined ? Math.min(ROWS_PER_READ, Math.max(0, room.versions) + 1) : ROWS_PER_READ;
    for await (const page of this.#lookups(span, atOnce)) {
      for (const { key, value } of page) {
        const short = shortOf(level, value);
        if (short === undefined || wanted?.has(short.text) === false) continue;
        // A span is never left half done without a version of it: asking again gets further each time.
        if (room.versions <= 0) return { versions, next: placeWithin(this.#deps.bucketId, key.subarray(1)) };
        const version = await this.#version(key, value);
        if (version === undefined) continue;
        versions.push(version);
        room.versions--;
        if (versions.length % VERSIONS_PER_TURN === 0) await this.#deps.clock.sleep(0);
      }
    }
    return { versions };
  }

  /** `lookup` is a row of space `I`. */
  async #version(lookupKey: Buffer, lookup: Buffer): Promise<Version | undefined> {
    const raw = await this.#deps.index.get(versionRowKeyOf(lookupKey, lookup));
    return raw === undefined ? undefined : decodeVersion(raw);
  }

  async #lookUp(place: Place): Promise<Found<Version>> {
    const { index, bucketId } = this.#deps;
    const at = versionAt(place);
    if (at === undefined) return { kind: "absent" };
    const lookupKey = idRowKey(SPACE.byId, bucketId, at.key, at.versionId);
    const lookup = await index.get(lookupKey);
    const version = lookup === undefined ? undefined : await this.#version(lookupKey, lookup);
    if (version !== undefined) return { kind: "version", version };
    const stone = await index.get(idRowKey(SPACE.tombstone, bucketId, at.key, at.versionId));
    return stone === undefined ? { kind: "absent" } : { kind: "purged", tombstone: decodeTombstone(stone) };
  }
}

function summaryOf(level: Level, digest: Digest): Summary {
  const sum = level === "identity" ? digest.identity : digest.state;
  return { count: digest.count, isDamaged: digest.damaged > 0, sum };
}

/** Damaged versions are equal to nothing, not even to themselves. */
function isSame(mine: Summary, theirs: Summary): boolean {
  return mine.count === theirs.count && !mine.isDamaged && !theirs.isDamaged && mine.sum.equals(theirs.sum);
}

function shortOf(level: Level, lookup: Buffer): { list: keyof Items; text: string } | undefined {
  const read = readLookup(lookup);
  if (read === undefined) return undefined;
  const hash = level === "identity" ? read.identity : read.state;
  return { list: read.isDamaged ? "damaged" : "healthy", text: hash.toString("latin1", 0, SHORT_BYTES) };
}

function bytesOf(answer: Answer): number {
  if (answer.kind === "parts") return answer.parts.length * PART_BYTES;
  if (answer.kind === "items") return (answer.items.healthy.length + answer.items.damaged.length) * SHORT_BYTES;
  return 1;
}
