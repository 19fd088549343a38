/** Export and import of identities as a zip of JSON files (admin-api.md 6.7). Secrets are in clear inside. */
import { z } from "zod";
import { policyDocument } from "../iam/policy.ts";
import type { Entity } from "../iam/policies.ts";
import { StoreError } from "../model/errors.ts";
import { parseRfc3339Nano, rfc3339Nano } from "../protocol/time.ts";
import type { ZipEntry } from "../protocol/zip.ts";
import { writeZip } from "../protocol/zip.ts";
import type { Answer } from "./answer.ts";
import { json, OK } from "./answer.ts";
import { IMPORTS_AT_ONCE } from "./limits.ts";
import type { AdminRequest } from "./request.ts";
import { parseJson } from "./request.ts";
import type { Route } from "./route.ts";
import { enabledOf } from "./users.ts";
import { zipBody } from "./zip-body.ts";

const FOLDER = "iam-assets/";
const NEVER = "1970-01-01T00:00:00Z";

const user = z.object({ secretKey: z.string().default(""), status: z.string().nullish() });
const group = z.object({ status: z.string().nullish(), members: z.array(z.string()).nullish() });
const accessKey = z.object({
  parent: z.string().default(""),
  accessKey: z.string().nullish(),
  secretKey: z.string().default(""),
  sessionPolicy: z.unknown().optional(),
  status: z.string().nullish(),
  name: z.string().nullish(),
  description: z.string().nullish(),
  expiration: z.string().nullish(),
  /** Our own mark: the parent is the root account, whatever it is called where the key comes to. */
  ofRoot: z.boolean().nullish(),
});
const mapping = z.object({ policy: z.union([z.string(), z.array(z.string())]).nullish() });

const SHAPES = {
  policies: z.record(z.string(), z.unknown()),
  users: z.record(z.string(), user),
  groups: z.record(z.string(), group),
  svcaccts: z.record(z.string(), accessKey),
  user_mappings: z.record(z.string(), mapping),
  group_mappings: z.record(z.string(), mapping),
} as const;

type Assets = { readonly [Name in keyof typeof SHAPES]: z.infer<(typeof SHAPES)[Name]> };

const byName = <T, V>(list: readonly T[], name: (item: T) => string, value: (item: T) => V): Record<string, V> =>
  Object.fromEntries(list.map((item) => [name(item), value(item)]));

const statusOf = (enabled: boolean): string => (enabled ? "enabled" : "disabled");

async function exportIam(request: AdminRequest): Promise<Answer> {
  const { policies, users, groups, accessKeys } = await request.deps.iam.contents();
  const mapped = (entity: { policies: readonly string[]; updated: bigint }): object => ({
    version: 1,
    policy: entity.policies.join(","),
    updatedAt: rfc3339Nano(entity.updated),
  });
  const files: Record<string, object> = {
    policies: byName(
      policies,
      ({ name }) => name,
      ({ policy }) => policyDocument(policy),
    ),
    users: byName(
      users,
      (one) => one.accessKey,
      (one) => ({ secretKey: one.secretKey, status: statusOf(one.enabled) }),
    ),
    groups: byName(
      groups,
      ({ name }) => name,
      (one) => ({
        version: 1,
        status: statusOf(one.enabled),
        members: one.members,
        updatedAt: rfc3339Nano(one.updated),
      }),
    ),
    svcaccts: byName(
      accessKeys,
      (key) => key.accessKey,
      (key) => ({
        parent: key.parent,
        ...(key.ofRoot && { ofRoot: true }),
        accessKey: key.accessKey,
        secretKey: key.secretKey,
        groups: key.groups,
        claims: {},
        sessionPolicy: key.sessionPolicy === undefined ? null : policyDocument(key.sessionPolicy),
        status: key.enabled ? "on" : "off",
        name: key.name ?? "",
        description: key.description ?? "",
        expiration: key.expires === undefined ? NEVER : new Date(key.expires).toISOString(),
      }),
    ),
    user_mappings: byName(
      users.filter((one) => one.policies.length > 0),
      (one) => one.accessKey,
      mapped,
    ),
    group_mappings: byName(
      groups.filter((one) => one.policies.length > 0),
      ({ name }) => name,
      mapped,
    ),
    stsuser_mappings: {},
  };
  const entries = Object.entries(files).map(([name, value]) => ({
    name: `${FOLDER}${name}.json`,
    data: Buffer.from(JSON.stringify(value)),
  }));
  const bytes = writeZip(entries, request.deps.clock.nowMs());
  return { kind: "bytes", bytes, type: "application/zip", fileName: "iam-info.zip" };
}

function assetsOf(entries: readonly ZipEntry[]): Assets {
  const read = (name: keyof typeof SHAPES): unknown => {
    const entry = entries.find((one) => one.name === `${FOLDER}${name}.json`);
    return entry === undefined || entry.data.length === 0
      ? {}
      : parseJson(entry.data, SHAPES[name] as z.ZodType, "XMinioAdminConfigBadJSON");
  };
  const known = Object.keys(SHAPES).some((name) => entries.some((entry) => entry.name === `${FOLDER}${name}.json`));
  if (!known) throw new StoreError("InvalidRequest", { message: `The archive holds no files below ${FOLDER}.` });
  return Object.fromEntries(
    Object.keys(SHAPES).map((name) => [name, read(name as keyof typeof SHAPES)]),
  ) as unknown as Assets;
}

interface Outcome {
  policies: string[];
  users: string[];
  groups: string[];
  serviceAccounts: string[];
  userPolicies: Record<string, string[]>[];
  groupPolicies: Record<string, string[]>[];
  stsPolicies: Record<string, string[]>[];
}

/** `message`: clients cannot decode a member `error` here, so the reason has a name of its own. */
interface Failure {
  readonly name: string;
  readonly policies?: readonly string[];
  readonly message: string;
}

const nothing = (): { [Kind in keyof Outcome]: never[] } => ({
  policies: [],
  users: [],
  groups: [],
  serviceAccounts: [],
  userPolicies: [],
  groupPolicies: [],
  stsPolicies: [],
});

/** `work` on every item, several at once so that they share commits; the first failure ends it. */
async function atOnce<Item>(items: readonly Item[], work: (item: Item) => Promise<void>): Promise<void> {
  // A loop that ends early closes the generator, and with it the others.
  const rest = (function* () {
    yield* items;
  })();
  const worker = async (): Promise<void> => {
    for (const item of rest) await work(item);
  };
  await Promise.all(Array.from({ length: IMPORTS_AT_ONCE }, worker));
}

/** One import under way: what became of each entity. */
class Import {
  readonly skipped: Outcome = nothing();
  readonly removed: Outcome = nothing();
  readonly added: Outcome = nothing();
  readonly failed: { [Kind in keyof Outcome]: Failure[] } = nothing();
  readonly #request: AdminRequest;

  constructor(request: AdminRequest) {
    this.#request = request;
  }

  get #iam() {
    return this.#request.deps.iam;
  }

  /** Policies before users, users before groups, keys after their parents, mappings last. */
  async run(assets: Assets): Promise<void> {
    await atOnce(Object.entries(assets.policies), ([name, document]) => this.#policy(name, document));
    await atOnce(Object.entries(assets.users), ([name, user]) => this.#user(name, user));
    for (const [name, { members, status }] of Object.entries(assets.groups)) {
      await this.#try("groups", name, async () => {
        await this.#iam.groups.addMembers(name, members ?? []);
        await this.#iam.groups.setEnabled(name, enabledOf(status ?? "") !== false);
      });
    }
    // Keys of one parent change the same row: one after another.
    const byParent = Object.values(Object.groupBy(Object.entries(assets.svcaccts), ([, { parent }]) => parent));
    await atOnce(byParent, async (keys = []) => {
      for (const [name, key] of keys) await this.#accessKey(name, key);
    });
    await atOnce(Object.entries(assets.user_mappings), ([name, { policy }]) =>
      this.#map({ kind: "user", name }, policy),
    );
    await atOnce(Object.entries(assets.group_mappings), ([name, { policy }]) =>
      this.#map({ kind: "group", name }, policy),
    );
  }

  async #user(name: string, { secretKey, status }: Assets["users"][string]): Promise<void> {
    if (name === this.#iam.rootAccessKey) this.skipped.users.push(name);
    else {
      const enabled = enabledOf(status ?? "") === true;
      await this.#try("users", name, () => this.#iam.users.put(name, { secretKey, enabled }));
    }
  }

  async #try(
    kind: "policies" | "users" | "groups" | "serviceAccounts",
    name: string,
    work: () => Promise<unknown>,
  ): Promise<void> {
    try {
      await work();
      this.added[kind].push(name);
    } catch (error) {
      this.failed[kind].push({ name, message: reasonOf(error) });
    }
  }

  /** An empty document removes the policy. */
  async #policy(name: string, document: unknown): Promise<void> {
    const empty = document === null || (typeof document === "object" && Object.keys(document).length === 0);
    if (!empty) return this.#try("policies", name, () => this.#iam.policies.put(name, JSON.stringify(document)));
    try {
      await this.#iam.policies.remove(name);
      this.removed.policies.push(name);
    } catch (error) {
      this.failed.policies.push({ name, message: reasonOf(error) });
    }
  }

  async #accessKey(name: string, key: Assets["svcaccts"][string]): Promise<void> {
    const { rootAccessKey, accessKeys } = this.#iam;
    const parent = key.ofRoot === true ? rootAccessKey : key.parent;
    await this.#try("serviceAccounts", name, async () => {
      // A key of root is root: nobody else may bring one in, or take one away.
      const before = await accessKeys.find(name);
      const touchesRoot = parent === rootAccessKey || before?.parent === rootAccessKey;
      if (touchesRoot && this.#request.identity.user !== rootAccessKey) throw new StoreError("AccessDenied");
      const expires = (key.expiration ?? "") === "" ? 0n : (parseRfc3339Nano(key.expiration ?? "") ?? 0n);
      const members = {
        secretKey: key.secretKey,
        sessionPolicy: (key.sessionPolicy ?? null) === null ? "" : JSON.stringify(key.sessionPolicy),
        name: key.name || undefined,
        description: key.description || undefined,
      };
      const lifetime = expires > 0n ? Number(expires / 1_000_000n) : null;
      // Changed in place where that is possible: a key that cannot be made again must not be lost.
      if (before?.parent === parent) {
        await accessKeys.update(name, {
          ...members,
          expires: lifetime,
          enabled: enabledOf(key.status ?? "") !== false,
        });
        return;
      }
      if (before !== undefined) await accessKeys.remove(name);
      await accessKeys.create({ ...members, parent, accessKey: name, expires: lifetime ?? undefined });
      if (enabledOf(key.status ?? "") === false) await accessKeys.update(name, { enabled: false });
    });
  }

  async #map(entity: Entity, policy: string | string[] | null | undefined): Promise<void> {
    const policies = [policy ?? ""]
      .flat()
      .flatMap((list) => list.split(","))
      .map((one) => one.trim())
      .filter((one) => one !== "");
    const kind = entity.kind === "user" ? "userPolicies" : "groupPolicies";
    try {
      await this.#iam.policies.map(entity, policies);
      this.added[kind].push({ [entity.name]: policies });
    } catch (error) {
      this.failed[kind].push({ name: entity.name, policies, message: reasonOf(error) });
    }
  }
}

/** What is no refusal of one entity ends the import. */
function reasonOf(error: unknown): string {
  if (error instanceof StoreError) return error.detail.message ?? error.code;
  throw error;
}

async function imported(request: AdminRequest): Promise<Import> {
  const assets = assetsOf(await zipBody(request));
  const work = new Import(request);
  await work.run(assets);
  return work;
}

async function importIamV2(request: AdminRequest): Promise<Answer> {
  const { skipped, removed, added, failed } = await imported(request);
  return json({ skipped, removed, added, failed });
}

/** The older form answers nothing, so a failure of one entity has to be an error of the whole. */
async function importIam(request: AdminRequest): Promise<Answer> {
  const { failed } = await imported(request);
  const first = Object.entries(failed).flatMap(([kind, list]) =>
    (list as Failure[]).map(({ name, message }) => `${kind} ${name}: ${message}`),
  )[0];
  if (first !== undefined) throw new StoreError("InvalidRequest", { message: `Not everything was imported. ${first}` });
  return OK;
}

export const IAM_TRANSFER_ROUTES: readonly Route[] = [
  { method: "GET", path: "export-iam", query: [], actions: ["admin:ExportIAM"], run: exportIam },
  { method: "PUT", path: "import-iam-v2", query: [], actions: ["admin:ImportIAM"], run: importIamV2 },
  { method: "PUT", path: "import-iam", query: [], actions: ["admin:ImportIAM"], run: importIam },
];
