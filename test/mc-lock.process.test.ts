/** Object lock from the command line: mb, retention, legalhold, cp, rm, stat, against a running server. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { mcRunner, type McRunner } from "./support/mc-run.ts";
import { cleanUp, startServer, temporaryFolder } from "./support/server.ts";

const DAY = 86_400_000;

let run: McRunner;
let folder = "";

before(async () => {
  folder = temporaryFolder();
  run = mcRunner({ a: await startServer() }, join(folder, "config"));
  await run.mc("mb --with-lock a/safe");
  await run.mc("mb a/plain");
});
after(cleanUp);

async function put(key: string, text = "x", flags = ""): Promise<string> {
  const path = join(folder, "file");
  writeFileSync(path, text);
  await run.mc(`cp ${flags} ${path} a/safe/${key}`.split(" ").filter(Boolean));
  const { objects } = await run.mc(`stat --json a/safe/${key}`);
  return String(objects[0]?.["versionID"]);
}

/** `until` of an info object, in whole days from now. */
const daysOf = (object: Record<string, unknown> | undefined): number =>
  Math.round((Date.parse(String(object?.["until"])) - Date.now()) / DAY);

test("the default of a bucket: set, shown, applied, cleared", async () => {
  const set = await run.mc("retention set --default GOVERNANCE 30d a/safe");
  assert.equal(set.stdout, "Object locking 'GOVERNANCE' is configured for 30DAYS.\n");
  const shown = await run.mc("retention info --default --json a/safe");
  const expected = { op: "info", enabled: "Enabled", mode: "GOVERNANCE", validity: "30DAYS", status: "success" };
  assert.deepEqual(shown.objects, [expected]);
  const stat = await run.mc("stat --json a/safe");
  assert.deepEqual(stat.objects[0]?.["ObjectLock"], { enabled: "Enabled", mode: "GOVERNANCE", validity: "30DAYS" });
  await put("defaulted");
  assert.match((await run.mc("stat a/safe/defaulted")).stdout, /X-Amz-Object-Lock-Mode: GOVERNANCE/);
  assert.match((await run.mc("retention info a/safe/defaulted")).stdout, /^Mode +: GOVERNANCE, expiring in 29 days$/m);
  const cleared = await run.mc("retention clear --default --json a/safe");
  assert.deepEqual(cleared.objects, [{ op: "clear", enabled: "Enabled", mode: "", validity: "", status: "success" }]);
  const none = await run.mc("retention info --default --json a/safe");
  assert.deepEqual(none.objects, [{ ...expected, mode: "", validity: "" }]);
  await put("free");
  assert.match((await run.mc("retention info a/safe/free")).stdout, /^Mode +: Not set$/m);
});

test("retention of a version: set, extended, refused, bypassed, cleared", async () => {
  const id = await put("kept");
  const set = await run.mc("retention set --json governance 10d a/safe/kept");
  const message = { op: "set", mode: "GOVERNANCE", validity: "10DAYS", urlpath: "a/safe/kept", versionID: "" };
  assert.deepEqual(set.objects, [{ ...message, status: "success", error: null }]);
  const info = await run.mc(`retention info --json --vid ${id} a/safe/kept`);
  const { until, ...rest } = info.objects[0] ?? {};
  const names = { mode: "GOVERNANCE", urlpath: "a/safe/kept", versionID: id, status: "success", error: null };
  assert.deepEqual(rest, names);
  assert.equal(daysOf({ until }), 10);
  const text = await run.mc(`retention set governance 1y --vid ${id} a/safe/kept`);
  assert.equal(text.stdout, `Object retention successfully set for \`a/safe/kept\` (version-id=${id}).\n`);
  await run.fails("retention set governance 1d a/safe/kept", /protected by object lock/);
  const refused = await run.attempt("retention set --json governance 1d a/safe/kept");
  assert.deepEqual([refused.code, refused.objects[0]?.["status"]], [1, "failure"]);
  assert.match(JSON.stringify(refused.objects[0]?.["error"]), /"Code":"AccessDenied"/);
  await run.mc("retention set --bypass governance 1d a/safe/kept");
  await run.fails(`rm --vid ${id} a/safe/kept`, /protected by object lock/);
  const clear = await run.mc("retention clear a/safe/kept");
  assert.equal(clear.stdout, "Object retention successfully cleared for `a/safe/kept`.\n");
  await run.mc(`rm --vid ${id} a/safe/kept`);
});

test("many versions: a prefix, all versions, markers left out; one that fails does not hide the others", async () => {
  const first = await put("many/a", "1");
  const second = await put("many/a", "2");
  await put("many/b");
  await run.mc("rm a/safe/many/b");
  const all = await run.mc("retention set -r --versions --json governance 5d a/safe/many/");
  assert.equal(all.objects.length, 3);
  const listed = await run.mc("retention info --versions a/safe/many/a");
  assert.deepEqual(listed.stdout.split("\n").filter(Boolean), [
    `[  GOVERNANCE  ] ${second} a/safe/many/a`,
    `[  GOVERNANCE  ] ${first} a/safe/many/a`,
  ]);
  await run.mc(`retention set --vid ${first} --bypass compliance 9d a/safe/many/a`);
  const partly = await run.attempt("retention clear -r --versions --json a/safe/many/");
  assert.equal(partly.code, 1);
  assert.deepEqual(partly.objects.map(({ status }) => status).sort(), ["failure", "success", "success"]);
  const info = await run.mc("retention info -r --versions --json a/safe/many/");
  assert.deepEqual(info.objects.map(({ mode }) => mode).sort(), ["", "", "COMPLIANCE"]);
  await run.fails("retention set governance 5d a/safe/nothing", /does not exist/);
  await run.fails("retention set -r governance 5d a/safe/nothing/", /Nothing found/);
});

test("legal hold: set, shown, refused, cleared", async () => {
  const id = await put("held");
  assert.equal((await run.mc("legalhold info a/safe/held")).stdout, "[ Not set  ]  held\n");
  const set = await run.mc("legalhold set a/safe/held");
  assert.equal(set.stdout, "Object legal hold successfully set for `held`.\n");
  assert.equal((await run.mc("legalhold info a/safe/held")).stdout, "[    ON    ]  held\n");
  assert.match((await run.mc("stat a/safe/held")).stdout, /X-Amz-Object-Lock-Legal-Hold: ON/);
  await run.fails(`rm --bypass --vid ${id} a/safe/held`, /legal hold/);
  const cleared = await run.mc(`legalhold clear --json --vid ${id} a/safe/held`);
  const urlpath = String(cleared.objects[0]?.["urlpath"]);
  assert.match(urlpath, /^http:\/\/.*\/safe\/held$/);
  assert.deepEqual(cleared.objects, [{ legalhold: "OFF", urlpath, key: "held", versionID: id, status: "success" }]);
  assert.equal((await run.mc("legalhold info --versions a/safe/held")).stdout, `[   OFF    ] ${id} held\n`);
  await run.mc(`rm --vid ${id} a/safe/held`);
  const gone = await run.attempt(`legalhold set --json --vid ${id} a/safe/held`);
  assert.deepEqual([gone.code, gone.objects[0]?.["status"]], [1, "failure"]);
});

test("uploads bring their locks; a locked bucket is not removed by force", async () => {
  await put("uploaded", "x", "--retention-mode compliance --retention-duration 2d --legal-hold on");
  const info = await run.mc("retention info --json a/safe/uploaded");
  assert.deepEqual([info.objects[0]?.["mode"], daysOf(info.objects[0])], ["COMPLIANCE", 2]);
  await run.fails("rb --force a/safe", /protected by object lock/);
  await run.mc("stat a/safe/uploaded");
});

test("what is wrong is said, and ends with 1", async () => {
  await run.fails("retention set governance 5d a/plain/k", /no object lock/);
  await run.fails("retention info --default a/plain", /no object lock/);
  await run.fails("legalhold set a/plain/k", /no object lock/);
  await run.fails("legalhold set a/nowhere/k", /does not exist/);
  await run.fails("retention set governance 5d a/safe", /names no object/);
  for (const line of ["governance 0d", "governance 5h", "governance 101y", "worm 5d"])
    assert.equal((await run.attempt(`retention set ${line} a/safe/free`)).code, 1, line);
});
