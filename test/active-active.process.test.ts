/** Two sites that write to each other: what one has not received yet, large objects, limits that change while bytes move. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { bodyOf } from "./support/random.ts";
import { cleanUp, ROOT_SECRET, ROOT_USER } from "./support/server.ts";
import { setRule, Site, until } from "./support/site.ts";

const BUCKET = "both";
const WAIT_MS = 40_000;
const MIB = 1024 * 1024;
/** A version that has not arrived after so many listings of the target is held back. */
const LOOKS = 150;

describe("two active sites, two processes each", { timeout: 120_000 }, () => {
  let a: Site;
  let b: Site;
  let arn: string;

  before(async () => {
    [a, b] = await Promise.all([Site.start({ workers: 2 }), Site.start({ workers: 2 })]);
    for (const site of [a, b]) await site.makeBucket(BUCKET);
    arn = await setRule(a, b, BUCKET);
    await setRule(b, a, BUCKET);
  });
  after(async () => {
    await Promise.all([a.close(), b.close()]);
    await cleanUp();
  });

  const edit = (flag: string, value: object): Promise<unknown> => {
    const target = {
      arn,
      type: "replication",
      credentials: { accessKey: ROOT_USER, secretKey: ROOT_SECRET },
      ...value,
    };
    const body = Buffer.from(JSON.stringify(target));
    const query = { bucket: BUCKET, update: "true", [flag]: "true" };
    return a.admin((admin) => admin.json({ method: "PUT", path: "set-remote-target", query, body, sealed: true }));
  };
  const waiting = async (): Promise<number> => {
    const text = await a.text("GET", BUCKET, { query: { "replication-metrics": "2" } });
    return (JSON.parse(text) as { currStats: { pendingReplicationCount: number } }).currStats.pendingReplicationCount;
  };
  const drained = (): Promise<void> =>
    until(
      async () => (await waiting()) === 0,
      WAIT_MS,
      async () => `${await waiting()} wait`,
    );

  test("a version that a slow link holds back is read and tagged through the other site; lifting the limit frees it", async () => {
    await edit("bandwidth", { bandwidthlimit: 1 });
    const body = bodyOf(1, 3 * MIB);
    // The process that sends hears of the limit a moment later than the one that took it: until one is held back.
    for (let puts = 1, arrived = 0; arrived === puts - 1; puts++) {
      assert.ok(puts < 20, "the limit holds nothing back");
      await (await a.call("PUT", BUCKET, { key: "first", body })).discard();
      for (let look = 0; look < LOOKS && arrived < puts; look++) arrived = (await b.versions(BUCKET)).length;
    }
    const before = (await b.versions(BUCKET)).length;
    const held = await waiting();
    const put = await a.call("PUT", BUCKET, { key: "slow", body });
    const versionId = put.headers["x-amz-version-id"] ?? "";
    await put.discard();
    const got = await b.call("GET", BUCKET, { key: "slow", query: { versionId } });
    assert.equal(got.status, 200);
    assert.ok((await got.bytes()).equals(body));
    assert.equal((await b.versions(BUCKET)).length, before, "it has not arrived");
    const tags = "<Tagging><TagSet><Tag><Key>k</Key><Value>v</Value></Tag></TagSet></Tagging>";
    await b.text("PUT", BUCKET, { key: "slow", query: { tagging: "" }, body: tags });
    assert.match(await a.text("GET", BUCKET, { key: "slow", query: { tagging: "" } }), /<Value>v<\/Value>/);
    assert.equal(await waiting(), held + 2);
    await edit("bandwidth", { bandwidthlimit: 0 });
    await drained();
    const arrived = (await b.versions(BUCKET)).find((version) => version.versionId === versionId);
    assert.equal(arrived?.tags, "k=v");
  });

  test("a large object of one PUT arrives in parts that nobody sees, with its checksum", async () => {
    const body = bodyOf(2, 70 * MIB);
    const checksum = createHash("sha1").update(body.subarray(0, 1)).digest("hex");
    const put = await a.call("PUT", BUCKET, {
      key: "large",
      body,
      headers: { "x-amz-checksum-algorithm": "CRC64NVME", "x-amz-meta-note": checksum },
    });
    await put.discard();
    assert.equal(put.status, 200);
    await drained();
    const at = { key: "large", headers: { "x-amz-checksum-mode": "ENABLED" } };
    const [here, there] = await Promise.all([a.call("HEAD", BUCKET, at), b.call("HEAD", BUCKET, at)]);
    for (const name of [
      "etag",
      "content-length",
      "x-amz-checksum-crc64nvme",
      "x-amz-checksum-type",
      "x-amz-version-id",
    ])
      assert.equal(there.headers[name], here.headers[name], name);
    assert.equal(there.headers["x-amz-replication-status"], "REPLICA");
    const part = await b.call("HEAD", BUCKET, { key: "large", query: { partNumber: "1" } });
    assert.equal(part.headers["content-length"], String(body.length));
    assert.equal(part.headers["x-amz-mp-parts-count"], undefined);
    const got = await b.call("GET", BUCKET, { key: "large" });
    assert.ok((await got.bytes()).equals(body));
  });

  test("a synchronous target has what was answered, in whatever process it was written", async () => {
    await edit("sync", { replicationSync: true });
    for (let i = 0; i < 8; i++) {
      await (await a.call("PUT", BUCKET, { key: `sync-${i}`, body: String(i) })).discard();
      const head = await b.call("HEAD", BUCKET, {
        key: `sync-${i}`,
        headers: { "x-minio-source-proxy-request": "false" },
      });
      assert.equal(head.status, 200, `sync-${i}`);
    }
  });
});
