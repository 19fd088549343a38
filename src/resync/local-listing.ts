/** This site's versions as a stream of keys in order, each with its versions, newest first. */
import type { BucketName, VersionId } from "../model/names.ts";
import type { Version } from "../model/version.ts";
import type { Objects } from "../objects/objects.ts";
import { rangeIn, spanOf } from "../reconcile/places.ts";
import { RESYNC_PAGE } from "./limits.ts";
import type { OrderedIndex } from "../storage/index/index.ts";

export interface LocalKey {
  readonly key: string;
  readonly versions: readonly Version[];
  /** Ids that were asked for by name and are not here. */
  readonly missing?: readonly VersionId[] | undefined;
}

/** `afterKey` is exclusive; only keys that begin with `prefix`. */
export async function* listHere(
  objects: Objects,
  bucket: BucketName,
  afterKey: string,
  prefix = "",
): AsyncGenerator<LocalKey> {
  let open: { key: string; versions: Version[] } | undefined;
  let marker: { keyMarker: string; versionIdMarker?: VersionId | undefined } = { keyMarker: afterKey };
  for (;;) {
    const page = await objects.listVersions({ bucket, prefix, delimiter: "", maxKeys: RESYNC_PAGE, ...marker });
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

/** Versions and markers whose keys begin with `prefix`. */
export async function countVersions(index: OrderedIndex, bucketId: string, prefix: string): Promise<number> {
  return (await index.digest(rangeIn(bucketId, spanOf(prefix, "")))).count;
}
