/** The key ring that the settings ask for. */
import { createPrivateKey } from "node:crypto";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { identityOfApiKey, kesRing } from "../client/kes.ts";
import type { KeyPair } from "../client/self-signed.ts";
import { hasCode } from "../model/errors.ts";
import type { Clock } from "../runtime/clock.ts";
import type { Random } from "../runtime/random.ts";
import type { OrderedIndex } from "../storage/index/index.ts";
import { ChangedKeysError, openEmbeddedRing } from "../storage/keyring/embedded.ts";
import type { KeyRing } from "../storage/keyring/keyring.ts";
import { outgoingRoots } from "./certificates.ts";
import { UsageError, type KesSettings, type Settings } from "./settings.ts";

export interface KeyRingParts {
  readonly index: OrderedIndex;
  readonly clock: Clock;
  readonly random: Random;
  readonly warn: (message: string, error: unknown) => void;
}

/** Undefined: none is configured. UsageError when a key is not the one that was used under its name before. */
export async function openKeyRing(settings: Settings, parts: KeyRingParts): Promise<KeyRing | undefined> {
  const always = settings.autoEncryption;
  if (settings.kes !== undefined) return openKes(settings, settings.kes, parts);
  if (settings.kmsKeys.length === 0) return undefined;
  try {
    return await openEmbeddedRing({ ...parts, keys: settings.kmsKeys, always });
  } catch (error) {
    if (!(error instanceof ChangedKeysError)) throw error;
    const names = error.keys.join(", ");
    throw new UsageError(
      `RESILVER_KMS_SECRET_KEY has other keys than before under these names: ${names}. ` +
        "What they encrypted could not be read; give the keys that were there, and new ones new names.",
    );
  }
}

/** The default key is made when the server lacks it. A server that is away is no reason not to serve the rest. */
async function openKes(settings: Settings, kes: KesSettings, { clock, warn }: KeyRingParts): Promise<KeyRing> {
  const ring = kesRing({
    endpoints: kes.endpoints,
    defaultKeyId: kes.keyName,
    identity: identityOf(kes, clock.nowMs()),
    ca: kes.caPath === undefined ? outgoingRoots(settings.certsDir) : certificatesIn(kes.caPath),
    always: settings.autoEncryption,
  });
  void ring.create(kes.keyName, "").catch((error: unknown) => {
    // Who may use the key need not be allowed to make it.
    if (!hasCode(error, "XMinioKMSKeyExists", "KMS.AccessDeniedException"))
      warn("the default key could not be made in the key server", error);
  });
  return ring;
}

function identityOf(kes: KesSettings, nowMs: number): KeyPair {
  if (kes.apiKey !== undefined) {
    const identity = identityOfApiKey(kes.apiKey, nowMs);
    if (identity === undefined) throw new UsageError("RESILVER_KMS_KES_API_KEY: expected kes:v1: and 44 characters");
    return identity;
  }
  const cert = read("RESILVER_KMS_KES_CERT_FILE", kes.certFile ?? "");
  const text = read("RESILVER_KMS_KES_KEY_FILE", kes.keyFile ?? "");
  try {
    const key = createPrivateKey({ key: text, passphrase: kes.keyPassword });
    return { cert, key: key.export({ format: "pem", type: "pkcs8" }).toString() };
  } catch (cause) {
    throw new UsageError(`RESILVER_KMS_KES_KEY_FILE: ${(cause as Error).message}`);
  }
}

function certificatesIn(path: string): string[] {
  try {
    const files = statSync(path).isDirectory() ? readdirSync(path).map((name) => join(path, name)) : [path];
    return files.filter((file) => statSync(file).isFile()).map((file) => readFileSync(file, "utf8"));
  } catch (cause) {
    throw new UsageError(`RESILVER_KMS_KES_CAPATH: ${(cause as Error).message}`);
  }
}

function read(setting: string, path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    throw new UsageError(`${setting}: ${(cause as Error).message}`);
  }
}
