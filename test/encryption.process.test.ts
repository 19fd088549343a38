/** Encryption at rest: two servers with keys of their own, the AWS SDK, and what lies on their disks. */
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { after, before, test } from "node:test";
import { isDeepStrictEqual } from "node:util";
import {
  CompleteMultipartUploadCommand,
  CopyObjectCommand,
  CreateMultipartUploadCommand,
  GetObjectCommand,
  HeadObjectCommand,
  PutBucketEncryptionCommand,
  PutObjectCommand,
  UploadPartCommand,
  type S3Client,
} from "@aws-sdk/client-s3";
import { identityOf, KesDouble } from "../src/client/kes-testing.ts";
import { identityOfApiKey } from "../src/client/kes.ts";
import { awsClient, mc } from "./support/clients.ts";
import { cleanUp, startServer, temporaryFolder } from "./support/server.ts";
import { setRule, Site, until } from "./support/site.ts";

const WAIT_MS = 20_000;
const KIB = 1024;
const MIB = 1024 * KIB;
const BUCKET = "sealed";
/** Found in no stored file: what every body begins with. */
const MARK = Buffer.from("these words must not lie on any disk of a site, ");

const keysOf = (...names: string[]): string =>
  names.map((name) => `${name}:${randomBytes(32).toString("base64")}`).join(",");
const HERE_KEYS = keysOf("here", "shared");

const CUSTOMER = randomBytes(32);
/** The SDK encodes the key and makes its MD5 by itself when it is given as bytes in a string. */
const customerKey = {
  SSECustomerAlgorithm: "AES256",
  SSECustomerKey: CUSTOMER.toString("base64"),
  SSECustomerKeyMD5: createHash("md5").update(CUSTOMER).digest("base64"),
};

interface Way {
  readonly name: string;
  readonly put: object;
  readonly get: object;
}
const WAYS: readonly Way[] = [
  { name: "s3", put: { ServerSideEncryption: "AES256" }, get: {} },
  { name: "kms", put: { ServerSideEncryption: "aws:kms", SSEKMSKeyId: "shared" }, get: {} },
  { name: "c", put: customerKey, get: customerKey },
];

let here: Site;
let there: Site;
let client: S3Client;
let remote: S3Client;

/** A folder with the test's certificate that outgoing connections trust as well. */
function certificates(): string {
  const from = resolve(import.meta.dirname, "support", "certs");
  const folder = join(temporaryFolder(), "certs");
  mkdirSync(join(folder, "CAs"), { recursive: true });
  for (const file of ["public.crt", "private.key"]) copyFileSync(join(from, file), join(folder, file));
  copyFileSync(join(from, "public.crt"), join(folder, "CAs", "peer.crt"));
  return folder;
}

function startSite(keys: string | undefined, dir?: string): Promise<Site> {
  const env: Record<string, string> = keys === undefined ? {} : { MINIO_KMS_SECRET_KEY: keys };
  return Site.start({ dir, env, args: ["--certs-dir", certificates()] });
}

before(async () => {
  here = await startSite(HERE_KEYS);
  there = await startSite(keysOf("other", "shared"));
  for (const site of [here, there]) await site.makeBucket(BUCKET);
  client = awsClient(here.server);
  remote = awsClient(there.server);
});
after(async () => {
  client?.destroy();
  remote?.destroy();
  await here?.close();
  await there?.close();
  await cleanUp();
});

const bodyOf = (size: number): Buffer => Buffer.concat([MARK, randomBytes(size)]).subarray(0, size);

async function get(from: S3Client, key: string, extra: object, range?: string): Promise<Buffer> {
  const answer = await from.send(new GetObjectCommand({ Bucket: BUCKET, Key: key, Range: range, ...extra }));
  return Buffer.from((await answer.Body?.transformToByteArray()) ?? []);
}

async function putMultipart(key: string, parts: readonly Buffer[], way: Way): Promise<void> {
  const at = { Bucket: BUCKET, Key: key };
  const { UploadId } = await client.send(new CreateMultipartUploadCommand({ ...at, ...way.put }));
  const done = [];
  for (const [i, Body] of parts.entries()) {
    const part = { ...at, UploadId, PartNumber: i + 1, Body, ...way.get };
    done.push({ PartNumber: i + 1, ETag: (await client.send(new UploadPartCommand(part))).ETag });
  }
  await client.send(new CompleteMultipartUploadCommand({ ...at, UploadId, MultipartUpload: { Parts: done } }));
}

/** Every file of a site's directory. */
function* filesOf(folder: string): Generator<string> {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* filesOf(path);
    else if (entry.isFile()) yield path;
  }
}

const bodies = new Map<string, { way: Way; bytes: Buffer }>();

test("objects of every way and size, whole, in ranges and copied, byte by byte", async () => {
  const sizes = [0, 1, 10 * KIB, 32 * KIB, 64 * KIB - 1, 64 * KIB, 64 * KIB + 1, 256 * KIB + 1, MIB + 17];
  for (const way of WAYS) {
    for (const size of sizes) {
      const [key, bytes] = [`${way.name}/${size}`, bodyOf(size)];
      await client.send(new PutObjectCommand({ Bucket: BUCKET, Key: key, Body: bytes, ...way.put }));
      bodies.set(key, { way, bytes });
      assert.ok((await get(client, key, way.get)).equals(bytes), key);
      if (size < 4) continue;
      const [start, end] = [Math.max(0, Math.floor(size / 2) - 3), size - 2];
      assert.ok((await get(client, key, way.get, `bytes=${start}-${end}`)).equals(bytes.subarray(start, end + 1)), key);
    }
    const parts = [bodyOf(5 * MIB + 1), bodyOf(5 * MIB), bodyOf(70 * KIB)];
    const [key, bytes] = [`${way.name}/parts`, Buffer.concat(parts)];
    await putMultipart(key, parts, way);
    bodies.set(key, { way, bytes });
    assert.ok((await get(client, key, way.get)).equals(bytes), key);
    const middle = await get(client, key, way.get, `bytes=${5 * MIB - 9}-${10 * MIB + 9}`);
    assert.ok(middle.equals(bytes.subarray(5 * MIB - 9, 10 * MIB + 10)), key);
    for (const to of WAYS) {
      const source = way.name === "c" ? copySourceKey() : {};
      const copy = { Bucket: BUCKET, Key: `${way.name}/copy-${to.name}`, CopySource: `${BUCKET}/${key}` };
      await client.send(new CopyObjectCommand({ ...copy, ...to.put, ...source }));
      bodies.set(copy.Key, { way: to, bytes });
      assert.ok((await get(client, copy.Key, to.get)).equals(bytes), copy.Key);
    }
  }
});

function copySourceKey(): object {
  return {
    CopySourceSSECustomerAlgorithm: "AES256",
    CopySourceSSECustomerKey: customerKey.SSECustomerKey,
    CopySourceSSECustomerKeyMD5: customerKey.SSECustomerKeyMD5,
  };
}

test("nothing of them lies on the disk", () => {
  for (const file of filesOf(here.server.dir)) assert.ok(!readFileSync(file).includes(MARK), file);
});

test("the target has them under its own keys; what it cannot have is said, never skipped", async () => {
  await setRule(here, there, BUCKET);
  const sent = [...bodies].filter(([, { way }]) => way.name !== "c");
  const held = [...bodies].filter(([, { way }]) => way.name === "c");
  const statusOf = async ([key, { way }]: [string, { way: Way }]): Promise<string | undefined> =>
    (await client.send(new HeadObjectCommand({ Bucket: BUCKET, Key: key, ...way.get }))).ReplicationStatus;
  await until(
    async () => {
      const done = await Promise.all(sent.map(statusOf));
      const refused = await Promise.all(held.map(statusOf));
      return done.every((s) => s === "COMPLETED") && refused.every((s) => s !== "PENDING" && s !== "COMPLETED");
    },
    WAIT_MS,
    async () => JSON.stringify(await Promise.all([...bodies].map(async (one) => [one[0], await statusOf(one)]))),
  );
  for (const [key, { way, bytes }] of sent) {
    assert.ok((await get(remote, key, {})).equals(bytes), key);
    const [a, b] = await Promise.all(
      [client, remote].map((one) => one.send(new HeadObjectCommand({ Bucket: BUCKET, Key: key }))),
    );
    assert.deepEqual(
      [b?.ETag, b?.ContentLength, b?.ServerSideEncryption],
      [a?.ETag, a?.ContentLength, a?.ServerSideEncryption],
    );
    assert.equal(b?.ServerSideEncryption, way.name === "s3" ? "AES256" : "aws:kms");
  }
  for (const file of filesOf(there.server.dir)) assert.ok(!readFileSync(file).includes(MARK), file);
});

test("flipped bits of stored files are never served", async () => {
  const [key, { bytes }] = ["s3/65537", bodies.get("s3/65537") as { bytes: Buffer }];
  for (const file of filesOf(join(there.server.dir, "blobs"))) {
    const content = readFileSync(file);
    content[100] = (content[100] as number) ^ 4;
    writeFileSync(file, content);
  }
  await assert.rejects(get(remote, key, {}), { name: "XResilverObjectDamaged" });
  // Until a resync brings them back.
  const reset = { "replication-reset": "", arn: "", "reset-id": "heal" };
  await here.text("PUT", BUCKET, { query: reset });
  await until(
    async () => {
      const text = await here.text("GET", BUCKET, { query: { "replication-reset-status": "" } });
      return /"resyncStatus":"(Completed|Failed)"/.test(text);
    },
    WAIT_MS,
    () => here.text("GET", BUCKET, { query: { "replication-reset-status": "" } }),
  );
  assert.ok((await get(remote, key, {})).equals(bytes));
  const status = await here.text("GET", BUCKET, { query: { "replication-reset-status": "" } });
  assert.match(status, /"notReplicable":[1-9]/);
});

test("a target without the keys is refused when it is set", async () => {
  for (const keys of [undefined, keysOf("other")]) {
    const site = await startSite(keys);
    try {
      await site.makeBucket(BUCKET);
      await assert.rejects(setRule(here, site, BUCKET), /cannot encrypt what sealed holds/);
    } finally {
      await site.close();
      await site.server.stop();
    }
  }
});

test("default encryption of a bucket", async () => {
  const at = { Bucket: "defaults" };
  await here.makeBucket(at.Bucket);
  const rule = { ApplyServerSideEncryptionByDefault: { SSEAlgorithm: "aws:kms", KMSMasterKeyID: "shared" } } as const;
  await client.send(new PutBucketEncryptionCommand({ ...at, ServerSideEncryptionConfiguration: { Rules: [rule] } }));
  await client.send(new PutObjectCommand({ ...at, Key: "x", Body: "plain request" }));
  const head = await client.send(new HeadObjectCommand({ ...at, Key: "x" }));
  assert.deepEqual([head.ServerSideEncryption, head.SSEKMSKeyId], ["aws:kms", "arn:aws:kms:shared"]);
});

test("mc: keys, defaults of buckets, and encrypted copies in both forms", async () => {
  const folder = temporaryFolder();
  const run = async (...args: string[]): Promise<string> => {
    const aliases = { here: here.server };
    const result = await mc(["--insecure", ...args], { aliases, configDir: join(folder, "mc") });
    assert.equal(result.code, 0, `${args.join(" ")}: ${result.stderr} ${result.stdout}`);
    return result.stdout;
  };
  await run("admin", "kms", "key", "create", "here", "made");
  assert.match(await run("admin", "kms", "key", "ls", "here"), /^here\nmade\nshared\n/m);
  assert.match(await run("admin", "kms", "key", "status", "here", "made"), /Key: made\n.*Encryption ✔\n.*Decryption ✔/);
  await here.makeBucket("tools");
  await run("encrypt", "set", "sse-kms", "made", "here/tools");
  assert.match(await run("encrypt", "info", "here/tools"), /sse-kms.*made/);
  const file = join(folder, "file");
  const bytes = bodyOf(200 * KIB);
  writeFileSync(file, bytes);
  await run("cp", file, "here/tools/default");
  assert.match(await run("encrypt", "set", "sse-s3", "made", "here/tools"), /encrypted with sse-s3\n/);
  await run("encrypt", "clear", "here/tools");
  assert.match(await run("encrypt", "info", "here/tools"), /not enabled/);
  const key = CUSTOMER.toString("base64").replace(/=+$/, "");
  const forms: Readonly<Record<string, string[]>> = {
    s3: ["--enc-s3", "here/tools"],
    "old-s3": ["--encrypt", "here/tools"],
    kms: ["--enc-kms", "here/tools=shared"],
    c: ["--enc-c", `here/tools=${key}`],
    "old-c": ["--encrypt-key", "here/tools=thirty-two characters of a key!!"],
  };
  for (const [name, flags] of Object.entries(forms)) await run("cp", ...flags, file, `here/tools/${name}`);
  const kindOf = async (name: string, extra = {}): Promise<string> => {
    const head = await client.send(new HeadObjectCommand({ Bucket: "tools", Key: name, ...extra }));
    return head.ServerSideEncryption ?? head.SSECustomerAlgorithm ?? "none";
  };
  assert.deepEqual(
    [
      await kindOf("default"),
      await kindOf("s3"),
      await kindOf("old-s3"),
      await kindOf("kms"),
      await kindOf("c", customerKey),
    ],
    ["aws:kms", "AES256", "AES256", "aws:kms", "AES256"],
  );
  for (const [name, flags] of Object.entries(forms)) {
    const back = name.endsWith("c") ? flags : [];
    await run("cp", ...back, `here/tools/${name}`, join(folder, `back-${name}`));
    assert.ok(readFileSync(join(folder, `back-${name}`)).equals(bytes), name);
  }
  assert.match(await run("admin", "kms", "key", "rotate", "here", "made", "shared"), /^1 objects/);
  const head = await client.send(new HeadObjectCommand({ Bucket: "tools", Key: "default" }));
  assert.equal(head.SSEKMSKeyId, "arn:aws:kms:shared");
});

test("keys in a key server: stopped and started, and a site that lives on meanwhile", async () => {
  const seed = randomBytes(32);
  const apiKey = `kes:v1:${Buffer.concat([Buffer.from([0]), seed]).toString("base64")}`;
  const kes = new KesDouble({ allowed: identityOf(identityOfApiKey(apiKey, Date.now())?.cert ?? "") });
  await kes.start();
  const roots = join(temporaryFolder(), "kes.crt");
  writeFileSync(roots, kes.certificate.cert);
  const env = {
    MINIO_KMS_KES_ENDPOINT: kes.endpoint,
    MINIO_KMS_KES_KEY_NAME: "kes-key",
    MINIO_KMS_KES_API_KEY: apiKey,
    MINIO_KMS_KES_CAPATH: roots,
  };
  const site = await Site.start({ env, args: ["--certs-dir", certificates()] });
  const s3 = awsClient(site.server);
  try {
    await site.makeBucket(BUCKET);
    const at = { Bucket: BUCKET, Key: "x" };
    await until(
      () => Promise.resolve(kes.keys.has("kes-key")),
      WAIT_MS,
      () => Promise.resolve("the default key is not there"),
    );
    const bytes = bodyOf(100 * KIB);
    await s3.send(new PutObjectCommand({ ...at, Body: bytes, ServerSideEncryption: "AES256" }));
    await s3.send(new PutObjectCommand({ ...at, Key: "plain", Body: bytes }));
    assert.ok((await get(s3, "x", {})).equals(bytes));
    const health = async (name: string): Promise<unknown[]> => {
      const answer = await site.call("GET", "minio", { key: `health/${name}` });
      await answer.discard();
      return [answer.status, answer.headers["x-minio-error-code"] ?? null];
    };
    /** A look is good for two seconds. */
    const ready = (...expected: unknown[]): Promise<void> =>
      until(
        async () => isDeepStrictEqual(await health("ready"), expected),
        WAIT_MS,
        async () => `ready: ${JSON.stringify(await health("ready"))}, expected ${JSON.stringify(expected)}`,
      );
    await ready(200, null);
    await kes.stop();
    await ready(503, "XResilverKeyServerUnavailable");
    assert.deepEqual(await health("live"), [200, null]);
    const away = { name: "XResilverKeyServerUnavailable" };
    await assert.rejects(get(s3, "x", {}), away);
    await assert.rejects(s3.send(new PutObjectCommand({ ...at, Body: bytes, ServerSideEncryption: "AES256" })), away);
    assert.ok((await get(s3, "plain", {})).equals(bytes));
    assert.equal((await s3.send(new HeadObjectCommand(at))).ServerSideEncryption, "AES256");
    await kes.start();
    assert.ok((await get(s3, "x", {})).equals(bytes));
    await ready(200, null);
    // Another key of the same name: what is new would work, what is there would not.
    const key = kes.keys.get("kes-key") as Buffer;
    kes.keys.set("kes-key", randomBytes(32));
    await ready(503, "KMS.InvalidCiphertextException");
    await assert.rejects(setRule(site, here, BUCKET), /this site cannot open them/);
    kes.keys.delete("kes-key");
    await ready(503, "KMS.NotFoundException");
    kes.keys.set("kes-key", key);
    await ready(200, null);
    assert.ok((await get(s3, "x", {})).equals(bytes));
  } finally {
    s3.destroy();
    await site.close();
    await site.server.stop();
    await kes.stop();
  }
});

test("after a start without a key its objects say so, and the others are read", async () => {
  const { dir } = here.server;
  const [first, second] = HERE_KEYS.split(",");
  await here.close();
  client.destroy();
  await here.server.stop();
  await assert.rejects(startServer({ dir, env: { MINIO_KMS_SECRET_KEY: keysOf("here") } }), /another key/);
  here = await startSite(first, dir);
  client = awsClient(here.server);
  await assert.rejects(get(client, "kms/65536", {}), { name: "KMS.NotFoundException" });
  assert.ok((await get(client, "s3/65536", {})).equals(bodies.get("s3/65536")?.bytes as Buffer));
  client.destroy();
  await here.close();
  await here.server.stop();
  here = await startSite(`${first},${second}`, dir);
  client = awsClient(here.server);
  assert.ok((await get(client, "kms/65536", {})).equals(bodies.get("kms/65536")?.bytes as Buffer));
});
