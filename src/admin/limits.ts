/** Every limit of the admin API (admin-api.md 1.4, 3.3). */

/** A sealed body: 256 KiB of content and its seal. Above it: XMinioAdminConfigTooLarge. */
export const SEALED_BODY_BYTES_MAX = 262_272;
export const PLAIN_BODY_BYTES_MAX = 262_144;
export const POLICY_BYTES_MAX = 20 * 1024;
/** A form of STS: a session policy and a few words. */
export const STS_BODY_BYTES_MAX = 64 * 1024;
/** Silence after which a stream sends one blank, so that proxies keep it open. */
export const STREAM_KEEPALIVE_MS = 500;
/** An archive to import, packed and unpacked. */
export const IMPORT_BYTES_MAX = 32 * 1024 * 1024;
export const IMPORT_UNPACKED_BYTES_MAX = 128 * 1024 * 1024;
export const IMPORT_ENTRIES_MAX = 60_000;
/** Changes of an import that are under way together: as many as one commit of the index gathers gladly. */
export const IMPORTS_AT_ONCE = 64;
/** What is gathered of a long answer before it is sealed and sent: about a fragment of sealed bodies. */
export const PART_CHARS = 16_000;
/** Old log lines that one follower is shown. */
export const LOG_LINES_MAX = 1000;
/** Longest token that is looked at. */
export const METRICS_TOKEN_CHARS_MAX = 8192;
