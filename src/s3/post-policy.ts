/** The policy of a POST upload: what a form may hold, and until when (s3-api.md 2.6). Pure. */
import { StoreError } from "../model/errors.ts";

export interface PostPolicy {
  readonly expiresMs: number;
  readonly conditions: readonly Condition[];
  readonly sizeMin: number;
  readonly sizeMax: number;
}

interface Condition {
  readonly operator: "eq" | "starts-with";
  /** Lower-case, without `$`. */
  readonly field: string;
  readonly value: string;
}

function invalid(message: string): StoreError {
  return new StoreError("InvalidPolicyDocument", {
    message: `The policy document of the form is not valid: ${message}`,
  });
}

const EXPIRATION = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/;

function object(value: unknown): Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw invalid("it is not a JSON object.");
  return value as Record<string, unknown>;
}

/** Reads the base64 of a policy. InvalidPolicyDocument for anything that is not one. */
export function parsePostPolicy(base64: string): PostPolicy {
  let parsed: unknown;
  try {
    parsed = JSON.parse(Buffer.from(base64, "base64").toString("utf8"));
  } catch {
    throw invalid("it is not JSON.");
  }
  const { expiration, conditions, ...others } = object(parsed);
  if (typeof expiration !== "string" || !EXPIRATION.test(expiration))
    throw invalid("the expiration is missing or not a time.");
  if (!Array.isArray(conditions) || conditions.length === 0) throw invalid("there are no conditions.");
  if (Object.keys(others).length > 0) throw invalid("it has an unknown member.");
  const out: Condition[] = [];
  let sizeMin = 0;
  let sizeMax = Infinity;
  for (const one of conditions as unknown[]) {
    if (Array.isArray(one) && String(one[0]).toLowerCase() === "content-length-range") {
      [sizeMin, sizeMax] = sizeRange(one);
    } else out.push(...conditionsOf(one));
  }
  return { expiresMs: Date.parse(expiration), conditions: out, sizeMin, sizeMax };
}

function sizeRange(range: readonly unknown[]): [number, number] {
  const [min, max] = range.slice(1).map(Number);
  if (range.length !== 3 || min === undefined || max === undefined || !(min >= 0) || !(max >= min))
    throw invalid("a content-length-range needs two sizes.");
  return [min, max];
}

function conditionsOf(condition: unknown): Condition[] {
  if (!Array.isArray(condition)) {
    const pairs = Object.entries(object(condition));
    if (pairs.length === 0) throw invalid("a condition is empty.");
    return pairs.map(([field, value]) => ({ operator: "eq", field: field.toLowerCase(), value: text(value) }));
  }
  const operator = String(condition[0]).toLowerCase();
  const field = String(condition[1]);
  if (condition.length !== 3 || (operator !== "eq" && operator !== "starts-with") || !field.startsWith("$"))
    throw invalid("a condition has an unknown form.");
  return [{ operator, field: field.slice(1).toLowerCase(), value: text(condition[2]) }];
}

function text(value: unknown): string {
  if (typeof value !== "string") throw invalid("a condition's value is not text.");
  return value;
}

/** Fields that need no condition. */
const FREE = new Set(["awsaccesskeyid", "signature", "x-amz-signature", "policy", "file"]);

function isFree(field: string): boolean {
  return FREE.has(field) || field.startsWith("x-ignore-") || field.startsWith("x-amz-checksum-");
}

/**
 * Throws AccessDenied when the policy expired, a condition fails, or a field is not covered by a condition. The bucket
 * counts as a field: a policy that does not name it would be good for every bucket of its signer.
 */
export function checkPostPolicy(policy: PostPolicy, fields: Readonly<Record<string, string>>, nowMs: number): void {
  const denied = (message: string): never => {
    throw new StoreError("AccessDenied", { message: `Invalid according to Policy: ${message}` });
  };
  if (policy.expiresMs <= nowMs) denied("Policy expired.");
  const covered = new Set<string>();
  for (const { operator, field, value } of policy.conditions) {
    covered.add(field);
    const sent = fields[field];
    const holds =
      operator === "eq" ? sent === value : sent === undefined ? value === "" : meetsPrefix(field, sent, value);
    if (!holds) denied(`Policy Condition failed: [${operator}, $${field}, ${value}]`);
  }
  for (const field of Object.keys(fields)) {
    if (!covered.has(field) && !isFree(field)) denied(`Extra input fields: ${field}`);
  }
}

/** Content types may be a list: each of them must begin so. */
function meetsPrefix(field: string, sent: string, prefix: string): boolean {
  if (field !== "content-type") return sent.startsWith(prefix);
  return sent.split(",").every((type) => type.trim().startsWith(prefix));
}
