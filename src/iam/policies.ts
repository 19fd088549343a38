/** Canned policies and who has them (admin-api.md 3.3, 3.4). */
import { StoreError } from "../model/errors.ts";
import { BUILTIN_POLICIES } from "./builtin-policies.ts";
import { parsePolicy, policyDocument } from "./policy.ts";
import type { Policy } from "./policy.ts";
import type { EntityKind, IdentityStore, StoredPolicy, Transaction } from "./store.ts";
import { groupOf, userOf } from "./users.ts";
import type { IdentityContext } from "./users.ts";
import { checkPolicyName, checkStorable } from "./validate.ts";

export interface PolicyInfo {
  readonly name: string;
  readonly policy: Policy;
  /** Absent: built in. */
  readonly times?: { readonly created: bigint; readonly updated: bigint } | undefined;
}

export interface Entity {
  readonly kind: EntityKind;
  readonly name: string;
}

export interface MappingChange {
  /** Names that were attached or detached; empty: there was nothing to do. */
  readonly changed: readonly string[];
  readonly updated: bigint;
}

export interface PoliciesApi {
  /** Creates or replaces. XMinioMalformedIAMPolicy, MalformedPolicy, PolicyInvalidName, XMinioInvalidResource. */
  put(name: string, document: string): Promise<void>;
  /** Stored or built in, undefined when there is none. */
  find(name: string): Promise<PolicyInfo | undefined>;
  /** All, sorted by name. */
  list(): Promise<PolicyInfo[]>;
  /** Absent is fine. XMinioIAMPolicyInUse while mapped; XMinioIAMActionNotAllowed for an untouched built-in. */
  remove(name: string): Promise<void>;
  /** Replaces the mapping of a user or group. Every policy must exist. */
  map(entity: Entity, policies: readonly string[]): Promise<void>;
  attach(entity: Entity, policies: readonly string[]): Promise<MappingChange>;
  detach(entity: Entity, policies: readonly string[]): Promise<MappingChange>;
}

/** The policy behind a name, or undefined: a name that leads nowhere grants nothing. */
export async function policyNamed(store: IdentityStore, name: string): Promise<Policy | undefined> {
  return (await store.policies.get(name))?.extra.policy ?? BUILTIN_POLICIES.get(name);
}

const storedInfo = ({ name, row, extra }: StoredPolicy): PolicyInfo => ({
  name,
  policy: extra.policy,
  times: { created: row.created, updated: row.updated },
});

async function mustExist(transaction: Transaction, names: readonly string[]): Promise<void> {
  for (const name of names) {
    // Read within the transaction: a policy removed meanwhile makes the commit fail instead of leaving a dead name.
    const stored = await transaction.policy(name);
    if (stored === undefined && !BUILTIN_POLICIES.has(name)) throw new StoreError("XMinioAdminNoSuchPolicy");
  }
}

interface Mapped {
  readonly policies: readonly string[];
  readonly enabled: boolean;
  store(policies: readonly string[], updated: bigint): void;
}

async function mapped(transaction: Transaction, entity: Entity, rootAccessKey: string): Promise<Mapped> {
  const { kind, name } = entity;
  if (kind === "user") {
    const { row } = await userOf(transaction, name, rootAccessKey);
    return {
      policies: row.policies,
      enabled: true,
      store(policies, updated) {
        transaction.remap("user", name, row.policies, policies);
        transaction.putUser(name, { ...row, policies, updated });
      },
    };
  }
  const { row } = await groupOf(transaction, name);
  return {
    policies: row.policies,
    enabled: row.enabled,
    store(policies, updated) {
      transaction.remap("group", name, row.policies, policies);
      transaction.putGroup(name, { ...row, policies, updated });
    },
  };
}

function createMapping({
  store,
  clock,
  rootAccessKey,
}: IdentityContext): Pick<PoliciesApi, "map" | "attach" | "detach"> {
  return {
    map: (entity, policies) =>
      store.change(async (transaction) => {
        const mapping = await mapped(transaction, entity, rootAccessKey);
        await mustExist(transaction, policies);
        mapping.store([...new Set(policies)].sort(), clock.nowNs());
      }),

    attach: (entity, policies) =>
      store.change(async (transaction) => {
        const mapping = await mapped(transaction, entity, rootAccessKey);
        if (!mapping.enabled) throw new StoreError("XMinioAdminGroupDisabled");
        await mustExist(transaction, policies);
        const changed = [...new Set(policies)].filter((name) => !mapping.policies.includes(name));
        const updated = clock.nowNs();
        if (changed.length > 0) mapping.store([...mapping.policies, ...changed].sort(), updated);
        return { changed, updated };
      }),

    detach: (entity, policies) =>
      store.change(async (transaction) => {
        const mapping = await mapped(transaction, entity, rootAccessKey);
        const changed = [...new Set(policies)].filter((name) => mapping.policies.includes(name));
        const updated = clock.nowNs();
        if (changed.length > 0)
          mapping.store(
            mapping.policies.filter((name) => !changed.includes(name)),
            updated,
          );
        return { changed, updated };
      }),
  };
}

export function createPolicies(context: IdentityContext): PoliciesApi {
  const { store, clock } = context;
  return {
    async put(name, document) {
      checkPolicyName(name);
      const policy = parsePolicy(document);
      checkStorable(policy);
      await store.change(async (transaction) => {
        const before = await transaction.policy(name);
        const updated = clock.nowNs();
        const created = before?.row.created ?? updated;
        transaction.putPolicy(name, { document: JSON.stringify(policyDocument(policy)), created, updated });
      });
    },

    async find(name) {
      const stored = await store.policies.get(name);
      if (stored !== undefined) return storedInfo(stored);
      const policy = BUILTIN_POLICIES.get(name);
      return policy === undefined ? undefined : { name, policy };
    },

    async list() {
      const all = new Map<string, PolicyInfo>();
      for (const [name, policy] of BUILTIN_POLICIES) all.set(name, { name, policy });
      for (const stored of await store.policies.all()) all.set(stored.name, storedInfo(stored));
      return [...all.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
    },

    remove: (name) =>
      store.change(async (transaction) => {
        const stored = await transaction.policy(name);
        if (!(await transaction.unused(name))) throw new StoreError("XMinioIAMPolicyInUse");
        if (stored === undefined && BUILTIN_POLICIES.has(name)) throw new StoreError("XMinioIAMActionNotAllowed");
        if (stored !== undefined) transaction.deletePolicy(name);
      }),

    ...createMapping(context),
  };
}
