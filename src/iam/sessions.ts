/**
 * Temporary credentials (STS AssumeRole): at most the rights of the user or root account that asked for them, until they
 * expire. They are rows beside the access keys, so they end with their user, can be listed and revoked, and are the same
 * in every process. They also end when the root credentials change (admin-api.md 3.7, 8.1).
 */
import { createHash } from "node:crypto";
import { StoreError } from "../model/errors.ts";
import type { Random } from "../runtime/random.ts";
import { generatedAccessKey, generatedSecret } from "./access-keys.ts";
import { SESSION_SECONDS_MAX, SESSION_SECONDS_MIN, SESSION_TOKEN_BYTES, STS_POLICY_BYTES_MAX } from "./limits.ts";
import type { Policy } from "./policy.ts";
import { ROOT_PARENT } from "./store.ts";
import type { KeyRow, SealedSession, StoredKey } from "./store.ts";
import { userOf } from "./users.ts";
import type { IdentityContext } from "./users.ts";
import { sessionPolicyText } from "./validate.ts";

export interface SessionRequest {
  /** User name, or root's. */
  readonly parent: string;
  readonly seconds: number;
  /** JSON text; absent: the parent's rights. */
  readonly policy?: string | undefined;
  /** A word of the caller's by which sessions can be revoked. */
  readonly revokeType?: string | undefined;
}

export interface SessionCredentials {
  readonly accessKey: string;
  readonly secretKey: string;
  readonly sessionToken: string;
  /** Unix milliseconds. */
  readonly expires: number;
}

export interface SessionInfo {
  readonly accessKey: string;
  readonly parent: string;
  readonly expires: number;
  readonly sessionPolicy: Policy | undefined;
}

export interface SessionsApi {
  /** XMinioAdminNoSuchUser; InvalidArgument for a lifetime out of bounds; MalformedPolicy and its kin. */
  create(request: SessionRequest): Promise<SessionCredentials>;
  /** Undefined when there is none, or it has ended. */
  find(accessKey: string): Promise<SessionInfo | undefined>;
  /** Those of one user or of root that have not ended, sorted. */
  list(parent: string): Promise<SessionInfo[]>;
  /** Ends the sessions of a user: all, or those of one type. Returns how many. */
  revoke(parent: string, revokeType: string | undefined): Promise<number>;
  /** Removes the rows of sessions that have ended. */
  removeEnded(): Promise<void>;
}

/** Changes with the root credentials: kept sealed, so that nobody can try passwords against it. */
export function rootMark(root: { readonly accessKey: string; readonly secretKey: string }): string {
  return createHash("sha256").update(`${root.accessKey}\0${root.secretKey}`).digest("base64");
}

export interface SessionsContext extends IdentityContext {
  readonly random: Random;
  readonly rootMark: string;
}

function checkLifetime(seconds: number): void {
  if (Number.isInteger(seconds) && seconds >= SESSION_SECONDS_MIN && seconds <= SESSION_SECONDS_MAX) return;
  const message = `DurationSeconds must be from ${SESSION_SECONDS_MIN} to ${SESSION_SECONDS_MAX}.`;
  throw new StoreError("InvalidArgument", { message });
}

export function createSessions(context: SessionsContext): SessionsApi {
  const { store, clock, random, rootAccessKey, rootMark: mark } = context;
  const storedParent = (parent: string): string => (parent === rootAccessKey ? ROOT_PARENT : parent);
  const alive = (key: StoredKey): boolean =>
    key.row.session !== undefined && (key.row.expires ?? 0) > clock.nowMs() && key.extra.rootMark === mark;
  const infoOf = ({ name, row, extra }: StoredKey): SessionInfo => ({
    accessKey: name,
    parent: row.parent === ROOT_PARENT ? rootAccessKey : row.parent,
    expires: row.expires ?? 0,
    sessionPolicy: extra.sessionPolicy,
  });
  const keysOf = async (parent: string): Promise<StoredKey[]> => {
    const keys = await Promise.all((await store.keysOf(storedParent(parent))).map((name) => store.keys.get(name)));
    return keys.filter((key) => key?.row.session !== undefined) as StoredKey[];
  };
  const remove = (accessKey: string): Promise<void> =>
    store.change(async (transaction) => {
      const key = await transaction.accessKey(accessKey);
      if (key?.row.session !== undefined) transaction.deleteAccessKey(accessKey, key.row.parent);
    });

  return {
    async create({ parent, seconds, policy, revokeType }) {
      checkLifetime(seconds);
      const sessionPolicy = sessionPolicyText(policy, STS_POLICY_BYTES_MAX);
      // An access key without statements has its parent's rights; who limits a session to nothing must not get them all.
      if (sessionPolicy === undefined && (policy ?? "").trim() !== "") throw new StoreError("MalformedPolicy");
      const credentials = {
        accessKey: generatedAccessKey(random),
        secretKey: generatedSecret(random),
        sessionToken: random.bytes(SESSION_TOKEN_BYTES).toString("base64url"),
        expires: clock.nowMs() + seconds * 1000,
      };
      const sealed: SealedSession = { secret: credentials.secretKey, token: credentials.sessionToken, root: mark };
      const row: KeyRow = {
        parent: storedParent(parent),
        enabled: true,
        secret: store.sealer.seal(JSON.stringify(sealed)),
        sessionPolicy,
        expires: credentials.expires,
        session: { type: revokeType ?? "" },
      };
      await store.change(async (transaction) => {
        const { accessKey } = credentials;
        const taken = (await transaction.user(accessKey)) ?? (await transaction.accessKey(accessKey));
        if (taken !== undefined) throw new StoreError("InternalError", { message: "The generated key is taken." });
        if (parent !== rootAccessKey) {
          const user = await userOf(transaction, parent, rootAccessKey);
          transaction.putUser(parent, { ...user.row, keysMade: user.row.keysMade + 1 });
        }
        transaction.putAccessKey(accessKey, row);
      });
      return credentials;
    },

    async find(accessKey) {
      const key = await store.keys.get(accessKey);
      return key !== undefined && alive(key) ? infoOf(key) : undefined;
    },

    list: async (parent) => (await keysOf(parent)).filter(alive).map(infoOf),

    async revoke(parent, revokeType) {
      const keys = await keysOf(parent);
      const meant = keys.filter(({ row }) => revokeType === undefined || row.session?.type === revokeType);
      for (const { name } of meant) await remove(name);
      return meant.length;
    },

    async removeEnded() {
      for (const key of await store.keys.all()) {
        if (key.row.session !== undefined && !alive(key)) await remove(key.name);
      }
    },
  };
}
