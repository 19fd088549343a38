/** What `stat` says about a bucket: its configuration, read by one request each, and its usage. */
import * as calls from "../../client/s3-calls.ts";
import { answeredWith } from "../../client/errors.ts";
import type { S3Client } from "../../client/s3-client.ts";
import { S3ResponseError } from "../../client/s3-client.ts";
import type { XmlElement } from "../../protocol/xml.ts";
import { parseXml } from "../../protocol/xml.ts";
import type { CommandContext } from "../command.ts";
import { CommandError } from "../command.ts";
import { permissionOf } from "../anonymous-grants.ts";
import type { Permission, PolicyDocument } from "../anonymous-grants.ts";
import { formatSize } from "../format.ts";

interface Usage {
  readonly size: number;
  readonly objectsCount: number;
  readonly versionsCount: number;
  readonly objectsSizesHistogram?: Readonly<Record<string, number>> | undefined;
}

/** The document of a sub-resource; undefined when it is not set, not supported or not allowed. */
async function resource(
  client: S3Client,
  bucket: string,
  name: string,
  signal: AbortSignal,
): Promise<Buffer | undefined> {
  try {
    const response = await client.send({ method: "GET", bucket, query: { [name]: "" }, signal });
    return await response.bytes();
  } catch (error) {
    if (error instanceof S3ResponseError && !answeredWith(error, "NoSuchBucket")) return undefined;
    throw error;
  }
}

async function xml(
  client: S3Client,
  bucket: string,
  name: string,
  signal: AbortSignal,
): Promise<XmlElement | undefined> {
  const bytes = await resource(client, bucket, name, signal);
  return bytes === undefined || bytes.length === 0 ? undefined : parseXml(bytes);
}

async function usageOf(ctx: CommandContext, alias: string, bucket: string): Promise<Usage | undefined> {
  interface DataUsage {
    readonly bucketsUsageInfo?: Readonly<Record<string, Usage>> | undefined;
  }
  try {
    const info = await ctx.admin(alias).json<DataUsage>({ method: "GET", path: "datausageinfo", signal: ctx.signal });
    return info.bucketsUsageInfo?.[bucket];
  } catch {
    // Usage is an extra that needs an admin's rights.
    return undefined;
  }
}

export interface BucketReport {
  readonly text: string;
  readonly json: Record<string, unknown>;
}

/** Reads everything at once; what may not be read shows as not set. */
export async function bucketReport(ctx: CommandContext, alias: string, bucket: string): Promise<BucketReport> {
  const client = ctx.s3(alias);
  const { signal } = ctx;
  // Wrong keys are refused each of the questions below: a bucket without anything would be made up.
  if (!(await calls.bucketExists(client, bucket, signal))) throw new CommandError("Bucket does not exist");
  const [versioning, lock, encryption, replication, policy, location, tags, lifecycle, notification, usage] =
    await Promise.all([
      xml(client, bucket, "versioning", signal),
      xml(client, bucket, "object-lock", signal),
      xml(client, bucket, "encryption", signal),
      calls.getReplication(client, { bucket, signal }).catch(() => undefined),
      resource(client, bucket, "policy", signal),
      calls.bucketLocation(client, bucket, signal).catch(() => ""),
      calls.getTags(client, { bucket, signal }).catch(() => ({})),
      xml(client, bucket, "lifecycle", signal),
      xml(client, bucket, "notification", signal),
      usageOf(ctx, alias, bucket),
    ]);
  const sse = encryption?.child("Rule")?.child("ApplyServerSideEncryptionByDefault");
  const parsedPolicy = policy === undefined ? undefined : (JSON.parse(policy.toString("utf8")) as PolicyDocument);
  const state: State = {
    versioning: versioning?.value("Status") ?? "",
    lock: lockOf(lock),
    algorithm: sse?.value("SSEAlgorithm") ?? "",
    keyId: sse?.value("KMSMasterKeyID") ?? "",
    replicated: replication !== undefined && replication.rules.length > 0,
    anonymous: permissionOf(parsedPolicy, { bucket, prefix: "" }),
    location: location === "" ? "us-east-1" : location,
    tags: Object.fromEntries(Object.entries(tags)),
    lifecycle: (lifecycle?.all("Rule").length ?? 0) > 0,
    notification: (notification?.children.length ?? 0) > 0,
    usage,
  };
  return { text: reportText(bucket, state), json: reportObject(bucket, state, replication, parsedPolicy) };
}

interface State {
  readonly versioning: string;
  readonly lock: { readonly enabled: boolean; readonly mode: string; readonly validity: string };
  readonly algorithm: string;
  readonly keyId: string;
  readonly replicated: boolean;
  readonly anonymous: Permission | "custom";
  readonly location: string;
  readonly tags: Readonly<Record<string, string>>;
  readonly lifecycle: boolean;
  readonly notification: boolean;
  readonly usage: Usage | undefined;
}

function lockOf(element: XmlElement | undefined): State["lock"] {
  const retention = element?.child("Rule")?.child("DefaultRetention");
  const days = retention?.value("Days");
  const years = retention?.value("Years");
  const validity = days !== undefined ? `${days}DAYS` : years !== undefined ? `${years}YEARS` : "";
  return { enabled: element?.value("ObjectLockEnabled") === "Enabled", mode: retention?.value("Mode") ?? "", validity };
}

function reportText(bucket: string, state: State): string {
  const { lock, usage } = state;
  const onOff = (on: boolean): string => (on ? "Enabled" : "Disabled");
  const lines = [
    `Name      : ${bucket}`,
    "Size      : N/A",
    "Type      : folder",
    "",
    "Properties:",
    `  Versioning: ${state.versioning === "" ? "Un-versioned" : state.versioning}`,
    `  Location: ${state.location}`,
    `  Anonymous: ${state.anonymous === "none" ? "Disabled" : "Enabled"}`,
    `  ILM: ${onOff(state.lifecycle)}`,
  ];
  if (state.algorithm !== "")
    lines.push(`  Encryption: ${state.algorithm}${state.keyId === "" ? "" : ` (${state.keyId})`}`);
  if (lock.enabled)
    lines.push(`  LockConfiguration: ${[lock.mode || "Enabled", lock.validity].filter(Boolean).join(" ")}`);
  if (state.notification) lines.push("  Notification: Enabled");
  if (state.replicated) lines.push("  Replication: Enabled");
  const tags = Object.entries(state.tags).map(([key, value]) => `${key}:${value}`);
  if (tags.length > 0) lines.push(`  Tagging: ${tags.join(", ")}`);
  if (usage !== undefined) {
    lines.push("", "Usage:", `  Total size: ${formatSize(usage.size)}`, `  Objects count: ${usage.objectsCount}`);
    lines.push(`  Versions count: ${usage.versionsCount}`);
  }
  return `${lines.join("\n")}\n`;
}

function reportObject(bucket: string, state: State, replication: unknown, policy: unknown): Record<string, unknown> {
  const { lock, usage } = state;
  return {
    status: "success",
    name: bucket,
    lastModified: "0001-01-01T00:00:00Z",
    size: 0,
    type: "folder",
    Versioning: { status: state.versioning, MFADelete: "" },
    Encryption:
      state.algorithm === ""
        ? {}
        : { algorithm: state.algorithm, ...(state.keyId === "" ? {} : { keyId: state.keyId }) },
    ObjectLock: lock.enabled
      ? { enabled: "Enabled", mode: lock.mode, validity: lock.validity }
      : { enabled: "", mode: "", validity: "" },
    Replication: state.replicated
      ? { enabled: true, config: replication }
      : { enabled: false, config: { Rules: null, Role: "" } },
    Policy: { type: state.anonymous, ...(policy === undefined ? {} : { policy }) },
    location: state.location,
    ...(Object.keys(state.tags).length === 0 ? {} : { tagging: state.tags }),
    ilm: state.lifecycle ? { enabled: true } : {},
    notification: state.notification ? { enabled: true } : {},
    Usage: usage === undefined ? {} : usage,
  };
}
