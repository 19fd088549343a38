/** The rows of versions against what they were when they were written: bytes of the index that changed on the disk show here. */
import type { Version } from "../model/version.ts";
import type { Entry, KeyRange, OrderedIndex } from "./index/index.ts";
import * as keys from "./keys.ts";
import { DIGEST_ROWS_PER_STEP } from "./limits.ts";
import { decodeVersion, encodeLookupOf } from "./records.ts";

/** The rows of a range, page by page. */
export async function* pagesOf(index: OrderedIndex, range: KeyRange, keysOnly = false): AsyncGenerator<Entry[]> {
  let start = range.start;
  for (;;) {
    const page = await index.scan({ start, end: range.end }, { limit: DIGEST_ROWS_PER_STEP, keysOnly });
    if (page.length > 0) yield page;
    if (page.length < DIGEST_ROWS_PER_STEP) return;
    start = keys.keyAfter((page.at(-1) as Entry).key);
  }
}

/** `damaged row`: no version can be read from it, or that of another key, id or time. */
export interface RowFault {
  readonly what: "damaged row" | "no lookup row" | "lookup row differs";
  /** Key of the version's row. */
  readonly row: Buffer;
  /** Key of the row in space `I` that leads to it; of a damaged row nothing is known. */
  readonly lookup?: Buffer | undefined;
}

/** Every version of a range of rows against its hashes. May run while a server writes. Writes nothing. */
export async function* checkVersionRows(index: OrderedIndex, range: KeyRange): AsyncGenerator<RowFault> {
  for await (const page of pagesOf(index, range)) {
    for (const entry of page) {
      const fault = await faultOf(index, entry);
      if (fault !== undefined) yield fault;
    }
  }
}

async function faultOf(index: OrderedIndex, { key: row, value }: Entry): Promise<RowFault | undefined> {
  for (let seen = value; ;) {
    const version = versionUnder(row, seen);
    if (version === undefined) return { what: "damaged row", row };
    const lookup = keys.idRowKey(keys.SPACE.byId, keys.bucketIdOfRow(row), version.key, version.versionId);
    const found = await index.get(lookup);
    if (found?.equals(encodeLookupOf(version)) === true) return undefined;
    // Both rows change in one commit: only what stands still between two looks can be wrong.
    const now = await index.get(row);
    if (now === undefined) return undefined;
    if (now.equals(seen)) return { what: found === undefined ? "no lookup row" : "lookup row differs", row, lookup };
    seen = now;
  }
}

function versionUnder(row: Buffer, value: Buffer): Version | undefined {
  try {
    const version = decodeVersion(value);
    return keys.versionRowKey(keys.bucketIdOfRow(row), version).equals(row) ? version : undefined;
  } catch {
    return undefined;
  }
}
