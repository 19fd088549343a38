/** Documents of object lock: a bucket's configuration, retention and legal hold of a version. Both directions. */
import { StoreError } from "../model/errors.ts";
import {
  RETENTION_DAYS_MAX,
  RETENTION_MODES,
  RETENTION_YEARS_MAX,
  type DefaultRetention,
  type ObjectLockConfig,
  type RetentionMode,
} from "../model/object-lock.ts";
import type { Retention } from "../model/version.ts";
import { isoMillis, parseRfc3339Nano } from "./time.ts";
import { document, parseXmlRoot, tag, wrap, type XmlElement } from "./xml.ts";

const malformed = (message: string): StoreError => new StoreError("MalformedXML", { message });

/** A mode as S3 writes it; undefined for any other word. */
export function parseRetentionMode(text: string): RetentionMode | undefined {
  return RETENTION_MODES.find((mode) => mode === text);
}

/** A retain-until date in the stored form (milliseconds, UTC); undefined when it is not ISO 8601. */
export function parseRetainUntil(text: string): string | undefined {
  const time = parseRfc3339Nano(text);
  return time === undefined ? undefined : isoMillis(time);
}

function modeOf(element: XmlElement): RetentionMode {
  const mode = parseRetentionMode(element.value("Mode")?.trim() ?? "");
  if (mode === undefined) throw malformed("Mode must be GOVERNANCE or COMPLIANCE.");
  return mode;
}

function periodOf(text: string, unit: DefaultRetention["unit"]): number {
  if (!/^[+-]?\d{1,15}$/.test(text)) throw malformed(`The ${unit} of a retention are a whole number.`);
  const count = Number(text);
  if (count < 1) throw new StoreError("InvalidRetentionPeriod");
  const most = unit === "days" ? RETENTION_DAYS_MAX : RETENTION_YEARS_MAX;
  if (count > most) {
    throw new StoreError("InvalidArgument", { message: `The default retention period is at most ${most} ${unit}.` });
  }
  return count;
}

/**
 * ObjectLockConfiguration (s3-api.md 14.1). MalformedXML; InvalidRetentionPeriod below one day or year; InvalidArgument
 * above 36500 days or 100 years.
 */
export function parseObjectLock(body: Buffer): ObjectLockConfig {
  const root = parseXmlRoot(body, "ObjectLockConfiguration");
  if (root.value("ObjectLockEnabled")?.trim() !== "Enabled") throw malformed("ObjectLockEnabled must be Enabled.");
  const rule = root.child("Rule");
  if (rule === undefined) return {};
  const retention = rule.child("DefaultRetention");
  if (retention === undefined) throw malformed("A Rule needs a DefaultRetention.");
  const mode = modeOf(retention);
  const days = retention.value("Days")?.trim();
  const years = retention.value("Years")?.trim();
  if ((days === undefined) === (years === undefined)) throw malformed("A retention is given in either Days or Years.");
  const unit = days === undefined ? "years" : "days";
  return { defaultRetention: { mode, unit, count: periodOf(days ?? years ?? "", unit) } };
}

export function renderObjectLock(config: ObjectLockConfig): string {
  const rule = config.defaultRetention;
  const period = rule === undefined ? "" : tag(rule.unit === "days" ? "Days" : "Years", rule.count);
  const inner = rule === undefined ? "" : wrap("Rule", wrap("DefaultRetention", tag("Mode", rule.mode) + period));
  return document("ObjectLockConfiguration", tag("ObjectLockEnabled", "Enabled") + inner);
}

/** Retention; null for an empty one, which clears it. MalformedXML. */
export function parseRetention(body: Buffer): Retention | null {
  const root = parseXmlRoot(body, "Retention");
  const until = root.value("RetainUntilDate")?.trim() ?? "";
  if ((root.value("Mode")?.trim() ?? "") === "" && until === "") return null;
  const mode = modeOf(root);
  const date = parseRetainUntil(until);
  if (date === undefined) throw malformed("RetainUntilDate must be a date in ISO 8601.");
  return { mode, until: date };
}

/** An empty element for null. */
export function renderRetention(retention: Retention | null): string {
  if (retention === null) return document("Retention", "");
  return document("Retention", tag("Mode", retention.mode) + tag("RetainUntilDate", retention.until));
}

/** LegalHold: true for ON. MalformedXML. */
export function parseLegalHold(body: Buffer): boolean {
  const status = parseXmlRoot(body, "LegalHold").value("Status")?.trim();
  if (status !== "ON" && status !== "OFF") throw malformed("Status must be ON or OFF.");
  return status === "ON";
}

export function renderLegalHold(on: boolean): string {
  return document("LegalHold", tag("Status", on ? "ON" : "OFF"));
}
