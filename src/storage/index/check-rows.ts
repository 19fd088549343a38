/** Rows that no implementation could hold are refused before anything is applied. */
import { StoreError } from "../../model/errors.ts";
import { KEY_BYTES_MAX, VALUE_BYTES_MAX } from "../limits.ts";
import type { Commit } from "./index.ts";

/** Throws InternalError: such a row is a fault of this program, or of a limit above it. */
export function checkRows(commit: Commit): void {
  for (const { key, value } of commit.puts) {
    checkKey(key);
    if (value.length > VALUE_BYTES_MAX) refuse("value", value.length);
  }
  for (const { key } of commit.adds) checkKey(key);
  for (const key of commit.deletes) checkKey(key);
}

function checkKey(key: Buffer): void {
  if (key.length === 0 || key.length > KEY_BYTES_MAX) refuse("key", key.length);
}

function refuse(what: string, length: number): never {
  throw new StoreError("InternalError", { message: `An index ${what} of ${length} bytes is not possible.` });
}
