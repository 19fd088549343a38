/** Every limit of the S3 listener, in one place (s3-api.md section 20). */

/** Names and values of all request headers together. */
export const HEADER_BYTES_MAX = 8 * 1024;
/** Names and values of user metadata together. */
export const METADATA_BYTES_MAX = 2 * 1024;
/** Request target: path and query as sent. */
export const TARGET_BYTES_MAX = 32 * 1024;
/** What the HTTP parser takes for request line and headers: above both limits, so that the answer is an S3 error. */
export const PARSER_HEADER_BYTES_MAX = 64 * 1024;
/** Largest single PUT, part and copy: 5 TiB. */
export const OBJECT_BYTES_MAX = 5 * 1024 ** 4;
/** XML and JSON documents, unless named below. */
export const DOCUMENT_BYTES_MAX = 1024 * 1024;
export const CORS_BYTES_MAX = 64 * 1024;
export const LOCK_DOCUMENT_BYTES_MAX = 4 * 1024;
export const POLICY_BYTES_MAX = 20 * 1024;
export const REPLICATION_CONFIG_BYTES_MAX = 2 * 1024 * 1024;
/** Documents that a process reads at one time, all together. */
export const DOCUMENTS_BYTES_MAX = 64 * 1024 * 1024;
/** Those of callers without an account: they must not keep the others from sending theirs. */
export const STRANGERS_DOCUMENTS_BYTES_MAX = 16 * 1024 * 1024;
/** A document that a peer answers on a client's behalf. */
export const PEER_DOCUMENT_BYTES_MAX = 1024 * 1024;
/** 1000 keys of 1024 bytes, entity-escaped. */
export const DELETE_BYTES_MAX = 8 * 1024 * 1024;
/** 10000 parts with ETag and checksum. */
export const COMPLETE_BYTES_MAX = 4 * 1024 * 1024;
export const LIST_KEYS_MAX = 1000;
export const PARTS_PAGE_MAX = 10_000;
export const PART_NUMBER_MAX = 10_000;
/** Bodies up to this size are gathered before they are handed on: one buffer instead of a stream. */
export const SMALL_BODY_BYTES_MAX = 128 * 1024;
/** Objects up to this size are answered with one write. */
export const SMALL_REPLY_BYTES_MAX = 64 * 1024;

/** Open connections; further ones are closed at once. */
export const CONNECTIONS_MAX = 4_000;
/** Requests in work at once; further ones are answered 503 SlowDown. */
export const REQUESTS_MAX = 2_000;
/** A connection on which nothing moves for this long is closed, unless the server itself is at work for it. */
export const IDLE_MS_MAX = 60_000;
/** While more than half of the requests that may be are under way, each client that is waited for moves so much ... */
export const PACE_BYTES_MIN = 10 * 1024;
/** ... between two looks, so far apart; else its request is ended with RequestTimeout. */
export const PACE_LOOK_MS = 20_000;
export const HEADERS_MS_MAX = 30_000;
export const KEEP_ALIVE_MS = 75_000;
/** What is read and thrown away of a refused body, so that the client sees the answer before the connection closes. */
export const DISCARD_BYTES_MAX = 4 * 1024 * 1024;
