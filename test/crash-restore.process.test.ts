/**
 * `mc replicate restore` after a total loss, and the command itself or either server killed -9 at random while it runs:
 * run again it ends, the bucket is as it was in everything, both sites are equal, and its rules work again.
 * `CRASH_KILLS` kills of a restore (default 4), `CRASH_SEED` replays the choices.
 */
import assert from "node:assert/strict";
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { readdirSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { after, before, describe, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { RestoreMemory } from "../src/cli/commands/replicate/restore-memory.ts";
import { inventory } from "./support/inventory.ts";
import { mcRunner, type McRunner } from "./support/mc-run.ts";
import { bodyOf, dice, seedOf, setting } from "./support/random.ts";
import { cleanUp, ROOT_SECRET, ROOT_USER, temporaryFolder } from "./support/server.ts";
import { explainDifference, difference, putParts, putTags, Site, until } from "./support/site.ts";

const KILLS = setting("CRASH_KILLS", 4);
const WAIT_MS = setting("CRASH_CONVERGE_MS", 60_000);
const KEYS = 80;
const BUCKET = "records";
const SECRET = "replication-secret";
const MC = resolve(import.meta.dirname, "..", "bin", "mc");
/** Of a bucket, as S3 tells it: all that has to be as it was. */
const PARTS = ["versioning", "object-lock", "policy", "tagging", "lifecycle", "encryption", "cors"];

const d = dice(seedOf("crash-restore"));
const configDir = join(temporaryFolder(), "mc");
let alpha: Site;
let baker: Site;
let runner: McRunner;
let made = 0;
const commands = new Set<ChildProcess>();

async function put(site: Site, key: string): Promise<string> {
  const answer = await site.call("PUT", BUCKET, { key, body: bodyOf(++made, d.pick([1024, 1024, 40_960, 300_000])) });
  await answer.discard();
  assert.equal(answer.status, 200);
  return answer.headers["x-amz-version-id"] ?? "";
}

async function configure(site: Site): Promise<void> {
  const cors =
    "<CORSConfiguration><CORSRule><AllowedMethod>GET</AllowedMethod><AllowedOrigin>*</AllowedOrigin></CORSRule></CORSConfiguration>";
  await site.text("PUT", BUCKET, { query: { cors: "" }, body: cors });
  const lifecycle =
    "<LifecycleConfiguration><Rule><ID>old</ID><Status>Enabled</Status><Filter><Prefix></Prefix></Filter>" +
    "<NoncurrentVersionExpiration><NoncurrentDays>400</NoncurrentDays></NoncurrentVersionExpiration></Rule></LifecycleConfiguration>";
  await site.text("PUT", BUCKET, { query: { lifecycle: "" }, body: lifecycle });
  const statement = {
    Effect: "Allow",
    Principal: "*",
    Action: "s3:GetObject",
    Resource: `arn:aws:s3:::${BUCKET}/public/*`,
  };
  const policy = JSON.stringify({ Version: "2012-10-17", Statement: [statement] });
  await site.text("PUT", BUCKET, { query: { policy: "" }, body: policy });
  await runner.mc(`tag set alpha/${BUCKET} owner=records`);
  await runner.mc(`quota set alpha/${BUCKET} --size 1GiB`);
}

async function settings(site: Site): Promise<Record<string, string>> {
  const out: Record<string, string> = {};
  for (const part of PARTS) {
    const answer = await site.call("GET", BUCKET, { query: { [part]: "" } });
    const text = (await answer.bytes()).toString("utf8");
    out[part] = answer.status === 200 ? text : `${answer.status} ${/<Code>(.*?)<.Code>/.exec(text)?.[1]}`;
  }
  return out;
}

/** The command as its own process, which can be killed. */
function restore(): { child: ChildProcess; said: () => string } {
  const alias = (site: Site): string => site.server.url.replace("://", `://${ROOT_USER}:${ROOT_SECRET}@`);
  const env = { ...process.env, MC_CONFIG_DIR: configDir, MC_HOST_alpha: alias(alpha), MC_HOST_baker: alias(baker) };
  const words = ["replicate", "restore", `alpha/${BUCKET}`, "baker", "--users", "--back", `alpha/${BUCKET}`];
  const child = spawn(MC, words, { env, stdio: ["ignore", "pipe", "pipe"] });
  commands.add(child);
  let said = "";
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding("utf8").on("data", (text: string) => (said += text));
  return { child, said: () => said };
}

/** What it said, once it has ended well. */
async function whole({ child, said }: ReturnType<typeof restore>): Promise<string> {
  const [code] = (await once(child, "close")) as [number | null];
  commands.delete(child);
  assert.equal(code, 0, said());
  return said();
}

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) {
    child.kill("SIGKILL");
    await once(child, "exit");
  }
  commands.delete(child);
}

/** Runs it and kills it, or a server, at some moment. */
async function interrupted(): Promise<string> {
  const { child, said } = restore();
  const ended = once(child, "exit");
  await Promise.race([ended, pause(d.below(3000))]);
  const victim = d.pick(["command", "command", "baker", "alpha"] as const);
  if (victim === "command") await kill(child);
  else {
    const site = victim === "baker" ? baker : alpha;
    await site.kill();
    await site.restart();
    await Promise.race([ended, pause(d.below(1000))]);
    await kill(child);
  }
  return `${victim}: ${said().trim().split("\n").at(-1)?.slice(0, 100)}`;
}

async function equal(): Promise<boolean> {
  const { onlyA, onlyB } = await difference(alpha, baker, BUCKET);
  return onlyA.length + onlyB.length === 0;
}

describe("restore under kill -9", { timeout: 400_000 + KILLS * 20_000 }, () => {
  before(async () => {
    [alpha, baker] = await Promise.all([Site.start(), Site.start()]);
    runner = mcRunner({ alpha: alpha.server, baker: baker.server }, configDir);
    for (const name of ["alpha", "baker"]) {
      await runner.mc(`mb --with-lock ${name}/${BUCKET}`);
      await runner.mc(`admin user add ${name} replicator ${SECRET}`);
      await runner.mc(`admin policy attach ${name} ReplicationRemoteUserPolicy --user replicator`);
    }
    const to = (site: Site): string => `http://replicator:${SECRET}@127.0.0.1:${site.server.port}/${BUCKET}`;
    await runner.mc(`replicate add alpha/${BUCKET} --remote-bucket ${to(baker)}`);
    await runner.mc(`replicate add baker/${BUCKET} --remote-bucket ${to(alpha)}`);
    await configure(alpha);
    for (let i = 0; i < KEYS; i++) {
      const key = `k-${i % (KEYS - 10)}`;
      const versionId = await put(d.pick([alpha, alpha, baker]), key);
      if (i % 7 === 0) await putTags(alpha, BUCKET, { key, versionId }, { n: String(i) }).catch(() => undefined);
      if (i % 9 === 0) await alpha.text("DELETE", BUCKET, { key });
    }
    const whole = bodyOf(++made, (5 << 20) + 50_000);
    await putParts(alpha, BUCKET, "multi", [whole.subarray(0, 5 << 20), whole.subarray(5 << 20)]);
    await until(equal, WAIT_MS, () => explainDifference(alpha, baker, BUCKET));
  });
  after(async () => {
    for (const child of commands) child.kill("SIGKILL");
    await Promise.all([alpha.close(), baker.close()]);
    await cleanUp();
  });

  async function lose(site: Site): Promise<void> {
    await site.kill();
    rmSync(site.server.dir, { recursive: true });
    await site.restart();
  }

  test("a lost site comes back as it was", async () => {
    const was = { settings: await settings(alpha), seen: await inventory(alpha, BUCKET) };
    await lose(baker);
    for (let i = 0; i < KILLS; i++) process.stderr.write(`# ${await interrupted()}\n`);
    assert.match(await whole(restore()), /Traffic may return to baker/);
    assert.deepEqual(await settings(alpha), was.settings);
    assert.deepEqual(await settings(baker), was.settings);
    assert.deepEqual(await inventory(alpha, BUCKET), was.seen);
    assert.deepEqual(await inventory(baker, BUCKET), was.seen);
    assert.deepEqual(readdirSync(join(configDir, "restore")), [], "nothing is left to be remembered");
    await put(baker, "after");
    await put(alpha, "after");
    await until(equal, WAIT_MS, () => explainDifference(alpha, baker, BUCKET));
  });

  test("a bucket that was only begun is finished; a resync of a part is not taken for the whole", async () => {
    const was = await inventory(alpha, BUCKET);
    await lose(baker);
    await baker.makeBucket(BUCKET, { versioned: false });
    new RestoreMemory(configDir, `baker/${BUCKET}`).add({ making: true });
    assert.match(await whole(restore()), /Made baker\/records as at the source/);
    assert.deepEqual(await settings(baker), await settings(alpha));
    const { objects } = await runner.mc(`replicate ls baker/${BUCKET} --json`);
    const { ID: rule } = (objects[0] as { rule: { ID: string } }).rule;
    await runner.mc(`replicate update baker/${BUCKET} --id ${rule} --state disable`);
    for (const { key, versionId } of await baker.versions(BUCKET))
      await baker.text("DELETE", BUCKET, { key, query: { versionId } });
    await runner.mc(`replicate resync start alpha/${BUCKET}/k-1 --bandwidth 1KiB --concurrency 1`);
    const restoring = restore();
    const held = async (): Promise<boolean> => restoring.said().includes("Another resync");
    await until(held, WAIT_MS, () => Promise.resolve(restoring.said()));
    await runner.mc(`replicate resync limit alpha/${BUCKET} --bandwidth 0 --concurrency 0`);
    assert.match(await whole(restoring), new RegExp(`Disabled at baker/${BUCKET}, and not by this command: ${rule}`));
    assert.deepEqual(await inventory(baker, BUCKET), was);
  });
});
