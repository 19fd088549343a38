/** `mc share download|upload|list`: addresses that carry their own permission for a while (mc-cli.md 9.3). */
import { headObject } from "../../client/s3-calls.ts";
import { presignUrl, signForm } from "../../protocol/sigv4-sign.ts";
import { encodeS3Path } from "../../protocol/uri.ts";
import { systemClock } from "../../runtime/clock.ts";
import { RECURSIVE_FLAG } from "../age.ts";
import type { AliasEntry, Command, CommandContext, FlagSpec, ParsedFlags } from "../command.ts";
import { CommandError } from "../command.ts";
import { parseDuration } from "../format.ts";
import { listObjects } from "../list/remote.ts";
import type { Share, ShareKind } from "../share-store.ts";
import { addShare, readShares, timeLeftMs } from "../share-store.ts";
import type { RemoteTarget } from "../targets.ts";
import { objectTarget, remoteTarget } from "../targets.ts";
import { UsageError } from "../usage-error.ts";
import { attempt, countArgs } from "./attempt.ts";

const SECOND_MS = 1000;
const LONGEST_MS = 7 * 24 * 3_600_000;
const NS_PER_MS = 1e6;
const REGION = "us-east-1";

const EXPIRE: FlagSpec = {
  name: "expire",
  aliases: ["E"],
  kind: "string",
  help: "how long it works: 1s to 168h (default 168h)",
};

export const shareCommand: Command = {
  name: "share",
  summary: "addresses that let anybody download or upload for a while",
  examples: [
    { what: "a link that works for an hour", line: "mc share download here/b/report.pdf --expire 1h" },
    { what: "a command that uploads one object", line: "mc share upload here/b/report.pdf" },
  ],
  subcommands: [
    {
      name: "download",
      summary: "print addresses for downloads",
      usage: "ALIAS/BUCKET/KEY",
      flags: [
        { ...RECURSIVE_FLAG, help: "every object below" },
        { name: "version-id", aliases: ["vid"], kind: "string", help: "this version" },
        EXPIRE,
      ],
      run: shareDownload,
    },
    {
      name: "upload",
      summary: "print commands that upload",
      usage: "ALIAS/BUCKET/KEY",
      flags: [
        { ...RECURSIVE_FLAG, help: "any key that begins so" },
        { name: "content-type", aliases: ["T"], kind: "string", help: "the only type to accept" },
        EXPIRE,
      ],
      run: shareUpload,
    },
    {
      name: "list",
      aliases: ["ls"],
      summary: "what was shared from here and still works",
      subcommands: [
        { name: "download", summary: "shared downloads", run: (ctx) => list(ctx, "downloads") },
        { name: "upload", summary: "shared uploads", run: (ctx) => list(ctx, "uploads") },
      ],
    },
  ],
};

function expiryMs(flags: ParsedFlags): number {
  const text = flags.string("expire");
  const ms = text === undefined || text === "" ? LONGEST_MS : parseDuration(text);
  if (ms === undefined || ms < SECOND_MS || ms > LONGEST_MS) throw new UsageError("Expected --expire from 1s to 168h");
  return ms;
}

function entryOf(ctx: CommandContext, alias: string): AliasEntry {
  const entry = ctx.aliases()[alias];
  if (entry === undefined) throw new CommandError(`No such alias \`${alias}\` found`);
  if (entry.accessKey === "") throw new CommandError(`Alias \`${alias}\` has no keys to sign with`);
  return entry;
}

/** `HOST/BUCKET`, or the bucket's own host where the alias says so. */
function bucketPlace({ url, path }: AliasEntry, bucket: string): { readonly origin: string; readonly base: string } {
  const { protocol, host } = new URL(url);
  if (path !== "off") return { origin: `${protocol}//${host}`, base: `/${bucket}` };
  return { origin: `${protocol}//${bucket}.${host}`, base: "" };
}

function spanText(ms: number): string {
  const seconds = Math.round(ms / SECOND_MS);
  const [days, hours, minutes] = [86_400, 3600, 60].map((unit) => Math.floor(seconds / unit)) as [
    number,
    number,
    number,
  ];
  return `${days} days ${hours % 24} hours ${minutes % 60} minutes ${seconds % 60} seconds`;
}

interface Shared {
  readonly url: string;
  readonly share: string;
  readonly leftMs: number;
  readonly versionID?: string | undefined;
  readonly contentType?: string | undefined;
}

function show(ctx: CommandContext, { url, share, leftMs, versionID, contentType }: Shared): void {
  const type = contentType === undefined || contentType === "" ? "" : `Content-Type: ${contentType}\n`;
  ctx.out.message(`URL: ${url}\nExpire: ${spanText(leftMs)}\n${type}Share: ${share}\n`, {
    status: "success",
    url,
    ...(versionID !== undefined && { versionID }),
    share,
    timeLeft: Math.round(leftMs * NS_PER_MS),
    contentType: contentType ?? "",
  });
}

/** Shows it and remembers it. */
function give(ctx: CommandContext, kind: ShareKind, shared: Shared): void {
  const nowMs = systemClock().nowMs();
  const { url, share, leftMs, versionID, contentType } = shared;
  const row: Share = {
    share,
    versionID,
    date: new Date(nowMs).toISOString(),
    expiry: leftMs * NS_PER_MS,
    contentType,
  };
  addShare(ctx.configDir, kind, { url, share: row }, nowMs);
  show(ctx, shared);
}

async function keysToShare(ctx: CommandContext, target: RemoteTarget, flags: ParsedFlags): Promise<readonly string[]> {
  const { alias, bucket, key } = target;
  const client = ctx.s3(alias);
  if (!flags.bool("recursive")) {
    const name = { bucket, key, versionId: flags.string("version-id"), signal: ctx.signal };
    await attempt(`Unable to share \`${target.text}\``, headObject(client, name));
    return [key];
  }
  if (flags.given("version-id")) throw new UsageError("--version-id names one object: it cannot be used with -r");
  const found: string[] = [];
  for await (const entry of listObjects(client, { bucket, prefix: key, shallow: false, signal: ctx.signal }))
    found.push(entry.key);
  return found;
}

async function shareDownload(ctx: CommandContext, args: readonly string[], flags: ParsedFlags): Promise<number> {
  const [text = ""] = countArgs(args, 1, 1, "ALIAS/BUCKET/KEY");
  const leftMs = expiryMs(flags);
  const target = flags.bool("recursive") ? remoteTarget(ctx, text) : objectTarget(ctx, text);
  const entry = entryOf(ctx, target.alias);
  const { origin, base } = bucketPlace(entry, target.bucket);
  const versionID = flags.string("version-id");
  for (const key of await keysToShare(ctx, target, flags)) {
    const path = encodeS3Path(`${base}/${key}`);
    const share = presignUrl({
      ...entry,
      region: REGION,
      method: "GET",
      origin,
      path,
      query: versionID === undefined ? {} : { versionId: versionID },
      expiresSeconds: Math.floor(leftMs / SECOND_MS),
      nowMs: systemClock().nowMs(),
    });
    give(ctx, "downloads", { url: `${origin}${path}`, share, leftMs, versionID });
  }
  return 0;
}

/** As a shell reads it; bare where it may be, for scripts that split the line at its blanks. */
const quoted = (text: string): string => (/^[\w./:=@%+,-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`);

async function shareUpload(ctx: CommandContext, args: readonly string[], flags: ParsedFlags): Promise<number> {
  const [text = ""] = countArgs(args, 1, 1, "ALIAS/BUCKET/KEY");
  const leftMs = expiryMs(flags);
  const recursive = flags.bool("recursive");
  const { alias, bucket, key } = recursive ? remoteTarget(ctx, text) : objectTarget(ctx, text);
  const entry = entryOf(ctx, alias);
  const { origin, base } = bucketPlace(entry, bucket);
  const contentType = flags.string("content-type");
  const nowMs = systemClock().nowMs();
  const fields = signForm({
    ...entry,
    region: REGION,
    nowMs,
    expiresMs: nowMs + leftMs,
    conditions: [
      ["eq", "bucket", bucket],
      [recursive ? "starts-with" : "eq", "key", key],
      ...(contentType === undefined ? [] : [["eq", "Content-Type", contentType] as const]),
    ],
  });
  const all = {
    bucket,
    ...fields,
    ...(contentType !== undefined && { "Content-Type": contentType }),
    key: recursive ? `${key}<NAME>` : key,
  };
  const form = Object.entries(all).map(([name, value]) => `-F ${quoted(`${name}=${value}`)}`);
  const share = `curl ${origin}${base}/ ${form.join(" ")} -F file=@<FILE>`;
  give(ctx, "uploads", { url: `${origin}${encodeS3Path(`${base}/${key}`)}`, share, leftMs, contentType });
  return 0;
}

async function list(ctx: CommandContext, kind: ShareKind): Promise<number> {
  const nowMs = systemClock().nowMs();
  for (const [url, share] of Object.entries(readShares(ctx.configDir, kind))) {
    const leftMs = timeLeftMs(share, nowMs);
    if (leftMs > 0)
      show(ctx, { url, leftMs, share: share.share, contentType: share.contentType, versionID: share.versionID });
  }
  return 0;
}
