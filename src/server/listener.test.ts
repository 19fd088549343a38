import assert from "node:assert/strict";
import { EventEmitter, once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import { connect, type Socket } from "node:net";
import { test } from "node:test";
import { PACE_LOOK_MS } from "../s3/limits.ts";
import { listen } from "./listener.ts";

const OPTIONS = { host: "127.0.0.1", port: 0, certsDir: "/nowhere", keyPassword: undefined, shared: false };

/** Bytes that come until `end`, as text. */
async function received(socket: Socket, end: string): Promise<string> {
  let text = "";
  while (!text.includes(end)) text += String((await once(socket, "data"))[0]);
  return text;
}

const GET = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";

test("a server that stops ends each connection with its answer, and not with the patience of its clients", async (t) => {
  const calls = new EventEmitter();
  const handler = (_request: IncomingMessage, response: ServerResponse): void => void calls.emit("call", response);
  const listener = await listen(handler, { ...OPTIONS, warn: () => undefined });
  const [waiting, begun] = [connect(listener.port, "127.0.0.1"), connect(listener.port, "127.0.0.1")];
  t.after(() => [waiting, begun].forEach((socket) => socket.destroy()));
  const ask = async (socket: Socket): Promise<ServerResponse> => {
    const called = once(calls, "call");
    socket.write(GET);
    return (await called)[0] as ServerResponse;
  };
  const first = await ask(waiting);
  const second = await ask(begun);
  second.writeHead(200, { "content-length": "4" }).write("be");
  const stopped = listener.stop();
  // Its connection was promised to be kept before.
  const third = await ask(begun);
  first.end("first");
  assert.match(await received(waiting, "first"), /\r\nConnection: close\r\n/);
  second.end("en");
  third.end("third");
  assert.match(await received(begun, "third"), /been.*\r\nConnection: close\r\n/s);
  await stopped;
});

test("a connection whose answer had begun when the server stopped is closed after it", { timeout: 5000 }, async (t) => {
  const calls = new EventEmitter();
  const handler = (_request: IncomingMessage, response: ServerResponse): void => void calls.emit("call", response);
  const listener = await listen(handler, { ...OPTIONS, warn: () => undefined });
  const socket = connect(listener.port, "127.0.0.1");
  t.after(() => socket.destroy());
  const called = once(calls, "call");
  socket.write(GET);
  const response = (await called)[0] as ServerResponse;
  response.writeHead(200, { "content-length": "4" }).write("be");
  // The time after which all are cut never comes, and the client does nothing.
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const stopped = listener.stop();
  response.end("en");
  await received(socket, "been");
  await stopped;
});

test("a client that lets its request wait is ended while requests are short", { timeout: 5000 }, async (t) => {
  t.mock.timers.enable({ apis: ["setInterval"] });
  const calls = new EventEmitter();
  const handler = (request: IncomingMessage): void => void calls.emit("call", request.resume());
  const listener = await listen(handler, { ...OPTIONS, warn: () => undefined, requestsMax: () => 1 });
  const socket = connect(listener.port, "127.0.0.1");
  t.after(() => socket.destroy());
  const called = once(calls, "call");
  socket.write("PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n");
  ((await called)[0] as IncomingMessage).on("error", () => undefined);
  t.mock.timers.tick(PACE_LOOK_MS);
  t.mock.timers.tick(PACE_LOOK_MS);
  assert.match(await received(socket, "</Error>"), /^HTTP\/1.1 408 .*RequestTimeout/s);
  await once(socket, "close");
  t.mock.timers.reset();
  await listener.stop();
});
