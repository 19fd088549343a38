/** Users and groups: who exists and who belongs where (admin-api.md 3.1, 3.2). */
import { StoreError } from "../model/errors.ts";
import type { Clock } from "../runtime/clock.ts";
import type { IdentityStore, StoredGroup, StoredUser, Transaction } from "./store.ts";
import { checkGroupName, checkUserName, checkUserSecret } from "./validate.ts";

export interface UserInfo {
  readonly accessKey: string;
  readonly enabled: boolean;
  readonly policies: readonly string[];
  readonly groups: readonly string[];
  readonly updated: bigint;
}

export interface GroupInfo {
  readonly name: string;
  readonly enabled: boolean;
  readonly members: readonly string[];
  readonly policies: readonly string[];
  readonly updated: bigint;
}

export interface UsersApi {
  /**
   * Creates a user, or replaces secret and status; policies and groups stay. XMinioInvalidIAMCredentials for root's
   * name and for names of access keys.
   */
  put(accessKey: string, user: { secretKey: string; enabled: boolean }): Promise<void>;
  /** XMinioAdminNoSuchUser; XMinioIAMActionNotAllowed for an access key. */
  info(accessKey: string): Promise<UserInfo>;
  list(): Promise<UserInfo[]>;
  /** As `list`, read while it is asked for. */
  each(): AsyncIterable<UserInfo>;
  /** Takes the user's access keys, mappings and memberships along. */
  remove(accessKey: string): Promise<void>;
  setEnabled(accessKey: string, enabled: boolean): Promise<void>;
}

export interface GroupsApi {
  /** Makes the group when it is new. Every member must be a user. */
  addMembers(group: string, members: readonly string[]): Promise<void>;
  /** No members named: removes the group, which must be empty (XMinioAdminGroupNotEmpty). */
  removeMembers(group: string, members: readonly string[]): Promise<void>;
  /** XMinioAdminNoSuchGroup. */
  info(group: string): Promise<GroupInfo>;
  names(): Promise<string[]>;
  setEnabled(group: string, enabled: boolean): Promise<void>;
}

export interface IdentityContext {
  readonly store: IdentityStore;
  readonly clock: Clock;
  readonly rootAccessKey: string;
}

const userInfo = ({ name, row }: StoredUser): UserInfo => ({
  accessKey: name,
  enabled: row.enabled,
  policies: row.policies,
  groups: row.groups,
  updated: row.updated,
});

const groupInfo = ({ name, row }: StoredGroup): GroupInfo => ({ name, ...row });

/** The user, for a change. Root and access keys are no users: 403. */
export async function userOf(transaction: Transaction, name: string, rootAccessKey: string): Promise<StoredUser> {
  if (name === rootAccessKey) throw new StoreError("XMinioIAMActionNotAllowed");
  const user = await transaction.user(name);
  if (user !== undefined) return user;
  if ((await transaction.accessKey(name)) !== undefined) throw new StoreError("XMinioIAMActionNotAllowed");
  throw new StoreError("XMinioAdminNoSuchUser");
}

export async function groupOf(transaction: Transaction, name: string): Promise<StoredGroup> {
  const group = await transaction.group(name);
  if (group === undefined) throw new StoreError("XMinioAdminNoSuchGroup");
  return group;
}

const without = (list: readonly string[], ...gone: readonly string[]): string[] =>
  list.filter((item) => !gone.includes(item));

export function createUsers({ store, clock, rootAccessKey }: IdentityContext): UsersApi {
  return {
    put(accessKey, { secretKey, enabled }) {
      if (accessKey === rootAccessKey) throw new StoreError("XMinioInvalidIAMCredentials");
      checkUserName(accessKey);
      checkUserSecret(secretKey);
      const secret = store.sealer.seal(secretKey);
      return store.change(async (transaction) => {
        if ((await transaction.accessKey(accessKey)) !== undefined) throw new StoreError("XMinioInvalidIAMCredentials");
        const before = (await transaction.user(accessKey))?.row;
        const fresh = { policies: [], groups: [], updated: clock.nowNs(), keysMade: 0 };
        transaction.putUser(accessKey, { ...fresh, ...before, secret, enabled });
      });
    },

    async info(accessKey) {
      const user = await store.users.get(accessKey);
      if (user !== undefined) return userInfo(user);
      const isKey = (await store.keys.get(accessKey)) !== undefined;
      throw new StoreError(isKey ? "XMinioIAMActionNotAllowed" : "XMinioAdminNoSuchUser");
    },

    list: async () => (await store.users.all()).map(userInfo),

    async *each() {
      for await (const user of store.users.each()) yield userInfo(user);
    },

    remove: (accessKey) =>
      store.change(async (transaction) => {
        const { row } = await userOf(transaction, accessKey, rootAccessKey);
        for (const name of row.groups) {
          const group = await transaction.group(name);
          if (group === undefined) continue;
          transaction.putGroup(name, { ...group.row, members: without(group.row.members, accessKey) });
        }
        for (const key of await store.keysOf(accessKey)) transaction.deleteAccessKey(key, accessKey);
        transaction.remap("user", accessKey, row.policies, []);
        transaction.deleteUser(accessKey);
      }),

    setEnabled: (accessKey, enabled) =>
      store.change(async (transaction) => {
        const { row } = await userOf(transaction, accessKey, rootAccessKey);
        transaction.putUser(accessKey, { ...row, enabled });
      }),
  };
}

export function createGroups({ store, clock, rootAccessKey }: IdentityContext): GroupsApi {
  async function addTo(transaction: Transaction, name: string, member: string): Promise<void> {
    const { row } = await userOf(transaction, member, rootAccessKey);
    if (!row.groups.includes(name)) transaction.putUser(member, { ...row, groups: [...row.groups, name].sort() });
  }

  return {
    addMembers(name, members) {
      checkGroupName(name);
      const distinct = [...new Set(members)];
      return store.change(async (transaction) => {
        const group = await transaction.group(name);
        const before = group?.row ?? { enabled: true, members: [], policies: [], updated: clock.nowNs() };
        for (const member of distinct) await addTo(transaction, name, member);
        const all = [...new Set([...before.members, ...distinct])].sort();
        transaction.putGroup(name, { ...before, members: all });
      });
    },

    removeMembers(name, members) {
      checkGroupName(name);
      return store.change(async (transaction) => {
        const { row } = await groupOf(transaction, name);
        if (members.length === 0) {
          if (row.members.length > 0) throw new StoreError("XMinioAdminGroupNotEmpty");
          transaction.remap("group", name, row.policies, []);
          return transaction.deleteGroup(name);
        }
        for (const member of new Set(members)) {
          const user = await userOf(transaction, member, rootAccessKey);
          transaction.putUser(member, { ...user.row, groups: without(user.row.groups, name) });
        }
        transaction.putGroup(name, { ...row, members: without(row.members, ...members) });
      });
    },

    async info(name) {
      const group = await store.groups.get(name);
      if (group === undefined) throw new StoreError("XMinioAdminNoSuchGroup");
      return groupInfo(group);
    },

    names: async () => (await store.groups.all()).map((group) => group.name),

    setEnabled: (name, enabled) =>
      store.change(async (transaction) => {
        const { row } = await groupOf(transaction, name);
        transaction.putGroup(name, { ...row, enabled });
      }),
  };
}
