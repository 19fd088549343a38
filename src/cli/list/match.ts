/** Patterns that choose entries (`find`, `mirror`). */
import { CommandError } from "../command.ts";

/** `*` stands for any text (also `/`), `?` for one character; everything else for itself. */
export function globPattern(pattern: string): RegExp {
  const body = pattern
    .replace(/[.+^${}()|[\]\\]/g, "\\$&")
    .replaceAll("*", ".*")
    .replaceAll("?", ".");
  return new RegExp(`^${body}$`, "su");
}

/** `key=regex` pairs: every one must match the value of its key. Names are compared without case and `x-amz-meta-`. */
export function pairsMatch(
  pairs: readonly (readonly [string, RegExp])[],
  values: Readonly<Record<string, string>> | undefined,
): boolean {
  const plain = (name: string): string => name.toLowerCase().replace(/^x-amz-meta-/, "");
  const known = new Map(Object.entries(values ?? {}).map(([name, value]) => [plain(name), value]));
  return pairs.every(([name, pattern]) => {
    const value = known.get(plain(name));
    return value !== undefined && pattern.test(value);
  });
}

/**
 * A regular expression as people write it for this tool: Go's syntax, whose leading `(?i)` and needless escapes such as
 * `\-` JavaScript's strict mode refuses. Throws CommandError.
 */
export function regexPattern(text: string): RegExp {
  const [whole = "", letters = ""] = /^\(\?([ims]+)\)/.exec(text) ?? [];
  const flags = [...new Set(letters)].join("");
  const body = text.slice(whole.length).replaceAll("(?P<", "(?<");
  try {
    return new RegExp(body, `${flags}u`);
  } catch {
    try {
      return new RegExp(body, flags);
    } catch (error) {
      throw new CommandError(`\`${text}\` is not a regular expression`, error);
    }
  }
}
