/** A hashing thread: takes slabs of many bodies, hashes each and writes it to its body's file. See pump.ts. */
import { writeSync } from "node:fs";
import { parentPort } from "node:worker_threads";
import { BlobEncoder } from "./format.ts";
import type { PumpReply, PumpRequest } from "./pump.ts";

interface Job {
  readonly fd: number;
  readonly encoder: BlobEncoder;
}

const jobs = new Map<number, Job>();
const views = new Map<number, Buffer>();
/** Slabs are reused; views of those that left the pool must not be kept for ever. */
const VIEWS_MAX = 256;

function writeAll(fd: number, bytes: Buffer, position: number): void {
  for (let done = 0; done < bytes.length; ) done += writeSync(fd, bytes, done, bytes.length - done, position + done);
}

function attempt(work: () => void): { message: string; code?: string | undefined } | undefined {
  try {
    work();
    return undefined;
  } catch (error) {
    const { message, code } = error as NodeJS.ErrnoException;
    return { message, code };
  }
}

function viewOf(slab: number, memory: SharedArrayBuffer): Buffer {
  const known = views.get(slab);
  if (known !== undefined) return known;
  if (views.size >= VIEWS_MAX) views.clear();
  const view = Buffer.from(memory);
  views.set(slab, view);
  return view;
}

function handle(request: PumpRequest): PumpReply | undefined {
  if (request.kind === "start") {
    jobs.set(request.job, { fd: request.fd, encoder: new BlobEncoder(request.plan) });
    return undefined;
  }
  const job = jobs.get(request.job);
  if (request.kind === "slab") {
    const bytes = viewOf(request.slab, request.memory).subarray(0, request.length);
    const error = attempt(() => {
      if (job === undefined) return;
      const position = job.encoder.size;
      job.encoder.update(bytes);
      writeAll(job.fd, bytes, position);
    });
    return { kind: "free", job: request.job, slab: request.slab, error };
  }
  jobs.delete(request.job);
  if (request.kind === "drop" || job === undefined) return undefined;
  const error = attempt(() => writeAll(job.fd, job.encoder.tail(), job.encoder.size));
  return { kind: "finished", job: request.job, size: job.encoder.size, digests: job.encoder.digests(), error };
}

parentPort?.on("message", (request: PumpRequest) => {
  const reply = handle(request);
  if (reply !== undefined) parentPort?.postMessage(reply);
});
