/**
 * Room on the file system: bodies are refused before it is all gone, because the index needs pages for the very
 * commits that delete. What is asked of the system is remembered until enough was written to matter.
 */
import { StoreError } from "../../model/errors.ts";
import { SPACE_CHECK_WRITES, SPACE_RESERVE_BYTES_MAX, SPACE_RESERVE_SHARE } from "../limits.ts";
import type { FileLayer } from "./files.ts";

interface Room {
  /** Bytes that may be written until the reserve is touched; negative: it is in use already. */
  readonly above: number;
  /** Bytes after which to ask again. */
  readonly trusted: number;
}

const UNLIMITED: Room = { above: Infinity, trusted: Infinity };

export class DiskSpace {
  readonly #files: FileLayer;
  readonly #path: string;
  #room: Room = { above: 0, trusted: 0 };
  #taken = 0;
  #writes = 0;
  #refused = false;
  #asking: Promise<Room> | undefined;

  constructor(files: FileLayer, path: string) {
    this.#files = files;
    this.#path = path;
  }

  /** Before a body is begun that will have so many bytes. Undefined: there is room now. Rejects with XMinioStorageFull. */
  begin(bytes: number): Promise<void> | undefined {
    if (this.#writes >= SPACE_CHECK_WRITES || this.#taken + bytes > this.#room.above) return this.#ask(bytes, 0);
    this.#writes++;
    return undefined;
  }

  /** Before `bytes` of a body are written, which then count as gone. As `begin`. */
  take(bytes: number): Promise<void> | undefined {
    const after = this.#taken + bytes;
    if (after > this.#room.trusted || after > this.#room.above) return this.#ask(bytes, bytes);
    this.#taken = after;
    return undefined;
  }

  /** Bodies are refused: the reserve is in use, or one was larger than what is left since the last time that was asked. */
  async low(): Promise<boolean> {
    const refused = this.#refused;
    this.#refused = false;
    return (await this.#look()).above <= 0 || refused;
  }

  async #ask(wanted: number, taken: number): Promise<void> {
    this.#asking ??= this.#look().finally(() => (this.#asking = undefined));
    const room = await this.#asking;
    if (room !== this.#room) {
      this.#room = room;
      this.#taken = 0;
      this.#writes = 0;
    }
    if (this.#taken + wanted > room.above) {
      this.#refused = true;
      throw new StoreError("XMinioStorageFull");
    }
    this.#taken += taken;
  }

  async #look(): Promise<Room> {
    if (this.#files.space === undefined) return UNLIMITED;
    const { free, total } = await this.#files.space(this.#path);
    const reserve = Math.min(SPACE_RESERVE_BYTES_MAX, Math.floor(total * SPACE_RESERVE_SHARE));
    // Other processes and the index write too: half a reserve on, things may look different.
    return { above: free - reserve, trusted: reserve / 2 };
  }
}
