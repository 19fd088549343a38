/** `mc admin`: users, policies, targets and the server itself. */
import type { Command } from "../../command.ts";
import { ABSENT_ADMIN_COMMANDS } from "../absent.ts";
import { adminBucketQuotaCommand } from "../quota.ts";
import { statCommand } from "../stat.ts";
import { accesskeyCommand } from "./accesskey.ts";
import { bucketRemoteCommand } from "./bucket-remote.ts";
import { adminSubcommand } from "./common.ts";
import { clusterCommand } from "./cluster.ts";
import { adminConfigCommand } from "./config.ts";
import { groupCommand } from "./group.ts";
import { healCommand } from "./heal.ts";
import type { ServerInfo } from "./info-format.ts";
import { infoText } from "./info-format.ts";
import { kmsCommand } from "./kms.ts";
import { policyCommand } from "./policy.ts";
import { prometheusCommand } from "./prometheus.ts";
import { serviceCommand } from "./service.ts";
import { siteReplicateCommand } from "./site.ts";
import { ELSEWHERE_COMMANDS } from "./elsewhere.ts";
import { topCommand } from "./top.ts";
import { logsCommand, traceCommand } from "./trace.ts";
import { userCommand } from "./user.ts";

const infoCommand = adminSubcommand({
  name: "info",
  summary: "show servers, totals and drives",
  usage: "ALIAS",
  argCount: [0, 0],
  what: "Unable to get service info",
  work: async (site) => {
    const call = { method: "GET", path: "info", query: { metrics: "false" }, signal: site.ctx.signal };
    const info = await site.client.json<ServerInfo>(call);
    site.ctx.out.message(infoText(info), { status: "success", info });
  },
});

export const adminCommand: Command = {
  name: "admin",
  summary: "users, policies, replication targets and the server itself",
  examples: [
    { what: "a user for replication", line: "mc admin user add here ReplicationUser SECRET" },
    { what: "and its rights", line: "mc admin policy attach here replicator --user ReplicationUser" },
  ],
  subcommands: [
    infoCommand,
    serviceCommand,
    adminConfigCommand,
    clusterCommand,
    healCommand,
    traceCommand,
    logsCommand,
    topCommand,
    userCommand,
    groupCommand,
    policyCommand,
    accesskeyCommand,
    prometheusCommand,
    kmsCommand,
    siteReplicateCommand,
    ...ELSEWHERE_COMMANDS,
    ...ABSENT_ADMIN_COMMANDS,
    {
      name: "bucket",
      summary: "settings of buckets in the words of 2022",
      subcommands: [bucketRemoteCommand, adminBucketQuotaCommand, { ...statCommand, name: "info", hidden: true }],
    },
  ],
};
