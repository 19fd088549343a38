/**
 * CPU of the MD5 of bodies that come at the same time, a MiB: Node's own, one body after another, and in lanes, 256 KiB of
 * each of 1 to 8 bodies a turn, as the threads that write large uploads do it.
 */
import { createHash, randomBytes } from "node:crypto";
import { Md5Lanes } from "../src/model/md5-lanes.ts";

const PIECE_BYTES = 256 * 1024;
const MIB = 1024 * 1024;
const TURNS = 200;
const pieces = Array.from({ length: 8 }, () => randomBytes(PIECE_BYTES));

/** Milliseconds of CPU for each MiB. */
function cost(bodies: number, turn: () => void): number {
  for (let i = 0; i < TURNS / 4; i++) turn();
  const begun = process.cpuUsage();
  for (let i = 0; i < TURNS; i++) turn();
  const { user, system } = process.cpuUsage(begun);
  return (user + system) / 1000 / ((TURNS * bodies * PIECE_BYTES) / MIB);
}

const hash = createHash("md5");
const own = cost(1, () => hash.update(pieces[0] as Buffer));
process.stdout.write(`node:crypto      ${own.toFixed(2)} ms/MiB\n`);
for (const bodies of [1, 2, 4, 8]) {
  const lanes = new Md5Lanes();
  const streams = Array.from({ length: bodies }, () => lanes.stream());
  const each = cost(bodies, () => {
    for (const [i, stream] of streams.entries()) stream.update(pieces[i] as Buffer);
    lanes.run();
  });
  process.stdout.write(`lanes, ${bodies} bodies  ${each.toFixed(2)} ms/MiB  ${(each / own).toFixed(2)}\n`);
}
