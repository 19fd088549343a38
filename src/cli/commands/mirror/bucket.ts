/** The bucket that a mirror writes to: made when it is missing, with lock and policy of the source on demand. */
import { createHash } from "node:crypto";
import { S3ResponseError } from "../../../client/errors.ts";
import * as calls from "../../../client/s3-calls.ts";
import type { S3Client } from "../../../client/s3-client.ts";
import { parseXml } from "../../../protocol/xml.ts";
import type { CommandContext, Target } from "../../command.ts";
import type { RemoteTarget } from "../../targets.ts";

export interface BucketOptions {
  readonly region: string | undefined;
  /** Take over policy and lock configuration, when whole buckets are mirrored. */
  readonly preserve: boolean;
}

/** Makes the bucket of `target` unless it exists; with `preserve` gives it the settings of the source. */
export async function prepareBucket(
  ctx: CommandContext,
  source: Target,
  target: RemoteTarget,
  options: BucketOptions,
): Promise<void> {
  const { signal } = ctx;
  const client = ctx.s3(target.alias);
  const { bucket } = target;
  const whole = source.kind === "remote" && source.key === "" && target.key === "";
  const from = options.preserve && whole ? source : undefined;
  const lock = from === undefined ? undefined : await setting(ctx.s3(from.alias), from.bucket, "object-lock", signal);
  const locked = lock !== undefined && parseXml(lock).value("ObjectLockEnabled") === "Enabled";
  if (!(await calls.bucketExists(client, bucket, signal))) {
    const region = options.region === "us-east-1" ? undefined : options.region;
    await calls.makeBucket(client, { bucket, region, objectLock: locked, signal });
  }
  if (from === undefined) return;
  if (locked) await putSetting(client, bucket, "object-lock", lock, signal);
  const policy = await setting(ctx.s3(from.alias), from.bucket, "policy", signal);
  if (policy === undefined || policy.length === 0) return;
  await putSetting(
    client,
    bucket,
    "policy",
    Buffer.from(renamedPolicy(policy.toString("utf8"), from.bucket, bucket)),
    signal,
  );
}

/** Not set, or not known to this server. */
const WITHOUT_SETTING = new Set([404, 405, 501]);

/** The document of a sub-resource; undefined when the bucket has none. */
async function setting(
  client: S3Client,
  bucket: string,
  name: string,
  signal: AbortSignal,
): Promise<Buffer | undefined> {
  try {
    return await (await client.send({ method: "GET", bucket, query: { [name]: "" }, signal })).bytes();
  } catch (error) {
    if (error instanceof S3ResponseError && WITHOUT_SETTING.has(error.status) && error.code !== "NoSuchBucket")
      return undefined;
    throw error;
  }
}

async function putSetting(
  client: S3Client,
  bucket: string,
  name: string,
  body: Buffer,
  signal: AbortSignal,
): Promise<void> {
  const headers = { "content-md5": createHash("md5").update(body).digest("base64") };
  const response = await client.send({ method: "PUT", bucket, query: { [name]: "" }, headers, body, signal });
  await response.discard();
}

/** A policy with its resources moved from bucket `from` to bucket `to`; everything else stays as written. */
export function renamedPolicy(policy: string, from: string, to: string): string {
  const prefix = `arn:aws:s3:::${from}`;
  const moved = (text: string): string => {
    const rest = text.startsWith(prefix) ? text.slice(prefix.length) : undefined;
    return rest === undefined || (rest !== "" && !/^[/*]/.test(rest)) ? text : `arn:aws:s3:::${to}${rest}`;
  };
  return JSON.stringify(JSON.parse(policy, (_, value: unknown) => (typeof value === "string" ? moved(value) : value)));
}
