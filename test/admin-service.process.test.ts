/** What the admin API does to processes: freeze and thaw all of them, stop, start anew. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { after, test } from "node:test";
import { AdminClient } from "../src/client/admin-client.ts";
import { cleanUp, ROOT_SECRET, ROOT_USER, startServer, type RunningServer } from "./support/server.ts";

after(cleanUp);

const CONNECTIONS = 24;

function adminOf(server: RunningServer): AdminClient {
  return new AdminClient({ url: server.url, accessKey: ROOT_USER, secretKey: ROOT_SECRET });
}

async function service(admin: AdminClient, action: string): Promise<void> {
  await admin.call({ method: "POST", path: "service", query: { action, type: "2" } });
}

/** One S3 request on a connection of its own, so that the kernel may hand it to any process; resolves with its answer. */
function request(server: RunningServer): { readonly answer: Promise<string>; readonly answered: () => boolean } {
  const socket = connect(server.port, "127.0.0.1");
  let text = "";
  socket.setEncoding("utf8").on("data", (piece: string) => (text += piece));
  socket.write("GET /bucket HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  return { answer: once(socket, "close").then(() => text), answered: () => text !== "" };
}

/** Resolves when the admin API answered on enough fresh connections that every process has had its turn. */
async function everyProcessAnswers(server: RunningServer): Promise<void> {
  for (let i = 0; i < CONNECTIONS; i++) {
    const one = await fetch(`${server.url}/minio/health/live`, { headers: { connection: "close" } });
    assert.equal(one.status, 200);
  }
}

test("freeze reaches every process, and thawing answers what waited", async () => {
  const server = await startServer({ workers: 2 });
  const admin = adminOf(server);
  await service(admin, "freeze");
  await everyProcessAnswers(server);
  const waiting = Array.from({ length: CONNECTIONS }, () => request(server));
  await everyProcessAnswers(server);
  assert.deepEqual(
    waiting.map((one) => one.answered()),
    waiting.map(() => false),
  );
  await service(admin, "unfreeze");
  for (const one of waiting) assert.match(await one.answer, /^HTTP\/1\.1 (403|404) /);
  await admin.close();
  assert.equal(await server.stop(), 0);
});

test("restart keeps process id, port and data; stop ends with 0, whichever process was asked", async () => {
  const server = await startServer({ workers: 2 });
  const admin = adminOf(server);
  const body = Buffer.from('{"secretKey":"long enough","status":"enabled"}');
  await admin.call({ method: "PUT", path: "add-user", query: { accessKey: "kept" }, body, sealed: true });
  const ready = once(server.process.stdout ?? assert.fail(), "data");
  await service(admin, "restart");
  assert.match(String(await ready), new RegExp(`:${server.port} `));
  const again = adminOf(server);
  assert.deepEqual(Object.keys(await again.sealedJson<object>({ method: "GET", path: "list-users" })), ["kept"]);
  const ended = once(server.process, "exit");
  await service(again, "stop");
  assert.deepEqual(await ended, [0, null]);
  await Promise.all([admin.close(), again.close()]);
});
