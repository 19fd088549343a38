/** Bodies that are cut, bent or slow, and very many clients at once: nothing is half-stored, others are served, memory has an end. */
import assert from "node:assert/strict";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { crc32 } from "node:zlib";
import { memory } from "../bench/site.ts";
import { STREAMING_HASHES, type ChunkedMode } from "../src/protocol/aws-chunked.ts";
import { encodeAwsChunked } from "../src/protocol/chunked-testing.ts";
import { deriveSigningKey } from "../src/protocol/sigv4.ts";
import { parseXml } from "../src/protocol/xml.ts";
import { cleanUp, ROOT_SECRET, startServer, type RunningServer } from "./support/server.ts";
import { until } from "./support/site.ts";
import { exchange, head, signedHeaders, Wire, type WireAnswer, type WireRequest } from "./support/wire.ts";

const MIB = 1024 * 1024;
const WAIT_MS = 30_000;
let server: RunningServer;
let port: number;

before(async () => {
  server = await startServer({ workers: 1 });
  port = server.port;
  assert.equal((await exchange(port, { method: "PUT", path: "/b-1" })).status, 200);
  await exchange(port, { method: "PUT", path: "/b-1/k", body: "hello" });
});
after(async () => {
  assert.equal(await server.stop(), 0);
  assert.equal(server.log(), "");
  await cleanUp();
});

const unsigned = (path: string, contentLength: number): Buffer =>
  head(port, { method: "PUT", path, payloadHash: "UNSIGNED-PAYLOAD", contentLength });

const keysBelow = async (prefix: string): Promise<string[]> => {
  const page = await exchange(port, { path: "/b-1", query: `prefix=${prefix}` });
  return parseXml(page.body)
    .all("Contents")
    .map((entry) => entry.value("Key") ?? "");
};

const staged = (): string[] => {
  const dir = join(server.dir, "staging");
  return existsSync(dir) ? readdirSync(dir, { recursive: true }).map(String) : [];
};

/** A streaming upload of three small chunks: the request's head, and its body. */
function streamed(mode: ChunkedMode, path: string): { head: Buffer; body: Buffer } {
  const data = Buffer.from("0123456789abcdefghijklmnopqrstuvwxyz");
  const sum = Buffer.alloc(4);
  sum.writeUInt32BE(crc32(data));
  const own: Record<string, string> = { "x-amz-decoded-content-length": String(data.length) };
  if (mode !== "signed") own["x-amz-trailer"] = "x-amz-checksum-crc32";
  const request: WireRequest = {
    method: "PUT",
    path,
    payloadHash: STREAMING_HASHES[mode],
    headers: own,
    nowMs: Date.now(),
  };
  const headers = signedHeaders(port, request);
  const amzDate = headers["x-amz-date"] as string;
  const scope = { date: amzDate.slice(0, 8), region: "us-east-1", service: "s3" };
  const signing = {
    key: deriveSigningKey(ROOT_SECRET, scope),
    seedSignature: /Signature=(.*)$/.exec(headers["authorization"] ?? "")?.[1] ?? "",
    scope: `${scope.date}/us-east-1/s3/aws4_request`,
    amzDate,
  };
  const trailers = mode === "signed" ? undefined : { "x-amz-checksum-crc32": sum.toString("base64") };
  const body = encodeAwsChunked([data.subarray(0, 10), data.subarray(10, 20), data.subarray(20)], {
    mode,
    signing,
    trailers,
  });
  return { head: head(port, { ...request, contentLength: body.length }), body };
}

test("aws-chunked: one wrong byte anywhere, and nothing is stored", async () => {
  for (const mode of ["signed", "signed-trailer", "unsigned-trailer"] as const) {
    const good = streamed(mode, "/b-1/good");
    assert.equal((await exchange(port, Buffer.concat([good.head, good.body]))).status, 200);
    const positions = Array.from({ length: good.body.length }, (_, i) => i);
    const tampered = async (at: number): Promise<void> => {
      const { head: start, body } = streamed(mode, `/b-1/bent/${mode}/${at}`);
      body[at] = (body[at] as number) ^ 1;
      const answer = await exchange(port, Buffer.concat([start, body]));
      assert.ok(answer.status === 400 || answer.status === 403, `${mode}, byte ${at}: ${answer.status} ${answer.code}`);
    };
    for (let at = 0; at < positions.length; at += 32) await Promise.all(positions.slice(at, at + 32).map(tampered));
  }
  assert.deepEqual(await keysBelow("bent/"), []);
});

test("connections cut in the middle of uploads leave neither objects nor files", async () => {
  const plain: [number, number][] = [
    [1000, 0],
    [1000, 999],
    [100_000, 50_000],
    [300_000, 299_999],
    [20 * MIB, 300_000],
    [20 * MIB, 20 * MIB - 1],
  ];
  const cut = async (bytes: Buffer, how: "destroy" | "reset" | "end"): Promise<void> => {
    const wire = new Wire(port);
    await new Promise<void>((done) => wire.socket.write(bytes, () => done()));
    if (how === "end") wire.socket.end();
    else if (how === "reset") wire.socket.resetAndDestroy();
    else wire.close();
    await wire.closed();
    wire.close();
  };
  for (const how of ["destroy", "reset", "end"] as const) {
    for (const [size, sent] of plain)
      await cut(Buffer.concat([unsigned(`/b-1/cut/${how}-${size}-${sent}`, size), Buffer.alloc(sent, 1)]), how);
    for (const mode of ["signed", "unsigned-trailer"] as const) {
      const whole = streamed(mode, `/b-1/cut/${how}-${mode}`);
      for (let at = 0; at < whole.body.length; at += 29)
        await cut(Buffer.concat([whole.head, whole.body.subarray(0, at)]), how);
    }
  }
  await until(
    () => Promise.resolve(staged().length === 0),
    WAIT_MS,
    () => Promise.resolve(`left in staging: ${staged().join()}`),
  );
  assert.deepEqual(await keysBelow("cut/"), []);
});

test("slow clients are served beside others, a byte at a time", async () => {
  const count = 100;
  const heads = Array.from({ length: count }, () => ({ wire: new Wire(port), bytes: head(port, { path: "/b-1/k" }) }));
  const bodies = Array.from({ length: count }, (_, i) => ({
    wire: new Wire(port),
    bytes: unsigned(`/b-1/slow/${String(i).padStart(3, "0")}`, 20),
  }));
  for (const { wire, bytes } of bodies) wire.write(bytes);
  for (let at = 0; at < 20; at++) {
    for (const { wire, bytes } of heads) wire.write(bytes.subarray(at, at + 1));
    for (const { wire } of bodies) wire.write("x");
    assert.equal((await exchange(port, { path: "/b-1/k" })).body.toString(), "hello");
  }
  for (const { wire, bytes } of heads) wire.write(bytes.subarray(20));
  const answers = await Promise.all([...heads, ...bodies].map(({ wire }) => wire.answer()));
  assert.deepEqual(new Set(answers.map((answer) => answer.status)), new Set([200]));
  for (const { wire } of [...heads, ...bodies]) wire.close();
  assert.equal((await keysBelow("slow/")).length, count);
});

test("1000 connections, 1000 uploads of 100 KiB at once: all answered, memory bounded", async () => {
  const wires = Array.from({ length: 1000 }, () => new Wire(port));
  const all = (bytes: (i: number) => Buffer): Promise<WireAnswer[]> =>
    Promise.all(
      wires.map((wire, i) => {
        wire.write(bytes(i));
        return wire.answer();
      }),
    );
  const statuses = (answers: WireAnswer[]): Set<number> => new Set(answers.map((answer) => answer.status));
  assert.deepEqual(statuses(await all(() => head(port, { path: "/b-1/k" }))), new Set([200]));
  const body = Buffer.alloc(100 * 1024, 3);
  assert.deepEqual(
    statuses(await all((i) => Buffer.concat([unsigned(`/b-1/many/${i}`, body.length), body]))),
    new Set([200]),
  );
  for (const wire of wires) wire.close();
  const { privateMiB } = memory(server.process.pid ?? 0);
  assert.ok(privateMiB < 900, `${privateMiB} MiB`);
  const back = await exchange(port, { path: "/b-1/many/999" });
  assert.ok(back.body.equals(body));
});

test("300 clients that ask for a large object and do not read it: others are served, memory bounded", async () => {
  await exchange(port, { method: "PUT", path: "/b-1/large", body: Buffer.alloc(24 * MIB, 7) });
  const before = memory(server.process.pid ?? 0).privateMiB;
  const wires = Array.from({ length: 300 }, () => new Wire(port));
  for (const wire of wires) {
    wire.socket.once("data", () => wire.socket.pause());
    wire.write(head(port, { path: "/b-1/large" }));
  }
  await Promise.all(wires.map((wire) => new Promise((begun) => wire.socket.once("data", begun))));
  assert.equal((await exchange(port, { path: "/b-1/k" })).status, 200);
  const grown = memory(server.process.pid ?? 0).privateMiB - before;
  for (const wire of wires) wire.close();
  assert.ok(grown < 500, `${grown} MiB more`);
});

test("documents that strangers begin and do not end are bounded together", async () => {
  const before = memory(server.process.pid ?? 0).privateMiB;
  const form = head(port, {
    method: "POST",
    path: "/b-1",
    credentials: null,
    headers: { "content-type": "multipart/form-data; boundary=x" },
    contentLength: 8 * MIB,
  });
  const field = Buffer.concat([
    Buffer.from('--x\r\ncontent-disposition: form-data; name="a"\r\n\r\n'),
    Buffer.alloc(MIB, 32),
  ]);
  const list = head(port, {
    method: "POST",
    path: "/b-1",
    query: "delete=",
    credentials: null,
    headers: { "content-md5": "1B2M2Y8AsgTpgAmY7PhCfg==" },
    contentLength: 8 * MIB,
  });
  const begun = [Buffer.concat([form, field]), Buffer.concat([list, Buffer.alloc(MIB, 32)])];
  const wires = Array.from({ length: 200 }, () => new Wire(port));
  wires.forEach((wire, i) => wire.write(begun[i % 2] as Buffer));
  const codes = await Promise.all(wires.map(async (wire) => (await wire.answer()).code));
  assert.deepEqual(new Set(codes), new Set(["MalformedPOSTRequest", "AccessDenied"]));
  for (const wire of wires) wire.close();
  const grown = memory(server.process.pid ?? 0).privateMiB - before;
  assert.ok(grown < 200, `${grown} MiB more`);
});

test("100-continue is given to those who may write; others get their refusal and no invitation", async () => {
  const ask = async (path: string): Promise<Wire> => {
    const wire = new Wire(port);
    wire.write(head(port, { method: "PUT", path, body: "hello", lines: ["expect: 100-continue"] }));
    return Promise.resolve(wire);
  };
  const welcome = await ask("/b-1/expected");
  assert.equal((await welcome.answer()).status, 100);
  welcome.write("hello");
  assert.equal((await welcome.answer()).status, 200);
  const refused = await ask("/b-none/x");
  assert.equal((await refused.answer()).code, "NoSuchBucket");
  await refused.closed();
  for (const wire of [welcome, refused]) wire.close();
});

test("200 descriptors and 1000 connections: no answer but a good one or SlowDown, and afterwards all is well", async () => {
  const small = await startServer({ descriptors: 200 });
  assert.match(small.log(), /allows 200 open files: at most \d+ connections/);
  const body = Buffer.alloc(300 * 1024, 5);
  await exchange(small.port, { method: "PUT", path: "/b-1" });
  await exchange(small.port, { method: "PUT", path: "/b-1/k", body });
  const get = head(small.port, { path: "/b-1/k" });
  const put = Buffer.concat([head(small.port, { method: "PUT", path: "/b-1/new", body }), body]);
  for (let round = 0; round < 2; round++) {
    const wires = Array.from({ length: 1000 }, () => new Wire(small.port));
    wires.forEach((wire, i) => wire.write(i % 2 === round ? get : put));
    const answers = await Promise.all(wires.map((wire) => wire.answer()));
    for (const wire of wires) wire.close();
    const told = new Set(answers.map(({ status, code }) => `${status} ${code}`));
    assert.ok(told.delete("200 "), [...told].join());
    // Nothing: more connections than there may be are closed at once.
    for (const other of told) assert.match(other, /^(0 |503 SlowDown)$/);
    // The server hears of the closed connections one after another.
    await until(
      async () => (await exchange(small.port, { path: "/b-1/k" })).body.equals(body),
      WAIT_MS,
      () => Promise.resolve(small.log()),
    );
  }
  assert.equal(await small.stop(), 0);
});
