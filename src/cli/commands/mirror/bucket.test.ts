import assert from "node:assert/strict";
import { test } from "node:test";
import type { S3Request } from "../../../client/s3-client.ts";
import { mirrorCommand } from "../mirror.ts";
import type { Answer, FakeServer } from "../testing.ts";
import { adminError, ok, runCommand, s3Error } from "../testing.ts";

const LOCK = "<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled></ObjectLockConfiguration>";
const EMPTY_LIST = "<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>";
/** The folder itself, as MinIO's console makes it. */
const PART_LIST =
  "<ListBucketResult><IsTruncated>false</IsTruncated><Contents><Key>part/</Key><Size>0</Size>" +
  "<LastModified>2025-01-01T00:00:00.000Z</LastModified><ETag>&quot;e&quot;</ETag></Contents></ListBucketResult>";

/** `source` exists with a lock and `policy`; other buckets do not. */
function server(policy: string | undefined): FakeServer & { readonly bodies: string[]; readonly locked: unknown[] } {
  const bodies: string[] = [];
  const locked: unknown[] = [];
  const answer = (request: S3Request, body: string): Answer => {
    const { method, bucket, query = {} } = request;
    if (method === "PUT") {
      bodies.push(body);
      if (Object.keys(query).length === 0) locked.push(request.headers?.["x-amz-bucket-object-lock-enabled"]);
      return ok();
    }
    if (bucket !== "source") return s3Error(404, "NoSuchBucket");
    if (Object.hasOwn(query, "object-lock")) return ok(LOCK);
    if (Object.hasOwn(query, "policy")) return policy === undefined ? s3Error(404, "NoSuchBucketPolicy") : ok(policy);
    return ok(query["prefix"] === "part/" ? PART_LIST : EMPTY_LIST);
  };
  const admin = (): string => {
    throw adminError(501, "NotImplemented");
  };
  return { s3: answer, admin, calls: [], bodies, locked };
}

test("with --preserve the new bucket is made with a lock, then gets lock and policy", async () => {
  const policy = JSON.stringify({ Statement: [{ Resource: ["arn:aws:s3:::source/*"] }] });
  const fake = server(policy);
  assert.equal((await runCommand(fake, mirrorCommand, "mirror -a a/source b/made")).code, 0);
  const writes = fake.calls.filter((call) => call.startsWith("PUT"));
  assert.deepEqual(writes, ["PUT /made?", "PUT /made?object-lock=", "PUT /made?policy="]);
  assert.deepEqual(fake.locked, ["true"]);
  assert.deepEqual(fake.bodies, ["", LOCK, policy.replace(":source/", ":made/")]);
});

test("without a policy, without --preserve, and for a part of a bucket nothing is taken over", async () => {
  const writes = async (line: string): Promise<string[]> => {
    const fake = server(undefined);
    assert.equal((await runCommand(fake, mirrorCommand, line)).code, 0);
    return fake.calls.filter((call) => call.startsWith("PUT"));
  };
  assert.deepEqual(await writes("mirror --preserve a/source b/made"), ["PUT /made?", "PUT /made?object-lock="]);
  assert.deepEqual(await writes("mirror a/source b/made"), ["PUT /made?"]);
  assert.deepEqual(await writes("mirror --preserve a/source/part b/made"), ["PUT /made?"]);
  assert.deepEqual(await writes("mirror --preserve --dry-run a/source b/made"), []);
});
