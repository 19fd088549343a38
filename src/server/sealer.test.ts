import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { memoryIndex } from "../storage/index/memory.ts";
import type { NamedKey } from "../storage/keyring/embedded.ts";
import { openSiteSealer } from "./sealer.ts";
import { UsageError } from "./settings.ts";

const keyOf = (name: string): NamedKey => ({ name, key: randomBytes(32) });

test("secrets stay readable when keys come, change places and go", async () => {
  const index = memoryIndex();
  const [old, fresh] = [keyOf("old"), keyOf("fresh")];
  const sealed = (await openSiteSealer(index, [])).seal("a secret");
  for (const keys of [[old], [fresh, old], [fresh], [fresh]])
    assert.equal((await openSiteSealer(index, keys)).open(sealed), "a secret");
  const refused = (error: unknown): boolean => error instanceof UsageError;
  await assert.rejects(openSiteSealer(index, [old]), refused);
  await assert.rejects(openSiteSealer(index, [keyOf("fresh")]), refused);
  await assert.rejects(openSiteSealer(index, []), refused);
});
