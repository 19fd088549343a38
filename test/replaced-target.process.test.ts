/**
 * What answers at a target's address lacks what was sent: it was made anew, or an older copy of it was put back. Nothing
 * waits for it, and yet nobody says that all is well, until a resync has proved it.
 */
import assert from "node:assert/strict";
import { cpSync, rmSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { mcRunner, type McRunner } from "./support/mc-run.ts";
import { cleanUp, temporaryFolder } from "./support/server.ts";
import { setRule, Site, until } from "./support/site.ts";

const BUCKET = "data";
const WAIT_MS = 60_000;

let here: Site;
let there: Site;
let arn: string;
let mc: McRunner;

before(async () => {
  const env = { RESILVER_PROMETHEUS_AUTH_TYPE: "public" };
  [here, there] = await Promise.all([Site.start({ env }), Site.start({ env })]);
  for (const site of [here, there]) await site.makeBucket(BUCKET);
  arn = await setRule(here, there, BUCKET);
  mc = mcRunner({ here: here.server }, temporaryFolder());
  await reaches("CAUGHT_UP");
});
after(async () => {
  for (const site of [here, there]) await site?.close();
  await cleanUp();
});

interface Told {
  readonly state: string;
  readonly reason?: string;
  readonly pendingReplicationCount: number;
}

async function told(): Promise<Told> {
  const text = await here.text("GET", BUCKET, { query: { "replication-metrics": "" } });
  const stats = (JSON.parse(text) as { Stats: Readonly<Record<string, Told>> }).Stats[arn];
  assert.ok(stats !== undefined);
  return stats;
}

const reaches = (state: string): Promise<void> =>
  until(
    async () => (await told()).state === state,
    WAIT_MS,
    async () => JSON.stringify(await told()),
  );

/** The mark that the source left at the target: it rises within seconds of what was sent. */
async function mark(): Promise<number> {
  const answer = await there.s3.request({ method: "GET", key: "resilver/v1/mark", query: { bucket: BUCKET, arn } });
  return (JSON.parse((await answer.bytes()).toString("utf8")) as { mark: number }).mark;
}

/** Sent, and marked so that the source knows: it raises a second mark only after it has noted the first. */
async function send(key: string): Promise<void> {
  for (const name of [key, `${key}-again`]) {
    const before = await mark();
    await here.text("PUT", BUCKET, { key: name, body: name });
    await until(
      async () => (await there.lines(BUCKET)).some((line) => line.includes(` ${name} `)) && (await mark()) > before,
      WAIT_MS,
      async () => JSON.stringify(await told()),
    );
  }
}

/** Nobody says that all is well. */
async function notGreen(): Promise<void> {
  await reaches("REPLACED");
  assert.equal((await told()).pendingReplicationCount, 0);
  assert.match((await told()).reason ?? "", /noticed 20\S+: .*Run a resync to this target/);
  const scraped = await (await fetch(`${here.server.url}/minio/v2/metrics/bucket`)).text();
  assert.match(scraped, /resilver_replication_replaced\{[^}]*\} 1\n/);
  assert.match((await mc.mc(`replicate status here/${BUCKET}`)).stdout, /State: +REPLACED.*\n.*Reason: +noticed/);
  assert.match((await mc.mc(`replicate backlog here/${BUCKET}`)).stdout, /REPLACED -> .*Run a resync/);
}

async function mended(): Promise<void> {
  await mc.mc(`replicate resync start here/${BUCKET} --remote-bucket ${arn}`);
  await reaches("CAUGHT_UP");
  assert.deepEqual(await there.lines(BUCKET), await here.lines(BUCKET));
  assert.match((await mc.mc(`replicate backlog here/${BUCKET}`)).stdout, /No entries/);
}

test("a site that was made anew, with a bucket of the same name", async () => {
  await send("one");
  await there.kill();
  rmSync(there.server.dir, { recursive: true });
  await there.restart();
  await there.makeBucket(BUCKET);
  await notGreen();
  await here.kill();
  await here.restart();
  await notGreen();
  await mended();
});

test("an older copy of the same site", async () => {
  const copy = join(temporaryFolder(), "copy");
  await there.kill();
  cpSync(there.server.dir, copy, { recursive: true, filter: (path) => !path.endsWith("server.lock") });
  await there.restart();
  await send("two");
  await there.kill();
  rmSync(there.server.dir, { recursive: true });
  cpSync(copy, there.server.dir, { recursive: true });
  await there.restart();
  await notGreen();
  await mended();
});
