/** What browsers and the owner of a bucket see: CORS, public access block, ownership, ACLs. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { call, startTestPort, type Answer, type Call, type TestPort } from "./testing.ts";

let port: TestPort;
before(async () => {
  port = await startTestPort();
});
after(() => port.close());

let buckets = 0;

/** A new bucket's path. */
async function newBucket(headers: Record<string, string> = {}): Promise<string> {
  const path = `/browser-${buckets++}`;
  assert.equal((await call(port, { method: "PUT", path, headers })).status, 200);
  return path;
}

async function send(method: string, path: string, more: Partial<Call> = {}): Promise<Answer> {
  return call(port, { method, path, ...more });
}

async function put(path: string, query: string, body: string): Promise<void> {
  const answer = await send("PUT", path, { query, body });
  assert.ok(answer.status < 300, `${query}: ${answer.body}`);
}

const anonymous = { credentials: null } as const;
const CORS = (rules: string): string => `<CORSConfiguration>${rules}</CORSConfiguration>`;
const RULES = CORS(
  "<CORSRule><ID>site</ID><AllowedOrigin>https://*.example</AllowedOrigin><AllowedMethod>GET</AllowedMethod>" +
    "<AllowedMethod>PUT</AllowedMethod><AllowedHeader>x-amz-*</AllowedHeader><ExposeHeader>ETag</ExposeHeader>" +
    "<MaxAgeSeconds>60</MaxAgeSeconds></CORSRule>" +
    "<CORSRule><AllowedOrigin>*</AllowedOrigin><AllowedMethod>HEAD</AllowedMethod></CORSRule>",
);
const allowOrigin = (answer: Answer): string | undefined => answer.headers["access-control-allow-origin"];

test("without a configuration the port's own rule holds", async () => {
  const path = await newBucket();
  assert.equal((await send("GET", path, { query: "cors" })).code, "NoSuchCORSConfiguration");
  const headers = { origin: "https://any.where", "access-control-request-method": "PUT" };
  const answer = await send("OPTIONS", `${path}/k`, { ...anonymous, headers });
  assert.equal(answer.status, 204);
  assert.equal(allowOrigin(answer), "https://any.where");
  const missing = await send("OPTIONS", "/no-such-bucket-here/k", { ...anonymous, headers });
  assert.equal(missing.status, 204);
});

test("a bucket's configuration is kept as it was set, answers for its bucket, and can be removed", async () => {
  const path = await newBucket();
  await put(path, "cors", RULES);
  const read = await send("GET", path, { query: "cors" });
  assert.match(read.body, /<ID>site<\/ID><AllowedOrigin>https:\/\/\*\.example<\/AllowedOrigin>/);
  const origin = "https://a.example";
  const listed = await send("GET", path, { headers: { origin } });
  assert.equal(allowOrigin(listed), origin);
  assert.equal(listed.headers["access-control-allow-methods"], "GET, PUT");
  assert.equal(listed.headers["access-control-expose-headers"], "ETag");
  assert.equal(listed.headers["access-control-max-age"], "60");
  assert.match(listed.headers["vary"] ?? "", /Origin/);
  // Errors are for the page too, or it could not tell them from a broken line.
  const denied = await send("GET", `${path}/k`, { ...anonymous, headers: { origin } });
  assert.equal(denied.status, 403);
  assert.equal(allowOrigin(denied), origin);
  assert.equal(allowOrigin(await send("GET", path, { headers: { origin: "https://a.evil" } })), undefined);
  assert.equal(allowOrigin(await send("DELETE", `${path}/k`, { headers: { origin } })), undefined);
  const head = await send("HEAD", path, { headers: { origin: "https://b.other" } });
  assert.equal(allowOrigin(head), "*");
  assert.equal(head.headers["access-control-allow-credentials"], undefined);
  assert.equal((await send("DELETE", path, { query: "cors" })).status, 204);
  assert.equal((await send("GET", path, { query: "cors" })).status, 404);
  assert.equal(allowOrigin(await send("GET", path, { headers: { origin: "https://a.evil" } })), "https://a.evil");
});

test("a preflight is answered for what a rule allows, 403 for what none does, 400 for what is none", async () => {
  const path = await newBucket();
  await put(path, "cors", RULES);
  const ask = (headers: Record<string, string>) => send("OPTIONS", `${path}/k`, { ...anonymous, headers });
  const origin = "https://a.example";
  const good = await ask({
    origin,
    "access-control-request-method": "PUT",
    "access-control-request-headers": "x-amz-meta-a, x-amz-date",
  });
  assert.equal(good.status, 200);
  assert.equal(allowOrigin(good), origin);
  assert.equal(good.headers["access-control-allow-methods"], "GET, PUT");
  assert.equal(good.headers["access-control-allow-headers"], "x-amz-meta-a, x-amz-date");
  assert.match(good.headers["vary"] ?? "", /Origin.*Access-Control-Request-Headers/);
  for (const headers of [
    { origin, "access-control-request-method": "DELETE" },
    { origin: "https://a.evil", "access-control-request-method": "PUT" },
    { origin, "access-control-request-method": "PUT", "access-control-request-headers": "authorization" },
  ]) {
    const refused = await ask(headers);
    assert.deepEqual([refused.status, refused.code, allowOrigin(refused)], [403, "AccessForbidden", undefined]);
  }
  for (const headers of [{ origin }, { "access-control-request-method": "PUT" }] as Record<string, string>[]) {
    assert.equal((await ask(headers)).status, 400);
  }
});

const policyFor = (path: string, principal: unknown): string =>
  JSON.stringify({
    Version: "2012-10-17",
    Statement: [
      { Effect: "Allow", Principal: principal, Action: "s3:GetObject", Resource: `arn:aws:s3:::${path.slice(1)}/*` },
    ],
  });
const BLOCK = (on: string): string =>
  `<PublicAccessBlockConfiguration><${on}>true</${on}></PublicAccessBlockConfiguration>`;

test("a public access block refuses public policies, or takes their effect away", async () => {
  const path = await newBucket();
  assert.equal((await send("GET", path, { query: "publicAccessBlock" })).code, "NoSuchPublicAccessBlockConfiguration");
  await send("PUT", `${path}/k`, { body: "text" });
  await put(path, "publicAccessBlock", BLOCK("BlockPublicPolicy"));
  const read = await send("GET", path, { query: "publicAccessBlock" });
  assert.match(read.body, /<BlockPublicAcls>false<.*<BlockPublicPolicy>true<.*<RestrictPublicBuckets>false</);
  const refused = await send("PUT", path, { query: "policy", body: policyFor(path, "*") });
  assert.deepEqual([refused.status, refused.code], [403, "AccessDenied"]);
  await put(path, "policy", policyFor(path, { AWS: "alice" }));
  assert.match((await send("GET", path, { query: "policyStatus" })).body, /<IsPublic>false</);

  await put(path, "publicAccessBlock", BLOCK("RestrictPublicBuckets"));
  await put(path, "policy", policyFor(path, "*"));
  assert.match((await send("GET", path, { query: "policyStatus" })).body, /<IsPublic>true</);
  assert.equal((await send("GET", `${path}/k`, anonymous)).status, 403);
  assert.equal((await send("GET", `${path}/k`)).status, 200);
  assert.equal((await send("DELETE", path, { query: "publicAccessBlock" })).status, 204);
  assert.equal((await send("GET", `${path}/k`, anonymous)).status, 200);
});

test("ownership: the one kind can be set, read and removed; kinds that make ACLs count are refused", async () => {
  const path = await newBucket();
  const query = "ownershipControls";
  const rule = (kind: string): string =>
    `<OwnershipControls><Rule><ObjectOwnership>${kind}</ObjectOwnership></Rule></OwnershipControls>`;
  assert.equal((await send("GET", path, { query })).code, "OwnershipControlsNotFoundError");
  await put(path, query, rule("BucketOwnerEnforced"));
  assert.match((await send("GET", path, { query })).body, /<Rule><ObjectOwnership>BucketOwnerEnforced</);
  assert.equal((await send("PUT", path, { query, body: rule("ObjectWriter") })).status, 501);
  assert.equal((await send("PUT", path, { query, body: rule("Everybody") })).code, "MalformedXML");
  assert.equal((await send("DELETE", path, { query })).status, 204);
  assert.equal((await send("DELETE", path, { query })).status, 204);
  assert.equal((await send("GET", path, { query })).status, 404);
});

const OWNER = "02d6176db174dc93cb1b899f7c6078f08654445fe8cf1b6ce98d8855f66bdbf4";
const ACL = (grants: string): string =>
  `<AccessControlPolicy><AccessControlList>${grants}</AccessControlList></AccessControlPolicy>`;
const GRANT = (grantee: string, permission: string): string =>
  `<Grant><Grantee>${grantee}</Grantee><Permission>${permission}</Permission></Grant>`;

test("ACLs: what holds anyway can be set, nothing else; a bucket may insist", async () => {
  const path = await newBucket();
  const acl = (headers: Record<string, string>, body = "") => send("PUT", path, { query: "acl", headers, body });
  const everyone = GRANT("<URI>http://acs.amazonaws.com/groups/global/AllUsers</URI>", "FULL_CONTROL");
  const owner = GRANT(`<ID>${OWNER}</ID>`, "FULL_CONTROL");
  for (const canned of ["private", "bucket-owner-full-control"])
    assert.equal((await acl({ "x-amz-acl": canned })).status, 200);
  assert.equal((await acl({ "x-amz-grant-full-control": `id="${OWNER}"` })).status, 200);
  assert.equal((await acl({}, ACL(owner))).status, 200);
  assert.equal((await acl({ "x-amz-acl": "public-read" })).status, 501);
  assert.equal((await acl({ "x-amz-grant-read": `id="${OWNER.replace("0", "1")}"` })).status, 501);
  assert.equal((await acl({ "x-amz-acl": "public" })).code, "InvalidArgument");
  assert.equal((await acl({}, ACL(owner + everyone))).status, 501);
  assert.equal((await acl({}, ACL(owner + GRANT(`<ID>${OWNER}</ID>`, "READ")))).status, 501);
  await put(path, "publicAccessBlock", BLOCK("BlockPublicAcls"));
  assert.equal((await acl({ "x-amz-acl": "public-read" })).code, "AccessDenied");
  assert.equal((await acl({}, ACL(everyone))).code, "AccessDenied");
  await send("DELETE", path, { query: "publicAccessBlock" });
  await put(
    path,
    "ownershipControls",
    "<OwnershipControls><Rule><ObjectOwnership>BucketOwnerEnforced</ObjectOwnership></Rule></OwnershipControls>",
  );
  assert.equal((await acl({ "x-amz-acl": "public-read" })).code, "AccessControlListNotSupported");
  assert.equal((await acl({ "x-amz-acl": "bucket-owner-full-control" })).status, 200);
  assert.match((await send("GET", path, { query: "acl" })).body, new RegExp(`<ID>${OWNER}</ID>.*FULL_CONTROL`));
});
