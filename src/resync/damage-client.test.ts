import assert from "node:assert/strict";
import { test } from "node:test";
import type { Connection } from "../replication/connections.ts";
import type { TargetRequest } from "../replication/wire.ts";
import { askDamageCheck } from "./damage-client.ts";
import type { DamageReport } from "./record.ts";

/** A peer whose answer comes in these pieces. */
function ask(...pieces: string[]): Promise<DamageReport | undefined> {
  const client = {
    bucket: "dst",
    async request({ onData }: TargetRequest) {
      for (const piece of pieces) onData?.(Buffer.from(piece));
      return { status: 200, headers: {}, body: Buffer.alloc(0) };
    },
  };
  const connection = { client, endpoint: { confirm: async () => true, resilver: "1" } } as unknown as Connection;
  const { signal } = new AbortController();
  return askDamageCheck(connection, { deep: false, prefix: "", dryRun: false, signal, onProgress: () => undefined });
}

const line = (examined: number, done: boolean): string =>
  `${JSON.stringify({ total: 3, examined, missing: 1, corrupt: 0, done })}\n`;

test("the last line is the report", async () => {
  const [head, tail] = [line(3, true).slice(0, 7), line(3, true).slice(7)];
  const report = await ask(line(1, false), head, tail);
  assert.deepEqual(report, { total: 3, deep: false, examined: 3, missing: 1, corrupt: 0 });
});

test("an answer that ends before the check is done is none", async () => {
  await assert.rejects(ask(line(1, false)), /broke off/);
  await assert.rejects(ask(), /broke off/);
});
