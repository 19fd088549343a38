/** A bounded number of seeds; `npm run sim` runs as many as one likes. A failing seed is named with what it broke. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { runSeed } from "./scenario.ts";

const SEEDS = 60;
const PER_TEST = 10;

describe("simulated sites", () => {
  for (let first = 1; first <= SEEDS; first += PER_TEST) {
    it(`seeds ${first} to ${first + PER_TEST - 1} come to rest equal`, async () => {
      for (let seed = first; seed < first + PER_TEST; seed++) {
        const { violations } = await runSeed(String(seed), { brief: true });
        assert.deepEqual(violations, [], `node src/sim/main.ts --brief --seed ${seed} --trace`);
      }
    });
  }

  it("the same seed replays exactly", async () => {
    const [once, again] = [await runSeed("replay"), await runSeed("replay")];
    assert.equal(once.digest, again.digest);
    assert.ok(once.operations > 0);
  });
});
