import { randomBytes, randomUUID } from "node:crypto";

/** Randomness as a parameter, so that a seed can replay a run. */
export interface Random {
  bytes(length: number): Buffer;
  uuid(): string;
}

export const systemRandom: Random = { bytes: randomBytes, uuid: () => randomUUID() };
