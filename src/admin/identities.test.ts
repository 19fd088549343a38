/** Users, groups, policies and access keys through the admin API. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { AdminCall } from "../client/admin-client.ts";
import { TEST_ROOT } from "../iam/testing.ts";
import { addUser, body, get, policyOf, put, refused, sealed, SECRET, statusOf } from "./testing-calls.ts";
import { testAdmin, type TestAdmin } from "./testing.ts";

type Json = Record<string, unknown>;

let admin: TestAdmin;
before(async () => {
  admin = await testAdmin();
});
after(() => admin.close());

test("users: add, list, inspect, disable, remove", async () => {
  const add = sealed(put("add-user", { accessKey: "ann" }, { secretKey: SECRET, status: "enabled" }));
  assert.equal(await statusOf(admin.root, add), 200);
  const ann = admin.client("ann", SECRET);
  const info = await admin.root.json<Json>(get("user-info", { accessKey: "ann" }));
  assert.equal(info["status"], "enabled");
  assert.equal("policyName" in info || "memberOf" in info || "secretKey" in info, false);
  assert.equal((await ann.json<Json>(get("user-info", { accessKey: "ann" })))["status"], "enabled", "its own");
  await refused(ann, get("user-info", { accessKey: "powerless" }), 403, "AccessDenied");
  await ann.call(sealed(put("add-user", { accessKey: "ann" }, { secretKey: "its own new secret", status: "enabled" })));
  await refused(ann, get("accountinfo"), 403, "SignatureDoesNotMatch");
  assert.ok("ann" in (await admin.root.sealedJson<Json>(get("list-users"))));
  await admin.root.call(put("set-user-status", { accessKey: "ann", status: "disabled" }));
  assert.equal((await admin.root.json<Json>(get("user-info", { accessKey: "ann" })))["status"], "disabled");
  await refused(
    admin.root,
    put("set-user-status", { accessKey: "ann", status: "odd" }),
    400,
    "XMinioAdminInvalidArgument",
  );
  await refused(
    admin.root,
    put("set-user-status", { accessKey: TEST_ROOT.accessKey, status: "disabled" }),
    400,
    "XMinioAdminInvalidArgument",
  );
  await refused(
    admin.root,
    { method: "DELETE", path: "remove-user", query: { accessKey: TEST_ROOT.accessKey } },
    403,
    "XMinioIAMActionNotAllowed",
  );
  assert.equal(await statusOf(admin.root, { method: "DELETE", path: "remove-user", query: { accessKey: "ann" } }), 200);
  await refused(admin.root, get("user-info", { accessKey: "ann" }), 404, "XMinioAdminNoSuchUser");
  await refused(
    admin.root,
    sealed(put("add-user", { accessKey: TEST_ROOT.accessKey }, { secretKey: SECRET })),
    403,
    "XMinioInvalidIAMCredentials",
  );
});

test("groups: members, policies, status, removal", async () => {
  await addUser(admin, "gina");
  const members = (isRemove: boolean, list: string[]) =>
    put("update-group-members", {}, { group: "staff", members: list, groupStatus: "", isRemove });
  await admin.root.call(members(false, ["gina"]));
  await admin.root.call(
    put("set-user-or-group-policy", { policyName: "readonly,diagnostics", userOrGroup: "staff", isGroup: "true" }),
  );
  const group = await admin.root.json<Json>(get("group", { group: "staff" }));
  assert.deepEqual(
    [group["name"], group["status"], group["members"], group["policy"]],
    ["staff", "enabled", ["gina"], "diagnostics,readonly"],
  );
  assert.deepEqual((await admin.root.json<Json>(get("user-info", { accessKey: "gina" })))["memberOf"], ["staff"]);
  assert.deepEqual(await admin.root.json(get("groups")), ["staff"]);
  await refused(admin.root, members(true, []), 400, "XMinioAdminGroupNotEmpty");
  await admin.root.call(put("set-group-status", { group: "staff", status: "disabled" }));
  assert.equal((await admin.root.json<Json>(get("group", { group: "staff" })))["status"], "disabled");
  await admin.root.call(members(true, ["gina"]));
  await admin.root.call(members(true, []));
  await refused(admin.root, get("group", { group: "staff" }), 404, "XMinioAdminNoSuchGroup");
});

test("policies: create, show in both forms, map in both forms, remove", async () => {
  const create = {
    method: "PUT",
    path: "add-canned-policy",
    query: { name: "getter" },
    body: Buffer.from(policyOf("s3:GetObject")),
  };
  await admin.root.call(create);
  const shown = await admin.root.json<Json>(get("info-canned-policy", { name: "getter", v: "2" }));
  assert.equal(shown["PolicyName"], "getter");
  assert.ok("CreateDate" in shown && "UpdateDate" in shown);
  const document = await admin.root.json<Json>(get("info-canned-policy", { name: "getter" }));
  assert.deepEqual(document, shown["Policy"]);
  assert.equal(
    "CreateDate" in (await admin.root.json<Json>(get("info-canned-policy", { name: "readonly", v: "2" }))),
    false,
  );
  const all = await admin.root.json<Json>(get("list-canned-policies"));
  for (const name of ["getter", "readwrite", "readonly", "writeonly", "diagnostics", "consoleAdmin"])
    assert.ok(name in all, name);

  await addUser(admin, "paul");
  const change = (verb: string, policies: string[], type = "application/octet-stream"): AdminCall =>
    sealed({
      method: "POST",
      path: `idp/builtin/policy/${verb}`,
      body: body({ policies, user: "paul" }),
      headers: { "content-type": type },
    });
  const attached = await admin.root.sealedJson<Json>(change("attach", ["getter", "readonly"]));
  assert.deepEqual(attached["policiesAttached"], ["getter", "readonly"]);
  await refused(admin.root, change("attach", ["getter"]), 400, "XMinioAdminPolicyChangeAlreadyApplied");
  await refused(admin.root, change("attach", ["none"]), 404, "XMinioAdminNoSuchPolicy");
  await refused(admin.root, change("attach", ["writeonly"], "application/json"), 400, "BadRequest");
  const remove = { method: "DELETE", path: "remove-canned-policy", query: { name: "getter" } };
  await refused(admin.root, remove, 400, "XMinioIAMPolicyInUse");
  const entities = await admin.root.sealedJson<Json>(get("idp/builtin/policy-entities", { user: ["paul"] }));
  assert.deepEqual(entities["userMappings"], [{ user: "paul", policies: ["getter", "readonly"] }]);
  assert.equal("policyMappings" in entities, false);
  const byPolicy = await admin.root.sealedJson<Json>(get("idp/builtin/policy-entities", { policy: "getter" }));
  assert.deepEqual(byPolicy["policyMappings"], [{ policy: "getter", users: ["paul"], groups: [] }]);
  const detached = await admin.root.sealedJson<Json>(change("detach", ["getter", "writeonly"]));
  assert.deepEqual(detached["policiesDetached"], ["getter"]);
  assert.equal(await statusOf(admin.root, remove), 200);
  await admin.root.call(put("set-user-or-group-policy", { policyName: "", userOrGroup: "paul", isGroup: "false" }));
  assert.equal("policyName" in (await admin.root.json<Json>(get("user-info", { accessKey: "paul" }))), false);

  await refused(admin.root, { ...create, body: Buffer.from("{}") }, 400, "MalformedPolicy");
  await refused(admin.root, { ...create, body: Buffer.from("{") }, 400, "XMinioMalformedIAMPolicy");
  await refused(admin.root, { ...create, query: { name: "a,b" } }, 400, "PolicyInvalidName");
  await refused(admin.root, { ...create, body: Buffer.alloc(20 * 1024 + 1, " ") }, 400, "EntityTooLarge");
  await refused(admin.root, { ...create, body: Buffer.alloc(0) }, 411, "MissingContentLength");
  await refused(admin.root, get("info-canned-policy", { name: "nope", v: "2" }), 404, "XMinioAdminNoSuchPolicy");
});

test("service accounts: own ones without rights, others' only with them", async () => {
  const sam = await addUser(admin, "sam", "readonly");
  const other = await addUser(admin, "other");
  const add = (value: Json): AdminCall => sealed(put("add-service-account", {}, value));
  const policy: unknown = JSON.parse(policyOf("s3:GetObject"));
  const wanted = add({ accessKey: "samkey", secretKey: SECRET, name: "ci", policy });
  const made = await sam.sealedJson<{ credentials: Json }>(wanted);
  assert.deepEqual(made.credentials, { accessKey: "samkey", secretKey: SECRET, expiration: "1970-01-01T00:00:00Z" });
  await refused(other, add({ targetUser: "sam" }), 403, "AccessDenied");
  await refused(sam, add({ targetUser: TEST_ROOT.accessKey }), 403, "AccessDenied");
  await refused(sam, add({ accessKey: "samkey", secretKey: SECRET }), 400, "XMinioIAMServiceAccountNotAllowed");
  await refused(sam, add({ accessKey: "sam", secretKey: SECRET }), 403, "XMinioIAMActionNotAllowed");

  const info = await sam.sealedJson<Json>(get("info-service-account", { accessKey: "samkey" }));
  assert.deepEqual(
    [info["parentUser"], info["accountStatus"], info["impliedPolicy"], info["name"]],
    ["sam", "on", false, "ci"],
  );
  assert.match(info["policy"] as string, /s3:GetObject/);
  await refused(other, get("info-service-account", { accessKey: "samkey" }), 404, "XMinioInvalidIAMCredentials");
  const self = admin.client("samkey", SECRET);
  await refused(self, get("info-access-key", { accessKey: "" }), 404, "XMinioAdminNoSuchAccessKey");
  const listed = await sam.sealedJson<{ accounts: Json[] }>(get("list-service-accounts", { user: "sam" }));
  assert.deepEqual(
    listed.accounts.map((account) => account["accessKey"]),
    ["samkey"],
  );
  assert.deepEqual(await other.sealedJson(get("list-service-accounts")), { accounts: null });
  await refused(other, get("list-service-accounts", { user: "sam" }), 403, "AccessDenied");
  const bulk = await admin.root.sealedJson<Record<string, Json>>(
    get("list-access-keys-bulk", { listType: "svcacc-only", all: "true" }),
  );
  const expiration = "1970-01-01T00:00:00Z";
  const entry = { accessKey: "samkey", parentUser: "", accountStatus: "", impliedPolicy: false, expiration };
  assert.deepEqual(bulk, { sam: { stsKeys: null, serviceAccounts: [entry] } });
  await refused(
    admin.root,
    get("list-access-keys-bulk", { listType: "all", all: "true", users: "sam" }),
    400,
    "InvalidRequest",
  );

  const update = sealed({
    method: "POST",
    path: "update-service-account",
    query: { accessKey: "samkey" },
    body: body({ newStatus: "off", newPolicy: {} }),
  });
  assert.equal(await statusOf(sam, update), 204);
  const changed = await sam.sealedJson<Json>(get("info-access-key", { accessKey: "samkey" }));
  assert.deepEqual(
    [changed["accountStatus"], changed["impliedPolicy"], changed["userType"]],
    ["off", true, "Service Account"],
  );
  const remove = { method: "DELETE", path: "delete-service-account", query: { accessKey: "samkey" } };
  await refused(other, remove, 404, "XMinioInvalidIAMCredentials");
  assert.equal(await statusOf(sam, remove), 204);
  await refused(sam, remove, 404, "XMinioInvalidIAMCredentials");
});
