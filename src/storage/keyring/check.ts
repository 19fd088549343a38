/**
 * Does a key work, and is it still the one that was there before? A key server can be given another key of the same name,
 * which seals and opens whatever is new: only a data key kept from before tells. One is kept for each key.
 */
import { hasCode, StoreError } from "../../model/errors.ts";
import { CommitBuilder } from "../index/commit-builder.ts";
import type { OrderedIndex } from "../index/index.ts";
import { namedRowKey, SPACE } from "../keys.ts";
import { decodeRow, encodeRow } from "../records.ts";
import type { KeyRing } from "./keyring.ts";

const ROWS = "kms-kept/";
const BOUND = Buffer.from("key check");

interface KeptRow {
  /** A data key of the first check, as the ring sealed it. */
  readonly sealed: string;
}

/**
 * Makes a data key with the named key and opens it, and the one that the first check kept. Throws `KMS.NotFoundException`,
 * `KMS.InvalidCiphertextException` for another key of this name, `KMS.AccessDeniedException`,
 * `XResilverKeyServerUnavailable`.
 */
export async function checkKey(ring: KeyRing, index: OrderedIndex, keyId: string): Promise<void> {
  const rowKey = namedRowKey(SPACE.config, ROWS + keyId);
  try {
    const { sealed } = await ring.generate(keyId, BOUND);
    await ring.open(keyId, sealed, BOUND);
    const kept = await index.get(rowKey);
    if (kept !== undefined) await ring.open(keyId, decodeRow<KeptRow>(kept).sealed, BOUND);
    // A conflict: another process of the site has just kept one.
    else await index.commit(new CommitBuilder().unchanged(rowKey, undefined).put(rowKey, encodeRow({ sealed })));
  } catch (error) {
    if (!hasCode(error, "kms:KeyNotFound")) throw error;
    throw new StoreError("KMS.NotFoundException", { message: error.message });
  }
}
