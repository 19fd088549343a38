/** What clients were told, and what disasters took away since: what a site may no longer hold, and what it must. */
import { createHash } from "node:crypto";
import type { UnixNs } from "../model/names.ts";
import { purgedEverywhere, type Tombstone } from "../model/version.ts";
import { heldBy, idOf, inspector, isHealthy, tombstonesOf, type Held } from "./peek.ts";
import type { Site } from "./site.ts";

export interface Acknowledged {
  readonly key: string;
  readonly versionId: string;
  readonly kind: "object" | "delete-marker";
  readonly etag: string;
  readonly site: string;
  readonly atMs: number;
}

export const md5 = (bytes: Buffer): string => createHash("md5").update(bytes).digest("hex");

export class History {
  /** Versions with an id of their own that a client was told of. */
  readonly acknowledged = new Map<string, Acknowledged>();
  /** Null versions that a client was told of, with the time that the site gave them, by key. */
  readonly nullWrites = new Map<string, { readonly etag: string; readonly mtime: UnixNs }[]>();
  /** Up to when clients may have purged null versions of a key; undefined: nobody knows. */
  readonly nullPurged = new Map<string, UnixNs | undefined>();
  /** Of these, up to when for every site, while some site remembers it. */
  readonly nullPurgedEverywhere = new Map<string, UnixNs>();
  /** Purges that were asked for, whether or not an answer came. For the null id: all of the key's. */
  readonly purgeTried = new Set<string>();
  /** For each key the newest null version whose last good copy a disaster took: those before it were replaced already. */
  readonly nullForfeited = new Map<string, UnixNs>();
  /** Sites where registers of any version of a key may have been changed: those are sent on, with their version. */
  readonly editedAt = new Map<string, Set<string>>();
  /** Where purges for every site, of versions with ids, were made. */
  readonly purgedAt = new Map<string, Set<string>>();
  /** Purges meant for every site, while some site remembers them. */
  readonly purgedEverywhere = new Set<string>();
  /** Versions whose last good copy a disaster took. */
  readonly forfeited = new Set<string>();
  /** MD5 of the content by ETag, of everything that was ever sent. */
  readonly #contents = new Map<string, string>();

  /** A body that a client is about to send. A copy of a multipart object gets the ETag of a plain one. */
  attempted(etag: string, content: Buffer): void {
    const sum = md5(content);
    this.#contents.set(etag, sum);
    this.#contents.set(sum, sum);
  }

  /** MD5 of what a version with this ETag must contain; undefined: nobody ever wrote such a thing. */
  contentOf(etag: string): string | undefined {
    return this.#contents.get(etag);
  }

  acknowledge(version: Acknowledged): void {
    this.acknowledged.set(idOf(version), version);
  }

  edited(key: string, site: string): void {
    this.editedAt.set(key, (this.editedAt.get(key) ?? new Set()).add(site));
  }

  nullWritten(key: string, etag: string, mtime: UnixNs): void {
    const writes = this.nullWrites.get(key) ?? [];
    writes.push({ etag, mtime });
    this.nullWrites.set(key, writes);
  }

  /** A client purged the null version of a key; `stone` is what its site remembers of that, undefined: nobody knows. */
  nullPurge(key: string, stone: Tombstone | undefined): void {
    const before = this.nullPurged.has(key) ? this.nullPurged.get(key) : 0n;
    this.nullPurged.set(key, before === undefined || stone === undefined ? undefined : later(before, stone.time));
    const everywhere = stone && purgedEverywhere(stone);
    if (everywhere !== undefined)
      this.nullPurgedEverywhere.set(key, later(this.nullPurgedEverywhere.get(key) ?? 0n, everywhere));
  }

  /**
   * Runs `disaster` at `site` and works out what it took: versions whose last good copy was there, and purges that
   * nobody remembers any more.
   */
  async surviving(sites: readonly Site[], site: Site, disaster: () => Promise<void>): Promise<void> {
    const before = await goodCopies(site);
    const held = await heldBy(site);
    await disaster();
    const after = await goodCopies(site);
    const lost = [...before].filter((id) => !after.has(id));
    const others = await Promise.all(sites.filter((other) => other !== site).map(goodCopies));
    const gone = lost.filter((id) => !others.some((copies) => copies.has(id)));
    for (const id of gone) this.forfeited.add(id);
    for (const [id, one] of held) {
      const { key, versionId, mtime } = one.version;
      const newer = mtime > (this.nullForfeited.get(key) ?? 0n);
      if (versionId === "null" && newer && gone.includes(copyId(id, one))) this.nullForfeited.set(key, mtime);
    }
    const stones = await Promise.all(sites.map(tombstonesOf));
    for (const id of this.purgedEverywhere) {
      if (!stones.some((known) => known.get(id)?.will === "everywhere")) this.purgedEverywhere.delete(id);
    }
    for (const [key, time] of this.nullPurgedEverywhere) {
      const known = stones.map((of) => of.get(idOf({ key, versionId: "null" })));
      const latest = known.reduce((max, stone) => later(max, (stone && purgedEverywhere(stone)) ?? 0n), 0n);
      if (latest < time) this.nullPurgedEverywhere.set(key, latest);
    }
  }
}

const later = (a: UnixNs, b: UnixNs): UnixNs => (a > b ? a : b);

/** Ids of the versions that a site could serve. Null versions are told apart by their content. */
async function goodCopies(site: Site): Promise<Set<string>> {
  const blobs = await inspector(site);
  const out = new Set<string>();
  for (const [id, held] of await heldBy(site)) if (await isHealthy(site, blobs, held)) out.add(copyId(id, held));
  return out;
}

/** A null version is forfeited as this very content, not as a name. */
export function copyId(id: string, { version }: Held): string {
  return version.versionId === "null" ? `${id} ${version.kind === "object" ? version.etag : "marker"}` : id;
}
