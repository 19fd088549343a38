/** A pump thread: hashes slabs and writes them with blocking calls; only the final sync is left to the thread pool. */
import { closeSync, fdatasync, fstatSync, openSync, unlinkSync, writeSync } from "node:fs";
import { parentPort } from "node:worker_threads";
import { assert } from "../../runtime/assert.ts";
import { BodyDigests, type Digests } from "./digests.ts";
import type { FromPump, ToPump } from "./pump-messages.ts";

interface Body {
  readonly path: string;
  readonly digests: BodyDigests;
  fd: number | undefined;
  failed: boolean;
}

assert(parentPort !== null, "runs as a worker thread");
const port = parentPort;
const bodies = new Map<number, Body>();
const say = (message: FromPump): void => port.postMessage(message);

port.on("message", (message: ToPump) => {
  if (message.kind === "open") {
    const body: Body = { path: message.path, digests: new BodyDigests(message.options), fd: undefined, failed: false };
    bodies.set(message.body, body);
    attempt(message.body, body, () => (body.fd = openSync(message.path, "wx", 0o600)));
    return;
  }
  const body = bodies.get(message.body);
  assert(body !== undefined, "messages follow an open");
  if (message.kind === "slab") {
    const bytes = new Uint8Array(message.slab, 0, message.length);
    attempt(message.body, body, () => {
      body.digests.update(bytes);
      writeAll(body, bytes);
    });
    say({ kind: "freed", body: message.body });
  } else if (message.kind === "end") {
    attempt(message.body, body, () => end(message.body, body));
  } else {
    drop(body);
    bodies.delete(message.body);
    say({ kind: "aborted", body: message.body });
  }
});

/** Runs `step` unless the body has failed; a failure is told once, what follows is dropped until the abort. */
function attempt(id: number, body: Body, step: () => void): void {
  if (body.failed) return;
  try {
    step();
  } catch (error) {
    body.failed = true;
    const { code, message } = error as NodeJS.ErrnoException;
    say({ kind: "failed", body: id, code, message });
  }
}

function writeAll(body: Body, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; ) at += writeSync(body.fd as number, bytes, at, bytes.length - at);
}

function end(id: number, body: Body): void {
  const { tail, ...result } = body.digests.finish();
  writeAll(body, tail);
  fdatasync(body.fd as number, (error) => {
    attempt(id, body, () => {
      if (error !== null) throw error;
      finish(id, body, result);
    });
  });
}

function finish(id: number, body: Body, result: Digests & { size: number }): void {
  const fd = body.fd as number;
  const { mtimeNs } = fstatSync(fd, { bigint: true });
  body.fd = undefined;
  closeSync(fd);
  bodies.delete(id);
  say({ kind: "done", body: id, file: { ...result, stamp: String(mtimeNs) } });
}

function drop(body: Body): void {
  try {
    if (body.fd === undefined) return;
    closeSync(body.fd);
    unlinkSync(body.path);
  } catch {
    // What stays behind is garbage in the staging directory, which is emptied later.
  }
}
