/**
 * A pump thread: hashes slabs, while the thread pool writes them. It never waits for the disk, so that several bodies
 * share it; a body's slab is given back when it is both hashed and written.
 */
import { parentPort, receiveMessageOnPort } from "node:worker_threads";
import { Md5Lanes } from "../../model/md5-lanes.ts";
import { assert } from "../../runtime/assert.ts";
import { freeMemory } from "../../runtime/owned-bytes.ts";
import { BodyDigests, type DigestOptions } from "./digests.ts";
import { tableCrcOf } from "./format.ts";
import type { FromPump, Slab, ToPump } from "./pump-messages.ts";
import { StagedFile } from "./staged-file.ts";

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
  readonly #digests: BodyDigests;
  /** Undefined: it could not be made. */
  #file: StagedFile | undefined;
  #failed = false;

  constructor(id: number, path: string, options: DigestOptions) {
    this.#id = id;
    this.#digests = new BodyDigests(options, () => lanes.stream());
    this.#attempt(() => (this.#file = new StagedFile(path, (error) => this.#fail(error))));
  }

  take(slab: Slab): void {
    const freed = (): void => say({ kind: "freed", body: this.#id, slab: slab.number });
    if (this.#failed || this.#file === undefined) return freed();
    if (this.#digests.seals) return this.#seal(this.#file, slab.bytes, freed);
    // The write ends in a later turn, so the hashes are done before the slab is given back.
    this.#file.append(slab.bytes, freed);
    this.#attempt(() => this.#digests.update(slab.bytes));
  }

  /** The slab is given back when its sealed bytes are written, which bounds those as well. */
  #seal(file: StagedFile, bytes: Uint8Array, freed: () => void): void {
    this.#attempt(() => {
      const sealed = this.#digests.update(bytes);
      file.append(sealed, () => {
        freeMemory(sealed);
        freed();
      });
    });
    if (this.#failed) freed();
  }

  end(): void {
    if (this.#failed || this.#file === undefined) return;
    const { tail, ...result } = this.#digests.finish();
    this.#file.append(tail, () => undefined);
    this.#file.finish((mtimeNs) => {
      bodies.delete(this.#id);
      const file = { ...result, stamp: String(mtimeNs), tableCrc: tableCrcOf(tail) };
      say({ kind: "done", body: this.#id, file });
    });
  }

  abort(): void {
    this.#failed = true;
    const gone = (): void => {
      bodies.delete(this.#id);
      say({ kind: "aborted", body: this.#id });
    };
    if (this.#file === undefined) gone();
    else this.#file.abandon(gone);
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
}
