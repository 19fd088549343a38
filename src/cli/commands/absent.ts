/** Commands of MinIO's `mc` for which there is nothing here: each says so and what to do instead, and ends with 1. */
import type { Command } from "../command.ts";
import { CommandError } from "../command.ts";

export const NO_TIERS = "Objects are not moved to other storage here";
const NO_EVENTS = "Events are not sent here. To follow a bucket: `mc admin trace`, `mc ls --recursive --versions`";

/** Whatever arguments and flags the original takes, the answer is `why`. */
export function absentCommand(name: string, summary: string, why: string): Command {
  return {
    name,
    summary,
    hidden: true,
    anyFlags: true,
    run: () => Promise.reject(new CommandError(`\`mc ${name}\` is not implemented. ${why}`)),
  };
}

export const ABSENT_COMMANDS: readonly Command[] = [
  absentCommand("event", "tell others what happens in a bucket", NO_EVENTS),
  absentCommand("watch", "follow what happens in a bucket", NO_EVENTS),
  absentCommand("sql", "select rows inside objects", "Objects are not searched on the server; use `mc cat`"),
  absentCommand("od", "measure an upload", "Use `time mc cp`"),
  absentCommand("batch", "jobs on the server", "To copy objects: `mc replicate resync` or `mc mirror`"),
  absentCommand("idp", "outside identity providers", "Users are made with `mc admin user add`"),
  absentCommand("license", "licence of a server", "No licence is needed"),
  absentCommand("update", "update this program", "Install the new version"),
];
