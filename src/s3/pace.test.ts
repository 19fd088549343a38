import assert from "node:assert/strict";
import { EventEmitter, once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { readFileSync } from "node:fs";
import { createServer as createSecureServer } from "node:https";
import { join } from "node:path";
import { connect as connectSecure } from "node:tls";
import { connect, type AddressInfo, type Socket } from "node:net";
import { buffer } from "node:stream/consumers";
import { test, type TestContext } from "node:test";
import { inTurn } from "./connection.ts";
import { PACE_BYTES_MIN } from "./limits.ts";
import { Pace } from "./pace.ts";

const MIB = 1024 * 1024;
const certs = join(import.meta.dirname, "..", "..", "test", "support", "certs");
const CERTIFICATE = {
  key: readFileSync(join(certs, "private.key")),
  cert: readFileSync(join(certs, "public.crt")),
};

interface Call {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
}

/** A server whose handler is told by `call` events, and the connections that it has. */
async function begin(
  t: TestContext,
  secure = false,
): Promise<{ call: () => Promise<Call>; open: () => Socket; sockets: Set<Socket> }> {
  const calls = new EventEmitter();
  const handler = (request: IncomingMessage, response: ServerResponse): void => {
    inTurn(request.socket, response, () => once(response, "close").then(() => undefined));
    calls.emit("call", { request, response } satisfies Call);
  };
  const server = secure ? createSecureServer(CERTIFICATE, handler) : createServer(handler);
  const sockets = new Set<Socket>();
  server.on(secure ? "secureConnection" : "connection", (socket: Socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined).once("close", () => sockets.delete(socket));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const clients: Socket[] = [];
  t.after(() => {
    for (const client of clients) client.destroy();
    server.closeAllConnections();
    server.close();
  });
  const open = (): Socket => {
    const { port } = server.address() as AddressInfo;
    const client = secure ? connectSecure({ port, rejectUnauthorized: false }) : connect(port, "127.0.0.1");
    clients.push(client.on("error", () => undefined));
    return client;
  };
  return { call: async () => (await once(calls, "call"))[0] as Call, open, sockets };
}

const PUT = `PUT /b/k HTTP/1.1\r\nHost: h\r\nContent-Length: ${MIB}\r\n\r\n`;
const GET = "GET /b/k HTTP/1.1\r\nHost: h\r\n\r\n";

/** Sends `bytes` of a body and waits until the server has taken them. */
async function send(client: Socket, { request }: Call, bytes: number): Promise<void> {
  const wanted = request.socket.bytesRead + bytes;
  client.write(Buffer.alloc(bytes, 1));
  while (request.socket.bytesRead < wanted || request.readableLength > 0) await once(request, "data");
}

async function upload({ call, open }: Awaited<ReturnType<typeof begin>>): Promise<{ client: Socket; asked: Call }> {
  const client = open();
  const asked = call();
  client.write(PUT);
  return { client, asked: await asked };
}

test(
  "requests short: a body that trickles is told RequestTimeout and ended, one that comes is not",
  { timeout: 5000 },
  async (t) => {
    const site = await begin(t);
    const slow = await upload(site);
    const quick = await upload(site);
    const failed = once(slow.asked.request, "error");
    for (const { asked } of [slow, quick]) asked.request.on("data", () => undefined);
    const pace = new Pace();
    pace.look(site.sockets, 3);
    await send(slow.client, slow.asked, PACE_BYTES_MIN - 1);
    await send(quick.client, quick.asked, PACE_BYTES_MIN);
    pace.look(site.sockets, 3);
    const answer = (await buffer(slow.client)).toString();
    assert.match(answer, /^HTTP\/1.1 408 [^]*Connection: close[^]*<Code>RequestTimeout<\/Code>/);
    assert.equal(((await failed)[0] as { code: string }).code, "RequestTimeout");
    assert.equal(quick.asked.request.destroyed, false);
  },
);

test(
  "enough requests free: nobody is hurried, and what was seen before counts for nothing later",
  { timeout: 5000 },
  async (t) => {
    const site = await begin(t);
    const { asked } = await upload(site);
    asked.request.on("data", () => undefined);
    const pace = new Pace();
    pace.look(site.sockets, 1);
    for (let looks = 0; looks < 3; looks++) pace.look(site.sockets, 2);
    pace.look(site.sockets, 1);
    assert.equal(asked.request.destroyed, false);
    const failed = once(asked.request, "error");
    pace.look(site.sockets, 1);
    await failed;
  },
);

test("a body that the server does not take is not the client's fault", { timeout: 5000 }, async (t) => {
  const site = await begin(t);
  const unread = await upload(site);
  const paused = await upload(site);
  paused.client.write(Buffer.alloc(MIB / 2, 1));
  await once(paused.asked.request, "readable");
  const pace = new Pace();
  for (let looks = 0; looks < 3; looks++) pace.look(site.sockets, 1);
  for (const { asked } of [unread, paused]) assert.equal(asked.request.destroyed, false);
});

test(
  "an answer that nobody takes is cut; one that the server has not made yet is not",
  { timeout: 5000 },
  async (t) => {
    const site = await begin(t);
    const [reader, waiter] = [site.open(), site.open()];
    const ask = async (client: Socket): Promise<Call> => {
      const asked = site.call();
      client.write(GET);
      return asked;
    };
    const large = await ask(reader);
    const slow = await ask(waiter);
    slow.response.writeHead(200, { "content-length": 5 }).write("be");
    await once(waiter, "data");
    reader.pause();
    large.response.writeHead(200, { "content-length": 64 * MIB }).write(Buffer.alloc(64 * MIB));
    const closed = once(large.response, "close");
    // Node hands over at the end of the turn what was written in it.
    await new Promise(setImmediate);
    const pace = new Pace();
    pace.look(site.sockets, 1);
    pace.look(site.sockets, 1);
    await closed;
    assert.equal(slow.response.destroyed, false);
  },
);

test("over TLS, who takes a piece slowly is seen to take it", { timeout: 5000 }, async (t) => {
  const site = await begin(t, true);
  const client = site.open();
  const asked = site.call();
  client.write(GET);
  const { response } = await asked;
  response.writeHead(200, { "content-length": 64 * MIB }).write(Buffer.alloc(64 * MIB));
  const take = async (bytes: number): Promise<void> => {
    for (let taken = 0; taken < bytes;) {
      const piece = client.read() as Buffer | null;
      if (piece === null) await once(client, "readable");
      else taken += piece.length;
    }
  };
  await take(1);
  const pace = new Pace();
  for (let looks = 0; looks < 2; looks++) {
    pace.look(site.sockets, 1);
    // More than the kernel holds on the way: the server has sent some of it since the look.
    await take(20 * MIB);
  }
  assert.equal(response.destroyed, false);
  while (!response.destroyed) {
    pace.look(site.sockets, 1);
    await new Promise(setImmediate);
  }
});
