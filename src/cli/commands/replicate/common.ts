/** What every `replicate` and `admin bucket remote` command asks of a server: one bucket's rules and targets. */
import type { AdminClient } from "../../../client/admin-client.ts";
import type { ResourceName } from "../../../client/s3-calls.ts";
import { getReplication } from "../../../client/s3-calls.ts";
import type { S3Client } from "../../../client/s3-client.ts";
import type { ReplicationConfig } from "../../../model/replication-config.ts";
import { ruleArn } from "../../../model/replication-config.ts";
import { RESILVER_DROPPED } from "../../../protocol/replication-headers.ts";
import type { CommandContext } from "../../command.ts";
import { CommandError } from "../../command.ts";
import { remoteTarget } from "../../targets.ts";
import { parseRemoteAddress, sameRemote } from "./remote-address.ts";
import type { RemoteTarget, TargetUpdate } from "./remote-target.ts";

/** A bucket on a server, as named by `ALIAS/BUCKET[/PREFIX]`. */
export interface BucketSite {
  readonly ctx: CommandContext;
  readonly bucket: string;
  /** What follows the bucket in the argument; "" when nothing does. */
  readonly prefix: string;
  /** The argument without a final slash: what messages call the bucket. */
  readonly url: string;
  readonly s3: S3Client;
  readonly admin: AdminClient;
}

export function bucketSite(ctx: CommandContext, text: string): BucketSite {
  const target = remoteTarget(ctx, text);
  if (target.bucket === "") throw new CommandError(`\`${text}\` names no bucket. Write ALIAS/BUCKET`);
  const { alias, bucket, key } = target;
  return { ctx, bucket, prefix: key, url: text.replace(/\/$/, ""), s3: ctx.s3(alias), admin: ctx.admin(alias) };
}

/** The name of the bucket for a call of the S3 client. */
export function named(site: BucketSite): ResourceName {
  return { bucket: site.bucket, signal: site.ctx.signal };
}

/** The configuration; without one a CommandError `WHAT: replication configuration not set.` */
export async function requireConfig(site: BucketSite, what: string): Promise<ReplicationConfig> {
  const config = await getReplication(site.s3, named(site));
  if (config !== undefined && config.rules.length > 0) return config;
  throw new CommandError(what, new Error("replication configuration not set"));
}

/** The targets of the bucket; of all buckets for an empty one. */
export async function listTargets(
  site: Pick<BucketSite, "admin" | "bucket" | "ctx">,
  type = "",
): Promise<readonly RemoteTarget[]> {
  const query = { bucket: site.bucket, type };
  const call = { method: "GET", path: "list-remote-targets", query, signal: site.ctx.signal };
  return (await site.admin.json<readonly RemoteTarget[] | null>(call)) ?? [];
}

/** Stores a new target, or the `parts` of one that has an ARN. Returns the ARN. */
export function setTarget(site: BucketSite, target: RemoteTarget, parts?: readonly TargetUpdate[]): Promise<string> {
  const flags = parts === undefined ? {} : Object.fromEntries(["update", ...parts].map((part) => [part, "true"]));
  const query: Record<string, string> = { bucket: site.bucket, ...flags };
  const body = Buffer.from(JSON.stringify(target));
  const call = { method: "PUT", path: "set-remote-target", query, body, sealed: true, signal: site.ctx.signal };
  return site.admin.json<string>(call);
}

/** Returns how many changes had not reached it; only a Resilver says it, others: 0. */
export async function removeTarget(site: BucketSite, arn: string): Promise<number> {
  const query = { bucket: site.bucket, arn };
  const call = { method: "DELETE", path: "remove-remote-target", query, signal: site.ctx.signal };
  const answer = await site.admin.stream(call);
  await answer.discard();
  return Number(answer.headers[RESILVER_DROPPED] ?? 0);
}

/** A line below the message of a removal, and a member of its JSON: nothing where all had arrived. */
export function droppedChanges(count: number): { readonly text: string; readonly json: { dropped?: number } } {
  if (count === 0) return { text: "", json: {} };
  const text = `\n${count} changes had not reached the target: purges among them get there by a resync only.`;
  return { text, json: { dropped: count } };
}

/** The target with `arn`; CommandError when the bucket has none such. */
export function targetByArn(targets: readonly RemoteTarget[], arn: string): RemoteTarget {
  const found = targets.find((target) => target.arn === arn);
  if (found !== undefined) return found;
  throw new CommandError("The remote target does not exist", new Error(`no target of the bucket has the ARN ${arn}`));
}

/**
 * The ARN that `value` means: an ARN, a rule ID, a URL or ALIAS/BUCKET; without a value the only one in use.
 * Throws CommandError that lists the choices.
 */
export async function resolveArn(
  site: BucketSite,
  value: string | undefined,
  config: ReplicationConfig | undefined,
): Promise<string> {
  const used = [...new Set(config?.rules.map((rule) => ruleArn(config, rule)))];
  if (value === undefined || value === "") {
    if (used.length === 1 && used[0] !== undefined) return used[0];
    const choices = used.length === 0 ? "the bucket has no rule" : `give one of ${used.join(", ")}`;
    throw new CommandError("Which remote bucket is meant is not clear", new Error(choices));
  }
  if (value.startsWith("arn:")) return value;
  const rule = config?.rules.find((candidate) => candidate.id === value);
  if (rule !== undefined && config !== undefined) return ruleArn(config, rule);
  const address = parseRemoteAddress(value, site.ctx.aliases());
  if (address.kind === "arn") return address.arn;
  const matching = (await listTargets(site)).filter((target) => sameRemote(target, address));
  const arn = matching[0]?.arn;
  if (matching.length === 1 && arn !== undefined) return arn;
  const why = matching.length === 0 ? "no target leads there" : "several targets lead there; give the ARN";
  throw new CommandError(`Unable to find the target \`${address.endpoint}/${address.bucket}\``, new Error(why));
}
