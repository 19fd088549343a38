/** What `mc retention` and `mc legalhold` share: the bucket must have object lock, and one failed item does not end the walk. */
import { getObjectLock } from "../../client/lock-calls.ts";
import type { ResourceName } from "../../client/s3-calls.ts";
import type { ObjectLockConfig } from "../../model/object-lock.ts";
import type { CommandContext, ParsedFlags } from "../command.ts";
import { CommandError } from "../command.ts";
import type { RemoteTarget } from "../targets.ts";
import { selectVersions, type SelectedVersion } from "./select.ts";

/** The bucket's configuration; a bucket without object lock is an error of its own. */
export async function lockOf(ctx: CommandContext, target: RemoteTarget): Promise<ObjectLockConfig> {
  const { bucket, alias, text } = target;
  if (bucket === "") throw new CommandError(`\`${text}\` names no bucket. Write ALIAS/BUCKET`);
  let config: ObjectLockConfig | undefined;
  try {
    config = await getObjectLock(ctx.s3(alias), { bucket, signal: ctx.signal });
  } catch (error) {
    throw new CommandError(`Unable to get the object lock configuration of \`${text}\``, error);
  }
  if (config !== undefined) return config;
  throw new CommandError(`The bucket \`${alias}/${bucket}\` has no object lock. Make one with \`mc mb --with-lock\``);
}

export function resourceOf(ctx: CommandContext, item: SelectedVersion): ResourceName {
  return { bucket: item.bucket, key: item.key, versionId: item.versionId || undefined, signal: ctx.signal };
}

/** Runs `action` on all that TARGET and the flags name. `failed` tells of each that did not work; then the code is 1. */
export async function forEachVersion(
  ctx: CommandContext,
  target: RemoteTarget,
  flags: ParsedFlags,
  action: (item: SelectedVersion) => Promise<void>,
  failed: (item: SelectedVersion, error: unknown) => void,
): Promise<number> {
  await lockOf(ctx, target);
  let code = 0;
  let count = 0;
  for await (const item of selectVersions(ctx, target, flags)) {
    count += 1;
    try {
      await action(item);
    } catch (error) {
      if (ctx.signal.aborted) throw error;
      code = 1;
      failed(item, error);
    }
  }
  if (count === 0) throw new CommandError(`Nothing found at \`${target.text}\``);
  return code;
}

/** ` (version-id=ID)`, or nothing for the current version. */
export const versionText = (item: SelectedVersion): string =>
  item.versionId === undefined || item.versionId === "" ? "" : ` (version-id=${item.versionId})`;

/** `[   TEXT   ]`, `width` columns between the brackets. */
export function boxed(text: string, width: number): string {
  const left = Math.max(0, Math.floor((width - text.length) / 2));
  return `[${(" ".repeat(left) + text).padEnd(width)}]`;
}
