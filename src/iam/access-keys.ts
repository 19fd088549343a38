/** Access keys (service accounts): credentials of their own with at most their parent's rights (admin-api.md 3.5). */
import { StoreError } from "../model/errors.ts";
import type { Random } from "../runtime/random.ts";
import { GENERATED_ACCESS_KEY_CHARS, GENERATED_SECRET_KEY_CHARS } from "./limits.ts";
import type { Policy } from "./policy.ts";
import { ROOT_PARENT } from "./store.ts";
import type { KeyRow, StoredKey, Transaction } from "./store.ts";
import type { IdentityContext } from "./users.ts";
import { userOf } from "./users.ts";
import { checkKeyDescription, checkKeyExpiry, checkKeyName, checkServiceKey } from "./validate.ts";
import { checkServiceSecret, sessionPolicyText } from "./validate.ts";

export interface AccessKeyInfo {
  readonly accessKey: string;
  readonly parent: string;
  readonly enabled: boolean;
  readonly sessionPolicy: Policy | undefined;
  readonly name?: string | undefined;
  readonly description?: string | undefined;
  /** Unix milliseconds; undefined: never. */
  readonly expires: number | undefined;
}

/** Members left out keep their value; an empty policy text means "inherit from the parent". */
export interface AccessKeyChange {
  readonly secretKey?: string | undefined;
  readonly sessionPolicy?: string | undefined;
  readonly enabled?: boolean | undefined;
  readonly name?: string | undefined;
  readonly description?: string | undefined;
  /** null: never. */
  readonly expires?: number | null | undefined;
}

export interface AccessKeyRequest extends Omit<AccessKeyChange, "enabled"> {
  readonly parent: string;
  /** Given together with the secret, or neither: then both are made. */
  readonly accessKey?: string | undefined;
}

export interface AccessKeysApi {
  create(request: AccessKeyRequest): Promise<{ accessKey: string; secretKey: string; expires: number | undefined }>;
  update(accessKey: string, change: AccessKeyChange): Promise<void>;
  /** Undefined when there is no such access key. */
  find(accessKey: string): Promise<AccessKeyInfo | undefined>;
  /** Of one user or of root, sorted. */
  list(parent: string): Promise<AccessKeyInfo[]>;
  /** XMinioInvalidIAMCredentials when absent. */
  remove(accessKey: string): Promise<void>;
}

const KEY_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";

export function generatedAccessKey(random: Random): string {
  let out = "";
  while (out.length < GENERATED_ACCESS_KEY_CHARS) {
    for (const byte of random.bytes(GENERATED_ACCESS_KEY_CHARS)) {
      // Bytes above the last whole multiple would favour the first letters.
      if (byte < 252 && out.length < GENERATED_ACCESS_KEY_CHARS) out += KEY_ALPHABET[byte % KEY_ALPHABET.length];
    }
  }
  return out;
}

export function generatedSecret(random: Random): string {
  return random
    .bytes((GENERATED_SECRET_KEY_CHARS * 3) / 4)
    .toString("base64")
    .replaceAll("/", "+");
}

function credentialsOf(request: AccessKeyRequest, random: Random): { accessKey: string; secretKey: string } {
  const accessKey = request.accessKey ?? "";
  const secretKey = request.secretKey ?? "";
  if (accessKey === "" && secretKey === "") {
    return { accessKey: generatedAccessKey(random), secretKey: generatedSecret(random) };
  }
  if (accessKey === "") throw new StoreError("XMinioAdminNoAccessKey");
  if (secretKey === "") throw new StoreError("XMinioAdminNoSecretKey");
  checkServiceKey(accessKey, secretKey);
  return { accessKey, secretKey };
}

/** Members of the row that a request or a change names, checked. */
function changedMembers(change: AccessKeyChange, nowMs: number): Partial<KeyRow> {
  if (change.name !== undefined && change.name !== "") checkKeyName(change.name);
  if (change.description !== undefined) checkKeyDescription(change.description);
  if (typeof change.expires === "number") checkKeyExpiry(change.expires, nowMs);
  return {
    ...(change.name !== undefined && { name: change.name }),
    ...(change.description !== undefined && { description: change.description }),
    ...(change.expires !== undefined && { expires: change.expires ?? undefined }),
    ...(change.sessionPolicy !== undefined && { sessionPolicy: sessionPolicyText(change.sessionPolicy) }),
    ...(change.enabled !== undefined && { enabled: change.enabled }),
  };
}

const keyInfo = ({ name, row, extra }: StoredKey, rootAccessKey: string): AccessKeyInfo => ({
  accessKey: name,
  parent: row.parent === ROOT_PARENT ? rootAccessKey : row.parent,
  enabled: row.enabled,
  sessionPolicy: extra.sessionPolicy,
  name: row.name,
  description: row.description,
  expires: row.expires,
});

export function createAccessKeys(context: IdentityContext & { readonly random: Random }): AccessKeysApi {
  const { store, clock, random, rootAccessKey } = context;
  const storedParent = (parent: string): string => (parent === rootAccessKey ? ROOT_PARENT : parent);
  const keyOf = async (transaction: Transaction, accessKey: string): Promise<StoredKey> => {
    const key = await transaction.accessKey(accessKey);
    if (key === undefined || key.row.session !== undefined) throw new StoreError("XMinioInvalidIAMCredentials");
    return key;
  };
  return {
    async create(request) {
      const { accessKey, secretKey } = credentialsOf(request, random);
      if (accessKey === request.parent) throw new StoreError("XMinioIAMActionNotAllowed");
      if (accessKey === rootAccessKey) throw new StoreError("XMinioInvalidIAMCredentials");
      const members = changedMembers(request, clock.nowMs());
      const secret = store.sealer.seal(secretKey);
      await store.change(async (transaction) => {
        const taken = (await transaction.user(accessKey)) ?? (await transaction.accessKey(accessKey));
        if (taken !== undefined) throw new StoreError("XMinioIAMServiceAccountNotAllowed");
        if (request.parent !== rootAccessKey) {
          const { row } = await userOf(transaction, request.parent, rootAccessKey);
          transaction.putUser(request.parent, { ...row, keysMade: row.keysMade + 1 });
        }
        transaction.putAccessKey(accessKey, {
          parent: storedParent(request.parent),
          enabled: true,
          secret,
          ...members,
        });
      });
      return { accessKey, secretKey, expires: members.expires };
    },

    async update(accessKey, change) {
      if (change.secretKey !== undefined) checkServiceSecret(change.secretKey);
      const members = changedMembers(change, clock.nowMs());
      const secret = change.secretKey === undefined ? undefined : store.sealer.seal(change.secretKey);
      await store.change(async (transaction) => {
        const key = await keyOf(transaction, accessKey);
        transaction.putAccessKey(accessKey, { ...key.row, ...members, ...(secret !== undefined && { secret }) });
      });
    },

    async find(accessKey) {
      const key = await store.keys.get(accessKey);
      return key === undefined || key.row.session !== undefined ? undefined : keyInfo(key, rootAccessKey);
    },

    async list(parent) {
      const keys = await Promise.all((await store.keysOf(storedParent(parent))).map((name) => store.keys.get(name)));
      const own = keys.filter((key) => key !== undefined && key.row.session === undefined) as StoredKey[];
      return own.map((key) => keyInfo(key, rootAccessKey));
    },

    remove: (accessKey) =>
      store.change(async (transaction) => {
        const key = await keyOf(transaction, accessKey);
        transaction.deleteAccessKey(accessKey, key.row.parent);
      }),
  };
}
