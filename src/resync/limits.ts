/** Every number that bounds resync, damage check, scrub, repair and heal. Times in milliseconds, sizes in bytes. */
const MIB = 1024 * 1024;

/** Resyncs that run at the same time; others wait as Pending. */
export const RESYNC_JOBS_MAX = 10;
/** Versions in flight of one resync. */
export const RESYNC_IN_FLIGHT_MAX = 48;
/** The same to a target that takes many small versions in one request: two under way, and one being made ready. */
export const RESYNC_IN_FLIGHT_INGEST_MAX = 768;
/** And while clients are served here: one request, so that source and target work in turns and the clients beside them. */
export const RESYNC_IN_FLIGHT_CLIENTS_MAX = 256;
/** And a pause after each, for what the garbage of its work costs them. */
export const RESYNC_CLIENTS_PAUSE_MS = 50;
/** Bytes of object bodies in flight of one resync. */
export const RESYNC_BYTES_IN_FLIGHT_MAX = 256 * MIB;
export const RESYNC_PAGE = 1000;
/** A running resync saves its counters and its low-water mark this often. */
export const RESYNC_CHECKPOINT_MS = 500;
/** A version that fails is tried this many times in a resync before it counts as failed. */
export const RESYNC_ATTEMPTS = 4;
/** After so many refused versions in a row each further one is tried once, until one goes through. */
export const RESYNC_REFUSED_IN_ROW = 100;
/** Names of failed or not replicable versions kept in the record of a resync. */
export const RESYNC_SAMPLES = 20;
/** Most versions in flight that an operator may ask for: more would wait for connections. */
export const RESYNC_IN_FLIGHT_TOP = 512;
/** Versions that a resync of named versions takes. */
export const RESYNC_LIST_MAX = 100_000;
/** Body of a start that names versions. */
export const RESYNC_LIST_BYTES_MAX = 32 * MIB;
/** Keys compared before what they lack is recorded and sent: one commit for each so many. */
export const RESYNC_BATCH_KEYS = 512;
/** Keys compared before others in the process get their turn. */
export const RESYNC_KEYS_PER_TURN = 128;
/** Rows of a job (intents, named versions) are cut at this size, and read so many at a time. */
export const RESYNC_ROW_BYTES = 64 * 1024;
export const RESYNC_ROWS_MAX = 10_000;
/** Rows of a start that died before its commit are removed by a later one, once they are so old. */
export const RESYNC_ROWS_KEPT_MS = 86_400_000;
/** Versions listed on both sides to see which one is the emptier, before a resync is taken. */
export const RESYNC_LOOK_VERSIONS = 5000;
/** Versions examined at the same time by a damage check. */
export const DAMAGE_CHECK_IN_FLIGHT_MAX = 32;
/** A damage check reports its progress this often. */
export const DAMAGE_CHECK_PROGRESS_MS = 500;

/** The scrub begins so long after a start, looks so often whether it is due, and begins a pass at most once in a cycle. */
export const SCRUB_FIRST_MS = 10 * 60_000;
export const SCRUB_LOOK_MS = 60_000;
export const SCRUB_CYCLE_MS = 7 * 86_400_000;
/** Versions between two savings of its place. */
export const SCRUB_PAGE = 250;
/** What a version costs beside its bytes when the rate is reckoned: a file is opened, a row is read. */
export const SCRUB_COST_BYTES = 4096;
/** Damaged versions are brought back from peers this often; one that could not be is tried again after a while. */
export const REPAIR_EVERY_MS = 30_000;
export const REPAIR_AGAIN_MS = 15 * 60_000;
export const REPAIR_MEMORY_MAX = 100_000;
export const REPAIR_PAGE = 500;
export const REPAIR_IN_FLIGHT_MAX = 4;
/** Results of a heal that nobody has fetched: it waits for its reader, and gives up when none comes. */
export const HEAL_ITEMS_MAX = 1000;
export const HEAL_PAGE = 100;
export const HEAL_LOOK_MS = 200;
export const HEAL_UNREAD_MS = 10 * 60_000;
/** A heal that has not said anything for so long lost its process. */
export const HEAL_SILENT_MS = 60_000;
export const HEAL_KEPT_MS = 60 * 60_000;
