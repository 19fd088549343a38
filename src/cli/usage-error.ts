/** The error of wrong usage, in a file of its own because parsing and commands both throw it. */
import { CommandError } from "./command.ts";

/** Wrong usage: `main.ts` prints it, then the help of the command, and ends with 1 (mc-cli.md 2.4). */
export class UsageError extends CommandError {
  override name = "UsageError";
}
