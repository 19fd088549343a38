/**
 * Keys of the key ring (admin-api.md 6.9): under /minio/kms/v1/, and under the paths of the admin API that clients of 2022
 * use. `key/rotate` is our own: it puts the data keys of all objects under another key and rewrites none of them.
 */
import { StoreError } from "../model/errors.ts";
import type { KeyRing } from "../storage/keyring/keyring.ts";
import { wildcardMatch } from "../iam/wildcard.ts";
import type { Answer } from "./answer.ts";
import { json, OK } from "./answer.ts";
import type { AdminRequest } from "./request.ts";
import type { Route } from "./route.ts";

/** NotImplemented without a key ring. */
function ringOf(request: AdminRequest): KeyRing {
  const { keyRing } = request.deps;
  if (keyRing !== undefined) return keyRing;
  throw new StoreError("NotImplemented", { message: "KMS is not configured on this server." });
}

/** Policies name keys: AccessDenied unless the caller may do `action` with this one. */
async function authorizeKey(request: AdminRequest, action: string, keyId: string): Promise<void> {
  if (!(await request.may(action, { key: keyId }))) throw new StoreError("AccessDenied");
}

async function status(request: AdminRequest): Promise<Answer> {
  const ring = ringOf(request);
  const { name, endpoints, version } = await ring.status();
  const reachable = Object.values(endpoints).every((state) => state === "online");
  return json({
    name,
    "default-key-id": ring.defaultKeyId,
    endpoints,
    state: { Version: version, KeyStoreReachable: reachable, KeystoreAvailable: reachable },
  });
}

async function version(request: AdminRequest): Promise<Answer> {
  return json({ version: (await ringOf(request).status()).version });
}

async function create(request: AdminRequest): Promise<Answer> {
  const ring = ringOf(request);
  await ring.create(request.param("key-id"), request.identity.accessKey);
  return OK;
}

async function createNamed(request: AdminRequest): Promise<Answer> {
  await authorizeKey(request, "kms:CreateKey", request.param("key-id"));
  return create(request);
}

async function list(request: AdminRequest): Promise<Answer> {
  const pattern = request.param("pattern") || "*";
  const found = (await ringOf(request).list()).filter(({ name }) => wildcardMatch(pattern, name));
  const visible = [];
  for (const key of found) if (await request.may("kms:ListKeys", { key: key.name })) visible.push(key);
  return json(
    visible.map(({ name, createdAt, createdBy }) => ({
      name,
      createdAt: createdAt ?? "0001-01-01T00:00:00Z",
      createdBy: createdBy ?? "",
    })),
  );
}

/** Always 200: what does not work stands in the answer. */
async function keyStatus(request: AdminRequest): Promise<Answer> {
  const ring = ringOf(request);
  const keyId = request.param("key-id") || ring.defaultKeyId;
  const bound = Buffer.from("key status");
  const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
  let sealed: string;
  try {
    ({ sealed } = await ring.generate(keyId, bound));
  } catch (error) {
    return json({ "key-id": keyId, "encryption-error": reasonOf(error) });
  }
  try {
    await ring.open(keyId, sealed, bound);
  } catch (error) {
    return json({ "key-id": keyId, "decryption-error": reasonOf(error) });
  }
  return json({ "key-id": keyId });
}

async function keyStatusNamed(request: AdminRequest): Promise<Answer> {
  await authorizeKey(request, "kms:KeyStatus", request.param("key-id") || (request.deps.keyRing?.defaultKeyId ?? ""));
  return keyStatus(request);
}

/** `key-id`: whose data keys move; `new-key-id`: absent, the default key. InvalidArgument when both are the same. */
async function rotate(request: AdminRequest): Promise<Answer> {
  const ring = ringOf(request);
  const from = request.param("key-id");
  const to = request.param("new-key-id") || ring.defaultKeyId;
  if (from === "" || from === to) {
    throw new StoreError("XMinioAdminInvalidArgument", {
      message: "A rotation needs the key to leave (key-id) and another one to go to (new-key-id).",
    });
  }
  await authorizeKey(request, "kms:CreateKey", to);
  await request.deps.objects.checkEncryptionKey(to);
  request.longRunning();
  return json({ "key-id": from, "new-key-id": to, ...(await request.deps.objects.rewrap(from, to)) });
}

/** Below /minio/kms/v1/. */
export const KMS_ROUTES: readonly Route[] = [
  { method: "GET", path: "status", query: [], actions: ["kms:Status"], run: status },
  { method: "GET", path: "version", query: [], actions: ["kms:Version"], run: version },
  { method: "POST", path: "key/create", query: ["key-id"], actions: "self", run: createNamed },
  { method: "GET", path: "key/list", query: [], actions: "self", run: list },
  { method: "GET", path: "key/status", query: [], actions: "self", run: keyStatusNamed },
  { method: "POST", path: "key/rotate", query: ["key-id"], actions: "self", run: rotate },
];

/** The same below /minio/admin/v3/, with actions of their own. */
export const OLD_KMS_ROUTES: readonly Route[] = [
  { method: "POST", path: "kms/status", query: [], actions: ["admin:KMSKeyStatus"], run: status },
  { method: "GET", path: "kms/status", query: [], actions: ["admin:KMSKeyStatus"], run: status },
  { method: "POST", path: "kms/key/create", query: ["key-id"], actions: ["admin:KMSCreateKey"], run: create },
  { method: "GET", path: "kms/key/status", query: [], actions: ["admin:KMSKeyStatus"], run: keyStatus },
];
