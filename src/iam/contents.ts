/** Everything that identities are, secrets in clear: for exports, which only `admin:ExportIAM` may make. */
import type { AccessKeyInfo } from "./access-keys.ts";
import type { GroupInfo, UserInfo } from "./users.ts";
import type { PolicyInfo } from "./policies.ts";
import { ROOT_PARENT } from "./store.ts";
import type { IdentityStore } from "./store.ts";

export interface IamContents {
  /** Stored ones; built-in policies exist everywhere. */
  readonly policies: readonly PolicyInfo[];
  readonly users: readonly (UserInfo & { readonly secretKey: string })[];
  readonly groups: readonly GroupInfo[];
  readonly accessKeys: readonly (AccessKeyInfo & {
    readonly secretKey: string;
    readonly ofRoot: boolean;
    readonly groups: readonly string[];
  })[];
}

/** Temporary credentials are left out: they belong to the site that made them. */
export async function iamContents(store: IdentityStore, rootAccessKey: string): Promise<IamContents> {
  const users = await store.users.all();
  const groupsOf = new Map(users.map(({ name, row }) => [name, row.groups]));
  const keys = (await store.keys.all()).filter(({ row }) => row.session === undefined);
  return {
    policies: (await store.policies.all()).map(({ name, row, extra }) => ({
      name,
      policy: extra.policy,
      times: { created: row.created, updated: row.updated },
    })),
    users: users.map(({ name, row, extra }) => ({
      accessKey: name,
      enabled: row.enabled,
      policies: row.policies,
      groups: row.groups,
      updated: row.updated,
      secretKey: extra.secretKey,
    })),
    groups: (await store.groups.all()).map(({ name, row }) => ({ name, ...row })),
    accessKeys: keys.map(({ name, row, extra }) => ({
      accessKey: name,
      parent: row.parent === ROOT_PARENT ? rootAccessKey : row.parent,
      ofRoot: row.parent === ROOT_PARENT,
      enabled: row.enabled,
      sessionPolicy: extra.sessionPolicy,
      name: row.name,
      description: row.description,
      expires: row.expires,
      secretKey: extra.secretKey,
      groups: groupsOf.get(row.parent) ?? [],
    })),
  };
}
