/** Every number that bounds reconciling, in one place. Sizes in bytes. */

/** About the size of a request or answer: what would not fit is asked for again, by the next request. */
export const FRAME_BYTES = 1024 * 1024;
/** Largest request that is read. */
export const REQUEST_BYTES_MAX = 4 * FRAME_BYTES;
/** Longest description after unpacking: each of its versions may carry metadata and tags to their limits. */
export const FRAME_TEXT_MAX = 64 * 1024 * 1024;
/** Ranges of up to this many versions are told apart version by version. */
export const ITEMS_MAX = 96;
/** No answer lists more versions of one range: it has grown meanwhile, and is cut in parts. */
export const ITEMS_AT_ONCE_MAX = 8192;
/** Into how many parts a range is cut. */
export const PARTS = { least: 16, most: 256 } as const;
/** Ranges that this site cuts in one round: bounds what a comparison holds in memory where everything differs. */
export const LOCAL_QUESTIONS_MAX = 512;
/** Questions of one request to the other site: about a frame of them. */
export const REMOTE_QUESTIONS_MAX = 20_000;
/** Versions found to differ that wait to be described: then they are, before more are looked for. */
export const DESCRIBE_BACKLOG_MAX = 4000;
/** Questions answered before other work of the process gets its turn. */
export const QUESTIONS_PER_TURN = 16;
/** Versions described before other requests of the process get their turn. */
export const VERSIONS_PER_TURN = 64;
/** Versions described by one answer, and rows read at a time for it. */
export const DESCRIBED_MAX = 2000;
export const ROWS_PER_READ = 1000;
