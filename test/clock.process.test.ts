/** Locks of a real server whose clock is set forward and back around retention dates, while it runs and while it does not. */
import assert from "node:assert/strict";
import { globSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, beforeEach, test } from "node:test";
import { S3Client } from "../src/client/s3-client.ts";
import { cleanUp, ROOT_SECRET, ROOT_USER, startServer, temporaryFolder, type RunningServer } from "./support/server.ts";

const [library] = globSync("/usr/lib/*/faketime/libfaketime.so.1");
const skip = library === undefined && "libfaketime is not installed: apt-get install faketime";
const bucket = "vault";
const DAY = 86_400_000;
const clockFile = join(temporaryFolder(), "clock");

let server: RunningServer;
let s3: S3Client;
let aheadDays = 0;

/** What the server's clock shows. */
const now = (): number => Date.now() + aheadDays * DAY;
const inDays = (days: number): string => new Date(Date.now() + days * DAY).toISOString();

/** Days of real time are 0; the server sees the change with its next look. */
function setClock(days: number): void {
  aheadDays = days;
  writeFileSync(`${clockFile}.new`, `${days < 0 ? "-" : "+"}${Math.abs(days)}d\n`);
  renameSync(`${clockFile}.new`, clockFile);
}

async function start(): Promise<void> {
  server = await startServer({
    ...(server && { dir: server.dir, port: server.port }),
    env: {
      LD_PRELOAD: library ?? "",
      FAKETIME_TIMESTAMP_FILE: clockFile,
      FAKETIME_NO_CACHE: "1",
      FAKETIME_DONT_FAKE_MONOTONIC: "1",
    },
  });
  s3 = new S3Client({ url: server.url, accessKey: ROOT_USER, secretKey: ROOT_SECRET }, now);
}

async function restart(): Promise<void> {
  await s3.close();
  await server.stop();
  await start();
}

before(async () => {
  if (skip !== false) return;
  setClock(0);
  await start();
  await expect(200, "PUT", "", { headers: { "x-amz-bucket-object-lock-enabled": "true" } });
});
beforeEach(() => setClock(0));
after(async () => {
  await s3?.close();
  await cleanUp();
});

interface Options {
  readonly query?: Record<string, string>;
  readonly headers?: Record<string, string>;
  readonly body?: string;
}

async function expect(status: number, method: string, key: string, options: Options = {}) {
  const body = options.body === undefined ? undefined : Buffer.from(options.body);
  const answer = await s3.request({ ...options, method, bucket, key: key === "" ? undefined : key, body });
  const text = (await answer.bytes()).toString("utf8");
  assert.equal(answer.status, status, `${method} ${key} at ${aheadDays} days: ${text}`);
  return answer.headers;
}

/** A version under retention; its id. */
async function locked(key: string, mode: string, days: number): Promise<string> {
  const headers = { "x-amz-object-lock-mode": mode, "x-amz-object-lock-retain-until-date": inDays(days) };
  return String((await expect(200, "PUT", key, { body: key, headers }))["x-amz-version-id"]);
}

const remove = (status: number, key: string, versionId: string, headers: Record<string, string> = {}) =>
  expect(status, "DELETE", key, { query: { versionId }, headers });
const bypass = { "x-amz-bypass-governance-retention": "true" };

function retain(status: number, key: string, versionId: string, mode: string, until: string) {
  const body = `<Retention><Mode>${mode}</Mode><RetainUntilDate>${until}</RetainUntilDate></Retention>`;
  return expect(status, "PUT", key, { query: { retention: "", versionId }, body });
}

test("the running server's clock decides: forward frees, back locks again", { skip }, async () => {
  const compliance = await locked("compliance", "COMPLIANCE", 2);
  const governance = await locked("governance", "GOVERNANCE", 2);
  await remove(403, "compliance", compliance, bypass);
  await remove(403, "governance", governance);
  setClock(1.9);
  await remove(403, "compliance", compliance, bypass);
  setClock(3);
  const freed = await locked("freed", "COMPLIANCE", 4);
  await remove(403, "freed", freed, bypass);
  // Back again before anybody used the gap: nothing was lost by it.
  setClock(0);
  await remove(403, "compliance", compliance, bypass);
  await retain(403, "compliance", compliance, "COMPLIANCE", inDays(1));
  await remove(403, "governance", governance);
  setClock(-10);
  await remove(403, "compliance", compliance, bypass);
  await remove(204, "governance", governance, bypass);
  setClock(2.1);
  await remove(204, "compliance", compliance);
  await remove(403, "freed", freed);
  setClock(4.1);
  await remove(204, "freed", freed);
});

test("a restart with another clock changes nothing but the moment", { skip }, async () => {
  const id = await locked("restarted", "COMPLIANCE", 2);
  setClock(-30);
  await restart();
  await remove(403, "restarted", id, bypass);
  await expect(200, "GET", "restarted", { query: { versionId: id } });
  setClock(1);
  await restart();
  await remove(403, "restarted", id, bypass);
  setClock(3);
  await restart();
  await remove(204, "restarted", id);
});

test(
  "dates are held against the clock of the moment: the past is refused, a default begins now",
  { skip },
  async () => {
    const id = await locked("dated", "GOVERNANCE", 2);
    setClock(400);
    await retain(400, "dated", id, "GOVERNANCE", inDays(399));
    const rule = "<Rule><DefaultRetention><Mode>COMPLIANCE</Mode><Days>5</Days></DefaultRetention></Rule>";
    const body = `<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled>${rule}</ObjectLockConfiguration>`;
    await expect(200, "PUT", "", { query: { "object-lock": "" }, body });
    await expect(200, "PUT", "ahead", { body: "ahead" });
    setClock(0);
    // Over the version from far ahead, in the same process: its time is later still, its retention is not.
    await expect(200, "PUT", "ahead", { body: "back" });
    const until = Date.parse(String((await expect(200, "HEAD", "ahead"))["x-amz-object-lock-retain-until-date"]));
    assert.ok(until > now() + 4.9 * DAY && until <= now() + 5 * DAY, new Date(until).toISOString());
    const answer = await s3.request({ method: "GET", bucket, key: "ahead" });
    assert.equal((await answer.bytes()).toString("utf8"), "back");
  },
);
