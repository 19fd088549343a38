/**
 * Who a request is from and what it may do (admin-api.md 7.5). Every question reads the rows it needs from the index,
 * about a microsecond each; parsing happens on change only.
 */
import type { Clock } from "../runtime/clock.ts";
import type { Random } from "../runtime/random.ts";
import type { OrderedIndex } from "../storage/index/index.ts";
import { createAccessKeys } from "./access-keys.ts";
import type { AccessKeysApi } from "./access-keys.ts";
import { BUILTIN_POLICIES } from "./builtin-policies.ts";
import { iamContents } from "./contents.ts";
import type { IamContents } from "./contents.ts";
import { createPolicies, policyNamed } from "./policies.ts";
import type { PoliciesApi } from "./policies.ts";
import { parseBucketPolicy } from "./policy.ts";
import type { Policy } from "./policy.ts";
import { evaluate, evaluateBucketPolicy } from "./policy-evaluate.ts";
import type { Question, Verdict } from "./policy-evaluate.ts";
import { valuesOf } from "./policy-variables.ts";
import type { Values } from "./policy-variables.ts";
import { createSessions, rootMark } from "./sessions.ts";
import type { SessionsApi } from "./sessions.ts";
import { IdentityStore, ROOT_PARENT } from "./store.ts";
import type { Sealer } from "../model/sealer.ts";
import type { KeyRow, StoredKey } from "./store.ts";
import type { Access, Iam, Identity } from "./types.ts";
import { createGroups, createUsers } from "./users.ts";
import type { GroupsApi, UsersApi } from "./users.ts";

export interface IamDeps {
  readonly index: OrderedIndex;
  readonly root: { readonly accessKey: string; readonly secretKey: string };
  readonly sealer: Sealer;
  readonly clock: Clock;
  readonly random: Random;
  /** Whether the root account and what is derived from it may be used; absent: it may. */
  readonly rootAccess?: (() => boolean) | undefined;
}

/** Authorization for every layer above, and the management calls behind the admin API. */
export interface IamService extends Iam {
  readonly rootAccessKey: string;
  readonly users: UsersApi;
  readonly groups: GroupsApi;
  readonly policies: PoliciesApi;
  readonly accessKeys: AccessKeysApi;
  readonly sessions: SessionsApi;
  /** Everything, secrets in clear: for exports. */
  contents(): Promise<IamContents>;
  /** Policies in effect for a user or root: its own and its groups'. Empty when the user or a group is disabled. */
  policiesOf(user: string): Promise<readonly Policy[]>;
}

/** Bucket policies parsed, by bucket and text. */
const BUCKET_POLICY_CACHE_MAX = 1000;
/** A Deny for everyone must not lock the owner out of repairing it. */
const POLICY_CALLS: ReadonlySet<string> = new Set([
  "s3:GetBucketPolicy",
  "s3:PutBucketPolicy",
  "s3:DeleteBucketPolicy",
]);
const NOTHING: readonly Policy[] = [];

const ANONYMOUS: Identity = { kind: "anonymous", accessKey: "", secretKey: "", user: "", enabled: true };

interface Grants {
  readonly policies: readonly Policy[];
  readonly groups: readonly string[];
}

const NO_GRANTS: Grants = { policies: NOTHING, groups: [] };

class Authorizer implements Iam {
  readonly anonymous = ANONYMOUS;
  readonly #store: IdentityStore;
  readonly #clock: Clock;
  readonly #root: Identity;
  readonly #rootMark: string;
  readonly #rootAccess: () => boolean;
  readonly #bucketPolicies = new Map<string, { readonly text: string; readonly policy: Policy }>();

  constructor(store: IdentityStore, deps: IamDeps) {
    this.#store = store;
    this.#clock = deps.clock;
    const { accessKey, secretKey } = deps.root;
    this.#rootMark = rootMark(deps.root);
    this.#rootAccess = deps.rootAccess ?? (() => true);
    this.#root = { kind: "root", accessKey, secretKey, user: accessKey, enabled: true };
  }

  async lookup(accessKey: string): Promise<Identity | undefined> {
    if (accessKey === this.#root.accessKey) return this.#rootAccess() ? this.#root : { ...this.#root, enabled: false };
    const user = await this.#store.users.get(accessKey);
    if (user !== undefined) {
      const { secretKey } = user.extra;
      return { kind: "user", accessKey, secretKey, user: accessKey, enabled: user.row.enabled };
    }
    const key = await this.#store.keys.get(accessKey);
    if (key === undefined) return undefined;
    return this.#derived(key);
  }

  /** An access key or a session; undefined when it belongs to nobody any more. */
  async #derived({ name, row, extra }: StoredKey): Promise<Identity | undefined> {
    const user = this.#userOf(row);
    if (user === undefined || (row.session !== undefined && extra.rootMark !== this.#rootMark)) return undefined;
    const expired = row.expires !== undefined && row.expires <= this.#clock.nowMs();
    const parentEnabled =
      row.parent === ROOT_PARENT ? this.#rootAccess() : (await this.#store.users.get(user))?.row.enabled === true;
    return {
      kind: row.session === undefined ? "service-account" : "sts",
      accessKey: name,
      secretKey: extra.secretKey,
      user,
      enabled: row.enabled && !expired && parentEnabled,
      sessionToken: extra.sessionToken,
    };
  }

  /** Whose key it is. A user whose name the root account has taken since must not hand its keys to root. */
  #userOf(row: KeyRow): string | undefined {
    if (row.parent === ROOT_PARENT) return this.#root.accessKey;
    return row.parent === this.#root.accessKey ? undefined : row.parent;
  }

  async allowed(identity: Identity, access: Access): Promise<boolean> {
    const isRoot = identity.user === this.#root.accessKey;
    const needless = isRoot || identity.kind === "anonymous";
    const grants = needless ? NO_GRANTS : await this.grants(identity.user);
    const question: Question = {
      action: access.action,
      bucket: access.bucket,
      key: access.key,
      values: this.#values(identity, grants.groups, access.conditions ?? {}),
      dependence: access.dependence,
    };
    const fromBucket = this.#bucketVerdict(identity, access, question);
    if (fromBucket === "deny" && !(isRoot && POLICY_CALLS.has(access.action))) return false;
    if (!isRoot) {
      const own = evaluate(grants.policies, question);
      const granted = own === "allow" || fromBucket === "allow" || access.denyOnly === true;
      if (own === "deny" || !granted) return false;
    }
    const derived = identity.kind === "service-account" || identity.kind === "sts";
    return !derived || this.#sessionAllows(identity, access, question);
  }

  /** Policies of a user through itself and its groups (7.5 step 2). */
  async grants(user: string): Promise<Grants> {
    const stored = await this.#store.users.get(user);
    if (stored === undefined || !stored.row.enabled) return NO_GRANTS;
    const { groups } = stored.row;
    const names = new Set(stored.row.policies);
    for (const name of groups) {
      const group = await this.#store.groups.get(name);
      // One disabled group takes everything away: that is what operators of MinIO rely on.
      if (group?.row.enabled === false) return { policies: NOTHING, groups };
      for (const policy of group?.row.policies ?? []) names.add(policy);
    }
    const policies: Policy[] = [];
    for (const name of names) {
      const policy = await policyNamed(this.#store, name);
      if (policy !== undefined) policies.push(policy);
    }
    return { policies, groups };
  }

  /** An access key never has more than its session policy; without one it has what its parent has. */
  async #sessionAllows(identity: Identity, access: Access, question: Question): Promise<boolean> {
    const key = await this.#store.keys.get(identity.accessKey);
    // Removed since the signature was checked, or claimed for another parent.
    if (key === undefined || this.#userOf(key.row) !== identity.user) return false;
    const { sessionPolicy } = key.extra;
    if (sessionPolicy === undefined) return true;
    const verdict = evaluate([sessionPolicy], question);
    // Acting on oneself is no exception here: a session policy is the limit of what a key may administer.
    const denyOnly = access.denyOnly === true && question.action.startsWith("s3:");
    return denyOnly ? verdict !== "deny" : verdict === "allow";
  }

  #bucketVerdict(identity: Identity, access: Access, question: Question): Verdict {
    const { bucket, bucketPolicy } = access;
    if (bucketPolicy === undefined || bucket === undefined) return "none";
    const policy = this.#bucketPolicy(bucket, bucketPolicy);
    return evaluateBucketPolicy(policy, { ...question, user: identity.user });
  }

  #bucketPolicy(bucket: string, text: string): Policy {
    const cached = this.#bucketPolicies.get(bucket);
    if (cached?.text === text) return cached.policy;
    const policy = parseBucketPolicy(text, bucket);
    if (this.#bucketPolicies.size >= BUCKET_POLICY_CACHE_MAX) this.#bucketPolicies.clear();
    this.#bucketPolicies.set(bucket, { text, policy });
    return policy;
  }

  #principalType(identity: Identity): string {
    if (identity.kind === "anonymous") return "Anonymous";
    if (identity.kind === "sts") return "AssumedRole";
    return identity.user === this.#root.accessKey ? "Account" : "User";
  }

  /** What the identity says about itself comes from here, never from the request. */
  #values(
    identity: Identity,
    groups: readonly string[],
    conditions: Readonly<Record<string, readonly string[]>>,
  ): Values {
    const request = valuesOf(conditions);
    return (key) => {
      switch (key) {
        case "aws:username":
        case "aws:userid":
          return identity.user === "" ? [] : [identity.user];
        case "aws:groups":
          return groups;
        case "aws:principaltype":
          return [this.#principalType(identity)];
        case "aws:CurrentTime":
          return [new Date(this.#clock.nowMs()).toISOString()];
        case "aws:EpochTime":
          return [String(Math.floor(this.#clock.nowMs() / 1000))];
        default:
          return request(key);
      }
    };
  }
}

export function createIam(deps: IamDeps): IamService {
  const store = new IdentityStore(deps.index, deps.sealer);
  const rootAccessKey = deps.root.accessKey;
  const context = { store, clock: deps.clock, random: deps.random, rootAccessKey };
  const authorizer = new Authorizer(store, deps);
  const everything = [BUILTIN_POLICIES.get("consoleAdmin")].filter((policy) => policy !== undefined);
  return {
    anonymous: authorizer.anonymous,
    rootAccessKey,
    lookup: (accessKey) => authorizer.lookup(accessKey),
    allowed: (identity, access) => authorizer.allowed(identity, access),
    users: createUsers(context),
    groups: createGroups(context),
    policies: createPolicies(context),
    accessKeys: createAccessKeys(context),
    sessions: createSessions({ ...context, rootMark: rootMark(deps.root) }),
    contents: () => iamContents(store, rootAccessKey),
    policiesOf: async (user) => (user === rootAccessKey ? everything : (await authorizer.grants(user)).policies),
  };
}
