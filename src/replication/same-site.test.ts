/** A target that was replaced, made anew or set back is recognised, and stays so until a comparison proves the copy. */
import assert from "node:assert/strict";
import { beforeEach, describe, test } from "node:test";
import type { Arn } from "../model/names.ts";
import { renderBucketList } from "../protocol/s3-xml-bucket.ts";
import { CommitBuilder } from "../storage/index/commit-builder.ts";
import type { OrderedIndex } from "../storage/index/index.ts";
import { memoryIndex } from "../storage/index/memory.ts";
import { counterKey } from "../storage/keys.ts";
import { PEER_MARKS_MAX, peerMark, raisePeerMark } from "../storage/peer-marks.ts";
import type { Connection } from "./connections.ts";
import { comparisonEnded, lookAtTarget, replacedTarget } from "./same-site.ts";
import type { TargetRequest, TargetResponse } from "./wire.ts";

const ARN = "arn:minio:replication::8d7e1f5c-0000-4000-8000-000000000001:dst" as Arn;

/** What answers at the target's address. */
interface Place {
  index: OrderedIndex;
  bucketId: string;
  made: string;
  speaksMarks: boolean;
  /** Its user may not list the bucket. */
  isHidden?: boolean;
}

describe("whether a target still is what versions were sent to", () => {
  let index: OrderedIndex;
  let place: Place;
  let asked: string[];
  let nowMs: number;

  beforeEach(() => {
    index = memoryIndex();
    place = { index: memoryIndex(), bucketId: "b1", made: "2026-01-01T00:00:00.000Z", speaksMarks: true };
    asked = [];
    nowMs = 1_000_000;
  });

  async function answer({ method, path, query }: TargetRequest): Promise<TargetResponse> {
    asked.push(`${method} ${path}`);
    if (method === "HEAD") return { status: place.made === "" ? 404 : 200, headers: {}, body: Buffer.of() };
    const said = (status: number, text: string) => ({ status, headers: {}, body: Buffer.from(text) });
    const listed = place.made === "" || place.isHidden === true ? [] : [{ name: "dst", created: place.made }];
    if (path === "/") return said(200, renderBucketList(listed));
    if (!place.speaksMarks) return said(501, '{"Code":"NotImplemented"}');
    if (place.bucketId === "") return said(404, '{"Code":"NoSuchBucket"}');
    const at = { bucketId: place.bucketId, arn: query?.["arn"] ?? "" };
    const bounds = { least: Number(query?.["least"]), floor: Number(query?.["floor"]) };
    const mark =
      method === "GET"
        ? await peerMark(place.index, at.bucketId, at.arn)
        : await raisePeerMark(place.index, at, bounds);
    return said(200, JSON.stringify({ mark }));
  }

  const look = (made = true) =>
    lookAtTarget(
      { index, clock: { nowMs: () => nowMs } as never },
      {
        arn: ARN,
        client: { bucket: "dst", request: answer } as never as Connection["client"],
        endpoint: { resilver: place.speaksMarks ? "1" : undefined } as never as Connection["endpoint"],
      },
      { made },
    );
  const replaced = () => replacedTarget(index, ARN);
  const ends = (as: "sent" | "met") => index.commit(new CommitBuilder().add(counterKey(`${as}/${ARN}/count`), 1n));
  const copyOf = async (from: OrderedIndex): Promise<OrderedIndex> => {
    const to = memoryIndex();
    const commit = new CommitBuilder();
    for (const { key, value } of await from.scan({ start: Buffer.of(0), end: Buffer.of(255) }, { limit: 1000 }))
      commit.put(key, value);
    await to.commit(commit);
    return to;
  };

  test("the same site is never called another, whatever is sent and however often it is asked", async () => {
    for (let i = 0; i < 5; i++) {
      assert.equal(await look(), undefined);
      if (i % 2 === 0) await ends("sent");
    }
    assert.equal(await replaced(), undefined);
  });

  test("while nothing is sent nothing is written on either side", async () => {
    await look();
    const before = place.index;
    place.index = await copyOf(before);
    asked = [];
    await look(false);
    await look(false);
    assert.deepEqual(asked, ["GET /resilver/v1/mark", "GET /resilver/v1/mark"]);
  });

  test("a site that was made anew, also with the same bucket of the same day, lacks what was sent", async () => {
    await look();
    place.index = memoryIndex();
    assert.match((await look(false))?.why ?? "", /not the one that versions were sent to/);
    assert.notEqual(await replaced(), undefined);
  });

  test("an older copy is recognised after what was sent, purged or met since", async () => {
    for (const as of ["sent", "met"] as const) {
      await look();
      const older = await copyOf(place.index);
      await ends(as);
      await look();
      place.index = older;
      assert.match((await look(false))?.why ?? "", /older copy/, as);
      await comparisonEnded(index, ARN, nowMs);
    }
  });

  test("what a resync sent counts too", async () => {
    await look();
    const older = await copyOf(place.index);
    await comparisonEnded(index, ARN, undefined);
    await look();
    place.index = older;
    assert.notEqual(await look(), undefined);
  });

  test("a bucket that is gone, and one that was made in its place", async () => {
    await look();
    place.bucketId = "";
    assert.match((await look())?.why ?? "", /bucket is gone/);
    assert.equal(await look(), undefined, "told once");
    place.bucketId = "b2";
    await look();
    assert.match((await replaced())?.why ?? "", /bucket is gone/);
  });

  test("the first site's return is no mending: what was sent meanwhile went to the other", async () => {
    await look();
    const first = place.index;
    place.index = memoryIndex();
    await look();
    nowMs += 1000;
    await look();
    place.index = first;
    nowMs += 1000;
    assert.notEqual(await look(), undefined);
    assert.equal((await replaced())?.sinceMs, nowMs);
  });

  test("it stays until a comparison that began after it proves the copy", async () => {
    await look();
    place.index = memoryIndex();
    await look();
    await look();
    await comparisonEnded(index, ARN, undefined);
    await comparisonEnded(index, ARN, nowMs - 1);
    assert.notEqual(await replaced(), undefined);
    await comparisonEnded(index, ARN, nowMs);
    assert.equal(await replaced(), undefined);
    assert.equal(await look(), undefined);
  });

  test("a source that was set back itself finds nothing wrong", async () => {
    await look();
    const older = await copyOf(index);
    for (let i = 0; i < 3; i++) {
      await ends("sent");
      await look();
    }
    index = older;
    assert.equal(await look(), undefined);
    assert.equal(await replaced(), undefined);
  });

  test("of a target that keeps no marks the day of its bucket is remembered", async () => {
    place.speaksMarks = false;
    await look();
    assert.equal(await look(), undefined);
    place.made = "2026-02-02T00:00:00.000Z";
    assert.equal(await look(false), undefined, "the list of buckets is asked for now and then only");
    assert.match((await look())?.why ?? "", /made anew/);
    assert.equal(await look(), undefined, "told once");
    assert.notEqual(await replaced(), undefined);
  });

  test("a bucket of such a target that is gone is noticed; one that may not be listed any more is not taken for it", async () => {
    place.speaksMarks = false;
    await look();
    place.isHidden = true;
    assert.equal(await look(), undefined);
    place.made = "";
    assert.match((await look())?.why ?? "", /bucket is gone/);
    assert.equal(await look(), undefined, "told once");
  });

  test("marks of one bucket are bounded; the one raised longest ago goes", async () => {
    for (let i = 0; i <= PEER_MARKS_MAX; i++)
      await raisePeerMark(place.index, { bucketId: "b1", arn: `a${i}` }, { least: 0, floor: 0 });
    assert.equal(await peerMark(place.index, "b1", "a0"), 0);
    assert.equal(await peerMark(place.index, "b1", "a1"), 1);
  });
});
