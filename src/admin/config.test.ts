import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { AdminClient } from "../client/admin-client.ts";
import { corsHeaders } from "../s3/cors.ts";
import type { TestAdmin } from "./testing.ts";
import { testAdmin } from "./testing.ts";

let admin: TestAdmin;
before(async () => {
  admin = await testAdmin({}, { REGION: "eu-1" });
});
after(() => admin.close());

const line = async (key: string): Promise<string> => {
  const sealed = await admin.root.call({ method: "GET", path: "get-config-kv", query: { key } });
  return (await admin.root.open(sealed)).toString();
};

/** Resolves with the value of x-minio-config-applied. */
async function change(
  method: "PUT" | "DELETE",
  path: string,
  text: string,
  client: AdminClient = admin.root,
): Promise<string | undefined> {
  const response = await client.stream({ method, path, body: Buffer.from(text), sealed: true });
  await response.bytes();
  assert.equal(response.status, 200);
  const value = response.headers["x-minio-config-applied"];
  return Array.isArray(value) ? value[0] : value;
}

test("set, get and reset of what holds at once", async () => {
  assert.equal(await line("api"), 'api requests_max=0 cors_allow_origin=* root_access=on comment=""\n');
  admin.calls.splice(0);
  assert.equal(await change("PUT", "set-config-kv", 'api requests_max=7 comment="two words"'), "true");
  assert.deepEqual(admin.calls, [["config changed"]]);
  assert.equal(await line("api"), 'api requests_max=7 cors_allow_origin=* root_access=on comment="two words"\n');
  assert.equal(admin.config.live.requestsMax, 7);
  await change("PUT", "set-config-kv", "api cors_allow_origin=https://*.example.net,https://b.net");
  assert.deepEqual(admin.config.live.corsAllowOrigin, ["https://*.example.net", "https://b.net"]);
  assert.equal(await change("DELETE", "del-config-kv", "api comment requests_max"), "true");
  assert.equal(
    await line("api:_"),
    'api requests_max=0 cors_allow_origin=https://*.example.net,https://b.net root_access=on comment=""\n',
  );
  await change("DELETE", "del-config-kv", "api");
  assert.deepEqual(admin.config.live.corsAllowOrigin, ["*"]);
});

test("what the environment fixes is shown and cannot be set", async () => {
  assert.match(await line("site"), /^# MINIO_SITE_REGION=eu-1\nsite /);
  assert.equal(await line("region"), '# MINIO_REGION_NAME=eu-1\nregion name=eu-1 comment=""\n');
  await assert.rejects(change("PUT", "set-config-kv", "site region=us-1"), { code: "XMinioAdminConfigEnvOverridden" });
  assert.equal(await change("PUT", "set-config-kv", "site name=attic"), undefined, "holds from the next start");
  assert.equal(admin.config.live.region, "eu-1");
});

test("region and site are one value", async () => {
  const other = await testAdmin();
  const set = (text: string): Promise<Buffer> =>
    other.root.call({ method: "PUT", path: "set-config-kv", body: Buffer.from(text), sealed: true });
  await set("region name=ap-1");
  assert.equal(other.config.live.region, "ap-1");
  await set("site region=ap-2");
  const region = await other.root.open(
    await other.root.call({ method: "GET", path: "get-config-kv", query: { key: "region" } }),
  );
  assert.match(region.toString(), /name=ap-2/);
  await other.root.call({ method: "DELETE", path: "del-config-kv", body: Buffer.from("region"), sealed: true });
  assert.equal(other.config.live.region, "");
  await other.close();
});

test("mistakes change nothing and say what is wrong", async () => {
  const wrong: readonly (readonly [string, string, RegExp])[] = [
    ["api requests_max=many", "XMinioConfigError", /expected a number/],
    ["api replication_priority=fast", "XMinioConfigError", /has no setting replication_priority on this server/],
    ["notify_webhook endpoint=x", "XMinioConfigError", /nothing to set in notify_webhook/],
    ["nonsense a=b", "XMinioConfigError", /unknown sub-system/],
    ["api:other requests_max=1", "XMinioAdminNoSuchConfigTarget", /no targets/],
    ["api", "XMinioConfigError", /no key=value/],
    ["api requests_max=5\nsite region=bad region", "XMinioConfigError", /not valid/],
    ["api root_access=off", "XMinioConfigError", /another administrator/],
    ["", "XMinioConfigError", /nothing to set/],
  ];
  for (const [text, code, message] of wrong) {
    await assert.rejects(change("PUT", "set-config-kv", text), (error: Error & { code?: string }) => {
      assert.equal(error.code, code, text);
      assert.match(error.message, message);
      return true;
    });
  }
  await assert.rejects(change("DELETE", "del-config-kv", "api nothing"), { code: "XMinioConfigError" });
  assert.equal(admin.config.live.requestsMax, undefined);
});

test("help names what there is, with exactly the members that clients know", async () => {
  const help = await admin.root.json<{ keysHelp: object[] }>({
    method: "GET",
    path: "help-config-kv",
    query: { subSys: "", key: "" },
  });
  assert.deepEqual(
    help.keysHelp.map((key) => (key as { key: string }).key),
    ["api", "heal", "site", "region"],
  );
  const api = await admin.root.json<{ keysHelp: object[] }>({
    method: "GET",
    path: "help-config-kv",
    query: { subSys: "api", key: "root_access", env: "" },
  });
  assert.deepEqual(Object.keys(api.keysHelp[0] ?? {}), ["key", "description", "optional", "type", "multipleTargets"]);
  assert.equal((api.keysHelp[0] as { key: string }).key, "MINIO_API_ROOT_ACCESS");
});

test("export and import carry everything, whatever the environment fixes", async () => {
  await change("PUT", "set-config-kv", "api requests_max=9");
  const text = (await admin.root.open(await admin.root.call({ method: "GET", path: "config" }))).toString();
  await change("DELETE", "del-config-kv", "api");
  await change("PUT", "config", text);
  assert.equal(admin.config.live.requestsMax, 9);
  await change("DELETE", "del-config-kv", "api");
});

test("origins that are not allowed get no CORS headers", () => {
  assert.deepEqual(corsHeaders("https://a.example.net", ["https://*.example.org"]), []);
  assert.ok(corsHeaders("https://a.example.org", ["https://*.example.org"]).includes("https://a.example.org"));
});
