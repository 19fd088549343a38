/** Identities over memory, for tests of this layer and those above it. */
import type { Clock } from "../runtime/clock.ts";
import { systemClock } from "../runtime/clock.ts";
import { systemRandom } from "../runtime/random.ts";
import type { OrderedIndex } from "../storage/index/index.ts";
import { memoryIndex } from "../storage/index/memory.ts";
import { createIam } from "./identities.ts";
import type { Sealer } from "../model/sealer.ts";
import type { IamService } from "./identities.ts";

export const TEST_ROOT = { accessKey: "rootuser", secretKey: "rootsecret" } as const;

/** No encryption: a mark that shows whether something was sealed at all. */
export const markingSealer: Sealer = {
  seal: (plain) => `sealed:${Buffer.from(plain).toString("base64")}`,
  open(sealed) {
    if (!sealed.startsWith("sealed:")) throw new Error("not sealed");
    return Buffer.from(sealed.slice("sealed:".length), "base64").toString("utf8");
  },
};

export function testIam(index: OrderedIndex = memoryIndex(), clock: Clock = systemClock()): IamService {
  return createIam({ index, root: TEST_ROOT, sealer: markingSealer, clock, random: systemRandom });
}
