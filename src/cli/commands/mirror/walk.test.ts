/** The walk of a mirror against a server in memory: what it removes, and when it must not. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { mirrorCommand } from "../mirror.ts";
import type { FakeServer, RunResult } from "../testing.ts";
import { ok, runCommand } from "../testing.ts";

type Listings = Readonly<Record<string, readonly string[]>>;

function listing(keys: readonly string[]): string {
  const rows = keys.map((key) => `<Contents><Key>${encodeURIComponent(key)}</Key><Size>1</Size></Contents>`);
  const head = "<EncodingType>url</EncodingType><IsTruncated>false</IsTruncated>";
  return `<ListBucketResult>${head}${rows.join("")}</ListBucketResult>`;
}

interface Recorded extends RunResult {
  /** Keys of each DeleteObjects request. */
  readonly removed: string[][];
}

/** `refused`: a key that the server does not remove. */
async function mirror(line: string, keys: Listings, refused?: string): Promise<Recorded> {
  const removed: string[][] = [];
  const server: FakeServer = {
    calls: [],
    admin: () => "",
    s3({ method, bucket = "" }, body) {
      if (method !== "POST") return ok(listing(keys[bucket] ?? []));
      const asked = [...body.matchAll(/<Key>([^<]*)<\/Key>/g)].map(([, key]) => key ?? "");
      removed.push(asked);
      const results = asked.map((key) =>
        key === refused
          ? `<Error><Key>${key}</Key><Code>AccessDenied</Code><Message>Denied</Message></Error>`
          : `<Deleted><Key>${key}</Key></Deleted>`,
      );
      return ok(`<DeleteResult>${results.join("")}</DeleteResult>`);
    },
  };
  return { ...(await runCommand(server, mirrorCommand, line)), removed };
}

test("removals travel in batches", async () => {
  const many = Array.from({ length: 600 }, (_, i) => `k${String(i).padStart(4, "0")}`);
  const { code, removed, stdout } = await mirror("mirror --remove a/source b/target", {
    source: ["k0000"],
    target: many,
  });
  assert.equal(code, 0);
  assert.deepEqual(
    removed.map((batch) => batch.length),
    [250, 250, 99],
  );
  assert.equal(stdout.split("\n").filter((line) => line.startsWith("Removed `b/target/k")).length, 599);
});

test("a refused removal ends the mirror, or is counted with --skip-errors", async () => {
  const keys = { source: [], target: ["a", "b"] };
  const stopped = await mirror("mirror --remove a/source b/target", keys, "a");
  assert.deepEqual([stopped.code, stopped.stderr], [1, "mc: <ERROR> Failed to remove `b/target/a`. Denied.\n"]);
  assert.equal(stopped.stdout, "Removed `b/target/b`.\n");
  const skipped = await mirror("mirror --remove --skip-errors a/source b/target", keys, "a");
  assert.deepEqual([skipped.code, skipped.stdout], [1, "Removed `b/target/b`.\n"]);
});

test("a listing out of order removes nothing", async () => {
  const { code, removed, stderr } = await mirror("mirror --remove a/source b/target", {
    source: ["b", "a"],
    target: ["a", "b"],
  });
  assert.deepEqual([code, removed], [1, []]);
  assert.match(stderr, /not in key order/);
});

test("a key that would leave the folder is refused, and the rest goes on with --skip-errors", async () => {
  const keys = { source: ["../out", "in"] };
  const stopped = await mirror("mirror --dry-run a/source ./no-such-folder", keys);
  assert.deepEqual([stopped.code, stopped.stdout], [1, ""]);
  assert.match(stopped.stderr, /`..\/out` would leave the folder/);
  const skipped = await mirror("mirror --dry-run --skip-errors a/source ./no-such-folder", keys);
  assert.equal(skipped.code, 1);
  assert.match(skipped.stdout, /^`a\/source\/in` -> `no-such-folder\/in`\n/);
});
