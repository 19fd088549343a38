/**
 * What anybody may do below which prefix of a bucket, as four words, and the bucket policy that says so (mc-cli.md 9.3).
 * Statements that say more than these words can are kept as they are and count as `custom`.
 */

export const PERMISSIONS = ["none", "download", "upload", "public"] as const;
export type Permission = (typeof PERMISSIONS)[number];

export interface PolicyDocument {
  readonly Version?: string | undefined;
  readonly Statement?: readonly Statement[] | undefined;
}

export interface Statement {
  readonly Sid?: string | undefined;
  readonly Effect?: string | undefined;
  readonly Principal?: unknown;
  readonly Action?: string | readonly string[] | undefined;
  readonly Resource?: string | readonly string[] | undefined;
  readonly Condition?: unknown;
}

const ARN = "arn:aws:s3:::";
const READ = ["s3:GetObject"] as const;
const WRITE = ["s3:AbortMultipartUpload", "s3:DeleteObject", "s3:ListMultipartUploadParts", "s3:PutObject"] as const;
const OBJECT_ACTIONS: ReadonlySet<string> = new Set([...READ, ...WRITE]);
const BUCKET_ACTIONS: ReadonlySet<string> = new Set([
  "s3:GetBucketLocation",
  "s3:ListBucket",
  "s3:ListBucketMultipartUploads",
]);

const listOf = (value: string | readonly string[] | undefined): readonly string[] =>
  typeof value === "string" ? [value] : (value ?? []);

function forEveryone(principal: unknown): boolean {
  if (principal === "*") return true;
  const aws: unknown = typeof principal === "object" && principal !== null && "AWS" in principal ? principal.AWS : [];
  return aws === "*" || (Array.isArray(aws) && aws.length === 1 && aws[0] === "*");
}

/** A statement about the bucket itself that follows from grants, so that it is made anew with them. */
function isListing(statement: Statement, bucket: string): boolean {
  const condition = statement.Condition as Record<string, Record<string, unknown>> | undefined;
  const byPrefix = Object.entries(condition ?? {}).every(
    ([operator, keys]) => /^String(Equals|Like)$/.test(operator) && Object.keys(keys).join() === "s3:prefix",
  );
  return (
    byPrefix &&
    listOf(statement.Resource).every((resource) => resource === ARN + bucket) &&
    listOf(statement.Action).every((action) => BUCKET_ACTIONS.has(action))
  );
}

/** Prefixes that a statement about objects covers; undefined when it says more than four words can. */
function prefixesOf(statement: Statement, bucket: string): readonly string[] | undefined {
  const start = `${ARN}${bucket}/`;
  const resources = listOf(statement.Resource);
  const plain = (text: string): boolean => !/[*?]/.test(text);
  const covered = resources.every(
    (one) => one.startsWith(start) && one.endsWith("*") && plain(one.slice(start.length, -1)),
  );
  const known = listOf(statement.Action).every((action) => OBJECT_ACTIONS.has(action));
  if (!covered || !known || statement.Condition !== undefined || resources.length === 0) return undefined;
  return resources.map((one) => one.slice(start.length, -1));
}

export interface Grants {
  /** Never `none`; by prefix, "" for the whole bucket. */
  readonly prefixes: ReadonlyMap<string, Permission>;
  readonly custom: readonly Statement[];
}

export function grantsOf(document: PolicyDocument | undefined, bucket: string): Grants {
  const actions = new Map<string, Set<string>>();
  const custom: Statement[] = [];
  for (const statement of document?.Statement ?? []) {
    const open = statement.Effect === "Allow" && forEveryone(statement.Principal);
    const prefixes = open ? prefixesOf(statement, bucket) : undefined;
    if (prefixes === undefined) {
      if (!open || !isListing(statement, bucket)) custom.push(statement);
      continue;
    }
    for (const prefix of prefixes) {
      const held = actions.get(prefix) ?? new Set();
      actions.set(prefix, new Set([...held, ...listOf(statement.Action)]));
    }
  }
  const prefixes = new Map<string, Permission>();
  for (const [prefix, held] of actions) {
    const reads = READ.every((action) => held.has(action));
    const writes = held.has("s3:PutObject");
    if (reads || writes) prefixes.set(prefix, reads && writes ? "public" : reads ? "download" : "upload");
  }
  return { prefixes, custom };
}

function listing(bucket: string, actions: readonly string[], condition?: object): Statement {
  const base = { Effect: "Allow", Principal: { AWS: ["*"] }, Action: actions, Resource: [ARN + bucket] };
  return condition === undefined ? base : { ...base, Condition: condition };
}

function statements(bucket: string, prefixes: ReadonlyMap<string, Permission>): Statement[] {
  if (prefixes.size === 0) return [];
  const sorted = [...prefixes].sort(([a], [b]) => (a < b ? -1 : 1));
  const readable = sorted.filter(([, permission]) => permission !== "upload").map(([prefix]) => prefix);
  const writable = sorted.some(([, permission]) => permission !== "download");
  const whole = readable.includes("");
  const out = [
    listing(bucket, [
      "s3:GetBucketLocation",
      ...(whole ? ["s3:ListBucket"] : []),
      ...(writable ? ["s3:ListBucketMultipartUploads"] : []),
    ]),
  ];
  if (readable.length > 0 && !whole) {
    out.push(listing(bucket, ["s3:ListBucket"], { StringEquals: { "s3:prefix": readable } }));
  }
  for (const [prefix, permission] of sorted) {
    const Action = [...(permission === "upload" ? [] : READ), ...(permission === "download" ? [] : WRITE)];
    const Resource = [`${ARN}${bucket}/${prefix}*`];
    out.push({ Effect: "Allow", Principal: { AWS: ["*"] }, Action: Action.sort(), Resource });
  }
  return out;
}

/** The policy after a change; undefined: there is nothing left to say, so the bucket needs none. */
export function withPermission(
  document: PolicyDocument | undefined,
  at: { readonly bucket: string; readonly prefix: string },
  permission: Permission,
): PolicyDocument | undefined {
  const { prefixes, custom } = grantsOf(document, at.bucket);
  const next = new Map(prefixes);
  next.delete(at.prefix);
  if (permission !== "none") next.set(at.prefix, permission);
  const Statement = [...statements(at.bucket, next), ...custom];
  return Statement.length === 0 ? undefined : { Version: "2012-10-17", Statement };
}

/** What anybody may do below `prefix`: as granted for it or for a shorter prefix; `custom`: the policy says something else. */
export function permissionOf(
  document: PolicyDocument | undefined,
  at: { readonly bucket: string; readonly prefix: string },
): Permission | "custom" {
  const { prefixes, custom } = grantsOf(document, at.bucket);
  const covering = [...prefixes].filter(([prefix]) => at.prefix.startsWith(prefix)).map(([, permission]) => permission);
  if (custom.length > 0) return "custom";
  if (covering.length === 0) return "none";
  const reads = covering.some((permission) => permission !== "upload");
  const writes = covering.some((permission) => permission !== "download");
  return reads && writes ? "public" : reads ? "download" : "upload";
}
