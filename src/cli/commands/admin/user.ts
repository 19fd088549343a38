/** `admin user` (mc-cli.md 8, captures.md 8). */
import type { Command, CommandContext } from "../../command.ts";
import { ask } from "../../prompt.ts";
import type { AdminSite } from "./common.ts";
import { adminSubcommand, jsonBody, send, splitList } from "./common.ts";
import { groupDetail, policyDetail } from "./lookups.ts";
import { stsCommand, svcacctCommand } from "./svcacct.ts";
import type { Membership, UserEntry } from "./user-format.ts";
import { userInfoJson, userInfoText, userListJson, userListLine } from "./user-format.ts";

export const userCommand: Command = {
  name: "user",
  summary: "users of a server",
  subcommands: [
    adminSubcommand({
      name: "add",
      summary: "add a user, or give one a new secret",
      usage: "ALIAS ACCESSKEY SECRETKEY",
      examples: [
        { what: "keys in the command line", line: "mc admin user add here ReplicationUser SECRET" },
        { what: "keys from standard input, two lines", line: "mc admin user add here < keys" },
      ],
      argCount: [0, 2],
      what: "Unable to add new user",
      work: addUser,
    }),
    adminSubcommand({
      name: "list",
      aliases: ["ls"],
      summary: "list users",
      usage: "ALIAS",
      argCount: [0, 0],
      what: "Unable to list users",
      work: listUsers,
    }),
    adminSubcommand({
      name: "info",
      summary: "show one user",
      usage: "ALIAS ACCESSKEY",
      argCount: [1, 1],
      what: "Unable to get user info",
      work: showUser,
    }),
    statusCommand("enable", "Enabled"),
    statusCommand("disable", "Disabled"),
    adminSubcommand({
      name: "remove",
      aliases: ["rm"],
      summary: "remove a user with its access keys",
      usage: "ALIAS ACCESSKEY",
      argCount: [1, 1],
      what: "Cannot remove user",
      work: async (site) => {
        const [accessKey = ""] = site.args;
        await send(site, { method: "DELETE", path: "remove-user", query: { accessKey } });
        site.ctx.out.message(`Removed user \`${accessKey}\` successfully.`, { status: "success", accessKey });
      },
    }),
    adminSubcommand({
      name: "policy",
      summary: "print what a user may do, as one policy",
      usage: "ALIAS ACCESSKEY",
      argCount: [1, 1],
      what: "Unable to get user policy",
      work: showPolicy,
    }),
    svcacctCommand,
    stsCommand,
  ],
};

function statusCommand(name: "enable" | "disable", word: string): Command {
  return adminSubcommand({
    name,
    summary: `${name} a user`,
    usage: "ALIAS ACCESSKEY",
    argCount: [1, 1],
    what: `Cannot ${name} user`,
    work: async (site) => {
      const [accessKey = ""] = site.args;
      const query = { accessKey, status: `${name}d` };
      await send(site, { method: "PUT", path: "set-user-status", query });
      site.ctx.out.message(`${word} user \`${accessKey}\` successfully.`, { status: "success", accessKey });
    },
  });
}

/** Missing keys are asked for: on a terminal with a prompt, from a pipe one line each. */
async function userKeys(ctx: CommandContext, args: readonly string[]): Promise<readonly [string, string]> {
  const questions = [
    { text: "Enter Access Key: ", secret: false },
    { text: "Enter Secret Key: ", secret: true },
  ].slice(args.length);
  const answers = questions.length === 0 ? [] : await ask(ctx.stdin, questions);
  const [accessKey = "", secretKey = ""] = [...args, ...answers];
  return [accessKey, secretKey];
}

async function addUser(site: AdminSite): Promise<void> {
  const [accessKey, secretKey] = await userKeys(site.ctx, site.args);
  const body = jsonBody({ secretKey, status: "enabled" });
  await send(site, { method: "PUT", path: "add-user", query: { accessKey }, body, sealed: true });
  const json = { status: "success", accessKey, secretKey, userStatus: "enabled" };
  site.ctx.out.message(`Added user \`${accessKey}\` successfully.`, json);
}

async function listUsers(site: AdminSite): Promise<void> {
  const call = { method: "GET", path: "list-users", signal: site.ctx.signal };
  const groups: GroupPolicies = new Map();
  for await (const [accessKey, user] of site.client.sealedMembers<UserEntry>(call)) {
    const memberOf = await memberships(site, user, groups);
    site.ctx.out.message(userListLine(accessKey, user), userListJson(accessKey, user, memberOf));
  }
}

/** Policies of groups that were asked for: thousands of users share a few groups. */
type GroupPolicies = Map<string, readonly string[]>;

/** Groups with their policies, as the current client shows them; the server names only the groups. */
async function memberships(site: AdminSite, user: UserEntry, groups: GroupPolicies = new Map()): Promise<Membership[]> {
  const found: Membership[] = [];
  for (const name of user.memberOf ?? []) {
    const policies = groups.get(name) ?? splitList((await groupDetail(site, name)).policy);
    groups.set(name, policies);
    found.push({ name, policies });
  }
  return found;
}

async function showUser(site: AdminSite): Promise<void> {
  const [accessKey = ""] = site.args;
  const user = await userEntry(site, accessKey);
  const memberOf = await memberships(site, user);
  site.ctx.out.message(userInfoText(accessKey, user, memberOf), userInfoJson(accessKey, user, memberOf));
}

function userEntry(site: AdminSite, accessKey: string): Promise<UserEntry> {
  const call = { method: "GET", path: "user-info", query: { accessKey }, signal: site.ctx.signal };
  return site.client.json<UserEntry>(call);
}

/** The statements of all policies of the user and its groups, together. */
async function showPolicy(site: AdminSite): Promise<void> {
  const [accessKey = ""] = site.args;
  const user = await userEntry(site, accessKey);
  const groups = await memberships(site, user);
  const names = new Set([...splitList(user.policyName), ...groups.flatMap((group) => group.policies)]);
  const statements: unknown[] = [];
  for (const name of names) {
    const { Policy } = await policyDetail(site, name);
    statements.push(...(Policy?.Statement ?? []));
  }
  const policy = { Version: "2012-10-17", Statement: statements };
  site.ctx.out.message(JSON.stringify(policy, undefined, 2), { ...policy });
}
