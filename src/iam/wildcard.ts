/** The two wildcards of policies: `*` is any run of characters (it crosses `/`), `?` is exactly one. Case-sensitive. */

const STAR = 0x2a;
const QUESTION = 0x3f;

/**
 * Linear in the text for one star, quadratic at worst: a pattern with many stars cannot stall the process as a
 * backtracking regular expression would. `?` stands for one UTF-16 unit.
 */
export function wildcardMatch(pattern: string, text: string): boolean {
  let p = 0;
  let t = 0;
  let starAt = -1;
  let resumeAt = 0;
  while (t < text.length) {
    const code = p < pattern.length ? pattern.charCodeAt(p) : -1;
    if (code === STAR) {
      starAt = p++;
      resumeAt = t;
    } else if (code === QUESTION || code === text.charCodeAt(t)) {
      p++;
      t++;
    } else if (starAt >= 0) {
      p = starAt + 1;
      t = ++resumeAt;
    } else {
      return false;
    }
  }
  while (p < pattern.length && pattern.charCodeAt(p) === STAR) p++;
  return p === pattern.length;
}

export function hasWildcard(text: string): boolean {
  return text.includes("*") || text.includes("?");
}
