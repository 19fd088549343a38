/** The two wildcards of policies: `*` is any run of characters (it crosses `/`), `?` is exactly one. Case-sensitive. */

const QUESTION = 0x3f;

/**
 * Each run between two stars is looked for once, leftmost first: many stars cannot stall the process as a backtracking
 * expression would. Runs without `?` are found by the engine's string search, long ones with `?` by their bits, so that neither
 * a long run nor a long text makes it quadratic. `?` stands for one UTF-16 unit.
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

/** Runs with `?` up to this length are laid against each place of the text. */
const SHORT_RUN = 32;

/** Where `run` first stands in the text between `at` and `end`; -1: nowhere. */
function find(run: string, text: string, at: number, end: number): number {
  const last = end - run.length;
  if (!run.includes("?")) {
    const found = text.indexOf(run, at);
    return found <= last ? found : -1;
  }
  if (run.length <= SHORT_RUN) {
    for (let i = at; i <= last; i++) if (fits(run, 0, run.length, text, i)) return i;
    return -1;
  }
  // Question marks at its ends are only a distance.
  let [from, to] = [0, run.length];
  while (run.charCodeAt(from) === QUESTION) from++;
  while (to > from && run.charCodeAt(to - 1) === QUESTION) to--;
  if (from === to) return at <= last ? at : -1;
  const core = run.slice(from, to);
  const stop = end - (run.length - to);
  const found = core.includes("?") ? findLong(core, text, at + from, stop) : text.indexOf(core, at + from);
  return found >= 0 && found - from <= last ? found - from : -1;
}

const WORD_BITS = 32;

/** For each character of `run` the places where it stands, a bit each; `?` stands for every character. */
function placesOf(run: string): { readonly byCode: ReadonlyMap<number, Uint32Array>; readonly others: Uint32Array } {
  const words = Math.ceil(run.length / WORD_BITS);
  const others = new Uint32Array(words);
  for (let i = 0; i < run.length; i++) if (run.charCodeAt(i) === QUESTION) setBit(others, i);
  const byCode = new Map<number, Uint32Array>();
  for (let i = 0; i < run.length; i++) {
    const code = run.charCodeAt(i);
    if (code === QUESTION) continue;
    let places = byCode.get(code);
    if (places === undefined) byCode.set(code, (places = others.slice()));
    setBit(places, i);
  }
  return { byCode, others };
}

function setBit(words: Uint32Array, bit: number): void {
  const word = bit >>> 5;
  words[word] = (words[word] as number) | (1 << (bit & 31));
}

/**
 * The same for a run of any length, by the bits of all its beginnings that end at a character of the text: thirty-two
 * comparisons at once, and no more than the longest beginning needs.
 */
function findLong(run: string, text: string, at: number, end: number): number {
  const { byCode, others } = placesOf(run);
  const state = new Uint32Array(others.length);
  const lastWord = (run.length - 1) >>> 5;
  const lastBit = 1 << ((run.length - 1) & 31);
  let used = 0;
  for (let i = at; i < end; i++) {
    const places = byCode.get(text.charCodeAt(i)) ?? others;
    let carry = 1;
    let highest = -1;
    const stop = Math.min(used, lastWord);
    for (let word = 0; word <= stop; word++) {
      const before = state[word] as number;
      const now = ((before << 1) | carry) & (places[word] as number);
      carry = before >>> 31;
      state[word] = now;
      if (now !== 0) highest = word;
    }
    // The next character may carry a beginning into one word more.
    used = highest + 1;
    if (((state[lastWord] as number) & lastBit) !== 0) return i - run.length + 1;
  }
  return -1;
}

export function hasWildcard(text: string): boolean {
  return text.includes("*") || text.includes("?");
}
