/** Two servers: replication, its survival of crashes, and resync of a damaged site. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readdirSync, rmSync, truncateSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { AdminClient } from "../src/client/admin-client.ts";
import { S3Client } from "../src/client/s3-client.ts";
import { parseXml, type XmlElement } from "../src/protocol/xml.ts";
import { cleanUp, ROOT_SECRET, ROOT_USER, startServer, type RunningServer } from "./support/server.ts";

const WAIT_MS = 20_000;

interface ResyncTarget {
  readonly resyncStatus: string;
  readonly compared: number;
  readonly sent: number;
  readonly alreadyEqual: number;
  readonly notReplicable: number;
  readonly failed: number;
  readonly verified?: boolean;
  readonly damage?: { readonly examined: number; readonly missing: number; readonly corrupt: number };
}

interface Options {
  readonly key?: string;
  readonly query?: Record<string, string>;
  readonly body?: string | Buffer;
  readonly headers?: Record<string, string>;
}

/** A server and the clients of it. */
class Site {
  server: RunningServer;
  s3: S3Client;
  constructor(server: RunningServer) {
    this.server = server;
    this.s3 = this.#client();
  }
  #client(): S3Client {
    return new S3Client({ url: this.server.url, accessKey: ROOT_USER, secretKey: ROOT_SECRET });
  }
  async restart(dir = this.server.dir): Promise<void> {
    await this.s3.close();
    this.server = await startServer({ dir, port: this.server.port });
    this.s3 = this.#client();
  }
  async text(method: string, bucket: string, options: Options = {}): Promise<string> {
    const body = options.body === undefined ? undefined : Buffer.from(options.body);
    const answer = await this.s3.send({
      method,
      bucket,
      key: options.key,
      query: options.query,
      headers: options.headers,
      body,
    });
    return (await answer.bytes()).toString("utf8");
  }
  async makeBucket(bucket: string): Promise<void> {
    await this.text("PUT", bucket);
    const body = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
    await this.text("PUT", bucket, { query: { versioning: "" }, body });
  }
  async put(bucket: string, key: string, body: string | Buffer, headers: Record<string, string> = {}): Promise<string> {
    const answer = await this.s3.send({ method: "PUT", bucket, key, body: Buffer.from(body), headers });
    await answer.discard();
    return answer.headers["x-amz-version-id"] ?? "";
  }
  /** Versions as text lines, in listing order: everything that two equal sites share. */
  async versions(bucket: string): Promise<string[]> {
    const out: string[] = [];
    let query: Record<string, string> = { versions: "", metadata: "true" };
    for (;;) {
      const root = parseXml(Buffer.from(await this.text("GET", bucket, { query })), { maxBytes: 1 << 28 });
      for (const child of root.children)
        if (child.name === "Version" || child.name === "DeleteMarker") out.push(line(child));
      if (root.value("IsTruncated") !== "true") return out;
      query = {
        ...query,
        "key-marker": root.value("NextKeyMarker") ?? "",
        "version-id-marker": root.value("NextVersionIdMarker") ?? "",
      };
    }
  }
}

function line(element: XmlElement): string {
  const user =
    element
      .child("UserMetadata")
      ?.children.filter((child) => child.name.toLowerCase() !== "x-amz-replication-status") ?? [];
  const fields = ["Key", "VersionId", "LastModified", "ETag", "Size", "UserTags"].map(
    (name) => element.value(name) ?? "",
  );
  return [element.name, ...fields, ...user.map((child) => `${child.name}=${child.text}`)].join(" ");
}

/** Asks until it is so, and fails with the last answer of `explain` after the time that anything here may take. */
async function until(
  reached: () => Promise<boolean>,
  explain: () => Promise<string> = async () => "the wait was in vain",
): Promise<void> {
  const deadline = Date.now() + WAIT_MS;
  while (!(await reached())) {
    if (Date.now() > deadline) assert.fail(await explain());
    await turn();
  }
}

async function setRule(a: Site, b: Site, bucket: string): Promise<string> {
  const admin = new AdminClient({ url: a.server.url, accessKey: ROOT_USER, secretKey: ROOT_SECRET });
  const target = {
    endpoint: `127.0.0.1:${b.server.port}`,
    credentials: { accessKey: ROOT_USER, secretKey: ROOT_SECRET },
    targetbucket: bucket,
    secure: false,
    type: "replication",
  };
  const document = Buffer.from(JSON.stringify(target));
  const arn = await admin.json<string>({
    method: "PUT",
    path: "set-remote-target",
    query: { bucket },
    body: document,
    sealed: true,
  });
  await admin.close();
  const enabled = "<Status>Enabled</Status>";
  const features = ["DeleteMarkerReplication", "DeleteReplication", "ExistingObjectReplication"].map(
    (name) => `<${name}>${enabled}</${name}>`,
  );
  const where = `<Destination><Bucket>${arn}</Bucket></Destination><Filter><Prefix></Prefix></Filter>`;
  const rule = `<Rule><ID>r</ID>${enabled}<Priority>1</Priority>${where}${features.join("")}</Rule>`;
  const body = `<ReplicationConfiguration>${rule}</ReplicationConfiguration>`;
  await a.text("PUT", bucket, { query: { replication: "" }, body });
  return arn;
}

async function resync(a: Site, bucket: string, arn: string): Promise<ResyncTarget> {
  await a.text("PUT", bucket, { query: { "replication-reset": "", arn, "reset-id": crypto.randomUUID() } });
  let found: ResyncTarget | undefined;
  await until(async () => {
    const status = JSON.parse(await a.text("GET", bucket, { query: { "replication-reset-status": "", arn } })) as {
      target?: ResyncTarget[];
    };
    found = status.target?.[0];
    return found !== undefined && !["Pending", "Ongoing"].includes(found.resyncStatus);
  });
  const result = found as ResyncTarget;
  assert.equal(result.sent + result.alreadyEqual + result.notReplicable + result.failed, result.compared);
  return result;
}

describe("two sites", { timeout: 120_000 }, () => {
  let a: Site;
  let b: Site;
  let arn: string;
  const equal = async (): Promise<boolean> => {
    const [here, there] = await Promise.all([a.versions("data"), b.versions("data")]);
    return JSON.stringify(here) === JSON.stringify(there);
  };

  const difference = async (): Promise<string> => {
    const [here, there] = await Promise.all([a.versions("data"), b.versions("data")]);
    const only = (one: string[], other: string[]): string => one.filter((text) => !other.includes(text)).join("\n");
    return `only at A:\n${only(here, there)}\nonly at B:\n${only(there, here)}`;
  };

  before(async () => {
    [a, b] = (await Promise.all([startServer(), startServer()])).map((server) => new Site(server)) as [Site, Site];
    await Promise.all([a.makeBucket("data"), b.makeBucket("data")]);
    await a.put("data", "before-the-rule", "existing");
    arn = await setRule(a, b, "data");
  });
  after(async () => {
    await Promise.all([a.s3.close(), b.s3.close()]);
    await cleanUp();
  });

  test("what was there before the rule follows too", async () => {
    await until(equal, difference);
    assert.equal(await b.text("GET", "data", { key: "before-the-rule" }), "existing");
  });

  test("objects, tags, markers, purges and multipart arrive as they are", async () => {
    const first = await a.put("data", "k 1/é", "one", {
      "x-amz-meta-name": "väl",
      "content-type": "text/plain",
      "x-amz-tagging": "a=1",
    });
    await a.put("data", "k 1/é", "two");
    await a.put("data", "empty", "");
    const tagging = "<Tagging><TagSet><Tag><Key>b</Key><Value>2</Value></Tag></TagSet></Tagging>";
    await a.text("PUT", "data", { key: "k 1/é", query: { tagging: "", versionId: first }, body: tagging });
    await a.text("DELETE", "data", { key: "k 1/é" });
    const gone = await a.put("data", "gone", "x");
    await a.text("DELETE", "data", { key: "gone", query: { versionId: gone } });
    const start = parseXml(Buffer.from(await a.text("POST", "data", { key: "multi", query: { uploads: "" } })));
    const uploadId = start.value("UploadId") ?? "";
    const parts = [Buffer.alloc(5 * 1024 * 1024, 1), Buffer.from("tail")];
    const done = await Promise.all(
      parts.map(async (body, i) => {
        const answer = await a.s3.send({
          method: "PUT",
          bucket: "data",
          key: "multi",
          query: { partNumber: String(i + 1), uploadId },
          body,
        });
        await answer.discard();
        return `<Part><PartNumber>${i + 1}</PartNumber><ETag>${answer.headers["etag"]}</ETag></Part>`;
      }),
    );
    await a.text("POST", "data", {
      key: "multi",
      query: { uploadId },
      body: `<CompleteMultipartUpload>${done.join("")}</CompleteMultipartUpload>`,
    });
    await until(equal, difference);
    const got = await (await b.s3.send({ method: "GET", bucket: "data", key: "multi" })).bytes();
    assert.ok(got.equals(Buffer.concat(parts)));
    const head = await a.s3.send({ method: "HEAD", bucket: "data", key: "multi" });
    assert.equal(head.headers["x-amz-replication-status"], "COMPLETED");
  });

  test("kill -9 of either side loses nothing", async () => {
    await b.server.kill();
    await Promise.all(Array.from({ length: 50 }, (_, i) => a.put("data", `crash-${i}`, `body ${i}`)));
    await a.server.kill();
    await a.restart();
    await b.restart();
    await until(equal, difference);
  });

  test("lost and corrupt files, and local purges, come back by a resync that moves nothing else", async () => {
    const bodies = new Map<string, string>();
    for (let i = 0; i < 40; i++) {
      const body = createHash("sha512").update(String(i)).digest("hex").repeat(4000);
      bodies.set(`file-${i}`, body);
      await a.put("data", `file-${i}`, body);
    }
    await until(equal, difference);
    const purged = (await b.s3.send({ method: "HEAD", bucket: "data", key: "crash-7" })).headers["x-amz-version-id"];
    await b.text("DELETE", "data", { key: "crash-7", query: { versionId: String(purged) } });
    await b.server.stop();
    const blobs = files(join(b.server.dir, "blobs"));
    assert.ok(blobs.length >= 40, `only ${blobs.length} files`);
    for (const path of blobs.slice(0, 10)) rmSync(path);
    for (const path of blobs.slice(10, 15)) truncateSync(path, 1000);
    await b.restart();
    const result = await resync(a, "data", arn);
    assert.equal(result.resyncStatus, "Completed");
    assert.equal(result.verified, true);
    assert.equal(result.failed + result.notReplicable, 0);
    assert.ok(
      result.damage !== undefined && result.damage.missing + result.damage.corrupt >= 10,
      JSON.stringify(result),
    );
    assert.ok(result.sent >= 11 && result.sent <= 17, JSON.stringify(result));
    await until(equal, difference);
    for (const [key, body] of bodies) assert.equal(await b.text("GET", "data", { key }), body);
    const again = await resync(a, "data", arn);
    assert.equal(again.sent, 0);
  });

  test("a site that lost everything is rebuilt", async () => {
    await b.server.kill();
    rmSync(b.server.dir, { recursive: true });
    await b.restart();
    await b.makeBucket("data");
    const result = await resync(a, "data", arn);
    assert.deepEqual([result.resyncStatus, result.verified, result.failed], ["Completed", true, 0]);
    assert.ok(await equal());
  });
});

function files(dir: string): string[] {
  return readdirSync(dir, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}
