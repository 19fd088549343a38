/**
 * The two sides of a comparison, and what they say to each other. A side has the versions of one bucket in the order of
 * places (key, 00, version id); it answers questions about spans of them and never remembers who asked.
 */
import type { HashedMarker, HashedObject } from "../model/fingerprint.ts";
import type { DeleteMarker, ObjectVersion, Tombstone } from "../model/version.ts";

/** Key in UTF-8, 00, 16 bytes of version id; empty: before everything. */
export type Place = Buffer;
/** After every place: no key begins with this byte. */
export const END_PLACE = Buffer.from([0xff]);

/** `start` inclusive, `end` exclusive. */
export interface Span {
  readonly start: Place;
  readonly end: Place;
}

/**
 * What is compared. `identity`: key, version id, kind, time, size and ETag. `state`: headers, metadata, tags and locks
 * as well.
 */
export type Level = "identity" | "state";

/** What a span's versions sum up to at one side, at the level of the comparison. */
export interface Summary {
  readonly count: number;
  /** Some are damaged there: then the sums prove nothing. */
  readonly isDamaged: boolean;
  /** 16 bytes. */
  readonly sum: Buffer;
}

export interface SummedSpan extends Span {
  readonly summary: Summary;
}

export type Question =
  | ({ readonly ask: "sum" } & Span)
  | ({ readonly ask: "items" } & Span)
  /** Is this what you have there? `summary` is the other side's. */
  | ({ readonly ask: "compare" } & SummedSpan);

export type Answer =
  | { readonly kind: "equal" }
  | { readonly kind: "sum"; readonly summary: Summary }
  /** One of the two sides has nothing in the span; `count` is what the answering one has. */
  | { readonly kind: "oneSided"; readonly count: number }
  /** The span in parts, in order. */
  | { readonly kind: "parts"; readonly parts: readonly SummedSpan[] }
  | { readonly kind: "items"; readonly items: Items };

/** Versions by the first 8 bytes of their hash at the level of the comparison, as Latin-1 text. */
export interface Items {
  readonly healthy: readonly string[];
  /** Their bytes are lost there: never equal to anything. */
  readonly damaged: readonly string[];
}
export const SHORT_BYTES = 8;

/** A version as the other side may know it: nothing of how and where it is stored. */
export type Described =
  | (HashedMarker & Pick<DeleteMarker, "replication">)
  | (HashedObject & Pick<ObjectVersion, "replication" | "damaged">);

export interface DescribeSpan extends Span {
  /** Only versions with these hashes; absent: all. */
  readonly only?: Items | undefined;
}

export interface DescribeRequest {
  readonly level: Level;
  readonly spans: readonly DescribeSpan[];
  /** Versions by name, whatever they are now. */
  readonly lookups: readonly Place[];
}

export interface DescribedSpan<D extends Described> {
  readonly versions: readonly D[];
  /** The answer was full: the rest of the span begins here. */
  readonly next?: Place | undefined;
}

/** What became of a version that was asked for by name. */
export type Found<D extends Described> =
  | { readonly kind: "version"; readonly version: D }
  | { readonly kind: "purged"; readonly tombstone: Pick<Tombstone, "time" | "will"> }
  | { readonly kind: "absent" };

/** One for each span and lookup asked, in order; fewer: the answer was full, and the rest is to be asked again. */
export interface DescribeAnswer<D extends Described> {
  readonly spans: readonly DescribedSpan<D>[];
  readonly lookups: readonly Found<D>[];
}

export interface Side<D extends Described = Described> {
  /** One answer for each question, in order; fewer, but at least one: the rest is to be asked again. */
  answer(level: Level, questions: readonly Question[]): Promise<Answer[]>;
  describe(request: DescribeRequest): Promise<DescribeAnswer<D>>;
  /** Asking costs a message: questions are gathered. */
  readonly isRemote: boolean;
}
