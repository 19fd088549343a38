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

/**
 * The pattern of `find --name`, for the last part of a name: `*` and `?` as above, `[abc]`, `[a-z]` and `[^a]` for one
 * character of those, `\\` before one that stands for itself. Throws CommandError for a bracket that does not end.
 */
export function namePattern(pattern: string): RegExp {
  let body = "";
  for (let at = 0; at < pattern.length; at++) {
    const char = pattern[at] ?? "";
    const next = pattern[at + 1] ?? "";
    const set = char === "[" ? /^\[(\^?)((?:\\.|[^\\\]])+)\]/su.exec(pattern.slice(at)) : null;
    if (set !== null) {
      const inside = (set[2] ?? "").replace(/\\(.)/gsu, "$1").replace(/[\\\]^[&|~]/g, "\\$&");
      body += `[${set[1]}${inside}]`;
      at += set[0].length - 1;
    } else if (char === "[") throw new CommandError(`The pattern \`${pattern}\` has a [ without its ]`);
    else if (char === "*") body += "[^/]*";
    else if (char === "?") body += "[^/]";
    else if (char === "\\" && next !== "") {
      body += escaped(next);
      at++;
    } else body += escaped(char);
  }
  try {
    return new RegExp(`^${body}$`, "su");
  } catch (error) {
    throw new CommandError(`\`${pattern}\` is no pattern`, error);
  }
}

const escaped = (text: string): string => text.replace(/[.+^${}()|[\]\\*?/]/g, "\\$&");

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
