/** Every number that bounds replication, in one place. Times in milliseconds, sizes in bytes. */
const MIB = 1024 * 1024;

/** Requests in flight to one target for small objects, markers, purges and metadata. */
export const SMALL_IN_FLIGHT_MAX = 128;
/** The same to a target that takes many small versions in one request: enough to fill one while another is under way. */
export const SMALL_IN_FLIGHT_INGEST_MAX = 512;
/** Fewer rows than this that are ready at the same moment are sent one by one, in the company of what comes meanwhile. */
export const TOGETHER_MIN = 8;
/** Requests of many small versions under way to one target. */
export const INGEST_REQUESTS_MAX = 2;
/** Objects of this size and above use a lane of their own, so that they never hold up small ones. */
export const LARGE_OBJECT_BYTES = 64 * MIB;
export const LARGE_IN_FLIGHT_MAX = 4;
/** Rows that are asked about before they are sent after a start: as many as may have been on their way when it ended. */
export const FIRST_ROWS_ASKED = 2 * (SMALL_IN_FLIGHT_MAX + LARGE_IN_FLIGHT_MAX);
/** Connections to one target: both lanes, parts of large objects, a resync beside them. */
export const TARGET_CONNECTIONS_MAX = 224;
/** Reads on behalf of clients from one target at the same time, beside all of the above; further ones wait. */
export const PEER_READS_MAX = 64;
/** A peer that is asked for a version on behalf of a client has this long to begin its answer. */
export const PEER_ANSWER_MS = 5_000;
/** Proxied calls are added to the counters in the index this often, while there are any. */
export const PROXY_COUNT_MS = 1_000;
/** A write with a synchronous target is answered after this long at the latest: before clients and idle limits give up. */
export const SYNC_WAIT_MAX_MS = 45_000;
/** How a synchronous write stands is looked at after 1 ms, then ever less often up to this. */
export const SYNC_LOOK_MAX_MS = 50;
/** Rows of the change log read at once. What waits long in memory is copied by the collector again and again. */
export const LOOKAHEAD_ROWS = 512;
/** The log is read on when fewer rows of small versions than this wait in memory. */
export const LOOKAHEAD_LOW = 256;
/** Rows in memory altogether, those that wait behind another row of their key included: then the log is read no further. */
export const KNOWN_ROWS_MAX = 4096;
export const RETRY_ROWS_PER_SCAN = 256;
/** Repeats of failed rows that one target costs, while none of them goes through. */
export const RETRIES_PER_SECOND_MAX = 500;
/** So many failures in a row end a flush of the retry queue. */
export const FLUSH_FAILURES_MAX = 512;
/** A target that refused so many versions in a row, and took none, is tried less often until it takes one. */
export const REFUSED_IN_A_ROW = 512;
/** First tries and repeats together at such a target, in the order of its log; and the newest row so often beside them. */
export const TRIES_PER_SECOND_MAX = 20;
export const TRIES_AT_ONCE_MAX = 2;
/** Also how late the end of the refusals is seen. */
export const TRY_AGAIN_MS = 50;
/** A repeat that is due and finds no room waits so long at least. */
export const RETRY_ROOM_MS = 50;
/** A log that nobody announced a row of is looked at this often. */
export const FALLBACK_POLL_MS = 500;
/** A log of few rows is read from its start again this soon after its end was. */
export const LOOK_AGAIN_MS = 20;

/** Targets that another process added, changed or removed are noticed this soon. */
export const TARGETS_REFRESH_MS = 1_000;

/** First delay after a failed row, doubled up to the cap, for ever. */
export const RETRY_FIRST_MS = 500;
export const RETRY_CAP_MS = 60_000;
/** Tags or locks that a target took off are sent again after so long: its own newer ones should be here by then. */
export const METADATA_AGAIN_MS = 1_000;
/** A target may ask for a pause (Retry-After), but not for one that leaves replication standing. */
export const RETRY_AFTER_CAP_MS = 5_000;
/** When a failed row goes through at last, all others are tried at once, at most this often. */
export const RETRY_FLUSH_MS = 5_000;
/** What only an operator can mend (a damaged source version) is tried again this often. */
export const REFUSED_RETRY_MS = 15 * 60_000;

/** Whether a target came back, or became another, since it was tried is looked at this often. */
export const PROBE_AGAIN_MS = 5_000;
/**
 * Whether a target still is what versions were sent to is asked with every PROBE_AGAIN_MS, and for its buckets this often;
 * of many targets each so much more seldom that these questions are so far apart.
 */
export const RECOGNISE_BUCKET_MS = 60_000;
export const RECOGNISE_APART_MS = 50;
export const RECOGNISE_BUCKET_APART_MS = 500;
/** Pages of a key's versions that are looked through for one that a target may have without our knowing. */
export const REMOTE_SEARCH_PAGES_MAX = 20;
/** Health probe of a target: how often when all is well, how long it may take. */
export const PROBE_INTERVAL_MS = 5_000;
export const PROBE_TIMEOUT_MS = 3_000;
/** Probe of a target that is down: first delay, doubled up to the ordinary interval. */
export const PROBE_FIRST_MS = 100;

/** Bodies up to this size are gathered and sent as one buffer. */
export const BUFFERED_BODY_BYTES = 1 * MIB;
/** Under a bandwidth limit a body moves in slices of this part of a second's worth: an idle limit never ends it. */
export const BANDWIDTH_SLICES_PER_SECOND = 4;
/** Who waits for bandwidth looks at the limit again this often: it may have been raised. */
export const BANDWIDTH_LOOK_MS = 250;
/** An object of one piece travels in parts from this size on, so that a cut loses at most the parts in flight. */
export const SPLIT_OBJECT_BYTES = LARGE_OBJECT_BYTES;
export const SPLIT_PART_BYTES = 16 * MIB;
/** S3 knows no more parts: larger objects get larger parts. */
export const SPLIT_PARTS_MAX = 10_000;
/** Parts of one multipart object sent at the same time. */
export const PARTS_IN_FLIGHT_MAX = 4;
/** Requests with the keys that a target had before may take so long to end. */
export const RETIRED_CLIENT_MS = 10_000;
/** A request that moves no byte for this long has failed. */
export const REQUEST_IDLE_MS = 60_000;
/** CompleteMultipartUpload may be slow on the target (replication.md 3.5). */
export const COMPLETE_TIMEOUT_MS = 10 * 60_000;

/** Versions written into the change log by one commit of the existing-objects job. */
export const EXISTING_BATCH = 500;

/** Versions or rows read at once for what is told of a target: backlog, failures, counts. */
export const STATUS_PAGE = 1000;
