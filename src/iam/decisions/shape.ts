/** The form of the decision table, and short ways to write statements in it. */

/**
 * A policy, then questions with the answer that S3 and MinIO give (admin-api.md 7). A question is
 * `ANSWER ACTION RESOURCE VALUES`: the answer is allow, deny or none (nobody speaks to it); RESOURCE is a bucket,
 * `bucket/key`, or `-`; VALUES, if any, are condition values by bare name, encoded like a query.
 */
export interface Decisions {
  readonly what: string;
  readonly statements: readonly object[];
  /** Present: the policy of this bucket, asked by this user (empty: nobody). */
  readonly bucket?: { readonly name: string; readonly user: string } | undefined;
  readonly ask: readonly string[];
}

type Names = string | readonly string[];

/** Patterns as ARNs; the bare `*` stays. */
export function arns(patterns: Names): string[] {
  return [patterns].flat().map((pattern) => (pattern === "*" ? "*" : `arn:aws:s3:::${pattern}`));
}

function statement(Effect: "Allow" | "Deny") {
  return (Action: Names, Resource?: Names, more: object = {}): object => ({
    Effect,
    Action,
    ...(Resource !== undefined && { Resource: arns(Resource) }),
    ...more,
  });
}

export const allow = statement("Allow");
export const deny = statement("Deny");
/** A statement's Condition block. */
export const when = (Condition: object): object => ({ Condition });
