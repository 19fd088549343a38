/**
 * Decisions by table: every condition operator against values that match, that do not and that are absent, plain and with
 * its qualifiers; and what each built-in policy grants. `A` is allow, `-` is nothing said.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { BUILTIN_POLICIES } from "./builtin-policies.ts";
import { evaluate } from "./policy-evaluate.ts";
import { parsePolicy } from "./policy.ts";
import { valuesOf } from "./policy-variables.ts";

/** Values of the policy, values of the request (absent: null), and a verdict for each form. */
type Row = readonly [policy: string | readonly string[], request: readonly string[] | null, verdicts: string];
type Block = readonly [operator: string, key: string, rows: readonly Row[]];

const NAME: Readonly<Record<string, string>> = {
  "aws:UserAgent": "UserAgent",
  "s3:max-keys": "max-keys",
  "aws:CurrentTime": "CurrentTime",
  "aws:SecureTransport": "SecureTransport",
  "aws:SourceIp": "SourceIp",
  "s3:prefix": "prefix",
};

/** Verdicts: plain, IfExists, ForAnyValue, ForAllValues. */
const LISTS: readonly Block[] = [
  [
    "StringEquals",
    "aws:UserAgent",
    [
      ["a", ["a"], "AAAA"],
      ["a", ["b"], "----"],
      ["a", ["A"], "----"],
      ["a", null, "-A-A"],
      ["a", ["a", "b"], "AAA-"],
      ["a", ["b", "a"], "AAA-"],
      ["a", ["b", "c"], "----"],
      [["a", "b"], ["b"], "AAAA"],
      [["a", "b"], ["a", "b"], "AAAA"],
      [["a", "b"], ["c"], "----"],
      ["a*", ["ab"], "----"],
      ["a*", ["a*"], "AAAA"],
    ],
  ],
  [
    "StringEqualsIgnoreCase",
    "aws:UserAgent",
    [
      ["Ab", ["aB"], "AAAA"],
      ["Ab", ["ac"], "----"],
      ["Ab", null, "-A-A"],
      ["Ab", ["AB", "ab"], "AAAA"],
      ["Ab", ["ab", "x"], "AAA-"],
      [["x", "y"], ["Y"], "AAAA"],
    ],
  ],
  [
    "StringLike",
    "aws:UserAgent",
    [
      ["a*", ["abc"], "AAAA"],
      ["a*", ["a"], "AAAA"],
      ["a*", ["ba"], "----"],
      ["A*", ["abc"], "----"],
      ["a*", null, "-A-A"],
      ["a*", ["ab", "b"], "AAA-"],
      ["a?c", ["abc"], "AAAA"],
      ["a?c", ["ac"], "----"],
      ["*b*", ["abc"], "AAAA"],
      ["*b*", ["ac"], "----"],
      [["x*", "*z"], ["xz"], "AAAA"],
      [["x*", "*z"], ["az"], "AAAA"],
      [["x*", "*z"], ["zx"], "----"],
      ["*", ["anything"], "AAAA"],
    ],
  ],
];

/** Verdicts: plain, IfExists. */
const SINGLES: readonly Block[] = [
  [
    "StringNotEquals",
    "aws:UserAgent",
    [
      ["a", ["a"], "--"],
      ["a", ["b"], "AA"],
      ["a", null, "AA"],
      ["a", ["a", "b"], "--"],
      [["a", "b"], ["b"], "--"],
      [["a", "b"], ["c"], "AA"],
    ],
  ],
  [
    "StringNotEqualsIgnoreCase",
    "aws:UserAgent",
    [
      ["Ab", ["aB"], "--"],
      ["Ab", ["x"], "AA"],
      ["Ab", null, "AA"],
    ],
  ],
  [
    "StringNotLike",
    "aws:UserAgent",
    [
      ["a*", ["abc"], "--"],
      ["a*", ["x"], "AA"],
      ["a*", null, "AA"],
      [["a*", "b*"], ["bc"], "--"],
    ],
  ],
  [
    "NumericEquals",
    "s3:max-keys",
    [
      ["10", ["10"], "AA"],
      ["10", ["11"], "--"],
      ["10", null, "-A"],
      ["10", ["x"], "--"],
      ["0", ["0"], "AA"],
    ],
  ],
  [
    "NumericNotEquals",
    "s3:max-keys",
    [
      ["10", ["10"], "--"],
      ["10", ["9"], "AA"],
      ["10", null, "AA"],
    ],
  ],
  [
    "NumericLessThan",
    "s3:max-keys",
    [
      ["10", ["9"], "AA"],
      ["10", ["10"], "--"],
      ["10", ["11"], "--"],
      ["10", ["-1"], "AA"],
      ["10", null, "-A"],
    ],
  ],
  [
    "NumericLessThanEquals",
    "s3:max-keys",
    [
      ["10", ["9"], "AA"],
      ["10", ["10"], "AA"],
      ["10", ["11"], "--"],
      ["10", null, "-A"],
    ],
  ],
  [
    "NumericGreaterThan",
    "s3:max-keys",
    [
      ["10", ["9"], "--"],
      ["10", ["10"], "--"],
      ["10", ["11"], "AA"],
      ["10", ["100"], "AA"],
      ["10", null, "-A"],
    ],
  ],
  [
    "NumericGreaterThanEquals",
    "s3:max-keys",
    [
      ["10", ["9"], "--"],
      ["10", ["10"], "AA"],
      ["10", ["11"], "AA"],
      ["10", null, "-A"],
    ],
  ],
  [
    "DateEquals",
    "aws:CurrentTime",
    [
      ["2026-01-01T00:00:00Z", ["2026-01-01T00:00:00Z"], "AA"],
      ["2026-01-01T00:00:00Z", ["2026-01-01T01:00:00+01:00"], "AA"],
      ["2026-01-01T00:00:00Z", ["2026-01-01T00:00:01Z"], "--"],
      ["2026-01-01T00:00:00Z", null, "-A"],
    ],
  ],
  [
    "DateNotEquals",
    "aws:CurrentTime",
    [
      ["2026-01-01T00:00:00Z", ["2026-01-01T00:00:00Z"], "--"],
      ["2026-01-01T00:00:00Z", ["2026-01-02T00:00:00Z"], "AA"],
      ["2026-01-01T00:00:00Z", null, "AA"],
    ],
  ],
  [
    "DateLessThan",
    "aws:CurrentTime",
    [
      ["2026-01-01T00:00:00Z", ["2025-12-31T23:59:59Z"], "AA"],
      ["2026-01-01T00:00:00Z", ["2026-01-01T00:00:00Z"], "--"],
      ["2026-01-01T00:00:00Z", ["2026-01-02T00:00:00Z"], "--"],
      ["2026-01-01T00:00:00Z", null, "-A"],
    ],
  ],
  [
    "DateLessThanEquals",
    "aws:CurrentTime",
    [
      ["2026-01-01T00:00:00Z", ["2026-01-01T00:00:00Z"], "AA"],
      ["2026-01-01T00:00:00Z", ["2026-01-02T00:00:00Z"], "--"],
      ["2026-01-01T00:00:00Z", null, "-A"],
    ],
  ],
  [
    "DateGreaterThan",
    "aws:CurrentTime",
    [
      ["2026-01-01T00:00:00Z", ["2026-01-02T00:00:00Z"], "AA"],
      ["2026-01-01T00:00:00Z", ["2026-01-01T00:00:00Z"], "--"],
      ["2026-01-01T00:00:00Z", ["2025-01-01T00:00:00Z"], "--"],
      ["2026-01-01T00:00:00Z", null, "-A"],
    ],
  ],
  [
    "DateGreaterThanEquals",
    "aws:CurrentTime",
    [
      ["2026-01-01T00:00:00Z", ["2026-01-01T00:00:00Z"], "AA"],
      ["2026-01-01T00:00:00Z", ["2025-01-01T00:00:00Z"], "--"],
      ["2026-01-01T00:00:00Z", null, "-A"],
    ],
  ],
  [
    "Bool",
    "aws:SecureTransport",
    [
      ["true", ["true"], "AA"],
      ["true", ["false"], "--"],
      ["false", ["false"], "AA"],
      ["false", ["true"], "--"],
      ["true", null, "-A"],
    ],
  ],
  [
    "IpAddress",
    "aws:SourceIp",
    [
      ["10.0.0.0/8", ["10.1.2.3"], "AA"],
      ["10.0.0.0/8", ["11.0.0.1"], "--"],
      ["10.0.0.0/8", null, "-A"],
      ["192.0.2.1", ["192.0.2.1"], "AA"],
      ["192.0.2.1", ["192.0.2.2"], "--"],
      ["192.0.2.128/25", ["192.0.2.127"], "--"],
      ["192.0.2.128/25", ["192.0.2.128"], "AA"],
      ["2001:db8::/32", ["2001:db8::1"], "AA"],
      ["2001:db8::/32", ["2001:db9::1"], "--"],
      [["10.0.0.0/8", "192.168.0.0/16"], ["192.168.3.4"], "AA"],
      ["0.0.0.0/0", ["203.0.113.9"], "AA"],
    ],
  ],
  [
    "NotIpAddress",
    "aws:SourceIp",
    [
      ["10.0.0.0/8", ["10.1.2.3"], "--"],
      ["10.0.0.0/8", ["11.0.0.1"], "AA"],
      ["10.0.0.0/8", null, "AA"],
      [["10.0.0.0/8", "192.168.0.0/16"], ["192.168.3.4"], "--"],
    ],
  ],
];

/** Verdict: plain. */
const NULLS: readonly Block[] = [
  [
    "Null",
    "s3:prefix",
    [
      ["true", null, "A"],
      ["true", ["a"], "-"],
      ["false", null, "-"],
      ["false", ["a"], "A"],
    ],
  ],
];

const FORMS: readonly ((operator: string) => string)[] = [
  (operator) => operator,
  (operator) => `${operator}IfExists`,
  (operator) => `ForAnyValue:${operator}`,
  (operator) => `ForAllValues:${operator}`,
];

function verdictOf(operator: string, key: string, [policy, request]: Row): string {
  const statement = {
    Effect: "Allow",
    Action: "s3:ListBucket",
    Resource: "arn:aws:s3:::b",
    Condition: { [operator]: { [key]: policy } },
  };
  const document = parsePolicy(JSON.stringify({ Version: "2012-10-17", Statement: [statement] }));
  const values = valuesOf(request === null ? {} : { [NAME[key] ?? ""]: request });
  return evaluate([document], { action: "s3:ListBucket", bucket: "b", values }) === "allow" ? "A" : "-";
}

let decisions = 0;

test("condition operators, their qualifiers, and what is absent", () => {
  for (const [operator, key, rows] of [...LISTS, ...SINGLES, ...NULLS]) {
    for (const row of rows) {
      const [policy, request, expected] = row;
      const found = FORMS.slice(0, expected.length).map((form) => verdictOf(form(operator), key, row));
      assert.equal(
        found.join(""),
        expected,
        `${operator} ${JSON.stringify(policy)} against ${JSON.stringify(request)}`,
      );
      decisions += expected.length;
    }
  }
});

const COLUMNS = ["readwrite", "readonly", "writeonly", "diagnostics", "consoleAdmin"] as const;

/** Action, `bucket/key`, and a verdict for each of COLUMNS. */
const BUILT_IN: readonly (readonly [action: string, at: string, verdicts: string])[] = [
  ["s3:GetObject", "b/k", "AA--A"],
  ["s3:GetBucketLocation", "b", "AA--A"],
  ["s3:PutObject", "b/k", "A-A-A"],
  ["s3:ListBucket", "b", "A---A"],
  ["s3:ListBucketVersions", "b", "A---A"],
  ["s3:ListAllMyBuckets", "", "A---A"],
  ["s3:DeleteObject", "b/k", "A---A"],
  ["s3:GetObjectTagging", "b/k", "A---A"],
  ["s3:PutObjectTagging", "b/k", "A---A"],
  ["s3:GetObjectRetention", "b/k", "A---A"],
  ["s3:PutObjectRetention", "b/k", "A---A"],
  ["s3:BypassGovernanceRetention", "b/k", "A---A"],
  ["s3:AbortMultipartUpload", "b/k", "A---A"],
  ["s3:ListBucketMultipartUploads", "b", "A---A"],
  ["s3:CreateBucket", "b", "A---A"],
  ["s3:DeleteBucket", "b", "A---A"],
  ["s3:PutBucketPolicy", "b", "A---A"],
  ["s3:PutBucketVersioning", "b", "A---A"],
  ["s3:PutReplicationConfiguration", "b", "A---A"],
  ["s3:ReplicateObject", "b/k", "A---A"],
  ["s3:ReplicateDelete", "b/k", "A---A"],
  ["admin:ServerInfo", "", "---AA"],
  ["admin:ServerTrace", "", "---AA"],
  ["admin:ConsoleLog", "", "---AA"],
  ["admin:TopLocksInfo", "", "---AA"],
  ["admin:Prometheus", "", "---AA"],
  ["admin:Profiling", "", "---AA"],
  ["admin:BandwidthMonitor", "", "---AA"],
  ["admin:OBDInfo", "", "---AA"],
  ["admin:CreateUser", "", "----A"],
  ["admin:ListUsers", "", "----A"],
  ["admin:CreatePolicy", "", "----A"],
  ["admin:ConfigUpdate", "", "----A"],
  ["admin:ServiceRestart", "", "----A"],
  ["admin:SetBucketTarget", "", "----A"],
  ["admin:ExportIAM", "", "----A"],
  ["admin:Heal", "", "----A"],
  ["kms:CreateKey", "", "----A"],
  ["kms:ListKeys", "", "----A"],
];

test("built-in policies, call by call", () => {
  for (const [action, at, expected] of BUILT_IN) {
    const [bucket = "", key] = at.split("/");
    const found = COLUMNS.map((name) => {
      const policy = BUILTIN_POLICIES.get(name);
      assert.ok(policy !== undefined, name);
      const question = { action, bucket: bucket === "" ? undefined : bucket, key, values: valuesOf({}) };
      return evaluate([policy], question) === "allow" ? "A" : "-";
    });
    assert.equal(found.join(""), expected, action);
    decisions += expected.length;
  }
  assert.ok(decisions >= 300, `${decisions} decisions`);
});
