/** `resilver check DIR`: what it says of a sound directory, of one with each kind of damage, and of one from before digests. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { after, before, describe, test } from "node:test";
import { CommitBuilder } from "../src/storage/index/commit-builder.ts";
import type { OrderedIndex } from "../src/storage/index/index.ts";
import { openLmdbIndex } from "../src/storage/index/lmdb/index.ts";
import { namedRowKey, SPACE, spaceRange } from "../src/storage/keys.ts";
import { blobFiles, flip } from "./support/damage.ts";
import { bodyOf } from "./support/random.ts";
import { cleanUp } from "./support/server.ts";
import { putParts, Site } from "./support/site.ts";

const BUCKET = "data";
const OBJECTS = 120;
const NOBODY = 65_534;
const program = resolve(import.meta.dirname, "..", "bin", "resilver");

let site: Site;
let dir: string;

interface Said {
  readonly code: number | null;
  readonly faults: { what: string; key?: string }[];
  readonly statement: string;
  readonly errors: string;
}

function check(...flags: string[]): Said {
  const { status, stdout, stderr } = spawnSync(program, ["check", "--json", ...flags, dir], { encoding: "utf8" });
  const lines = stdout.split("\n").filter(Boolean);
  const objects = lines.map(
    (line) => JSON.parse(line) as { type: string; what: string; key?: string; statement?: string },
  );
  const faults = objects
    .filter(({ type }) => type === "fault")
    .map(({ what, key }) => (key === undefined ? { what } : { what, key }));
  return { code: status, faults, statement: objects.at(-1)?.statement ?? "", errors: stderr };
}

async function edit(change: (index: OrderedIndex, commit: CommitBuilder) => Promise<void>): Promise<void> {
  const index = await openLmdbIndex({ path: join(dir, "index") });
  const commit = new CommitBuilder();
  await change(index, commit);
  await index.commit(commit);
  await index.close();
}

describe("check", { timeout: 120_000 }, () => {
  before(async () => {
    site = await Site.start();
    dir = site.server.dir;
    await site.makeBucket(BUCKET);
    for (let i = 0; i < OBJECTS; i++)
      await site.text("PUT", BUCKET, { key: `k/${i % 50}`, body: bodyOf(i, i % 10 === 0 ? 40_000 : 300) });
    await site.text("DELETE", BUCKET, { key: "k/7" });
    await putParts(site, BUCKET, "large", [bodyOf(1000, 5 << 20), bodyOf(1001, 70_000)]);
  });
  after(async () => {
    await site.close();
    await cleanUp();
  });

  test("a directory in use is left alone", () => {
    const { code, errors } = check();
    assert.equal(code, 2);
    assert.match(errors, /in use/);
  });

  test("a sound directory is sound, however it was left", async () => {
    await site.kill();
    for (const flags of [[], ["--deep"], ["--rebuild"]]) {
      const said = check(...flags);
      assert.deepEqual(said.faults, [], said.errors);
      assert.equal(said.code, 0);
      assert.match(
        said.statement,
        new RegExp(`^Sound: ${OBJECTS + 1} objects in 1 buckets .*, ${OBJECTS + 2} versions`),
      );
    }
  });

  test("a directory that can only be read is looked at, and left as it was", () => {
    const folder = mkdtempSync(join(tmpdir(), "resilver-read-only-"));
    chmodSync(folder, 0o755);
    const copy = join(folder, "site");
    try {
      cpSync(dir, copy, { recursive: true, filter: (path) => !path.endsWith("server.lock") });
      // Root may write anywhere: the look is another user's then.
      const user = process.getuid?.() === 0 ? { uid: NOBODY, gid: NOBODY } : {};
      spawnSync("chmod", ["-R", "a-w,a+rX", copy]);
      const look = (...flags: string[]) =>
        spawnSync(program, ["check", ...flags, copy], {
          encoding: "utf8",
          ...user,
          env: { ...process.env, HOME: "/" },
        });
      const before = readdirSync(copy, { recursive: true }).sort();
      const sound = look("--deep");
      assert.equal(sound.status, 0, sound.stderr);
      assert.match(sound.stdout, /^Sound: /);
      assert.deepEqual(readdirSync(copy, { recursive: true }).sort(), before);
      const rebuilt = look("--rebuild");
      assert.deepEqual([rebuilt.status, /cannot be written/.test(rebuilt.stderr)], [2, true], rebuilt.stderr);
    } finally {
      spawnSync("chmod", ["-R", "u+w", copy]);
      rmSync(folder, { recursive: true, force: true });
    }
  });

  test("a lost file is found, a flipped byte when every byte is read", () => {
    const [first = "", second = ""] = blobFiles(dir);
    const kept = readFileSync(first);
    rmSync(first);
    assert.deepEqual(
      check().faults.map(({ what }) => what),
      ["missing bytes"],
    );
    writeFileSync(first, kept);
    flip(second, 100, true);
    const said = check("--deep");
    assert.deepEqual(
      said.faults.map(({ what }) => what),
      ["corrupt bytes"],
    );
    assert.equal(said.code, 3);
    assert.match(said.statement, /^1 faults/);
    flip(second, 100, true);
  });

  test("a row that no version can be read from is named, and nothing more is said of the directory", async () => {
    let kept: Buffer | undefined;
    const turn = (): Promise<void> =>
      edit(async (index, commit) => {
        const [row] = await index.scan(spaceRange(SPACE.version), { limit: 1 });
        assert.ok(row !== undefined);
        commit.put(row.key, kept ?? Buffer.from(row.value.toString().replace('"mtime":"', '"mtime":x"')));
        kept ??= row.value;
      });
    await turn();
    const said = check();
    assert.deepEqual(said.faults, [{ what: "damaged row", key: "k/0" }], said.errors);
    assert.deepEqual([said.code, said.statement.startsWith("1 faults")], [3, true]);
    await turn();
    assert.equal(check().code, 0);
  });

  test("wrong digests, counters and parts are found; digests are made anew", async () => {
    await edit(async (index, commit) => {
      const [digest] = await index.scan(spaceRange(SPACE.digest), { limit: 1 });
      assert.ok(digest !== undefined);
      digest.value.writeUInt8(digest.value.readUInt8(30) ^ 1, 30);
      commit.put(digest.key, digest.value);
      const [parts] = await index.scan(spaceRange(SPACE.parts), { limit: 1 });
      assert.ok(parts !== undefined);
      commit.delete(parts.key);
      const counters = await index.scan(spaceRange(SPACE.counter), { limit: 100 });
      const bytes = counters.find(({ key }) => /usage\/.*\/bytes/.test(key.toString()));
      assert.ok(bytes !== undefined);
      commit.add(bytes.key, 1n);
    });
    const said = check();
    assert.deepEqual(said.faults, [
      { what: "counter differs" },
      { what: "missing parts", key: "large" },
      { what: "digest differs" },
      { what: "file row without a file", key: "large" },
    ]);
    assert.equal(said.code, 3);
    assert.deepEqual(
      check("--rebuild").faults.map(({ what }) => what),
      ["counter differs", "missing parts"],
    );
  });

  test("a directory of format 1 gets its digests and its rows of files at the next start", async () => {
    await edit(async (index, commit) => {
      for (const { key, value } of await index.scan(spaceRange(SPACE.byId), { limit: 1e6 }))
        commit.put(key, value.subarray(0, 8));
      commit.delete(namedRowKey(SPACE.config, "digests"));
      for (const { key } of await index.scan(spaceRange(SPACE.file), { limit: 1e6 })) commit.delete(key);
      commit.delete(namedRowKey(SPACE.config, "files"));
    });
    const path = join(dir, "format.json");
    const format = JSON.parse(readFileSync(path, "utf8")) as object;
    writeFileSync(path, JSON.stringify({ ...format, format: 1 }));
    const early = check();
    assert.equal(early.code, 2);
    assert.match(early.errors, /of an older format/);
    await site.restart();
    assert.equal(await site.server.stop(), 0);
    assert.match(readFileSync(path, "utf8"), /"format":3/);
    assert.deepEqual(
      check().faults.map(({ what }) => what),
      ["counter differs", "missing parts"],
    );
  });

  test("what is no data directory is refused, and so is a flag that nobody knows", () => {
    for (const args of [["/nonexistent"], [dir, dir], ["--what", dir], []]) {
      const { status } = spawnSync(program, ["check", ...args], { encoding: "utf8" });
      assert.equal(status, 2);
    }
  });
});
