/** `replicate export` and `replicate import` (mc-cli.md 6.6). */
import { readFileSync } from "node:fs";
import { putReplication } from "../../../client/s3-calls.ts";
import type { ReplicationConfig } from "../../../model/replication-config.ts";
import { replicationFromJson, replicationToJson } from "../../../protocol/replication-xml.ts";
import type { Command, CommandContext } from "../../command.ts";
import { CommandError } from "../../command.ts";
import { wholeText } from "../../prompt.ts";
import { attempt, countArgs } from "../attempt.ts";
import type { ExportedTarget } from "./arn-mapping.ts";
import { exportedTargets, mapArns } from "./arn-mapping.ts";
import { bucketSite, listTargets, named, requireConfig } from "./common.ts";

const EXPORT_WHAT = "Unable to export replication configuration";
const IMPORT_WHAT = "Unable to import replication configuration";

export const exportCommand: Command = {
  name: "export",
  summary: "print the replication configuration as JSON",
  usage: "ALIAS/BUCKET",
  examples: [
    { what: "to a file", line: "mc replicate export here/b > rules.json" },
    { what: "with what another server needs to map the ARNs", line: "mc replicate export here/b --json > rules.json" },
  ],
  run: exportConfig,
};

export const importCommand: Command = {
  name: "import",
  summary: "set the replication configuration from JSON on standard input",
  usage: "ALIAS/BUCKET < FILE",
  examples: [{ what: "from a file", line: "mc replicate import here/b < rules.json" }],
  run: importConfig,
};

async function exportConfig(ctx: CommandContext, args: readonly string[]): Promise<number> {
  const [text = ""] = countArgs(args, 1, 1, "ALIAS/BUCKET");
  const site = bucketSite(ctx, text);
  const config = replicationToJson(await attempt(EXPORT_WHAT, requireConfig(site, EXPORT_WHAT)));
  const remoteTargets = ctx.out.json ? exportedTargets(await attempt(EXPORT_WHAT, listTargets(site))) : [];
  ctx.out.message(JSON.stringify(config), { op: "export", status: "success", url: site.url, config, remoteTargets });
  return 0;
}

async function importConfig(ctx: CommandContext, args: readonly string[]): Promise<number> {
  const [text = "", file] = countArgs(args, 1, 2, "ALIAS/BUCKET < FILE");
  const site = bucketSite(ctx, text);
  const content = file === undefined || file === "-" ? await wholeText(ctx.stdin) : readFileSync(file, "utf8");
  const { config: json, targets } = readExport(content);
  const read = await attempt(IMPORT_WHAT, readJsonRules(json));
  const config = mapArns(read, targets, await attempt(IMPORT_WHAT, listTargets(site)));
  await attempt(IMPORT_WHAT, putReplication(site.s3, named(site), config));
  const message = `Replication configuration successfully set on \`${site.url}\`.`;
  ctx.out.message(message, { op: "import", status: "success", url: site.url, config: replicationToJson(config) });
  return 0;
}

async function readJsonRules(json: unknown): Promise<ReplicationConfig> {
  return replicationFromJson(json);
}

/** The plain configuration, or the object of `export --json` around it. */
function readExport(content: string): { readonly config: unknown; readonly targets: readonly ExportedTarget[] } {
  let json: unknown;
  try {
    json = JSON.parse(content);
  } catch (error) {
    throw new CommandError(IMPORT_WHAT, new Error("what was read is not JSON", { cause: error }));
  }
  if (typeof json !== "object" || json === null || !("config" in json)) return { config: json, targets: [] };
  const targets = "remoteTargets" in json && Array.isArray(json.remoteTargets) ? json.remoteTargets : [];
  return { config: json.config, targets: targets as readonly ExportedTarget[] };
}
