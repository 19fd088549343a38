/** A request whose body is a zip archive. */
import { StoreError } from "../model/errors.ts";
import type { ZipEntry } from "../protocol/zip.ts";
import { readZip, ZipError } from "../protocol/zip.ts";
import { IMPORT_BYTES_MAX, IMPORT_ENTRIES_MAX, IMPORT_UNPACKED_BYTES_MAX } from "./limits.ts";
import type { AdminRequest } from "./request.ts";

/** EntityTooLarge; InvalidRequest for what is no archive. */
export async function zipBody(request: AdminRequest): Promise<ZipEntry[]> {
  const body = await request.body(IMPORT_BYTES_MAX, "EntityTooLarge");
  try {
    return readZip(body, { entriesMax: IMPORT_ENTRIES_MAX, bytesMax: IMPORT_UNPACKED_BYTES_MAX });
  } catch (error) {
    if (error instanceof ZipError)
      throw new StoreError("InvalidRequest", { message: `The archive cannot be read: ${error.message}`, cause: error });
    throw error;
  }
}
