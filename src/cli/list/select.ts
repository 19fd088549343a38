/** The versions that TARGET and the flags --vid, --versions, --rewind, -r name (mc-cli.md 5.5): tag, retention, legalhold. */
import type { S3Client } from "../../client/s3-client.ts";
import { systemClock } from "../../runtime/clock.ts";
import { RECURSIVE_FLAG, REWIND_FLAG, rewindMoment, VERSION_ID_FLAG } from "../age.ts";
import type { CommandContext, FlagSpec, ParsedFlags } from "../command.ts";
import { CommandError } from "../command.ts";
import type { RemoteTarget } from "../targets.ts";
import { remotePath } from "../targets.ts";
import { listObjects, listVersions } from "./remote.ts";
import { currentAt, notAfter } from "./rewind.ts";

export const VERSION_FLAGS: readonly FlagSpec[] = [
  VERSION_ID_FLAG,
  REWIND_FLAG,
  { name: "versions", kind: "bool", help: "all versions of the object" },
  RECURSIVE_FLAG,
];

export interface SelectedVersion {
  readonly client: S3Client;
  readonly bucket: string;
  readonly key: string;
  /** Absent or empty: the current one. */
  readonly versionId?: string | undefined;
  /** `ALIAS/BUCKET/KEY` for messages. */
  readonly name: string;
}

/** More than one version may be meant: they come from a listing. */
export const isWide = (flags: ParsedFlags): boolean =>
  flags.bool("recursive") || flags.bool("versions") || (flags.string("rewind") ?? "") !== "";

/** Delete markers and folders are left out. CommandError when TARGET names no object and nothing is listed. */
export async function* selectVersions(
  ctx: CommandContext,
  target: RemoteTarget,
  flags: ParsedFlags,
): AsyncIterable<SelectedVersion> {
  if (target.bucket === "") throw new CommandError(`\`${target.text}\` names no bucket. Write ALIAS/BUCKET`);
  const { bucket, key, alias } = target;
  const client = ctx.s3(alias);
  if (!isWide(flags)) {
    if (key === "") throw new CommandError(`\`${target.text}\` names no object. Write ALIAS/BUCKET/KEY, or -r for all`);
    yield { client, bucket, key, versionId: flags.string("version-id"), name: target.text };
    return;
  }
  const options = { bucket, prefix: key, shallow: false, signal: ctx.signal };
  const rewind = rewindMoment(flags, systemClock().nowMs());
  for await (const entry of listing(client, options, flags.bool("versions"), rewind)) {
    const wanted = flags.bool("recursive") || entry.key === key;
    if (!wanted || entry.isDeleteMarker === true || entry.type === "folder") continue;
    if (flags.bool("exclude-folders") && entry.key.endsWith("/")) continue;
    yield { client, bucket, key: entry.key, versionId: entry.versionId, name: remotePath(alias, bucket, entry.key) };
  }
}

function listing(
  client: S3Client,
  options: Parameters<typeof listObjects>[1],
  all: boolean,
  rewind: number | undefined,
) {
  if (!all && rewind === undefined) return listObjects(client, options);
  const versions = listVersions(client, options);
  if (rewind === undefined) return versions;
  return all ? notAfter(versions, rewind) : currentAt(versions, rewind);
}

/** `http://HOST/BUCKET/KEY`, as the objects of `tag` and `legalhold` name what they are about. */
export function urlOf({
  client,
  bucket,
  key,
}: Pick<SelectedVersion, "client" | "bucket"> & { key?: string | undefined }): string {
  const place = `${client.endpoint.url.replace(/\/$/, "")}/${bucket}`;
  return key === undefined || key === "" ? place : `${place}/${key}`;
}
