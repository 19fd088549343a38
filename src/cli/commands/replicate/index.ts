/** `mc replicate`: rules, targets and resyncs of a bucket. */
import type { Command } from "../../command.ts";
import { addCommand } from "./add.ts";
import { backlogCommand, diffCommand } from "./backlog.ts";
import { exportCommand, importCommand } from "./export-import.ts";
import { listCommand } from "./list.ts";
import { removeCommand } from "./remove.ts";
import { restoreCommand } from "./restore.ts";
import { resyncCommand } from "./resync.ts";
import { statusCommand } from "./status.ts";
import { updateCommand } from "./update.ts";
import { verifyCommand } from "./verify.ts";

export const replicateCommand: Command = {
  name: "replicate",
  summary: "replicate a bucket to other servers, and rebuild them",
  examples: [
    { what: "keep a copy of a bucket elsewhere", line: "mc replicate add here/b --remote-bucket there/b" },
    { what: "how far it is", line: "mc replicate status here/b" },
    { what: "rebuild a damaged copy", line: "mc replicate resync start here/b --watch" },
  ],
  subcommands: [
    addCommand,
    updateCommand,
    listCommand,
    statusCommand,
    resyncCommand,
    restoreCommand,
    verifyCommand,
    exportCommand,
    importCommand,
    removeCommand,
    backlogCommand,
    diffCommand,
  ],
};
