import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { after, before, test } from "node:test";
import { AdminClient } from "../client/admin-client.ts";
import { TEST_ROOT } from "../iam/testing.ts";
import { signRequest } from "../protocol/sigv4-sign.ts";
import { isStsRequest } from "./sts.ts";
import type { TestAdmin } from "./testing.ts";
import { testAdmin } from "./testing.ts";

let admin: TestAdmin;
before(async () => {
  admin = await testAdmin();
  await admin.iam.users.put("ann", { secretKey: "ann's secret", enabled: true });
});
after(() => admin.close());

interface Caller {
  readonly accessKey: string;
  readonly secretKey: string;
  readonly sessionToken?: string | undefined;
}

const ANN: Caller = { accessKey: "ann", secretKey: "ann's secret" };

async function sts(
  caller: Caller,
  fields: Record<string, string>,
): Promise<{ status: number; text: string; get(name: string): string }> {
  const body = new URLSearchParams({ Version: "2011-06-15", ...fields }).toString();
  const host = new URL(admin.url).host;
  const headers = { host, "content-type": "application/x-www-form-urlencoded; charset=utf-8" };
  const payloadHash = createHash("sha256").update(body).digest("hex");
  const scope = { region: "us-east-1", service: "sts", nowMs: Date.now() } as const;
  const signed = signRequest({ method: "POST", path: "/", query: "", headers, payloadHash, ...scope, ...caller });
  const { host: _host, ...rest } = signed;
  const response = await fetch(`${admin.url}/`, { method: "POST", headers: rest, body });
  const text = await response.text();
  return {
    status: response.status,
    text,
    get: (name) => new RegExp(`<${name}>([^<]*)</${name}>`).exec(text)?.[1] ?? "",
  };
}

test("AssumeRole answers credentials that open the admin API with their token only", async () => {
  const policy = JSON.stringify({
    Version: "2012-10-17",
    Statement: [{ Effect: "Allow", Action: "admin:ServerInfo" }],
  });
  const root = { accessKey: TEST_ROOT.accessKey, secretKey: TEST_ROOT.secretKey };
  const made = await sts(root, {
    Action: "AssumeRole",
    DurationSeconds: "900",
    Policy: policy,
    RoleArn: "arn:x:y:z",
    RoleSessionName: "s",
  });
  assert.equal(made.status, 200, made.text);
  assert.match(made.text, /^<\?xml[^>]*>\n<AssumeRoleResponse xmlns="https:\/\/sts.amazonaws.com\/doc\/2011-06-15\/">/);
  const keys = {
    accessKey: made.get("AccessKeyId"),
    secretKey: made.get("SecretAccessKey"),
    sessionToken: made.get("SessionToken"),
  };
  assert.ok(Math.abs(Date.parse(made.get("Expiration")) - Date.now() - 900_000) < 60_000);
  const client = new AdminClient({ url: admin.url, ...keys });
  assert.equal((await client.json<{ mode: string }>({ method: "GET", path: "info" })).mode, "online");
  await assert.rejects(client.call({ method: "GET", path: "list-users" }), { code: "AccessDenied" });
  const bare = new AdminClient({ url: admin.url, accessKey: keys.accessKey, secretKey: keys.secretKey });
  await assert.rejects(bare.call({ method: "GET", path: "info" }), { code: "InvalidTokenId" });
  const info = await admin.root.sealedJson<Record<string, unknown>>({
    method: "GET",
    path: "info-access-key",
    query: { accessKey: keys.accessKey },
  });
  assert.deepEqual([info["userType"], info["parentUser"], info["impliedPolicy"]], ["STS", TEST_ROOT.accessKey, false]);
  const listing = { method: "GET", path: "list-access-keys-bulk", query: { listType: "sts-only" } };
  const bulk = await admin.root.sealedJson<Record<string, { stsKeys: { accessKey: string }[] }>>(listing);
  assert.deepEqual(
    bulk[TEST_ROOT.accessKey]?.stsKeys.map(({ accessKey }) => accessKey),
    [keys.accessKey],
  );
  assert.equal((await sts(keys, { Action: "AssumeRole" })).get("Code"), "AccessDenied", "a session makes no sessions");
  await admin.root.call({
    method: "POST",
    path: "revoke-tokens/builtin",
    query: { user: TEST_ROOT.accessKey, fullRevoke: "true" },
  });
  await assert.rejects(client.call({ method: "GET", path: "info" }), { code: "InvalidAccessKeyId" });
  await Promise.all([client.close(), bare.close()]);
});

test("refusals in the words of STS", async () => {
  const refused = async (
    caller: Caller,
    fields: Record<string, string>,
    status: number,
    code: string,
  ): Promise<void> => {
    const answer = await sts(caller, fields);
    assert.deepEqual([answer.status, answer.get("Code")], [status, code], answer.text);
    assert.match(answer.text, /<ErrorResponse xmlns="https:\/\/sts.amazonaws.com/);
  };
  const assume = { Action: "AssumeRole" };
  await refused({ ...ANN, secretKey: "not ann's secret" }, assume, 403, "AccessDenied");
  await refused({ ...ANN, accessKey: "nobody" }, assume, 403, "AccessDenied");
  await refused(ANN, {}, 400, "MissingParameter");
  await refused(ANN, { ...assume, Version: "1" }, 400, "InvalidParameterValue");
  await refused(ANN, { Action: "AssumeRoleWithWebIdentity" }, 400, "InvalidParameterValue");
  await refused(ANN, { ...assume, DurationSeconds: "60" }, 400, "InvalidParameterValue");
  await refused(ANN, { ...assume, DurationSeconds: "soon" }, 400, "InvalidParameterValue");
  await refused(ANN, { ...assume, Policy: "{" }, 400, "MalformedPolicyDocument");
  await refused(ANN, { ...assume, Policy: '{"Statement":[]}' }, 400, "MalformedPolicyDocument");
  const deny = { Version: "2012-10-17", Statement: [{ Effect: "Deny", Action: "sts:AssumeRole" }] };
  await admin.iam.policies.put("no-sts", JSON.stringify(deny));
  await admin.iam.policies.map({ kind: "user", name: "ann" }, ["no-sts"]);
  await refused(ANN, assume, 403, "AccessDenied");
});

test("a removal of many in a bucket that the host names is no request of STS, whatever its body is called", () => {
  const incoming = {
    method: "POST",
    headers: { "content-type": "application/x-www-form-urlencoded" },
  } as IncomingMessage;
  const asked = ["", "Action=AssumeRole", "Version=1&Action=AssumeRole", "delete", "delete=", "x-Action=y"];
  assert.deepEqual(
    asked.map((query) => isStsRequest(incoming, "/", query)),
    [true, true, true, false, false, false],
  );
});
