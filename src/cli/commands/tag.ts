/** `mc tag set|list|remove` on buckets, objects and versions (mc-cli.md 5.5). */
import type { ResourceName } from "../../client/s3-calls.ts";
import { deleteTags, getTags, putTags } from "../../client/s3-calls.ts";
import type { S3Client } from "../../client/s3-client.ts";
import type { Tags } from "../../model/version.ts";
import type { Command, CommandContext, ParsedFlags } from "../command.ts";
import { CommandError } from "../command.ts";
import { isWide, selectVersions, urlOf, VERSION_FLAGS } from "../list/select.ts";
import type { RemoteTarget } from "../targets.ts";
import { remoteTarget } from "../targets.ts";
import { countArgs } from "./attempt.ts";

export const tagCommand: Command = {
  name: "tag",
  summary: "tags of buckets and objects",
  subcommands: [
    {
      name: "set",
      summary: "replace the tags",
      usage: 'ALIAS/BUCKET[/KEY] "k=v&k2=v2"',
      examples: [
        { what: "two tags on an object", line: 'mc tag set here/b/key "project=x&stage=done"' },
        { what: "a tag on a bucket", line: 'mc tag set here/b "owner=me"' },
      ],
      flags: [
        ...VERSION_FLAGS,
        { name: "exclude-folders", kind: "bool", help: "with -r: leave out keys that end in /" },
      ],
      run: (ctx, args, flags) => {
        const [text = "", tags = ""] = countArgs(args, 2, 2, 'ALIAS/BUCKET[/KEY] "k=v&k2=v2"');
        return forEach(ctx, text, flags, setTags(parseTagList(tags)));
      },
    },
    {
      name: "list",
      aliases: ["ls"],
      summary: "show the tags",
      usage: "ALIAS/BUCKET[/KEY]",
      examples: [{ what: "tags of every version", line: "mc tag list here/b/key --versions" }],
      flags: VERSION_FLAGS,
      run: (ctx, args, flags) => forEach(ctx, countArgs(args, 1, 1, "ALIAS/BUCKET[/KEY]")[0] ?? "", flags, listTags),
    },
    {
      name: "remove",
      aliases: ["rm"],
      summary: "remove all tags",
      usage: "ALIAS/BUCKET[/KEY]",
      examples: [{ what: "of everything below a prefix", line: "mc tag remove -r here/b/prefix" }],
      flags: VERSION_FLAGS,
      run: (ctx, args, flags) => forEach(ctx, countArgs(args, 1, 1, "ALIAS/BUCKET[/KEY]")[0] ?? "", flags, removeTags),
    },
  ],
};

/** One bucket, object or version. */
interface Tagged {
  readonly client: S3Client;
  readonly bucket: string;
  /** Absent: the bucket itself. */
  readonly key?: string | undefined;
  readonly versionId?: string | undefined;
  /** `ALIAS/BUCKET/KEY` for messages. */
  readonly name: string;
}

type TagAction = (ctx: CommandContext, item: Tagged) => Promise<void>;

/** Runs `action` on all that `text` and the flags name; goes on after a failed item and ends with 1. */
async function forEach(ctx: CommandContext, text: string, flags: ParsedFlags, action: TagAction): Promise<number> {
  let code = 0;
  let count = 0;
  for await (const item of select(ctx, remoteTarget(ctx, text), flags)) {
    count += 1;
    try {
      await action(ctx, item);
    } catch (error) {
      if (ctx.signal.aborted) throw error;
      code = 1;
      ctx.out.error(`Unable to handle the tags of \`${item.name}\``, error);
    }
  }
  if (count === 0) throw new CommandError(`Nothing found at \`${text}\``);
  return code;
}

async function* select(ctx: CommandContext, target: RemoteTarget, flags: ParsedFlags): AsyncIterable<Tagged> {
  const { bucket, key, alias } = target;
  if (key !== "" || isWide(flags)) return yield* selectVersions(ctx, target, flags);
  if (bucket === "") throw new CommandError(`\`${target.text}\` names no bucket. Write ALIAS/BUCKET`);
  yield { client: ctx.s3(alias), bucket, name: target.text.replace(/\/$/, "") };
}

function resource(ctx: CommandContext, item: Tagged): ResourceName {
  return { bucket: item.bucket, key: item.key, versionId: item.versionId || undefined, signal: ctx.signal };
}

function setTags(tags: Tags): TagAction {
  return async (ctx, item) => {
    await putTags(item.client, resource(ctx, item), tags);
    ctx.out.message(`Tags set for ${named(item)}.`, itemJson(item));
  };
}

async function listTags(ctx: CommandContext, item: Tagged): Promise<void> {
  const tags = await getTags(item.client, resource(ctx, item));
  const tagset = Object.fromEntries(Object.entries(tags).sort(([a], [b]) => (a < b ? -1 : 1)));
  ctx.out.message(tagListText(named(item), tagset), {
    tagset,
    status: "success",
    url: urlOf(item),
    versionID: item.versionId ?? "",
  });
}

async function removeTags(ctx: CommandContext, item: Tagged): Promise<void> {
  await deleteTags(item.client, resource(ctx, item));
  ctx.out.message(`Tags removed for ${named(item)}.`, itemJson(item));
}

function itemJson(item: Tagged): Record<string, unknown> {
  return { status: "success", name: urlOf(item), versionID: item.versionId ?? "" };
}

function named(item: Tagged): string {
  return item.versionId === undefined || item.versionId === "" ? urlOf(item) : `${urlOf(item)} (${item.versionId})`;
}

/** `k=v&k2=v2`. A name given twice or an empty one is an error. */
export function parseTagList(text: string): Tags {
  const tags: Record<string, string> = {};
  for (const pair of text.split("&").filter((part) => part !== "")) {
    const [key = "", ...value] = pair.split("=");
    if (key === "" || Object.hasOwn(tags, key)) {
      throw new CommandError(
        "Invalid tags",
        new Error(`\`${pair}\` is not of the form key=value, or its key is there twice`),
      );
    }
    tags[key] = value.join("=");
  }
  if (Object.keys(tags).length === 0)
    throw new CommandError("Invalid tags", new Error("write them as key=value&key2=value2"));
  return tags;
}

/** Rows `Name : URL`, then one for each tag, colons below each other. */
export function tagListText(name: string, tags: Tags): string {
  const keys = Object.keys(tags);
  const width = Math.max(4, ...keys.map((key) => key.length));
  const row = (key: string, value: string): string => `${key.padEnd(width)} : ${value}`;
  if (keys.length === 0) return `${row("Name", name)}\nNo tags found`;
  return [row("Name", name), ...keys.map((key) => row(key, tags[key] ?? ""))].join("\n");
}
