/**
 * Finds what differs between two sides without listing what is equal: sums of ranges are compared, ranges that differ are
 * cut, and only small ones are told apart version by version. The sides take turns: each answers to the other's sums
 * with the sums of its own parts. Nothing is remembered between requests, so each may be repeated, and both sides may
 * take writes meanwhile: every statement is about a moment of its own.
 */
import { fingerprint } from "../model/fingerprint.ts";
import type { Tombstone } from "../model/version.ts";
import { assert } from "../runtime/assert.ts";
import { DESCRIBE_BACKLOG_MAX, LOCAL_QUESTIONS_MAX, REMOTE_QUESTIONS_MAX } from "./limits.ts";
import { placeOf } from "./places.ts";
import type {
  Answer,
  Described,
  DescribedSpan,
  DescribeSpan,
  Found,
  Items,
  Level,
  Place,
  Question,
  Side,
  Span,
  Summary,
} from "./side.ts";

/** A version that only one side has, or that both have in different states. */
export interface Difference<X extends Described, Y extends Described> {
  readonly place: Place;
  readonly x?: X | undefined;
  readonly y?: Y | undefined;
  /** The side that lacks it has purged it; known only with `lookups`. */
  readonly purged?: Pick<Tombstone, "time" | "will"> | undefined;
}

/** A span whose comparison is done. Segments come in order and together cover all that was asked for. */
export interface Segment<X extends Described, Y extends Described> extends Span {
  /** Versions that are equal on both sides. */
  readonly equal: number;
  /** In the order of places. */
  readonly differences: readonly Difference<X, Y>[];
}

export interface ReconcileOptions {
  readonly level: Level;
  readonly span: Span;
  /** A version that one side lacks is looked for there by name: was it purged? */
  readonly lookups: boolean;
}

type SideIndex = 0 | 1;
const other = (side: SideIndex): SideIndex => (side === 0 ? 1 : 0);

type Node<X extends Described, Y extends Described> =
  /** `side` is to be asked whether it has what the other has. */
  | { readonly kind: "ask"; readonly span: Span; readonly side: SideIndex; readonly summary: Summary }
  /** `side` is to list its versions; those of the other are known. */
  | { readonly kind: "list"; readonly span: Span; readonly side: SideIndex; readonly known: Items }
  | { readonly kind: "differ"; readonly span: Span; readonly only: readonly [Items, Items]; readonly equal: number }
  /** All of it is on `side`, nothing on the other. */
  | { readonly kind: "whole"; readonly span: Span; readonly side: SideIndex; readonly count: number }
  | { readonly kind: "done"; readonly segment: Segment<X, Y> };

/** Rejects as the sides do. */
export async function* reconcile<X extends Described, Y extends Described>(
  x: Side<X>,
  y: Side<Y>,
  options: ReconcileOptions,
): AsyncGenerator<Segment<X, Y>> {
  yield* new Reconciliation(x, y, options).run();
}

class Reconciliation<X extends Described, Y extends Described> {
  readonly #x: Side<X>;
  readonly #y: Side<Y>;
  readonly #options: ReconcileOptions;
  /** What is not told yet, in the order of spans. */
  #nodes: Node<X, Y>[] = [];

  constructor(x: Side<X>, y: Side<Y>, options: ReconcileOptions) {
    this.#x = x;
    this.#y = y;
    this.#options = options;
  }

  async *run(): AsyncGenerator<Segment<X, Y>> {
    const { level, span } = this.#options;
    const [first] = await this.#x.answer(level, [{ ask: "sum", ...span }]);
    assert(first?.kind === "sum", "a sum was asked for");
    this.#nodes = [{ kind: "ask", span, side: 1, summary: first.summary }];
    while (this.#nodes.length > 0) {
      if (!(await this.#askLocal()) && !(await this.#describeFirst())) await this.#askRemote();
      yield* this.#told();
    }
  }

  #side(side: SideIndex): Side {
    return side === 0 ? this.#x : this.#y;
  }

  /** What begins the list and is done leaves it. */
  *#told(): Generator<Segment<X, Y>> {
    let open: Segment<X, Y> | undefined;
    let count = 0;
    for (const node of this.#nodes) {
      if (node.kind !== "done") break;
      count++;
      const { segment } = node;
      if (open !== undefined && open.differences.length === 0 && segment.differences.length === 0) {
        open = { start: open.start, end: segment.end, equal: open.equal + segment.equal, differences: [] };
        continue;
      }
      if (open !== undefined) yield open;
      open = segment;
    }
    this.#nodes = this.#nodes.slice(count);
    if (open !== undefined) yield open;
  }

  /** A side in this process is asked first: that costs no message. */
  async #askLocal(): Promise<boolean> {
    for (const side of [0, 1] as const) {
      if (!this.#side(side).isRemote && (await this.#ask(side, LOCAL_QUESTIONS_MAX))) return true;
    }
    return false;
  }

  async #askRemote(): Promise<void> {
    const asked = [];
    for (const side of [0, 1] as const) if (await this.#ask(side, REMOTE_QUESTIONS_MAX)) asked.push(side);
    assert(asked.length > 0, "what is not done is to be asked for");
  }

  /** Asks `side` the first `most` questions for it; false: there are none. */
  async #ask(side: SideIndex, most: number): Promise<boolean> {
    const questions: Question[] = [];
    for (const node of this.#nodes) {
      if (questions.length === most) break;
      if (isQuestion(node, side)) questions.push(questionOf(node));
    }
    if (questions.length === 0) return false;
    const answers = await this.#side(side).answer(this.#options.level, questions);
    assert(answers.length > 0, "at least one question is answered");
    let at = 0;
    const nodes = this.#nodes.flatMap((node) => {
      const answer = isQuestion(node, side) ? answers[at++] : undefined;
      return answer === undefined ? node : answered(node, answer);
    });
    this.#nodes = joined(nodes);
    return true;
  }

  /** Describes what differs at the front, when nothing else is to be found out or too much waits for it. */
  async #describeFirst(): Promise<boolean> {
    let waiting = 0;
    let questions = 0;
    for (const node of this.#nodes) {
      if (node.kind === "ask" || node.kind === "list") questions++;
      else waiting += countOf(node);
    }
    // What is at the front holds back all that is done behind it.
    const [front] = this.#nodes;
    const isBlocked = front?.kind === "ask" || front?.kind === "list";
    if (waiting === 0 || isBlocked || (questions > 0 && waiting < DESCRIBE_BACKLOG_MAX)) return false;
    const batch: Extract<Node<X, Y>, { kind: "differ" }>[] = [];
    let count = 0;
    for (const node of this.#nodes) {
      if (node.kind === "whole") {
        if (batch.length > 0) break;
        const replaced = await this.#describeWhole(node);
        this.#nodes = this.#nodes.flatMap((each) => (each === node ? replaced : each));
        return true;
      }
      if (node.kind !== "differ") continue;
      batch.push(node);
      if ((count += countOf(node)) >= DESCRIBE_BACKLOG_MAX) break;
    }
    const done = await this.#describeDiffering(batch);
    this.#nodes = this.#nodes.map((node) => done.get(node) ?? node);
    return true;
  }

  /** The next versions of a span that only one side has anything in. */
  async #describeWhole(node: Extract<Node<X, Y>, { kind: "whole" }>): Promise<Node<X, Y>[]> {
    const { span, side } = node;
    const { level } = this.#options;
    const { spans } = await this.#side(side).describe({ level, spans: [span], lookups: [] });
    const [found] = spans;
    assert(found !== undefined, "a span was asked for");
    const places = found.versions.map(({ key, versionId }) => placeOf(key, versionId));
    const there = await this.#lookUp(other(side), places);
    const merged = new Merged<X, Y>();
    for (const [i, version] of found.versions.entries()) merged.add(side, version, places[i] as Place);
    for (const [i, place] of places.entries()) merged.found(other(side), there[i], place);
    const end = found.next ?? span.end;
    const done: Node<X, Y> = { kind: "done", segment: { start: span.start, end, ...merged.differences(level) } };
    if (found.next === undefined) return [done];
    return [done, { kind: "whole", span: { start: end, end: span.end }, side, count: node.count }];
  }

  /** Both sides' word on what differs; what one lacks is looked for there when that is wanted. */
  async #describeDiffering(
    batch: readonly Extract<Node<X, Y>, { kind: "differ" }>[],
  ): Promise<Map<Node<X, Y>, Node<X, Y>>> {
    const { level } = this.#options;
    const mergers = batch.map(() => new Merged<X, Y>());
    for (const side of [0, 1] as const) {
      const wanted = batch.map((node): DescribeSpan => ({ ...node.span, only: node.only[side] }));
      const versions = await this.#versions(side, wanted);
      for (const [i, found] of versions.entries()) {
        for (const version of found) mergers[i]?.add(side, version, placeOf(version.key, version.versionId));
      }
    }
    for (const side of [1, 0] as const) {
      const wanted = mergers.flatMap((merged) => merged.lackedBy(side).map((place) => ({ merged, place })));
      const there = await this.#lookUp(
        side,
        wanted.map(({ place }) => place),
      );
      for (const [i, { merged, place }] of wanted.entries()) merged.found(side, there[i], place);
    }
    return new Map(
      batch.map((node, i) => {
        const { equal, differences } = (mergers[i] as Merged<X, Y>).differences(level);
        return [node, { kind: "done", segment: { ...node.span, equal: node.equal + equal, differences } }];
      }),
    );
  }

  /** The versions asked for, span by span. */
  async #versions(side: SideIndex, spans: readonly DescribeSpan[]): Promise<Described[][]> {
    const out: Described[][] = spans.map(() => []);
    let left = spans.map((span, i) => ({ span, i })).filter(({ span }) => sizeOf(span.only) > 0);
    while (left.length > 0) {
      const request = { level: this.#options.level, spans: left.map(({ span }) => span), lookups: [] };
      const answer: readonly DescribedSpan<Described>[] = (await this.#side(side).describe(request)).spans;
      assert(answer.length > 0, "at least one span is described");
      const rest: typeof left = [];
      for (const [at, { versions, next }] of answer.entries()) {
        const { span, i } = left[at] as { span: DescribeSpan; i: number };
        out[i]?.push(...versions);
        if (next !== undefined) rest.push({ span: { ...span, start: next }, i });
      }
      left = [...rest, ...left.slice(answer.length)];
    }
    return out;
  }

  async #lookUp(side: SideIndex, places: readonly Place[]): Promise<Found<Described>[]> {
    if (!this.#options.lookups) return [];
    const out: Found<Described>[] = [];
    while (out.length < places.length) {
      const request = { level: this.#options.level, spans: [], lookups: places.slice(out.length) };
      const { lookups } = await this.#side(side).describe(request);
      assert(lookups.length > 0, "at least one version is looked for");
      out.push(...lookups);
    }
    return out;
  }
}

/** Neighbours that only one side has anything in are described together: each message brings as many as fit. */
function joined<X extends Described, Y extends Described>(nodes: readonly Node<X, Y>[]): Node<X, Y>[] {
  const out: Node<X, Y>[] = [];
  for (const node of nodes) {
    const last = out.at(-1);
    if (node.kind !== "whole" || last?.kind !== "whole" || last.side !== node.side) {
      out.push(node);
      continue;
    }
    const span = { start: last.span.start, end: node.span.end };
    out[out.length - 1] = { kind: "whole", span, side: node.side, count: last.count + node.count };
  }
  return out;
}

type QuestionNode = Extract<Node<Described, Described>, { kind: "ask" | "list" }>;

function isQuestion<X extends Described, Y extends Described>(
  node: Node<X, Y>,
  side: SideIndex,
): node is Extract<Node<X, Y>, { kind: "ask" | "list" }> {
  return (node.kind === "ask" || node.kind === "list") && node.side === side;
}

function questionOf(node: QuestionNode): Question {
  return node.kind === "ask" ? { ask: "compare", ...node.span, summary: node.summary } : { ask: "items", ...node.span };
}

function answered<X extends Described, Y extends Described>(
  node: Node<X, Y>,
  answer: Answer,
): Node<X, Y> | Node<X, Y>[] {
  assert(node.kind === "ask" || node.kind === "list", "a question was asked");
  const { span, side } = node;
  switch (answer.kind) {
    case "equal":
      assert(node.kind === "ask", "only sums are equal");
      return equalNode(span, node.summary.count);
    case "oneSided":
      return { kind: "whole", span, side: answer.count === 0 ? other(side) : side, count: Math.max(answer.count, 1) };
    case "parts":
      return answer.parts.map(({ start, end, summary }) => ({
        kind: "ask",
        span: { start, end },
        side: other(side),
        summary,
      }));
    case "items":
      if (node.kind === "ask") return { kind: "list", span, side: other(side), known: answer.items };
      return side === 0 ? differing(span, answer.items, node.known) : differing(span, node.known, answer.items);
    case "sum":
      throw new Error("a sum answers no comparison");
  }
}

const equalNode = (span: Span, equal: number): Node<never, never> => ({
  kind: "done",
  segment: { ...span, equal, differences: [] },
});

function differing(span: Span, x: Items, y: Items): Node<never, never> {
  const [healthyX, healthyY] = [new Set(x.healthy), new Set(y.healthy)];
  const onlyX = { healthy: x.healthy.filter((item) => !healthyY.has(item)), damaged: x.damaged };
  const onlyY = { healthy: y.healthy.filter((item) => !healthyX.has(item)), damaged: y.damaged };
  const equal = x.healthy.length - onlyX.healthy.length;
  if (sizeOf(onlyX) + sizeOf(onlyY) === 0) return equalNode(span, equal);
  return { kind: "differ", span, only: [onlyX, onlyY], equal };
}

const sizeOf = (items: Items | undefined): number =>
  items === undefined ? 0 : items.healthy.length + items.damaged.length;

function countOf<X extends Described, Y extends Described>(node: Node<X, Y>): number {
  if (node.kind === "whole") return node.count;
  return node.kind === "differ" ? sizeOf(node.only[0]) + sizeOf(node.only[1]) : 0;
}

/** What both sides said of the versions of one span, put together by place. */
class Merged<X extends Described, Y extends Described> {
  readonly #byPlace = new Map<string, { place: Place; x?: X; y?: Y; purged?: Pick<Tombstone, "time" | "will"> }>();

  add(side: SideIndex, version: Described, place: Place): void {
    const name = place.toString("latin1");
    const entry = this.#byPlace.get(name) ?? { place };
    // The side at this index is what the version came from.
    if (side === 0) entry.x = version as X;
    else entry.y = version as Y;
    this.#byPlace.set(name, entry);
  }

  lackedBy(side: SideIndex): Place[] {
    const out = [];
    for (const entry of this.#byPlace.values())
      if ((side === 0 ? entry.x : entry.y) === undefined) out.push(entry.place);
    return out;
  }

  found(side: SideIndex, found: Found<Described> | undefined, place: Place): void {
    if (found?.kind === "version") this.add(side, found.version, place);
    const entry = this.#byPlace.get(place.toString("latin1"));
    if (found?.kind === "purged" && entry !== undefined) entry.purged = found.tombstone;
  }

  /** What became equal while it was looked at is no difference. */
  differences(level: Level): { equal: number; differences: Difference<X, Y>[] } {
    const entries = [...this.#byPlace.values()].sort((a, b) => Buffer.compare(a.place, b.place));
    const differences = entries.filter(({ x, y }) => !isSame(level, x, y));
    return { equal: entries.length - differences.length, differences };
  }
}

/** Both sides have it, undamaged and the same in what the level compares. */
export function isSame(level: Level, x: Described | undefined, y: Described | undefined): boolean {
  if (x === undefined || y === undefined || isDamaged(x) || isDamaged(y)) return false;
  return fingerprint(x)[level].equals(fingerprint(y)[level]);
}

export const isDamaged = (version: Described): boolean => version.kind === "object" && version.damaged !== undefined;
