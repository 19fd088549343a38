/** Routes of policies and of who has them (admin-api.md 3.3, 3.4). */
import { z } from "zod";
import type { Entity, PolicyInfo } from "../iam/policies.ts";
import { policyDocument } from "../iam/policy.ts";
import { StoreError } from "../model/errors.ts";
import { rfc3339Nano } from "../protocol/time.ts";
import type { Answer } from "./answer.ts";
import { json, OK, sealed } from "./answer.ts";
import { POLICY_BYTES_MAX } from "./limits.ts";
import type { AdminRequest } from "./request.ts";
import type { Route } from "./route.ts";
import { namesBucket } from "./users.ts";

const mappingBody = z.object({
  policies: z.array(z.string()).nullish(),
  user: z.string().nullish(),
  group: z.string().nullish(),
});

async function addPolicy(request: AdminRequest): Promise<Answer> {
  const length = request.header("content-length");
  if (length === undefined || length === "0") throw new StoreError("MissingContentLength");
  const document = await request.body(POLICY_BYTES_MAX, "EntityTooLarge");
  await request.deps.iam.policies.put(request.param("name"), document.toString("utf8"));
  return OK;
}

async function infoPolicy(request: AdminRequest): Promise<Answer> {
  const name = request.param("name");
  const version = request.param("v");
  if (name.includes(",")) throw new StoreError("InvalidRequest", { message: "One policy at a time." });
  if (version !== "" && version !== "1" && version !== "2") throw new StoreError("InvalidRequest");
  const info = await request.deps.iam.policies.find(name);
  if (info === undefined) throw new StoreError("XMinioAdminNoSuchPolicy");
  const document = policyDocument(info.policy);
  if (version !== "2") return json(document);
  const { times } = info;
  return json({
    PolicyName: name,
    Policy: document,
    ...(times !== undefined && { CreateDate: rfc3339Nano(times.created), UpdateDate: rfc3339Nano(times.updated) }),
  });
}

async function listPolicies(request: AdminRequest): Promise<Answer> {
  const bucket = request.bucketText;
  const all = await request.deps.iam.policies.list();
  const wanted = bucket === "" ? all : all.filter(({ policy }) => namesBucket(policy, bucket));
  return json(Object.fromEntries(wanted.map(({ name, policy }: PolicyInfo) => [name, policyDocument(policy)])));
}

const names = (list: string): string[] =>
  list
    .split(",")
    .map((name) => name.trim())
    .filter((name) => name !== "");

async function setMapping(request: AdminRequest): Promise<Answer> {
  const kind = request.flag("isGroup") ? "group" : "user";
  const entity = { kind, name: request.param("userOrGroup") } as const;
  if (entity.name === "") throw new StoreError("XMinioAdminInvalidArgument");
  await request.deps.iam.policies.map(entity, names(request.param("policyName")));
  return OK;
}

/** Exactly one of user and group, and something to change. */
async function mappingOf(request: AdminRequest): Promise<{ entity: Entity; policies: readonly string[] }> {
  if (request.header("content-type") !== "application/octet-stream") throw new StoreError("BadRequest");
  const body = await request.sealedJson(mappingBody);
  const user = body.user ?? "";
  const group = body.group ?? "";
  const policies = body.policies ?? [];
  if ((user === "") === (group === "") || policies.length === 0) throw new StoreError("InvalidRequest");
  return { entity: user === "" ? { kind: "group", name: group } : { kind: "user", name: user }, policies };
}

function changeRoute(verb: "attach" | "detach"): Route {
  return {
    method: "POST",
    path: `idp/builtin/policy/${verb}`,
    query: [],
    actions: ["admin:UpdatePolicyAssociation", "admin:AttachUserOrGroupPolicy"],
    async run(request) {
      const { entity, policies } = await mappingOf(request);
      const { changed, updated } = await request.deps.iam.policies[verb](entity, policies);
      if (changed.length === 0) throw new StoreError("XMinioAdminPolicyChangeAlreadyApplied");
      const member = verb === "attach" ? "policiesAttached" : "policiesDetached";
      return sealed({ [member]: changed, updatedAt: rfc3339Nano(updated) });
    },
  };
}

interface PolicyMapping {
  policy: string;
  users: string[];
  groups: string[];
}

async function entities(request: AdminRequest): Promise<Answer> {
  const { users: usersApi, groups: groupsApi } = request.deps.iam;
  const asked = { users: request.params("user"), groups: request.params("group"), policies: request.params("policy") };
  const users = (await usersApi.list()).sort((a, b) => (a.accessKey < b.accessKey ? -1 : 1));
  const groups = await Promise.all((await groupsApi.names()).sort().map((name) => groupsApi.info(name)));
  const groupMapping = (name: string) => ({
    group: name,
    policies: groups.find((group) => group.name === name)?.policies ?? [],
  });

  const userMappings = users
    .filter((user) => asked.users.includes(user.accessKey))
    .map((user) => ({
      user: user.accessKey,
      policies: user.policies,
      ...(user.groups.length > 0 && { memberOfMappings: user.groups.map(groupMapping) }),
    }));
  const groupMappings = groups
    .filter((group) => asked.groups.includes(group.name))
    .map((group) => groupMapping(group.name));
  const everything = asked.users.length + asked.groups.length + asked.policies.length === 0;
  const policyMappings = new Map<string, PolicyMapping>();
  const note = (policy: string, kind: "users" | "groups", name: string): void => {
    if (!everything && !asked.policies.includes(policy)) return;
    const mapping = policyMappings.get(policy) ?? { policy, users: [], groups: [] };
    mapping[kind].push(name);
    policyMappings.set(policy, mapping);
  };
  for (const user of users) for (const policy of user.policies) note(policy, "users", user.accessKey);
  for (const group of groups) for (const policy of group.policies) note(policy, "groups", group.name);
  const mappings = [...policyMappings.values()].sort((a, b) => (a.policy < b.policy ? -1 : 1));
  return sealed({
    timestamp: rfc3339Nano(request.deps.clock.nowNs()),
    ...(userMappings.length > 0 && { userMappings }),
    ...(groupMappings.length > 0 && { groupMappings }),
    ...(mappings.length > 0 && { policyMappings: mappings }),
  });
}

async function removePolicy(request: AdminRequest): Promise<Answer> {
  await request.deps.iam.policies.remove(request.param("name"));
  return OK;
}

export const POLICY_ROUTES: readonly Route[] = [
  { method: "PUT", path: "add-canned-policy", query: ["name"], actions: ["admin:CreatePolicy"], run: addPolicy },
  { method: "GET", path: "info-canned-policy", query: ["name"], actions: ["admin:GetPolicy"], run: infoPolicy },
  { method: "GET", path: "list-canned-policies", query: [], actions: ["admin:ListUserPolicies"], run: listPolicies },
  {
    method: "DELETE",
    path: "remove-canned-policy",
    query: ["name"],
    actions: ["admin:DeletePolicy"],
    run: removePolicy,
  },
  {
    method: "PUT",
    path: "set-user-or-group-policy",
    query: ["policyName", "userOrGroup", "isGroup"],
    actions: ["admin:AttachUserOrGroupPolicy"],
    run: setMapping,
  },
  changeRoute("attach"),
  changeRoute("detach"),
  {
    method: "GET",
    path: "idp/builtin/policy-entities",
    query: [],
    actions: ["admin:ListGroups", "admin:ListUsers", "admin:ListUserPolicies"],
    run: entities,
  },
];
