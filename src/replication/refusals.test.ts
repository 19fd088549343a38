/** What a target that refuses everything, or very much, gets to see, and what it costs those versions that it takes. */
import assert from "node:assert/strict";
import { afterEach, describe, test } from "node:test";
import type { Arn } from "../model/names.ts";
import { REFUSED_IN_A_ROW, SMALL_IN_FLIGHT_MAX, TRIES_AT_ONCE_MAX } from "./limits.ts";
import { pendingWork } from "./log.ts";
import type { FakeTarget } from "./testing/fake-target.ts";
import { runScheduler, type RunningScheduler } from "./testing/running.ts";
import { eachWithTarget, replicateTo, until, type TestSite } from "./testing/site.ts";

describe("a target that refuses", { timeout: 60_000 }, () => {
  let site: TestSite;
  let fake: FakeTarget;
  let arn: Arn;
  let running: RunningScheduler;
  const warnings: string[] = [];

  eachWithTarget(async (made) => {
    ({ site, fake } = made);
    arn = await replicateTo(site, fake);
    running = runScheduler(site, (message, error) => warnings.push(`${message}: ${String(error)}`));
    return () => running.stop();
  });
  afterEach(() => {
    assert.deepEqual(warnings.splice(0), []);
  });
  const failing = async (): Promise<number> => (await pendingWork(site.index, arn)).failing.count;

  test("everything is tried so often and no more, and has all soon after it takes one", async () => {
    const { clock } = site;
    const many = 700;
    let tries = 0;
    const tried = new Set<string>();
    fake.interfere = ({ method, key }) => {
      if (method !== "PUT") return undefined;
      tries++;
      tried.add(key);
      return { status: 403, code: "AccessDenied" };
    };
    // Time stands still: what a second allows never comes.
    const { nowMs } = clock;
    const stillMs = nowMs();
    clock.nowMs = () => stillMs;
    await Promise.all(Array.from({ length: many }, (_, i) => site.put(`k${i}`)));
    await until(async () => (await failing()) >= REFUSED_IN_A_ROW);
    await until(async () => (await failing()) === tried.size);
    const { count } = await pendingWork(site.index, arn);
    assert.equal(count, many);
    // The newest row is tried beside the others, and may have had its turn among them.
    assert.ok(tries <= REFUSED_IN_A_ROW + SMALL_IN_FLIGHT_MAX + TRIES_AT_ONCE_MAX + 1, `${tries} tries`);
    fake.interfere = () => undefined;
    clock.nowMs = nowMs;
    await until(async () => (await pendingWork(site.index, arn)).count === 0);
    assert.equal(fake.versions.length, many);
  });

  test("more rows than a target gets that can never go through do not hold up those behind them", async () => {
    fake.interfere = ({ method, key }) =>
      method === "PUT" && key.startsWith("bad") ? { status: 403, code: "AccessDenied" } : undefined;
    const many = 700;
    await Promise.all(Array.from({ length: many }, (_, i) => site.put(`bad${i}`)));
    await until(async () => (await failing()) >= REFUSED_IN_A_ROW);
    await site.put("good");
    await until(async () => fake.versions.length === 1);
    await until(async () => (await failing()) === many);
  });
});
