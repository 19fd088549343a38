/** Random calls to a server and to a naive model of its buckets: every answer must be the model's. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { S3Response } from "../src/client/s3-client.ts";
import { parseXml, type XmlElement } from "../src/protocol/xml.ts";
import {
  BucketModel,
  md5,
  readOf,
  type Line,
  type ModelVersion,
  type ReadQuery,
  type Versioning,
} from "./support/bucket-model.ts";
import { bodyOf, dice, seedOf, setting, type Dice } from "./support/random.ts";
import { cleanUp } from "./support/server.ts";
import { Site, type CallOptions } from "./support/site.ts";

const RUN_MS = setting("MODEL_MS", 15_000);
const PART = 5 * 1024 * 1024;
const BLOCK = 64 * 1024;
const KEYS = [
  ..."a,a/,a/b,a/b/c,a/c,a//b,ab,a-,b,b/,/lead,//,z/é,z/é/x,z/\u{1f600},\u{1f600},\u{ffff}x,e\u0301,\u00e9".split(","),
  ..." ,+,%41,x y/z,a\u0001b,a\u007f,\\..\\x,...,&<>\"',c?d#e=f&g,\ttab".split(","),
  "k".repeat(1024),
];
const SIZES = [0, 1, 100, 32 * 1024, 32 * 1024 + 1, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK + 7, 300_000, 1_100_000];
const UNKNOWN_ID = "6f9619ff-8b86-4011-b42d-00cf4fc964ff";
const LONG_AGO = "Sat, 01 Jan 2000 00:00:00 GMT";
const FUTURE = "Thu, 01 Jan 2099 00:00:00 GMT";

let site: Site;
before(async () => {
  site = await Site.start({ workers: 2 });
});
after(async () => {
  await site.close();
  await cleanUp();
});

interface Target {
  readonly key: string;
  readonly query: Record<string, string>;
  readonly version: ModelVersion | undefined;
}

class World {
  readonly d: Dice;
  readonly buckets: readonly BucketModel[];
  readonly done: string[] = [];
  #bodies: number;

  constructor(d: Dice, name: string) {
    this.d = d;
    this.#bodies = d.below(2 ** 20);
    this.buckets = [new BucketModel(`${name}-plain`), new BucketModel(`${name}-kept`)];
  }

  async make(): Promise<void> {
    for (const bucket of this.buckets) await site.makeBucket(bucket.name, { versioned: false });
    await this.setVersioning(this.buckets[1] as BucketModel, "Enabled");
  }

  async setVersioning(bucket: BucketModel, status: Exclude<Versioning, "">): Promise<void> {
    const body = `<VersioningConfiguration><Status>${status}</Status></VersioningConfiguration>`;
    await site.text("PUT", bucket.name, { query: { versioning: "" }, body });
    bucket.versioning = status;
  }

  async step(): Promise<void> {
    const bucket = this.d.pick(this.buckets);
    const works: [number, () => Promise<void>][] = [
      [30, () => this.put(bucket)],
      [30, () => this.read(bucket)],
      [10, () => this.delete(bucket)],
      [8, () => this.deleteVersion(bucket)],
      [4, () => this.deleteMany(bucket)],
      [10, () => this.copy(bucket)],
      [1, () => this.multipart(bucket)],
      [12, () => this.list(bucket)],
      [8, () => this.listVersions(bucket)],
      [1, () => this.toggle()],
    ];
    let turn = this.d.below(works.reduce((sum, [weight]) => sum + weight, 0));
    const work = works.find(([weight]) => (turn -= weight) < 0);
    await work?.[1]();
  }

  key(): string {
    return this.d.pick(KEYS);
  }

  body(size = this.d.pick(SIZES)): Buffer {
    return size < 12 ? Buffer.alloc(size, this.#bodies++) : Buffer.from(bodyOf(this.#bodies++, size));
  }

  /** Calls, and notes it for the report of a failure. */
  async call(
    method: string,
    bucket: BucketModel,
    options: CallOptions,
  ): Promise<{ answer: S3Response; bytes: Buffer; code: string }> {
    const { body, ...shown } = options;
    this.done.push(
      `${method} ${bucket.name} ${JSON.stringify(shown)} ${typeof body === "string" ? body : (body?.length ?? "")}`,
    );
    const answer = await site.call(method, bucket.name, options);
    const bytes = await answer.bytes();
    const code = answer.headers["x-minio-error-code"] ?? /<Code>([^<]*)</.exec(bytes.toString("latin1"))?.[1] ?? "";
    this.done.push(`  -> ${answer.status} ${code} ${answer.headers["x-amz-version-id"] ?? ""}`);
    return { answer, bytes, code: answer.status < 300 ? "" : code };
  }

  /** The version id that a write got, as its answer must show it. */
  writtenId(bucket: BucketModel, answer: S3Response): string {
    const id = answer.headers["x-amz-version-id"];
    if (bucket.versioning === "Enabled") {
      assert.match(id ?? "", /^[0-9a-f-]{36}$/);
      return id as string;
    }
    assert.equal(id, undefined);
    return "null";
  }

  /** Conditions of a write and the status that they lead to. */
  writeConditions(current: ModelVersion | undefined): { headers: Record<string, string>; status: number } {
    const etag = this.d.oneIn(2) ? (current?.etag ?? md5(Buffer.from("no"))) : md5(Buffer.from("other"));
    switch (this.d.below(8)) {
      case 0:
        return { headers: { "if-none-match": "*" }, status: current === undefined ? 200 : 412 };
      case 1:
        return {
          headers: { "if-match": `"${etag}"` },
          status: current === undefined ? 404 : current.etag === etag ? 200 : 412,
        };
      case 2:
        return { headers: { "if-none-match": etag }, status: current?.etag === etag ? 412 : 200 };
      default:
        return { headers: {}, status: 200 };
    }
  }

  async put(bucket: BucketModel): Promise<void> {
    const key = this.key();
    const body = this.body();
    const meta = this.d.oneIn(3) ? `m${this.d.below(100)} é` : "";
    const { headers, status } = this.writeConditions(bucket.object(key));
    const own: Record<string, string> = meta === "" ? {} : { "x-amz-meta-m": meta };
    const { answer } = await this.call("PUT", bucket, { key, body, headers: { ...headers, ...own } });
    assert.equal(answer.status, status);
    if (status !== 200) return;
    assert.equal(answer.headers["etag"], `"${md5(body)}"`);
    bucket.add(key, { id: this.writtenId(bucket, answer), marker: false, body, etag: md5(body), meta, parts: [] });
  }

  /** A key and a version of it: the current one, an old one, or one that never was. */
  target(bucket: BucketModel): Target {
    const known = [...bucket.keys.keys()];
    const key = known.length > 0 && !this.d.oneIn(6) ? this.d.pick(known) : this.key();
    const versions = bucket.versions(key);
    if (this.d.oneIn(2)) return { key, query: {}, version: versions[0] };
    if (versions.length === 0 || this.d.oneIn(8)) return { key, query: { versionId: UNKNOWN_ID }, version: undefined };
    const version = this.d.pick(versions);
    return { key, query: { versionId: version.id }, version };
  }

  position(version: ModelVersion): number {
    const size = version.body.length;
    let end = 0;
    const ends = version.parts.map((part) => (end += part));
    const near = this.d.pick([0, 1, BLOCK, 2 * BLOCK, 1024 * 1024, size, ...ends, this.d.below(size + 2)]);
    return Math.max(0, near + this.d.below(3) - 1);
  }

  readQuery(version: ModelVersion): ReadQuery {
    const { d } = this;
    const [a, b] = [this.position(version), this.position(version)];
    const garbage = d.pick(["bytes=", "bytes=-", "bytes=0-1,3-4", "octets=0-1", "bytes= 0-1", "bytes=a-b"]);
    const ranges = [
      `bytes=${a}-${b}`,
      `bytes=${a}-`,
      `bytes=-${a}`,
      `bytes=${Math.min(a, b)}-${Math.max(a, b)}`,
      garbage,
    ];
    const etag = (): string => d.pick([version.etag, "*", md5(Buffer.from("other"))]);
    return {
      range: d.oneIn(2) ? d.pick(ranges) : undefined,
      partNumber: d.oneIn(8) ? d.below(4) + 1 : undefined,
      ifMatch: d.oneIn(6) ? etag() : undefined,
      ifNoneMatch: d.oneIn(6) ? etag() : undefined,
      modifiedSince: d.oneIn(8) ? d.oneIn(2) : undefined,
      unmodifiedSince: d.oneIn(8) ? d.oneIn(2) : undefined,
    };
  }

  async read(bucket: BucketModel): Promise<void> {
    const target = this.target(bucket);
    const { key, query, version } = target;
    const method = this.d.oneIn(3) ? "HEAD" : "GET";
    if (version === undefined || version.marker) return this.readNothing(bucket, method, target);
    const asked = this.readQuery(version);
    const part: Record<string, string> = asked.partNumber === undefined ? {} : { partNumber: String(asked.partNumber) };
    const { answer, bytes, code } = await this.call(method, bucket, {
      key,
      query: { ...query, ...part },
      headers: headersOf(asked),
    });
    const expected = readOf(version, asked);
    assert.deepEqual([answer.status, code], [expected.status, expected.code]);
    if (expected.body === undefined) return;
    assert.equal(answer.headers["etag"], `"${version.etag}"`);
    assert.equal(answer.headers["content-range"], expected.range);
    assert.equal(answer.headers["content-length"], String(expected.body.length));
    assert.equal(answer.headers["x-amz-version-id"], version.id === "null" ? undefined : version.id);
    assert.equal(answer.headers["x-amz-meta-m"], shownMeta(version.meta));
    if (method === "GET")
      assert.ok(bytes.equals(expected.body), `${bytes.length} other bytes than the ${expected.body.length} expected`);
  }

  async readNothing(bucket: BucketModel, method: string, { key, query, version }: Target): Promise<void> {
    const { answer, code } = await this.call(method, bucket, { key, query });
    const latest = query["versionId"] === undefined;
    const expected = latest
      ? [404, "NoSuchKey"]
      : version === undefined
        ? [404, "NoSuchVersion"]
        : [405, "MethodNotAllowed"];
    assert.deepEqual([answer.status, code], expected);
    assert.equal(answer.headers["x-amz-delete-marker"], version === undefined ? undefined : "true");
  }

  async delete(bucket: BucketModel): Promise<void> {
    const key = this.key();
    const { answer } = await this.call("DELETE", bucket, { key });
    assert.equal(answer.status, 204);
    assert.equal(answer.headers["x-amz-delete-marker"], bucket.versioning === "" ? undefined : "true");
    bucket.delete(key, this.writtenId(bucket, answer));
  }

  async deleteVersion(bucket: BucketModel): Promise<void> {
    const { key, query, version } = this.target(bucket);
    const id = query["versionId"] ?? version?.id ?? "null";
    const { answer } = await this.call("DELETE", bucket, { key, query: { versionId: id } });
    assert.equal(answer.status, 204);
    assert.equal(answer.headers["x-amz-delete-marker"], version?.marker === true ? "true" : undefined);
    bucket.remove(key, id);
  }

  async deleteMany(bucket: BucketModel): Promise<void> {
    const targets = Array.from({ length: 1 + this.d.below(5) }, () => this.target(bucket));
    // XML cannot write one of the characters at all.
    const chosen = new Map(targets.filter(({ key }) => !key.includes("\uffff")).map((one) => [one.key, one]));
    if (chosen.size === 0) return;
    const items = [...chosen.values()].map(({ key, query }) => ({ key, id: query["versionId"] }));
    const xml = items.map(
      ({ key, id }) =>
        `<Object><Key>${escape(key)}</Key>${id === undefined ? "" : `<VersionId>${id}</VersionId>`}</Object>`,
    );
    const { answer, bytes } = await this.call("POST", bucket, {
      query: { delete: "" },
      body: `<Delete>${xml.join("")}</Delete>`,
    });
    assert.equal(answer.status, 200);
    const results = parseXml(bytes).all("Deleted");
    assert.deepEqual(
      results.map((one) => one.value("Key")),
      items.map(({ key }) => key),
    );
    items.forEach(({ key, id }, at) => {
      if (id === undefined) bucket.delete(key, results[at]?.value("DeleteMarkerVersionId") ?? "null");
      else bucket.remove(key, id);
    });
  }

  async copy(bucket: BucketModel): Promise<void> {
    const from = this.d.pick(this.buckets);
    const { key: fromKey, query, version } = this.target(from);
    const key = this.key();
    const id = query["versionId"];
    const replace = this.d.oneIn(2);
    const source = `${from.name}/${encodeURIComponent(fromKey)}${id === undefined ? "" : `?versionId=${id}`}`;
    const directive: Record<string, string> = replace
      ? { "x-amz-metadata-directive": "REPLACE", "x-amz-meta-m": "copied" }
      : {};
    const { answer } = await this.call("PUT", bucket, { key, headers: { "x-amz-copy-source": source, ...directive } });
    if (from === bucket && fromKey === key && id === undefined && !replace) return assert.equal(answer.status, 400);
    if (version === undefined) return assert.equal(answer.status, 404);
    if (version.marker) return assert.equal(answer.status, id === undefined ? 404 : 400);
    assert.equal(answer.status, 200);
    const { body } = version;
    const meta = replace ? "copied" : version.meta;
    bucket.add(key, { id: this.writtenId(bucket, answer), marker: false, body, etag: md5(body), meta, parts: [] });
  }

  async multipart(bucket: BucketModel): Promise<void> {
    const key = this.key();
    const started = await this.call("POST", bucket, { key, query: { uploads: "" }, headers: { "x-amz-meta-m": "é" } });
    const uploadId = parseXml(started.bytes).value("UploadId") ?? "";
    const sizes = this.d.pick([[70_000], [PART, 1], [PART + 1, BLOCK + 1], [PART, PART, 12]]);
    const parts = sizes.map((size) => this.body(size));
    for (const [at, body] of parts.entries()) {
      const { answer } = await this.call("PUT", bucket, { key, query: { partNumber: String(at + 1), uploadId }, body });
      assert.equal(answer.status, 200);
    }
    if (this.d.oneIn(3)) {
      assert.equal((await this.call("DELETE", bucket, { key, query: { uploadId } })).answer.status, 204);
      assert.equal((await this.call("GET", bucket, { key, query: { uploadId } })).code, "NoSuchUpload");
      return;
    }
    const etags = parts.map(md5);
    const xml = etags
      .map((etag, at) => `<Part><PartNumber>${at + 1}</PartNumber><ETag>"${etag}"</ETag></Part>`)
      .join("");
    const body = `<CompleteMultipartUpload>${xml}</CompleteMultipartUpload>`;
    const { answer } = await this.call("POST", bucket, { key, query: { uploadId }, body });
    assert.equal(answer.status, 200);
    const etag = `${md5(Buffer.from(etags.join(""), "hex"))}-${sizes.length}`;
    bucket.add(key, {
      id: this.writtenId(bucket, answer),
      marker: false,
      body: Buffer.concat(parts),
      etag,
      meta: "é",
      parts: sizes,
    });
  }

  async toggle(): Promise<void> {
    const bucket = this.buckets[1] as BucketModel;
    await this.setVersioning(bucket, bucket.versioning === "Enabled" ? "Suspended" : "Enabled");
  }

  listing(): { prefix: string; delimiter: string; after: string; maxKeys: number; url: boolean } {
    const { d } = this;
    const part = (key: string): string => [...key].slice(0, d.below([...key].length + 1)).join("");
    return {
      prefix: d.oneIn(2) ? "" : part(this.key()),
      delimiter: d.pick(["", "", "/", "/", "b", "//", "é"]),
      after: d.oneIn(2) ? "" : d.oneIn(2) ? this.key() : part(this.key()),
      maxKeys: d.pick([1, 2, 3, 7, 1000]),
      url: d.oneIn(2),
    };
  }

  async list(bucket: BucketModel): Promise<void> {
    const { maxKeys, url, ...query } = this.listing();
    const v2 = this.d.oneIn(2);
    const expected = bucket.lines(query, false);
    const found: string[] = [];
    const fixed = { ...fixedQuery(query, maxKeys, url), ...(v2 ? { "list-type": "2" } : {}) };
    let marker: Record<string, string> = query.after === "" ? {} : { [v2 ? "start-after" : "marker"]: query.after };
    for (let pages = 0; ; pages++) {
      assert.ok(pages <= expected.length, "the listing has no end");
      const { answer, bytes } = await this.call("GET", bucket, { query: { ...fixed, ...marker } });
      assert.equal(answer.status, 200);
      const root = parseXml(bytes);
      const page = [...linesOf(root, url)];
      found.push(...page);
      if (v2) assert.equal(root.value("KeyCount"), String(page.length));
      if (root.value("IsTruncated") !== "true") break;
      assert.equal(page.length, maxKeys);
      marker = v2
        ? { "continuation-token": root.value("NextContinuationToken") ?? "" }
        : { marker: plain(root.value("NextMarker") ?? "", url) };
    }
    assert.deepEqual(
      found,
      pagesOf(
        expected.map((line) => textOf(line, url)),
        maxKeys,
      ),
    );
  }

  async listVersions(bucket: BucketModel): Promise<void> {
    const { maxKeys, url, ...query } = this.listing();
    const expected = bucket.lines(query, true);
    const found: string[] = [];
    const fixed = { ...fixedQuery(query, maxKeys, url), versions: "" };
    let marker: Record<string, string> = query.after === "" ? {} : { "key-marker": query.after };
    for (let pages = 0; ; pages++) {
      assert.ok(pages <= expected.length, "the listing has no end");
      const { answer, bytes } = await this.call("GET", bucket, { query: { ...fixed, ...marker } });
      assert.equal(answer.status, 200);
      const root = parseXml(bytes);
      found.push(...linesOf(root, url));
      if (root.value("IsTruncated") !== "true") break;
      marker = {
        "key-marker": plain(root.value("NextKeyMarker") ?? "", url),
        "version-id-marker": root.value("NextVersionIdMarker") ?? "",
      };
    }
    assert.deepEqual(
      found,
      pagesOf(
        expected.map((line) => textOf(line, url)),
        maxKeys,
      ),
    );
  }
}

function headersOf(asked: ReadQuery): Record<string, string> {
  const out: Record<string, string> = {};
  const quoted = (etag: string): string => (etag === "*" ? etag : `"${etag}"`);
  if (asked.range !== undefined) out["range"] = asked.range;
  if (asked.ifMatch !== undefined) out["if-match"] = quoted(asked.ifMatch);
  if (asked.ifNoneMatch !== undefined) out["if-none-match"] = quoted(asked.ifNoneMatch);
  if (asked.modifiedSince !== undefined) out["if-modified-since"] = asked.modifiedSince ? FUTURE : LONG_AGO;
  if (asked.unmodifiedSince !== undefined) out["if-unmodified-since"] = asked.unmodifiedSince ? FUTURE : LONG_AGO;
  return out;
}

/** What is not ASCII is sent back as an encoded word. */
function shownMeta(meta: string): string | undefined {
  if (meta === "") return undefined;
  return meta.includes("é") ? `=?UTF-8?B?${Buffer.from(meta).toString("base64")}?=` : meta;
}

function fixedQuery(
  query: { prefix: string; delimiter: string },
  maxKeys: number,
  url: boolean,
): Record<string, string> {
  const own = { prefix: query.prefix, delimiter: query.delimiter, "max-keys": String(maxKeys) };
  return url ? { ...own, "encoding-type": "url" } : own;
}

/** Within a page, keys come before common prefixes. */
function pagesOf(lines: readonly string[], maxKeys: number): string[] {
  const out: string[] = [];
  for (let at = 0; at < lines.length; at += maxKeys) {
    const page = lines.slice(at, at + maxKeys);
    out.push(...page.filter((line) => line.startsWith("key ")), ...page.filter((line) => line.startsWith("prefix ")));
  }
  return out;
}

/** A name of a listing as text. */
const plain = (text: string, url: boolean): string => (url ? decodeURIComponent(text.replaceAll("+", "%20")) : text);

function escape(key: string): string {
  // oxlint-disable-next-line no-control-regex -- control characters are what it looks for
  return key.replaceAll(/[&<>"'\u0000-\u001f\u007f]/g, (char) => `&#${char.charCodeAt(0)};`);
}

function textOf({ name, version, latest }: Line, url: boolean): string {
  // The characters that XML cannot write come as the one for "unknown".
  const shown = url ? name : name.replaceAll(/[\ufffe\uffff]/g, "\ufffd");
  if (version === undefined) return `prefix ${shown}`;
  const what = version.marker ? "marker" : `${version.etag} ${version.body.length}`;
  return `key ${shown} ${what} ${latest === true ? "latest" : "old"}`;
}

function* linesOf(root: XmlElement, url: boolean): Generator<string> {
  for (const child of root.children) {
    const name = plain(child.value("Key") ?? child.value("Prefix") ?? "", url);
    const age = (child.value("IsLatest") ?? "true") === "true" ? "latest" : "old";
    const object = `${(child.value("ETag") ?? "").replaceAll('"', "")} ${child.value("Size")}`;
    if (child.name === "CommonPrefixes") yield `prefix ${name}`;
    else if (child.name === "DeleteMarker") yield `key ${name} marker ${age}`;
    else if (child.name === "Contents" || child.name === "Version") yield `key ${name} ${object} ${age}`;
  }
}

test("random calls: every answer is the model's", async () => {
  const d = dice(seedOf("model"));
  const worlds = ["one", "two", "three"].map((name) => new World(dice(d.below(2 ** 31)), name));
  const deadline = Date.now() + RUN_MS;
  let steps = 0;
  await Promise.all(
    worlds.map(async (world) => {
      await world.make();
      try {
        for (; Date.now() < deadline; steps++) await world.step();
        for (const bucket of world.buckets) for (let i = 0; i < 5; i++) await world.listVersions(bucket);
      } catch (error) {
        process.stderr.write(`${world.done.slice(-12).join("\n")}\n`);
        throw error;
      }
    }),
  );
  process.stderr.write(`# ${steps} steps\n`);
  assert.equal(site.server.log(), "");
});
