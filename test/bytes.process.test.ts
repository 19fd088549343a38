/**
 * Bytes, whatever way they lie: objects of sizes around every boundary, plain and encrypted by each method, whole and in
 * parts, ranged, copied from each to each, replicated; then a bit of every stored file is flipped, at one site and at both.
 * What is read is the object's bytes or an error. `CRASH_SEED` replays a run.
 */
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { copyFileSync, mkdirSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { after, before, test } from "node:test";
import { parseXml } from "../src/protocol/xml.ts";
import { blobFiles, flip } from "./support/damage.ts";
import { bodyOf as bodyOfId, dice, seedOf } from "./support/random.ts";
import { cleanUp, temporaryFolder } from "./support/server.ts";
import { setRule, Site, until } from "./support/site.ts";

const KIB = 1024;
const MIB = 1024 * KIB;
const bucket = "matrix";
const WAIT_MS = 60_000;
const PART = 5 * MIB;
/** Inside the index or in a file, one block or package and the next, one slab, one piece, one part. */
const EDGES = [32 * KIB, 64 * KIB, 128 * KIB, 256 * KIB, MIB];
const SIZES = [0, 1, ...EDGES.flatMap((edge) => [edge - 1, edge, edge + 1])];

const seed = seedOf("bytes");
const d = dice(seed);
type Headers = Record<string, string>;

const SSE = "x-amz-server-side-encryption";
const customerKey = randomBytes(32);
function customer(prefix: string): Headers {
  return {
    [`${prefix}-customer-algorithm`]: "AES256",
    [`${prefix}-customer-key`]: customerKey.toString("base64"),
    [`${prefix}-customer-key-md5`]: createHash("md5").update(customerKey).digest("base64"),
  };
}
/** Headers of a write, and those that a read of it needs. */
const WAYS: Readonly<Record<string, { readonly put: Headers; readonly get: Headers; readonly from: Headers }>> = {
  plain: { put: {}, get: {}, from: {} },
  s3: { put: { [SSE]: "AES256" }, get: {}, from: {} },
  kms: { put: { [SSE]: "aws:kms", [`${SSE}-aws-kms-key-id`]: "shared" }, get: {}, from: {} },
  c: { put: customer(SSE), get: customer(SSE), from: customer("x-amz-copy-source-server-side-encryption") },
};
const wayOf = (key: string) => WAYS[key.split("/")[0] ?? ""] ?? assert.fail(key);

let here: Site;
let there: Site;
/** What each key holds; the key's first segment is its way. */
const bodies = new Map<string, Buffer>();

before(async () => {
  const certs = join(temporaryFolder(), "certs");
  const from = resolve(import.meta.dirname, "support", "certs");
  mkdirSync(join(certs, "CAs"), { recursive: true });
  for (const file of ["public.crt", "private.key"]) copyFileSync(join(from, file), join(certs, file));
  copyFileSync(join(from, "public.crt"), join(certs, "CAs", "peer.crt"));
  const start = (): Promise<Site> => {
    const keys = ["main", "shared"].map((name) => `${name}:${randomBytes(32).toString("base64")}`);
    return Site.start({ env: { MINIO_KMS_SECRET_KEY: keys.join(",") }, args: ["--certs-dir", certs] });
  };
  [here, there] = await Promise.all([start(), start()]);
  for (const site of [here, there]) await site.makeBucket(bucket);
});
after(async () => {
  await here?.close();
  await there?.close();
  await cleanUp();
});

let bodyIds = 0;

/** Bytes that no other object has. */
function newBody(size: number): Buffer {
  return bodyOfId(seed + bodyIds++, Math.max(size, 12)).subarray(0, size);
}

async function upload(key: string, parts: readonly (Buffer | { copy: string; start: number; end: number })[]) {
  const { put, get } = wayOf(key);
  const started = parseXml(Buffer.from(await here.text("POST", bucket, { key, query: { uploads: "" }, headers: put })));
  const uploadId = started.value("UploadId") ?? "";
  const done = [];
  for (const [i, part] of parts.entries()) {
    const query = { partNumber: String(i + 1), uploadId };
    let etag: string | undefined;
    if (Buffer.isBuffer(part)) {
      const answer = await here.call("PUT", bucket, { key, query, headers: get, body: part });
      assert.equal(answer.status, 200, (await answer.bytes()).toString());
      etag = answer.headers["etag"];
    } else {
      const range = { "x-amz-copy-source-range": `bytes=${part.start}-${part.end - 1}` };
      const headers = { "x-amz-copy-source": `${bucket}/${part.copy}`, ...range, ...wayOf(part.copy).from, ...get };
      etag = parseXml(Buffer.from(await here.text("PUT", bucket, { key, query, headers }))).value("ETag");
    }
    done.push(`<Part><PartNumber>${i + 1}</PartNumber><ETag>${etag}</ETag></Part>`);
  }
  const body = `<CompleteMultipartUpload>${done.join("")}</CompleteMultipartUpload>`;
  await here.text("POST", bucket, { key, query: { uploadId }, body, headers: get });
}

/** What a read gives; undefined: an error, at once or before the last byte. */
async function read(site: Site, key: string, range?: string): Promise<Buffer | undefined> {
  const headers = { ...wayOf(key).get, ...(range === undefined ? {} : { range }) };
  const answer = await site.call("GET", bucket, { key, headers });
  const bytes = await answer.bytes().catch(() => undefined);
  return answer.status < 300 ? bytes : undefined;
}

/** Bounds at random, often at an edge. */
function someRange(size: number): { header: string; start: number; end: number } {
  const edges = [0, size, PART, ...EDGES].filter((edge) => edge <= size);
  const bound = (): number => (d.oneIn(3) ? d.below(size) : d.pick(edges) + d.below(3) - 1);
  const inside = (at: number): number => Math.min(Math.max(at, 0), size - 1);
  const [a, b] = [inside(bound()), inside(bound())];
  const [start, last] = [Math.min(a, b), Math.max(a, b)];
  if (d.oneIn(6)) return { header: `bytes=${start}-`, start, end: size };
  if (d.oneIn(6)) return { header: `bytes=-${size - start}`, start, end: size };
  return { header: `bytes=${start}-${last}`, start, end: last + 1 };
}

async function checkReads(site: Site, key: string, ranges: number): Promise<void> {
  const bytes = bodies.get(key) as Buffer;
  assert.ok((await read(site, key))?.equals(bytes), `${key}, seed ${seed}`);
  for (let i = 0; i < ranges && bytes.length > 0; i++) {
    const { header, start, end } = someRange(bytes.length);
    assert.ok((await read(site, key, header))?.equals(bytes.subarray(start, end)), `${key} ${header}, seed ${seed}`);
  }
}

test("written whole and in parts, read whole and in ranges", async () => {
  for (const way of Object.keys(WAYS)) {
    for (const size of [...SIZES, d.below(2 * MIB)]) {
      const [key, body] = [`${way}/${size}`, newBody(size)];
      await here.text("PUT", bucket, { key, body, headers: wayOf(key).put });
      bodies.set(key, body);
    }
    const parts = [PART, PART + d.pick([0, 1, 64 * KIB - 1]), d.pick(SIZES.slice(1))].map(newBody);
    await upload(`${way}/parts`, parts);
    bodies.set(`${way}/parts`, Buffer.concat(parts));
  }
  for (const key of bodies.keys()) await checkReads(here, key, key.endsWith("/parts") ? 12 : 3);
});

test("copied from each way to each, whole and as parts", async () => {
  for (const from of Object.keys(WAYS)) {
    for (const to of Object.keys(WAYS)) {
      for (const source of [`${from}/${d.pick(SIZES)}`, `${from}/parts`]) {
        const key = `${to}/copy of ${source}`;
        const headers = { "x-amz-copy-source": `${bucket}/${source}`, ...wayOf(from).from, ...wayOf(key).put };
        await here.text("PUT", bucket, { key, headers });
        bodies.set(key, bodies.get(source) as Buffer);
        await checkReads(here, key, 2);
      }
      const source = `${from}/parts`;
      const whole = bodies.get(source) as Buffer;
      const [start, end] = [d.below(64 * KIB), PART + 64 * KIB + d.below(64 * KIB)];
      const last = newBody(d.pick([1, 64 * KIB, MIB + 1]));
      await upload(`${to}/parts of ${from}`, [{ copy: source, start, end }, last]);
      bodies.set(`${to}/parts of ${from}`, Buffer.concat([whole.subarray(start, end), last]));
      await checkReads(here, `${to}/parts of ${from}`, 4);
    }
  }
});

test("replicated: the same bytes under the target's own keys, in ranges too", async () => {
  await setRule(here, there, bucket);
  const sent = [...bodies.keys()].filter((key) => !key.startsWith("c/"));
  const pending = new Set(sent);
  await until(
    async () => {
      for (const key of pending) {
        const answer = await here.call("HEAD", bucket, { key });
        await answer.discard();
        if (answer.headers["x-amz-replication-status"] === "COMPLETED") pending.delete(key);
      }
      return pending.size === 0;
    },
    WAIT_MS,
    async () => `not there: ${[...pending].join(", ")}, seed ${seed}`,
  );
  for (const key of sent) await checkReads(there, key, 1);
});

/** One bit of every file, anywhere: bytes, tags, the table of checksums, the end. */
function flipAll(site: Site): void {
  for (const path of blobFiles(site.server.dir)) flip(path, d.below(statSync(path).size), d.oneIn(2));
}

/** Reads everything; how many reads gave nothing. */
async function neverWrong(site: Site): Promise<number> {
  let refused = 0;
  for (const [key, bytes] of bodies) {
    if (site === there && key.startsWith("c/")) continue;
    const { header, start, end } = someRange(Math.max(bytes.length, 1));
    const whole = await read(site, key);
    if (whole === undefined) refused++;
    else assert.ok(whole.equals(bytes), `${key}, seed ${seed}`);
    const part = bytes.length === 0 ? undefined : await read(site, key, header);
    if (part !== undefined) assert.ok(part.equals(bytes.subarray(start, end)), `${key} ${header}, seed ${seed}`);
  }
  return refused;
}

const inFiles = (): string[] => [...bodies.keys()].filter((key) => (bodies.get(key) as Buffer).length > 64 * KIB);

test("a flipped bit of any stored file: the right bytes, from the other site perhaps, or an error", async () => {
  flipAll(here);
  // What a client's key encrypts is nowhere else.
  const alone = inFiles().filter((key) => key.startsWith("c/")).length;
  const refused = await neverWrong(here);
  assert.ok(refused >= alone, `${refused} refused of ${alone}, seed ${seed}`);
  assert.equal(await neverWrong(there), 0);
});

test("flipped at both sites: an error for what lies in files, no copy of it, and never a wrong byte", async () => {
  flipAll(there);
  assert.ok((await neverWrong(there)) > 0);
  await neverWrong(here);
  for (const source of inFiles()) {
    const key = `plain/from damage ${source}`;
    const headers = { "x-amz-copy-source": `${bucket}/${source}`, ...wayOf(source).from };
    const answer = await here.call("PUT", bucket, { key, headers });
    const text = (await answer.bytes()).toString();
    if (answer.status === 200 && text.includes("<CopyObjectResult")) {
      assert.ok((await read(here, key))?.equals(bodies.get(source) as Buffer) ?? true, `${key}, seed ${seed}`);
    }
  }
});
