/**
 * What verifying two buckets says: nothing when they are equal, and exactly what was changed when they are not; between
 * two sites of this program by digests, and where one is taken for another server by listings.
 */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, statSync } from "node:fs";
import { createServer, request as httpRequest, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { signerOf } from "../src/protocol/signed-document.ts";
import { blobFiles, flip } from "./support/damage.ts";
import { mcRunner, type McRun } from "./support/mc-run.ts";
import { bodyOf } from "./support/random.ts";
import { cleanUp, temporaryFolder } from "./support/server.ts";
import { explainDifference, difference, putParts, putRule, putTags, setRule, Site, until } from "./support/site.ts";

const BUCKET = "data";
const OBJECTS = 300;
const WAIT_MS = 30_000;

let a: Site;
let b: Site;
let stranger: Server;
let run: (line: string) => Promise<McRun>;

/** Baker as another server would look: it knows no calls of ours. */
function asStranger(site: Site): Server {
  return createServer((incoming, outgoing) => {
    if (incoming.url?.startsWith("/resilver/") === true) {
      outgoing.writeHead(404).end();
      return;
    }
    const { method, url, headers } = incoming;
    const forwarded = httpRequest({ port: site.server.port, method, path: url, headers }, (answer) => {
      const { "x-resilver": _, ...rest } = answer.headers;
      outgoing.writeHead(answer.statusCode ?? 500, rest);
      answer.pipe(outgoing);
    });
    forwarded.on("error", () => outgoing.destroy());
    incoming.pipe(forwarded);
  });
}

async function fill(site: Site): Promise<void> {
  const put = async (i: number): Promise<void> => {
    const headers = { "x-amz-meta-number": String(i), "content-type": "text/plain", "cache-control": "no-store" };
    await site.text("PUT", BUCKET, { key: `k/${i % 200}`, body: bodyOf(i, i % 10 === 0 ? 40_000 : 300), headers });
  };
  for (let i = 0; i < OBJECTS; i += 20) await Promise.all(Array.from({ length: 20 }, (_, j) => put(i + j)));
  await site.text("DELETE", BUCKET, { key: "k/7" });
  await putParts(site, BUCKET, "large", [bodyOf(9000, 5 << 20), bodyOf(9001, 70_000)]);
  for (const [key, value] of [
    ["k/1", "one"],
    ["k/2", "two"],
    ["large", "three"],
  ] as const)
    await tag(site, key, value);
}

/** Of the newest version. */
async function tag(site: Site, key: string, value: string): Promise<void> {
  const version = (await site.versions(BUCKET)).find((row) => row.key === key && row.latest);
  assert.ok(version !== undefined);
  await putTags(site, BUCKET, version, { team: value });
}

const settled = (): Promise<void> =>
  until(
    async () => {
      const { onlyA, onlyB } = await difference(a, b, BUCKET);
      return onlyA.length + onlyB.length === 0;
    },
    WAIT_MS,
    () => explainDifference(a, b, BUCKET),
  );

interface Told {
  key: string;
  kinds: string[];
}

/** Differences and the last object of `--json`. */
function told(result: McRun): { differences: Told[]; summary: Record<string, unknown> } {
  const differences = result.objects
    .filter(({ type }) => type === "difference")
    .map(({ key, mismatches }) => ({
      key: key as string,
      kinds: (mismatches as { kind: string }[]).map(({ kind }) => kind),
    }));
  return { differences, summary: result.objects.at(-1) ?? {} };
}

describe("verify", { timeout: 120_000 }, () => {
  before(async () => {
    const env = { RESILVER_PROMETHEUS_AUTH_TYPE: "public" };
    [a, b] = await Promise.all([Site.start({ env }), Site.start()]);
    await Promise.all([a.makeBucket(BUCKET), b.makeBucket(BUCKET)]);
    stranger = asStranger(b);
    await new Promise<void>((resolve) => stranger.listen(0, "127.0.0.1", resolve));
    const url = `http://127.0.0.1:${(stranger.address() as AddressInfo).port}`;
    const runner = mcRunner(
      { a: a.server, b: b.server, other: { ...b.server, url } },
      join(mkdtempSync(join(temporaryFolder(), "mc-")), "config"),
    );
    run = (line) => runner.attempt(`--json replicate verify --settle 100ms ${line}`);
    const arn = await setRule(a, b, BUCKET);
    await fill(a);
    await settled();
    await putRule(a, BUCKET, arn, false);
  });
  after(async () => {
    stranger.close();
    await Promise.all([a.close(), b.close()]);
    await cleanUp();
  });

  for (const [name, there, how] of [
    ["by digests", "b", "digests"],
    ["by listings", "other", "listings"],
  ] as const) {
    test(`equal sites are equal at every level, ${name}`, async () => {
      for (const level of ["identity", "metadata", "bytes"]) {
        const result = await run(`--level ${level} a/${BUCKET} ${there}/${BUCKET}`);
        const { differences, summary } = told(result);
        assert.deepEqual(differences, [], result.stdout);
        assert.equal(result.code, 0, result.stdout);
        assert.equal(summary["how"], how);
        assert.equal(summary["compared"], OBJECTS + 2);
        assert.match(
          String(summary["statement"]),
          new RegExp(`^Equal: ${OBJECTS + 2} versions compared at level identity`),
        );
        assert.equal(Object.keys(summary["levels"] as object).at(-1), level);
      }
    });
  }

  test("what was changed is found, each with its kind, and nothing else", async () => {
    const [gone] = (await b.versions(BUCKET)).filter(({ key }) => key === "k/20");
    await b.text("DELETE", BUCKET, { key: "k/20", query: { versionId: gone?.versionId ?? "" } });
    await tag(b, "k/2", "stale");
    await b.text("DELETE", BUCKET, { key: "k/30" });
    await a.text("PUT", BUCKET, { key: "new/here", body: "x" });
    const expected = [
      { key: "k/2", kinds: ["tags"] },
      { key: "k/20", kinds: ["onlyAtSource"] },
      { key: "k/30", kinds: ["onlyAtTarget"] },
      { key: "new/here", kinds: ["onlyAtSource"] },
    ];
    for (const there of ["b", "other"]) {
      const result = await run(`a/${BUCKET} ${there}/${BUCKET}`);
      assert.equal(result.code, 3);
      const { differences, summary } = told(result);
      assert.deepEqual(differences, expected);
      assert.equal(summary["different"], 4);
      assert.deepEqual(summary["levels"], {
        identity: { compared: summary["compared"], different: 3 },
        metadata: { compared: summary["compared"], different: 1 },
      });
      const back = told(await run(`${there}/${BUCKET} a/${BUCKET}`));
      assert.deepEqual(
        back.differences.map(({ kinds }) => kinds[0]),
        ["tags", "onlyAtTarget", "onlyAtSource", "onlyAtTarget"],
      );
      assert.deepEqual(told(await run(`a/${BUCKET}/k/3 ${there}/${BUCKET}/k/3`)).differences, [expected[2]]);
    }
  });

  test("the site itself compares the bucket with its target, and remembers what it found", async () => {
    const both = told(await run(`a/${BUCKET} b/${BUCKET}`));
    const own = await run(`a/${BUCKET}`);
    assert.equal(own.code, 3, own.stdout);
    assert.deepEqual(told(own).differences, both.differences);
    assert.equal((await run(`a/${BUCKET}/large`)).code, 0);
    const metrics = await (await fetch(`${a.server.url}/minio/v2/metrics/bucket`)).text();
    const value = (name: string): string | undefined =>
      new RegExp(`^resilver_verify_${name}\\{[^}]*bucket="${BUCKET}".*\\} (.*)$`, "m").exec(metrics)?.[1];
    assert.deepEqual([value("equal"), value("different_versions")], ["0", "4"]);
  });

  test("one flipped byte is found where bytes are read, and only there", async () => {
    // Before the harm: the site may find it by itself at any moment after it.
    const before = told(await run(`a/${BUCKET} b/${BUCKET}`)).differences;
    // The largest: others may be garbage of what was purged above.
    const file = blobFiles(b.server.dir)
      .toSorted((one, two) => statSync(one).size - statSync(two).size)
      .at(-1) as string;
    flip(file, 17, true);
    const result = await run(`--level bytes a/${BUCKET} other/${BUCKET}`);
    const more = told(result).differences.filter(({ key }) => !before.some((known) => known.key === key));
    assert.equal(more.length, 1, result.stdout);
    // By the second look the site knows it for itself.
    assert.deepEqual(more[0]?.kinds, ["damagedAtTarget"], result.stdout);
    assert.equal(told(await run(`a/${BUCKET} b/${BUCKET}`)).differences.length, before.length + 1);
    assert.equal(result.code, 3);
  });

  test("a report is written and signed", async () => {
    const path = join(temporaryFolder(), "proof.json");
    assert.equal((await run(`--report ${path} a/${BUCKET} b/${BUCKET}`)).code, 3);
    const report = JSON.parse(readFileSync(path, "utf8")) as { isEqual: boolean; buckets: object[] };
    assert.equal(report.isEqual, false);
    assert.ok(signerOf(report) !== undefined);
    assert.equal(signerOf({ ...report, isEqual: true }), undefined);
  });

  test("where nobody could look, nobody says equal", async () => {
    for (const line of [
      `a/${BUCKET} b/absent`,
      `a/${BUCKET} a`,
      `a/${BUCKET} b/${BUCKET}/k`,
      `nobody/${BUCKET} a/${BUCKET}`,
    ]) {
      const result = await run(line);
      assert.equal(result.code, 1, result.stdout);
      assert.doesNotMatch(result.stdout, /Equal/);
    }
  });

  test("all buckets of two sites; one that is missing is a difference", async () => {
    await a.makeBucket("only-here");
    const result = await run("a b");
    assert.equal(result.code, 3);
    assert.deepEqual(
      result.objects.filter(({ type }) => type === "bucket").map(({ bucket, missingAt }) => [bucket, missingAt]),
      [["only-here", "b"]],
    );
  });
});
