/** Two sites of ours that do not say what they are: all that they have to say to each other fits on MinIO's wire. */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { cleanUp } from "./support/server.ts";
import { difference, explainDifference, putParts, putTags, setRule, Site, until } from "./support/site.ts";

const BUCKET = "plain";
const OBJECTS = 200;
const WAIT_MS = 30_000;

after(cleanUp);

test("objects, tags, markers and purges reach a site of ours that speaks MinIO's wire alone, and come back from it", async (t) => {
  const options = { env: { RESILVER_PEER_EXTENSIONS: "off" } };
  const [a, b] = await Promise.all([Site.start(options), Site.start(options)]);
  t.after(() => Promise.all([a.close(), b.close()]));
  const live = await fetch(`${a.server.url}/minio/health/live`);
  assert.deepEqual([live.status, live.headers.get("x-resilver")], [200, null]);
  for (const site of [a, b]) await site.makeBucket(BUCKET);
  await setRule(a, b, BUCKET);
  await setRule(b, a, BUCKET);
  const put = async (site: Site, key: string): Promise<string> => {
    const answer = await site.call("PUT", BUCKET, { key, body: `${key} of ${site.server.port}` });
    await answer.discard();
    assert.equal(answer.status, 200);
    return answer.headers["x-amz-version-id"] ?? "";
  };
  const sites = [a, b];
  const ids = await Promise.all(Array.from({ length: OBJECTS }, (_, i) => put(sites[i % 2] as Site, `o${i % 150}`)));
  await putParts(a, BUCKET, "parts", [Buffer.alloc(5 * 1024 * 1024, 1), Buffer.from("tail")]);
  for (let i = 0; i < 20; i++)
    await putTags(sites[i % 2] as Site, BUCKET, { key: `o${i}`, versionId: ids[i] ?? "" }, { n: `${i}` });
  for (let i = 20; i < 40; i++) await a.text("DELETE", BUCKET, { key: `o${i}` });
  for (let i = 41; i < 60; i += 2) await b.text("DELETE", BUCKET, { key: `o${i}`, query: { versionId: ids[i] ?? "" } });
  const equal = async (): Promise<boolean> => {
    const { onlyA, onlyB } = await difference(a, b, BUCKET);
    return onlyA.length + onlyB.length === 0;
  };
  await until(equal, WAIT_MS, () => explainDifference(a, b, BUCKET));
  const versions = await a.versions(BUCKET);
  assert.equal(versions.filter(({ kind }) => kind === "DeleteMarker").length, 20);
  assert.equal(versions.filter(({ kind }) => kind === "Version").length, OBJECTS + 1 - 10);
  assert.equal(versions.filter(({ tags }) => tags !== "").length, 20);
});
