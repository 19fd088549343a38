/** Keys that become files of this machine: of two that are one file there, one must not be lost without a word. */
import { posix } from "node:path";
import { CommandError } from "../command.ts";

/** The path that a file system makes of a key: `a//b`, `/a/b` and `a/./b` are all `a/b` to it. */
export const filePathOf = (key: string): string => posix.normalize(key).replace(/^\/+/, "");

export class LocalNames {
  readonly #taken = new Map<string, string>();
  readonly #exists: (key: string) => Promise<boolean>;

  /** `exists`: whether the source has a key; asked only for what an odd key becomes. */
  constructor(exists: (key: string) => Promise<boolean>) {
    this.#exists = exists;
  }

  /** Throws CommandError for a key whose file is another key's. */
  async take(key: string): Promise<void> {
    const path = filePathOf(key);
    if (path === key) return;
    const other = this.#taken.get(path) ?? ((await this.#exists(path)) ? path : undefined);
    if (other !== undefined)
      throw new CommandError(
        `The keys \`${key}\` and \`${other}\` are one file on this machine`,
        new Error(`only the second is copied; give the first a name with \`mc cp\``),
      );
    this.#taken.set(path, key);
  }

  /** Whether the file is that of a key which is called otherwise. */
  isTaken(path: string): boolean {
    return this.#taken.has(path);
  }
}
