/** Calls of the admin API as the tests make them, and what a refusal must be. */
import assert from "node:assert/strict";
import type { AdminCall, AdminClient } from "../client/admin-client.ts";
import { AdminError } from "../client/errors.ts";
import type { TestAdmin } from "./testing.ts";

/** Of every user that a test adds. */
export const SECRET = "user secret";
/** A body as it is. */
export const body = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));
export const put = (path: string, query: Record<string, string>, value?: unknown): AdminCall => ({
  method: "PUT",
  path,
  query,
  ...(value !== undefined && { body: body(value) }),
});
/** With an encrypted body. */
export const sealed = (call: AdminCall): AdminCall => ({ ...call, sealed: true });
export const get = (path: string, query: Record<string, string | string[]> = {}): AdminCall => ({
  method: "GET",
  path,
  query,
});

/** The call must be refused with this status and code. */
export async function refused(client: AdminClient, call: AdminCall, status: number, code: string): Promise<AdminError> {
  let caught: AdminError | undefined;
  await assert.rejects(client.call(call), (error) => {
    assert.ok(error instanceof AdminError, String(error));
    assert.deepEqual([error.status, error.code], [status, code]);
    caught = error;
    return true;
  });
  return caught ?? assert.fail();
}

export async function statusOf(client: AdminClient, call: AdminCall): Promise<number> {
  const response = await client.stream(call);
  await response.bytes();
  return response.status;
}

/** A user with these policies, and the client that speaks for it. */
export async function addUser(admin: TestAdmin, name: string, ...policies: string[]): Promise<AdminClient> {
  await admin.iam.users.put(name, { secretKey: SECRET, enabled: true });
  await admin.iam.policies.map({ kind: "user", name }, policies);
  return admin.client(name, SECRET);
}

/** A policy that allows these actions, everywhere. */
export function policyOf(...actions: string[]): string {
  const where = actions[0]?.startsWith("s3:") === true ? { Resource: "arn:aws:s3:::*" } : {};
  return JSON.stringify({ Version: "2012-10-17", Statement: [{ Effect: "Allow", Action: actions, ...where }] });
}
