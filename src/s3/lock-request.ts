/** What a request says about locks: headers, the permissions that they need, the bypass (s3-api.md 14.2, 14.3). */
import { StoreError } from "../model/errors.ts";
import { remainingDays } from "../model/object-lock.ts";
import type { Retention } from "../model/version.ts";
import type { ObjectAttributesInput, ReplicaSource } from "../objects/types.ts";
import { parseRetainUntil, parseRetentionMode } from "../protocol/s3-xml-lock.ts";
import type { HeaderView } from "./attributes.ts";
import { allowed, authorizeFor, type Question } from "./authorize.ts";
import { isPeerRead } from "./replica.ts";
import type { S3Request } from "./request.ts";

const MODE = "x-amz-object-lock-mode";
const UNTIL = "x-amz-object-lock-retain-until-date";
const HOLD = "x-amz-object-lock-legal-hold";

type Locks = Pick<ObjectAttributesInput, "retention" | "legalHold">;

const NO_LOCKS: Locks = {};

const invalid = (message: string): StoreError => new StoreError("InvalidRequest", { message });

/** InvalidRequest for a date that is not in the future. */
export function checkFuture(retention: Retention | null, nowMs: number): void {
  if (retention !== null && Date.parse(retention.until) <= nowMs)
    throw invalid("The retain until date must be in the future!");
}

function retentionOf(view: HeaderView): Retention | undefined {
  const mode = view.header(MODE) ?? "";
  const until = view.header(UNTIL) ?? "";
  if (mode === "" && until === "") return undefined;
  if (mode === "" || until === "") throw invalid(`${UNTIL} and ${MODE} must both be supplied`);
  const parsed = parseRetentionMode(mode);
  if (parsed === undefined) throw invalid("Unknown WORM mode directive");
  const date = parseRetainUntil(until);
  if (date === undefined) throw invalid("Date must be provided in ISO 8601 format");
  return { mode: parsed, until: date };
}

function legalHoldOf(view: HeaderView): boolean | undefined {
  const status = view.header(HOLD) ?? "";
  if (status === "") return undefined;
  if (status !== "ON" && status !== "OFF") throw invalid("Legal hold must be either of 'ON' or 'OFF'");
  return status === "ON";
}

/** Values of policy conditions for locks that are not in the request's headers. */
export function lockConditions(locks: Locks, nowMs: number): Record<string, readonly string[]> {
  const { retention, legalHold } = locks;
  const out: Record<string, readonly string[]> = {};
  if (retention !== undefined) {
    out["object-lock-mode"] = [retention.mode];
    out["object-lock-retain-until-date"] = [retention.until];
    out["object-lock-remaining-retention-days"] = [String(remainingDays(Date.parse(retention.until), nowMs))];
  }
  if (legalHold !== undefined) out["object-lock-legal-hold"] = [legalHold ? "ON" : "OFF"];
  return out;
}

/**
 * Locks that a new version is asked to have, by headers or by the fields of a form. Each needs its permission: AccessDenied.
 * InvalidRequest for what does not fit; a peer may bring dates of the past.
 */
export async function locksAsked(
  request: S3Request,
  view: HeaderView,
  options: { readonly source?: ReplicaSource | undefined; readonly key?: string | undefined } = {},
): Promise<Locks> {
  const { headers } = view;
  // A peer clears a retention with an empty header, or with the time alone.
  const clears = options.source !== undefined && (headers[MODE] ?? options.source.retentionTime) !== undefined;
  const named = headers[MODE] !== undefined || headers[UNTIL] !== undefined || headers[HOLD] !== undefined;
  if (!named && !clears) return NO_LOCKS;
  const locks = { retention: retentionOf(view), legalHold: legalHoldOf(view) };
  const nowMs = request.deps.clock.nowMs();
  if (locks.retention !== undefined && options.source === undefined) checkFuture(locks.retention, nowMs);
  const on = { key: options.key, conditions: lockConditions(locks, nowMs) };
  if (locks.retention !== undefined || clears) await authorizeFor(request, { action: "s3:PutObjectRetention", ...on });
  if (locks.legalHold !== undefined) await authorizeFor(request, { action: "s3:PutObjectLegalHold", ...on });
  return locks;
}

/** A peer says that the version has no retention any more. */
export const clearsRetention = (request: S3Request): boolean => request.headers[MODE] === "";

/**
 * Which locks of an object the caller may see. Who may write replicas may see what it has to compare: the rights that
 * MinIO's documents give to a replication user do not name the two actions.
 */
export async function seesLocks(
  request: S3Request,
  on: Omit<Question, "action"> = {},
): Promise<{ retention: boolean; legalHold: boolean }> {
  const peer = isPeerRead(request) && (await allowed(request, { action: "s3:ReplicateObject", ...on }));
  return {
    retention: peer || (await allowed(request, { action: "s3:GetObjectRetention", ...on })),
    legalHold: peer || (await allowed(request, { action: "s3:GetObjectLegalHold", ...on })),
  };
}

/** InvalidRequest: locks are for the creation of an upload, not for its completion. */
export function refuseLock(request: S3Request): void {
  for (const name of [MODE, UNTIL, HOLD]) {
    const value = request.header(name);
    if (value === undefined || value === "") continue;
    throw invalid("Object lock headers belong to the creation of a multipart upload.");
  }
}

/**
 * The client asks to pass over governance retention and may. Without s3:BypassGovernanceRetention the header has no
 * effect: what is locked is refused, what is not is nobody's secret.
 */
export async function bypassesGovernance(request: S3Request, on: Omit<Question, "action"> = {}): Promise<boolean> {
  if (request.header("x-amz-bypass-governance-retention")?.toLowerCase() !== "true") return false;
  return allowed(request, { action: "s3:BypassGovernanceRetention", ...on });
}
