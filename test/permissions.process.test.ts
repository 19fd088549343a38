/**
 * Who may do what, asked from outside of two processes that share a port: each user holds one right and tries every
 * call; what changes holds for the next request, whichever process gets it; policies that were made to hurt.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { AdminClient } from "../src/client/admin-client.ts";
import { AdminError } from "../src/client/errors.ts";
import { cleanUp, ROOT_SECRET, ROOT_USER, startServer, type RunningServer } from "./support/server.ts";
import { exchange, type WireRequest } from "./support/wire.ts";

const SECRET = "a secret of users";
/** Fresh connections: with this many, both processes have surely had one. */
const CONNECTIONS = 12;

let server: RunningServer;
let admin: AdminClient;

before(async () => {
  server = await startServer({ workers: 2 });
  admin = new AdminClient({ url: server.url, accessKey: ROOT_USER, secretKey: ROOT_SECRET });
  await exchange(server.port, { method: "PUT", path: "/bucket" });
  await exchange(server.port, { method: "PUT", path: "/bucket", query: "versioning=", body: VERSIONING });
  await exchange(server.port, { method: "PUT", path: "/bucket/k", body: "x" });
});
after(async () => {
  await admin.close();
  await cleanUp();
});

const VERSIONING = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
const TAGGING = "<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>";
const allow = (Action: readonly string[], Resource = "arn:aws:s3:::*"): string =>
  JSON.stringify({
    Version: "2012-10-17",
    Statement: [{ Effect: "Allow", Action, ...(Action[0]?.startsWith("s3:") && { Resource: [Resource] }) }],
  });

async function addUser(accessKey: string): Promise<void> {
  const body = Buffer.from(JSON.stringify({ secretKey: SECRET, status: "enabled" }));
  await admin.call({ method: "PUT", path: "add-user", query: { accessKey }, body, sealed: true });
}

const addPolicy = (name: string, text: string): Promise<Buffer> =>
  admin.call({ method: "PUT", path: "add-canned-policy", query: { name }, body: Buffer.from(text) });

const setPolicy = (user: string, policyName: string): Promise<Buffer> =>
  admin.call({
    method: "PUT",
    path: "set-user-or-group-policy",
    query: { policyName, userOrGroup: user, isGroup: "false" },
  });

interface Call extends WireRequest {
  readonly name: string;
  /** Each of them alone is enough. */
  readonly rights: readonly string[];
}

const s3 = (right: string, method: string, path: string, query?: string, body?: string): Call => ({
  name: `${method} ${path}?${query ?? ""}`,
  rights: [right],
  method,
  path,
  query,
  body,
});
const v3 = (right: string, path: string, query = ""): Call => ({
  ...s3(right, "GET", `/minio/admin/v3/${path}`, query),
});

/** None of them changes what another one needs. */
const CALLS: readonly Call[] = [
  s3("s3:GetObject", "GET", "/bucket/k"),
  s3("s3:GetObject", "HEAD", "/bucket/k"),
  s3("s3:PutObject", "PUT", "/bucket/new", undefined, "x"),
  s3("s3:PutObject", "POST", "/bucket/parts", "uploads="),
  s3("s3:DeleteObject", "DELETE", "/bucket/gone"),
  s3("s3:GetObjectTagging", "GET", "/bucket/k", "tagging="),
  s3("s3:PutObjectTagging", "PUT", "/bucket/k", "tagging=", TAGGING),
  s3("s3:DeleteObjectTagging", "DELETE", "/bucket/k", "tagging="),
  s3("s3:ListBucket", "GET", "/bucket", "list-type=2"),
  { ...s3("s3:ListBucketVersions", "GET", "/bucket", "versions="), rights: ["s3:ListBucketVersions", "s3:ListBucket"] },
  s3("s3:ListBucketMultipartUploads", "GET", "/bucket", "uploads="),
  s3("s3:GetBucketLocation", "GET", "/bucket", "location="),
  s3("s3:GetBucketVersioning", "GET", "/bucket", "versioning="),
  s3("s3:PutBucketVersioning", "PUT", "/bucket", "versioning=", VERSIONING),
  s3("s3:GetBucketTagging", "GET", "/bucket", "tagging="),
  s3("s3:PutBucketTagging", "PUT", "/bucket", "tagging=", TAGGING),
  s3("s3:GetBucketPolicy", "GET", "/bucket", "policy="),
  s3("s3:DeleteBucketPolicy", "DELETE", "/bucket", "policy="),
  s3("s3:GetReplicationConfiguration", "GET", "/bucket", "replication="),
  s3("s3:CreateBucket", "PUT", "/another"),
  s3("s3:DeleteBucket", "DELETE", "/bucket"),
  v3("admin:ServerInfo", "info"),
  v3("admin:StorageInfo", "storageinfo"),
  v3("admin:DataUsageInfo", "datausageinfo"),
  v3("admin:ListUsers", "list-users"),
  v3("admin:GetUser", "user-info", "accessKey=user-0"),
  v3("admin:ListGroups", "groups"),
  v3("admin:GetPolicy", "info-canned-policy", "name=readonly"),
  v3("admin:ListUserPolicies", "list-canned-policies"),
  v3("admin:ConfigUpdate", "get-config-kv", "key=api"),
  v3("admin:GetBucketQuota", "get-bucket-quota", "bucket=bucket"),
  v3("admin:GetBucketTarget", "list-remote-targets", "bucket=bucket&type="),
  v3("admin:ExportIAM", "export-iam"),
  v3("admin:ExportBucketMetadata", "export-bucket-metadata", "bucket=bucket"),
  v3("admin:TopLocksInfo", "top/locks"),
  v3("admin:SiteReplicationInfo", "site-replication/info"),
];

const RIGHTS = [...new Set(CALLS.flatMap(({ rights }) => rights))];

async function denied(call: WireRequest, accessKey: string): Promise<boolean> {
  const answer = await exchange(server.port, { ...call, credentials: { accessKey, secretKey: SECRET } });
  assert.ok(answer.status > 0 && answer.status < 500, `${call.method} ${call.path}: ${answer.status}`);
  if (answer.status !== 403) return false;
  const code = answer.code || (JSON.parse(answer.body.toString() || "{}") as { Code?: string }).Code;
  assert.equal(code ?? "AccessDenied", "AccessDenied", `${call.path} as ${accessKey}`);
  return true;
}

test("each right opens its own calls and no others", async () => {
  for (const [index, right] of RIGHTS.entries()) {
    await addUser(`user-${index}`);
    await addPolicy(`only-${index}`, allow([right]));
    await setPolicy(`user-${index}`, `only-${index}`);
  }
  for (const [index, right] of RIGHTS.entries()) {
    // What a user may ask about itself is no right over others.
    const calls = index === 0 ? CALLS.filter(({ path }) => !path.endsWith("user-info")) : CALLS;
    const open: string[] = [];
    for (const call of calls) if (!(await denied(call, `user-${index}`))) open.push(call.name);
    const expected = calls.filter(({ rights }) => rights.includes(right)).map(({ name }) => name);
    assert.deepEqual(open, expected, right);
  }
});

/** The same answer on enough fresh connections that every process gave one. */
async function everywhere(call: WireRequest, accessKey: string, status: number, why: string): Promise<void> {
  for (let i = 0; i < CONNECTIONS; i++) {
    const answer = await exchange(server.port, { ...call, credentials: { accessKey, secretKey: SECRET } });
    assert.equal(answer.status, status, `${why}, connection ${i}`);
  }
}

test("every change holds for the next request, in every process", async () => {
  const read: WireRequest = { path: "/bucket/k" };
  const group = (members: readonly string[], isRemove: boolean): Promise<Buffer> =>
    admin.call({
      method: "PUT",
      path: "update-group-members",
      body: Buffer.from(JSON.stringify({ group: "readers", members, isRemove, groupStatus: "" })),
    });
  const status = (to: string): Promise<Buffer> =>
    admin.call({ method: "PUT", path: "set-user-status", query: { accessKey: "mover", status: to } });
  await addUser("mover");
  await everywhere(read, "mover", 403, "no policy");
  await addPolicy("moving", allow(["s3:GetObject"]));
  await setPolicy("mover", "moving");
  await everywhere(read, "mover", 200, "mapped");
  await addPolicy("moving", allow(["s3:GetObject"], "arn:aws:s3:::elsewhere/*"));
  await everywhere(read, "mover", 403, "the policy's text changed");
  await setPolicy("mover", "");
  await group(["mover"], false);
  const toGroup = { policyName: "readonly", userOrGroup: "readers", isGroup: "true" };
  await admin.call({ method: "PUT", path: "set-user-or-group-policy", query: toGroup });
  await everywhere(read, "mover", 200, "through a group");
  await status("disabled");
  await everywhere(read, "mover", 403, "disabled");
  await status("enabled");
  await everywhere(read, "mover", 200, "enabled");
  await group(["mover"], true);
  await everywhere(read, "mover", 403, "out of the group");
  const policy = {
    Version: "2012-10-17",
    Statement: [
      { Effect: "Allow", Principal: "*", Action: ["s3:GetObject"], Resource: ["arn:aws:s3:::bucket/*"] },
      { Effect: "Deny", Principal: { AWS: ["nobody"] }, Action: ["s3:GetObject"], Resource: ["arn:aws:s3:::bucket/*"] },
    ],
  };
  await exchange(server.port, { method: "PUT", path: "/bucket", query: "policy=", body: JSON.stringify(policy) });
  await everywhere(read, "mover", 200, "bucket policy");
  await exchange(server.port, { method: "DELETE", path: "/bucket", query: "policy=" });
  await everywhere(read, "mover", 403, "no bucket policy");
  await admin.call({ method: "DELETE", path: "remove-user", query: { accessKey: "mover" } });
  await everywhere(read, "mover", 403, "removed");
});

/** Status and code of putting a policy; the server must live. */
async function outcome(text: string): Promise<string> {
  try {
    await addPolicy("hostile", text);
    return "200";
  } catch (error) {
    if (!(error instanceof AdminError)) throw error;
    return `${error.status} ${error.code}`;
  }
}

test("policies of hostile size, depth and shape are refused with a word, or do what they say", async () => {
  const statement = (fields: string): string => `{"Version":"2012-10-17","Statement":[{"Effect":"Allow",${fields}}]}`;
  const s3Statement = (resource: string, more = ""): string =>
    statement(`"Action":["s3:GetObject"],"Resource":${resource}${more}`);
  const cases: readonly (readonly [name: string, text: string, expected: string])[] = [
    ["empty object", "{}", "400 MalformedPolicy"],
    ["no statements", '{"Version":"2012-10-17","Statement":[]}', "400 XMinioMalformedIAMPolicy"],
    ["not JSON", "{", "400 XMinioMalformedIAMPolicy"],
    ["deep arrays", "[".repeat(10_000), "400 XMinioMalformedIAMPolicy"],
    ["deep statement", s3Statement(`${"[".repeat(9_000)}"x"${"]".repeat(9_000)}`), "400 XMinioMalformedIAMPolicy"],
    [
      "deep condition",
      s3Statement('"arn:aws:s3:::*"', `,"Condition":${'{"a":'.repeat(3000)}1${"}".repeat(3000)}`),
      "400 XMinioMalformedIAMPolicy",
    ],
    ["above 20 KiB", s3Statement(`"arn:aws:s3:::${"x".repeat(20_480)}"`), "400 EntityTooLarge"],
    [
      "prototype",
      statement('"__proto__":{"Action":"s3:*"},"Resource":"arn:aws:s3:::*"'),
      "400 XMinioMalformedIAMPolicy",
    ],
    [
      "unknown action",
      statement('"Action":"s3:Everything","Resource":"arn:aws:s3:::*"'),
      "400 XMinioMalformedIAMPolicy",
    ],
    ["numbers", s3Statement("[1,2]"), "400 XMinioMalformedIAMPolicy"],
    [
      "admin beside s3",
      statement('"Action":["admin:*","s3:*"],"Resource":"arn:aws:s3:::*"'),
      "400 XMinioMalformedIAMPolicy",
    ],
    ["one megabyte", s3Statement(`"arn:aws:s3:::${"x".repeat(1 << 20)}"`), "400 EntityTooLarge"],
  ];
  const found: string[] = [];
  for (const [name, text] of cases) found.push(`${name}: ${await outcome(text)}`);
  assert.deepEqual(
    found,
    cases.map(([name, , expected]) => `${name}: ${expected}`),
  );
  // As many stars as fit, against the longest key: slow matching would stall every other request.
  await addUser("starry");
  const stars = `arn:aws:s3:::bucket/${"*a".repeat(8000)}b`;
  assert.equal(await outcome(s3Statement(JSON.stringify([stars]))), "200");
  await setPolicy("starry", "hostile");
  const key = "a".repeat(1000);
  assert.equal(await denied({ path: `/bucket/${key}` }, "starry"), true);
  const many = JSON.stringify(Array.from({ length: 600 }, (_, i) => `arn:aws:s3:::b${i}/*`));
  assert.equal(await outcome(s3Statement(many)), "200");
  assert.equal(await denied({ path: "/bucket/k" }, "starry"), true);
  assert.equal((await exchange(server.port, { path: "/bucket/k" })).status, 200);
});
