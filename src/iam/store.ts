/**
 * Rows of identities in the index: their shapes, keys, caches and transactions. A cached row is believed only while the
 * bytes in the index are the same, so several processes always agree on who may do what.
 */
import { StoreError } from "../model/errors.ts";
import { CommitBuilder } from "../storage/index/commit-builder.ts";
import type { OrderedIndex } from "../storage/index/index.ts";
import type { Sealer } from "../model/sealer.ts";
import { keyAfter, nameOfRow, namedRange, namedRowKey, SPACE } from "../storage/keys.ts";
import { decodeRow, encodeRow } from "../storage/records.ts";
import { CONFLICT_RETRIES_MAX, ROW_CACHE_MAX, SCAN_PAGE } from "./limits.ts";
import { parsePolicy } from "./policy.ts";
import type { Policy } from "./policy.ts";

export interface UserRow {
  /** Sealed. */
  readonly secret: string;
  readonly enabled: boolean;
  readonly policies: readonly string[];
  readonly groups: readonly string[];
  /** When the policies were last mapped; when the user was made, before that. */
  readonly updated: bigint;
  /** Counts access keys made: a key made while its user is being removed must make one of the two fail. */
  readonly keysMade: number;
}

export interface GroupRow {
  readonly enabled: boolean;
  readonly members: readonly string[];
  readonly policies: readonly string[];
  readonly updated: bigint;
}

export interface PolicyRow {
  /** JSON text of the document. */
  readonly document: string;
  readonly created: bigint;
  readonly updated: bigint;
}

/** Parent of the access keys of root: whatever root is called, they stay its own. */
export const ROOT_PARENT = "";

/** An access key (service account), or the temporary credentials of a session. */
export interface KeyRow {
  /** User name, or ROOT_PARENT. */
  readonly parent: string;
  /** Sealed; of a session: together with its token (sessions.ts). */
  readonly secret: string;
  readonly enabled: boolean;
  /** JSON text; absent: the parent's rights. */
  readonly sessionPolicy?: string | undefined;
  readonly name?: string | undefined;
  readonly description?: string | undefined;
  /** Unix milliseconds; absent: never. */
  readonly expires?: number | undefined;
  /** Present: temporary credentials. `type` is a word by which they can be revoked. */
  readonly session?: { readonly type: string } | undefined;
}

export interface Stored<Row, Extra> {
  readonly name: string;
  readonly row: Row;
  /** What is made from the row when it is first asked for: opened secret, parsed policy. */
  readonly extra: Extra;
  readonly key: Buffer;
  readonly raw: Buffer;
}

export interface KeyExtra {
  readonly secretKey: string;
  readonly sessionPolicy: Policy | undefined;
  /** Sessions only. */
  readonly sessionToken?: string | undefined;
  readonly rootMark?: string | undefined;
}

export type StoredUser = Stored<UserRow, { readonly secretKey: string }>;
export type StoredGroup = Stored<GroupRow, undefined>;
export type StoredPolicy = Stored<PolicyRow, { readonly policy: Policy }>;
export type StoredKey = Stored<KeyRow, KeyExtra>;

/** All rows of one kind, by name. */
export class Rows<Row extends object, Extra> {
  readonly #index: OrderedIndex;
  readonly #prefix: string;
  readonly #expand: (row: Row) => Extra;
  readonly #cache = new Map<string, Stored<Row, Extra>>();

  constructor(index: OrderedIndex, prefix: string, expand: (row: Row) => Extra) {
    this.#index = index;
    this.#prefix = prefix;
    this.#expand = expand;
  }

  key(name: string): Buffer {
    return namedRowKey(SPACE.iam, this.#prefix + name);
  }

  async get(name: string): Promise<Stored<Row, Extra> | undefined> {
    const cached = this.#cache.get(name);
    const key = cached?.key ?? this.key(name);
    const raw = await this.#index.get(key);
    if (raw === undefined) {
      this.#cache.delete(name);
      return undefined;
    }
    if (cached !== undefined && cached.raw.equals(raw)) return cached;
    return this.#remember(name, key, raw);
  }

  /** Every row in the order of names, as it is read; nothing of it is kept. */
  async *each(): AsyncIterable<Stored<Row, Extra>> {
    for await (const { key, value } of scanAll(this.#index, this.#prefix)) {
      yield new StoredRow(nameOfRow(key).slice(this.#prefix.length), key, value, this.#expand);
    }
  }

  /** Every row in the order of names. */
  async all(): Promise<Stored<Row, Extra>[]> {
    const out: Stored<Row, Extra>[] = [];
    for await (const stored of this.each()) out.push(stored);
    return out;
  }

  #remember(name: string, key: Buffer, raw: Buffer): Stored<Row, Extra> {
    const stored = new StoredRow(name, key, raw, this.#expand);
    // The one that came first goes: a site with more users than this must not read all of them anew each time.
    const [first] = this.#cache.size >= ROW_CACHE_MAX ? this.#cache.keys() : [];
    if (first !== undefined) this.#cache.delete(first);
    this.#cache.set(name, stored);
    return stored;
  }
}

/** Opening a secret costs as much as everything else about a row together, and a listing needs none. */
class StoredRow<Row extends object, Extra> implements Stored<Row, Extra> {
  readonly name: string;
  readonly row: Row;
  readonly key: Buffer;
  readonly raw: Buffer;
  readonly #expand: (row: Row) => Extra;
  #extra: { readonly value: Extra } | undefined;

  constructor(name: string, key: Buffer, raw: Buffer, expand: (row: Row) => Extra) {
    this.name = name;
    this.row = decodeRow<Row>(raw);
    this.key = key;
    this.raw = raw;
    this.#expand = expand;
  }

  get extra(): Extra {
    return (this.#extra ??= { value: this.#expand(this.row) }).value;
  }
}

async function* scanAll(index: OrderedIndex, prefix: string) {
  let range = namedRange(SPACE.iam, prefix);
  for (;;) {
    const page = await index.scan(range, { limit: SCAN_PAGE });
    yield* page;
    const last = page.at(-1);
    if (last === undefined || page.length < SCAN_PAGE) return;
    range = { start: keyAfter(last.key), end: range.end };
  }
}

export type EntityKind = "user" | "group";

/** A policy mapped to a user or group: the row that keeps the policy from being removed. */
function useKey(policy: string, kind: EntityKind, name: string): Buffer {
  return namedRowKey(SPACE.iam, `use/${policy}\0${kind}\0${name}`);
}
const useRange = (policy: string) => namedRange(SPACE.iam, `use/${policy}\0`);
const childKey = (parent: string, accessKey: string): Buffer =>
  namedRowKey(SPACE.iam, `parent/${parent}\0${accessKey}`);
const PRESENT = encodeRow({});

/** One attempt at a change: what it reads is checked at its commit. */
export class Transaction {
  readonly #store: IdentityStore;
  readonly commit = new CommitBuilder();

  constructor(store: IdentityStore) {
    this.#store = store;
  }

  user(name: string): Promise<StoredUser | undefined> {
    return this.#read(this.#store.users, name);
  }
  group(name: string): Promise<StoredGroup | undefined> {
    return this.#read(this.#store.groups, name);
  }
  policy(name: string): Promise<StoredPolicy | undefined> {
    return this.#read(this.#store.policies, name);
  }
  accessKey(name: string): Promise<StoredKey | undefined> {
    return this.#read(this.#store.keys, name);
  }

  putUser(name: string, row: UserRow): void {
    this.commit.put(this.#store.users.key(name), encodeRow(row));
  }
  putGroup(name: string, row: GroupRow): void {
    this.commit.put(this.#store.groups.key(name), encodeRow(row));
  }
  putPolicy(name: string, row: PolicyRow): void {
    this.commit.put(this.#store.policies.key(name), encodeRow(row));
  }
  putAccessKey(name: string, row: KeyRow): void {
    this.commit.put(this.#store.keys.key(name), encodeRow(row)).put(childKey(row.parent, name), PRESENT);
  }

  deleteUser(name: string): void {
    this.commit.delete(this.#store.users.key(name));
  }
  deleteGroup(name: string): void {
    this.commit.delete(this.#store.groups.key(name));
  }
  deletePolicy(name: string): void {
    this.commit.delete(this.#store.policies.key(name));
  }
  deleteAccessKey(name: string, parent: string): void {
    this.commit.delete(this.#store.keys.key(name)).delete(childKey(parent, name));
  }

  /** Keeps the use rows in step with a mapping that goes from `before` to `after`. */
  remap(kind: EntityKind, name: string, before: readonly string[], after: readonly string[]): void {
    for (const policy of before) if (!after.includes(policy)) this.commit.delete(useKey(policy, kind, name));
    for (const policy of after) if (!before.includes(policy)) this.commit.put(useKey(policy, kind, name), PRESENT);
  }

  /** False when somebody has the policy; true makes the commit fail if that changes before it. */
  async unused(policy: string): Promise<boolean> {
    const range = useRange(policy);
    const [first] = await this.#store.index.scan(range, { limit: 1, keysOnly: true });
    this.commit.first(range, first?.key);
    return first === undefined;
  }

  async #read<Row extends object, Extra>(
    rows: Rows<Row, Extra>,
    name: string,
  ): Promise<Stored<Row, Extra> | undefined> {
    const stored = await rows.get(name);
    this.commit.unchanged(rows.key(name), stored?.raw);
    return stored;
  }
}

/** A session's secret is sealed together with its token and the mark of the root credentials it was made under. */
export interface SealedSession {
  readonly secret: string;
  readonly token: string;
  readonly root: string;
}

function expandKey(row: KeyRow, sealer: Sealer): KeyExtra {
  const sessionPolicy = row.sessionPolicy === undefined ? undefined : parsePolicy(row.sessionPolicy);
  const plain = sealer.open(row.secret);
  if (row.session === undefined) return { secretKey: plain, sessionPolicy };
  const { secret, token, root } = JSON.parse(plain) as SealedSession;
  return { secretKey: secret, sessionPolicy, sessionToken: token, rootMark: root };
}

export class IdentityStore {
  readonly index: OrderedIndex;
  readonly sealer: Sealer;
  readonly users: Rows<UserRow, { readonly secretKey: string }>;
  readonly groups: Rows<GroupRow, undefined>;
  readonly policies: Rows<PolicyRow, { readonly policy: Policy }>;
  readonly keys: Rows<KeyRow, KeyExtra>;

  constructor(index: OrderedIndex, sealer: Sealer) {
    this.index = index;
    this.sealer = sealer;
    this.users = new Rows(index, "user/", (row) => ({ secretKey: sealer.open(row.secret) }));
    this.groups = new Rows(index, "group/", () => undefined);
    this.policies = new Rows(index, "policy/", (row) => ({ policy: parsePolicy(row.document) }));
    this.keys = new Rows(index, "key/", (row) => expandKey(row, sealer));
  }

  /** Names of the access keys of a user (or of root), sorted. */
  async keysOf(parent: string): Promise<string[]> {
    const prefix = `parent/${parent}\0`;
    const out: string[] = [];
    for await (const entry of scanAll(this.index, prefix)) out.push(nameOfRow(entry.key).slice(prefix.length));
    return out;
  }

  /**
   * Runs `attempt` and commits what it collected; again from the start when a row it read changed meanwhile.
   * What it throws passes through, and nothing is stored. An attempt that writes nothing commits nothing.
   */
  async change<Result>(attempt: (transaction: Transaction) => Promise<Result>): Promise<Result> {
    for (let tries = 0; tries < CONFLICT_RETRIES_MAX; tries++) {
      const transaction = new Transaction(this);
      const result = await attempt(transaction);
      const { commit } = transaction;
      if (commit.puts.length === 0 && commit.deletes.length === 0) return result;
      if ((await this.index.commit(commit)) === "committed") return result;
    }
    throw new StoreError("InternalError", { message: "These identities are being changed by too many others." });
  }
}
