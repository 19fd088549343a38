/**
 * The main job, end to end, on real processes and real files: two sites, active-active replication, a partial loss, a
 * resync, a total loss, another resync, and a comparison through an independent client. `--keep` leaves both sites
 * running and says how to look around.
 */
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { compare } from "./compare.ts";
import { heading, mc, say, step } from "./console.ts";
import { Site } from "./site.ts";
import { makeTree } from "./tree.ts";

const BUCKET = "documents";
const SECRET = "replication-secret-1";
const POLL_MS = 500;
const WAIT_MS_MAX = 15 * 60_000;

const keep = process.argv.includes("--keep");
const base = mkdtempSync(join(tmpdir(), "resilver-demo-"));
const configDir = join(base, "mc");
const site = (name: string): Site =>
  new Site({
    name,
    dir: join(base, name),
    credentials: { accessKey: `${name}-admin`, secretKey: `${name}-password-1` },
  });
const alpha = site("alpha");
const baker = site("baker");
const run = (...args: string[]): Promise<string> => step(args, { configDir, hide: SECRET });

async function prepare(target: Site): Promise<void> {
  await run("alias", "set", target.name, target.url, target.credentials.accessKey, target.credentials.secretKey);
  await run("admin", "user", "add", target.name, "ReplicationRemoteUser", SECRET);
  await run("admin", "policy", "attach", target.name, "ReplicationRemoteUserPolicy", "--user", "ReplicationRemoteUser");
  await run("mb", `${target.name}/${BUCKET}`);
  await run("version", "enable", `${target.name}/${BUCKET}`);
}

async function connect(from: Site, to: Site): Promise<void> {
  const remote = `http://ReplicationRemoteUser:${SECRET}@127.0.0.1:${to.port}/${BUCKET}`;
  await run(
    "replicate",
    "add",
    `${from.name}/${BUCKET}`,
    "--remote-bucket",
    remote,
    "--replicate",
    "delete,delete-marker,existing-objects,metadata-sync",
  );
}

interface RuleLine {
  readonly rule: { readonly ID: string; readonly Destination: { readonly Bucket: string } };
}

async function firstRule(of: Site): Promise<{ id: string; arn: string }> {
  const out = await run("replicate", "ls", `${of.name}/${BUCKET}`, "--json");
  const { rule } = JSON.parse(out.trim().split("\n")[0] ?? "{}") as RuleLine;
  return { id: rule.ID, arn: rule.Destination.Bucket };
}

interface QueueLine {
  readonly replicationstats: {
    readonly currStats: { readonly queued?: { readonly curr?: { readonly count?: number } } };
  };
}

/** Waits until nothing is pending toward the peer, as `mc replicate status` tells it. */
async function settled(of: Site): Promise<void> {
  const end = Date.now() + WAIT_MS_MAX;
  say(
    `$ mc replicate status ${of.name}/${BUCKET} --json | jq .replicationstats.currStats.queued.curr.count   # until 0`,
  );
  for (;;) {
    const { stdout } = await mc(["replicate", "status", `${of.name}/${BUCKET}`, "--json"], { configDir });
    const count =
      (JSON.parse(stdout.trim().split("\n")[0] ?? "{}") as QueueLine).replicationstats.currStats.queued?.curr?.count ??
      0;
    say(`  ${count}`);
    if (count === 0) return;
    if (Date.now() > end) throw new Error(`${of.name} still has ${count} versions to send`);
    await pause(POLL_MS);
  }
}

async function load(): Promise<void> {
  const tree = join(base, "tree");
  const { files, bytes } = makeTree(tree);
  say(`${files} files, ${(bytes / 1048576).toFixed(0)} MiB, from this machine`);
  await run("cp", "--recursive", `${tree}/`, `alpha/${BUCKET}/`);
  const edits = join(base, "edits");
  mkdirSync(edits);
  for (let i = 0; i < 40; i++) writeFileSync(join(edits, `note-${i}.txt`), `first text of note ${i}\n`);
  await run("cp", "--recursive", `${edits}/`, `alpha/${BUCKET}/notes/`);
  for (let i = 0; i < 40; i++)
    writeFileSync(join(edits, `note-${i}.txt`), `second text of note ${i}, longer than the first\n`);
  await run("cp", "--recursive", `${edits}/`, `baker/${BUCKET}/notes/`);
  await run("rm", "--recursive", "--force", `alpha/${BUCKET}/notes/note-1`);
  await run("tag", "set", `alpha/${BUCKET}/empty.bin`, "state=checked&owner=demo");
}

async function check(what: string): Promise<void> {
  heading(`Proof: both sites read through an independent S3 client (${what})`);
  let shown = 0;
  const result = await compare(alpha, baker, BUCKET, (done, total) => {
    const percent = Math.floor((done * 100) / total);
    if (percent >= shown + 25) say(`  ${(shown = percent)} % of ${total} objects read on both sides`);
  });
  for (const difference of result.differences.slice(0, 20)) say(`  ${difference}`);
  if (result.differences.length > 0) throw new Error(`${result.differences.length} differences`);
  say(
    `  equal: ${result.versions} versions (${result.markers} delete markers), ids, times, ETags, sizes, metadata, tags and bytes`,
  );
}

async function resync(): Promise<void> {
  const { arn } = await firstRule(alpha);
  await run("replicate", "resync", "start", `alpha/${BUCKET}`, "--remote-bucket", arn);
  const end = Date.now() + WAIT_MS_MAX;
  for (;;) {
    const out = await run("replicate", "resync", "status", `alpha/${BUCKET}`, "--remote-bucket", arn);
    const state = /Status: (\w+)/.exec(out)?.[1];
    if (state === "Completed") return;
    if (state === "Failed" || state === "Canceled" || Date.now() > end) throw new Error(`the resync is ${state}`);
    await pause(POLL_MS);
  }
}

function destroyBlobs(target: Site): number {
  const blobs = join(target.dir, "blobs");
  const files = readdirSync(blobs, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const lost = files.filter((_, index) => index % 2 === 0);
  for (const entry of lost) rmSync(join(entry.parentPath, entry.name));
  return lost.length;
}

async function partialLoss(): Promise<void> {
  heading(
    "Baker loses a part: its rules are disabled, files vanish under its data directory, versions are purged by mistake",
  );
  const { id } = await firstRule(baker);
  await run("replicate", "update", `baker/${BUCKET}`, "--id", id, "--state", "disable");
  say(`$ rm ${baker.dir}/blobs/??/*   # every second file`);
  say(`  ${destroyBlobs(baker)} files removed`);
  await run("rm", "--recursive", "--versions", "--force", `baker/${BUCKET}/modules/@aws-sdk/`);
  await run("rm", "--recursive", "--versions", "--force", `baker/${BUCKET}/notes/`);
  heading("Resync from Alpha");
  await resync();
  await run("replicate", "update", `baker/${BUCKET}`, "--id", id, "--state", "enable");
  await check("after the partial loss");
}

async function totalLoss(): Promise<void> {
  heading("Baker loses everything: its data directory is gone");
  await baker.stop();
  say(`$ rm -r ${baker.dir}`);
  rmSync(baker.dir, { recursive: true });
  await baker.start();
  await prepare(baker);
  heading("Resync from Alpha, then Baker's rule is built again");
  await resync();
  await connect(baker, alpha);
  await settled(baker);
  await check("after the total loss");
}

async function main(): Promise<void> {
  heading("Two sites");
  await alpha.start();
  await baker.start();
  await prepare(alpha);
  await prepare(baker);
  await run("admin", "user", "add", "alpha", "ReplicationAdmin", SECRET);
  await run("admin", "policy", "attach", "alpha", "ReplicationAdminPolicy", "--user", "ReplicationAdmin");
  heading("Active-active rules");
  await connect(alpha, baker);
  await connect(baker, alpha);
  heading("Data");
  await load();
  await settled(alpha);
  await settled(baker);
  await check("after loading");
  await partialLoss();
  await totalLoss();
  heading("Done: nothing was lost, and both sites were read to say so");
}

async function end(code: number): Promise<void> {
  if (keep) {
    say(
      `\nBoth sites are running. Look around:\n  bin/mc --config-dir ${configDir} ls -r --versions alpha/${BUCKET}\n  data: ${base}\nCtrl-C stops them and removes everything.`,
    );
    await new Promise<void>((stop) => {
      process.once("SIGINT", () => stop());
      process.once("SIGTERM", () => stop());
    });
  }
  await Promise.all([alpha.stop(), baker.stop()]);
  rmSync(base, { recursive: true, force: true });
  process.exit(code);
}

if (!keep) for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => void end(130));
try {
  await main();
  await end(0);
} catch (error) {
  say(`\nFAILED: ${(error as Error).message}`);
  await end(1);
}
