/** Documents that a command reads: a file, or standard input. */
import { readFileSync } from "node:fs";
import type { CommandContext } from "./command.ts";
import { CommandError } from "./command.ts";
import { wholeText } from "./prompt.ts";

/** FILE as JSON; `-` and `/dev/stdin` are standard input. */
export async function readJsonFile(ctx: Pick<CommandContext, "stdin">, file: string): Promise<unknown> {
  const piped = file === "-" || file === "/dev/stdin";
  let text: string;
  try {
    text = piped ? await wholeText(ctx.stdin) : readFileSync(file, "utf8");
  } catch (error) {
    throw new CommandError(`Unable to read \`${file}\``, error);
  }
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new CommandError(`\`${file}\` holds no JSON`, error);
  }
}
