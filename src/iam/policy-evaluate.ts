/** The decision of policies on one question (admin-api.md 7.2, 7.5 step 3). Pure; no statement is copied on the way. */
import { classOfAction } from "./policy-actions.ts";
import type { ActionClass } from "./policy-actions.ts";
import type { Policy, ResourcePattern, Statement } from "./policy.ts";
import { substitute } from "./policy-variables.ts";
import type { Values } from "./policy-variables.ts";
import type { Dependence } from "./types.ts";
import { wildcardMatch } from "./wildcard.ts";

/** `none`: no statement speaks to it, which everywhere means refused, unless someone else allows it. */
export type Verdict = "allow" | "deny" | "none";

export interface Question {
  readonly action: string;
  readonly bucket?: string | undefined;
  /** Object key; for `kms:` actions the key's name. */
  readonly key?: string | undefined;
  readonly values: Values;
  readonly dependence?: Dependence | undefined;
}

/** A bucket policy is also asked who: `user` is empty for an anonymous caller. */
export interface BucketQuestion extends Question {
  readonly user: string;
}

/** Names in Action that stand for others (7.2): granting or denying the first does so to the second too. */
const IMPLIED: Readonly<Record<string, string>> = {
  "s3:GetObjectVersion": "s3:GetObject",
  "s3:GetObjectVersionAttributes": "s3:GetObjectAttributes",
};

function actionListed(patterns: readonly string[], action: string): boolean {
  for (const pattern of patterns) if (wildcardMatch(pattern, action)) return true;
  return false;
}

function actionImplied(patterns: readonly string[], action: string): boolean {
  for (const pattern of patterns) if (IMPLIED[pattern] === action) return true;
  return false;
}

/**
 * `*` spans all classes. An Allow with NotAction stays within the class of what it names: "everything but
 * s3:DeleteObject" must not hand out administration. A Deny with NotAction reaches every class.
 */
function actionMatches(statement: Statement, action: string, asked: ActionClass): boolean {
  const { actions } = statement;
  if (actions.length > 0) return actionListed(actions, action) || actionImplied(actions, action);
  if (statement.effect === "Allow" && statement.kind !== asked && statement.kind !== "any") return false;
  return !actionListed(statement.notActions, action);
}

/** Whether a pattern is matched by each key of the bucket, or by none. */
function sameForAllKeys(pattern: string, bucket: string): boolean {
  if (pattern.includes("${")) return false;
  const place = `${bucket}/`;
  const at = pattern.search(FIRST_WILDCARD);
  const head = at < 0 ? pattern : pattern.slice(0, at);
  // It stands for another bucket, or for the bucket alone.
  if (!head.startsWith(place) && !place.startsWith(head)) return true;
  if (at < 0) return head.length < place.length;
  return head.length <= place.length && pattern.slice(at) === "*";
}

const FIRST_WILDCARD = /[*?]/;

function resourceListed(patterns: readonly ResourcePattern[], resource: string, question: Question): boolean {
  // `bucket` names the bucket itself, whose request resource is `bucket/`.
  const clean = resource.length > 1 && resource.endsWith("/") ? resource.slice(0, -1) : resource;
  const { dependence } = question;
  for (const { pattern } of patterns) {
    if (dependence?.onRequest === false) dependence.onRequest = !sameForAllKeys(pattern, question.bucket ?? "");
    const text = substitute(pattern, question.values);
    if (text === clean || wildcardMatch(text, resource)) return true;
  }
  return false;
}

function resourceMatches(statement: Statement, resource: string, question: Question, asked: ActionClass): boolean {
  // Statements about administration have no resources that could limit them.
  if (statement.kind === "admin" || statement.kind === "sts") return true;
  if (statement.kind === "any" && asked !== "s3") return true;
  if (statement.notResources.length > 0) return !resourceListed(statement.notResources, resource, question);
  if (statement.resources.length > 0) return resourceListed(statement.resources, resource, question);
  return true;
}

function applies(statement: Statement, resource: string, question: Question, asked: ActionClass): boolean {
  if (!actionMatches(statement, question.action, asked)) return false;
  if (!resourceMatches(statement, resource, question, asked)) return false;
  if (statement.conditions.length > 0 && question.dependence !== undefined) question.dependence.onRequest = true;
  for (const condition of statement.conditions) if (!condition.test(question.values)) return false;
  return true;
}

function resourceOf(question: Question, asked: ActionClass): string {
  if (asked === "kms") return question.key ?? "";
  return `${question.bucket ?? ""}/${question.key ?? ""}`;
}

function decide(policies: readonly Policy[], question: Question): Verdict {
  const asked = classOfAction(question.action);
  const resource = resourceOf(question, asked);
  let verdict: Verdict = "none";
  for (const policy of policies) {
    for (const statement of policy.statements) {
      // An Allow that cannot change anything any more need not be matched.
      if (statement.effect === "Allow" && verdict === "allow") continue;
      if (!applies(statement, resource, question, asked)) continue;
      if (statement.effect === "Deny") return "deny";
      verdict = "allow";
    }
  }
  return verdict;
}

/** The decision of identity policies taken together: one Deny wins over all, then one Allow is enough. */
export function evaluate(policies: readonly Policy[], question: Question): Verdict {
  const verdict = decide(policies, question);
  if (verdict !== "none" || question.action !== "s3:ListBucketVersions") return verdict;
  // The right to list a bucket includes the right to list its versions, unless that was denied by name.
  return decide(policies, { ...question, action: "s3:ListBucket" });
}

/** The user that a principal names: the text itself, or what stands behind `user/` of an IAM ARN. */
function principalUser(principal: string): string {
  if (!principal.startsWith("arn:")) return principal;
  const at = principal.indexOf(":user/");
  return at < 0 ? principal : principal.slice(at + ":user/".length);
}

function principalMatches(statement: Statement, user: string): boolean {
  for (const principal of statement.principals ?? []) {
    if (principal === "*") return true;
    if (user !== "" && wildcardMatch(principalUser(principal), user)) return true;
  }
  return false;
}

function decideBucket(policy: Policy, question: BucketQuestion): Verdict {
  // Here the resource of a bucket-level call is `bucket` without a slash: `bucket/*` is about objects alone.
  const bucket = question.bucket ?? "";
  const resource = question.key === undefined || question.key === "" ? bucket : `${bucket}/${question.key}`;
  let verdict: Verdict = "none";
  for (const statement of policy.statements) {
    if (!principalMatches(statement, question.user)) continue;
    if (!applies(statement, resource, question, "s3")) continue;
    if (statement.effect === "Deny") return "deny";
    verdict = "allow";
  }
  return verdict;
}

/** The decision of one bucket policy for one caller. Only S3 actions are ever its business. */
export function evaluateBucketPolicy(policy: Policy, question: BucketQuestion): Verdict {
  if (!question.action.startsWith("s3:")) return "none";
  const verdict = decideBucket(policy, question);
  if (verdict !== "none" || question.action !== "s3:ListBucketVersions") return verdict;
  return decideBucket(policy, { ...question, action: "s3:ListBucket" });
}
