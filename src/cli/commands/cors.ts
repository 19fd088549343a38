/** `mc cors set|get|remove`: which pages of other origins may call a bucket; the document is S3's XML. */
import { readFileSync } from "node:fs";
import { deleteBucketCors, getBucketCors, putBucketCors } from "../../client/s3-calls.ts";
import type { Command, CommandContext } from "../command.ts";
import { CommandError } from "../command.ts";
import { wholeText } from "../prompt.ts";
import type { RemoteTarget } from "../targets.ts";
import { bucketTarget } from "../targets.ts";
import { attempt, countArgs, unlessAnswered } from "./attempt.ts";

export const corsCommand: Command = {
  name: "cors",
  summary: "which web pages of other origins may call a bucket",
  examples: [{ what: "rules from a file", line: "mc cors set here/b cors.xml" }],
  subcommands: [
    { name: "set", summary: "set the rules from a file; - is standard input", usage: "ALIAS/BUCKET FILE", run: set },
    { name: "get", summary: "show the rules", usage: "ALIAS/BUCKET", run: get },
    { name: "remove", aliases: ["rm"], summary: "remove the rules", usage: "ALIAS/BUCKET", run: remove },
  ],
};

const NONE = "NoSuchCORSConfiguration";

const place = (ctx: CommandContext, { bucket }: RemoteTarget) => ({ bucket, signal: ctx.signal });

async function documentOf(ctx: CommandContext, file: string): Promise<string> {
  try {
    return file === "-" || file === "/dev/stdin" ? await wholeText(ctx.stdin) : readFileSync(file, "utf8");
  } catch (error) {
    throw new CommandError(`Unable to read \`${file}\``, error);
  }
}

async function set(ctx: CommandContext, args: readonly string[]): Promise<number> {
  const [text = "", file = ""] = countArgs(args, 2, 2, "ALIAS/BUCKET FILE");
  const target = bucketTarget(ctx, text);
  const document = await documentOf(ctx, file);
  await attempt("Unable to set the CORS rules", putBucketCors(ctx.s3(target.alias), place(ctx, target), document));
  ctx.out.message(`Set bucket CORS config successfully.`, { op: "set", status: "success", url: text });
  return 0;
}

async function get(ctx: CommandContext, args: readonly string[]): Promise<number> {
  const [text = ""] = countArgs(args, 1, 1, "ALIAS/BUCKET");
  const target = bucketTarget(ctx, text);
  const asked = unlessAnswered(getBucketCors(ctx.s3(target.alias), place(ctx, target)), undefined, NONE);
  const cors = await attempt("Unable to get the CORS rules", asked);
  if (cors === undefined) {
    ctx.out.message("No bucket CORS configuration found.", { op: "get", status: "not found", url: text });
    return 0;
  }
  ctx.out.message(cors, { op: "get", status: "success", url: text, cors });
  return 0;
}

async function remove(ctx: CommandContext, args: readonly string[]): Promise<number> {
  const [text = ""] = countArgs(args, 1, 1, "ALIAS/BUCKET");
  const target = bucketTarget(ctx, text);
  const removed = unlessAnswered(deleteBucketCors(ctx.s3(target.alias), place(ctx, target)), undefined, NONE);
  await attempt("Unable to remove the CORS rules", removed);
  ctx.out.message("Removed bucket CORS config successfully.", { op: "remove", status: "success", url: text });
  return 0;
}
