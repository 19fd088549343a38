/** `mc encrypt set|info|clear`: default encryption of a bucket (mc-cli.md 5.5). */
import { deleteBucketEncryption, getBucketEncryption, putBucketEncryption } from "../../client/encryption-calls.ts";
import type { BucketEncryption } from "../../model/encryption.ts";
import type { Command, CommandContext } from "../command.ts";
import { bucketTarget, type RemoteTarget } from "../targets.ts";
import { UsageError } from "../usage-error.ts";
import { attempt, countArgs } from "./attempt.ts";

const SET_USAGE = "sse-s3 ALIAS/BUCKET, or sse-kms KEYID ALIAS/BUCKET";

export const encryptCommand: Command = {
  name: "encrypt",
  summary: "encrypt a bucket's new objects by default",
  subcommands: [
    {
      name: "set",
      summary: "encrypt new objects from now on",
      usage: SET_USAGE,
      examples: [
        { what: "with the server's own key", line: "mc encrypt set sse-s3 here/b" },
        { what: "with a named key", line: "mc encrypt set sse-kms my-key here/b" },
      ],
      run: set,
    },
    {
      name: "info",
      summary: "tell how new objects are encrypted",
      usage: "ALIAS/BUCKET",
      examples: [{ what: "ask", line: "mc encrypt info here/b" }],
      run: info,
    },
    {
      name: "clear",
      summary: "encrypt new objects only when asked; the old ones stay as they are",
      usage: "ALIAS/BUCKET",
      examples: [{ what: "end it", line: "mc encrypt clear here/b" }],
      run: clear,
    },
  ],
};

const shownUrl = (target: RemoteTarget): string => target.text.replace(/\/$/, "");

const callOf = (ctx: CommandContext, target: RemoteTarget) => ({ bucket: target.bucket, signal: ctx.signal });

async function set(ctx: CommandContext, args: readonly string[]): Promise<number> {
  const [word = "", ...rest] = countArgs(args, 2, 3, SET_USAGE);
  const algorithm = word.toLowerCase();
  const keyId = algorithm === "sse-kms" ? rest[0] : undefined;
  const text = rest.at(-1) ?? "";
  // Scripts name a key with sse-s3 too, where there is none to choose: the answer says what is used.
  const wellFormed = algorithm === "sse-s3" || (algorithm === "sse-kms" && rest.length === 2);
  if (!wellFormed) throw new UsageError(`expected ${SET_USAGE}`);
  const target = bucketTarget(ctx, text);
  const encryption: BucketEncryption = keyId === undefined ? { kind: "SSE-S3" } : { kind: "SSE-KMS", keyId };
  const call = putBucketEncryption(ctx.s3(target.alias), callOf(ctx, target), encryption);
  await attempt("Unable to enable auto encryption", call);
  const url = shownUrl(target);
  ctx.out.message(`New objects of ${url} are encrypted with ${described(encryption)}`, {
    op: "set",
    status: "success",
    url,
    encryption: { algorithm, ...(keyId === undefined ? {} : { keyId }) },
  });
  return 0;
}

function described({ kind, keyId }: BucketEncryption): string {
  return kind === "SSE-S3" ? "sse-s3" : `sse-kms${keyId === undefined ? "" : `, key ${keyId}`}`;
}

async function info(ctx: CommandContext, args: readonly string[]): Promise<number> {
  const target = oneBucket(ctx, args);
  const found = await attempt(
    "Unable to get encryption info",
    getBucketEncryption(ctx.s3(target.alias), callOf(ctx, target)),
  );
  const url = shownUrl(target);
  const text =
    found === undefined
      ? `Auto encryption is not enabled for ${url}`
      : `Auto encryption of ${url}: ${described(found)}`;
  const algorithm = found === undefined ? undefined : found.kind === "SSE-S3" ? "AES256" : "aws:kms";
  const encryption = { ...(algorithm && { algorithm }), ...(found?.keyId && { keyId: found.keyId }) };
  ctx.out.message(text, { op: "info", status: "success", url, encryption });
  return 0;
}

async function clear(ctx: CommandContext, args: readonly string[]): Promise<number> {
  const target = oneBucket(ctx, args);
  const call = deleteBucketEncryption(ctx.s3(target.alias), callOf(ctx, target));
  await attempt("Unable to disable auto encryption", call);
  const url = shownUrl(target);
  ctx.out.message(`New objects of ${url} are no longer encrypted by default`, {
    op: "clear",
    status: "success",
    url,
    encryption: {},
  });
  return 0;
}

function oneBucket(ctx: CommandContext, args: readonly string[]): RemoteTarget {
  const [text = ""] = countArgs(args, 1, 1, "one ALIAS/BUCKET");
  return bucketTarget(ctx, text);
}
