/**
 * The runbook (docs/operate/recover.md) as it is printed, through `bin/mc`, in both forms: partial and total loss. And what
 * may go wrong on the way: the wrong side, both sides at once, a target that refuses, that goes away, writes meanwhile.
 */
import assert from "node:assert/strict";
import { cpSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { blobFiles } from "./support/damage.ts";
import { mcRunner, type McRunner } from "./support/mc-run.ts";
import { bodyOf } from "./support/random.ts";
import { filled, runbookSteps, Shell, type RunbookStep } from "./support/runbook.ts";
import { cleanUp, ROOT_SECRET, ROOT_USER, temporaryFolder } from "./support/server.ts";
import { difference, explainDifference, Site, until } from "./support/site.ts";

const PAGE = "docs/operate/recover.md";
const BUCKET = "documents";
const WAIT_MS = 30_000;
const SECRET = "replication-secret";
const KEYS = 40;

let alpha: Site;
let baker: Site;
let shell: Shell;
let runner: McRunner;
let made = 0;

async function put(site: Site, key: string): Promise<string> {
  const answer = await site.call("PUT", BUCKET, { key, body: bodyOf(++made, 1024 * (1 + (made % 3) * 30)) });
  await answer.discard();
  assert.equal(answer.status, 200);
  return answer.headers["x-amz-version-id"] ?? "";
}

const equal = async (): Promise<boolean> => {
  const { onlyA, onlyB } = await difference(alpha, baker, BUCKET);
  return onlyA.length + onlyB.length === 0;
};
const converged = (): Promise<void> => until(equal, WAIT_MS, () => explainDifference(alpha, baker, BUCKET));

/** Purges by id while no rule carries it, as an operator's slip does. */
async function purge(site: Site, keep: (key: string) => boolean): Promise<number> {
  const gone = (await site.versions(BUCKET)).filter(({ key }) => !keep(key));
  for (const { key, versionId } of gone) await site.text("DELETE", BUCKET, { key, query: { versionId } });
  return gone.length;
}

async function ruleOf(site: string): Promise<{ id: string; arn: string }> {
  const { objects } = await runner.mc(`replicate ls ${site}/${BUCKET} --json`);
  const { rule } = objects[0] as { rule: { ID: string; Destination: { Bucket: string } } };
  return { id: rule.ID, arn: rule.Destination.Bucket };
}

interface Status {
  readonly resyncStatus: string;
  readonly compared: number;
  readonly sent: number;
  readonly alreadyEqual: number;
  readonly notReplicable: number;
  readonly failed: number;
  readonly verified?: boolean;
  readonly hint?: string;
}

async function statusOf(site: string): Promise<Status> {
  const { objects } = await runner.mc(`replicate resync status ${site}/${BUCKET} --json`);
  const { resyncInfo } = objects[0] as { resyncInfo: { target: Status[] } };
  const [status] = resyncInfo.target;
  assert.ok(status !== undefined);
  assert.equal(status.sent + status.alreadyEqual + status.notReplicable + status.failed, status.compared);
  return status;
}

const twoWay = async (): Promise<void> => {
  const to = (site: Site): string => `http://replicator:${SECRET}@127.0.0.1:${site.server.port}/${BUCKET}`;
  await runner.mc(`replicate add alpha/${BUCKET} --remote-bucket ${to(baker)}`);
  await runner.mc(`replicate add baker/${BUCKET} --remote-bucket ${to(alpha)}`);
};

before(async () => {
  [alpha, baker] = await Promise.all([Site.start(), Site.start()]);
  const dir = temporaryFolder();
  runner = mcRunner({ alpha: alpha.server, baker: baker.server }, join(dir, "mc"));
  const alias = (site: Site): string => site.server.url.replace("://", `://${ROOT_USER}:${ROOT_SECRET}@`);
  const env = { MC_CONFIG_DIR: join(dir, "mc"), MC_HOST_alpha: alias(alpha), MC_HOST_baker: alias(baker) };
  shell = new Shell(dir, env);
  for (const name of ["alpha", "baker"]) {
    await runner.mc(`mb --with-versioning ${name}/${BUCKET}`);
    await runner.mc(`admin user add ${name} replicator ${SECRET}`);
    await runner.mc(`admin policy attach ${name} ReplicationRemoteUserPolicy --user replicator`);
  }
  await twoWay();
  for (let i = 0; i < KEYS; i++) await put(alpha, `a-${i % (KEYS - 5)}`);
  for (let i = 0; i < KEYS / 4; i++) await put(baker, `b-${i}`);
  await alpha.text("DELETE", BUCKET, { key: "a-1" });
  await converged();
});
after(async () => {
  await Promise.all([alpha.close(), baker.close()]);
  await cleanUp();
});

describe("the runbook, as printed", { timeout: 200_000 }, () => {
  const values: Record<string, string> = { FILE: "report.json", SECRET, USER: "replicator" };

  /** Steps `from` to `to`; each line has the answer that the page promises. */
  async function follow(
    steps: ReadonlyMap<number, RunbookStep>,
    range: { from: number; to: number; old: boolean },
  ): Promise<string> {
    let said = "";
    for (let number = range.from; number <= range.to; number++) {
      const step = steps.get(number);
      if (step === undefined) continue;
      const last = step.lines.length - 1;
      for (const [i, line] of step.lines.entries()) {
        // The older form stands for the last line of its step.
        const chosen = range.old && i === last && step.old !== undefined ? step.old : line;
        const out = await shell.run(filled(chosen, values));
        if (/\.rule\.Destination|\.RemoteARN/.test(chosen)) values["ARN"] = out.trim();
        said += out;
      }
    }
    return said;
  }

  for (const old of [false, true]) {
    test(`part of the data is lost (${old ? "2022" : "2025"})`, async () => {
      const was = await alpha.lines(BUCKET);
      values["RULE"] = (await ruleOf("baker")).id;
      const steps = runbookSteps(PAGE, "Part of the data is lost");
      assert.deepEqual([...steps.keys()], [2, 3, 4, 5, 6, 7, 8]);
      assert.match(await follow(steps, { from: 2, to: 2, old }), /applied to baker\/documents\./);
      const purged = await purge(baker, (key) => !key.startsWith("a-1"));
      const files = blobFiles(baker.server.dir).slice(0, 5);
      for (const path of files) rmSync(path);
      await follow(steps, { from: 3, to: 3, old });
      assert.equal(values["ARN"], (await ruleOf("alpha")).arn);
      const plan = await follow(steps, { from: 4, to: 4, old });
      assert.match(plan, new RegExp(`${purged} purged there by that site alone`));
      assert.ok(!(await equal()), "the plan changed nothing");
      const [, toSend] = /To send: +(\d+) versions/.exec(plan) ?? [];
      assert.match(await follow(steps, { from: 5, to: 5, old }), /started for alpha\/documents with ID/);
      const said = await follow(steps, { from: 6, to: 7, old });
      assert.match(said, /Status: Completed/);
      assert.match(said, /Verified: equal/);
      assert.match(said, /Signature is good\.[^]*\nEqual:/);
      const status = await statusOf("alpha");
      assert.deepEqual([status.sent, status.failed, status.verified], [Number(toSend), 0, true]);
      assert.match(await follow(steps, { from: 8, to: 8, old }), /applied to baker\/documents\./);
      await converged();
      assert.deepEqual(await alpha.lines(BUCKET), was, "the healthy side is as it was");
    });

    test(`everything is lost (${old ? "2022" : "2025"})`, async () => {
      const was = await alpha.lines(BUCKET);
      await baker.server.stop();
      rmSync(baker.server.dir, { recursive: true });
      await baker.restart();
      const steps = runbookSteps(PAGE, "Everything is lost");
      assert.deepEqual([...steps.keys()], [2, 4]);
      // Alpha's target has this account.
      const named = (line: string): string => line.replaceAll("ReplicationRemoteUser ", "replicator ");
      const lines = (steps.get(2) as RunbookStep).lines.map((line) => named(`${line} `).trim());
      for (const line of lines) {
        const attach = line.includes("policy attach");
        const chosen = attach ? line.replace("--user ReplicationRemoteUser", "--user replicator") : line;
        const older = (steps.get(2)?.old ?? "").replace("user=ReplicationRemoteUser", "user=replicator");
        await shell.run(filled(attach && old ? older : chosen, values));
      }
      await follow(runbookSteps(PAGE, "Part of the data is lost"), { from: 3, to: 7, old });
      assert.deepEqual(await baker.lines(BUCKET), was);
      const rule = (steps.get(4) as RunbookStep).lines[0] ?? "";
      await shell.run(filled(rule, { ...values, HOST: "127.0.0.1", PORT: String(alpha.server.port) }));
      await put(baker, `back-${String(old)}`);
      await converged();
    });
  }
});

describe("what may go wrong", { timeout: 200_000 }, () => {
  /** Baker purges keys that begin with `prefix` while no rule carries it. */
  async function lose(prefix: string): Promise<number> {
    const { id } = await ruleOf("baker");
    await runner.mc(`replicate update baker/${BUCKET} --id ${id} --state disable`);
    const count = await purge(baker, (key) => !key.startsWith(prefix));
    await runner.mc(`replicate update baker/${BUCKET} --id ${id} --state enable`);
    assert.ok(count > 0);
    return count;
  }

  test("the wrong direction is refused, and the other one mends", async () => {
    const lost = await lose("a-");
    const was = await alpha.lines(BUCKET);
    await runner.fails(`replicate resync start baker/${BUCKET}`, /wrong direction.*--force/);
    assert.equal((await runner.attempt(`replicate resync start baker/${BUCKET} --dry-run`)).code, 1);
    await runner.mc(`replicate resync start baker/${BUCKET} --force --wait`);
    assert.match((await statusOf("baker")).hint ?? "", new RegExp(`${lost} versions are only at the target`));
    assert.deepEqual(await alpha.lines(BUCKET), was);
    await runner.mc(`replicate resync start alpha/${BUCKET} --wait`);
    assert.equal((await statusOf("alpha")).sent, lost);
    await converged();
  });

  test("an older copy of a directory is the wrong side too, whatever it holds that was purged since", async () => {
    for (let i = 0; i < 12; i++) await put(alpha, `gone-${i}`);
    await converged();
    await baker.server.stop();
    const copy = `${baker.server.dir}-copy`;
    cpSync(baker.server.dir, copy, { recursive: true, filter: (path) => !path.endsWith("server.lock") });
    await baker.restart();
    for (let i = 0; i < 30; i++) await put(alpha, `since-${i}`);
    await purge(alpha, (key) => !key.startsWith("gone-"));
    await converged();
    const was = await alpha.lines(BUCKET);
    await baker.server.stop();
    rmSync(baker.server.dir, { recursive: true });
    renameSync(copy, baker.server.dir);
    await baker.restart();
    await runner.fails(`replicate resync start baker/${BUCKET}`, /wrong direction.*and 0 of this bucket are not there/);
    await runner.mc(`replicate resync start alpha/${BUCKET} --wait`);
    assert.equal((await statusOf("alpha")).sent, 30);
    await converged();
    assert.deepEqual(await alpha.lines(BUCKET), was);
  });

  test("both sides lost something: two resyncs at once bring it all back", async () => {
    const was = await alpha.lines(BUCKET);
    const lostThere = await lose("a-2");
    const { id } = await ruleOf("alpha");
    await runner.mc(`replicate update alpha/${BUCKET} --id ${id} --state disable`);
    const lostHere = await purge(alpha, (key) => !key.startsWith("b-"));
    await runner.mc(`replicate update alpha/${BUCKET} --id ${id} --state enable`);
    await Promise.all([
      runner.mc(`replicate resync start alpha/${BUCKET} --wait`),
      runner.mc(`replicate resync start baker/${BUCKET} --wait`),
    ]);
    await converged();
    assert.deepEqual(await alpha.lines(BUCKET), was);
    assert.ok((await statusOf("alpha")).sent <= lostThere);
    assert.ok((await statusOf("baker")).sent <= lostHere);
  });

  test("a target that answers and refuses writes: named, counted, and repeated when it takes them", async () => {
    const lost = await lose("a-3");
    await runner.mc(`quota set baker/${BUCKET} --size 1KiB`);
    const refused = await runner.attempt(`replicate resync start alpha/${BUCKET} --wait`);
    assert.equal(refused.code, 1, refused.stdout);
    assert.match(refused.stdout, /QuotaExceeded/);
    const first = await statusOf("alpha");
    assert.ok(first.failed > 0 && first.sent + first.failed === lost, JSON.stringify(first));
    await runner.mc(`quota clear baker/${BUCKET}`);
    await runner.mc(`replicate resync start alpha/${BUCKET} --failed-only --wait`);
    const { compared, failed, verified } = await statusOf("alpha");
    assert.deepEqual([compared, failed, verified], [first.failed, 0, true]);
    await converged();
  });

  test("a target that goes away is waited for, and a source that is written to goes on", async () => {
    await lose("a-");
    await runner.mc(`replicate resync start alpha/${BUCKET} --bandwidth 200KiB --concurrency 2`);
    await baker.kill();
    for (let i = 0; i < 5; i++) await put(alpha, `during-${i}`);
    await baker.restart();
    await runner.mc(`replicate resync limit alpha/${BUCKET} --bandwidth 0`).catch(() => undefined);
    await runner.mc(`replicate resync status alpha/${BUCKET} --wait`);
    const status = await statusOf("alpha");
    assert.deepEqual([status.resyncStatus, status.failed, status.verified], ["Completed", 0, true]);
    await converged();
  });

  test("restore: bucket, account, rule and data after a total loss, in one command", async () => {
    const was = await alpha.lines(BUCKET);
    await runner.mc(`tag set alpha/${BUCKET} owner=records`);
    await baker.server.stop();
    rmSync(baker.server.dir, { recursive: true });
    await baker.restart();
    await runner.fails(`replicate restore alpha/${BUCKET} baker`, /replicator.*is gone.*--users/);
    const back = `http://replicator:${SECRET}@127.0.0.1:${alpha.server.port}/${BUCKET}`;
    const { stdout } = await runner.mc(`replicate restore alpha/${BUCKET} baker --users --back ${back}`);
    assert.match(stdout, /Traffic may return to baker\/documents now\n$/);
    assert.deepEqual(await baker.lines(BUCKET), was);
    assert.match((await runner.mc(`tag list baker/${BUCKET}`)).stdout, /records/);
    await put(baker, "after-restore");
    await converged();
    const again = await runner.mc(`replicate restore alpha/${BUCKET} baker --users --json`);
    assert.match(String(again.objects.at(-1)?.["text"]), /Traffic may return/);
    const { objects } = await runner.mc(`replicate ls baker/${BUCKET} --json`);
    assert.equal((objects[0] as { rule: { Status: string } }).rule.Status, "Enabled");
  });

  test("restore makes the rule that --back names beside one that leads elsewhere, and only once", async () => {
    await runner.mc("mb --with-versioning alpha/archive");
    const back = `http://replicator:${SECRET}@127.0.0.1:${alpha.server.port}/archive`;
    for (let runs = 0; runs < 2; runs++) {
      await runner.mc(`replicate restore alpha/${BUCKET} baker --back ${back}`);
      assert.equal((await runner.mc(`replicate ls baker/${BUCKET} --json`)).objects.length, 2);
    }
    await runner.mc("rb --force alpha/archive");
  });

  test("restore of a whole site takes every bucket, and one account for all", async () => {
    await runner.mc("mb --with-versioning alpha/second");
    await runner.mc("mb --with-versioning baker/second");
    const remote = `http://replicator:${SECRET}@127.0.0.1:${baker.server.port}/second`;
    // The account got another secret by the restore before.
    await runner.mc(`admin user add baker replicator ${SECRET}`);
    await runner.mc("admin policy attach baker ReplicationRemoteUserPolicy --user replicator");
    await runner.mc(`replicate add alpha/second --remote-bucket ${remote}`);
    await alpha.text("PUT", "second", { key: "k", body: "x" });
    await baker.server.stop();
    rmSync(baker.server.dir, { recursive: true });
    await baker.restart();
    const { stdout } = await runner.mc("replicate restore alpha baker --users");
    assert.match(stdout, /2 of 2 replicated buckets are back/);
    assert.deepEqual(await baker.lines("second"), await alpha.lines("second"));
    assert.deepEqual(await baker.lines(BUCKET), await alpha.lines(BUCKET));
  });

  test("buckets that share an account and are restored one by one all replicate afterwards", async () => {
    await baker.server.stop();
    rmSync(baker.server.dir, { recursive: true });
    await baker.restart();
    for (const bucket of [BUCKET, "second"]) await runner.mc(`replicate restore alpha/${bucket} baker --users`);
    await put(alpha, "after-both");
    await alpha.text("PUT", "second", { key: "after-both", body: "x" });
    const same = async (): Promise<boolean> => {
      const { onlyA, onlyB } = await difference(alpha, baker, "second");
      return onlyA.length + onlyB.length === 0 && (await equal());
    };
    await until(same, WAIT_MS, () => explainDifference(alpha, baker, BUCKET));
  });

  test("a site restored after one of its buckets: the account's new keys reach both, and what is not back is named", async () => {
    await runner.mc("mb --with-versioning alpha/alone");
    await runner.mc("mb --with-versioning alpha/third");
    await runner.mc("mb --with-versioning baker/elsewhere");
    const remote = `http://${ROOT_USER}:${ROOT_SECRET}@127.0.0.1:${baker.server.port}/elsewhere`;
    await runner.mc(`replicate add alpha/third --remote-bucket ${remote}`);
    await baker.server.stop();
    rmSync(baker.server.dir, { recursive: true });
    await baker.restart();
    await runner.mc(`replicate restore alpha/${BUCKET} baker --users`);
    await put(alpha, "between");
    const { code, stdout, stderr } = await runner.attempt("replicate restore alpha baker --users");
    assert.equal(code, 1);
    assert.match(stderr, /Unable to restore baker\/third\. No rule of alpha\/third leads to baker\/third/);
    assert.match(
      stdout,
      /\n2 of 3 replicated buckets are back\nNot back: baker\/third; .*\nWithout a rule, .*: alpha\/alone\n$/,
    );
    for (const bucket of [BUCKET, "second"])
      assert.deepEqual(await baker.lines(bucket), await alpha.lines(bucket), bucket);
  });

  test("restore says what is lost at the source too, and what to do about keys that do not fit", async () => {
    await alpha.text("PUT", BUCKET, { key: "lost", body: "x".repeat(100_000) });
    await converged();
    await baker.server.stop();
    rmSync(baker.server.dir, { recursive: true });
    for (const file of blobFiles(alpha.server.dir)) rmSync(file);
    await baker.restart();
    await runner.mc("admin user add baker replicator another-secret");
    await runner.mc("admin policy attach baker ReplicationRemoteUserPolicy --user replicator");
    await runner.fails(`replicate restore alpha/${BUCKET} baker`, /has another secret.*SignatureDoesNotMatch|--users/);
    const { stdout } = await runner.mc(`replicate restore alpha/${BUCKET} baker --users`);
    assert.match(stdout, /Traffic may return to baker\/documents now, which lacks \d+ of the source's versions: .*\n$/);
  });
});
