/** Answers taken whole: their bytes and headers, and every way in which none comes. */
import assert from "node:assert/strict";
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, test } from "node:test";
import { NetworkError } from "./errors.ts";
import { Transport } from "./transport.ts";

let server: Server;
let origin: string;
let answer: RequestListener;
const transport = new Transport({ connections: 1, bodyTimeoutMs: 5000 });

before(async () => {
  server = createServer((request, response) => answer(request, response));
  await new Promise<void>((ready) => server.listen(0, "127.0.0.1", ready));
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
after(async () => {
  await transport.close();
  server.closeAllConnections();
  await new Promise((closed) => server.close(closed));
});

const ask = (signal?: AbortSignal) =>
  transport.request({ origin, method: "PUT", path: "/x", headers: {}, body: Buffer.from("body"), signal, whole: true });

test("a body of several pieces comes as one, repeated headers as one value", async () => {
  answer = (request, response) => {
    let got = "";
    request.on("data", (piece: Buffer) => (got += piece.toString()));
    request.on("end", () => {
      response.writeHead(201, ["X-A", "1", "X-A", "2", "X-B", "3"]);
      response.write(got);
      setImmediate(() => response.end("-end"));
    });
  };
  const response = await ask();
  const { status, headers } = response;
  assert.deepEqual([status, headers["x-a"], headers["x-b"]], [201, "1, 2", "3"]);
  assert.equal((await response.bytes()).toString(), "body-end");
  const pieces: Buffer[] = [];
  for await (const piece of response.stream) pieces.push(piece);
  assert.equal(Buffer.concat(pieces).toString(), "body-end");
});

test("an answer without a body, and what a 1xx says before it", async () => {
  answer = (_, response) => {
    response.writeEarlyHints({ link: "</a>; rel=preload" });
    response.writeHead(204).end();
  };
  const response = await ask();
  assert.deepEqual([response.status, (await response.bytes()).length, response.headers["link"]], [204, 0, undefined]);
});

test("an answer that is cut off is a failure of the network", async () => {
  answer = (_, response) => {
    response.writeHead(200, { "content-length": "10" });
    response.write("12345", () => response.destroy());
  };
  await assert.rejects(ask(), NetworkError);
});

test("one signal ends every request that has it, also those that wait for a connection; others go on", async () => {
  const stop = new AbortController();
  let arrived = (): void => undefined;
  const waiting = new Promise<void>((resolve) => (arrived = resolve));
  answer = () => arrived();
  const cut = [ask(stop.signal), ask(stop.signal)];
  const other = ask();
  await waiting;
  answer = (_, response) => void response.end("here");
  stop.abort(new Error("stopped"));
  for (const request of cut) await assert.rejects(request, NetworkError);
  assert.equal((await (await other).bytes()).toString(), "here");
  await assert.rejects(ask(stop.signal), NetworkError);
});
