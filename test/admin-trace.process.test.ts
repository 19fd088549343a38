/** `mc admin trace` sees every process of a site, and what its replication sends. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { after, test } from "node:test";
import { mc } from "./support/clients.ts";
import { cleanUp, ROOT_SECRET, ROOT_USER, startServer, temporaryFolder } from "./support/server.ts";

after(cleanUp);

interface Line {
  readonly api: string;
  readonly path: string;
  readonly statusCode: number;
  readonly type: string;
  readonly statusMsg: string;
}

/** Follows `mc admin trace`; `until` resolves with the lines so far when one fits. */
function follow(url: string, flags: readonly string[]) {
  const env = {
    ...process.env,
    MC_CONFIG_DIR: temporaryFolder(),
    MC_HOST_a: url.replace("://", `://${ROOT_USER}:${ROOT_SECRET}@`),
  };
  const program = join(resolve(import.meta.dirname, ".."), "bin", "mc");
  const child = spawn(program, ["admin", "trace", "a", "--json", ...flags], {
    env,
    stdio: ["ignore", "pipe", "inherit"],
  });
  const lines: Line[] = [];
  const reader = createInterface({ input: child.stdout });
  reader.on("line", (text) => lines.push(JSON.parse(text) as Line));
  return {
    lines,
    async until(fits: (line: Line) => boolean, poke: () => Promise<unknown>): Promise<Line> {
      for (;;) {
        const found = lines.find(fits);
        if (found !== undefined) return found;
        await poke();
      }
    },
    async stop(): Promise<void> {
      const gone = once(child, "close");
      child.kill("SIGINT");
      await gone;
    },
  };
}

test("calls of every process, and replication", async () => {
  const [a, b] = [await startServer({ workers: 2 }), await startServer()];
  const options = { aliases: { a, b }, configDir: temporaryFolder() };
  for (const name of ["a/src", "b/dst"]) await mc(["mb", name, "--with-versioning"], options);
  const remote = `${b.url.replace("://", `://${ROOT_USER}:${ROOT_SECRET}@`)}/dst`;
  const added = await mc(["replicate", "add", "a/src", "--remote-bucket", remote], options);
  assert.equal(added.code, 0, added.stderr);
  const trace = follow(a.url, ["--call", "s3,replication"]);
  const fetched = (): Promise<Response> => fetch(`${a.url}/src/some-key`, { headers: { connection: "close" } });
  const denied = await trace.until((line) => line.api === "s3.GetObject" && line.path === "/src/some-key", fetched);
  assert.deepEqual([denied.statusCode, denied.type], [403, "s3"]);
  // Each connection may meet either process: all are told of the follower, so sooner or later every request shows.
  const before = trace.lines.length;
  const all = Promise.all(Array.from({ length: 40 }, fetched));
  await all;
  await trace.until(
    () => trace.lines.length >= before + 40,
    () => new Promise((done) => setImmediate(done)),
  );
  await mc(["pipe", "a/src/replicated"], { ...options, input: "bytes" });
  const sent = await trace.until(
    (line) => line.api === "replication.Send",
    () => new Promise((done) => setImmediate(done)),
  );
  assert.deepEqual([sent.path, sent.statusMsg, sent.type], ["src/replicated", "sent", "replication"]);
  await trace.stop();
  assert.equal(
    trace.lines.some((line) => line.path.startsWith("/minio/")),
    false,
    "admin calls only when they are asked for",
  );
});
