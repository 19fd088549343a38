/** `mc mirror` (mc-cli.md 5.4): one pass; there is no --watch. */
import * as calls from "../../client/s3-calls.ts";
import { AGE_FLAGS } from "../age.ts";
import type { Command, CommandContext, ParsedFlags, Target } from "../command.ts";
import { CommandError } from "../command.ts";
import { ENC_FLAGS } from "../global-flags.ts";
import { listLocal } from "../list/local.ts";
import { LocalNames } from "../list/local-names.ts";
import { globPattern } from "../list/match.ts";
import type { Tree } from "../list/places.ts";
import { pairs, requireFolder, treeOf } from "../list/places.ts";
import { hasKey, listBuckets } from "../list/remote.ts";
import { refuseUnknownAlias } from "../transfer/expand.ts";
import type { TransferOptions } from "../transfer/options.ts";
import { ATTRIBUTE_FLAGS, PRESERVE_FLAG, WRITE_FLAGS } from "../transfer/options.ts";
import type { Item } from "../transfer/session.ts";
import { runSession } from "../transfer/session.ts";
import type { Place } from "../transfer/transfer.ts";
import type { RemoteTarget } from "../targets.ts";
import { UsageError } from "../usage-error.ts";
import { optionsFor, workersFor } from "./cp.ts";
import { prepareBucket } from "./mirror/bucket.ts";
import { Removals } from "./mirror/removals.ts";
import type { Rules } from "./mirror/rules.ts";
import { decide, overlap, rulesOf } from "./mirror/rules.ts";

async function run(ctx: CommandContext, args: readonly string[], flags: ParsedFlags): Promise<number> {
  const [from, to, ...rest] = args;
  if (from === undefined || to === undefined || rest.length > 0)
    throw new UsageError("`mc mirror` takes SOURCE TARGET");
  for (const name of ["watch", "active-active", "monitoring-address"]) {
    if (!flags.given(name)) continue;
    throw new CommandError(
      `--${name} is not supported: a mirror is one pass. For continuous copies use \`mc replicate add\``,
    );
  }
  const source = ctx.target(from);
  const target = ctx.target(to);
  refuseOverlap(ctx, source, target, flags);
  if (source.kind === "local") {
    await refuseUnknownAlias(target);
    await requireFolder(source.path);
  }
  let code = 0;
  for await (const [one, other] of parts(ctx, source, target, flags)) {
    code = Math.max(code, await mirrorOne(ctx, one, other, flags));
    if (code !== 0 && !flags.bool("skip-errors")) break;
  }
  return code;
}

/** The first would never end, the second would delete its own source. */
function refuseOverlap(ctx: CommandContext, source: Target, target: Target, flags: ParsedFlags): void {
  const how = overlap(source, target, (alias) => ctx.s3(alias).endpoint.url);
  if (
    how === "target-inside-source" &&
    flags.list("exclude").length === 0 &&
    flags.list("exclude-bucket").length === 0
  ) {
    throw new CommandError(`\`${target.text}\` lies inside \`${source.text}\`. Leave it out with --exclude`);
  }
  if (how === "source-inside-target" && flags.bool("remove")) {
    throw new CommandError(`\`${source.text}\` lies inside \`${target.text}\`: --remove would delete it`);
  }
}

/** A whole server goes bucket by bucket; to a whole server, the folders of a folder become its buckets. */
async function* parts(
  ctx: CommandContext,
  source: Target,
  target: Target,
  flags: ParsedFlags,
): AsyncIterable<readonly [Target, Target]> {
  const excluded = flags.list("exclude-bucket").map(globPattern);
  const into = (bucket: string): Target => ctx.target(`${target.text.replace(/\/$/, "")}/${bucket}`);
  if (source.kind === "remote" && source.bucket === "") {
    for (const { key } of await listBuckets(ctx.s3(source.alias), ctx.signal)) {
      const bucket = key.slice(0, -1);
      if (!excluded.some((pattern) => pattern.test(bucket)))
        yield [ctx.target(`${source.alias}/${bucket}`), into(bucket)];
    }
  } else if (source.kind === "local" && target.kind === "remote" && target.bucket === "") {
    for await (const { key, type } of listLocal(source.path)) {
      const path = `${source.path.replace(/\/$/, "")}/${key}`;
      if (type === "file")
        throw new CommandError(`\`${path}\` is in no folder that could become a bucket. Write ALIAS/BUCKET[/PREFIX]`);
      const bucket = key.replace(/\/$/, "");
      if (!excluded.some((pattern) => pattern.test(bucket))) yield [{ kind: "local", path, text: path }, into(bucket)];
    }
  } else yield [source, target];
}

async function mirrorOne(ctx: CommandContext, source: Target, target: Target, flags: ParsedFlags): Promise<number> {
  const options = optionsFor(ctx, flags);
  const pass = new Pass(ctx, source, target, flags, options);
  if (source.kind === "remote") await requireSource(ctx, source);
  if (target.kind === "remote") {
    if (target.bucket === "") throw new CommandError(`\`${target.text}\` names no bucket. Write ALIAS/BUCKET[/PREFIX]`);
    const settings = { region: flags.string("region"), preserve: flags.bool("preserve") };
    if (!flags.bool("dry-run")) await prepareBucket(ctx, source, target, settings);
  }
  const code = await runSession(pass.items(), {
    ctx,
    options,
    clock: options.clock,
    workers: workersFor(flags),
    stopAtFirstError: !flags.bool("skip-errors"),
    dryRun: flags.bool("dry-run"),
  });
  return pass.failed ? 1 : code;
}

/**
 * Before the target is made or anything is removed from it: a mistyped source leaves no empty bucket behind, and a folder in
 * which nothing is, which is none on a server, does not empty the target with --remove.
 */
async function requireSource(ctx: CommandContext, { alias, bucket, key, text }: RemoteTarget): Promise<void> {
  const client = ctx.s3(alias);
  if (!(await calls.bucketExists(client, bucket, ctx.signal)))
    throw new CommandError(`Bucket \`${alias}/${bucket}\` does not exist`);
  if (key === "") return;
  const prefix = key.endsWith("/") ? key : `${key}/`;
  const page = await calls.listObjectsV2(client, { bucket, prefix, maxKeys: 1, signal: ctx.signal });
  if (page.objects.length === 0) throw new CommandError(`There is nothing below \`${text}\``);
}

/** One walk over both sides. */
class Pass {
  readonly #ctx: CommandContext;
  readonly #from: Tree;
  readonly #to: Tree;
  readonly #rules: Rules;
  readonly #skipErrors: boolean;
  readonly #removals: Removals;
  /** When keys become files of this machine. */
  readonly #names: LocalNames | undefined;
  /** Something other than a copy failed; it was reported. */
  failed = false;

  constructor(ctx: CommandContext, source: Target, target: Target, flags: ParsedFlags, options: TransferOptions) {
    const { clock } = options;
    this.#ctx = ctx;
    this.#from = treeOf(ctx, source);
    this.#to = treeOf(ctx, target, { mayBeMissing: true });
    this.#rules = rulesOf(flags, target, clock.nowMs());
    this.#skipErrors = flags.bool("skip-errors");
    const exists = async (key: string): Promise<boolean> => {
      const place = this.#from.place(key);
      return place.kind === "remote" && (await hasKey(place.address.client, place.address, ctx.signal));
    };
    this.#names = source.kind === "remote" && target.kind === "local" ? new LocalNames(exists) : undefined;
    const fail = (what: string, cause: unknown): void => this.#fail(what, cause);
    this.#removals = new Removals({ ctx, clock, dryRun: flags.bool("dry-run"), fail });
  }

  /** What has to be copied; removes on the way what is too much at the target. */
  async *items(): AsyncIterable<Item> {
    for await (const pair of pairs(this.#from.list(), this.#to.list())) {
      const key = (pair.first ?? pair.second)?.key ?? "";
      const verdict = decide(pair, this.#rules);
      if (verdict === "keep") continue;
      // The file of a key that is called otherwise: `a//b` is `a/b` on this machine.
      if (verdict === "remove" && this.#names?.isTaken(key) === true) continue;
      const target = await this.#target(key);
      if (target === undefined) continue;
      if (verdict === "copy") yield { source: this.#from.place(key), target, size: pair.first?.size ?? 0 };
      else if (verdict === "remove") await this.#removals.add(target);
      else
        this.#fail(
          `Overwrite not allowed for \`${target.path}\`. Use \`--overwrite\` to override this behavior`,
          undefined,
        );
    }
    await this.#removals.flush();
  }

  /** Undefined, and reported, when the key has no place there. */
  async #target(key: string): Promise<Place | undefined> {
    try {
      await this.#names?.take(key);
      return this.#to.place(key);
    } catch (error) {
      if (!(error instanceof CommandError)) throw error;
      this.#fail(error.message, error.reason);
      return undefined;
    }
  }

  #fail(what: string, cause: unknown): void {
    if (!this.#skipErrors) throw new CommandError(what, cause);
    this.failed = true;
    this.#ctx.out.error(what, cause);
  }
}

export const mirrorCommand: Command = {
  name: "mirror",
  summary: "make a bucket or folder hold what another one holds",
  usage: "SOURCE TARGET",
  examples: [
    { what: "what is missing", line: "mc mirror photos/ home/photos" },
    {
      what: "exactly the same names, replacing and removing",
      line: "mc mirror --overwrite --remove home/photos away/photos",
    },
    { what: "a whole server into a folder, and back", line: "mc mirror home backup/; mc mirror backup/ home" },
    { what: "only say what would be done", line: "mc mirror --dry-run --remove home/photos away/photos" },
  ],
  flags: [
    { name: "overwrite", aliases: ["force"], kind: "bool", help: "replace objects of another size" },
    { name: "remove", kind: "bool", help: "remove what the source does not have" },
    { name: "dry-run", aliases: ["fake"], kind: "bool", help: "only say what would be done" },
    { name: "exclude", kind: "list", help: "leave out names that match (* and ?); repeatable" },
    { name: "exclude-bucket", kind: "list", help: "leave out buckets that match; repeatable" },
    { name: "exclude-storageclass", kind: "list", help: "leave out a storage class; repeatable" },
    ...AGE_FLAGS,
    ...WRITE_FLAGS,
    ...ATTRIBUTE_FLAGS,
    PRESERVE_FLAG,
    ...ENC_FLAGS,
    { name: "region", kind: "string", help: "region of a bucket that has to be made" },
    { name: "skip-errors", kind: "bool", help: "go on after a failure (the exit code stays 1)" },
    { name: "max-workers", kind: "int", help: "objects at a time (default 8)" },
    { name: "retry", kind: "bool", help: "accepted: failed requests are repeated anyway" },
    { name: "summary", kind: "bool", help: "accepted: a summary is always shown" },
    { name: "watch", aliases: ["w"], kind: "bool", help: "not supported", hidden: true },
    { name: "active-active", aliases: ["multi-master"], kind: "bool", help: "not supported", hidden: true },
    { name: "monitoring-address", kind: "string", help: "not supported", hidden: true },
  ],
  run,
};
