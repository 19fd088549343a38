/** `admin group` (mc-cli.md 8, admin-api.md 3.2). */
import type { Command } from "../../command.ts";
import type { AdminSite } from "./common.ts";
import { adminSubcommand, jsonBody, send } from "./common.ts";
import { groupDetail } from "./lookups.ts";

export const groupCommand: Command = {
  name: "group",
  summary: "groups of users",
  subcommands: [
    adminSubcommand({
      name: "add",
      summary: "put users into a group, which is made if absent",
      usage: "ALIAS GROUP MEMBER...",
      argCount: [2, 1000],
      what: "Unable to add new group",
      work: async (site) => {
        const [groupName = "", ...members] = site.args;
        await updateMembers(site, groupName, members, false);
        const text = `Added members {${members.join(",")}} to group \`${groupName}\` successfully.`;
        site.ctx.out.message(text, { status: "success", groupName, members });
      },
    }),
    adminSubcommand({
      name: "remove",
      aliases: ["rm"],
      summary: "take users out of a group, or remove an empty group",
      usage: "ALIAS GROUP [MEMBER...]",
      argCount: [1, 1000],
      what: "Could not perform remove operation",
      work: async (site) => {
        const [groupName = "", ...members] = site.args;
        await updateMembers(site, groupName, members, true);
        const text =
          members.length === 0
            ? `Removed group \`${groupName}\` successfully.`
            : `Removed members {${members.join(",")}} from group \`${groupName}\` successfully.`;
        const list = members.length === 0 ? {} : { members };
        site.ctx.out.message(text, { status: "success", groupName, ...list });
      },
    }),
    adminSubcommand({
      name: "info",
      summary: "show a group",
      usage: "ALIAS GROUP",
      argCount: [1, 1],
      what: "Unable to fetch group info",
      work: showGroup,
    }),
    adminSubcommand({
      name: "list",
      aliases: ["ls"],
      summary: "list groups",
      usage: "ALIAS",
      argCount: [0, 0],
      what: "Unable to list groups",
      work: async (site) => {
        const call = { method: "GET", path: "groups", signal: site.ctx.signal };
        const groups = (await site.client.json<readonly string[] | null>(call)) ?? [];
        site.ctx.out.message(groups.length === 0 ? undefined : groups.join("\n"), { status: "success", groups });
      },
    }),
    statusCommand("enable", "Enabled"),
    statusCommand("disable", "Disabled"),
  ],
};

async function updateMembers(
  site: AdminSite,
  group: string,
  members: readonly string[],
  isRemove: boolean,
): Promise<void> {
  const body = jsonBody({ group, members, groupStatus: "", isRemove });
  await send(site, { method: "PUT", path: "update-group-members", body });
}

async function showGroup(site: AdminSite): Promise<void> {
  const [groupName = ""] = site.args;
  const { status = "", members, policy = "" } = await groupDetail(site, groupName);
  const names = members ?? [];
  const text = [`Group: ${groupName}`, `Status: ${status}`, `Policy: ${policy}`, `Members: ${names.join(",")}`].join(
    "\n",
  );
  site.ctx.out.message(text, {
    status: "success",
    groupName,
    members: names,
    groupStatus: status,
    groupPolicy: policy,
  });
}

function statusCommand(name: string, word: string): Command {
  return adminSubcommand({
    name,
    summary: `${name} a group`,
    usage: "ALIAS GROUP",
    argCount: [1, 1],
    what: `Could not ${name} group`,
    work: async (site) => {
      const [groupName = ""] = site.args;
      const groupStatus = `${name}d`;
      await send(site, { method: "PUT", path: "set-group-status", query: { group: groupName, status: groupStatus } });
      const text = `${word} group \`${groupName}\` successfully.`;
      site.ctx.out.message(text, { status: "success", groupName, groupStatus });
    },
  });
}
