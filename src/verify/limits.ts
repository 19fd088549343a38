/** Every number that bounds verifying, in one place. Times in milliseconds, sizes in bytes. */

/** Differences that are kept, looked at again and named; further ones are counted. */
export const DIFFERENCES_MAX = 100_000;
/** Before a difference counts it is looked at again, this long after it was found: what was on its way has arrived. */
export const SETTLE_MS = 3000;
/** Versions asked about at the same time: HEADs, second looks. */
export const LOOKS_IN_FLIGHT_MAX = 16;
/** Versions named in one request of second looks. */
export const LOOKED_UP_AT_ONCE = 500;
/** Bodies read at the same time, a pair counting as one. */
export const READS_IN_FLIGHT_MAX = 8;
/** A request that was not answered is repeated so often, after so long. */
export const ATTEMPTS = 4;
export const RETRY_MS = 500;
/** A call that is not answered at all fails after this. */
export const SILENCE_MS = 60_000;
/** A verification that the server runs tells so often how far it is. */
export const PROGRESS_MS = 2000;
/** Last results read for the metrics. */
export const RESULTS_MAX = 10_000;
