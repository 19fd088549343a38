/** Every limit of this folder, asserted against its neighbours at the end. Sizes in bytes unless the name says more. */
import { assert } from "../runtime/assert.ts";

const KIB = 1024;
export const MIB = 1024 * KIB;

/** Longest key of the index; LMDB's binding takes 1978. */
export const KEY_BYTES_MAX = 1900;
/** Largest value a commit may carry: what the binding's buffer takes in one copy. */
export const VALUE_BYTES_MAX = 16 * MIB - 1;

/** Address space of the LMDB map. Only pages in use take disk and memory. */
export const INDEX_MAP_BYTES = 4 * 1024 * 1024 * MIB;
/** Reader slots of the environment: one or two a process and thread, 64 bytes each. */
export const INDEX_READERS_MAX = 1024;
/** Commits written in one transaction and one sync. More wait for the next batch; the queue is bounded by its callers. */
export const BATCH_COMMITS_MAX = 1024;
/** A batch is closed when it has this many bytes, so that one transaction stays a short one. */
export const BATCH_BYTES_MAX = 8 * MIB;
/** Batches between two looks for reader slots of killed processes (they would keep old pages from being reused). */
export const BATCHES_PER_READER_CHECK = 4096;

/**
 * Bodies up to this size become rows beside the index: they share the commit's one sync, where a file costs two syncs
 * and a rename of its own. Measured (2 cores, 32 writers): 32 KiB inline takes 255 us of CPU a write, as a file 810 us.
 * Larger ones would win too at first, but LMDB keeps a value in neighbouring pages, and long runs of free pages are
 * what an index that has grown old is short of.
 */
export const INLINE_BYTES_MAX = 32 * KIB;
/** Unit of checksumming in a blob file: what a ranged read must read at least. Part of the format of each file. */
export const BLOCK_BYTES = 64 * KIB;
/** Most bytes that a read yields at once, and one disk read. */
export const PIECE_BYTES = MIB;
/** Pieces that a long read has memory for: one being read, and those its consumer may still hold. */
export const READ_RING_PIECES = 4;
/** The same for a consumer that is done with a piece when it asks for the next: what it has, and what is being read. */
export const LENT_RING_PIECES = 2;
/** Room for a piece and for what follows it in a file of one piece: footer and checksums. */
export const PIECE_MEMORY_BYTES = PIECE_BYTES + 4 * KIB;
/** Memory of lent pieces that is kept for the next read. */
export const FREE_PIECES_MAX = 32;
/**
 * Memory that long reads of a process may hold in full pieces. Further ones go by single blocks: thousands of clients
 * that read slowly must fill neither the memory nor the queue of the disk, where others wait for one piece.
 */
export const READ_RINGS_BYTES = 128 * MIB;
/** Bodies up to this size are hashed and handed to the file system in one go on the calling thread. */
export const SMALL_BODY_BYTES_MAX = 256 * KIB;
/** Unit in which large bodies go to a hashing thread. Each upload under way holds one while it fills. */
export const SLAB_BYTES = 256 * KIB;
/** Full slabs waiting for the hashing threads, of one body and of all: a body that would exceed them is not read on. */
export const SLABS_PER_BODY_MAX = 4;
export const SLABS_IN_FLIGHT_MAX = 64;
/** Memory for slabs is taken for so many at once. */
export const SLABS_PER_MEMORY = 4;
/** A large body that goes through the page cache is flushed to disk each time it has grown by this much. */
export const FLUSH_EVERY_BYTES = 16 * MIB;
/** Direct writes are multiples of this, in the file and in memory: at least the block of any disk, and a page. */
export const DIRECT_BLOCK_BYTES = 4 * KIB;
/** Memory in which a file gathers what cannot be written directly from where it lies: sealed pieces, and the end. */
export const GATHER_BYTES = 512 * KIB;
/**
 * Hashing threads of a process, and cores for each; each is started when it is first needed. Bodies hashed on one thread
 * share its lanes, so a second pays only where there is a core for it.
 */
export const PUMP_THREADS_MAX = 2;
export const CORES_PER_PUMP_THREAD = 2;
/** Directories under `blobs/`: one for each value of the first byte of the blob id. */
export const BLOB_DIRECTORIES = 256;

/** Rows that the collector takes in one step, and files that it removes at a time. */
export const COLLECT_ROWS_PER_STEP = 256;
export const COLLECT_FILES_AT_ONCE = 8;
/** Rows read at once while looking for blobs in use. */
export const SWEEP_ROWS_PER_STEP = 500;
/** Versions that get their hashes in one commit, where digests are built for all of them. */
export const DIGEST_ROWS_PER_STEP = 1000;
/** Garbage is kept this long after it was named, for reads that had found it before. */
export const GARBAGE_GRACE_MS = 15 * 60 * 1000;

/**
 * Kept free on the file system for the index, whose commits need pages also where they delete: this share of it, but
 * no more than so many bytes. Bodies are refused before it is touched.
 */
export const SPACE_RESERVE_SHARE = 1 / 16;
export const SPACE_RESERVE_BYTES_MAX = 256 * MIB;
/** Writes, however small, after which the free space is looked at again: each also costs pages of the index. */
export const SPACE_CHECK_WRITES = 256;

assert(SLAB_BYTES % BLOCK_BYTES === 0, "a slab is whole blocks");
assert(SLAB_BYTES % DIRECT_BLOCK_BYTES === 0, "a full slab is written as it lies");
assert(GATHER_BYTES % DIRECT_BLOCK_BYTES === 0, "what was gathered is written in whole blocks");
assert(READ_RING_PIECES * PIECE_BYTES <= READ_RINGS_BYTES, "one long read has full pieces");
assert(PIECE_BYTES % BLOCK_BYTES === 0, "a piece is whole blocks");
assert(INLINE_BYTES_MAX <= SMALL_BODY_BYTES_MAX, "an inline body is gathered in memory");
assert(SLABS_PER_BODY_MAX <= SLABS_IN_FLIGHT_MAX, "one body may use its share");
assert(INLINE_BYTES_MAX < BATCH_BYTES_MAX, "a batch takes any inline blob");
