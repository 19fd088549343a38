/** Policy documents: JSON text into statements that can be evaluated (admin-api.md 7.1). Pure; deciding is policy-evaluate.ts. */
import { StoreError } from "../model/errors.ts";
import { ADMIN_ACTIONS, conditionKeyAllowed, KMS_ACTIONS, namesS3Action, STS_ACTIONS } from "./policy-actions.ts";
import type { ActionClass } from "./policy-actions.ts";
import { ConditionFault, parseCondition } from "./policy-conditions.ts";
import type { Condition } from "./policy-conditions.ts";
import { wildcardMatch } from "./wildcard.ts";

export interface ResourcePattern {
  /** `any` is the bare `*`. */
  readonly service: "s3" | "kms" | "any";
  /** What follows the last colon of the ARN. */
  readonly pattern: string;
}

export interface Statement {
  readonly sid: string;
  readonly effect: "Allow" | "Deny";
  /** `any`: the statement names the action `*`. */
  readonly kind: ActionClass | "any";
  /** Exactly one of the two lists is not empty. */
  readonly actions: readonly string[];
  readonly notActions: readonly string[];
  /** At most one of the two lists is not empty. */
  readonly resources: readonly ResourcePattern[];
  readonly notResources: readonly ResourcePattern[];
  readonly conditions: readonly Condition[];
  /** Bucket policies only: `*`, user names or IAM ARNs. */
  readonly principals: readonly string[] | undefined;
}

export interface Policy {
  readonly id: string;
  /** Empty when the document names none: fine to evaluate, refused where a policy is stored. */
  readonly version: string;
  readonly statements: readonly Statement[];
}

/** The document as clients are shown it: members in order, every value that may be a list is one. */
export type PolicyDocument = Readonly<Record<string, unknown>>;

export const POLICY_VERSION = "2012-10-17";
const S3_ARN = "arn:aws:s3:::";
const KMS_ARN = "arn:minio:kms:::";

type PolicyErrorCode = "XMinioMalformedIAMPolicy" | "MalformedPolicy";
type JsonObject = Readonly<Record<string, unknown>>;

class PolicyFault extends Error {
  override name = "PolicyFault";
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Members are found without regard to case, the exact spelling first: existing documents were read that way. */
function member(object: JsonObject, name: string): unknown {
  if (Object.hasOwn(object, name)) return object[name];
  const folded = name.toLowerCase();
  const key = Object.keys(object).find((candidate) => candidate.toLowerCase() === folded);
  return key === undefined ? undefined : object[key];
}

function text(object: JsonObject, name: string): string {
  const value = member(object, name) ?? "";
  if (typeof value !== "string") throw new PolicyFault(`${name} must be a string`);
  return value;
}

function stringList(object: JsonObject, name: string): string[] | undefined {
  const value = member(object, name);
  if (value === undefined || value === null) return undefined;
  const list: unknown[] = Array.isArray(value) ? value : [value];
  if (list.length === 0) throw new PolicyFault(`${name} is empty`);
  return [
    ...new Set(
      list.map((item) => {
        if (typeof item !== "string" || item === "") throw new PolicyFault(`${name} must hold strings`);
        return item;
      }),
    ),
  ];
}

function parseResource(arn: string): ResourcePattern {
  if (arn === "*") return { service: "any", pattern: "*" };
  const service = arn.startsWith(S3_ARN) ? "s3" : arn.startsWith(KMS_ARN) ? "kms" : undefined;
  const pattern = arn.slice(service === "kms" ? KMS_ARN.length : S3_ARN.length);
  if (service === undefined || pattern === "") throw new PolicyFault(`invalid resource '${arn}'`);
  if (pattern.startsWith("/")) throw new PolicyFault(`resource '${arn}' begins with '/'`);
  if (service === "kms" && /[/\\.]/.test(pattern)) throw new PolicyFault(`invalid key name in resource '${arn}'`);
  return { service, pattern };
}

/** A statement's class follows from its exact names, strongest first; then every action must belong to that class. */
function classify(actions: readonly string[]): ActionClass | "any" {
  const every = (known: ReadonlySet<string>, kind: ActionClass): ActionClass => {
    const stranger = actions.find((action) => !known.has(action));
    if (stranger !== undefined) throw new PolicyFault(`action '${stranger}' cannot stand beside ${kind} actions`);
    return kind;
  };
  if (actions.some((action) => ADMIN_ACTIONS.has(action))) return every(ADMIN_ACTIONS, "admin");
  if (actions.some((action) => STS_ACTIONS.has(action))) return every(STS_ACTIONS, "sts");
  if (actions.some((action) => KMS_ACTIONS.has(action))) return every(KMS_ACTIONS, "kms");
  const unknown = actions.find((action) => !namesS3Action(action));
  if (unknown !== undefined) throw new PolicyFault(`unsupported action '${unknown}'`);
  return actions.includes("*") ? "any" : "s3";
}

function parseConditions(statement: JsonObject, kind: ActionClass | "any", actions: readonly string[]): Condition[] {
  const block = member(statement, "Condition") ?? {};
  if (!isObject(block)) throw new PolicyFault("Condition must be an object");
  const out: Condition[] = [];
  for (const [operator, keys] of Object.entries(block)) {
    if (!isObject(keys)) throw new PolicyFault(`condition ${operator} must be an object`);
    for (const [key, value] of Object.entries(keys)) {
      const stranger = actions.find((action) => !conditionKeyAllowed(kind, action, key));
      if (stranger !== undefined) throw new PolicyFault(`condition key '${key}' is not known for action '${stranger}'`);
      const list: unknown[] = Array.isArray(value) ? value : [value];
      out.push(parseCondition(operator, key, list.map(scalar)));
    }
  }
  return out;
}

function scalar(value: unknown): string | number | boolean {
  if (typeof value === "string" || typeof value === "number" || typeof value === "boolean") return value;
  throw new PolicyFault("a condition value must be a string, a number or a boolean");
}

function checkResources(kind: ActionClass | "any", resources: readonly ResourcePattern[]): void {
  const wrong = kind === "s3" ? "kms" : kind === "kms" ? "s3" : undefined;
  const stranger = resources.find((resource) => resource.service === wrong);
  if (stranger !== undefined) throw new PolicyFault(`resource '${stranger.pattern}' does not fit ${kind} actions`);
  if (kind === "s3" && resources.length === 0) throw new PolicyFault("Resource or NotResource is missing");
}

function parsePrincipals(statement: JsonObject): string[] {
  if (member(statement, "NotPrincipal") !== undefined) throw new PolicyFault("NotPrincipal is not supported");
  const value = member(statement, "Principal");
  if (value === "*") return ["*"];
  const names = isObject(value) ? stringList(value, "AWS") : undefined;
  if (names === undefined) throw new PolicyFault('Principal must be "*" or {"AWS": ...}');
  return names;
}

function parseStatement(value: unknown, form: "identity" | "bucket"): Statement {
  if (!isObject(value)) throw new PolicyFault("a statement must be an object");
  const effect = text(value, "Effect");
  if (effect !== "Allow" && effect !== "Deny") throw new PolicyFault(`invalid Effect '${effect}'`);
  const actions = stringList(value, "Action") ?? [];
  const notActions = stringList(value, "NotAction") ?? [];
  if ((actions.length === 0) === (notActions.length === 0))
    throw new PolicyFault("either Action or NotAction is needed");
  const named = actions.length > 0 ? actions : notActions;
  const kind = classify(named);
  const resources = (stringList(value, "Resource") ?? []).map(parseResource);
  const notResources = (stringList(value, "NotResource") ?? []).map(parseResource);
  if (resources.length > 0 && notResources.length > 0)
    throw new PolicyFault("Resource and NotResource exclude each other");
  checkResources(kind, [...resources, ...notResources]);
  return {
    sid: text(value, "Sid"),
    effect,
    kind,
    actions,
    notActions,
    resources,
    notResources,
    conditions: parseConditions(value, kind, named),
    principals: form === "bucket" ? parsePrincipals(value) : undefined,
  };
}

function parse(json: unknown, form: "identity" | "bucket"): Policy {
  if (!isObject(json)) throw new PolicyFault("the policy must be a JSON object");
  const version = text(json, "Version");
  if (version !== "" && version !== POLICY_VERSION) throw new PolicyFault(`invalid Version '${version}'`);
  const list = member(json, "Statement") ?? [];
  if (!Array.isArray(list)) throw new PolicyFault("Statement must be an array");
  return { id: text(json, "ID"), version, statements: list.map((value) => parseStatement(value, form)) };
}

function parseOrRefuse(source: string, form: "identity" | "bucket", code: PolicyErrorCode): Policy {
  try {
    return parse(JSON.parse(source), form);
  } catch (error) {
    const expected = error instanceof PolicyFault || error instanceof ConditionFault || error instanceof SyntaxError;
    if (expected) throw new StoreError(code, { message: `Policy is not valid: ${error.message}`, cause: error });
    throw error;
  }
}

/** An identity policy. Throws XMinioMalformedIAMPolicy. Zero statements and an empty Version parse; storing refuses them. */
export function parsePolicy(source: string): Policy {
  return parseOrRefuse(source, "identity", "XMinioMalformedIAMPolicy");
}

/**
 * The policy of `bucket`: every statement has a Principal, a Resource or NotResource whose bucket part can be this
 * bucket, and S3 actions only. Throws MalformedPolicy.
 */
export function parseBucketPolicy(source: string, bucket: string): Policy {
  const policy = parseOrRefuse(source, "bucket", "MalformedPolicy");
  const refuse = (message: string): never => {
    throw new StoreError("MalformedPolicy", { message: `Policy is not valid: ${message}`, bucket });
  };
  if (policy.version === "") refuse("Version is missing");
  if (policy.statements.length === 0) refuse("Statement is empty");
  for (const statement of policy.statements) {
    if (statement.kind !== "s3" && statement.kind !== "any") refuse("a bucket policy holds S3 actions only");
    const resources = [...statement.resources, ...statement.notResources];
    if (resources.length === 0) refuse("Resource is missing");
    for (const { pattern } of resources) {
      if (!wildcardMatch(pattern.split("/")[0] ?? "", bucket)) refuse(`resource '${pattern}' is outside the bucket`);
    }
  }
  return policy;
}

const arnOf = (resource: ResourcePattern): string =>
  resource.service === "any" ? "*" : (resource.service === "s3" ? S3_ARN : KMS_ARN) + resource.pattern;

function statementDocument(statement: Statement): PolicyDocument {
  const condition: Record<string, Record<string, unknown>> = {};
  for (const { operator, key, written } of statement.conditions) {
    condition[operator] = { ...condition[operator], [key]: written };
  }
  return {
    ...(statement.sid !== "" && { Sid: statement.sid }),
    Effect: statement.effect,
    ...(statement.principals !== undefined && { Principal: { AWS: statement.principals } }),
    ...(statement.actions.length > 0 && { Action: statement.actions }),
    ...(statement.notActions.length > 0 && { NotAction: statement.notActions }),
    ...(statement.resources.length > 0 && { Resource: statement.resources.map(arnOf) }),
    ...(statement.notResources.length > 0 && { NotResource: statement.notResources.map(arnOf) }),
    ...(statement.conditions.length > 0 && { Condition: condition }),
  };
}

/** The inverse of parsing: unknown members are gone, single values are lists of one. */
export function policyDocument(policy: Policy): PolicyDocument {
  return {
    ...(policy.id !== "" && { ID: policy.id }),
    Version: policy.version,
    Statement: policy.statements.map(statementDocument),
  };
}

/** One document with the statements of all, duplicates dropped: what a user may do, as consoles show it. */
export function mergedDocument(policies: readonly Policy[]): PolicyDocument {
  const seen = new Map<string, PolicyDocument>();
  for (const policy of policies) {
    for (const statement of policy.statements) {
      const document = statementDocument(statement);
      seen.set(JSON.stringify(document), document);
    }
  }
  return { Version: POLICY_VERSION, Statement: [...seen.values()] };
}
