/** The key ring that the settings ask for. */
import type { Clock } from "../runtime/clock.ts";
import type { Random } from "../runtime/random.ts";
import type { OrderedIndex } from "../storage/index/index.ts";
import { ChangedKeysError, openEmbeddedRing } from "../storage/keyring/embedded.ts";
import type { KeyRing } from "../storage/keyring/keyring.ts";
import { UsageError, type Settings } from "./settings.ts";

/** Undefined: none is configured. UsageError when a key is not the one that was used under its name before. */
export async function openKeyRing(
  settings: Settings,
  parts: { index: OrderedIndex; clock: Clock; random: Random },
): Promise<KeyRing | undefined> {
  if (settings.kmsKeys.length === 0) return undefined;
  try {
    return await openEmbeddedRing({ ...parts, keys: settings.kmsKeys, always: settings.autoEncryption });
  } catch (error) {
    if (!(error instanceof ChangedKeysError)) throw error;
    const names = error.keys.join(", ");
    throw new UsageError(
      `RESILVER_KMS_SECRET_KEY has other keys than before under these names: ${names}. ` +
        "What they encrypted could not be read; give the keys that were there, and new ones new names.",
    );
  }
}
