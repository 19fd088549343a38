/** `admin accesskey`: the newer words for access keys (mc-cli.md 8). */
import { answeredWith } from "../../../client/errors.ts";
import type { Command } from "../../command.ts";
import { UsageError } from "../../usage-error.ts";
import type { KeyInfo, ListedKey } from "./access-keys.ts";
import { createKey, expiryText, keyChangeCommands, keyInfo, keyPolicy, NEW_KEY_FLAGS } from "./access-keys.ts";
import type { AdminSite } from "./common.ts";
import { adminSubcommand, fieldRows, NEVER, send } from "./common.ts";

export const accesskeyCommand: Command = {
  name: "accesskey",
  summary: "access keys of users",
  subcommands: [
    adminSubcommand({
      name: "create",
      summary: "make an access key for a user, or for oneself",
      usage: "ALIAS [USER]",
      examples: [{ what: "for 30 days", line: "mc admin accesskey create here U --expiry-duration 30d" }],
      flags: NEW_KEY_FLAGS,
      argCount: [0, 1],
      what: "Unable to create access key",
      work: createAccessKey,
    }),
    adminSubcommand({
      name: "list",
      aliases: ["ls"],
      summary: "list users and their access keys",
      usage: "ALIAS [USER...]",
      flags: [
        { name: "users-only", kind: "bool", help: "only the users" },
        { name: "temp-only", kind: "bool", help: "only temporary keys" },
        { name: "svcacc-only", kind: "bool", help: "only access keys" },
        { name: "self", kind: "bool", help: "only one's own" },
        { name: "all", kind: "bool", help: "of all users" },
      ],
      argCount: [0, 1000],
      what: "Unable to list access keys",
      work: listAccessKeys,
    }),
    adminSubcommand({
      name: "info",
      summary: "show access keys",
      usage: "ALIAS ACCESSKEY...",
      argCount: [1, 1000],
      what: "Unable to get info for access key",
      work: showAccessKeys,
    }),
    adminSubcommand({
      name: "sts-revoke",
      summary: "end the temporary keys of a user",
      usage: "ALIAS USER | ALIAS --self, with --all or --token-type TYPE",
      examples: [{ what: "all that a user has", line: "mc admin accesskey sts-revoke here U --all" }],
      flags: [
        { name: "all", kind: "bool", help: "all of them" },
        { name: "self", kind: "bool", help: "one's own" },
        { name: "token-type", kind: "string", help: "those that were asked for with this TokenRevokeType" },
      ],
      argCount: [0, 1],
      what: "Unable to revoke the temporary keys",
      work: revokeTemporary,
    }),
    ...keyChangeCommands({
      what: "access key",
      removeNames: ["remove", "rm"],
      changed: (past, accessKey) => `Successfully ${past} access key \`${accessKey}\`.`,
    }),
  ],
};

async function createAccessKey(site: AdminSite): Promise<void> {
  const { accessKey, secretKey, expiration = NEVER } = await createKey(site, site.args[0] ?? "");
  const name = site.flags.string("name");
  const description = site.flags.string("description");
  const rows = fieldRows([
    ["Access Key", accessKey],
    ["Secret Key", secretKey],
    ["Expiration", expiryText(expiration, "NONE")],
    ["Name", name ?? ""],
    ["Description", description ?? ""],
  ]);
  site.ctx.out.message(rows, { status: "success", accessKey, secretKey, expiration, name, description });
}

interface UserKeys {
  readonly serviceAccounts?: readonly ListedKey[] | null | undefined;
  readonly stsKeys?: readonly ListedKey[] | null | undefined;
}

async function revokeTemporary(site: AdminSite): Promise<void> {
  const { flags, args, ctx } = site;
  const [user = ""] = args;
  const type = flags.string("token-type") ?? "";
  if (flags.bool("self") === (user !== "")) throw new UsageError("Expected a USER or --self");
  if (flags.bool("all") === (type !== "")) throw new UsageError("Expected --all or --token-type TYPE");
  const query = { user, tokenRevokeType: type, fullRevoke: String(flags.bool("all")) };
  await send(site, { method: "POST", path: "revoke-tokens/builtin", query });
  const whose = user === "" ? "your own" : `those of \`${user}\``;
  ctx.out.message(`Revoked temporary keys: ${whose}.`, { status: "success", user, tokenRevokeType: type });
}

/** Everybody's where that is allowed, one's own otherwise: the answer to a command line that names nobody. */
async function usersKeys(
  site: AdminSite,
  query: Readonly<Record<string, string | readonly string[]>>,
): Promise<Readonly<Record<string, UserKeys>>> {
  const call = { method: "GET", path: "list-access-keys-bulk", query, signal: site.ctx.signal };
  try {
    return await site.client.sealedJson(call);
  } catch (error) {
    const unnamed = site.args.length === 0 && !site.flags.bool("all") && query["all"] === "true";
    if (!unnamed || !answeredWith(error, "AccessDenied")) throw error;
    return await site.client.sealedJson({ ...call, query: { listType: query["listType"] ?? "all" } });
  }
}

async function listAccessKeys(site: AdminSite): Promise<void> {
  const { flags, args, ctx } = site;
  const listType = flags.bool("users-only")
    ? "users-only"
    : flags.bool("temp-only")
      ? "sts-only"
      : flags.bool("svcacc-only")
        ? "svcacc-only"
        : "all";
  const all = args.length === 0 && !flags.bool("self");
  const query = { listType, ...(args.length === 0 ? {} : { users: args }), ...(all ? { all: "true" } : {}) };
  const users = await usersKeys(site, query);
  for (const user of Object.keys(users).sort()) {
    const stsKeys = users[user]?.stsKeys ?? [];
    const svcaccs = users[user]?.serviceAccounts ?? [];
    ctx.out.message(userTree(user, stsKeys, svcaccs), { status: "success", user, stsKeys, svcaccs });
  }
}

/** A user with its keys below it. */
function userTree(user: string, stsKeys: readonly ListedKey[], svcaccs: readonly ListedKey[]): string {
  const branch = (title: string, keys: readonly ListedKey[]): string[] =>
    keys.length === 0
      ? []
      : [`  ${title}:`, ...keys.map((key) => `    ${key.accessKey}, expires: ${expiryText(key.expiration, "never")}`)];
  return [
    `User: ${user}`,
    ...branch("STS Access Keys", stsKeys),
    ...branch("Service Account Access Keys", svcaccs),
  ].join("\n");
}

async function showAccessKeys(site: AdminSite): Promise<void> {
  for (const accessKey of site.args) {
    const info = await keyInfo(site, accessKey, "info-access-key");
    const policy = keyPolicy(info);
    const { parentUser, accountStatus, impliedPolicy, name, description, expiration } = info;
    const json = {
      status: "success",
      accessKey,
      sts: info.userType === "STS",
      parentUser,
      accountStatus,
      impliedPolicy,
      policy,
      name,
      description,
      expiration,
      provider: info.userProvider,
    };
    site.ctx.out.message(keyText(accessKey, info), json);
  }
}

function keyText(accessKey: string, info: KeyInfo): string {
  return fieldRows([
    ["Access Key", accessKey],
    ["Parent User", info.parentUser],
    ["Status", info.accountStatus],
    ["Policy", info.impliedPolicy ? "implied" : "embedded"],
    ["Expiration", expiryText(info.expiration, "NONE")],
    ["Name", info.name ?? ""],
    ["Description", info.description ?? ""],
    ["Type", info.userType ?? ""],
    ["Provider", info.userProvider ?? ""],
  ]);
}
