/** The durable index when its process is killed, and when the file system is full: in processes of their own. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, test } from "node:test";
import { openLmdbIndex } from "../src/storage/index/lmdb/index.ts";

const root = mkdtempSync(join(tmpdir(), "resilver-crash-"));
after(() => rmSync(root, { recursive: true, force: true }));
const child = join(import.meta.dirname, "support", "index-child.ts");

test("kill -9 loses no answered commit and tears none", async () => {
  const path = join(root, "killed");
  for (let round = 0; round < 3; round++) {
    const writers = ["a", "b"].map((name) =>
      spawn(process.execPath, [child, "write", path, `${name}${round}`], { stdio: ["ignore", "pipe", "inherit"] }),
    );
    const answered = await Promise.all(
      writers.map(async (writer) => {
        const lines: string[] = [];
        for await (const line of createInterface({ input: writer.stdout })) {
          lines.push(line);
          if (lines.length === 200) writer.kill("SIGKILL");
        }
        return lines;
      }),
    );
    const index = await openLmdbIndex({ path });
    for (const line of answered.flat()) {
      const [left, right] = await Promise.all([
        index.get(Buffer.from(`left ${line}`)),
        index.get(Buffer.from(`right ${line}`)),
      ]);
      assert.equal(left?.length, 3000);
      assert.ok(left?.equals(right as Buffer));
    }
    const range = { start: Buffer.from("left "), end: Buffer.from("left~") };
    for (const row of await index.scan(range, { limit: 1e6, keysOnly: true })) {
      const twin = row.key.toString().replace("left", "right");
      assert.notEqual(await index.get(Buffer.from(twin)), undefined, "both rows of a commit or none");
    }
    await index.close();
  }
});

const NO_MOUNT = 77;

test("a full file system refuses what does not fit, keeps the rest, and goes on when there is room", async (t) => {
  const path = join(root, "full");
  mkdirSync(path);
  const script = `mount -t tmpfs -o size=4m tmpfs "$1" || exit ${NO_MOUNT}; exec "$2" "$3" fill "$1/index"`;
  const limited = spawn("unshare", ["-Urm", "sh", "-c", script, "sh", path, process.execPath, child], {
    stdio: ["ignore", "inherit", "pipe"],
  });
  let errors = "";
  limited.stderr.on("data", (piece: Buffer) => (errors += piece.toString()));
  const code = await new Promise<number | null>((resolve) => {
    limited.once("error", () => resolve(NO_MOUNT));
    limited.once("close", resolve);
  });
  if (code === NO_MOUNT) return t.skip("this machine lets no test mount a small file system (unshare -Urm)");
  assert.equal(code, 0, errors);
});
