/** Commands of MinIO's `mc` for which there is nothing here: each says so and what to do instead, and ends with 1. */
import type { Command } from "../command.ts";
import { CommandError } from "../command.ts";

export const NO_TIERS = "Objects are not moved to other storage here";
const NO_PROVIDERS = "Users are made with `mc admin user add`";
const NO_HISTORY = "No history of settings is kept; `mc admin config export` makes a copy";
const NO_SITES = "Whole sites are not replicated here; buckets are, with `mc replicate`";
const NO_BUNDLES =
  "Diagnostic bundles are not made here; see `mc admin info`, `mc admin logs` and `mc admin prometheus metrics`";
const NO_EVENTS = "Events are not sent here. To follow a bucket: `mc admin trace`, `mc ls --recursive --versions`";

/** Whatever arguments and flags the original takes, the answer is `why`. `under`: the command that it is one of. */
export function absentCommand(name: string, summary: string, why: string, under?: string): Command {
  const path = under === undefined ? name : `${under} ${name}`;
  return {
    name,
    summary,
    hidden: true,
    anyFlags: true,
    run: () => Promise.reject(new CommandError(`\`mc ${path}\` is not implemented. ${why}`)),
  };
}

export const ABSENT_COMMANDS: readonly Command[] = [
  absentCommand("event", "tell others what happens in a bucket", NO_EVENTS),
  absentCommand("watch", "follow what happens in a bucket", NO_EVENTS),
  absentCommand("sql", "select rows inside objects", "Objects are not searched on the server; use `mc cat`"),
  absentCommand("od", "measure an upload", "Use `time mc cp`"),
  absentCommand("batch", "jobs on the server", "To copy objects: `mc replicate resync` or `mc mirror`"),
  absentCommand("idp", "outside identity providers", NO_PROVIDERS),
  absentCommand("license", "licence of a server", "No licence is needed"),
  absentCommand("update", "update this program", "Install the new version"),
];

/** Of `mc admin`. */
export const ABSENT_ADMIN_COMMANDS: readonly Command[] = [
  absentCommand("tier", "storage to move objects to", NO_TIERS, "admin"),
  absentCommand("idp", "outside identity providers", NO_PROVIDERS, "admin"),
  ...["obd", "inspect", "subnet"].map((name) => absentCommand(name, "diagnostics", NO_BUNDLES, "admin")),
];

/** Of `mc admin config`. */
export const ABSENT_CONFIG_COMMANDS: readonly Command[] = ["history", "restore"].map((name) =>
  absentCommand(name, "settings as they were", NO_HISTORY, "admin config"),
);

/** Of `mc admin replicate`. */
export const ABSENT_SITE_COMMANDS: readonly Command[] = ["add", "update", "edit", "rm", "remove", "resync"].map(
  (name) => absentCommand(name, "replication of whole sites", NO_SITES, "admin replicate"),
);

/** Of `mc support`. */
export const ABSENT_SUPPORT_COMMANDS: readonly Command[] = [
  "diag",
  "inspect",
  "profile",
  "callhome",
  "register",
  "proxy",
  "upload",
].map((name) => absentCommand(name, "diagnostics", NO_BUNDLES, "support"));
