/** What names and secrets may look like (admin-api.md 3.1, 3.3, 3.5). Each throws a StoreError with the code of the fault. */
import { StoreError } from "../model/errors.ts";
import {
  ACCESS_KEY_CHARS_MIN,
  KEY_DESCRIPTION_BYTES_MAX,
  KEY_LIFETIME_MS_MAX,
  KEY_LIFETIME_MS_MIN,
  KEY_NAME_CHARS_MAX,
  NAME_BYTES_MAX,
  SECRET_KEY_CHARS_MIN,
  SERVICE_ACCESS_KEY_CHARS_MAX,
  SERVICE_SECRET_KEY_CHARS_MAX,
  SESSION_POLICY_BYTES_MAX,
} from "./limits.ts";
import { parsePolicy, policyDocument } from "./policy.ts";

/** Names become parts of index keys that are separated by NUL, and of comma lists. */
function checkName(name: string): void {
  // Bytes that are not UTF-8 arrive as U+FFFD: two such names would be one.
  if (!name.isWellFormed() || name.includes("\0") || name.includes("\ufffd")) throw new StoreError("XMinioInvalidUTF");
  if (name !== name.trim() || Buffer.byteLength(name) > NAME_BYTES_MAX) throw new StoreError("XMinioInvalidResource");
}

export function checkUserName(name: string): void {
  checkName(name);
  const bad = name.length < ACCESS_KEY_CHARS_MIN || name.includes("=") || name.includes(",");
  if (!bad) return;
  const message = `The access key is not valid: it needs at least ${ACCESS_KEY_CHARS_MIN} characters, none of them = or comma.`;
  throw new StoreError("XMinioAdminInvalidAccessKey", { message });
}

export function checkUserSecret(secret: string): void {
  if (secret.length >= SECRET_KEY_CHARS_MIN) return;
  const message = `The secret key is not valid: it needs at least ${SECRET_KEY_CHARS_MIN} characters.`;
  throw new StoreError("XMinioAdminInvalidSecretKey", { message });
}

export function checkGroupName(name: string): void {
  if (name === "") throw new StoreError("XMinioAdminInvalidArgument", { message: "The group name is empty." });
  checkName(name);
  if (name.includes(",") || name.includes("=")) throw new StoreError("XMinioInvalidGroupName");
}

export function checkPolicyName(name: string): void {
  if (name === "") throw new StoreError("XMinioAdminInvalidArgument", { message: "The policy name is empty." });
  checkName(name);
  if (name.includes(",")) throw new StoreError("PolicyInvalidName");
}

export function checkServiceKey(accessKey: string, secretKey: string): void {
  checkUserName(accessKey);
  if (accessKey.length > SERVICE_ACCESS_KEY_CHARS_MAX) throw new StoreError("XMinioAdminInvalidAccessKey");
  checkServiceSecret(secretKey);
}

export function checkServiceSecret(secretKey: string): void {
  checkUserSecret(secretKey);
  if (secretKey.length > SERVICE_SECRET_KEY_CHARS_MAX) throw new StoreError("XMinioAdminInvalidSecretKey");
}

export function checkKeyName(name: string): void {
  const ok = name.length <= KEY_NAME_CHARS_MAX && /^[A-Za-z][A-Za-z0-9._ -]*$/.test(name);
  if (!ok) throw new StoreError("XMinioInvalidResource", { message: "The name of the access key is not valid." });
}

export function checkKeyDescription(description: string): void {
  if (Buffer.byteLength(description) <= KEY_DESCRIPTION_BYTES_MAX && description.isWellFormed()) return;
  throw new StoreError("XMinioInvalidResource", { message: "The description of the access key is not valid." });
}

/** A time from 15 minutes to 365 days ahead. */
export function checkKeyExpiry(expires: number, nowMs: number): void {
  const left = expires - nowMs;
  if (left >= KEY_LIFETIME_MS_MIN && left <= KEY_LIFETIME_MS_MAX) return;
  throw new StoreError("XMinioAdminInvalidArgument", {
    message: "The expiration must lie 15 minutes to 365 days ahead.",
  });
}

/** Text of a session policy as it is stored; undefined when it says "inherit". */
export function sessionPolicyText(source: string | undefined, bytesMax = SESSION_POLICY_BYTES_MAX): string | undefined {
  const plain = source?.trim() ?? "";
  if (plain === "" || plain === "null") return undefined;
  const policy = parsePolicy(plain);
  if (policy.version === "" && policy.statements.length === 0) return undefined;
  checkStorable(policy);
  const text = JSON.stringify(policyDocument(policy));
  if (Buffer.byteLength(text) > bytesMax) throw new StoreError("XMinioIAMServiceAccountSessionPolicyTooLarge");
  return text;
}

/** What parses is not always fit to keep: a policy needs its version and something to say. */
export function checkStorable(policy: { readonly version: string; readonly statements: readonly object[] }): void {
  if (policy.version === "")
    throw new StoreError("MalformedPolicy", { message: "Policy is not valid: Version is missing" });
  if (policy.statements.length > 0) return;
  throw new StoreError("XMinioMalformedIAMPolicy", { message: "Policy is not valid: Statement is empty" });
}
