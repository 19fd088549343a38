/** Names typed wrong, names that are only begun, and names that are one file on this machine. */
import assert from "node:assert/strict";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { mcRunner, type McRunner } from "./support/mc-run.ts";
import { cleanUp, temporaryFolder } from "./support/server.ts";
import { Site } from "./support/site.ts";

const BUCKET = "names";
let site: Site;
let runner: McRunner;
let folder: string;

const put = (key: string, body: string): Promise<unknown> => site.text("PUT", BUCKET, { key, body });
const read = (...path: string[]): string => readFileSync(join(folder, ...path), "utf8");

describe("mc and names", { timeout: 120_000 }, () => {
  before(async () => {
    folder = temporaryFolder();
    site = await Site.start();
    runner = mcRunner({ s: site.server }, join(folder, "config"));
    await site.makeBucket(BUCKET, { versioned: false });
    for (const key of ["dir/a", "dir/sub/b", "disk", "top"]) await put(key, key);
  });
  after(async () => {
    await site.close();
    await cleanUp();
  });

  test("what is not there is no empty folder", async () => {
    const none = /There is (nothing below|neither an object nor a folder) `s\/names\/nope\/?`/;
    const empty = join(folder, "empty");
    mkdirSync(empty);
    for (const at of [`s/${BUCKET}/nope`, `s/${BUCKET}/nope/`])
      for (const line of [`find ${at}`, `tree ${at}`, `diff ${at} ${empty}`, `diff ${empty} ${at}`])
        await runner.fails(line, none);
    await runner.fails(`du s/${BUCKET}/nope`, none);
    await runner.fails(`cp -r s/${BUCKET}/nope/ ${empty}`, none);
    await runner.fails(`cp -r s/${BUCKET}/nope ${empty}`, /Object `s\/names\/nope` does not exist/);
    await runner.mc(`find s/${BUCKET}/top`);
    await runner.mc(`find s/${BUCKET}/dir`);
    await put("marker/", "");
    for (const line of ["find", "tree", "du"]) await runner.mc(`${line} s/${BUCKET}/marker/`);
  });

  test("the beginning of names is copied with everything that begins so", async () => {
    await runner.mc(`cp -r s/${BUCKET}/di ${join(folder, "begun")}`);
    assert.equal(read("begun", "dir", "sub", "b"), "dir/sub/b");
    assert.deepEqual(readdirSync(join(folder, "begun")).sort(), ["dir", "disk"]);
    await runner.mc(`cp -r s/${BUCKET}/dir/su ${join(folder, "deeper")}`);
    assert.equal(read("deeper", "sub", "b"), "dir/sub/b");
    await runner.mc(`cp -r s/${BUCKET}/disk ${join(folder, "one")}/`);
    assert.equal(read("one", "disk"), "disk");
  });

  test("two keys that are one file here: one is copied, the other named", async () => {
    for (const key of ["odd/a//b", "odd/a/b", "odd/a/-c", "odd/a//-c", "odd//x///y", "odd//x//y", "odd//lone"])
      await put(key, key);
    const faults = /The keys `a\/\/b` and `a\/b` are one file on this machine/;
    await runner.fails(`cp -r s/${BUCKET}/odd/ ${join(folder, "got")}/`, faults);
    assert.deepEqual([read("got", "a", "b"), read("got", "a", "-c")], ["odd/a/b", "odd/a/-c"]);
    assert.equal(read("got", "lone"), "odd//lone");
    assert.equal(read("got", "x", "y"), "odd//x///y");
    const mirrored = join(folder, "mirrored");
    await runner.fails(`mirror s/${BUCKET}/odd ${mirrored}`, /are one file on this machine/);
    await runner.fails(`mirror --skip-errors s/${BUCKET}/odd ${mirrored}`, faults);
    assert.deepEqual([read("mirrored", "a", "b"), read("mirrored", "lone")], ["odd/a/b", "odd//lone"]);
  });

  test("a mirror that removes leaves the file of a key that is called otherwise", async () => {
    for (const key of ["slashes/m//b", "slashes/m//-b"]) await put(key, key);
    const target = join(folder, "slashes");
    mkdirSync(target);
    writeFileSync(join(target, "old"), "");
    for (let runs = 0; runs < 2; runs++) await runner.mc(`mirror --remove s/${BUCKET}/slashes ${target}`);
    assert.deepEqual([read("slashes", "m", "b"), read("slashes", "m", "-b")], ["slashes/m//b", "slashes/m//-b"]);
    assert.deepEqual(readdirSync(target), ["m"]);
  });
});
