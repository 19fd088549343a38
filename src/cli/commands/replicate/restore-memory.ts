/**
 * What a restore has begun at one bucket, as the configuration folder remembers it: whoever runs an interrupted one again
 * finishes what it began, and takes nothing for done that was only begun.
 */
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

interface Remembered {
  /** The bucket is being made: it may be there and lack what it had. */
  readonly making?: boolean | undefined;
  /** Rules of the damaged side that were disabled for the duration. */
  readonly disabled?: readonly string[] | undefined;
  /** The resync that was asked for. */
  readonly resync?: { readonly id: string; readonly deep: boolean } | undefined;
}

export class RestoreMemory {
  readonly #file: string;

  /** `url`: ALIAS/BUCKET of the damaged side. */
  constructor(configDir: string, url: string) {
    this.#file = join(configDir, "restore", `${url.replaceAll("/", "--")}.json`);
  }

  read(): Remembered {
    return existsSync(this.#file) ? (JSON.parse(readFileSync(this.#file, "utf8")) as Remembered) : {};
  }

  /** A kill leaves the file as it was before or as it is after. */
  add(more: Remembered): void {
    mkdirSync(dirname(this.#file), { recursive: true, mode: 0o700 });
    writeFileSync(`${this.#file}.new`, JSON.stringify({ ...this.read(), ...more }), { mode: 0o600 });
    renameSync(`${this.#file}.new`, this.#file);
  }

  forget(): void {
    rmSync(this.#file, { force: true });
  }
}
