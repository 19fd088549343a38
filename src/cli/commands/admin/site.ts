/** `admin replicate info|status`: replication of whole sites, which scripts ask for and which is off here (captures.md 8). */
import type { Command } from "../../command.ts";
import { ABSENT_SITE_COMMANDS } from "../absent.ts";
import { adminSubcommand } from "./common.ts";

export const siteReplicateCommand: Command = {
  name: "replicate",
  summary: "replication of whole sites (buckets replicate with `mc replicate`)",
  subcommands: [query("info"), query("status"), ...ABSENT_SITE_COMMANDS],
};

function query(name: string): Command {
  return adminSubcommand({
    name,
    summary: `${name} of site replication`,
    usage: "ALIAS",
    argCount: [0, 0],
    what: `Unable to get the ${name} of site replication`,
    work: async (site) => {
      const call = {
        method: "GET",
        path: `site-replication/${name}`,
        query: { "api-version": "1" },
        signal: site.ctx.signal,
      };
      const answer = await site.client.json<Record<string, unknown>>(call);
      const enabled = answer["enabled"] === true || answer["Enabled"] === true;
      site.ctx.out.message(enabled ? JSON.stringify(answer, undefined, 1) : "SiteReplication is not enabled", answer);
    },
  });
}
