/** MinIO's JavaScript SDK. */
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import * as minio from "minio";
import type { Client, ClientSite, Step } from "./day.ts";
import { ODD_NAMES } from "./features.ts";
import { packageVersion } from "./packages.ts";

const MIB = 1024 * 1024;
const PART_BYTES = 5 * MIB;
const B = "minio-js-day";
const ODD_KEY = ODD_NAMES[0] ?? "";

interface Listed {
  readonly name: string;
  readonly versionId: string;
  readonly isDeleteMarker: boolean;
}

const sha256 = (data: Buffer): string => createHash("sha256").update(data).digest("hex");

class Day {
  readonly site: ClientSite;
  readonly client: minio.Client;
  readonly large = randomBytes(2 * PART_BYTES + 1234);

  constructor(site: ClientSite) {
    this.site = site;
    this.client = new minio.Client({
      endPoint: new URL(site.url).hostname,
      port: site.port,
      useSSL: false,
      accessKey: site.accessKey,
      secretKey: site.secretKey,
      partSize: PART_BYTES,
    });
  }

  read = async (key: string): Promise<Buffer> => buffer(await this.client.getObject(B, key));

  async keys(prefix = "", recursive = true): Promise<string[]> {
    const found: string[] = [];
    for await (const item of this.client.listObjectsV2(B, prefix, recursive) as AsyncIterable<minio.BucketItem>) {
      found.push(item.name ?? `${item.prefix} (prefix)`);
    }
    return found;
  }

  async versions(): Promise<Listed[]> {
    const found: Listed[] = [];
    const stream = this.client.listObjects(B, "", true, { IncludeVersion: true }) as unknown as AsyncIterable<Listed>;
    for await (const item of stream) found.push(item);
    return found;
  }

  async buckets(): Promise<void> {
    const { client } = this;
    await client.makeBucket(B, "us-east-1");
    assert.equal(await client.bucketExists(B), true);
    assert.equal(await client.bucketExists("no-such-bucket"), false);
    assert.ok((await client.listBuckets()).some(({ name }) => name === B));
    await client.setBucketTagging(B, { team: "x" });
    assert.deepEqual(await client.getBucketTagging(B), [{ Key: "team", Value: "x" }]);
    await client.removeBucketTagging(B);
  }

  async objects(): Promise<void> {
    const { client } = this;
    await client.putObject(B, "small", "hello");
    assert.equal((await buffer(await client.getPartialObject(B, "small", 1, 3))).toString(), "ell");
    await client.putObject(B, "empty", Buffer.alloc(0));
    assert.equal((await this.read("empty")).length, 0);
    await assert.rejects(client.statObject(B, "missing"), { code: "NotFound" });
    await assert.rejects(client.getObject(B, "missing"), { code: "NoSuchKey" });
  }

  async multipart(): Promise<void> {
    const { client, large, site } = this;
    writeFileSync(join(site.folder, "large"), large);
    await client.fPutObject(B, "large", join(site.folder, "large"));
    await client.fGetObject(B, "large", join(site.folder, "back"));
    assert.equal(sha256(readFileSync(join(site.folder, "back"))), sha256(large));
    assert.match((await client.statObject(B, "large")).etag, /-[23]$/, "sent in parts");
    await client.putObject(B, "streamed", Readable.from([large.subarray(0, 6 * MIB), large.subarray(6 * MIB)]));
    assert.equal(sha256(await this.read("streamed")), sha256(large));
    await client.initiateNewMultipartUpload(B, "half", {});
    const half = async (): Promise<string[]> => {
      const found: string[] = [];
      const uploads = client.listIncompleteUploads(B, "", true) as AsyncIterable<{ key: string }>;
      for await (const { key } of uploads) found.push(key);
      return found;
    };
    assert.deepEqual(await half(), ["half"]);
    await client.removeIncompleteUpload(B, "half");
    assert.deepEqual(await half(), []);
  }

  async oddNames(): Promise<void> {
    for (const name of ODD_NAMES) {
      await this.client.putObject(B, `odd/${name}`, name);
      assert.equal((await this.read(`odd/${name}`)).toString(), name);
    }
  }

  async listing(): Promise<void> {
    const odd = (await this.keys("odd/")).map((key) => key.slice("odd/".length));
    assert.deepEqual(odd.toSorted(), [...ODD_NAMES].toSorted());
    assert.deepEqual(await this.keys("", false), ["empty", "large", "small", "streamed", "odd/ (prefix)"]);
  }

  async copy(): Promise<void> {
    const { client } = this;
    await client.copyObject(B, "copied", `/${B}/large`);
    assert.equal(sha256(await this.read("copied")), sha256(this.large));
    const sources = ["copied", "small"].map((Object) => new minio.CopySourceOptions({ Bucket: B, Object }));
    await client.composeObject(new minio.CopyDestinationOptions({ Bucket: B, Object: "composed" }), sources);
    assert.equal((await client.statObject(B, "composed")).size, this.large.length + 5);
  }

  async metadata(): Promise<void> {
    const { client } = this;
    await client.putObject(B, "marked", "x", 1, { "Content-Type": "text/x", colour: "red" });
    const { metaData } = await client.statObject(B, "marked");
    assert.deepEqual([metaData["content-type"], metaData["colour"]], ["text/x", "red"]);
    await client.setObjectTagging(B, "marked", { a: "one", "b c": "+=" });
    const tags = (await client.getObjectTagging(B, "marked")).map(({ Key, Value }) => [Key, Value]);
    assert.deepEqual(tags, [
      ["a", "one"],
      ["b c", "+="],
    ]);
    await client.removeObjectTagging(B, "marked", { versionId: "" });
    assert.deepEqual(await client.getObjectTagging(B, "marked"), []);
  }

  async presigned(): Promise<void> {
    const { client } = this;
    const put = await client.presignedPutObject(B, ODD_KEY, 60);
    assert.equal((await fetch(put, { method: "PUT", body: "by URL" })).status, 200);
    const answer = await fetch(await client.presignedGetObject(B, ODD_KEY, 60, { "response-content-type": "text/y" }));
    assert.deepEqual([await answer.text(), answer.headers.get("content-type")], ["by URL", "text/y"]);
    const policy = client.newPostPolicy();
    policy.setBucket(B);
    policy.setKey("form");
    policy.setExpires(new Date(Date.now() + 60_000));
    policy.setContentLengthRange(1, 100);
    const { postURL, formData } = await client.presignedPostPolicy(policy);
    const form = new FormData();
    for (const [name, value] of Object.entries(formData)) form.append(name, String(value));
    form.append("file", new Blob(["by form"]));
    const posted = await fetch(postURL, { method: "POST", body: form });
    assert.equal(posted.status, 204, await posted.text());
    assert.equal((await this.read("form")).toString(), "by form");
  }

  async policy(): Promise<void> {
    const { client, site } = this;
    const allow = {
      Effect: "Allow",
      Principal: { AWS: ["*"] },
      Action: ["s3:GetObject"],
      Resource: [`arn:aws:s3:::${B}/small`],
    };
    await client.setBucketPolicy(B, JSON.stringify({ Version: "2012-10-17", Statement: [allow] }));
    assert.match(await client.getBucketPolicy(B), /s3:GetObject/);
    assert.equal(await (await fetch(`${site.url}/${B}/small`)).text(), "hello");
    await client.setBucketPolicy(B, "");
    assert.equal((await fetch(`${site.url}/${B}/small`)).status, 403);
  }

  async history(): Promise<void> {
    const { client } = this;
    await client.setBucketVersioning(B, { Status: "Enabled" });
    assert.equal((await client.getBucketVersioning(B)).Status, "Enabled");
    const first = await client.putObject(B, "history", "one");
    const second = await client.putObject(B, "history", "two!");
    assert.ok(first.versionId && second.versionId && first.versionId !== second.versionId);
    const versionId = first.versionId;
    assert.equal((await buffer(await client.getObject(B, "history", { versionId }))).toString(), "one");
    assert.equal((await client.statObject(B, "history", { versionId: second.versionId })).size, 4);
    await client.removeObject(B, "history");
    const listed = (await this.versions()).filter(({ name }) => name === "history");
    assert.deepEqual(listed.map(({ isDeleteMarker }) => Boolean(isDeleteMarker)).sort(), [false, false, true]);
  }

  async delete(): Promise<void> {
    const { client } = this;
    await client.removeObject(B, "small");
    await client.removeObjects(
      B,
      (await this.versions()).map(({ name, versionId }) => ({ name, versionId })),
    );
    assert.deepEqual(await this.versions(), []);
    await client.removeBucket(B);
    assert.equal(await client.bucketExists(B), false);
  }
}

export function minioJsClient(): Client {
  return {
    name: "minio (npm)",
    install: "npm install minio",
    remarks: "`endPoint`, `port`, `useSSL`",
    version: async () => packageVersion("minio"),
    day(site): readonly Step[] {
      const day = new Day(site);
      return [
        { feature: "buckets", run: () => day.buckets() },
        { feature: "objects", run: () => day.objects() },
        { feature: "multipart", run: () => day.multipart() },
        { feature: "odd names", run: () => day.oddNames() },
        { feature: "listing", run: () => day.listing() },
        { feature: "copy", run: () => day.copy() },
        { feature: "metadata", run: () => day.metadata() },
        { feature: "presigned", run: () => day.presigned() },
        { feature: "policy", run: () => day.policy() },
        { feature: "versions", run: () => day.history() },
        { feature: "delete", run: () => day.delete() },
      ];
    },
  };
}
