/** `mc anonymous set|set-json|get|get-json|list|links`, and its older name `mc policy` (mc-cli.md 9.3). */
import { deleteBucketPolicy, getBucketPolicy, putBucketPolicy } from "../../client/s3-calls.ts";
import { encodeS3Path } from "../../protocol/uri.ts";
import type { Command, CommandContext, FlagSpec } from "../command.ts";
import { CommandError } from "../command.ts";
import { readJsonFile } from "../json-file.ts";
import { RECURSIVE_FLAG } from "../age.ts";
import { listObjects } from "../list/remote.ts";
import type { RemoteTarget } from "../targets.ts";
import { remoteTarget } from "../targets.ts";
import { UsageError } from "../usage-error.ts";
import { attempt, countArgs } from "./attempt.ts";
import { grantsOf, permissionOf, PERMISSIONS, withPermission } from "../anonymous-grants.ts";
import type { Permission, PolicyDocument } from "../anonymous-grants.ts";

const RECURSIVE: FlagSpec = { ...RECURSIVE_FLAG, help: "objects in folders too" };

export const anonymousCommand: Command = {
  name: "anonymous",
  summary: "what anybody may do in a bucket or below a prefix",
  examples: [
    { what: "anybody may read", line: "mc anonymous set download here/photos" },
    { what: "nobody may do anything", line: "mc anonymous set none here/photos" },
    { what: "what is open in a bucket", line: "mc anonymous list here/photos" },
  ],
  subcommands: [
    {
      name: "set",
      summary: "none (private), download, upload or public (both)",
      usage: "PERMISSION ALIAS/BUCKET[/PREFIX]",
      run: set,
    },
    {
      name: "set-json",
      summary: "set a whole bucket policy from a file; - is standard input",
      usage: "FILE ALIAS/BUCKET",
      run: setJson,
    },
    { name: "get", summary: "show the permission", usage: "ALIAS/BUCKET[/PREFIX]", run: get },
    { name: "get-json", summary: "show the whole bucket policy", usage: "ALIAS/BUCKET", run: getJson },
    { name: "list", summary: "every prefix that is open", usage: "ALIAS/BUCKET[/PREFIX]", run: list },
    {
      name: "links",
      summary: "addresses of the objects that anybody may read",
      usage: "ALIAS/BUCKET[/PREFIX] [--recursive]",
      flags: [RECURSIVE],
      run: (ctx, args, flags) => links(ctx, args, flags.bool("recursive")),
    },
  ],
};

/** The word of before 2021. */
export const policyCommand: Command = { ...anonymousCommand, name: "policy", hidden: true };

function bucketAndPrefix(ctx: CommandContext, text: string): RemoteTarget {
  const target = remoteTarget(ctx, text);
  if (target.bucket === "") throw new CommandError(`\`${text}\` names no bucket. Write ALIAS/BUCKET[/PREFIX]`);
  return target;
}

const placeOf = ({ bucket, key }: RemoteTarget) => ({ bucket, prefix: key });

async function read(ctx: CommandContext, { alias, bucket }: RemoteTarget): Promise<PolicyDocument | undefined> {
  const text = await attempt(
    "Unable to get the bucket policy",
    getBucketPolicy(ctx.s3(alias), { bucket, signal: ctx.signal }),
  );
  return text === undefined ? undefined : (JSON.parse(text) as PolicyDocument);
}

async function write(
  ctx: CommandContext,
  { alias, bucket }: RemoteTarget,
  document: PolicyDocument | undefined,
): Promise<void> {
  const name = { bucket, signal: ctx.signal };
  const client = ctx.s3(alias);
  const work =
    document === undefined ? deleteBucketPolicy(client, name) : putBucketPolicy(client, name, JSON.stringify(document));
  await attempt("Unable to set the bucket policy", work);
}

function message(
  operation: string,
  target: RemoteTarget,
  permission: string,
  anonymous?: unknown,
): Record<string, unknown> {
  const base = { operation, status: "success", bucket: target.text, permission };
  return anonymous === undefined ? base : { ...base, anonymous };
}

function permissionFrom(word: string): Permission {
  const found = PERMISSIONS.find((known) => known === word);
  if (found !== undefined) return found;
  if (word === "private") return "none";
  throw new UsageError(
    `Unknown permission \`${word}\`. Write one of none, private, ${PERMISSIONS.slice(1).join(", ")}`,
  );
}

async function set(ctx: CommandContext, args: readonly string[]): Promise<number> {
  const [word = "", text = ""] = countArgs(args, 2, 2, "PERMISSION ALIAS/BUCKET[/PREFIX]");
  const permission = permissionFrom(word);
  const target = bucketAndPrefix(ctx, text);
  if (/[*?]/.test(target.key)) throw new CommandError("A prefix with * or ? would be read as a pattern");
  await write(ctx, target, withPermission(await read(ctx, target), placeOf(target), permission));
  ctx.out.message(`Access permission for \`${text}\` is set to \`${word}\``, message("set", target, word));
  return 0;
}

async function setJson(ctx: CommandContext, args: readonly string[]): Promise<number> {
  const [file = "", text = ""] = countArgs(args, 2, 2, "FILE ALIAS/BUCKET");
  const target = bucketAndPrefix(ctx, text);
  await write(ctx, target, (await readJsonFile(ctx, file)) as PolicyDocument);
  const line = `Access permission for \`${text}\` is set from \`${file}\``;
  ctx.out.message(line, message("set-json", target, "custom"));
  return 0;
}

async function get(ctx: CommandContext, args: readonly string[]): Promise<number> {
  const [text = ""] = countArgs(args, 1, 1, "ALIAS/BUCKET[/PREFIX]");
  const target = bucketAndPrefix(ctx, text);
  const permission = permissionOf(await read(ctx, target), placeOf(target));
  ctx.out.message(`Access permission for \`${text}\` is \`${permission}\``, message("get", target, permission));
  return 0;
}

async function getJson(ctx: CommandContext, args: readonly string[]): Promise<number> {
  const [text = ""] = countArgs(args, 1, 1, "ALIAS/BUCKET");
  const target = bucketAndPrefix(ctx, text);
  const document = await read(ctx, target);
  const permission = permissionOf(document, placeOf(target));
  const shown = document === undefined ? "{}" : JSON.stringify(document, undefined, 1);
  ctx.out.message(shown, message("get-json", target, permission, document ?? {}));
  return 0;
}

/** A list has words of its own for the same permissions; scripts know them. */
const LISTED: Readonly<Record<Permission, string>> = {
  none: "none",
  download: "readonly",
  upload: "writeonly",
  public: "readwrite",
};

async function list(ctx: CommandContext, args: readonly string[]): Promise<number> {
  const [text = ""] = countArgs(args, 1, 1, "ALIAS/BUCKET[/PREFIX]");
  const target = bucketAndPrefix(ctx, text);
  const { prefixes } = grantsOf(await read(ctx, target), target.bucket);
  for (const [prefix, allow] of [...prefixes].sort(([a], [b]) => (a < b ? -1 : 1))) {
    if (!prefix.startsWith(target.key)) continue;
    const resource = `${target.bucket}/${prefix}*`;
    ctx.out.message(`${resource} => ${LISTED[allow]}`, { status: "success", resource, allow: LISTED[allow] });
  }
  return 0;
}

/** Each object below the target that a grant lets anybody read, once. */
async function links(ctx: CommandContext, args: readonly string[], recursive: boolean): Promise<number> {
  const [text = ""] = countArgs(args, 1, 1, "ALIAS/BUCKET[/PREFIX]");
  const target = bucketAndPrefix(ctx, text);
  const { bucket, key } = target;
  const { prefixes } = grantsOf(await read(ctx, target), bucket);
  const readable = [...prefixes].filter(([, permission]) => permission !== "upload").map(([prefix]) => prefix);
  const client = ctx.s3(target.alias);
  for await (const entry of listObjects(client, { bucket, prefix: key, shallow: !recursive, signal: ctx.signal })) {
    if (entry.type === "folder" || !readable.some((prefix) => entry.key.startsWith(prefix))) continue;
    const url = `${client.endpoint.url.replace(/\/$/, "")}${encodeS3Path(`/${bucket}/${entry.key}`)}`;
    ctx.out.message(url, { status: "success", url });
  }
  return 0;
}
