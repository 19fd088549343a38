/**
 * Two sites and a MinIO, each replicating to both others: whatever is written, removed and edited where, all three end
 * with the same versions, also when the sites are killed -9. The MinIO is a double with its ways as a target and as a
 * source (`support/minio-peer.ts`). `MINIO_STEPS` and `MINIO_KILLS` make it longer, `CRASH_SEED` replays the choices.
 */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { crc32 } from "node:zlib";
import { MinioPeer } from "./support/minio-peer.ts";
import { bodyOf, dice, seedOf, setting, type Dice } from "./support/random.ts";
import { cleanUp } from "./support/server.ts";
import { putParts, putTags, setRules, Site, until } from "./support/site.ts";

const BUCKET = "shared";
const CONVERGE_MS = setting("CRASH_CONVERGE_MS", 60_000);
const STEPS = setting("MINIO_STEPS", 150);
/** `kill -9` of one of the sites, and what MinIO's clients do until it is back. */
const KILLS = setting("MINIO_KILLS", 3);
const STEPS_ALONE = 10;
const KEYS = 8;
const DAY_MS = 86_400_000;

interface Version {
  readonly key: string;
  readonly versionId: string;
  readonly marker: boolean;
}

describe("two sites and a MinIO", { timeout: 120_000 + STEPS * 400 }, () => {
  const minio = new MinioPeer(BUCKET);
  let sites: [Site, Site];

  before(async () => {
    await minio.fake.start();
    sites = await Promise.all([Site.start(), Site.start()]);
    for (const site of sites)
      await site.text("PUT", BUCKET, { headers: { "x-amz-bucket-object-lock-enabled": "true" } });
    const [a, b] = sites;
    await setRules(a, [b, minio.place], BUCKET);
    await setRules(b, [a, minio.place], BUCKET);
    minio.replicateTo(sites);
  });
  after(async () => {
    await minio.stop();
    for (const site of sites ?? []) await site.close();
    await cleanUp();
  });

  async function pending(): Promise<number> {
    let sum = minio.waiting;
    for (const site of sites) {
      const text = await site.text("GET", BUCKET, { query: { "replication-metrics": "" } });
      sum += (JSON.parse(text) as { pendingReplicationCount: number }).pendingReplicationCount;
    }
    return sum;
  }

  async function explain(): Promise<string> {
    const errors = sites.map((site) => site.text("GET", BUCKET, { query: { "replication-metrics": "" } }));
    return `${await pending()} wait; ${minio.failures.slice(-5).join("\n")}; ${(await Promise.all(errors)).join("\n")}`;
  }

  /** What each of the three holds, as text: a line for each version. */
  async function holdings(): Promise<string[][]> {
    const own = minio.fake.versions.map((version) => {
      const { key, versionId, kind, mtime, etag, body, tags, metadata } = version;
      const locks = ["mode", "retain-until-date", "legal-hold"].map((name) => metadata[`x-amz-object-lock-${name}`]);
      const time = new Date(Number(mtime / 1_000_000n)).toISOString();
      const sum = createHash("sha256").update(body).digest("hex");
      if (kind === "delete-marker") return `${key} ${versionId} marker ${time}`;
      return [key, versionId, time, etag, body.length, tagText(tags), ...locks.map((lock) => lock || "-"), sum].join(
        " ",
      );
    });
    return [own.toSorted(), ...(await Promise.all(sites.map(held)))];
  }

  async function held(site: Site): Promise<string[]> {
    const lines = (await site.versions(BUCKET)).map(async (row) => {
      const { key, versionId, kind, time, etag, size } = row;
      if (kind === "DeleteMarker") return `${key} ${versionId} marker ${time}`;
      const headers = { "x-minio-source-proxy-request": "false", "x-amz-tagging-directive": "ACCESS" };
      const got = await site.call("GET", BUCKET, { key, query: { versionId }, headers });
      const sum = createHash("sha256")
        .update(await got.bytes())
        .digest("hex");
      const locks = ["mode", "retain-until-date", "legal-hold"].map((name) => got.headers[`x-amz-object-lock-${name}`]);
      const off = locks.map((lock) => lock || "-");
      return [key, versionId, time, etag, size, tagText(got.headers["x-amz-tagging"] ?? ""), ...off, sum].join(" ");
    });
    return (await Promise.all(lines)).toSorted();
  }

  async function equal(): Promise<void> {
    await until(async () => (await pending()) === 0, CONVERGE_MS, explain);
    const [own, a, b] = await holdings();
    assert.deepEqual(a, own, "the first site and MinIO");
    assert.deepEqual(b, own, "the second site and MinIO");
  }

  async function put(site: Site, key: string, body: Buffer): Promise<string> {
    const answer = await site.call("PUT", BUCKET, { key, body, headers: { "x-amz-meta-from": "site" } });
    await answer.discard();
    assert.equal(answer.status, 200);
    return answer.headers["x-amz-version-id"] ?? "";
  }
  const purge = (site: Site, { key, versionId }: Version): Promise<string> =>
    site.text("DELETE", BUCKET, { key, query: { versionId } });
  const lock = (site: Site, what: "retention" | "legal-hold", { key, versionId }: Version, body: string) =>
    site.text("PUT", BUCKET, { key, query: { [what]: "", versionId }, body });

  test("objects, tags, markers and purges of each of the three", async () => {
    const [a] = sites;
    const there = { key: "there", versionId: minio.put("there", bodyOf(1, 5000), { "content-type": "text/plain" }) };
    const here = { key: "here", versionId: await put(a, "here", bodyOf(2, 5000)) };
    await equal();
    minio.tag(here.key, here.versionId, "t=minio");
    assert.equal(await putTags(sites[1], BUCKET, there, { t: "site" }), 200);
    await equal();
    assert.equal(minio.fake.find("there", there.versionId)?.tags, "t=site");
    assert.match((await held(a)).join("\n"), /^here .* t=minio /m);
    const mark = minio.remove("here") ?? "";
    await a.text("DELETE", BUCKET, { key: "there" });
    await equal();
    assert.equal((await held(a)).filter((line) => line.includes(" marker ")).length, 2);
    minio.purge("here", mark);
    await purge(a, { ...there, marker: false });
    await equal();
    assert.equal(minio.fake.find("here", mark), undefined);
    assert.equal(minio.fake.find("there", there.versionId), undefined);
  });

  test("tags changed at MinIO and at a site at once end as one of the two, or none, everywhere", async () => {
    const [a, b] = sites;
    const version = { key: "raced", versionId: await put(a, "raced", bodyOf(3, 100)), marker: false };
    await equal();
    for (let i = 0; i < 5; i++) {
      const mine = putTags(i % 2 === 0 ? a : b, BUCKET, version, { t: `site-${i}` });
      minio.tag(version.key, version.versionId, `t=minio-${i}`);
      assert.equal(await mine, 200);
      await equal();
    }
  });

  test("holds and retentions of each", async () => {
    const [a, b] = sites;
    const until = new Date(Math.ceil(Date.now() / 1000 + 86_400) * 1000).toISOString();
    const later = new Date(Date.parse(until) + DAY_MS).toISOString();
    const here = { key: "locked-here", versionId: await put(a, "locked-here", bodyOf(4, 100)), marker: false };
    const there = { key: "locked-there", versionId: minio.put("locked-there", bodyOf(5, 100)), marker: false };
    await equal();
    await lock(
      a,
      "retention",
      here,
      `<Retention><Mode>GOVERNANCE</Mode><RetainUntilDate>${until}</RetainUntilDate></Retention>`,
    );
    minio.retain(there.key, there.versionId, "GOVERNANCE", until);
    await equal();
    await lock(b, "legal-hold", here, "<LegalHold><Status>ON</Status></LegalHold>");
    await lock(b, "legal-hold", there, "<LegalHold><Status>ON</Status></LegalHold>");
    await equal();
    await lock(a, "legal-hold", here, "<LegalHold><Status>OFF</Status></LegalHold>");
    minio.retain(there.key, there.versionId, "GOVERNANCE", later);
    await equal();
    assert.match((await held(a)).join("\n"), new RegExp(`^locked-there .* GOVERNANCE ${later} ON `, "m"));
  });

  test("uploads with checksums keep parts, ETag and sums, also where MinIO leaves out that the sum is of the whole", async () => {
    const [a, b] = sites;
    const parts = [bodyOf(6, 5 << 20), bodyOf(7, 90_000)];
    const sum = (bytes: Buffer): string => {
      const out = Buffer.alloc(4);
      out.writeUInt32BE(crc32(bytes));
      return out.toString("base64");
    };
    const each = parts.map(sum);
    const composite = `${sum(Buffer.concat(each.map((one) => Buffer.from(one, "base64"))))}-2`;
    const whole = sum(Buffer.concat(parts));
    for (const [key, value] of [
      ["composite", composite],
      ["full", whole],
    ] as const) {
      minio.upload(key, { parts, checksum: { name: "crc32", algorithm: "CRC32", whole: value, parts: each } });
    }
    await putParts(a, BUCKET, "mine", parts);
    await equal();
    for (const [key, value] of [
      ["composite", composite],
      ["full", whole],
    ] as const) {
      const head = await b.call("HEAD", BUCKET, { key, headers: { "x-amz-checksum-mode": "ENABLED" } });
      assert.equal(head.headers["x-amz-checksum-crc32"], value);
      const part = await b.call("HEAD", BUCKET, { key, query: { partNumber: "1" } });
      assert.equal(part.headers["content-length"], String(5 << 20));
    }
    const [mine] = minio.fake.store.of("mine");
    assert.deepEqual(mine?.partSizes, [5 << 20, 90_000]);
  });

  test("everything at once, everywhere", async () => {
    const d = dice(seedOf("minio-peer"));
    const known: Version[] = [];
    for (let round = 0; round < KILLS; round++) {
      for (let step = 0; step < STEPS / KILLS; step++) {
        const at = d.below(3);
        await (at === 2 ? minioStep(d, known) : siteStep(d, known, sites[at] as Site));
      }
      // With whatever is on its way just now; MinIO goes on, and its requests fail.
      const victim = d.pick(sites);
      await victim.kill();
      for (let step = 0; step < STEPS_ALONE; step++) minioStep(d, known);
      await victim.restart();
    }
    await equal();
  });

  function minioStep(d: Dice, known: Version[]): void {
    const key = `key-${d.below(KEYS)}`;
    const choice = d.below(8);
    const version = known.length > 0 ? d.pick(known) : undefined;
    if (choice < 2 && version !== undefined) return minio.purge(version.key, version.versionId);
    if (choice < 4 && version !== undefined) return minio.tag(version.key, version.versionId, `t=${d.below(1000)}`);
    const versionId = choice === 4 ? minio.remove(key) : minio.put(key, bodyOf(d.below(1000), 200 + d.below(3000)));
    if (versionId !== undefined) known.push({ key, versionId, marker: choice === 4 });
  }

  async function siteStep(d: Dice, known: Version[], site: Site): Promise<void> {
    const key = `key-${d.below(KEYS)}`;
    const choice = d.below(8);
    const version = known.length > 0 ? d.pick(known) : undefined;
    if (choice < 2 && version !== undefined) return void (await purge(site, version));
    if (choice < 4 && version !== undefined && !version.marker) {
      const status = await putTags(site, BUCKET, version, { t: `s${d.below(1000)}` });
      // Not here yet, or gone.
      return assert.ok(status === 200 || status === 404 || status === 405, String(status));
    }
    if (choice !== 4)
      return void known.push({ key, versionId: await put(site, key, bodyOf(d.below(1000), 2000)), marker: false });
    const answer = await site.call("DELETE", BUCKET, { key });
    await answer.discard();
    known.push({ key, versionId: answer.headers["x-amz-version-id"] ?? "", marker: true });
  }
});

/** Sorted, so that their order does not count. */
const tagText = (text: string): string =>
  [...new URLSearchParams(text)]
    .map(([key, value]) => `${key}=${value}`)
    .toSorted()
    .join("&") || "-";
