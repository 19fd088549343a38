/** `ALIAS/BUCKET/KEY` taken apart (mc-cli.md 2.1). */
import type { CommandContext, Target } from "./command.ts";
import { CommandError } from "./command.ts";

export type RemoteTarget = Extract<Target, { kind: "remote" }>;

/** A path whose first segment is no alias is local. The key keeps its slashes. */
export function parseTarget(text: string, isAlias: (name: string) => boolean): Target {
  const [alias = "", ...rest] = text.split("/");
  if (!isAlias(alias)) return { kind: "local", path: text, text };
  const [bucket = "", ...key] = rest;
  return { kind: "remote", alias, bucket, key: key.join("/"), text };
}

/** The remote target `text`; a local one is an error that names the unknown alias. */
export function remoteTarget(ctx: Pick<CommandContext, "target">, text: string): RemoteTarget {
  const target = ctx.target(text);
  if (target.kind === "remote") return target;
  const alias = text.split("/")[0] ?? text;
  throw new CommandError(
    `\`${text}\` is not on a server: there is no alias \`${alias}\`. Set one with \`mc alias set\``,
  );
}

/** A remote target that names a bucket and no key. */
export function bucketTarget(ctx: Pick<CommandContext, "target">, text: string): RemoteTarget {
  const target = remoteTarget(ctx, text);
  if (target.bucket === "") throw new CommandError(`\`${text}\` names no bucket. Write ALIAS/BUCKET`);
  if (target.key !== "") throw new CommandError(`\`${text}\` names an object. Write ALIAS/BUCKET`);
  return target;
}

/** A remote target that names an object. */
export function objectTarget(ctx: Pick<CommandContext, "target">, text: string): RemoteTarget {
  const target = remoteTarget(ctx, text);
  if (target.key === "") throw new CommandError(`\`${text}\` names no object. Write ALIAS/BUCKET/KEY`);
  return target;
}

/** `ALIAS/BUCKET/KEY` of a key in the bucket of `target`. */
export function remotePath(alias: string, bucket: string, key: string): string {
  return key === "" ? `${alias}/${bucket}` : `${alias}/${bucket}/${key}`;
}
