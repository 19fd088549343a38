/** `admin prometheus`: a scrape configuration, made without a request, and the metrics themselves (admin-api.md 6.13). */
import { createHmac } from "node:crypto";
import { S3ResponseError } from "../../../client/errors.ts";
import { errorFields } from "../../../client/s3-client.ts";
import { systemClock } from "../../../runtime/clock.ts";
import type { AliasEntry, Command, CommandContext, FlagSpec } from "../../command.ts";
import { CommandError } from "../../command.ts";
import type { AdminSite } from "./common.ts";
import { adminSubcommand } from "./common.ts";

const TOKEN_SECONDS = 100 * 365 * 24 * 3600;
const V2_TYPES = ["cluster", "node", "bucket", "resource"];
const V3_BUCKET_TYPES = ["api", "replication"];

const FLAGS: readonly FlagSpec[] = [
  { name: "api-version", kind: "string", help: "v2 (default) or v3" },
  { name: "bucket", kind: "string", help: "with v3: metrics of one bucket, type api or replication" },
];

export const prometheusCommand: Command = {
  name: "prometheus",
  summary: "metrics for Prometheus",
  subcommands: [
    adminSubcommand({
      name: "generate",
      summary: "print a scrape configuration with a token",
      usage: "ALIAS [TYPE]",
      examples: [{ what: "for the replication metrics of buckets", line: "mc admin prometheus generate here bucket" }],
      flags: [{ name: "public", kind: "bool", help: "without a token" }, ...FLAGS],
      argCount: [0, 1],
      what: "Unable to generate the Prometheus configuration",
      work: generate,
    }),
    adminSubcommand({
      name: "metrics",
      summary: "print the metrics",
      usage: "ALIAS [TYPE]",
      flags: FLAGS,
      argCount: [0, 1],
      what: "Unable to get the metrics",
      work: printMetrics,
    }),
  ],
};

export interface ScrapeConfig {
  readonly jobName: string;
  readonly bearerToken?: string | undefined;
  readonly metricsPath: string;
  readonly scheme: string;
  readonly staticConfigs: readonly { readonly targets: readonly string[] }[];
}

/** The path of a kind of metrics; throws CommandError on an unknown one. */
export function metricsPath(version: string, type: string | undefined, bucket: string | undefined): string {
  if (version === "v3") {
    const v3 = "/minio/metrics/v3";
    if (bucket === undefined) return type === undefined ? v3 : `${v3}/${type}`;
    if (!V3_BUCKET_TYPES.includes(type ?? ""))
      throw new CommandError(`With --bucket the type is one of ${V3_BUCKET_TYPES.join(", ")}`);
    return `${v3}/bucket/${type}/${bucket}`;
  }
  if (version !== "v2") throw new CommandError(`\`${version}\` is no version of the metrics; use v2 or v3`);
  if (type !== undefined && !V2_TYPES.includes(type))
    throw new CommandError(`\`${type}\` is none of ${V2_TYPES.join(", ")}`);
  return `/minio/v2/metrics/${type ?? "cluster"}`;
}

/** A token that lasts a hundred years: HS512 over the secret key. */
export function bearerToken(accessKey: string, secretKey: string, nowMs: number): string {
  const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");
  const exp = Math.floor(nowMs / 1000) + TOKEN_SECONDS;
  const signed = `${encode({ alg: "HS512", typ: "JWT" })}.${encode({ exp, sub: accessKey, iss: "prometheus" })}`;
  return `${signed}.${createHmac("sha512", secretKey).update(signed).digest("base64url")}`;
}

export function scrapeText(config: ScrapeConfig): string {
  return [
    "scrape_configs:",
    `- job_name: ${config.jobName}`,
    ...(config.bearerToken === undefined ? [] : [`  bearer_token: ${config.bearerToken}`]),
    `  metrics_path: ${config.metricsPath}`,
    `  scheme: ${config.scheme}`,
    "  static_configs:",
    ...config.staticConfigs.map((entry) => `  - targets: [${entry.targets.map((target) => `'${target}'`).join(", ")}]`),
  ].join("\n");
}

function entryOf(ctx: CommandContext, alias: string): AliasEntry {
  const aliases = ctx.aliases();
  const entry = Object.hasOwn(aliases, alias) ? aliases[alias] : undefined;
  if (entry === undefined) throw new CommandError(`No such alias \`${alias}\` found`);
  return entry;
}

function pathOf(site: AdminSite): string {
  return metricsPath(site.flags.string("api-version") || "v2", site.args[0], site.flags.string("bucket"));
}

async function generate(site: AdminSite): Promise<void> {
  const entry = entryOf(site.ctx, site.alias);
  const url = new URL(entry.url);
  const [type] = site.args;
  const token = bearerToken(entry.accessKey, entry.secretKey, systemClock().nowMs());
  const config: ScrapeConfig = {
    jobName: type === undefined ? "minio-job" : `minio-job-${type}`,
    ...(site.flags.bool("public") ? {} : { bearerToken: token }),
    metricsPath: pathOf(site),
    scheme: url.protocol.replace(":", ""),
    staticConfigs: [{ targets: [url.host] }],
  };
  site.ctx.out.message(scrapeText(config), { ...config });
}

async function printMetrics(site: AdminSite): Promise<void> {
  const entry = entryOf(site.ctx, site.alias);
  const token = bearerToken(entry.accessKey, entry.secretKey, systemClock().nowMs());
  // An unsigned request: the token takes the place of the signature.
  const client = site.ctx.s3For({ ...entry, accessKey: "", secretKey: "", sessionToken: undefined });
  const headers = { authorization: `Bearer ${token}` };
  const request = { method: "GET", key: pathOf(site).slice(1), headers, signal: site.ctx.signal };
  const answer = await client.request(request);
  if (answer.status !== 200) throw new S3ResponseError(await errorFields(request, answer));
  for await (const piece of answer.stream) await site.ctx.out.raw(piece);
}
