/** The steps of `replicate restore` for one bucket. Each may be done again: what is done already is left as it is. */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { answeredWith } from "../../../client/errors.ts";
import { startResync } from "../../../client/resync-calls.ts";
import { bucketExists, getReplication, putReplication } from "../../../client/s3-calls.ts";
import { ruleArn } from "../../../model/replication-config.ts";
import { systemClock } from "../../../runtime/clock.ts";
import { systemRandom } from "../../../runtime/random.ts";
import type { CommandContext } from "../../command.ts";
import { CommandError } from "../../command.ts";
import { FlagValues } from "../../flags.ts";
import { bucketLines } from "../admin/cluster.ts";
import { jsonBody } from "../admin/common.ts";
import { addCommand } from "./add.ts";
import type { BucketSite } from "./common.ts";
import { listTargets, named, requireConfig, setTarget } from "./common.ts";
import { parseRemoteAddress, sameRemote } from "./remote-address.ts";
import type { RemoteTarget } from "./remote-target.ts";
import { watchResync } from "./resync-watch.ts";

export interface Restore {
  readonly ctx: CommandContext;
  /** The healthy side. */
  readonly source: BucketSite;
  /** The damaged side. */
  readonly target: BucketSite;
  readonly users: boolean;
  /** Where a rule of the damaged side leads to, when it has none any more. */
  readonly back: string | undefined;
  readonly deep: boolean;
  /** Secrets of accounts that this run has made, by access key: buckets of a site may share one. */
  readonly accounts: Map<string, Promise<string>>;
  readonly say: (text: string, json?: Record<string, unknown>) => void;
}

/** The rule's target that is the damaged side. */
export async function targetOf({ ctx, source, target }: Restore): Promise<RemoteTarget> {
  const config = await requireConfig(source, `Unable to restore from ${source.url}`);
  const used = new Set<string>(config.rules.map((rule) => ruleArn(config, rule)));
  const address = parseRemoteAddress(target.url, ctx.aliases());
  const targets = (await listTargets(source)).filter(({ arn }) => used.has(arn ?? ""));
  const found = targets.find((known) => address.kind === "endpoint" && sameRemote(known, address));
  if (found !== undefined) return found;
  const known = targets.map(({ endpoint, targetbucket }) => `${endpoint}/${targetbucket}`).join(", ");
  throw new CommandError(
    `No rule of ${source.url} leads to ${target.url}`,
    new Error(`its rules lead to ${known || "nowhere"}; the alias must have the address that the rule has`),
  );
}

/** A missing bucket is made as it is at the source: versioning, lock, encryption, policy, tags, quota, CORS and the rest. */
export async function makeBucket({ ctx, source, target, say }: Restore): Promise<void> {
  if (await bucketExists(target.s3, target.bucket, ctx.signal)) return say(`${target.url} is there`);
  if (source.bucket !== target.bucket)
    throw new CommandError(
      `${target.url} is missing`,
      new Error(`it is not called as its source; make it yourself: mc mb --with-versioning ${target.url}`),
    );
  const { signal } = ctx;
  const query = { bucket: source.bucket };
  const body = await source.admin.call({ method: "GET", path: "export-bucket-metadata", query, signal });
  const result = await target.admin.json<object>({
    method: "PUT",
    path: "import-bucket-metadata",
    query,
    body,
    signal,
  });
  const { lines, failed } = bucketLines(result);
  if (failed) throw new CommandError(`Unable to make ${target.url} as it was`, new Error(lines.join("; ")));
  say(`Made ${target.url} as at the source: ${lines.join("; ")}`);
}

const POLICY = "ReplicationRemoteUserPolicy";

/** The account that the source's rule uses at the damaged side; a lost one is made again with a new secret. */
export async function makeAccount(restore: Restore, remote: RemoteTarget): Promise<void> {
  const { ctx, source, target, users, accounts, say } = restore;
  const accessKey = remote.credentials?.accessKey ?? "";
  if (accessKey === ctx.aliases()[target.url.split("/")[0] ?? ""]?.accessKey) return;
  if (!accounts.has(accessKey)) {
    const there = await accountThere(restore, accessKey);
    if (there) return say(`The account ${accessKey} is there`);
  }
  if (!users)
    throw new CommandError(
      `The account ${accessKey} that ${source.url} uses at ${target.url} is gone`,
      new Error("run it with --users to make it again, or bring back the site's users first"),
    );
  await renewAccount(restore, remote);
}

async function accountThere({ ctx, target }: Restore, accessKey: string): Promise<boolean> {
  const { signal } = ctx;
  try {
    await target.admin.call({ method: "GET", path: "user-info", query: { accessKey }, signal });
    return true;
  } catch (error) {
    if (answeredWith(error, "XMinioAdminNoSuchUser")) return false;
    throw error;
  }
}

/** A new secret at both sides; once a run for each account. */
async function renewAccount(restore: Restore, remote: RemoteTarget): Promise<void> {
  const { source, accounts, say } = restore;
  const accessKey = remote.credentials?.accessKey ?? "";
  const known = accounts.get(accessKey) ?? storeAccount(restore, accessKey);
  accounts.set(accessKey, known);
  await setTarget(source, { ...remote, credentials: { accessKey, secretKey: await known } }, ["creds"]);
  say(`Made the account ${accessKey} with ${POLICY}; ${source.url} has its new keys`);
}

async function storeAccount({ ctx, target }: Restore, accessKey: string): Promise<string> {
  const { signal } = ctx;
  const secretKey = systemRandom.bytes(30).toString("base64url");
  const body = jsonBody({ secretKey, status: "enabled" });
  await target.admin.call({ method: "PUT", path: "add-user", query: { accessKey }, body, sealed: true, signal });
  const mapping = { policyName: POLICY, userOrGroup: accessKey, isGroup: "false" };
  await target.admin.call({ method: "PUT", path: "set-user-or-group-policy", query: mapping, signal });
  return secretKey;
}

/** Which rules of the damaged side were disabled by an earlier, interrupted run. */
class Disabled {
  readonly #file: string;

  constructor(ctx: CommandContext, target: BucketSite) {
    this.#file = join(ctx.configDir, "restore", `${target.url.replaceAll("/", "--")}.json`);
  }

  read(): string[] {
    try {
      return JSON.parse(readFileSync(this.#file, "utf8")) as string[];
    } catch {
      return [];
    }
  }

  write(ids: readonly string[]): void {
    mkdirSync(dirname(this.#file), { recursive: true, mode: 0o700 });
    writeFileSync(this.#file, JSON.stringify(ids), { mode: 0o600 });
  }

  forget(): void {
    rmSync(this.#file, { force: true });
  }
}

async function setRules({ target }: Restore, ids: readonly string[], enabled: boolean): Promise<void> {
  const config = await getReplication(target.s3, named(target));
  if (config === undefined || ids.length === 0) return;
  const rules = config.rules.map((rule) => (ids.includes(rule.id) ? { ...rule, enabled } : rule));
  await putReplication(target.s3, named(target), { ...config, rules });
}

/** What the damaged side did to itself must not travel while it is being mended. */
export async function disableRules(restore: Restore): Promise<void> {
  const { ctx, target, say } = restore;
  const config = await getReplication(target.s3, named(target));
  const memory = new Disabled(ctx, target);
  const enabled = (config?.rules ?? []).filter((rule) => rule.enabled).map(({ id }) => id);
  const all = [...new Set([...memory.read(), ...enabled])];
  // Remembered first: an interrupted run must not leave a rule disabled for ever.
  if (all.length > 0) memory.write(all);
  await setRules(restore, enabled, false);
  say(all.length === 0 ? `${target.url} has no rules to disable` : `Disabled at ${target.url}: ${all.join(", ")}`);
}

/** Starts the resync, or follows the one that an earlier run has started. True: clean to its end. */
export async function resync(restore: Restore, remote: RemoteTarget): Promise<boolean> {
  const { source, users } = restore;
  try {
    await start(restore, remote);
  } catch (error) {
    // An earlier run made the account and was interrupted before the source had its keys.
    if (!users || !(error instanceof Error) || !STALE_KEYS.test(error.message)) throw error;
    await renewAccount(restore, remote);
    await start(restore, remote);
  }
  const arn = remote.arn ?? "";
  return (await watchResync({ site: source, clock: systemClock(), arn, resetId: undefined, show: true })) === 0;
}

const STALE_KEYS = /InvalidAccessKeyId|SignatureDoesNotMatch|AccessDenied/;

async function start({ source, deep, say }: Restore, { arn = "" }: RemoteTarget): Promise<void> {
  const job = { ...named(source), arn, resetId: systemRandom.uuid(), extras: deep ? { deep } : undefined };
  try {
    await startResync(source.s3, job);
    say(`Resync of ${source.url} started with ID ${job.resetId}`);
  } catch (error) {
    const running = answeredWith(error, "BadRequest") && error.message.includes("already in progress");
    if (!running) throw error;
    say(`A resync of ${source.url} runs already; following it`);
  }
}

/** The rules as they were before; where there were none, a new one when it was asked for. */
export async function enableRules(restore: Restore): Promise<void> {
  const { ctx, target, back, say } = restore;
  const memory = new Disabled(ctx, target);
  const ids = memory.read();
  await setRules(restore, ids, true);
  memory.forget();
  if (ids.length > 0) return say(`Enabled at ${target.url}: ${ids.join(", ")}`);
  const config = await getReplication(target.s3, named(target));
  if (config !== undefined && config.rules.length > 0) return;
  if (back === undefined)
    return say(
      `${target.url} has no rule of its own. To replicate back: mc replicate add ${target.url} ` +
        `--remote-bucket http://USER:SECRET@HOST/${restore.source.bucket}, or --back with this command`,
    );
  const flags = new FlagValues();
  flags.set("remote-bucket", back);
  await addCommand.run?.(ctx, [target.url], flags);
}
