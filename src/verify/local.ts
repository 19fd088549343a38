/** A bucket of this very site as verifying looks at it: no request, and reads that no peer may answer. */
import { StoreError } from "../model/errors.ts";
import type { BucketName, ObjectKey, VersionId } from "../model/names.ts";
import type { Objects } from "../objects/objects.ts";
import { LocalSide } from "../reconcile/local.ts";
import { listHere } from "../resync/local-listing.ts";
import type { Clock } from "../runtime/clock.ts";
import type { OrderedIndex } from "../storage/index/index.ts";
import { seenOfDescribed, type Seen } from "./seen.ts";
import { lookedUp, type Looked } from "./side.ts";

export interface LocalOptions {
  readonly index: OrderedIndex;
  readonly objects: Objects;
  readonly clock: Clock;
  readonly bucket: BucketName;
  readonly bucketId: string;
  readonly prefix: string;
}

const OWN_PROTOCOL = "1";

export class LocalBucket implements Looked {
  readonly name: string;
  readonly prefix: string;
  readonly #options: LocalOptions;

  constructor(options: LocalOptions) {
    this.name = options.bucket;
    this.prefix = options.prefix;
    this.#options = options;
  }

  resilver(): Promise<string> {
    return Promise.resolve(OWN_PROTOCOL);
  }

  digests(): LocalSide {
    return new LocalSide(this.#options);
  }

  async *list(): AsyncGenerator<{ key: string; versions: Seen[] }> {
    const { objects, bucket } = this.#options;
    for await (const { key, versions } of listHere(objects, bucket, "", this.prefix))
      yield { key, versions: versions.map(seenOfDescribed) };
  }

  lookAll(names: readonly { key: string; versionId: string }[]): Promise<(Seen | undefined)[]> {
    return lookedUp(this.digests(), names);
  }

  async look(key: string, versionId: string): Promise<Seen | undefined> {
    const [seen] = await this.lookAll([{ key, versionId }]);
    return seen;
  }

  complete(seen: Seen | undefined): Promise<Seen | undefined> {
    return Promise.resolve(seen);
  }

  async read({ key, versionId }: Seen, take: (chunk: Buffer) => void): Promise<string | undefined> {
    const { objects, bucket } = this.#options;
    try {
      const found = await objects.find({ bucket, key: key as ObjectKey, versionId: versionId as VersionId });
      for await (const piece of found.read(0, found.version.size)) take(piece);
      return undefined;
    } catch (error) {
      if (error instanceof StoreError) return error.code;
      throw error;
    }
  }
}
