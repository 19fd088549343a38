/** Removal of what the source does not have: batches on a server, single files on this machine. */
import { rm } from "node:fs/promises";
import type { S3Client } from "../../../client/s3-client.ts";
import type { Clock } from "../../../runtime/clock.ts";
import type { CommandContext } from "../../command.ts";
import type { Place } from "../../transfer/transfer.ts";
import { removeAll } from "../../transfer/remove.ts";

type Remote = Extract<Place, { kind: "remote" }>;

/** One DeleteObjects request. Small enough that the walk, which waits for it, goes on soon. */
const BATCH_MAX = 250;

export interface RemovalOptions {
  readonly ctx: CommandContext;
  readonly clock: Clock;
  readonly dryRun: boolean;
  /** Told about each failure; throws when the mirror has to end there. */
  readonly fail: (what: string, cause: unknown) => void;
}

export class Removals {
  readonly #options: RemovalOptions;
  #waiting: Remote[] = [];

  constructor(options: RemovalOptions) {
    this.#options = options;
  }

  /** Removes `place` now or with a batch that `flush` ends. */
  async add(place: Place): Promise<void> {
    if (this.#options.dryRun) return this.#print(place.path, false);
    if (place.kind === "local") return this.#removeFile(place.path);
    this.#waiting.push(place);
    if (this.#waiting.length >= BATCH_MAX) await this.flush();
  }

  async flush(): Promise<void> {
    const places = this.#waiting;
    const first = places[0]?.address;
    if (first === undefined) return;
    this.#waiting = [];
    await this.#removeObjects(
      first.client,
      first.bucket,
      new Map(places.map((place) => [place.address.key, place.path])),
    );
  }

  async #removeObjects(client: S3Client, bucket: string, paths: ReadonlyMap<string, string>): Promise<void> {
    const { ctx, clock, fail } = this.#options;
    const doomed = [...paths.keys()].map((key) => ({ key, versionId: undefined }));
    const refused: [string, unknown][] = [];
    for await (const { key, deleteMarker, error } of removeAll(doomed, {
      client,
      bucket,
      bypass: false,
      clock,
      signal: ctx.signal,
    })) {
      const path = paths.get(key) ?? key;
      if (error === undefined) this.#print(path, deleteMarker);
      else refused.push([path, error]);
    }
    // After all of the batch was told: `fail` may end the mirror, and the others are gone.
    for (const [path, error] of refused) fail(`Failed to remove \`${path}\``, error);
  }

  async #removeFile(path: string): Promise<void> {
    try {
      await rm(path);
    } catch (error) {
      return this.#options.fail(`Failed to remove \`${path}\``, error);
    }
    this.#print(path, false);
  }

  #print(path: string, deleteMarker: boolean): void {
    const { ctx, dryRun } = this.#options;
    const text = `${dryRun ? "DRYRUN: Removing" : "Removed"} \`${path}\`.`;
    // A bar takes the place of the lines.
    ctx.out.message(ctx.out.interactive && !dryRun ? undefined : text, {
      status: "success",
      key: path,
      deleteMarker,
      versionID: "",
      modTime: null,
      dryRun,
    });
  }
}
