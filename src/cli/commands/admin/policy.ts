/** `admin policy`: policies themselves (mc-cli.md 7.3 and 8). Who has them: policy-mapping.ts. */
import { writeFileSync } from "node:fs";
import type { Command } from "../../command.ts";
import { CommandError } from "../../command.ts";
import type { AdminSite } from "./common.ts";
import { adminSubcommand, send } from "./common.ts";
import { readJsonFile } from "../../json-file.ts";
import { policyDetail } from "./lookups.ts";
import { mappingCommands } from "./policy-mapping.ts";

/** What the objects of create, list and remove carry in place of a policy (captures.md 8). */
const NO_POLICY = { PolicyName: "", Policy: null };

export const policyCommand: Command = {
  name: "policy",
  summary: "policies of a server and who has them",
  subcommands: [
    storeCommand("create", "Created"),
    { ...storeCommand("add", "Added"), hidden: true },
    adminSubcommand({
      name: "remove",
      aliases: ["rm"],
      summary: "remove a policy that nobody has",
      usage: "ALIAS NAME",
      argCount: [1, 1],
      what: "Unable to remove policy",
      work: async (site) => {
        const [name = ""] = site.args;
        await send(site, { method: "DELETE", path: "remove-canned-policy", query: { name } });
        site.ctx.out.message(`Removed policy \`${name}\` successfully.`, policyJson(name));
      },
    }),
    adminSubcommand({
      name: "list",
      aliases: ["ls"],
      summary: "list policies",
      usage: "ALIAS",
      argCount: [0, 0],
      what: "Unable to list policies",
      work: async (site) => {
        const call = { method: "GET", path: "list-canned-policies", signal: site.ctx.signal };
        const policies = await site.client.json<Readonly<Record<string, unknown>>>(call);
        for (const name of Object.keys(policies).sort()) site.ctx.out.message(name, policyJson(name));
      },
    }),
    adminSubcommand({
      name: "info",
      summary: "show policies",
      usage: "ALIAS NAME...",
      examples: [{ what: "save one", line: "mc admin policy info here readwrite --policy-file rw.json" }],
      flags: [{ name: "policy-file", aliases: ["f"], kind: "string", help: "write the policy to FILE" }],
      argCount: [1, 1000],
      what: "Unable to fetch policy",
      work: showPolicies,
    }),
    ...mappingCommands,
  ],
};

function policyJson(policy: string): Record<string, unknown> {
  return { status: "success", policy, policyInfo: NO_POLICY, isGroup: false };
}

function storeCommand(name: string, word: string): Command {
  return adminSubcommand({
    name,
    summary: "make or replace a policy",
    usage: "ALIAS NAME FILE",
    examples: [
      { what: "from a file", line: `mc admin policy ${name} here replicator replicator.json` },
      { what: "from standard input", line: `mc admin policy ${name} here replicator - < replicator.json` },
    ],
    argCount: [2, 2],
    what: "Unable to create new policy",
    work: async (site) => {
      const [policy = "", file = ""] = site.args;
      const body = Buffer.from(JSON.stringify(await readJsonFile(site.ctx, file)));
      await send(site, { method: "PUT", path: "add-canned-policy", query: { name: policy }, body });
      site.ctx.out.message(`${word} policy \`${policy}\` successfully.`, policyJson(policy));
    },
  });
}

async function showPolicies(site: AdminSite): Promise<void> {
  const file = site.flags.string("policy-file");
  if (file !== undefined && site.args.length > 1) throw new CommandError("--policy-file takes one policy");
  for (const name of site.args) {
    const detail = await policyDetail(site, name);
    if (file !== undefined) writeFileSync(file, `${JSON.stringify(detail.Policy, undefined, 2)}\n`);
    const json = { status: "success", policy: name, policyInfo: detail, isGroup: false };
    site.ctx.out.message(JSON.stringify(detail, undefined, 1), json);
  }
}
