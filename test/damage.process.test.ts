/**
 * Bytes that are not what was written are never served as good: an error answer, or a body that is cut where the damage
 * begins. The version is recorded as damaged, and a resync from a healthy site heals it.
 */
import assert from "node:assert/strict";
import { copyFileSync, rmSync, statSync, truncateSync } from "node:fs";
import { basename } from "node:path";
import { after, before, describe, test } from "node:test";
import { blobFiles, flip } from "./support/damage.ts";
import { bodyOf, idOfBody } from "./support/random.ts";
import { cleanUp } from "./support/server.ts";
import { difference, putParts, setRule, Site, until } from "./support/site.ts";

const BUCKET = "data";
const MIB = 1 << 20;
const WAIT_MS = 30_000;

interface Case {
  readonly key: string;
  readonly parts: readonly number[];
  readonly harm: (path: string) => void;
  /** Bytes of the body that are before the damage. */
  readonly goodBytes: number;
}

/** Large bodies go out as a stream: damage behind the first piece (1 MiB) cannot be an error answer any more. */
const CASES: readonly Case[] = [
  { key: "flip-first", parts: [300_000], harm: (path) => flip(path, 10, false), goodBytes: 0 },
  { key: "flip-quiet", parts: [300_000], harm: (path) => flip(path, 299_999, true), goodBytes: 0 },
  { key: "flip-far", parts: [4 * MIB], harm: (path) => flip(path, 3 * MIB + 5, true), goodBytes: 3 * MIB },
  { key: "cut", parts: [300_000], harm: (path) => truncateSync(path, 200_000), goodBytes: 0 },
  { key: "cut-far", parts: [4 * MIB], harm: (path) => truncateSync(path, 3 * MIB), goodBytes: 0 },
  { key: "emptied", parts: [40_000], harm: (path) => truncateSync(path, 0), goodBytes: 0 },
  { key: "missing", parts: [40_000], harm: (path) => rmSync(path), goodBytes: 0 },
  { key: "second-part", parts: [5 * MIB, 70_000], harm: (path) => rmSync(path), goodBytes: 5 * MIB },
  {
    key: "swapped",
    parts: [300_000],
    harm: (path) => copyFileSync(added.get(DONOR)?.[0] as string, path),
    goodBytes: 0,
  },
];
/** An object that stays whole; its file is as long as some of those that are harmed. */
const DONOR = "donor";
/** The files of a key's blobs at Baker. */
const added = new Map<string, string[]>();

interface Got {
  readonly status: number;
  readonly text: string;
  /** Undefined: the body was cut. */
  readonly body: Buffer | undefined;
}

async function get(site: Site, key: string, headers: Record<string, string> = {}): Promise<Got> {
  const answer = await site.call("GET", BUCKET, { key, headers });
  try {
    const body = await answer.bytes();
    return { status: answer.status, text: body.toString("utf8", 0, 500), body };
  } catch {
    return { status: answer.status, text: "", body: undefined };
  }
}

describe("damaged blobs", { timeout: 120_000 }, () => {
  let alpha: Site;
  let baker: Site;
  let arn: string;

  before(async () => {
    [alpha, baker] = await Promise.all([Site.start(), Site.start()]);
    await Promise.all([alpha.makeBucket(BUCKET), baker.makeBucket(BUCKET)]);
    arn = await setRule(alpha, baker, BUCKET);
    const all = [...CASES, { key: DONOR, parts: [300_000] }];
    for (const [number, { key, parts }] of all.entries()) {
      const known = new Set(blobFiles(baker.server.dir));
      const whole = bodyOf(
        number,
        parts.reduce((sum, size) => sum + size),
      );
      let at = 0;
      if (parts.length > 1)
        await putParts(
          alpha,
          BUCKET,
          key,
          parts.map((size) => whole.subarray(at, (at += size))),
        );
      else await alpha.text("PUT", BUCKET, { key, body: whole });
      await until(
        async () => (await get(baker, key)).status === 200,
        WAIT_MS,
        async () => `${key} does not arrive`,
      );
      added.set(
        key,
        blobFiles(baker.server.dir).filter((path) => !known.has(path)),
      );
    }
  });
  after(async () => {
    await Promise.all([alpha.close(), baker.close()]);
    await cleanUp();
  });

  for (const [number, { key, parts, harm, goodBytes }] of CASES.entries()) {
    test(`${key}: never served as good`, async () => {
      const files = added.get(key) ?? [];
      assert.equal(files.length, parts.length, files.map((path) => basename(path)).join(" "));
      const whole = bodyOf(
        number,
        parts.reduce((sum, size) => sum + size),
      );
      const target = parts.length > 1 ? smallest(files) : files[0];
      harm(target as string);
      if (goodBytes > 0) {
        const good = await get(baker, key, { range: `bytes=0-${goodBytes - 1}` });
        assert.ok(good.body?.equals(whole.subarray(0, goodBytes)), "what is whole can be read");
      }
      const got = await get(baker, key);
      if (goodBytes === 0) {
        assert.equal(got.status, 500, got.text);
        assert.match(got.text, /<Code>XResilverObjectDamaged<\/Code>/);
      } else assert.equal(got.body, undefined, "the body is cut");
      const again = await get(baker, key);
      assert.equal(again.status, 500, "it is recorded: nothing is tried any more");
      assert.match(again.text, /<Code>XResilverObjectDamaged<\/Code>/);
      const copy = await baker.call("PUT", BUCKET, {
        key: `${key}-copy`,
        headers: { "x-amz-copy-source": `/${BUCKET}/${key}` },
      });
      await copy.discard();
      assert.ok(copy.status >= 400, `a copy of damaged bytes was answered with ${copy.status}`);
    });
  }

  test("a restart still knows it, and a resync heals every one", async () => {
    await baker.kill();
    await baker.restart();
    for (const { key } of CASES) assert.equal((await get(baker, key)).status, 500, key);
    await alpha.text("PUT", BUCKET, { query: { "replication-reset": "", arn, "reset-id": crypto.randomUUID() } });
    let last = "";
    await until(
      async () => {
        last = await alpha.text("GET", BUCKET, { query: { "replication-reset-status": "", arn } });
        return /"resyncStatus":"(Completed|Failed)"/.test(last);
      },
      WAIT_MS,
      async () => last,
    );
    const { target } = JSON.parse(last) as {
      target: { resyncStatus: string; sent: number; verified: boolean; damage: Record<string, unknown> }[];
    };
    assert.deepEqual(
      [target[0]?.resyncStatus, target[0]?.verified, target[0]?.sent],
      ["Completed", true, CASES.length],
      last,
    );
    const { examined, missing, corrupt }: Record<string, unknown> = target[0]?.damage ?? {};
    assert.deepEqual([examined, missing, corrupt], [CASES.length + 1, 2, CASES.length - 2], last);
    for (const [number, { key }] of CASES.entries()) {
      const { status, body } = await get(baker, key);
      assert.equal(status, 200, key);
      assert.equal(idOfBody(body as Buffer), number, key);
    }
    assert.deepEqual(await difference(alpha, baker, BUCKET), { onlyA: [], onlyB: [] });
  });
});

function smallest(files: readonly string[]): string | undefined {
  return files.toSorted((one, other) => statSync(one).size - statSync(other).size)[0];
}
