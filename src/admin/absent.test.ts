/** Calls that other servers have and this one does not. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { AdminError } from "../client/errors.ts";
import { ABSENT_ROUTES } from "./absent.ts";
import { testAdmin, type TestAdmin } from "./testing.ts";

let admin: TestAdmin;
before(async () => {
  admin = await testAdmin();
});
after(() => admin.close());

test("every absent call is refused by name, with words, and only to those who might make it", async () => {
  await admin.iam.users.put("powerless", { secretKey: "powerless secret", enabled: true });
  const powerless = admin.client("powerless", "powerless secret");
  for (const { method, path } of ABSENT_ROUTES) {
    const call = { method, path: path.replace(/\*$/, "any/name") };
    await assert.rejects(admin.root.call(call), { code: "NotImplemented", status: 501 }, `${method} ${path}`);
    await assert.rejects(powerless.call(call), { code: "AccessDenied", status: 403 }, `${method} ${path}`);
  }
});

test("a path that ends in a star holds what is below it, and nothing else", async () => {
  const status = async (method: string, path: string): Promise<number> => {
    try {
      await admin.root.call({ method, path });
      return 200;
    } catch (error) {
      assert.ok(error instanceof AdminError);
      return error.status;
    }
  };
  assert.equal(await status("GET", "tier/WARM"), 501);
  assert.equal(await status("GET", "tier/a/b"), 501);
  assert.equal(await status("GET", "tiers/a"), 426);
  assert.equal(await status("PUT", "tier/WARM"), 426, "no such method there");
  assert.equal(await status("GET", "idp-config"), 426);
  assert.equal(await status("GET", "batch/generate-job"), 426, "clients fall back on that");
});

test("nothing holds a lock", async () => {
  assert.deepEqual(await admin.root.json({ method: "GET", path: "top/locks", query: { count: "10" } }), []);
});
