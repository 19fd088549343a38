/** The steps of `replicate restore` for one bucket. Each may be done again: what is done already is left as it is. */
import { answeredWith } from "../../../client/errors.ts";
import { resyncStatus, startResync } from "../../../client/resync-calls.ts";
import { bucketExists, getReplication, putReplication } from "../../../client/s3-calls.ts";
import { ruleArn, type ReplicationConfig } from "../../../model/replication-config.ts";
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
import type { RestoreMemory } from "./restore-memory.ts";
import { resyncDetail } from "./resync-detail.ts";
import { watchResync } from "./resync-watch.ts";

export interface Restore {
  readonly ctx: CommandContext;
  /** The healthy side. */
  readonly source: BucketSite;
  /** The damaged side. */
  readonly target: BucketSite;
  readonly users: boolean;
  /** Where a rule of the damaged side has to lead to; it is made when there is none. */
  readonly back: string | undefined;
  readonly deep: boolean;
  /** Secrets of accounts that this run has made, by access key: buckets of a site may share one. */
  readonly accounts: Map<string, Promise<string>>;
  readonly memory: RestoreMemory;
  readonly say: (text: string, json?: Record<string, unknown>) => void;
}

/** The rule's target that is the damaged side. */
export async function targetOf({ ctx, source, target }: Restore): Promise<RemoteTarget> {
  const config = await requireConfig(source, `Unable to restore from ${source.url}`);
  const used = usedArns(config);
  const address = parseRemoteAddress(target.url, ctx.aliases());
  const targets = (await listTargets(source)).filter(({ arn }) => used.has(arn ?? ""));
  const found = targets.find((known) => address.kind === "endpoint" && sameRemote(known, address));
  if (found !== undefined) return found;
  const known = targets.map(({ endpoint, targetbucket }) => `${endpoint}/${targetbucket}`).join(", ");
  throw new CommandError(
    `No rule of ${source.url} leads to ${target.url}`,
    new Error(
      `its rules lead to ${known || "nowhere"}; the alias must have the address that the rule has. ` +
        `If the site has another address now: mc replicate update ${source.url} --id RULE ` +
        `--remote-bucket http://USER:SECRET@HOST/${target.bucket}`,
    ),
  );
}

const usedArns = (config: ReplicationConfig | undefined): Set<string> =>
  new Set(config?.rules.map((rule) => ruleArn(config, rule)));

/** A missing bucket is made as it is at the source: versioning, lock, encryption, policy, tags, quota, CORS and the rest. */
export async function makeBucket({ ctx, source, target, memory, say }: Restore): Promise<void> {
  const there = await bucketExists(target.s3, target.bucket, ctx.signal);
  // A run that was interrupted while it made the bucket may have left it without its lock, its policy or its versions.
  if (there && memory.read().making !== true) return say(`${target.url} is there`);
  if (source.bucket !== target.bucket)
    throw new CommandError(
      `${target.url} is missing`,
      new Error(`it is not called as its source; make it yourself: mc mb --with-versioning ${target.url}`),
    );
  const { signal } = ctx;
  const query = { bucket: source.bucket };
  memory.add({ making: true });
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
  memory.add({ making: false });
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
  const known = accounts.get(accessKey);
  const made = known ?? storeAccount(restore, accessKey);
  accounts.set(accessKey, made);
  const credentials = { accessKey, secretKey: await made };
  await setTarget(source, { ...remote, credentials }, ["creds"]);
  say(`Made the account ${accessKey} with ${POLICY}; ${source.url} has its new keys`);
  if (known === undefined) await renewOthers(restore, remote, credentials);
}

/** Other buckets of the source that use the account have the old secret: they would stop replicating. */
async function renewOthers(
  { source, say }: Restore,
  remote: RemoteTarget,
  credentials: NonNullable<RemoteTarget["credentials"]>,
): Promise<void> {
  const all = await listTargets({ ...source, bucket: "" });
  for (const target of all) {
    const { sourcebucket, endpoint, arn } = target;
    if (arn === remote.arn || endpoint !== remote.endpoint || target.credentials?.accessKey !== credentials.accessKey)
      continue;
    const url = `${source.url.split("/")[0]}/${sourcebucket}`;
    try {
      await setTarget({ ...source, bucket: sourcebucket }, { ...target, credentials }, ["creds"]);
      say(`${url} uses it too, and has its new keys`);
    } catch (error) {
      say(`${url} uses it too, and gets its new keys when it is restored: ${messageOf(error)}`);
    }
  }
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

async function storeAccount({ ctx, target }: Restore, accessKey: string): Promise<string> {
  const { signal } = ctx;
  const secretKey = systemRandom.bytes(30).toString("base64url");
  const body = jsonBody({ secretKey, status: "enabled" });
  await target.admin.call({ method: "PUT", path: "add-user", query: { accessKey }, body, sealed: true, signal });
  const mapping = { policyName: POLICY, userOrGroup: accessKey, isGroup: "false" };
  await target.admin.call({ method: "PUT", path: "set-user-or-group-policy", query: mapping, signal });
  return secretKey;
}

/** Returns those of the rules that are there: a site that was lost meanwhile has none of them any more. */
async function setRules({ target }: Restore, ids: readonly string[], enabled: boolean): Promise<string[]> {
  const config = await getReplication(target.s3, named(target));
  const there = (config?.rules ?? []).filter(({ id }) => ids.includes(id));
  if (config === undefined || there.length === 0) return [];
  const rules = config.rules.map((rule) => (ids.includes(rule.id) ? { ...rule, enabled } : rule));
  await putReplication(target.s3, named(target), { ...config, rules });
  return there.map(({ id }) => id);
}

/** What the damaged side did to itself must not travel while it is being mended. */
export async function disableRules(restore: Restore): Promise<void> {
  const { target, memory, say } = restore;
  const config = await getReplication(target.s3, named(target));
  const enabled = (config?.rules ?? []).filter((rule) => rule.enabled).map(({ id }) => id);
  const all = [...new Set([...(memory.read().disabled ?? []), ...enabled])];
  // Remembered first: an interrupted run must not leave a rule disabled for ever.
  if (all.length > 0) memory.add({ disabled: all });
  const disabled = await setRules(restore, all, false);
  const names = disabled.join(", ");
  say(names === "" ? `${target.url} has no rules to disable` : `Disabled at ${target.url}: ${names}`);
}

/** Starts the resync, or follows the one that an earlier run has started. True: clean to its end. */
export async function resync(restore: Restore, remote: RemoteTarget): Promise<boolean> {
  const { source, users, say } = restore;
  const arn = remote.arn ?? "";
  const accessKey = remote.credentials?.accessKey ?? "";
  for (;;) {
    let id: string | undefined;
    // Before the start, which may be the last thing that the old keys were good for.
    let keys = restore.accounts.get(accessKey);
    try {
      id = await start(restore, arn);
    } catch (error) {
      // An earlier run made the account and was interrupted before the source had its keys.
      if (!(error instanceof Error) || !STALE_KEYS.test(error.message)) throw error;
      if (!users)
        throw new CommandError(
          `The account ${accessKey} at ${restore.target.url} has another secret, or lacks rights, for what ${source.url} has`,
          new Error(`${error.message} With --users it gets a new secret and ${POLICY}, and ${source.url} its new keys`),
        );
      await renewAccount(restore, remote);
      keys = restore.accounts.get(accessKey);
      id = await start(restore, arn);
    }
    const code = await watchResync({ site: source, clock: systemClock(), arn, resetId: id, show: true });
    if (code !== 0 && restore.accounts.get(accessKey) !== keys) {
      // Another bucket of this run found the account with a secret that the source does not have.
      say(`The account ${accessKey} got new keys meanwhile: once more`);
      continue;
    }
    if (id !== undefined) return code === 0;
    // It may have been about a part only, or have looked for damage before there was any.
    say("That resync was not of this restore: now one of its own");
  }
}

const STALE_KEYS = /InvalidAccessKeyId|SignatureDoesNotMatch|AccessDenied/;

/** The id of the resync of this restore; undefined: one that somebody else has started runs. */
async function start({ source, deep, memory, say }: Restore, arn: string): Promise<string | undefined> {
  const { resync: earlier } = memory.read();
  const id = systemRandom.uuid();
  try {
    // Before it is asked for: its answer may get lost.
    memory.add({ resync: { id, deep } });
    await startResync(source.s3, { ...named(source), arn, resetId: id, extras: deep ? { deep } : undefined });
    say(`Resync of ${source.url} started with ID ${id}`);
    return id;
  } catch (error) {
    const running = answeredWith(error, "BadRequest") && error.message.includes("already in progress");
    if (!running) throw error;
    memory.add({ resync: earlier });
    const { target = [] } = await resyncStatus(source.s3, { ...named(source), arn });
    const isOurs = earlier !== undefined && earlier.deep === deep && target[0]?.resetid === earlier.id;
    say(`${isOurs ? "The" : "Another"} resync of ${source.url} runs already; following it`);
    return isOurs ? earlier.id : undefined;
  }
}

/** Versions that the resync could not bring, since no repeat would: their bytes are lost at the source too, say. */
export async function leftBehind({ source }: Restore, remote: RemoteTarget): Promise<number> {
  const { target = [] } = await resyncStatus(source.s3, { ...named(source), arn: remote.arn ?? "" });
  return resyncDetail(target[0] ?? {})?.notReplicable ?? 0;
}

/** The rules as they were before; the one that was asked for is made where no rule leads there. */
export async function enableRules(restore: Restore): Promise<void> {
  const { target, back, memory, say } = restore;
  const enabled = await setRules(restore, memory.read().disabled ?? [], true);
  memory.forget();
  if (enabled.length > 0) say(`Enabled at ${target.url}: ${enabled.join(", ")}`);
  const config = await getReplication(target.s3, named(target));
  const rules = config?.rules ?? [];
  const disabled = rules.filter((rule) => !rule.enabled).map(({ id }) => id);
  if (disabled.length > 0) say(`Disabled at ${target.url}, and not by this command: ${disabled.join(", ")}`);
  if (back !== undefined) return makeRule(restore, config, back);
  if (rules.length > 0) return;
  say(
    `${target.url} has no rule of its own. To replicate back: mc replicate add ${target.url} ` +
      `--remote-bucket http://USER:SECRET@HOST/${restore.source.bucket}, or --back with this command`,
  );
}

/** To the site that was asked for; a rule to another one is no reason not to. */
async function makeRule(
  { ctx, target, say }: Restore,
  config: ReplicationConfig | undefined,
  back: string,
): Promise<void> {
  const address = parseRemoteAddress(back, ctx.aliases());
  const used = usedArns(config);
  const leads = (known: RemoteTarget): boolean =>
    address.kind === "arn" ? known.arn === address.arn : sameRemote(known, address);
  if ((await listTargets(target)).some((known) => used.has(known.arn ?? "") && leads(known))) return;
  const flags = new FlagValues();
  flags.set("remote-bucket", back);
  await addCommand.run?.(ctx, [target.url], flags);
  say(`Made a rule of ${target.url} to the site that --back names`);
}
