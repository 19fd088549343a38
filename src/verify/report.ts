/** A verification as a document that can be kept and shown: signed, so that nobody changes it unseen. */
import type { KeyObject } from "node:crypto";
import { signDocument } from "../protocol/signed-document.ts";
import { isoMillis } from "../protocol/time.ts";
import { isEqual, statementOf, type VerifyResult } from "./result.ts";

/** Raised when a member changes its meaning. */
const REPORT_FORMAT = 1;

/** The numbers of a result, without its differences: one line of `--json`, and what the admin API answers. */
export function summaryJson(result: VerifyResult): Record<string, unknown> {
  const { differences: _, startedMs, endedMs, ...rest } = result;
  return {
    ...rest,
    isEqual: isEqual(result),
    statement: statementOf(result),
    started: isoMillis(startedMs),
    ended: isoMillis(endedMs),
  };
}

/** `results`: one for each pair of buckets. */
export function signedReport(results: readonly VerifyResult[], key: KeyObject): string {
  const document = {
    kind: "resilver-verify-report",
    format: REPORT_FORMAT,
    isEqual: results.every(isEqual),
    buckets: results.map((result) => ({ ...summaryJson(result), differences: result.differences })),
  };
  return `${JSON.stringify(signDocument(document, key), undefined, 2)}\n`;
}
