/**
 * What clients do to several sites at once while those are killed, and what they were told: versions with ids, null
 * versions, markers, purges, tags, locks, uploads of parts.
 */
import assert from "node:assert/strict";
import { bodyOf, type Dice } from "./random.ts";
import { putParts, putTags, type Site } from "./site.ts";

/** Versions with ids; null versions below NULLS. */
export const DATA = "data";
export const NULLS = "null/";
/** With object lock. */
export const HELD = "held";
const KEYS = 16;
const NULL_KEYS = 6;
const SIZES = [1024, 1024, 1024, 40_960, 300_000];
const PART_SIZES = [5 << 20, 90_000];
const DAY_MS = 86_400_000;

export interface Known {
  readonly bucket: string;
  readonly key: string;
  readonly versionId: string;
  /** Undefined: a delete marker. */
  readonly bodyId: number | undefined;
  /** Number of the site that took it. */
  readonly origin: number;
  state: "there" | "unsure" | "gone";
  /** As last acknowledged; undefined: nobody can know, since changes overlapped or were not answered. */
  tag: string | undefined;
  /** Changes of tags begun, and those without an answer yet. */
  tagsBegun: number;
  tagsOpen: number;
}

/** A change of a null version; `endedMs` is Infinity until the answer, or its failure, is there. */
export interface NullChange {
  readonly kind: "object" | "purge";
  readonly bodyId: number | undefined;
  readonly origin: number;
  readonly startedMs: number;
  endedMs: number;
  acknowledged: boolean;
}

/** What the clients of all sites were told. */
export class Ledger {
  readonly versions = new Map<string, Known>();
  readonly nulls = new Map<string, NullChange[]>();
  #nextBody = 1;

  nextBody(): number {
    return this.#nextBody++;
  }

  add(known: Omit<Known, "state" | "tag" | "tagsBegun" | "tagsOpen">): void {
    assert.ok(known.versionId, "an acknowledged write has a version id");
    this.versions.set(known.versionId, { ...known, state: "there", tag: "", tagsBegun: 0, tagsOpen: 0 });
  }

  /**
   * Those that may be the last word on `key`: no acknowledged change began after their end. A purge where nothing is
   * does nothing: for certain it only removes what was written at the same site.
   */
  lastNulls(key: string): NullChange[] {
    const all = this.nulls.get(key) ?? [];
    const outdid = (one: NullChange, other: NullChange): boolean =>
      other.acknowledged &&
      other.startedMs > one.endedMs &&
      (other.kind === "object" || one.kind === "purge" || other.origin === one.origin);
    return all.filter((one) => !all.some((other) => outdid(one, other)));
  }
}

export interface Load {
  readonly site: Site;
  /** Its number. */
  readonly at: number;
  readonly ledger: Ledger;
  readonly dice: Dice;
  /** Whatever one site has all get: then everybody changes everything. Else each site changes what it made. */
  readonly shared: boolean;
  readonly stopped: () => boolean;
  readonly onAnswer: () => void;
}

/** One client of one site; ends when the load stops or its site is gone. */
export async function lane(load: Load): Promise<void> {
  while (!load.stopped()) {
    try {
      await step(load);
    } catch (error) {
      if (error instanceof assert.AssertionError) throw error;
      return;
    }
    load.onAnswer();
  }
}

function step(load: Load): Promise<void> {
  const { ledger, dice: d, at, shared } = load;
  const mine = [...ledger.versions.values()].filter(
    (known) => known.state === "there" && (shared || known.origin === at),
  );
  const living = mine.filter(({ bucket }) => bucket === DATA);
  const lockable = mine.filter(({ bucket }) => bucket === HELD);
  const choice = d.below(26);
  if (choice < 3 && living.length > 0) return purge(load, d.pick(living));
  if (choice < 7 && living.length > 0) return tag(load, d.pick(living));
  if (choice < 9) return mark(load);
  if (choice < 13) return changeNull(load);
  if (choice < 16 && lockable.length > 0) return lock(load, d.pick(lockable));
  if (choice === 16) return put(load, HELD);
  if (choice === 17 && d.oneIn(3)) return upload(load);
  return put(load, DATA);
}

const keyOf = (load: Load): string => `key-${load.dice.below(KEYS)}`;

async function put(load: Load, bucket: string): Promise<void> {
  const { site, at: origin, ledger, dice: d } = load;
  const key = keyOf(load);
  const bodyId = ledger.nextBody();
  const headers = { "x-amz-meta-id": String(bodyId), "content-type": "application/x-body" };
  const answer = await site.call("PUT", bucket, { key, body: bodyOf(bodyId, d.pick(SIZES)), headers });
  await answer.discard();
  assert.equal(answer.status, 200);
  ledger.add({ bucket, key, versionId: answer.headers["x-amz-version-id"] ?? "", bodyId, origin });
}

async function upload(load: Load): Promise<void> {
  const { site, at: origin, ledger } = load;
  const key = keyOf(load);
  const bodyId = ledger.nextBody();
  const size = PART_SIZES.reduce((sum, part) => sum + part);
  const body = bodyOf(bodyId, size);
  const parts = [body.subarray(0, PART_SIZES[0]), body.subarray(PART_SIZES[0])];
  const versionId = await putParts(site, DATA, key, parts);
  ledger.add({ bucket: DATA, key, versionId: versionId ?? "", bodyId, origin });
}

async function mark(load: Load): Promise<void> {
  const key = keyOf(load);
  const answer = await load.site.call("DELETE", DATA, { key });
  await answer.discard();
  assert.equal(answer.status, 204);
  const versionId = answer.headers["x-amz-version-id"] ?? "";
  load.ledger.add({ bucket: DATA, key, versionId, bodyId: undefined, origin: load.at });
}

/** A purge holds for every site once it is answered, also where the version had not arrived. */
async function purge(load: Load, known: Known): Promise<void> {
  known.state = "unsure";
  const answer = await load.site.call("DELETE", DATA, { key: known.key, query: { versionId: known.versionId } });
  await answer.discard();
  assert.equal(answer.status, 204);
  known.state = "gone";
}

async function tag(load: Load, known: Known): Promise<void> {
  if (known.bodyId === undefined) return;
  const value = String(load.dice.below(1_000_000));
  known.tag = undefined;
  const alone = known.tagsOpen === 0;
  const mine = ++known.tagsBegun;
  known.tagsOpen++;
  const status = await putTags(load.site, DATA, known, { t: value });
  // The other site may not have it yet, or somebody purges it now.
  assert.ok(status === 200 || status === 404, `tags were answered with ${status}`);
  // Of changes that overlap nobody knows which was the later; one without an answer stays open.
  if (alone && known.tagsBegun === mine && status === 200) known.tag = value;
  known.tagsOpen--;
}

async function changeNull(load: Load): Promise<void> {
  const { site, at: origin, ledger, dice: d, shared } = load;
  const name = `${NULLS}${shared ? "" : `${origin}-`}${d.below(NULL_KEYS)}`;
  const kind: NullChange["kind"] = d.below(5) < 3 ? "object" : "purge";
  const bodyId = kind === "object" ? ledger.nextBody() : undefined;
  const change = { kind, bodyId, origin, startedMs: performance.now(), endedMs: Infinity, acknowledged: false };
  const changes = ledger.nulls.get(name) ?? [];
  ledger.nulls.set(name, [...changes, change]);
  const body = bodyId === undefined ? undefined : bodyOf(bodyId, d.pick(SIZES));
  // Below an excluded prefix a delete without an id leaves no marker: both remove the null version.
  const query: Record<string, string> = kind === "purge" && d.oneIn(2) ? { versionId: "null" } : {};
  const answer = await site.call(body === undefined ? "DELETE" : "PUT", DATA, {
    key: name,
    query,
    ...(body === undefined ? {} : { body }),
  });
  await answer.discard();
  assert.equal(answer.status, body === undefined ? 204 : 200);
  change.endedMs = performance.now();
  change.acknowledged = true;
}

/** A hold or a governance retention, set, changed or lifted. */
async function lock(load: Load, known: Known): Promise<void> {
  const { dice: d, site } = load;
  const at = { key: known.key };
  const query = (what: string): Record<string, string> => ({ [what]: "", versionId: known.versionId });
  const until = new Date(Date.now() + (1 + d.below(9)) * DAY_MS).toISOString();
  const answer = d.oneIn(2)
    ? await site.call("PUT", HELD, {
        ...at,
        query: query("legal-hold"),
        body: `<LegalHold><Status>${d.oneIn(2) ? "ON" : "OFF"}</Status></LegalHold>`,
      })
    : await site.call("PUT", HELD, {
        ...at,
        query: query("retention"),
        body: `<Retention><Mode>GOVERNANCE</Mode><RetainUntilDate>${until}</RetainUntilDate></Retention>`,
        headers: { "x-amz-bypass-governance-retention": "true" },
      });
  const text = (await answer.bytes()).toString("utf8");
  // Another site's version may not be here yet.
  assert.ok(answer.status === 200 || answer.status === 404, `a lock was answered with ${answer.status} ${text}`);
}
