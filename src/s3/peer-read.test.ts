/** Two ports in one process: what the first answers for versions that only the second has. */
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { after, before, beforeEach, test } from "node:test";
import { testRule } from "../model/testing.ts";
import { parseVersionId, type Arn } from "../model/names.ts";
import type { ObjectVersion } from "../model/version.ts";
import { bodyOf, bucketName, objectKey, PLAIN } from "../objects/testing.ts";
import { SOURCE_PROXY_REQUEST } from "../protocol/replication-headers.ts";
import { targetClient } from "../replication/client-adapter.ts";
import type { Peer, ProxiedCall } from "../replication/peer-reads.ts";
import type { TargetClient } from "../replication/wire.ts";
import { systemClock } from "../runtime/clock.ts";
import { call, noReplication, startTestPort, TEST_ROOT, type Call, type TestPort } from "./testing.ts";

const BUCKET = bucketName("shared");
const ARN = "arn:minio:replication::0b9f2a54-3a6e-4d59-9a0e-0c4e9f0f8f11:shared" as Arn;

let here: TestPort;
let there: TestPort;
let client: TargetClient;
let peers: Peer[] = [];
const counted: [ProxiedCall, boolean][] = [];

async function makeBucket(port: TestPort): Promise<void> {
  await port.site.objects.createBucket(BUCKET, { owner: "root" });
  await port.site.objects.updateBucket(BUCKET, (bucket) => ({
    ...bucket,
    versioning: { status: "Enabled" },
    replication: { rules: [testRule(ARN)], role: "" },
  }));
}

before(async () => {
  const replication = {
    ...noReplication,
    peersFor: () => Promise.resolve(peers),
    proxied: (_bucket: string, name: ProxiedCall, succeeded: boolean) => void counted.push([name, succeeded]),
  };
  here = await startTestPort({}, replication);
  there = await startTestPort({});
  await makeBucket(here);
  await makeBucket(there);
  const address = { endpoint: `127.0.0.1:${there.port}`, secure: false, bucket: BUCKET, region: "", ...TEST_ROOT };
  client = targetClient(address, { clock: systemClock(), userAgent: "test" });
  peers = [
    {
      secure: false,
      carriesSecrets: true,
      ask: (request) =>
        client.open(
          { ...request, headers: { ...request.headers, [SOURCE_PROXY_REQUEST]: "true" }, payload: "hashed" },
          5000,
        ),
    },
  ];
});
after(async () => {
  await client.close();
  await here.close();
  await there.close();
});
beforeEach(() => void counted.splice(0));

const ask = (port: TestPort, request: Call) => call(port, request);

async function putThere(key: string, body: string | Buffer, headers: Record<string, string> = {}): Promise<string> {
  const answer = await ask(there, { method: "PUT", path: `/shared/${key}`, body, headers });
  assert.equal(answer.status, 200);
  return answer.headers["x-amz-version-id"] as string;
}

/** The peer's version as replication brings it here. */
async function copyHere(key: string, id: string, body: Buffer): Promise<ObjectVersion> {
  const { headers } = await ask(there, { method: "HEAD", path: `/shared/${key}` });
  const put = await here.site.objects.put({
    bucket: BUCKET,
    key: objectKey(key),
    versionId: parseVersionId(id),
    source: { replica: true, etag: headers["etag"]?.replaceAll('"', ""), mtime: 1n },
    attributes: PLAIN,
    body: bodyOf(body),
  });
  return put.version;
}

test("what a stranger may not ask for is refused before a peer is asked: its answer would stand unread", async () => {
  await putThere("public", "text");
  const statement = { Effect: "Allow", Principal: "*", Action: "s3:GetObject", Resource: "arn:aws:s3:::shared/*" };
  const policy = JSON.stringify({ Version: "2012-10-17", Statement: [statement] });
  await ask(here, { method: "PUT", path: "/shared", query: "policy", body: policy });
  const read = { method: "GET", path: "/shared/public", credentials: null };
  assert.equal((await ask(here, { ...read, query: "response-expires=x" })).code, "InvalidRequest");
  assert.deepEqual(counted, []);
  assert.equal((await ask(here, read)).body, "text");
  await ask(here, { method: "DELETE", path: "/shared", query: "policy" });
});

test("GET, HEAD and a range of a version that only the peer has", async () => {
  const id = await putThere("a", "0123456789", { "x-amz-meta-colour": "red", "content-type": "text/plain" });
  const whole = await ask(here, { method: "GET", path: "/shared/a" });
  assert.deepEqual([whole.status, whole.body, whole.headers["x-amz-version-id"]], [200, "0123456789", id]);
  assert.deepEqual([whole.headers["x-amz-meta-colour"], whole.headers["content-type"]], ["red", "text/plain"]);
  assert.equal(whole.headers["x-resilver-mtime"], undefined);
  const part = await ask(here, {
    method: "GET",
    path: "/shared/a",
    query: `versionId=${id}`,
    headers: { range: "bytes=2-4" },
  });
  assert.deepEqual([part.status, part.body, part.headers["content-range"]], [206, "234", "bytes 2-4/10"]);
  const ofAnother = { range: "bytes=2-4", "if-range": '"another"' };
  const resumed = await ask(here, { method: "GET", path: "/shared/a", headers: ofAnother });
  assert.deepEqual([resumed.status, resumed.body], [200, "0123456789"]);
  const head = await ask(here, { method: "HEAD", path: "/shared/a" });
  assert.deepEqual(
    [head.status, head.headers["content-length"], head.headers["etag"]],
    [200, "10", whole.headers["etag"]],
  );
  assert.deepEqual(counted, [
    ["get", true],
    ["get", true],
    ["get", true],
    ["head", true],
  ]);
  const renamed = await ask(here, { method: "GET", path: "/shared/a", query: "response-content-type=a%2Fb" });
  assert.equal(renamed.headers["content-type"], "a/b");
});

test("conditions and ranges that cannot be met are decided as if the version were here", async () => {
  await putThere("conditions", "x");
  const { headers } = await ask(here, { method: "HEAD", path: "/shared/conditions" });
  const etag = headers["etag"] as string;
  const asked = async (extra: Record<string, string>) =>
    (await ask(here, { method: "GET", path: "/shared/conditions", headers: extra })).status;
  assert.equal(await asked({ "if-none-match": etag }), 304);
  assert.equal(await asked({ "if-match": '"other"' }), 412);
  assert.equal(await asked({ range: "bytes=5-9" }), 416);
});

test("a request that a peer passed on is never passed on again", async () => {
  await putThere("loop", "x");
  for (const value of ["true", "false", "0"]) {
    const answer = await ask(here, {
      method: "GET",
      path: "/shared/loop",
      headers: { [SOURCE_PROXY_REQUEST]: value },
    });
    assert.equal(answer.status, 404);
  }
  assert.deepEqual(counted, []);
});

test("what was purged or deleted here stays so", async () => {
  const id = await putThere("purged", "x");
  await copyHere("purged", id, Buffer.from("x"));
  await here.site.objects.delete({ bucket: BUCKET, key: objectKey("purged"), versionId: parseVersionId(id) });
  const byId = await ask(here, { method: "GET", path: "/shared/purged", query: `versionId=${id}` });
  assert.deepEqual([byId.status, byId.code], [404, "NoSuchVersion"]);
  const current = await ask(here, { method: "GET", path: "/shared/purged" });
  assert.deepEqual([current.status, current.code], [404, "NoSuchKey"]);
  const tags = await ask(here, {
    method: "PUT",
    path: "/shared/purged",
    query: "tagging",
    body: "<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>",
  });
  assert.equal(tags.status, 404);
  await putThere("deleted", "x");
  await here.site.objects.delete({ bucket: BUCKET, key: objectKey("deleted") });
  assert.equal((await ask(here, { method: "GET", path: "/shared/deleted" })).status, 404);
  await putThere("deleted-there", "x");
  await there.site.objects.delete({ bucket: BUCKET, key: objectKey("deleted-there") });
  assert.equal((await ask(here, { method: "GET", path: "/shared/deleted-there" })).status, 404);
});

test("a peer that does not answer, or has nothing, leaves the answer as it was", async () => {
  const nothing = await ask(here, { method: "GET", path: "/shared/nowhere" });
  assert.deepEqual([nothing.status, nothing.code], [404, "NoSuchKey"]);
  assert.deepEqual(counted, [["get", false]]);
  const real = peers;
  peers = [{ secure: false, carriesSecrets: true, ask: () => Promise.resolve(undefined) }, ...real];
  await putThere("second", "from the second");
  const second = await ask(here, { method: "GET", path: "/shared/second" });
  peers = real;
  assert.equal(second.body, "from the second");
});

test("bytes that are damaged here come from the peer, from the damaged place on", async () => {
  const body = randomBytes(3 * 1024 * 1024);
  const id = await putThere("damaged", body);
  const put = await copyHere("damaged", id, body);
  here.site.blobs.files.delete(put.blob?.id as string);
  const range = { range: "bytes=1000000-2999999" };
  const answer = await ask(here, { method: "GET", path: "/shared/damaged", headers: range });
  const wanted = await ask(there, { method: "GET", path: "/shared/damaged", headers: range });
  assert.equal(answer.status, 206);
  assert.equal(answer.body, wanted.body);
  assert.deepEqual(counted, [["get", true]]);
  const known = await here.site.objects.version({ bucket: BUCKET, key: objectKey("damaged") });
  assert.ok(known?.version.kind === "object" && known.version.damaged !== undefined, "the damage was recorded");
  const real = peers;
  peers = [];
  assert.equal((await ask(here, { method: "GET", path: "/shared/damaged" })).code, "XResilverObjectDamaged");
  peers = real;
});

test("tags of a version that only the peer has are read, set and removed there", async () => {
  const id = await putThere("tagged", "x", { "x-amz-tagging": "a=1" });
  const read = await ask(here, { method: "GET", path: "/shared/tagged", query: "tagging" });
  assert.equal(read.headers["x-minio-tagging-proxied"], "true");
  assert.match(read.body, /<Key>a<\/Key><Value>1<\/Value>/);
  const document = "<Tagging><TagSet><Tag><Key>b</Key><Value>2</Value></Tag></TagSet></Tagging>";
  const set = await ask(here, { method: "PUT", path: "/shared/tagged", query: "tagging", body: document });
  assert.deepEqual(
    [set.status, set.headers["x-minio-tagging-proxied"], set.headers["x-amz-version-id"]],
    [200, "true", undefined],
  );
  const there1 = await ask(there, { method: "GET", path: "/shared/tagged", query: `tagging&versionId=${id}` });
  assert.match(there1.body, /<Key>b<\/Key>/);
  const removed = await ask(here, { method: "DELETE", path: "/shared/tagged", query: "tagging" });
  assert.equal(removed.status, 204);
  assert.deepEqual(counted, [
    ["getTagging", true],
    ["putTagging", true],
    ["removeTagging", true],
  ]);
});

test("a version that was written here while a peer was asked for it gets its tags here", async () => {
  const body = Buffer.from("x");
  const id = await putThere("raced", body);
  const [real] = peers;
  assert.ok(real !== undefined);
  const asked: string[] = [];
  const late: Peer = {
    ...real,
    ask: async (request) => {
      asked.push(request.method);
      if (request.method === "HEAD") await copyHere("raced", id, body);
      return real.ask(request);
    },
  };
  peers = [late];
  const document = "<Tagging><TagSet><Tag><Key>b</Key><Value>2</Value></Tag></TagSet></Tagging>";
  const set = await ask(here, { method: "PUT", path: "/shared/raced", query: "tagging", body: document });
  peers = [real];
  assert.deepEqual(
    [set.status, set.headers["x-amz-version-id"], set.headers["x-minio-tagging-proxied"]],
    [200, id, undefined],
  );
  assert.deepEqual(asked, ["HEAD"], "the peer was told nothing");
  const read = await ask(here, { method: "GET", path: "/shared/raced", query: "tagging" });
  assert.match(read.body, /<Key>b<\/Key>/);
});

test("a client's own key is not sent to a peer over plain HTTP", async () => {
  await putThere("keyed", "x");
  const key = { "x-amz-server-side-encryption-customer-algorithm": "AES256" };
  const own = randomBytes(32);
  const answer = await ask(here, {
    method: "HEAD",
    path: "/shared/keyed",
    headers: {
      ...key,
      "x-amz-server-side-encryption-customer-key": own.toString("base64"),
      "x-amz-server-side-encryption-customer-key-md5": createHash("md5").update(own).digest("base64"),
    },
  });
  assert.notEqual(answer.status, 200);
  assert.deepEqual(counted, []);
});

test("a policy that looks at tags sees those that the peer tells", async () => {
  await putThere("secret", "x", { "x-amz-tagging": "secret=yes" });
  await putThere("open", "x", { "x-amz-tagging": "secret=no" });
  const policy = {
    Version: "2012-10-17",
    Statement: [
      { Effect: "Allow", Principal: "*", Action: ["s3:GetObject"], Resource: ["arn:aws:s3:::shared/*"] },
      {
        Effect: "Deny",
        Principal: "*",
        Action: ["s3:GetObject"],
        Resource: ["arn:aws:s3:::shared/*"],
        Condition: { StringEquals: { "s3:ExistingObjectTag/secret": "yes" } },
      },
    ],
  };
  await here.site.objects.updateBucket(BUCKET, (bucket) => ({ ...bucket, policy: JSON.stringify(policy) }));
  const anonymous = (key: string) => ask(here, { method: "GET", path: `/shared/${key}`, credentials: null });
  assert.equal((await anonymous("open")).status, 200);
  assert.equal((await anonymous("secret")).status, 403);
  await here.site.objects.updateBucket(BUCKET, ({ policy: _removed, ...bucket }) => bucket);
});
