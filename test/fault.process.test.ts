/** A fault that nobody catches ends a server under writes, with 1 and a line in its log, and loses nothing that was answered. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { copyFileSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { cleanUp, startServer } from "./support/server.ts";
import { Site } from "./support/site.ts";

const BUCKET = "written";
const ROUNDS = 4;
const LANES = 16;

/** The main thread throws when it is told to: what a mistake of ours would do. */
const FAULT =
  'import { isMainThread } from "node:worker_threads";' +
  'if (isMainThread) process.on("SIGUSR2", () => { throw new Error("made by a test"); });';

after(cleanUp);

/** Writes until a call fails; what was answered is added to `answered`. */
async function write(site: Site, name: string, answered: Set<string>): Promise<void> {
  for (let i = 0; ; i++) {
    const key = `${name}-${i}`;
    try {
      await site.text("PUT", BUCKET, { key, body: Buffer.from(key) });
    } catch {
      return;
    }
    answered.add(key);
  }
}

test("a fault under writes ends the server", { timeout: 60_000 }, async () => {
  const site = await Site.start({
    env: { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(FAULT)}` },
  });
  await site.makeBucket(BUCKET);
  const answered = new Set<string>();
  for (let round = 0; round < ROUNDS; round++) {
    const { process: child, log } = site.server;
    const ended = once(child, "exit");
    const lanes = Promise.all(Array.from({ length: LANES }, (_, i) => write(site, `${round}-${i}`, answered)));
    const wanted = answered.size + 50;
    while (answered.size < wanted) await site.text("GET", BUCKET, { query: { "max-keys": "1" } });
    child.kill("SIGUSR2");
    assert.deepEqual(await ended, [1, null]);
    assert.match(log(), /the server failed and ends.*made by a test/s);
    await lanes;
    await site.restart();
  }
  const kept = new Set((await site.versions(BUCKET)).map(({ key }) => key));
  assert.deepEqual(
    [...answered].filter((key) => !kept.has(key)),
    [],
  );
  assert.equal(await site.server.stop(), 0);
  await site.close();
});

test("an index file that is taken away or replaced under a server ends it", { timeout: 60_000 }, async () => {
  for (const workers of [1, 2]) {
    const server = await startServer({ workers });
    const file = join(server.dir, "index", "data.mdb");
    const ended = once(server.process, "exit");
    renameSync(file, `${file}.aside`);
    if (workers === 2) copyFileSync(`${file}.aside`, file);
    assert.deepEqual(await ended, [1, null]);
    assert.match(server.log(), workers === 2 ? /data\.mdb was replaced/ : /data\.mdb was removed/);
    if (workers === 1) await assert.rejects(startServer({ dir: server.dir }), /the index of .* is gone/);
  }
});

test("a site of which format.json alone is left is not begun anew, also when an older program had made it", async () => {
  const server = await startServer({});
  const { dir } = server;
  assert.equal(await server.stop(), 0);
  const format = join(dir, "format.json");
  const { made, ...older } = JSON.parse(readFileSync(format, "utf8")) as { made?: boolean };
  assert.equal(made, true);
  writeFileSync(format, JSON.stringify(older));
  assert.equal(await (await startServer({ dir })).stop(), 0);
  for (const name of ["index", "blobs", "staging"]) rmSync(join(dir, name), { recursive: true });
  await assert.rejects(startServer({ dir }), /only .*format\.json tells that a site was here\. Put back a copy/);
  assert.deepEqual(
    readdirSync(dir).filter((name) => name === "index" || name === "blobs"),
    [],
  );
});
