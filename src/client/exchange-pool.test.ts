/** Connections for whole answers: how they are kept, shared and given up. */
import assert from "node:assert/strict";
import { createServer, type RequestListener, type Server } from "node:http";
import { createServer as createTlsServer } from "node:https";
import { createServer as createNetServer, type AddressInfo, type Socket } from "node:net";
import { after, afterEach, before, test } from "node:test";
import { NetworkError } from "./errors.ts";
import { selfSigned } from "./self-signed.ts";
import { Transport, type S3Response, type TransportOptions } from "./transport.ts";

let server: Server;
let answer: RequestListener;
/** Connections that the server has taken. */
let taken = 0;
const transports: Transport[] = [];

before(async () => {
  server = createServer((request, response) => answer(request, response));
  server.on("connection", () => taken++);
  await new Promise<void>((ready) => server.listen(0, "127.0.0.1", ready));
});
afterEach(async () => {
  for (const transport of transports.splice(0)) await transport.close();
  taken = 0;
});
after(async () => {
  server.closeAllConnections();
  await new Promise((closed) => server.close(closed));
});

const originOf = (at: { address(): unknown }, scheme = "http"): string =>
  `${scheme}://127.0.0.1:${(at.address() as AddressInfo).port}`;

function asking(origin: string, options: TransportOptions = {}) {
  const transport = new Transport(options);
  transports.push(transport);
  return (method: string, headers: Record<string, string> = {}, body?: Buffer): Promise<S3Response> =>
    transport.request({ origin, method, path: "/x?y", headers, body, whole: true });
}

/** What the request had: its line, its fields and its body. */
const echo: RequestListener = (request, response) => {
  const pieces: Buffer[] = [];
  request.on("data", (piece: Buffer) => pieces.push(piece));
  request.on("end", () => {
    const body = Buffer.concat(pieces);
    const { method, url, headers } = request;
    response.end(JSON.stringify({ method, url, headers, length: body.length, last: body.at(-1) }));
  });
};

test("requests go one after another over one connection, those of HEAD too, with bodies of any size", async () => {
  answer = echo;
  const ask = asking(originOf(server), { connections: 1 });
  const told = async (response: Promise<S3Response>) => JSON.parse((await (await response).bytes()).toString());
  const small = await told(ask("PUT", { "x-a": "\u00e9", "content-length": "77" }, Buffer.from("ab")));
  assert.deepEqual([small.method, small.url, small.headers["x-a"], small.length], ["PUT", "/x?y", "\u00e9", 2]);
  assert.equal((await ask("HEAD")).status, 200);
  const large = await told(ask("PUT", {}, Buffer.alloc(3_000_000, 7)));
  assert.deepEqual([large.length, large.last], [3_000_000, 7]);
  const none = await told(ask("POST"));
  assert.deepEqual([none.headers["content-length"], none.length], ["0", 0]);
  assert.equal("content-length" in (await told(ask("GET"))).headers, false);
  const many = await Promise.all(
    Array.from({ length: 20 }, (_, i) => told(ask("PUT", { "x-a": `${i}` }, Buffer.from("a")))),
  );
  assert.deepEqual(
    many.map(({ headers }) => headers["x-a"]),
    Array.from({ length: 20 }, (_, i) => `${i}`),
  );
  assert.equal(taken, 1);
});

test("no more connections than allowed; an answer that ends one is no failure", async () => {
  let [now, most] = [0, 0];
  const held: (() => void)[] = [];
  answer = (_, response) => {
    most = Math.max(most, ++now);
    held.push(() => void response.writeHead(200, { connection: "close" }).end("bye"));
    if (held.length < 3) return;
    // In a later turn: a fourth would have come by then.
    setImmediate(() => {
      now = 0;
      for (const release of held.splice(0)) release();
    });
  };
  const ask = asking(originOf(server), { connections: 3 });
  const answers = await Promise.all(Array.from({ length: 12 }, () => ask("GET")));
  assert.ok(answers.every(({ status }) => status === 200));
  assert.equal(most, 3);
  assert.equal(taken, 12);
});

test("a request that would be more than one on the wire is not sent", async () => {
  answer = echo;
  const ask = asking(originOf(server));
  for (const headers of [{ "x-a": "1\r\nx-b: 2" }, { "x-a": "\u0100" }, { "x a": "1" }, { "x-a:": "1" }, { "": "1" }])
    await assert.rejects(ask("GET", headers as unknown as Record<string, string>), NetworkError);
  await assert.rejects(ask("GET /y HTTP/1.1\r\n"), NetworkError);
  assert.equal(taken, 0);
});

test("silence ends a request, before the head of the answer and in its body", async () => {
  answer = (request, response) => {
    if (request.method === "GET") response.writeHead(200, { "content-length": "10" }).write("12345");
  };
  const ask = asking(originOf(server), { headersTimeoutMs: 40, bodyTimeoutMs: 20 });
  const silent = (error: unknown): boolean => error instanceof NetworkError && error.code === "ETIMEDOUT";
  await assert.rejects(ask("PUT"), silent);
  await assert.rejects(ask("GET"), silent);
});

/** A server that says `texts` one after another, each when something came. */
async function saying(texts: readonly string[]): Promise<{ origin: string; sockets: Socket[]; stop: () => void }> {
  const sockets: Socket[] = [];
  let at = 0;
  const raw = createNetServer((socket) => {
    sockets.push(socket);
    socket.on("error", () => undefined);
    socket.on("data", () => void socket.write(texts[at++] ?? ""));
  });
  await new Promise<void>((ready) => raw.listen(0, "127.0.0.1", ready));
  const stop = (): void => {
    for (const socket of sockets) socket.destroy();
    raw.close();
  };
  return { origin: originOf(raw), sockets, stop };
}

test("what comes behind an answer is never taken for the next one", async () => {
  const OK = "HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n";
  const { origin, sockets, stop } = await saying([`${OK}aHTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nb`, `${OK}c`]);
  try {
    const ask = asking(origin, { connections: 1 });
    assert.equal((await (await ask("GET")).bytes()).toString(), "a");
    assert.equal((await (await ask("GET")).bytes()).toString(), "c");
    assert.equal(sockets.length, 2);
  } finally {
    stop();
  }
});

test("what is no answer is a failure, and a connection that the server gave up is not used again", async () => {
  const { origin, sockets, stop } = await saying(["no HTTP\r\n\r\n", "HTTP/1.1 204 No Content\r\n\r\n"]);
  try {
    const ask = asking(origin, { connections: 1 });
    await assert.rejects(ask("GET"), (error) => error instanceof NetworkError && error.code === "HTTP_BAD_ANSWER");
    assert.equal((await ask("GET")).status, 204);
    sockets[1]?.destroy();
    const closed = new Promise((resolve) => sockets[1]?.on("close", resolve));
    await closed;
    // The end of the connection reaches this side with the events of the turns that follow.
    for (let turn = 0; turn < 10; turn++) await new Promise((next) => setImmediate(next));
    const third = ask("GET").catch((error: unknown) => error);
    await new Promise<void>((seen) => {
      const look = (): void => (sockets.length === 3 ? seen() : void setImmediate(look));
      look();
    });
    stop();
    assert.ok((await third) instanceof NetworkError);
  } finally {
    stop();
  }
});

test("nobody listens: every request that waits fails", async () => {
  const { origin, stop } = await saying([]);
  stop();
  const ask = asking(origin, { connections: 2 });
  const results = await Promise.allSettled(Array.from({ length: 5 }, () => ask("GET")));
  for (const result of results) {
    assert.ok(result.status === "rejected" && result.reason instanceof NetworkError);
    assert.equal(result.reason.code, "ECONNREFUSED");
  }
});

test("closing ends what is under way, and what is asked later", async () => {
  let arrived = (): void => undefined;
  const waiting = new Promise<void>((resolve) => (arrived = resolve));
  answer = () => arrived();
  const transport = new Transport({ connections: 1 });
  const ask = () => transport.request({ origin: originOf(server), method: "GET", path: "/", headers: {}, whole: true });
  const cut = [ask(), ask()].map((request) => request.catch((error: unknown) => error));
  await waiting;
  await transport.close();
  for (const error of await Promise.all(cut)) assert.ok(error instanceof NetworkError);
  await assert.rejects(ask(), NetworkError);
});

test("over TLS: the roots decide, a connection is kept, and a refusal is told in words", async () => {
  const nowMs = Date.now();
  const { cert, key } = selfSigned({ seed: Buffer.alloc(32, 1), name: "here", nowMs, address: "127.0.0.1" });
  let sessions = 0;
  const secure = createTlsServer({ cert, key }, echo);
  secure.on("secureConnection", () => sessions++);
  await new Promise<void>((ready) => secure.listen(0, "127.0.0.1", ready));
  try {
    const origin = originOf(secure, "https");
    const ask = asking(origin, { connections: 1, ca: () => [cert] });
    for (const length of [10, 200_000]) {
      const told = JSON.parse((await (await ask("PUT", {}, Buffer.alloc(length, 3))).bytes()).toString());
      assert.deepEqual([told.length, told.last], [length, 3]);
    }
    assert.equal(sessions, 1);
    const refused = (error: unknown): boolean =>
      error instanceof NetworkError &&
      error.code === "DEPTH_ZERO_SELF_SIGNED_CERT" &&
      /not trusted here/.test(error.message);
    await assert.rejects(asking(origin)("GET"), refused);
    assert.equal((await asking(origin, { insecureTls: true })("GET")).status, 200);
  } finally {
    for (const transport of transports.splice(0)) await transport.close();
    secure.closeAllConnections();
    await new Promise((closed) => secure.close(closed));
  }
});
