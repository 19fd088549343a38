/** `mc mb` and `mc rb` (mc-cli.md 4). */
import { answeredWith } from "../../client/errors.ts";
import * as calls from "../../client/s3-calls.ts";
import type { S3Client } from "../../client/s3-client.ts";
import { systemClock } from "../../runtime/clock.ts";
import type { Command, CommandContext, ParsedFlags } from "../command.ts";
import { CommandError } from "../command.ts";
import type { Entry } from "../list/entry.ts";
import { listBuckets, listVersions } from "../list/remote.ts";
import type { RemoteTarget } from "../targets.ts";
import { remoteTarget } from "../targets.ts";
import type { Doomed } from "../transfer/remove.ts";
import { removeAll } from "../transfer/remove.ts";
import { UsageError } from "../usage-error.ts";

const DEFAULT_REGION = "us-east-1";

async function make(ctx: CommandContext, args: readonly string[], flags: ParsedFlags): Promise<number> {
  if (args.length === 0) throw new UsageError("`mc mb` takes TARGET...");
  let code = 0;
  for (const text of args) {
    try {
      await makeOne(ctx, remoteTarget(ctx, text), flags);
    } catch (error) {
      if (ctx.signal.aborted) throw error;
      code = 1;
      ctx.out.error(`Unable to make bucket \`${text}\``, error);
    }
  }
  return code;
}

async function makeOne(ctx: CommandContext, target: RemoteTarget, flags: ParsedFlags): Promise<void> {
  const { bucket, key, text } = target;
  if (bucket === "") throw new CommandError("The target names no bucket. Write ALIAS/BUCKET");
  const client = ctx.s3(target.alias);
  const region = flags.string("region") ?? DEFAULT_REGION;
  const { signal } = ctx;
  try {
    const named = region === DEFAULT_REGION ? undefined : region;
    await calls.makeBucket(client, { bucket, region: named, objectLock: flags.bool("with-lock"), signal });
    if (flags.bool("with-versioning")) {
      await calls.putVersioning(client, { bucket, signal }, { status: "Enabled" });
    }
  } catch (error) {
    const exists = answeredWith(error, "BucketAlreadyOwnedByYou", "BucketAlreadyExists");
    if (!exists || !(flags.bool("ignore-existing") || key !== "")) throw error;
  }
  if (key !== "") {
    const folder = key.endsWith("/") ? key : `${key}/`;
    await calls.putObject(client, { bucket, key: folder, body: Buffer.alloc(0), signal });
  }
  ctx.out.message(`Bucket created successfully \`${text}\`.`, { status: "success", bucket: text, region });
}

async function remove(ctx: CommandContext, args: readonly string[], flags: ParsedFlags): Promise<number> {
  if (args.length === 0) throw new UsageError("`mc rb` takes TARGET...");
  for (const text of args) {
    const target = remoteTarget(ctx, text);
    if (target.bucket !== "") await removeOne(ctx, target, flags);
    else if (!flags.bool("force") || !flags.bool("dangerous")) {
      throw new CommandError(
        `This would remove every bucket of \`${text}\`. If you mean it: mc rb --force --dangerous ${text}`,
      );
    } else {
      for (const { key } of await listBuckets(ctx.s3(target.alias), ctx.signal)) {
        const bucket = key.slice(0, -1);
        await removeOne(ctx, { ...target, bucket, text: `${target.alias}/${bucket}` }, flags);
      }
    }
  }
  return 0;
}

async function removeOne(ctx: CommandContext, target: RemoteTarget, flags: ParsedFlags): Promise<void> {
  const { bucket, key, text } = target;
  const client = ctx.s3(target.alias);
  const force = flags.bool("force");
  try {
    if (!(await calls.bucketExists(client, bucket, ctx.signal))) {
      if (force) return;
      throw new CommandError("Bucket does not exist");
    }
    const options = { bucket, prefix: key, shallow: false, signal: ctx.signal };
    if (force) await removeVersions(ctx, client, bucket, listVersions(client, options));
    else await refuseUnlessEmpty(listVersions(client, { ...options, limit: 1 }), text);
    if (key === "") await removeEmpty(ctx, client, bucket, force);
  } catch (error) {
    throw new CommandError(`Failed to remove \`${text}\``, error);
  }
  ctx.out.message(`Removed \`${text}\` successfully.`, { status: "success", bucket: text });
}

async function refuseUnlessEmpty(versions: AsyncIterable<Entry>, text: string): Promise<void> {
  for await (const _ of versions) {
    throw new CommandError(
      `The bucket is not empty: it holds versions or delete markers. To remove them too: mc rb --force ${text}`,
    );
  }
}

async function removeVersions(
  ctx: CommandContext,
  client: S3Client,
  bucket: string,
  versions: AsyncIterable<Entry>,
): Promise<void> {
  const options = { client, bucket, bypass: false, clock: systemClock(), signal: ctx.signal };
  for await (const removed of removeAll(doomed(versions), options)) {
    if (removed.error !== undefined) throw new CommandError(`Unable to remove \`${removed.key}\``, removed.error);
  }
}

async function* doomed(versions: AsyncIterable<Entry>): AsyncIterable<Doomed> {
  for await (const { key, versionId } of versions) yield { key, versionId };
}

/** Unfinished uploads make the server say that the bucket is not empty; force removes those as well. */
async function removeEmpty(ctx: CommandContext, client: S3Client, bucket: string, force: boolean): Promise<void> {
  try {
    await calls.removeBucket(client, bucket, { signal: ctx.signal });
  } catch (error) {
    if (!force || !answeredWith(error, "BucketNotEmpty")) throw error;
    await calls.removeBucket(client, bucket, { force: true, signal: ctx.signal });
  }
}

export const mbCommand: Command = {
  name: "mb",
  summary: "make a bucket",
  usage: "TARGET...",
  examples: [
    { what: "ready for replication", line: "mc mb --with-versioning home/photos" },
    { what: "with object lock, and no error when it exists", line: "mc mb -p --with-lock home/archive" },
  ],
  flags: [
    { name: "region", kind: "string", help: `region of the bucket (default ${DEFAULT_REGION})` },
    { name: "ignore-existing", aliases: ["p"], kind: "bool", help: "an existing bucket is no error" },
    { name: "with-lock", aliases: ["l"], kind: "bool", help: "with object lock" },
    { name: "with-versioning", kind: "bool", help: "with versioning" },
  ],
  run: make,
};

export const rbCommand: Command = {
  name: "rb",
  summary: "remove a bucket",
  usage: "TARGET...",
  examples: [{ what: "with everything in it", line: "mc rb --force home/photos" }],
  flags: [
    { name: "force", kind: "bool", help: "with all objects, versions and uploads in it" },
    { name: "dangerous", kind: "bool", help: "allows to remove every bucket of a server" },
  ],
  run: remove,
};
