/** Patterns and sizes that choose entries (`find`, `mirror`). */

/** `*` stands for any text (also `/`), `?` for one character; everything else for itself. */
export function globPattern(pattern: string): RegExp {
  const body = pattern.replace(/[.+^${}()|[\]\\]/g, "\\$&").replaceAll("*", ".*").replaceAll("?", ".");
  return new RegExp(`^${body}$`, "su");
}

/** `key=regex` pairs: every one must match the value of its key. Names are compared without case and `x-amz-meta-`. */
export function pairsMatch(pairs: readonly (readonly [string, RegExp])[], values: Readonly<Record<string, string>> | undefined): boolean {
  const plain = (name: string): string => name.toLowerCase().replace(/^x-amz-meta-/, "");
  const known = new Map(Object.entries(values ?? {}).map(([name, value]) => [plain(name), value]));
  return pairs.every(([name, pattern]) => {
    const value = known.get(plain(name));
    return value !== undefined && pattern.test(value);
  });
}
