/** This site's versions as a stream of keys in order, each with its versions, newest first. */
import type { BucketName, VersionId } from "../model/names.ts";
import type { Version } from "../model/version.ts";
import type { Objects } from "../objects/objects.ts";
import { RESYNC_PAGE } from "../replication/limits.ts";

export interface LocalKey {
  readonly key: string;
  readonly versions: readonly Version[];
}

/** `afterKey` is exclusive. */
export async function* listHere(objects: Objects, bucket: BucketName, afterKey: string): AsyncGenerator<LocalKey> {
  let open: { key: string; versions: Version[] } | undefined;
  let marker: { keyMarker: string; versionIdMarker?: VersionId | undefined } = { keyMarker: afterKey };
  for (;;) {
    const page = await objects.listVersions({ bucket, prefix: "", delimiter: "", maxKeys: RESYNC_PAGE, ...marker });
    for (const { version } of page.versions) {
      if (open !== undefined && open.key !== version.key) {
        yield open;
        open = undefined;
      }
      open ??= { key: version.key, versions: [] };
      open.versions.push(version);
    }
    if (!page.truncated || page.nextKeyMarker === undefined) break;
    marker = { keyMarker: page.nextKeyMarker, versionIdMarker: page.nextVersionIdMarker };
  }
  if (open !== undefined) yield open;
}
