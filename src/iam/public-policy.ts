/** Whether a bucket policy is public: it allows something to everyone, from everywhere. Pure. */
import type { Condition } from "./policy-conditions.ts";
import type { Policy, Statement } from "./policy.ts";
import { hasWildcard } from "./wildcard.ts";

/** Condition keys that narrow "everyone" down when they are held against fixed values. */
const NARROWING = new Set(["aws:SourceIp", "aws:userid", "aws:username", "aws:groups"]);
const OPERATORS = /^(ForAnyValue:)?(StringEquals|StringEqualsIgnoreCase|StringLike|IpAddress)$/;

/** As AWS decides it for BlockPublicPolicy, RestrictPublicBuckets and GetBucketPolicyStatus. */
export function isPublicPolicy(policy: Policy): boolean {
  return policy.statements.some(isPublicStatement);
}

function isPublicStatement(statement: Statement): boolean {
  if (statement.effect !== "Allow" || !(statement.principals ?? []).includes("*")) return false;
  return !statement.conditions.some(narrows);
}

function narrows({ operator, key, written }: Condition): boolean {
  if (!OPERATORS.test(operator) || !NARROWING.has(key)) return false;
  const values: readonly unknown[] = Array.isArray(written) ? written : [written];
  return values.every((value) => typeof value === "string" && !hasWildcard(value) && !value.endsWith("/0"));
}
