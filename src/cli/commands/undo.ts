/** `mc undo` (mc-cli.md 5.3): the newest versions and delete markers of a key go, so that what was before is current. */
import type { Command, CommandContext, ParsedFlags } from "../command.ts";
import { CommandError } from "../command.ts";
import type { Entry } from "../list/entry.ts";
import { listVersions } from "../list/remote.ts";
import { RECURSIVE_FLAG } from "../age.ts";
import { systemClock } from "../../runtime/clock.ts";
import type { RemoteTarget } from "../targets.ts";
import { remotePath, remoteTarget } from "../targets.ts";
import { removeAll } from "../transfer/remove.ts";
import type { Removed } from "../transfer/remove.ts";
import { UsageError } from "../usage-error.ts";
import { countArgs } from "./attempt.ts";

export const undoCommand: Command = {
  name: "undo",
  summary: "take back the last uploads and removals",
  usage: "ALIAS/BUCKET/KEY [--last N] [--action PUT|DELETE]",
  examples: [
    { what: "take back the last upload or removal of an object", line: "mc undo here/b/key" },
    {
      what: "what taking back the last removal below a prefix would do",
      line: "mc undo here/b/prefix -r --force --action DELETE --dry-run",
    },
  ],
  flags: [
    { name: "last", kind: "int", help: "so many of the newest versions (default 1)" },
    RECURSIVE_FLAG,
    { name: "force", kind: "bool", help: "needed with --recursive" },
    { name: "dry-run", kind: "bool", help: "only say what would be done" },
    { name: "action", kind: "string", help: "only uploads (PUT) or only removals (DELETE)" },
  ],
  run,
};

interface Wanted {
  readonly last: number;
  /** Undefined: either. */
  readonly markers: boolean | undefined;
}

function wantedOf(flags: ParsedFlags): Wanted {
  const last = flags.int("last") ?? 1;
  if (last < 1) throw new UsageError("--last takes a number of at least 1");
  const action = flags.string("action");
  if (action !== undefined && !/^(put|delete)$/i.test(action)) throw new UsageError("--action is PUT or DELETE");
  return { last, markers: action === undefined ? undefined : /^delete$/i.test(action) };
}

/** Of each key the newest versions, as long as they are what is to be taken back. `versions`: keys together, newest first. */
async function* takenBack(versions: AsyncIterable<Entry>, wanted: Wanted): AsyncIterable<Entry> {
  let key: string | undefined;
  let left = 0;
  for await (const entry of versions) {
    if (entry.type === "folder") continue;
    if (entry.key !== key) {
      key = entry.key;
      left = wanted.last;
    }
    if (left === 0) continue;
    const asked = wanted.markers === undefined || wanted.markers === (entry.isDeleteMarker === true);
    // The null version is what a bucket without versioning has: nothing is kept below it that could come back.
    const fits = asked && (entry.versionId ?? "null") !== "null";
    // An older one stands below a newer one that stays: taking it away would change nothing that can be seen.
    left = fits ? left - 1 : 0;
    if (fits) yield entry;
  }
}

async function* onlyKey(versions: AsyncIterable<Entry>, key: string): AsyncIterable<Entry> {
  for await (const entry of versions) if (entry.key === key) yield entry;
}

async function run(ctx: CommandContext, args: readonly string[], flags: ParsedFlags): Promise<number> {
  const [text = ""] = countArgs(args, 1, 1, "ALIAS/BUCKET/KEY");
  const target = remoteTarget(ctx, text);
  const recursive = flags.bool("recursive");
  if (target.bucket === "") throw new CommandError(`\`${text}\` names no bucket. Write ALIAS/BUCKET/KEY`);
  if (target.key === "" && !recursive)
    throw new CommandError(`\`${text}\` names no object. Write ALIAS/BUCKET/KEY, or -r --force for all`);
  if (recursive && !flags.bool("force") && !flags.bool("dry-run"))
    throw new CommandError("Versions that are taken back are gone for good: -r needs --force");
  const wanted = wantedOf(flags);
  const options = { bucket: target.bucket, prefix: target.key, shallow: false, signal: ctx.signal };
  const listed = listVersions(ctx.s3(target.alias), options);
  const chosen = takenBack(recursive ? listed : onlyKey(listed, target.key), wanted);
  return undo(ctx, target, chosen, flags.bool("dry-run"));
}

async function undo(
  ctx: CommandContext,
  target: RemoteTarget,
  chosen: AsyncIterable<Entry>,
  dryRun: boolean,
): Promise<number> {
  const { alias, bucket } = target;
  const options = { client: ctx.s3(alias), bucket, bypass: false, clock: systemClock(), signal: ctx.signal };
  const markers = new Set<string>();
  const noted = async function* (): AsyncIterable<{ key: string; versionId: string | undefined }> {
    for await (const { key, versionId, isDeleteMarker } of chosen) {
      if (isDeleteMarker === true) markers.add(`${key}\0${versionId}`);
      yield { key, versionId };
    }
  };
  let any = false;
  let code = 0;
  const say = ({ key, versionId, error }: Pick<Removed, "key" | "versionId" | "error">): void => {
    any = true;
    const path = remotePath(alias, bucket, key);
    const wasMarker = markers.delete(`${key}\0${versionId}`);
    if (error !== undefined) {
      code = 1;
      return ctx.out.error(`Failed to undo \`${path}\` (versionId=${versionId})`, error);
    }
    const what = wasMarker ? "delete" : "upload";
    const begin = dryRun ? "DRYRUN: Last" : "Last";
    ctx.out.message(`${begin} ${what} of \`${path}\` (vid=${versionId}) is reverted.`, {
      status: "success",
      url: path,
      key,
      versionId: versionId ?? "",
      isDeleteMarker: wasMarker,
      dryRun,
    });
  };
  if (dryRun) for await (const item of noted()) say({ ...item, error: undefined });
  else for await (const removed of removeAll(noted(), options)) say(removed);
  if (any) return code;
  throw new CommandError(`There is nothing to undo in \`${target.text}\``);
}
