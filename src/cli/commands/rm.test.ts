import assert from "node:assert/strict";
import { test } from "node:test";
import { rmCommand } from "./rm.ts";
import { ok, runCommand, s3Error, type Answer, type FakeServer } from "./testing.ts";

/** Nobody may read `k`; what lists it is `listing`. */
function server(listing: Answer): FakeServer & { readonly removed: string[] } {
  const removed: string[] = [];
  return {
    calls: [],
    removed,
    admin: () => assert.fail("no admin call"),
    s3({ method }, body) {
      if (method === "HEAD") return { status: 403, body: "" };
      if (method === "GET") return listing;
      removed.push(...[...body.matchAll(/<Key>(.*?)</g)].map((found) => found[1] ?? ""));
      return ok(`<DeleteResult><Deleted><Key>k</Key></Deleted></DeleteResult>`);
    },
  };
}

const listed = (modified: string): Answer =>
  ok(
    "<ListBucketResult><IsTruncated>false</IsTruncated>" +
      `<Contents><Key>k</Key><LastModified>${modified}</LastModified><Size>1</Size></Contents></ListBucketResult>`,
  );

test("an object that may not be read goes only when it is of the age that was asked for", async () => {
  const cases: [line: string, listing: Answer, removed: string[], code: number][] = [
    ["rm a/b/k", s3Error(403, "AccessDenied"), ["k"], 0],
    ["rm --older-than 30d a/b/k", listed("2020-01-01T00:00:00.000Z"), ["k"], 0],
    ["rm --older-than 30d a/b/k", listed(new Date().toISOString()), [], 0],
    ["rm --older-than 30d a/b/k", s3Error(403, "AccessDenied"), [], 1],
    ["rm --newer-than 30d a/b/k", listed("2020-01-01T00:00:00.000Z"), [], 0],
    ["rm --older-than 30d a/b/k", ok("<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>"), [], 1],
  ];
  for (const [line, listing, removed, code] of cases) {
    const fake = server(listing);
    assert.equal((await runCommand(fake, rmCommand, line)).code, code, line);
    assert.deepEqual(fake.removed, removed, line);
  }
});
