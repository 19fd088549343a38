import assert from "node:assert/strict";
import { test } from "node:test";
import type { AdminCall } from "../../../client/admin-client.ts";
import type { FakeServer } from "../testing.ts";
import { adminError, runCommand, s3Error } from "../testing.ts";
import { adminCommand } from "./index.ts";

const item = (object: string, before: string, after: string, detail = ""): object => ({
  resultId: 1,
  type: object === "" ? "bucket" : "object",
  bucket: "b",
  object,
  versionId: "V",
  detail,
  objectSize: 1024,
  before: { drives: [{ state: before }] },
  after: { drives: [{ state: after }] },
});

class HealServer implements FakeServer {
  readonly calls: string[] = [];
  readonly bodies: string[] = [];
  answers: object[] = [];
  s3 = () => s3Error(400, "NotImplemented");
  admin(call: AdminCall, body: string): string {
    if (body !== "") this.bodies.push(body);
    if (!/heal/.test(call.path)) throw adminError(426, "XMinioAdminVersionMismatch");
    return JSON.stringify(this.answers.shift() ?? {});
  }
}

test("a heal is started, followed to its end and summed up; what is left damaged ends it with 1", async () => {
  const server = new HealServer();
  const start = { clientToken: "T", clientAddress: "a:1", startTime: "2026-11-23T00:00:00Z" };
  const found = [item("", "ok", "ok"), item("good", "ok", "ok"), item("rot", "corrupt", "ok")];
  const last = item("gone", "missing", "missing", "no peer has it");
  server.answers = [start, { summary: "running", items: found }, { summary: "finished", items: [last] }];
  const run = await runCommand(server, adminCommand, "admin heal --recursive --scan deep a/b/p");
  assert.equal(run.code, 1, run.stderr);
  assert.deepEqual(server.calls, ["POST heal/b/p?", "POST heal/b/p?clientToken=T", "POST heal/b/p?clientToken=T"]);
  assert.deepEqual(JSON.parse(server.bodies[0] ?? ""), {
    recursive: true,
    dryRun: false,
    remove: false,
    recreate: false,
    scanMode: 2,
  });
  assert.deepEqual(run.stdout.trim().split("\n"), [
    "b/rot (V): corrupt, healed",
    "b/gone (V): missing: no peer has it",
    "a/b/p: 3 versions, 3.0 KiB looked at; 2 damaged, 1 healed",
  ]);
});

test("without a bucket the scrub is shown; a stopped heal is an error; a wrong mode is refused", async () => {
  const server = new HealServer();
  const scrub = {
    running: false,
    passes: 2,
    passEnded: "T",
    versions: 9,
    bytes: 9,
    missing: 1,
    corrupt: 2,
    repaired: 3,
  };
  server.answers = [{ ScannedItemsCount: 9, scrub: { ...scrub, damagedNow: 0 } }];
  const shown = await runCommand(server, adminCommand, "admin heal a");
  assert.match(shown.stdout, /the last pass ended T; 2 passes\n.*9 versions[^]*3 from peers/);
  server.answers = [{ clientToken: "T" }, { summary: "stopped", detail: "it was stopped on request" }];
  assert.match((await runCommand(server, adminCommand, "admin heal -r a/b")).stderr, /stopped on request/);
  assert.equal((await runCommand(server, adminCommand, "admin heal --scan fast a/b")).code, 1);
});
