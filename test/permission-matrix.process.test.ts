/**
 * Dozens of callers with chance policies, groups, access keys, sessions and bucket policies against every kind of call,
 * on two processes; what each may do is worked out here a second time, as plainly as possible. `CRASH_SEED` replays a run,
 * `MATRIX_USERS` makes it wider.
 */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, before, test } from "node:test";
import { AdminClient } from "../src/client/admin-client.ts";
import { signRequest } from "../src/protocol/sigv4-sign.ts";
import { dice, seedOf, setting, type Dice } from "./support/random.ts";
import { cleanUp, ROOT_SECRET, ROOT_USER, startServer, type RunningServer } from "./support/server.ts";
import { exchange, type WireRequest } from "./support/wire.ts";

const SECRET = "a secret of users";
const BUCKETS = ["m-one", "m-two"] as const;
const USERS = setting("MATRIX_USERS", 16);
const VERSIONING = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
const TAGGING = "<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>";

let server: RunningServer;
let admin: AdminClient;

before(async () => {
  server = await startServer({ workers: 2 });
  admin = new AdminClient({ url: server.url, accessKey: ROOT_USER, secretKey: ROOT_SECRET });
  for (const bucket of BUCKETS) {
    await exchange(server.port, { method: "PUT", path: `/${bucket}` });
    await exchange(server.port, { method: "PUT", path: `/${bucket}`, query: "versioning=", body: VERSIONING });
    await exchange(server.port, { method: "PUT", path: `/${bucket}/k`, body: "x" });
  }
});
after(async () => {
  await admin.close();
  await cleanUp();
});

interface Statement {
  readonly effect: "Allow" | "Deny";
  /** Names with `*`. */
  readonly actions: readonly string[];
  /** Absent: every bucket. */
  readonly bucket?: string | undefined;
}

type Policy = readonly Statement[];

interface Op {
  readonly request: WireRequest;
  /** Any of them opens it; a Deny of the first always closes it. */
  readonly right: string;
  /** Absent: an admin call. */
  readonly bucket?: string | undefined;
}

/** None of them changes what another one needs. */
function opsOf(bucket: string): Op[] {
  const s3 = (right: string, method: string, path: string, query?: string, body?: string): Op => ({
    request: { method, path: `/${bucket}${path}`, query, body },
    right,
    bucket,
  });
  return [
    s3("s3:GetObject", "GET", "/k"),
    s3("s3:GetObject", "HEAD", "/k"),
    s3("s3:PutObject", "PUT", "/new", undefined, "x"),
    s3("s3:PutObject", "POST", "/parts", "uploads="),
    s3("s3:DeleteObject", "DELETE", "/gone"),
    s3("s3:GetObjectTagging", "GET", "/k", "tagging="),
    s3("s3:PutObjectTagging", "PUT", "/k", "tagging=", TAGGING),
    s3("s3:DeleteObjectTagging", "DELETE", "/k", "tagging="),
    s3("s3:ListBucket", "GET", "", "list-type=2"),
    s3("s3:ListBucketVersions", "GET", "", "versions="),
    s3("s3:ListBucketMultipartUploads", "GET", "", "uploads="),
    s3("s3:GetBucketLocation", "GET", "", "location="),
    s3("s3:GetBucketVersioning", "GET", "", "versioning="),
    s3("s3:PutBucketVersioning", "PUT", "", "versioning=", VERSIONING),
    s3("s3:GetBucketTagging", "GET", "", "tagging="),
    s3("s3:PutBucketTagging", "PUT", "", "tagging=", TAGGING),
    s3("s3:GetReplicationConfiguration", "GET", "", "replication="),
    s3("s3:GetLifecycleConfiguration", "GET", "", "lifecycle="),
    s3("s3:PutLifecycleConfiguration", "DELETE", "", "lifecycle="),
    s3("s3:GetEncryptionConfiguration", "GET", "", "encryption="),
    s3("s3:GetBucketObjectLockConfiguration", "GET", "", "object-lock="),
    s3("s3:GetBucketNotification", "GET", "", "notification="),
    s3("s3:GetBucketCors", "GET", "", "cors="),
    s3("s3:GetBucketPolicy", "GET", "", "policy="),
  ];
}

const v3 = (right: string, path: string, query = ""): Op => ({
  request: { method: "GET", path: `/minio/admin/v3/${path}`, query },
  right,
});
const ADMIN_OPS: readonly Op[] = [
  v3("admin:ServerInfo", "info"),
  v3("admin:StorageInfo", "storageinfo"),
  v3("admin:ListUsers", "list-users"),
  v3("admin:ListGroups", "groups"),
  v3("admin:GetPolicy", "info-canned-policy", "name=readonly"),
  v3("admin:ListUserPolicies", "list-canned-policies"),
  v3("admin:ConfigUpdate", "get-config-kv", "key=api"),
  v3("admin:GetBucketQuota", "get-bucket-quota", "bucket=m-one"),
  v3("admin:GetBucketTarget", "list-remote-targets", "bucket=m-one&type="),
  v3("admin:ExportIAM", "export-iam"),
  v3("admin:TopLocksInfo", "top/locks"),
];
const OPS = [...BUCKETS.flatMap(opsOf), ...ADMIN_OPS];

const S3_PATTERNS = [
  ...new Set(OPS.filter(({ bucket }) => bucket !== undefined).map(({ right }) => right)),
  "s3:*",
  "s3:Get*",
  "s3:List*",
  "s3:*Object",
  "s3:*Tagging",
  "s3:GetBucket?*",
];
const ADMIN_PATTERNS = [...ADMIN_OPS.map(({ right }) => right), "admin:*"];

function chancePolicy(chance: Dice): Policy {
  const statement = (): Statement => {
    const effect = chance.oneIn(3) ? "Deny" : "Allow";
    const many = 1 + chance.below(4);
    const pick = (from: readonly string[]): string[] => Array.from({ length: many }, () => chance.pick(from));
    if (chance.oneIn(4)) return { effect, actions: pick(ADMIN_PATTERNS) };
    const actions = pick(S3_PATTERNS);
    return chance.oneIn(2) ? { effect, actions } : { effect, actions, bucket: chance.pick(BUCKETS) };
  };
  return Array.from({ length: 1 + chance.below(3) }, statement);
}

function documentOf(policy: Policy, principal?: object | string): string {
  const Statement = policy.map(({ effect, actions, bucket }) => {
    const s3 = actions[0]?.startsWith("s3:") === true;
    const resource = bucket === undefined ? ["arn:aws:s3:::*"] : [`arn:aws:s3:::${bucket}`, `arn:aws:s3:::${bucket}/*`];
    return {
      Effect: effect,
      ...(principal !== undefined && { Principal: principal }),
      Action: actions,
      ...(s3 && { Resource: resource }),
    };
  });
  return JSON.stringify({ Version: "2012-10-17", Statement });
}

interface Caller {
  readonly name: string;
  readonly credentials: { readonly accessKey: string; readonly secretKey: string } | null;
  readonly token?: string | undefined;
  /** Its user; empty: nobody. */
  readonly user: string;
  readonly enabled: boolean;
  readonly policies: readonly Policy[];
  /** Of an access key or session: what it is limited to. */
  readonly limit?: Policy | undefined;
}

interface BucketPolicy {
  readonly bucket: string;
  /** `*`, or a user. */
  readonly principal: string;
  readonly statements: Policy;
}

// The second reading of policies: texts and loops, nothing shared with the server.

function matches(pattern: string, action: string): boolean {
  const source = pattern.replaceAll("*", ".*").replaceAll("?", ".");
  return new RegExp(`^${source}$`).test(action);
}

function has(policies: readonly Policy[], effect: string, right: string, bucket: string | undefined): boolean {
  return policies.some((policy) =>
    policy.some(
      (one) =>
        one.effect === effect &&
        (one.bucket === undefined || one.bucket === bucket) &&
        one.actions.some((pattern) => matches(pattern, right)),
    ),
  );
}

/** What policies taken together say. Whoever may list a bucket may list its versions, unless they speak of those by name. */
function verdict(policies: readonly Policy[], right: string, bucket: string | undefined): "deny" | "allow" | "none" {
  if (has(policies, "Deny", right, bucket)) return "deny";
  if (has(policies, "Allow", right, bucket)) return "allow";
  return right === "s3:ListBucketVersions" ? verdict(policies, "s3:ListBucket", bucket) : "none";
}

function may(caller: Caller, op: Op, rule: BucketPolicy | undefined): boolean {
  if (!caller.enabled) return false;
  const concerned = rule !== undefined && rule.bucket === op.bucket && ["*", caller.user].includes(rule.principal);
  const fromBucket = concerned ? [rule.statements] : [];
  const said = [verdict(caller.policies, op.right, op.bucket), verdict(fromBucket, op.right, op.bucket)];
  if (said.includes("deny") || !said.includes("allow")) return false;
  return caller.limit === undefined || verdict([caller.limit], op.right, op.bucket) === "allow";
}

// The server's side.

const put = (path: string, query: Record<string, string>, body: string, sealed = false): Promise<Buffer> =>
  admin.call({ method: "PUT", path, query, body: Buffer.from(body), sealed });

const mapPolicies = (name: string, policies: readonly string[], isGroup = false): Promise<Buffer> =>
  put("set-user-or-group-policy", { policyName: policies.join(","), userOrGroup: name, isGroup: String(isGroup) }, "");

/** STS credentials of a user. */
async function assumeRole(user: string, policy: Policy | undefined): Promise<Pick<Caller, "credentials" | "token">> {
  const fields = { Action: "AssumeRole", Version: "2011-06-15", ...(policy && { Policy: documentOf(policy) }) };
  const body = new URLSearchParams(fields as Record<string, string>).toString();
  const signed = signRequest({
    method: "POST",
    path: "/",
    query: "",
    headers: { host: `127.0.0.1:${server.port}`, "content-type": "application/x-www-form-urlencoded" },
    payloadHash: createHash("sha256").update(body).digest("hex"),
    accessKey: user,
    secretKey: SECRET,
    region: "us-east-1",
    service: "sts",
    nowMs: Date.now(),
  });
  const { host: _host, ...headers } = signed;
  const response = await fetch(`${server.url}/`, { method: "POST", headers, body });
  const text = await response.text();
  const value = (name: string): string => new RegExp(`<${name}>([^<]*)</${name}>`).exec(text)?.[1] ?? assert.fail(text);
  return {
    credentials: { accessKey: value("AccessKeyId"), secretKey: value("SecretAccessKey") },
    token: value("SessionToken"),
  };
}

async function makeCallers(chance: Dice): Promise<Caller[]> {
  const policies = Array.from({ length: 20 }, () => chancePolicy(chance));
  for (const [i, policy] of policies.entries()) await put("add-canned-policy", { name: `p${i}` }, documentOf(policy));
  const anyPolicies = (max: number): number[] =>
    Array.from({ length: chance.below(max + 1) }, () => chance.below(policies.length));
  const groups = Array.from({ length: 5 }, (_, i) => ({
    name: `g${i}`,
    policies: anyPolicies(2),
    enabled: i > 0,
    members: [] as string[],
  }));
  const users = Array.from({ length: USERS }, (_, i) => {
    const inGroups = groups.filter(() => chance.oneIn(6));
    for (const group of inGroups) group.members.push(`user${i}`);
    return { name: `user${i}`, own: anyPolicies(3), groups: inGroups, enabled: !chance.oneIn(8) };
  });
  const status = (on: boolean): string => (on ? "enabled" : "disabled");
  for (const { name } of users)
    await put("add-user", { accessKey: name }, JSON.stringify({ secretKey: SECRET, status: "enabled" }), true);
  for (const { name, own } of users)
    await mapPolicies(
      name,
      own.map((i) => `p${i}`),
    );
  for (const group of groups) {
    const { name, members, enabled } = group;
    if (members.length === 0) continue;
    await put("update-group-members", {}, JSON.stringify({ group: name, members, isRemove: false, groupStatus: "" }));
    await mapPolicies(
      name,
      group.policies.map((i) => `p${i}`),
      true,
    );
    await put("set-group-status", { group: name, status: status(enabled) }, "");
  }
  const callers: Caller[] = [{ name: "nobody", credentials: null, user: "", enabled: true, policies: [] }];
  for (const user of users) {
    const given = user.groups.some(({ enabled }) => !enabled)
      ? []
      : [...user.own, ...user.groups.flatMap((group) => group.policies)].flatMap((i) => policies[i] ?? []);
    const base = { user: user.name, enabled: user.enabled, policies: [given] };
    callers.push({ ...base, name: user.name, credentials: { accessKey: user.name, secretKey: SECRET } });
    const limit = chance.oneIn(3) ? undefined : chancePolicy(chance);
    if (chance.oneIn(2)) {
      const accessKey = `key-of-${user.name}`;
      const policy = limit === undefined ? {} : { policy: JSON.parse(documentOf(limit)) as object };
      const asked = { targetUser: user.name, accessKey, secretKey: SECRET, ...policy };
      await put("add-service-account", {}, JSON.stringify(asked), true);
      callers.push({ ...base, limit, name: accessKey, credentials: { accessKey, secretKey: SECRET } });
    } else callers.push({ ...base, limit, name: `session of ${user.name}`, ...(await assumeRole(user.name, limit)) });
  }
  for (const { name, enabled } of users)
    if (!enabled) await put("set-user-status", { accessKey: name, status: "disabled" }, "");
  return callers;
}

async function setBucketPolicy(rule: BucketPolicy | undefined): Promise<void> {
  for (const bucket of BUCKETS) await exchange(server.port, { method: "DELETE", path: `/${bucket}`, query: "policy=" });
  if (rule === undefined) return;
  const principal = rule.principal === "*" ? "*" : { AWS: [rule.principal] };
  const body = documentOf(rule.statements, principal);
  const answer = await exchange(server.port, { method: "PUT", path: `/${rule.bucket}`, query: "policy=", body });
  assert.ok(answer.status < 300, `${answer.code}: ${body}`);
}

async function isOpen(caller: Caller, { request }: Op): Promise<boolean> {
  const headers = caller.token === undefined ? {} : { "x-amz-security-token": caller.token };
  const length = caller.credentials === null && request.body === undefined ? { contentLength: 0 } : {};
  const answer = await exchange(server.port, { ...request, ...length, headers, credentials: caller.credentials });
  assert.ok(answer.status > 0 && answer.status < 500, `${request.method} ${request.path}: ${answer.status}`);
  return answer.status !== 403;
}

test("every caller may do what its policies say, and nothing else", async () => {
  const seed = seedOf("permission matrix");
  const chance = dice(seed);
  const callers = await makeCallers(chance);
  const bucketStatements = (bucket: string, effect: Statement["effect"]): Policy => [
    { effect, bucket, actions: Array.from({ length: 3 }, () => chance.pick(S3_PATTERNS)) },
  ];
  const rules: (BucketPolicy | undefined)[] = [
    undefined,
    { bucket: "m-one", principal: "*", statements: bucketStatements("m-one", "Allow") },
    { bucket: "m-two", principal: `user${chance.below(USERS)}`, statements: bucketStatements("m-two", "Allow") },
    { bucket: "m-one", principal: `user${chance.below(USERS)}`, statements: bucketStatements("m-one", "Deny") },
  ];
  let asked = 0;
  for (const rule of rules) {
    await setBucketPolicy(rule);
    const wrong: string[] = [];
    const ask = async (caller: Caller, op: Op): Promise<void> => {
      const [found, expected] = [await isOpen(caller, op), may(caller, op, rule)];
      asked++;
      if (found === expected) return;
      const { method, path, query } = op.request;
      const why = JSON.stringify({ policies: caller.policies, limit: caller.limit, rule });
      wrong.push(`${caller.name} ${method} ${path}?${query ?? ""}: ${found ? "open" : "closed"}\n  ${why}`);
    };
    // Only those who are concerned are asked again.
    const again = rule === undefined ? OPS : OPS.filter(({ bucket }) => bucket === rule.bucket);
    for (const caller of callers) await Promise.all(again.map((op) => ask(caller, op)));
    assert.deepEqual(wrong, [], `seed ${seed}`);
  }
  assert.ok(asked > callers.length * OPS.length);
});
