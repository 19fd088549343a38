/**
 * Object lock as rules (s3-api.md section 14): what a bucket may demand, what a locked version forbids, and how two
 * sites' retentions become one. Pure: the moment is a parameter. `objects/locks.ts` applies them inside a commit.
 */
import type { Bucket } from "./bucket.ts";
import { StoreError } from "./errors.ts";
import type { UnixNs } from "./names.ts";
import { newerRegister, type ObjectVersion, type Register, type Retention } from "./version.ts";

export const RETENTION_MODES = ["GOVERNANCE", "COMPLIANCE"] as const;
export type RetentionMode = Retention["mode"];

/** Retention of new versions that name none: so many calendar days or years from the write. */
export interface DefaultRetention {
  readonly mode: RetentionMode;
  readonly unit: "days" | "years";
  /** 1 to RETENTION_DAYS_MAX or RETENTION_YEARS_MAX. */
  readonly count: number;
}

/** Of a bucket with object lock; it stays for good. */
export interface ObjectLockConfig {
  readonly defaultRetention?: DefaultRetention | undefined;
}

export const RETENTION_DAYS_MAX = 36_500;
export const RETENTION_YEARS_MAX = 100;

const NS_PER_MS = 1_000_000n;
const DAY_MS = 86_400_000;

/** InvalidRequest unless the bucket has object lock. */
export function requireLock(bucket: Bucket): void {
  if (bucket.objectLock !== undefined) return;
  throw new StoreError("InvalidRequest", {
    message: "Bucket is missing ObjectLockConfiguration",
    bucket: bucket.name,
  });
}

/**
 * The retention that a version written now gets from its bucket. Not from its time: that is later than the version before
 * it, even when that came from a clock far ahead; for the same reason not from a clock that never goes back.
 */
export function defaultRetention(rule: DefaultRetention, nowMs: number): Retention {
  const until = new Date(nowMs);
  if (rule.unit === "days") until.setUTCDate(until.getUTCDate() + rule.count);
  else until.setUTCFullYear(until.getUTCFullYear() + rule.count);
  return { mode: rule.mode, until: until.toISOString() };
}

/** Days from now to the end of a retention, for policies; begun ones count. */
export function remainingDays(untilMs: number, nowMs: number): number {
  return Math.max(0, Math.ceil((untilMs - nowMs) / DAY_MS));
}

/** It still holds: the last moment is excluded. */
export function isActive(retention: Retention | null | undefined, nowMs: number): retention is Retention {
  return retention !== null && retention !== undefined && Date.parse(retention.until) > nowMs;
}

/** Who wants a version gone, or other content in its place. */
export type Remover =
  /** A client; `bypassGovernance`: it asked for that and may. */
  | { readonly kind: "client"; readonly bypassGovernance: boolean }
  /**
   * A site that this one trusts with its purges. It has looked at its own locks, which are ours of `time` or before: what
   * was lifted there need not have arrived here.
   */
  | { readonly kind: "peer"; readonly time: UnixNs };

type Locks = Pick<ObjectVersion, "retention" | "legalHold">;

/**
 * Why `by` may not remove the version at `nowMs`, in words for a client; undefined: it may. Active COMPLIANCE stops
 * everyone. A legal hold stops clients, whatever they may bypass. A peer's purge passes over governance and holds, but
 * not over those that were set after it: who set them saw the version alive.
 */
export function removalRefusal(version: Locks, by: Remover, nowMs: number): string | undefined {
  const { retention, legalHold } = version;
  const active = isActive(retention?.value, nowMs) ? retention?.value : undefined;
  if (active?.mode === "COMPLIANCE") return described(active);
  const stands = (register: Register<unknown> | undefined): boolean =>
    by.kind === "client" || (register?.time ?? 0n) > by.time;
  if (legalHold?.value === true && stands(legalHold)) return "legal hold";
  if (active === undefined || !stands(retention)) return undefined;
  return by.kind === "client" && by.bypassGovernance ? undefined : described(active);
}

/** Why a client may not replace `before` by `after` (null: none) at `nowMs`; undefined: it may. */
export function retentionChangeRefusal(
  before: Retention | null | undefined,
  after: Retention | null,
  by: { readonly bypassGovernance: boolean; readonly nowMs: number },
): string | undefined {
  if (!isActive(before, by.nowMs) || extendsRetention(before, after)) return undefined;
  return before.mode === "GOVERNANCE" && by.bypassGovernance ? undefined : described(before);
}

const described = ({ mode, until }: Retention): string => `${mode} retention until ${until}`;

/** `after` keeps the mode and everything that `before` promised. */
function extendsRetention(before: Retention, after: Retention | null): boolean {
  return after?.mode === before.mode && Date.parse(after.until) >= Date.parse(before.until);
}

/** Why a peer's `after` may not replace `before` at `nowMs`: its clock may be ahead of ours, and ours decides here. */
export function complianceCut(
  before: Retention | null | undefined,
  after: Retention | null | undefined,
  nowMs: number,
): string | undefined {
  if (!isActive(before, nowMs) || before.mode !== "COMPLIANCE") return undefined;
  return extendsRetention(before, after ?? null) ? undefined : described(before);
}

type RetentionRegister = Register<Retention | null>;

/**
 * Which retention wins where two sites changed it: the newer, except that COMPLIANCE is never cut short. One that was
 * still active when the newer value was set, and that the newer does not extend, was not seen by whoever set it, for
 * nobody may do that. The relation has no cycles (of three values none loses to the one it beats), so every site ends
 * with the same value whatever the order.
 */
export function newerRetention(
  a: RetentionRegister | undefined,
  b: RetentionRegister | undefined,
): RetentionRegister | undefined {
  const newer = newerRegister(a, b);
  const older = newer === a ? b : a;
  if (newer === undefined || older?.value?.mode !== "COMPLIANCE") return newer;
  const expired = newer.time >= BigInt(Date.parse(older.value.until)) * NS_PER_MS;
  return expired || extendsRetention(older.value, newer.value) ? newer : older;
}
