/** Every limit of identities (admin-api.md 3.1 to 3.5). */

export const ACCESS_KEY_CHARS_MIN = 3;
export const SECRET_KEY_CHARS_MIN = 8;
/** Of access keys (service accounts); names and secrets of users have no upper limit but the row's. */
export const SERVICE_ACCESS_KEY_CHARS_MAX = 20;
export const SERVICE_SECRET_KEY_CHARS_MAX = 40;
/** Longest name of a user, group or policy: it becomes part of an index key. */
export const NAME_BYTES_MAX = 512;
export const KEY_NAME_CHARS_MAX = 32;
export const KEY_DESCRIPTION_BYTES_MAX = 256;
export const KEY_LIFETIME_MS_MIN = 15 * 60_000;
export const KEY_LIFETIME_MS_MAX = 365 * 24 * 3600_000;
export const SESSION_POLICY_BYTES_MAX = 4096;
/** Of AssumeRole. */
export const STS_POLICY_BYTES_MAX = 2048;
export const SESSION_SECONDS_MIN = 900;
export const SESSION_SECONDS_MAX = 365 * 24 * 3600;
export const SESSION_SECONDS_DEFAULT = 3600;
export const SESSION_TOKEN_BYTES = 48;
export const GENERATED_ACCESS_KEY_CHARS = 20;
export const GENERATED_SECRET_KEY_CHARS = 40;

/** Parsed rows kept per kind; a busier site only parses again. */
export const ROW_CACHE_MAX = 10_000;
/** Rows asked of the index at a time in listings. */
export const SCAN_PAGE = 1000;
/** Attempts of one change against others that change the same rows at the same moment. */
export const CONFLICT_RETRIES_MAX = 64;
