/** Delays between attempts: doubled up to a cap, for ever, with jitter so that many rows do not come back at once. */
import type { Random } from "../runtime/random.ts";
import { RETRY_CAP_MS, RETRY_FIRST_MS } from "./limits.ts";

const DOUBLINGS_MAX = 20;

/** Milliseconds before the attempt after `attempts` failed ones: within a quarter of the nominal delay. */
export function backoffMs(attempts: number, random: Random): number {
  const nominal = Math.min(RETRY_FIRST_MS * 2 ** Math.min(attempts, DOUBLINGS_MAX), RETRY_CAP_MS);
  const jitter = random.bytes(2).readUInt16BE(0) / 0xffff - 0.5;
  return Math.round(nominal * (1 + jitter / 2));
}
