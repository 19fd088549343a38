/** What differs between two entries of the same name, and versions in an order that two servers share. Pure. */
import { compareUtf8 } from "../../model/key-order.ts";
import type { Entry } from "./entry.ts";

/** Numbers that scripts know (mc-cli.md 5.1). */
export const DIFFERENCE = { none: 1, size: 2, metadata: 3, type: 4, onlyFirst: 5, onlySecond: 6 } as const;
export type Difference = (typeof DIFFERENCE)[keyof typeof DIFFERENCE];

/** The same for people. */
export const DIFFERENCE_NAMES: Readonly<Record<Difference, string>> = {
  1: "none",
  2: "size",
  3: "metadata",
  4: "type",
  5: "only-in-first",
  6: "only-in-second",
};

/** Presence, type and size. */
export function difference(first: Entry | undefined, second: Entry | undefined): Difference {
  if (first === undefined) return DIFFERENCE.onlySecond;
  if (second === undefined) return DIFFERENCE.onlyFirst;
  if (first.type !== second.type) return DIFFERENCE.type;
  return first.size === second.size ? DIFFERENCE.none : DIFFERENCE.size;
}

/** Also marker or object, content (ETag), which version is current, metadata and tags. */
export function versionDifference(first: Entry | undefined, second: Entry | undefined): Difference {
  const plain = difference(first, second);
  if (plain !== DIFFERENCE.none || first === undefined || second === undefined) return plain;
  if ((first.isDeleteMarker === true) !== (second.isDeleteMarker === true)) return DIFFERENCE.type;
  const same =
    first.etag === second.etag &&
    (first.isLatest === true) === (second.isLatest === true) &&
    sameAttributes(first, second);
  return same ? DIFFERENCE.none : DIFFERENCE.metadata;
}

/** A server without the metadata listing tells neither metadata nor tags: nothing is known, so nothing differs. */
function sameAttributes(first: Entry, second: Entry): boolean {
  if (first.metadata === undefined || second.metadata === undefined) return true;
  const text = (values: readonly (readonly [string, string])[]): string => JSON.stringify([...values].sort());
  const tags = (entry: Entry): string => text(Object.entries(entry.tags ?? {}));
  return text(ownMetadata(first.metadata)) === text(ownMetadata(second.metadata)) && tags(first) === tags(second);
}

/** Without what each server says for itself, such as the replication status. */
function ownMetadata(metadata: Readonly<Record<string, string>>): [string, string][] {
  return Object.entries(metadata)
    .map(([name, value]): [string, string] => [name.toLowerCase(), value])
    .filter(([name]) => !/^x-(?!amz-meta-)/.test(name));
}

const SEPARATOR = "\u0000";

/** The name of an entry of `byVersion`. */
export function versionName(key: string): string {
  return key.slice(0, key.indexOf(SEPARATOR));
}

/**
 * A version listing (a key's versions together) with keys that are unique and sorted: name and version id. Ids
 * order the versions of one key, since two servers may list equal times differently.
 */
export async function* byVersion(entries: AsyncIterable<Entry>): AsyncIterable<Entry> {
  let group: Entry[] = [];
  const sorted = (): Entry[] =>
    group
      .map((entry) => ({ ...entry, key: `${entry.key}${SEPARATOR}${entry.versionId ?? ""}` }))
      .sort((a, b) => compareUtf8(a.key, b.key));
  for await (const entry of entries) {
    if (group.length > 0 && group[0]?.key !== entry.key) {
      yield* sorted();
      group = [];
    }
    group.push(entry);
  }
  yield* sorted();
}
