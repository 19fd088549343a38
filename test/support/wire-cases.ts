/** Tables of raw requests and what each must be answered with. */
import assert from "node:assert/strict";
import { exchange, type WireRequest } from "./wire.ts";

/** `expected`: status and code, parted by a blank. */
export type Case = readonly [name: string, request: WireRequest | Buffer, expected: string];

/** Sends one after another and compares all of them at once. */
export async function expectAll(port: number, cases: readonly Case[]): Promise<void> {
  const found: string[] = [];
  for (const [name, request] of cases) {
    const answer = await exchange(port, request);
    found.push(`${name}: ${answer.status} ${answer.code}`.trim());
  }
  assert.deepEqual(
    found,
    cases.map(([name, , expected]) => `${name}: ${expected}`),
  );
}

/** A PUT of one byte. */
export const put = (path: string, more: Partial<WireRequest> = {}): WireRequest => ({
  method: "PUT",
  path,
  body: "x",
  ...more,
});
