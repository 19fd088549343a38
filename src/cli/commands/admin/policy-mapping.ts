/** Who has which policy: attach, detach, entities, and set, unset, update of 2022 (mc-cli.md 7.3, admin-api.md 3.4). */
import { answeredWith } from "../../../client/errors.ts";
import type { Command, FlagSpec } from "../../command.ts";
import { CommandError } from "../../command.ts";
import { UsageError } from "../../usage-error.ts";
import type { AdminSite } from "./common.ts";
import { adminSubcommand, jsonBody, send, splitList } from "./common.ts";
import { entitiesText } from "./entities-format.ts";
import type { PolicyEntities } from "./entities-format.ts";
import { groupDetail } from "./lookups.ts";

const WHO_FLAGS: readonly FlagSpec[] = [
  { name: "user", aliases: ["u"], kind: "string", help: "a user" },
  { name: "group", aliases: ["g"], kind: "string", help: "a group" },
];

export const mappingCommands: readonly Command[] = [
  adminSubcommand({
    name: "attach",
    summary: "give policies to a user or group, beside those it has",
    usage: "ALIAS POLICY... (--user USER | --group GROUP)",
    examples: [{ what: "to a user", line: "mc admin policy attach here replicator --user ReplicationUser" }],
    flags: WHO_FLAGS,
    argCount: [1, 1000],
    what: "Unable to make user/group policy association",
    work: (site) => associate(site, "attach"),
  }),
  adminSubcommand({
    name: "detach",
    summary: "take policies from a user or group",
    usage: "ALIAS POLICY... (--user USER | --group GROUP)",
    examples: [{ what: "from a user", line: "mc admin policy detach here replicator --user ReplicationUser" }],
    flags: WHO_FLAGS,
    argCount: [1, 1000],
    what: "Unable to make user/group policy association",
    work: (site) => associate(site, "detach"),
  }),
  oldCommand("set", "give a user or group these policies and no others", "set on"),
  oldCommand("unset", "take policies from a user or group", "unset on"),
  oldCommand("update", "give policies to a user or group, beside those it has", "added to"),
  adminSubcommand({
    name: "entities",
    summary: "who has which policy",
    usage: "ALIAS [--user USER] [--group GROUP] [--policy POLICY]",
    flags: [
      { name: "user", aliases: ["u"], kind: "list", help: "only of this user; may be repeated" },
      { name: "group", aliases: ["g"], kind: "list", help: "only of this group; may be repeated" },
      { name: "policy", aliases: ["p"], kind: "list", help: "only this policy; may be repeated" },
    ],
    argCount: [0, 0],
    what: "Unable to list policy entities",
    work: showEntities,
  }),
];

async function associate(site: AdminSite, action: "attach" | "detach"): Promise<void> {
  const user = site.flags.string("user") ?? "";
  const group = site.flags.string("group") ?? "";
  if ((user === "") === (group === "")) throw new UsageError("Give one of --user and --group");
  const who: Record<string, string> = user === "" ? { group } : { user };
  const body = jsonBody({ policies: site.args, ...who });
  const headers = { "content-type": "application/octet-stream" };
  const path = `idp/builtin/policy/${action}`;
  try {
    await send(site, { method: "POST", path, body, sealed: true, headers });
  } catch (error) {
    // What is so already was asked for: the same success is printed.
    if (!answeredWith(error, "XMinioAdminPolicyChangeAlreadyApplied")) throw error;
  }
  site.ctx.out.message(associationText(action, site.args, who), associationJson(action, site.args, who));
}

/** The two lines of attach and detach (captures.md 8). */
export function associationText(
  action: "attach" | "detach",
  policies: readonly string[],
  who: Readonly<Record<string, string>>,
): string {
  const [kind = "user", name = ""] = Object.entries(who)[0] ?? [];
  const [done, direction] = action === "attach" ? ["Attached", "To"] : ["Detached", "From"];
  const label = kind === "user" ? "User" : "Group";
  return `${done} Policies: [${policies.join(", ")}]\n${direction} ${label}: ${name}`;
}

export function associationJson(
  action: "attach" | "detach",
  policies: readonly string[],
  who: Readonly<Record<string, string>>,
): Record<string, unknown> {
  return { status: "success", [action === "attach" ? "policiesAttached" : "policiesDetached"]: policies, ...who };
}

type OldAction = "set" | "unset" | "update";

interface Holder {
  readonly name: string;
  readonly isGroup: boolean;
}

function oldCommand(name: OldAction, summary: string, words: string): Command {
  return adminSubcommand({
    name,
    summary: `${summary} (2022 form)`,
    usage: "ALIAS POLICY[,POLICY...] user=USER|group=GROUP",
    hidden: true,
    examples: [{ what: "for a user", line: `mc admin policy ${name} here replicator user=ReplicationUser` }],
    argCount: [2, 2],
    what: `Unable to ${name} the policy`,
    work: async (site) => {
      const [policy = "", who = ""] = site.args;
      const holder = parseHolder(who);
      const asked = splitList(policy);
      const mapped = name === "set" ? asked : mergePolicies(name, await policiesOf(site, holder), asked);
      const { name: userOrGroup, isGroup } = holder;
      const query = { policyName: mapped.join(","), userOrGroup, isGroup: String(isGroup) };
      await send(site, { method: "PUT", path: "set-user-or-group-policy", query });
      const text = `Policy \`${policy}\` is ${words} ${isGroup ? "group" : "user"} \`${userOrGroup}\``;
      const json = { status: "success", policy, policyInfo: { PolicyName: "", Policy: null }, userOrGroup, isGroup };
      site.ctx.out.message(text, json);
    },
  });
}

/** `user=U` or `group=G`. */
export function parseHolder(text: string): Holder {
  const match = /^(user|group)=(.+)$/.exec(text);
  if (match === null) throw new CommandError(`\`${text}\` is neither user=USER nor group=GROUP`);
  return { name: match[2] ?? "", isGroup: match[1] === "group" };
}

/** The list that `unset` (without the asked ones) or `update` (with them) leaves. */
export function mergePolicies(action: "unset" | "update", has: readonly string[], asked: readonly string[]): string[] {
  if (action === "unset") return has.filter((name) => !asked.includes(name));
  return [...new Set([...has, ...asked])];
}

async function policiesOf(site: AdminSite, holder: Holder): Promise<string[]> {
  if (holder.isGroup) return splitList((await groupDetail(site, holder.name)).policy);
  const call = { method: "GET", path: "user-info", query: { accessKey: holder.name }, signal: site.ctx.signal };
  const info = await site.client.json<{ readonly policyName?: string }>(call);
  return splitList(info.policyName);
}

async function showEntities(site: AdminSite): Promise<void> {
  const { flags, ctx } = site;
  const query = { user: flags.list("user"), group: flags.list("group"), policy: flags.list("policy") };
  const call = { method: "GET", path: "idp/builtin/policy-entities", query, signal: ctx.signal };
  const result = await site.client.sealedJson<PolicyEntities>(call);
  ctx.out.message(entitiesText(result), { status: "success", result });
}
