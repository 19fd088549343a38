/** `admin user svcacct` (mc-cli.md 8). */
import type { Command } from "../../command.ts";
import { columns } from "../../format.ts";
import type { KeyInfo, ListedKey } from "./access-keys.ts";
import { createKey, expiryText, keyChangeCommands, keyInfo, keyPolicy, NEW_KEY_FLAGS } from "./access-keys.ts";
import type { AdminSite } from "./common.ts";
import { adminSubcommand, fieldRows, NEVER } from "./common.ts";

export const svcacctCommand: Command = {
  name: "svcacct",
  summary: "access keys that belong to a user",
  subcommands: [
    adminSubcommand({
      name: "add",
      summary: "make an access key for a user",
      usage: "ALIAS ACCOUNT",
      examples: [
        { what: "with given keys", line: "mc admin user svcacct add here U --access-key AK --secret-key SECRET" },
      ],
      flags: NEW_KEY_FLAGS,
      argCount: [1, 1],
      what: "Unable to add a new service account",
      work: addAccount,
    }),
    adminSubcommand({
      name: "list",
      aliases: ["ls"],
      summary: "list the access keys of a user",
      usage: "ALIAS ACCOUNT",
      argCount: [1, 1],
      what: "Unable to list service accounts",
      work: listAccounts,
    }),
    adminSubcommand({
      name: "info",
      summary: "show one access key",
      usage: "ALIAS ACCESSKEY [--policy]",
      flags: [{ name: "policy", kind: "bool", help: "print its policy" }],
      argCount: [1, 1],
      what: "Unable to get information of the specified service account",
      work: (site) => showAccount(site),
    }),
    ...keyChangeCommands({
      what: "the specified service account",
      editAliases: ["set"],
      removeNames: ["rm", "remove"],
      changed: (past, accessKey) =>
        `${past.replace(/^./, (first) => first.toUpperCase())} service account \`${accessKey}\` successfully.`,
    }),
  ],
};

export const stsCommand: Command = {
  name: "sts",
  summary: "temporary keys that belong to a user",
  subcommands: [
    adminSubcommand({
      name: "info",
      summary: "show one temporary key",
      usage: "ALIAS ACCESSKEY [--policy]",
      flags: [{ name: "policy", kind: "bool", help: "print its policy" }],
      argCount: [1, 1],
      what: "Unable to get information of the specified temporary key",
      work: (site) => showAccount(site, "temporary-account-info"),
    }),
  ],
};

async function addAccount(site: AdminSite): Promise<void> {
  const [parentUser = ""] = site.args;
  const { accessKey, secretKey, expiration = NEVER } = await createKey(site, parentUser);
  const rows = fieldRows([
    ["Access Key", accessKey],
    ["Secret Key", secretKey],
    ["Expiration", expiryText(expiration, "no-expiry")],
  ]);
  site.ctx.out.message(rows, {
    status: "success",
    accessKey,
    secretKey,
    accountStatus: "enabled",
    parentUser,
    expiration,
  });
}

async function listAccounts(site: AdminSite): Promise<void> {
  const [user = ""] = site.args;
  const call = { method: "GET", path: "list-service-accounts", query: { user }, signal: site.ctx.signal };
  const { accounts } = await site.client.sealedJson<{ readonly accounts: readonly ListedKey[] | null }>(call);
  const keys = accounts ?? [];
  const rows = keys.map((key) => [key.accessKey, expiryText(key.expiration, "no-expiry")]);
  if (!site.ctx.out.json) site.ctx.out.message(columns([["Access Key", "Expiry"], ...rows]), {});
  else for (const key of keys) site.ctx.out.message(undefined, { status: "success", ...key });
}

async function showAccount(site: AdminSite, path?: string): Promise<void> {
  const [accessKey = ""] = site.args;
  const info = await keyInfo(site, accessKey, path);
  const policy = keyPolicy(info);
  const json = accountJson(accessKey, info, policy);
  const text = site.flags.bool("policy") ? JSON.stringify(policy, undefined, 2) : accountText(accessKey, info);
  site.ctx.out.message(text, json);
}

function accountText(accessKey: string, info: KeyInfo): string {
  return fieldRows([
    ["AccessKey", accessKey],
    ["ParentUser", info.parentUser],
    ["Status", info.accountStatus],
    ["Name", info.name ?? ""],
    ["Description", info.description ?? ""],
    ["Policy", info.impliedPolicy ? "implied" : "embedded"],
    ["Expiration", expiryText(info.expiration, "no-expiry")],
  ]);
}

function accountJson(accessKey: string, info: KeyInfo, policy: unknown): Record<string, unknown> {
  const { parentUser, accountStatus, impliedPolicy, name, description, expiration } = info;
  return {
    status: "success",
    accessKey,
    parentUser,
    accountStatus,
    impliedPolicy,
    policy,
    name,
    description,
    expiration,
  };
}
