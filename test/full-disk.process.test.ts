/**
 * A site whose disk is full: writes are refused as such, reads and deletes go on, a kill -9 there is survived, and what
 * deletes freed takes writes again. Needs the right to mount; skipped without it.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { bodyOf, idOfBody } from "./support/random.ts";
import { cleanUp, temporaryFolder } from "./support/server.ts";
import { Site } from "./support/site.ts";

const DISK = "40m";
const BUCKET = "data";
const FREED_MS = 90_000;
const mounted: string[] = [];

/** A small file system of its own, or why there is none. */
function smallDisk(): { path: string } | { why: string } {
  const path = temporaryFolder();
  const done = spawnSync("mount", ["-t", "tmpfs", "-o", `size=${DISK}`, "tmpfs", path], { encoding: "utf8" });
  if (done.status !== 0) return { why: `nothing can be mounted here: ${done.stderr || String(done.error)}` };
  mounted.push(path);
  return { path };
}

/** Puts bodies until one is refused; returns the keys that were answered with 200 and the refusal. */
async function fill(
  site: Site,
  prefix: string,
  size: number,
): Promise<{ keys: Map<string, string>; status: number; text: string }> {
  const keys = new Map<string, string>();
  for (let i = 0; i < 5000; i++) {
    const key = `${prefix}-${i}`;
    const answer = await site.call("PUT", BUCKET, { key, body: bodyOf(i, size) });
    const text = (await answer.bytes()).toString("utf8");
    if (answer.status !== 200) return { keys, status: answer.status, text };
    keys.set(key, answer.headers["x-amz-version-id"] ?? "");
  }
  throw new Error("the disk does not get full");
}

async function readable(site: Site, keys: Iterable<string>): Promise<void> {
  for (const key of keys) {
    const answer = await site.call("GET", BUCKET, { key });
    const body = await answer.bytes();
    assert.equal(answer.status, 200, `${key}: ${body.toString("utf8", 0, 300)}`);
    assert.equal(idOfBody(body), Number(key.split("-")[1]), key);
  }
}

describe("a full disk", { timeout: 180_000 }, () => {
  after(async () => {
    await cleanUpMounts();
    await cleanUp();
  });

  test("507 for writes, reads and deletes go on, freed space takes writes", async (t) => {
    const disk = smallDisk();
    if ("why" in disk) return t.skip(disk.why);
    const site = await Site.start({ dir: join(disk.path, "site") });
    await site.makeBucket(BUCKET);
    const large = await fill(site, "large", 1 << 20);
    assert.equal(large.status, 507, large.text);
    assert.match(large.text, /<Code>XMinioStorageFull<\/Code>/);
    const small = await fill(site, "small", 20_000);
    assert.equal(small.status, 507, small.text);
    const tiny = await fill(site, "tiny", 100);
    assert.equal(tiny.status, 507, tiny.text);
    process.stderr.write(`# ${large.keys.size} large, ${small.keys.size} small, ${tiny.keys.size} tiny objects fit\n`);
    assert.ok(large.keys.size >= 20, `only ${large.keys.size} MiB of ${DISK} could be used`);
    const all = [...large.keys.keys(), ...small.keys.keys(), ...tiny.keys.keys()];
    await readable(site, all);
    await site.kill();
    await site.restart();
    await readable(site, all);
    const gone = [...large.keys].slice(0, 10);
    for (const [key, versionId] of gone) await site.text("DELETE", BUCKET, { key, query: { versionId } });
    await writableAgain(site);
    await readable(site, all.slice(10));
    assert.equal(await site.server.stop(), 0);
    await site.close();
  });
});

/** Freed blobs are collected in the background: nothing announces it. */
async function writableAgain(site: Site): Promise<void> {
  const started = Date.now();
  for (let i = 0; ; i++) {
    const answer = await site.call("PUT", BUCKET, { key: "again-7", body: bodyOf(7, 1 << 20) });
    const text = (await answer.bytes()).toString("utf8");
    if (answer.status === 200) break;
    assert.equal(answer.status, 507, text);
    assert.ok(Date.now() - started < FREED_MS, `still full after ${FREED_MS} ms: ${text}`);
    await pause(100);
  }
  process.stderr.write(`# writable again after ${Date.now() - started} ms\n`);
}

/** Servers must be gone before their disk can go. */
async function cleanUpMounts(): Promise<void> {
  for (const path of mounted) spawnSync("umount", ["-l", path]);
}
