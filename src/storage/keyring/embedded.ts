/**
 * The embedded key ring: keys that the settings give (the first one is the default, and the master), and keys made here,
 * kept in the index under the master's seal. Nothing of it opens without the settings' keys.
 */
import { createHmac } from "node:crypto";
import { StoreError } from "../../model/errors.ts";
import type { Clock } from "../../runtime/clock.ts";
import type { Random } from "../../runtime/random.ts";
import { CommitBuilder } from "../index/commit-builder.ts";
import type { OrderedIndex } from "../index/index.ts";
import { namedRange, namedRowKey, nameOfRow, SPACE } from "../keys.ts";
import { decodeRow, encodeRow } from "../records.ts";
import { openSecret, sealSecret } from "./aead.ts";
import { DATA_KEY_BYTES, isKeyName, type KeyInfo, type KeyRing } from "./keyring.ts";

export interface NamedKey {
  readonly name: string;
  /** 32 bytes. */
  readonly key: Buffer;
}

/** Rows of made keys, and of what tells that a key of the settings is still the same. */
const KEY_ROWS = "kms-key/";
const CHECK_ROWS = "kms-check/";
const KEYS_MAX = 10_000;

interface KeyRow {
  /** Base64, sealed with the key `sealedBy`, bound to the name. */
  readonly key: string;
  readonly sealedBy: string;
  readonly createdAt: string;
  readonly createdBy: string;
}

interface CheckRow {
  /** HMAC-SHA-256 of a fixed text with the key: base64. */
  readonly mac: string;
}

/** `NAME:BASE64` of 32 bytes each, separated by commas. Undefined: that is not what `text` is. */
export function parseNamedKeys(text: string): NamedKey[] | undefined {
  const keys: NamedKey[] = [];
  for (const item of text.split(",")) {
    const at = item.indexOf(":");
    const name = item.slice(0, Math.max(at, 0)).trim();
    const key = Buffer.from(item.slice(at + 1).trim(), "base64");
    if (!isKeyName(name) || key.length !== DATA_KEY_BYTES || keys.some((other) => other.name === name))
      return undefined;
    keys.push({ name, key });
  }
  return keys;
}

export interface EmbeddedRingOptions {
  readonly index: OrderedIndex;
  readonly clock: Clock;
  readonly random: Random;
  /** At least one. */
  readonly keys: readonly NamedKey[];
  readonly always?: boolean | undefined;
}

const macOf = (key: Buffer): string => createHmac("sha256", key).update("resilver key check").digest("base64");

class EmbeddedRing implements KeyRing {
  readonly defaultKeyId: string;
  readonly always: boolean;
  readonly #options: EmbeddedRingOptions;
  readonly #master: NamedKey;
  readonly #given: ReadonlyMap<string, Buffer>;

  constructor(options: EmbeddedRingOptions, master: NamedKey) {
    this.#options = options;
    this.#master = master;
    this.#given = new Map(options.keys.map(({ name, key }) => [name, key]));
    this.defaultKeyId = master.name;
    this.always = options.always === true;
  }

  /** The names of keys that are not what they were; made keys go under the seal of the master. */
  async prepare(): Promise<string[]> {
    const { index } = this.#options;
    const changed: string[] = [];
    for (const [name, key] of this.#given) {
      const rowKey = namedRowKey(SPACE.config, CHECK_ROWS + name);
      const raw = await index.get(rowKey);
      if (raw === undefined) await index.commit(new CommitBuilder().put(rowKey, encodeRow({ mac: macOf(key) })));
      else if (decodeRow<CheckRow>(raw).mac !== macOf(key)) changed.push(name);
    }
    for (const { key: rowKey, value } of await this.#rows()) {
      const row = decodeRow<KeyRow>(value);
      const name = nameOfRow(rowKey).slice(KEY_ROWS.length);
      const key = row.sealedBy === this.#master.name ? undefined : this.#openRow(name, row);
      if (key === undefined) continue;
      const commit = new CommitBuilder().unchanged(rowKey, value);
      // A conflict: another process of the site has just done it.
      await index.commit(commit.put(rowKey, encodeRow({ ...row, ...this.#sealed(name, key) })));
    }
    return changed;
  }

  async generate(keyId: string, context: Buffer): Promise<{ plain: Buffer; sealed: string }> {
    const key = await this.#key(keyId);
    if (key === undefined) throw new StoreError("kms:KeyNotFound", { message: `There is no key "${keyId}".` });
    // Not from the pool of ids, whose memory is shared with what is shown.
    const plain = Buffer.from(this.#options.random.bytes(DATA_KEY_BYTES));
    return { plain, sealed: sealSecret(key, plain, this.#options.random, context).toString("base64") };
  }

  async open(keyId: string, sealed: string, context: Buffer): Promise<Buffer> {
    const key = await this.#key(keyId);
    if (key === undefined) throw missingKey(keyId);
    const plain = openSecret(key, Buffer.from(sealed, "base64"), context);
    if (plain === undefined) throw foreignDataKey(keyId);
    return plain;
  }

  async create(keyId: string, by: string): Promise<void> {
    if (!isKeyName(keyId))
      throw new StoreError("XMinioAdminInvalidArgument", { message: "The key name is not valid." });
    const exists = new StoreError("XMinioKMSKeyExists", { message: `There is a key "${keyId}" already.` });
    if (this.#given.has(keyId)) throw exists;
    const { index, clock, random } = this.#options;
    const rowKey = namedRowKey(SPACE.config, KEY_ROWS + keyId);
    const row: KeyRow = {
      ...this.#sealed(keyId, Buffer.from(random.bytes(DATA_KEY_BYTES))),
      createdAt: new Date(clock.nowMs()).toISOString(),
      createdBy: by,
    };
    const commit = new CommitBuilder().unchanged(rowKey, undefined).put(rowKey, encodeRow(row));
    if ((await index.commit(commit)) === "conflict") throw exists;
  }

  async list(): Promise<KeyInfo[]> {
    const made = (await this.#rows()).map(({ key, value }): KeyInfo => {
      const { createdAt, createdBy } = decodeRow<KeyRow>(value);
      return { name: nameOfRow(key).slice(KEY_ROWS.length), createdAt, createdBy };
    });
    const given = [...this.#given.keys()].map((name): KeyInfo => ({ name }));
    return [...given, ...made].toSorted((a, b) => (a.name < b.name ? -1 : 1));
  }

  status(): Promise<{ name: string; version: string; endpoints: Record<string, "online"> }> {
    return Promise.resolve({ name: "Resilver", version: "embedded", endpoints: {} });
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  #rows(): Promise<{ key: Buffer; value: Buffer }[]> {
    return this.#options.index.scan(namedRange(SPACE.config, KEY_ROWS), { limit: KEYS_MAX });
  }

  async #key(name: string): Promise<Buffer | undefined> {
    const given = this.#given.get(name);
    if (given !== undefined || !isKeyName(name)) return given;
    const raw = await this.#options.index.get(namedRowKey(SPACE.config, KEY_ROWS + name));
    return raw === undefined ? undefined : this.#openRow(name, decodeRow<KeyRow>(raw));
  }

  #openRow(name: string, row: KeyRow): Buffer | undefined {
    const sealer = this.#given.get(row.sealedBy);
    return sealer === undefined ? undefined : openSecret(sealer, Buffer.from(row.key, "base64"), Buffer.from(name));
  }

  #sealed(name: string, key: Buffer): Pick<KeyRow, "key" | "sealedBy"> {
    const sealed = sealSecret(this.#master.key, key, this.#options.random, Buffer.from(name));
    return { key: sealed.toString("base64"), sealedBy: this.#master.name };
  }
}

/** The key that an object was encrypted with is not there: said so, and never taken for damage. */
export function missingKey(keyId: string): StoreError {
  return new StoreError("KMS.NotFoundException", {
    message: `The key "${keyId}" that this object is encrypted with is not in the key ring.`,
  });
}

export function foreignDataKey(keyId: string): StoreError {
  return new StoreError("KMS.InvalidCiphertextException", {
    message: `The key "${keyId}" in the key ring is not the one that this object was encrypted with.`,
  });
}

/** Thrown at the start: a key of the settings has the name of another one that is in use. */
export class ChangedKeysError extends Error {
  override name = "ChangedKeysError";
  readonly keys: readonly string[];
  constructor(keys: readonly string[]) {
    super(`not the keys that were used under these names before: ${keys.join(", ")}`);
    this.keys = keys;
  }
}

/** Throws ChangedKeysError. */
export async function openEmbeddedRing(options: EmbeddedRingOptions): Promise<KeyRing> {
  const [master] = options.keys;
  if (master === undefined) throw new Error("a key ring needs a key");
  const ring = new EmbeddedRing(options, master);
  const changed = await ring.prepare();
  if (changed.length > 0) throw new ChangedKeysError(changed);
  return ring;
}
