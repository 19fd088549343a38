/**
 * A pump thread: hashes slabs, while the thread pool writes them. It never waits for the disk, so that several bodies
 * share it; a body's slab is given back when it is both hashed and written.
 */
import { closeSync, fdatasync, fstatSync, openSync, unlinkSync, write } from "node:fs";
import { parentPort, receiveMessageOnPort } from "node:worker_threads";
import { Md5Lanes } from "../../model/md5-lanes.ts";
import { assert } from "../../runtime/assert.ts";
import { freeMemory } from "../../runtime/owned-bytes.ts";
import { FLUSH_EVERY_BYTES } from "../limits.ts";
import { BodyDigests, type DigestOptions } from "./digests.ts";
import { tableCrcOf } from "./format.ts";
import type { FromPump, Slab, ToPump } from "./pump-messages.ts";

assert(parentPort !== null, "runs as a worker thread");
const port = parentPort;
const say = (message: FromPump): void => port.postMessage(message);
const bodies = new Map<number, Body>();
const lanes = new Md5Lanes();

/** All that has come is looked at in one turn, so that the slabs of several bodies are hashed together. */
port.on("message", (message: ToPump) => {
  for (let next: ToPump | undefined = message; next !== undefined; next = nextMessage()) hear(next);
  lanes.run();
});

function nextMessage(): ToPump | undefined {
  return receiveMessageOnPort(port)?.message as ToPump | undefined;
}

function hear(message: ToPump): void {
  if (message.kind === "open") {
    bodies.set(message.body, new Body(message.body, message.path, message.options));
    return;
  }
  const body = bodies.get(message.body);
  assert(body !== undefined, "messages follow an open");
  if (message.kind === "slab") body.take(message.slab);
  else if (message.kind === "end") body.end();
  else body.abort();
}

/** One body on its way to its file. After a failure, told once, what follows is dropped until the abort. */
class Body {
  readonly #id: number;
  readonly #path: string;
  readonly #digests: BodyDigests;
  #fd: number | undefined;
  #failed = false;
  #position = 0;
  /** Writes and syncs in the thread pool: the file is not closed under them. */
  #running = 0;
  #whenQuiet: (() => void) | undefined;
  #unflushed = 0;
  #flushing = false;

  constructor(id: number, path: string, options: DigestOptions) {
    this.#id = id;
    this.#path = path;
    this.#digests = new BodyDigests(options, () => lanes.stream());
    this.#attempt(() => (this.#fd = openSync(path, "wx", 0o600)));
  }

  take(slab: Slab): void {
    const freed = (): void => say({ kind: "freed", body: this.#id, slab: slab.number });
    if (this.#failed) return freed();
    const bytes = new Uint8Array(slab.memory, 0, slab.length);
    if (this.#digests.seals) this.#seal(bytes, freed);
    else {
      // The write ends in a later turn, so the hashes are done before the slab is given back.
      this.#write(bytes, freed);
      this.#attempt(() => this.#digests.update(bytes));
    }
    this.#unflushed += slab.length;
    if (this.#unflushed >= FLUSH_EVERY_BYTES && !this.#flushing) this.#flush();
  }

  /** The slab is given back when its sealed bytes are written, which bounds those as well. */
  #seal(bytes: Uint8Array, freed: () => void): void {
    this.#attempt(() => {
      const sealed = this.#digests.update(bytes);
      this.#write(sealed, () => {
        freeMemory(sealed);
        freed();
      });
    });
    if (this.#failed) freed();
  }

  end(): void {
    if (this.#failed) return;
    const { tail, ...result } = this.#digests.finish();
    this.#write(tail, () => undefined);
    this.#quiet(() => {
      if (this.#failed) return;
      fdatasync(this.#fd as number, (error) => {
        this.#attempt(() => {
          if (error !== null) throw error;
          const { mtimeNs } = fstatSync(this.#fd as number, { bigint: true });
          this.#close();
          bodies.delete(this.#id);
          say({
            kind: "done",
            body: this.#id,
            file: { ...result, stamp: String(mtimeNs), tableCrc: tableCrcOf(tail) },
          });
        });
      });
    });
  }

  abort(): void {
    this.#failed = true;
    this.#quiet(() => {
      try {
        const made = this.#fd !== undefined;
        this.#close();
        if (made) unlinkSync(this.#path);
      } catch {
        // What stays behind is garbage in the staging directory, which is emptied later.
      }
      bodies.delete(this.#id);
      say({ kind: "aborted", body: this.#id });
    });
  }

  /** Appends `bytes`, which must stay as they are until `done`; hashing goes on meanwhile. */
  #write(bytes: Uint8Array, done: () => void): void {
    const position = this.#position;
    this.#position += bytes.length;
    this.#running++;
    const from = (at: number): void => {
      write(this.#fd as number, bytes, at, bytes.length - at, position + at, (error, written) => {
        if (error === null && at + written < bytes.length) return from(at + written);
        if (error !== null) this.#fail(error);
        done();
        this.#rested();
      });
    };
    from(0);
  }

  /** Starts the way to disk early: the last sync finds little to do, and dirty pages do not pile up. */
  #flush(): void {
    this.#flushing = true;
    this.#unflushed = 0;
    this.#running++;
    fdatasync(this.#fd as number, (error) => {
      if (error !== null) this.#fail(error);
      this.#flushing = false;
      this.#rested();
    });
  }

  #quiet(then: () => void): void {
    this.#whenQuiet = then;
    if (this.#running === 0) this.#settle();
  }

  #rested(): void {
    this.#running--;
    if (this.#running === 0) this.#settle();
  }

  #settle(): void {
    const then = this.#whenQuiet;
    this.#whenQuiet = undefined;
    then?.();
  }

  #attempt(step: () => void): void {
    try {
      step();
    } catch (error) {
      this.#fail(error);
    }
  }

  #fail(error: unknown): void {
    if (this.#failed) return;
    this.#failed = true;
    const { code, message } = error as NodeJS.ErrnoException;
    say({ kind: "failed", body: this.#id, code, message });
  }

  #close(): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }
}
