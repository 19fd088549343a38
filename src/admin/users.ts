/** Routes of users and groups (admin-api.md 3.1, 3.2). */
import { z } from "zod";
import { evaluate } from "../iam/policy-evaluate.ts";
import { valuesOf } from "../iam/policy-variables.ts";
import type { Policy } from "../iam/policy.ts";
import { wildcardMatch } from "../iam/wildcard.ts";
import type { GroupInfo, UserInfo } from "../iam/users.ts";
import { StoreError } from "../model/errors.ts";
import { rfc3339Nano } from "../protocol/time.ts";
import { json, OK, sealed } from "./answer.ts";
import { PART_CHARS, PLAIN_BODY_BYTES_MAX } from "./limits.ts";
import type { AdminRequest } from "./request.ts";
import { parseJson } from "./request.ts";
import type { Route } from "./route.ts";

const addUserBody = z.object({
  secretKey: z.string().default(""),
  status: z.string().nullish(),
});

const groupMembersBody = z.object({
  group: z.string(),
  members: z.array(z.string()).nullish(),
  isRemove: z.boolean().nullish(),
});

/** `status` as every call spells it; undefined for anything else. */
export function enabledOf(status: string): boolean | undefined {
  if (status === "enabled" || status === "on") return true;
  return status === "disabled" || status === "off" ? false : undefined;
}

/** The JSON of a user. `policyName` is a comma list. */
function userJson(user: UserInfo, policies: readonly string[] = user.policies): object {
  return {
    ...(policies.length > 0 && { policyName: policies.join(",") }),
    status: user.enabled ? "enabled" : "disabled",
    ...(user.groups.length > 0 && { memberOf: user.groups }),
    updatedAt: rfc3339Nano(user.updated),
  };
}

function groupJson(group: GroupInfo): object {
  return {
    name: group.name,
    status: group.enabled ? "enabled" : "disabled",
    members: group.members,
    policy: group.policies.join(","),
    updatedAt: rfc3339Nano(group.updated),
  };
}

/** True when a Resource of the policy covers the bucket or something in it. */
export function namesBucket(policy: Policy, bucket: string): boolean {
  const values = valuesOf({});
  const covers = (pattern: string): boolean =>
    wildcardMatch(pattern, bucket) || wildcardMatch(pattern.split("/")[0] ?? "", bucket);
  const byResource = policy.statements.some((statement) => statement.resources.some(({ pattern }) => covers(pattern)));
  return byResource || evaluate([policy], { action: "s3:ListBucket", bucket, values }) === "allow";
}

/** The caller, or an access key of the caller. */
function isSelf(request: AdminRequest, user: string): boolean {
  return user === request.identity.user;
}

async function addUser(request: AdminRequest) {
  const accessKey = request.param("accessKey");
  const { identity } = request;
  await request.authorizeOn(identity.kind === "user" && accessKey === identity.accessKey, "admin:CreateUser");
  // An access key must not be able to take over the user that stands behind it.
  const derived = identity.kind === "service-account" || identity.kind === "sts";
  if (derived && accessKey === identity.user) throw new StoreError("XMinioAdminInvalidArgument");
  const body = await request.sealedJson(addUserBody);
  const enabled = enabledOf(body.status ?? "") === true;
  await request.deps.iam.users.put(accessKey, { secretKey: body.secretKey, enabled });
  return OK;
}

/** The JSON of all users, some at a time: a site may have very many. */
async function* userParts(users: AsyncIterable<UserInfo>): AsyncIterable<string> {
  let part = "{";
  let separator = "";
  for await (const user of users) {
    part += `${separator}${JSON.stringify(user.accessKey)}:${JSON.stringify(userJson(user))}`;
    separator = ",";
    if (part.length < PART_CHARS) continue;
    yield part;
    part = "";
  }
  yield `${part}}`;
}

async function listUsers(request: AdminRequest) {
  const { users, policies } = request.deps.iam;
  const bucket = request.bucketText;
  if (bucket === "") return { kind: "sealedParts", parts: userParts(users.each()) } as const;
  const known = (await policies.list()).filter(({ policy }) => namesBucket(policy, bucket));
  const matching = new Set(known.map(({ name }) => name));
  const out: Record<string, object> = {};
  for (const user of await users.list()) {
    const granted = user.policies.filter((name) => matching.has(name));
    if (granted.length > 0) out[user.accessKey] = userJson(user, granted);
  }
  return sealed(out);
}

async function userInfo(request: AdminRequest) {
  const accessKey = request.param("accessKey");
  await request.authorizeOn(isSelf(request, accessKey), "admin:GetUser");
  return json(userJson(await request.deps.iam.users.info(accessKey)));
}

async function removeUser(request: AdminRequest) {
  const accessKey = request.param("accessKey");
  if (isSelf(request, accessKey)) throw new StoreError("XMinioIAMActionNotAllowed");
  await request.deps.iam.users.remove(accessKey);
  return OK;
}

async function setUserStatus(request: AdminRequest) {
  const accessKey = request.param("accessKey");
  const enabled = enabledOf(request.param("status"));
  // Whoever disables itself could never come back.
  if (isSelf(request, accessKey) || enabled === undefined) throw new StoreError("XMinioAdminInvalidArgument");
  await request.deps.iam.users.setEnabled(accessKey, enabled);
  return OK;
}

async function updateGroupMembers(request: AdminRequest) {
  const text = await request.body(PLAIN_BODY_BYTES_MAX, "EntityTooLarge");
  const body = parseJson(text, groupMembersBody, "InvalidRequest");
  const members = body.members ?? [];
  const { groups } = request.deps.iam;
  if (body.isRemove === true) await groups.removeMembers(body.group, members);
  else await groups.addMembers(body.group, members);
  return OK;
}

async function setGroupStatus(request: AdminRequest) {
  const enabled = enabledOf(request.param("status"));
  if (enabled === undefined) throw new StoreError("XMinioAdminInvalidArgument");
  await request.deps.iam.groups.setEnabled(request.param("group"), enabled);
  return OK;
}

export const USER_ROUTES: readonly Route[] = [
  { method: "PUT", path: "add-user", query: ["accessKey"], actions: "self", run: addUser, badCredentialsStatus: 403 },
  { method: "GET", path: "list-users", query: [], actions: ["admin:ListUsers"], run: listUsers },
  { method: "GET", path: "user-info", query: ["accessKey"], actions: "self", run: userInfo },
  { method: "DELETE", path: "remove-user", query: ["accessKey"], actions: ["admin:DeleteUser"], run: removeUser },
  {
    method: "PUT",
    path: "set-user-status",
    query: ["accessKey", "status"],
    actions: ["admin:EnableUser"],
    run: setUserStatus,
  },
  {
    method: "PUT",
    path: "update-group-members",
    query: [],
    actions: ["admin:AddUserToGroup"],
    run: updateGroupMembers,
  },
  {
    method: "GET",
    path: "group",
    query: ["group"],
    actions: ["admin:GetGroup"],
    run: async (request) => json(groupJson(await request.deps.iam.groups.info(request.param("group")))),
  },
  {
    method: "GET",
    path: "groups",
    query: [],
    actions: ["admin:ListGroups"],
    run: async (request) => json(await request.deps.iam.groups.names()),
  },
  {
    method: "PUT",
    path: "set-group-status",
    query: ["group", "status"],
    actions: ["admin:EnableGroup"],
    run: setGroupStatus,
  },
];
