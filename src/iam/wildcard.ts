/** The two wildcards of policies: `*` is any run of characters (it crosses `/`), `?` is exactly one. Case-sensitive. */

const QUESTION = 0x3f;

/**
 * Each run between two stars is looked for once, leftmost first: many stars cannot stall the process as a backtracking
 * expression would. Runs without `?` are found by the engine's string search, so that neither a long run nor a long text
 * makes it quadratic. `?` stands for one UTF-16 unit.
 */
export function wildcardMatch(pattern: string, text: string): boolean {
  const firstStar = pattern.indexOf("*");
  if (firstStar < 0) return pattern.length === text.length && fits(pattern, 0, pattern.length, text, 0);
  const lastStar = pattern.lastIndexOf("*");
  const end = text.length - (pattern.length - lastStar - 1);
  if (firstStar > end) return false;
  if (!fits(pattern, 0, firstStar, text, 0) || !fits(pattern, lastStar + 1, pattern.length, text, end)) return false;
  let at = firstStar;
  for (let from = firstStar + 1; from <= lastStar;) {
    const star = pattern.indexOf("*", from);
    const found = find(pattern.slice(from, star), text, at, end);
    if (found < 0) return false;
    at = found + star - from;
    from = star + 1;
  }
  return true;
}

/** Whether the pattern's characters from `from` to `to`, stars not among them, stand in the text at `at`. */
function fits(pattern: string, from: number, to: number, text: string, at: number): boolean {
  for (let i = from; i < to; i++) {
    const code = pattern.charCodeAt(i);
    if (code !== QUESTION && code !== text.charCodeAt(at + i - from)) return false;
  }
  return true;
}

/** Where `run` first stands in the text between `at` and `end`; -1: nowhere. */
function find(run: string, text: string, at: number, end: number): number {
  const last = end - run.length;
  if (!run.includes("?")) {
    const found = text.indexOf(run, at);
    return found <= last ? found : -1;
  }
  for (let i = at; i <= last; i++) if (fits(run, 0, run.length, text, i)) return i;
  return -1;
}

export function hasWildcard(text: string): boolean {
  return text.includes("*") || text.includes("?");
}
