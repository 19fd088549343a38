/** `mc support top|perf`: the names since 2022 of what stood under `mc admin`. */
import type { Command } from "../command.ts";
import { ABSENT_SUPPORT_COMMANDS } from "./absent.ts";
import { perfCommand } from "./admin/elsewhere.ts";
import { topCommand } from "./admin/top.ts";

export const supportCommand: Command = {
  name: "support",
  summary: "what a server is busy with",
  hidden: true,
  subcommands: [topCommand, perfCommand, ...ABSENT_SUPPORT_COMMANDS],
};
