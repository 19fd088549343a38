/** The key with which this user's reports are signed: made once, kept beside the aliases. */
import { randomBytes, type KeyObject } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { signingKey } from "../protocol/signed-document.ts";
import { CommandError } from "./command.ts";

const SEED_BYTES = 32;

/** Throws CommandError when it can neither be read nor made. */
export function reportKey(configDir: string): KeyObject {
  const path = join(configDir, "report-key");
  try {
    mkdirSync(configDir, { recursive: true, mode: 0o700 });
    try {
      // Two runs may come here at once: the first one's key stays.
      writeFileSync(path, randomBytes(SEED_BYTES), { mode: 0o600, flag: "wx" });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    }
    const seed = readFileSync(path);
    if (seed.length !== SEED_BYTES) throw new Error(`it is ${seed.length} bytes long, not ${SEED_BYTES}`);
    return signingKey(seed);
  } catch (error) {
    throw new CommandError(`Unable to use the signing key \`${path}\``, error);
  }
}
