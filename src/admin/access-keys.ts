/** Routes of access keys, which the wire calls service accounts (admin-api.md 3.5). */
import { z } from "zod";
import type { AccessKeyInfo } from "../iam/access-keys.ts";
import type { SessionInfo } from "../iam/sessions.ts";
import { mergedDocument, policyDocument } from "../iam/policy.ts";
import { StoreError } from "../model/errors.ts";
import { isoMillis, parseRfc3339Nano } from "../protocol/time.ts";
import type { Answer } from "./answer.ts";
import { NO_CONTENT, sealed } from "./answer.ts";
import type { AdminRequest } from "./request.ts";
import type { Route } from "./route.ts";
import { enabledOf } from "./users.ts";

/** How "never" is written. */
const NEVER = "1970-01-01T00:00:00Z";
const LIST_TYPES = ["users-only", "sts-only", "svcacc-only", "all"];

const text = z.string().nullish();
const addBody = z.object({
  policy: z.unknown().optional(),
  targetUser: text,
  accessKey: text,
  secretKey: text,
  name: text,
  description: text,
  comment: text,
  expiration: text,
});
const updateBody = z.object({
  newPolicy: z.unknown().optional(),
  newSecretKey: text,
  newStatus: text,
  newName: text,
  newDescription: text,
  newExpiration: text,
});

/** Unix milliseconds; null for the ways of writing "never"; undefined when it is not given. */
function expiryOf(written: string | null | undefined): number | null | undefined {
  if (written === undefined || written === null || written === "") return undefined;
  const ns = parseRfc3339Nano(written);
  if (ns === undefined)
    throw new StoreError("XMinioAdminConfigBadJSON", { message: "expiration is not an RFC 3339 time" });
  return ns <= 0n ? null : Number(ns / 1_000_000n);
}

/** A policy member is a document, or its text. */
function policyText(policy: unknown): string | undefined {
  if (policy === undefined || policy === null) return undefined;
  return typeof policy === "string" ? policy : JSON.stringify(policy);
}

const expiryText = (expires: number | undefined): string => (expires === undefined ? NEVER : isoMillis(expires));

function listed(key: AccessKeyInfo): object {
  return {
    parentUser: key.parent,
    accountStatus: key.enabled ? "on" : "off",
    impliedPolicy: key.sessionPolicy === undefined,
    accessKey: key.accessKey,
    ...(key.name !== undefined && { name: key.name }),
    ...(key.description !== undefined && { description: key.description }),
    expiration: expiryText(key.expires),
  };
}

async function add(request: AdminRequest): Promise<Answer> {
  const body = await request.sealedJson(addBody);
  const { iam, clock } = request.deps;
  const { identity } = request;
  const named = body.targetUser ?? "";
  const parent = named === "" || named === identity.accessKey ? identity.user : named;
  const expires = expiryOf(body.expiration) ?? undefined;
  const seconds = expires === undefined ? 0 : Math.max(0, Math.floor((expires - clock.nowMs()) / 1000));
  await request.authorizeOn(parent === identity.user, "admin:CreateServiceAccount", {
    DurationSeconds: [String(seconds)],
  });
  // A key of root is root: only root may make one, whatever else somebody may administer.
  if (parent === iam.rootAccessKey && identity.user !== iam.rootAccessKey) throw new StoreError("AccessDenied");
  const made = await iam.accessKeys.create({
    parent,
    accessKey: body.accessKey ?? undefined,
    secretKey: body.secretKey ?? undefined,
    sessionPolicy: policyText(body.policy),
    name: body.name || undefined,
    description: body.description || body.comment || undefined,
    expires,
  });
  const { accessKey, secretKey } = made;
  return sealed({ credentials: { accessKey, secretKey, expiration: expiryText(made.expires) } });
}

/** The key, if the caller holds the right or owns it; otherwise it does not exist for the caller. */
async function ownOrAllowed(request: AdminRequest, action: string, missing: string): Promise<AccessKeyInfo> {
  const key = await request.deps.iam.accessKeys.find(request.param("accessKey") || request.identity.accessKey);
  if (key === undefined) throw new StoreError(missing);
  if (await request.may(action)) return key;
  const own = key.parent === request.identity.user;
  if (own && (await request.may(action, { denyOnly: true }))) return key;
  throw new StoreError(missing);
}

async function guardRoot(request: AdminRequest, key: AccessKeyInfo): Promise<void> {
  const { rootAccessKey } = request.deps.iam;
  if (key.parent === rootAccessKey && request.identity.user !== rootAccessKey) throw new StoreError("AccessDenied");
}

async function update(request: AdminRequest): Promise<Answer> {
  const key = await ownOrAllowed(request, "admin:UpdateServiceAccount", "XMinioInvalidIAMCredentials");
  await guardRoot(request, key);
  const body = await request.sealedJson(updateBody);
  const status = body.newStatus ?? "";
  const enabled = enabledOf(status);
  if (status !== "" && enabled === undefined) throw new StoreError("XMinioAdminInvalidArgument");
  await request.deps.iam.accessKeys.update(key.accessKey, {
    secretKey: body.newSecretKey || undefined,
    sessionPolicy: policyText(body.newPolicy),
    enabled,
    name: body.newName || undefined,
    description: body.newDescription || undefined,
    expires: expiryOf(body.newExpiration),
  });
  return NO_CONTENT;
}

async function described(request: AdminRequest, key: AccessKeyInfo): Promise<Record<string, unknown>> {
  const { sessionPolicy } = key;
  const implied = sessionPolicy === undefined;
  const document = implied
    ? mergedDocument(await request.deps.iam.policiesOf(key.parent))
    : policyDocument(sessionPolicy);
  return {
    parentUser: key.parent,
    accountStatus: key.enabled ? "on" : "off",
    impliedPolicy: implied,
    policy: JSON.stringify(document),
    ...(key.name !== undefined && { name: key.name }),
    ...(key.description !== undefined && { description: key.description }),
    ...(key.expires !== undefined && { expiration: isoMillis(key.expires) }),
  };
}

async function info(request: AdminRequest): Promise<Answer> {
  const key = await ownOrAllowed(request, "admin:ListServiceAccounts", "XMinioInvalidIAMCredentials");
  return sealed(await described(request, key));
}

async function infoAccessKey(request: AdminRequest): Promise<Answer> {
  const session = await sessionOf(request, "admin:ListServiceAccounts");
  if (session !== undefined) return sealed(await describedSession(request, session));
  const key = await ownOrAllowed(request, "admin:ListServiceAccounts", "XMinioAdminNoSuchAccessKey");
  return sealed({
    AccessKey: key.accessKey,
    ...(await described(request, key)),
    userType: "Service Account",
    userProvider: "builtin",
    ldapSpecificInfo: {},
    openIDSpecificInfo: {},
  });
}

/** The session that is asked about, when the caller may know of it: with the right, or as its own. */
async function sessionOf(request: AdminRequest, action: string): Promise<SessionInfo | undefined> {
  const session = await request.deps.iam.sessions.find(request.param("accessKey") || request.identity.accessKey);
  if (session === undefined) return undefined;
  const own = session.parent === request.identity.user;
  return (await request.may(action, { denyOnly: own })) ? session : undefined;
}

async function describedSession(request: AdminRequest, session: SessionInfo): Promise<object> {
  const members = await described(request, { ...session, enabled: true });
  return {
    AccessKey: session.accessKey,
    ...members,
    userType: "STS",
    userProvider: "builtin",
    ldapSpecificInfo: {},
    openIDSpecificInfo: {},
  };
}

async function temporaryInfo(request: AdminRequest): Promise<Answer> {
  const session = await sessionOf(request, "admin:ListTemporaryAccounts");
  if (session === undefined) throw new StoreError("XMinioInvalidIAMCredentials");
  return sealed(await described(request, { ...session, enabled: true }));
}

/** Ends the sessions of a user: all (`fullRevoke`), or those of one type; one's own without any right. */
async function revoke(request: AdminRequest): Promise<Answer> {
  const user = request.param("user") || request.identity.user;
  const type = request.param("tokenRevokeType");
  const all = request.flag("fullRevoke");
  if (all === (type !== "")) throw new StoreError("InvalidRequest", { message: "Name a token type, or revoke all." });
  const { iam } = request.deps;
  await request.authorizeOn(user === request.identity.user, "admin:RemoveServiceAccount");
  if (user === iam.rootAccessKey && request.identity.user !== user) throw new StoreError("AccessDenied");
  await iam.sessions.revoke(user, all ? undefined : type);
  return NO_CONTENT;
}

async function list(request: AdminRequest): Promise<Answer> {
  const user = request.param("user") || request.identity.user;
  if (user !== request.identity.user) await request.authorize("admin:ListServiceAccounts");
  const accounts = (await request.deps.iam.accessKeys.list(user)).map(listed);
  return sealed({ accounts: accounts.length === 0 ? null : accounts });
}

async function remove(request: AdminRequest): Promise<Answer> {
  const key = await ownOrAllowed(request, "admin:RemoveServiceAccount", "XMinioInvalidIAMCredentials");
  await guardRoot(request, key);
  await request.deps.iam.accessKeys.remove(key.accessKey);
  return NO_CONTENT;
}

async function usersAsked(request: AdminRequest): Promise<string[]> {
  const named = request.params("users");
  const all = request.flag("all");
  if (all && named.length > 0) throw new StoreError("InvalidRequest", { message: "Either users or all, not both." });
  if (all) {
    await request.authorize("admin:ListUsers");
    const { users, rootAccessKey } = request.deps.iam;
    const names = (await users.list()).map((user) => user.accessKey);
    return request.identity.user === rootAccessKey ? [rootAccessKey, ...names] : names;
  }
  const users = named.length === 0 ? [request.identity.user] : named;
  const onlySelf = users.every((user) => user === request.identity.user);
  await request.authorizeOn(onlySelf, "admin:ListServiceAccounts");
  return users;
}

/** Entries name their key and expiry only; the other members are there and empty. */
const bulkEntry = (key: Pick<AccessKeyInfo, "accessKey" | "expires">): object => ({
  parentUser: "",
  accountStatus: "",
  impliedPolicy: false,
  accessKey: key.accessKey,
  expiration: expiryText(key.expires),
});

async function listBulk(request: AdminRequest): Promise<Answer> {
  const type = request.param("listType");
  if (!LIST_TYPES.includes(type)) throw new StoreError("InvalidRequest", { message: "listType is not known." });
  const { accessKeys, sessions } = request.deps.iam;
  const out: Record<string, object> = {};
  for (const user of await usersAsked(request)) {
    const keys = type === "svcacc-only" || type === "all" ? (await accessKeys.list(user)).map(bulkEntry) : [];
    const temporary = type === "sts-only" || type === "all" ? (await sessions.list(user)).map(bulkEntry) : [];
    // A list of keys of one kind has no use for users without any.
    if (type !== "users-only" && type !== "all" && keys.length + temporary.length === 0) continue;
    out[user] = {
      serviceAccounts: keys.length === 0 ? null : keys,
      stsKeys: temporary.length === 0 ? null : temporary,
    };
  }
  return sealed(out);
}

export const ACCESS_KEY_ROUTES: readonly Route[] = [
  { method: "PUT", path: "add-service-account", query: [], actions: "self", run: add, badCredentialsStatus: 403 },
  { method: "POST", path: "update-service-account", query: ["accessKey"], actions: "self", run: update },
  { method: "GET", path: "info-service-account", query: ["accessKey"], actions: "self", run: info },
  { method: "GET", path: "list-service-accounts", query: [], actions: "self", run: list },
  { method: "DELETE", path: "delete-service-account", query: ["accessKey"], actions: "self", run: remove },
  { method: "GET", path: "info-access-key", query: ["accessKey"], actions: "self", run: infoAccessKey },
  { method: "GET", path: "temporary-account-info", query: ["accessKey"], actions: "self", run: temporaryInfo },
  { method: "POST", path: "revoke-tokens/builtin", query: [], actions: "self", run: revoke },
  { method: "GET", path: "list-access-keys-bulk", query: ["listType"], actions: "self", run: listBulk },
];
