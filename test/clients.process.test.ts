/** A normal day of the clients that are npm packages: the MinIO SDK, and the AWS SDK where its defaults are special. */
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { after, before, test } from "node:test";
import * as sdk from "@aws-sdk/client-s3";
import * as minio from "minio";
import { awsClient } from "./support/clients.ts";
import { cleanUp, ROOT_SECRET, ROOT_USER, startServer, temporaryFolder, type RunningServer } from "./support/server.ts";

const MIB = 1024 * 1024;
const PART_BYTES = 5 * MIB;
const ODD_KEY = "a b/ü+&?.bin";

let server: RunningServer;
let client: minio.Client;

before(async () => {
  server = await startServer();
  const credentials = { accessKey: ROOT_USER, secretKey: ROOT_SECRET };
  client = new minio.Client({
    endPoint: "127.0.0.1",
    port: server.port,
    useSSL: false,
    ...credentials,
    partSize: PART_BYTES,
  });
});
after(cleanUp);

const sha256 = (data: Buffer): string => createHash("sha256").update(data).digest("hex");
const read = async (bucket: string, key: string): Promise<Buffer> => buffer(await client.getObject(bucket, key));

async function keys(bucket: string, prefix = "", recursive = true): Promise<string[]> {
  const found: string[] = [];
  for await (const item of client.listObjectsV2(bucket, prefix, recursive) as AsyncIterable<minio.BucketItem>) {
    found.push(item.name ?? `${item.prefix} (prefix)`);
  }
  return found;
}

test("minio: buckets, small and large objects from files, buffers and streams", async () => {
  await client.makeBucket("day", "us-east-1");
  assert.equal(await client.bucketExists("day"), true);
  assert.equal(await client.bucketExists("none"), false);
  assert.deepEqual(
    (await client.listBuckets()).map((bucket) => bucket.name),
    ["day"],
  );
  const dir = temporaryFolder();
  const large = randomBytes(2 * PART_BYTES + 1234);
  writeFileSync(join(dir, "large"), large);
  await client.fPutObject("day", ODD_KEY, join(dir, "large"), { "Content-Type": "text/x", colour: "red" });
  await client.fGetObject("day", ODD_KEY, join(dir, "back"));
  assert.equal(sha256(readFileSync(join(dir, "back"))), sha256(large));
  const stat = await client.statObject("day", ODD_KEY);
  assert.deepEqual(
    [stat.size, stat.metaData["content-type"], stat.metaData["colour"]],
    [large.length, "text/x", "red"],
  );
  assert.match(stat.etag, /-[23]$/, "sent in parts");
  await client.putObject("day", "streamed", Readable.from([large.subarray(0, 6 * MIB), large.subarray(6 * MIB)]));
  assert.equal(sha256(await read("day", "streamed")), sha256(large));
  await client.putObject("day", "small", "hello");
  assert.equal((await buffer(await client.getPartialObject("day", "small", 1, 3))).toString(), "ell");
  await client.putObject("day", "empty", Buffer.alloc(0));
  assert.equal((await read("day", "empty")).length, 0);
  await assert.rejects(client.statObject("day", "missing"), { code: "NotFound" });
  await assert.rejects(client.getObject("day", "missing"), { code: "NoSuchKey" });
});

test("minio: listings, copies, composition, tags, removal", async () => {
  await client.copyObject("day", "copied", `/day/${ODD_KEY}`);
  assert.equal(sha256(await read("day", "copied")), sha256(await read("day", ODD_KEY)));
  const sources = ["copied", "small"].map((Object) => new minio.CopySourceOptions({ Bucket: "day", Object }));
  await client.composeObject(new minio.CopyDestinationOptions({ Bucket: "day", Object: "composed" }), sources);
  assert.equal((await client.statObject("day", "composed")).size, (await client.statObject("day", "copied")).size + 5);
  assert.deepEqual(await keys("day", "", false), ["composed", "copied", "empty", "small", "streamed", "a b/ (prefix)"]);
  await client.setObjectTagging("day", "small", { a: "one", "b c": "+=" });
  assert.deepEqual(
    (await client.getObjectTagging("day", "small")).map(({ Key, Value }) => [Key, Value]),
    [
      ["a", "one"],
      ["b c", "+="],
    ],
  );
  await client.removeObjectTagging("day", "small", { versionId: "" });
  assert.deepEqual(await client.getObjectTagging("day", "small"), []);
  await client.setBucketTagging("day", { team: "x" });
  assert.deepEqual(await client.getBucketTagging("day"), [{ Key: "team", Value: "x" }]);
  await client.removeBucketTagging("day");
  await client.removeObject("day", "composed");
  await client.removeObjects("day", ["copied", "empty"]);
  assert.deepEqual(await keys("day"), [ODD_KEY, "small", "streamed"]);
});

test("minio: presigned GET and PUT, form upload, policy", async () => {
  const put = await client.presignedPutObject("day", ODD_KEY, 60);
  assert.equal((await fetch(put, { method: "PUT", body: "by URL" })).status, 200);
  const get = await client.presignedGetObject("day", ODD_KEY, 60, { "response-content-type": "text/y" });
  const answer = await fetch(get);
  assert.deepEqual([await answer.text(), answer.headers.get("content-type")], ["by URL", "text/y"]);
  const policy = client.newPostPolicy();
  policy.setBucket("day");
  policy.setKey("form");
  policy.setExpires(new Date(Date.now() + 60_000));
  policy.setContentLengthRange(1, 100);
  const { postURL, formData } = await client.presignedPostPolicy(policy);
  const form = new FormData();
  for (const [name, value] of Object.entries(formData)) form.append(name, String(value));
  form.append("file", new Blob(["by form"]));
  const posted = await fetch(postURL, { method: "POST", body: form });
  assert.equal(posted.status, 204, await posted.text());
  assert.equal((await read("day", "form")).toString(), "by form");
  const allow = {
    Effect: "Allow",
    Principal: { AWS: ["*"] },
    Action: ["s3:GetObject"],
    Resource: ["arn:aws:s3:::day/form"],
  };
  await client.setBucketPolicy("day", JSON.stringify({ Version: "2012-10-17", Statement: [allow] }));
  assert.match(await client.getBucketPolicy("day"), /s3:GetObject/);
  assert.equal(await (await fetch(`${server.url}/day/form`)).text(), "by form");
  await client.setBucketPolicy("day", "");
  assert.equal((await fetch(`${server.url}/day/form`)).status, 403);
});

test("minio: incomplete uploads are listed and removed", async () => {
  await client.initiateNewMultipartUpload("day", "half", {});
  const list = async (): Promise<string[]> => {
    const found: string[] = [];
    for await (const { key } of client.listIncompleteUploads("day", "", true) as AsyncIterable<{ key: string }>)
      found.push(key);
    return found;
  };
  assert.deepEqual(await list(), ["half"]);
  await client.removeIncompleteUpload("day", "half");
  assert.deepEqual(await list(), []);
});

test("minio: versions, their tags and bytes, removal for good", async () => {
  await client.makeBucket("history");
  await client.setBucketVersioning("history", { Status: "Enabled" });
  assert.equal((await client.getBucketVersioning("history")).Status, "Enabled");
  const first = await client.putObject("history", "k", "one");
  const second = await client.putObject("history", "k", "two!");
  assert.ok(first.versionId && second.versionId && first.versionId !== second.versionId);
  assert.equal(
    (await buffer(await client.getObject("history", "k", { versionId: first.versionId }))).toString(),
    "one",
  );
  assert.equal((await client.statObject("history", "k", { versionId: second.versionId })).size, 4);
  await client.removeObject("history", "k");
  type Listed = { name: string; versionId: string; isDeleteMarker: boolean; isLatest: boolean };
  const versions = async (): Promise<Listed[]> => {
    const found: Listed[] = [];
    const stream = client.listObjects("history", "", true, {
      IncludeVersion: true,
    }) as unknown as AsyncIterable<Listed>;
    for await (const item of stream) found.push(item);
    return found;
  };
  const listed = await versions();
  assert.deepEqual(listed.map(({ isDeleteMarker }) => Boolean(isDeleteMarker)).sort(), [false, false, true]);
  await client.removeObjects(
    "history",
    listed.map(({ name, versionId }) => ({ name, versionId })),
  );
  assert.deepEqual(await versions(), []);
  await client.removeBucket("history");
  assert.equal(await client.bucketExists("history"), false);
});

test("aws sdk: a stream of unknown checksum goes out in signed chunks with a trailer and comes back verified", async () => {
  const s3 = awsClient(server);
  const Body = randomBytes(3 * MIB);
  const put = { Bucket: "day", Key: "trailer", ContentLength: Body.length };
  const answer = await s3.send(
    new sdk.PutObjectCommand({ ...put, Body: Readable.from([Body.subarray(0, 7), Body.subarray(7)]) }),
  );
  assert.ok(answer.ChecksumCRC32);
  const got = await s3.send(new sdk.GetObjectCommand({ Bucket: "day", Key: "trailer", ChecksumMode: "ENABLED" }));
  assert.equal(got.ChecksumCRC32, answer.ChecksumCRC32);
  assert.equal(sha256(Buffer.from((await got.Body?.transformToByteArray()) ?? [])), sha256(Body));
  const pages = sdk.paginateListObjectsV2({ client: s3, pageSize: 1 }, { Bucket: "day" });
  const found: string[] = [];
  for await (const page of pages) found.push(...(page.Contents ?? []).map(({ Key }) => Key ?? ""));
  assert.deepEqual(found, [ODD_KEY, "form", "small", "streamed", "trailer"]);
  s3.destroy();
});
