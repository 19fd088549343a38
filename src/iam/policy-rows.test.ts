/** What policies decide, row by row. Documents themselves: policy.test.ts. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { evaluate } from "./policy-evaluate.ts";
import type { Verdict } from "./policy-evaluate.ts";
import { parsePolicy } from "./policy.ts";
import { valuesOf } from "./policy-variables.ts";
import { G, L, P, arn, doc, get, list, one, put } from "./testing-policies.ts";

type Conditions = Readonly<Record<string, readonly string[]>>;

function decide(source: string, action: string, at = "", conditions: Conditions = {}): Verdict {
  const slash = at.indexOf("/");
  const bucket = slash < 0 ? at : at.slice(0, slash);
  const key = slash < 0 ? undefined : at.slice(slash + 1);
  return evaluate([parsePolicy(source)], { action, bucket, key, values: valuesOf(conditions) });
}

/** Rows: what is shown, statement(s), action, `bucket/key`, conditions of the request, verdict. */
type Row = readonly [string, string, string, string, Conditions, Verdict];

const getB = one({ Action: "s3:GetObject", Resource: arn("b/*") });
const matching: readonly Row[] = [
  ["object in the bucket", getB, "s3:GetObject", "b/k", {}, "allow"],
  ["star crosses slashes", getB, "s3:GetObject", "b/x/y/z", {}, "allow"],
  ["another bucket", getB, "s3:GetObject", "bb/k", {}, "none"],
  ["another action", getB, "s3:PutObject", "b/k", {}, "none"],
  ["case of actions counts", getB, "s3:getobject", "b/k", {}, "none"],
  ["b names bucket calls", one({ Action: "s3:ListBucket", Resource: arn("b") }), "s3:ListBucket", "b", {}, "allow"],
  [
    "b/* covers bucket calls",
    one({ Action: "s3:ListBucket", Resource: arn("b/*") }),
    "s3:ListBucket",
    "b",
    {},
    "allow",
  ],
  ["b does not cover keys", one({ Action: "s3:GetObject", Resource: arn("b") }), "s3:GetObject", "b/k", {}, "none"],
  ["b* covers its keys", one({ Action: "s3:GetObject", Resource: arn("b*") }), "s3:GetObject", "b2/k", {}, "allow"],
  ["question mark is one", one({ Action: "s3:GetObject", Resource: arn("b/?") }), "s3:GetObject", "b/kk", {}, "none"],
  ["question mark matches", one({ Action: "s3:GetObject", Resource: arn("b/?") }), "s3:GetObject", "b/k", {}, "allow"],
  ["bare star resource", one({ Action: "s3:*", Resource: "*" }), "s3:DeleteObject", "b/k", {}, "allow"],
  [
    "list buckets on star",
    one({ Action: "s3:ListAllMyBuckets", Resource: arn("*") }),
    "s3:ListAllMyBuckets",
    "",
    {},
    "allow",
  ],
  [
    "list buckets on b",
    one({ Action: "s3:ListAllMyBuckets", Resource: arn("b") }),
    "s3:ListAllMyBuckets",
    "",
    {},
    "none",
  ],
  [
    "GetObjectVersion implies GetObject",
    one({ Action: "s3:GetObjectVersion", Resource: arn("b/*") }),
    "s3:GetObject",
    "b/k",
    {},
    "allow",
  ],
  ["GetObject does not imply versions", getB, "s3:GetObjectVersion", "b/k", {}, "none"],
  [
    "attributes of versions imply attributes",
    one({ Action: "s3:GetObjectVersionAttributes", Resource: arn("b/*") }),
    "s3:GetObjectAttributes",
    "b/k",
    {},
    "allow",
  ],
  [
    "ListBucket grants ListBucketVersions",
    one({ Action: "s3:ListBucket", Resource: arn("b") }),
    "s3:ListBucketVersions",
    "b",
    {},
    "allow",
  ],
  [
    "a Deny of versions by name stays",
    doc(
      { Effect: "Allow", Action: "s3:ListBucket", Resource: arn("b") },
      { Effect: "Deny", Action: "s3:ListBucketVersions", Resource: arn("b") },
    ),
    "s3:ListBucketVersions",
    "b",
    {},
    "deny",
  ],
  [
    "Deny wins over Allow before it",
    doc(
      { Effect: "Allow", Action: "s3:*", Resource: arn("*") },
      { Effect: "Deny", Action: "s3:DeleteObject", Resource: arn("b/*") },
    ),
    "s3:DeleteObject",
    "b/k",
    {},
    "deny",
  ],
  [
    "Deny wins over Allow after it",
    doc(
      { Effect: "Deny", Action: "s3:Delete*", Resource: arn("b/*") },
      { Effect: "Allow", Action: "s3:*", Resource: arn("*") },
    ),
    "s3:DeleteObject",
    "b/k",
    {},
    "deny",
  ],
  [
    "Deny elsewhere does not touch",
    doc(
      { Effect: "Deny", Action: "s3:*", Resource: arn("c/*") },
      { Effect: "Allow", Action: "s3:*", Resource: arn("*") },
    ),
    "s3:GetObject",
    "b/k",
    {},
    "allow",
  ],
  [
    "NotAction leaves out",
    one({ NotAction: "s3:DeleteObject", Resource: arn("*") }),
    "s3:DeleteObject",
    "b/k",
    {},
    "none",
  ],
  [
    "NotAction takes the rest",
    one({ NotAction: "s3:DeleteObject", Resource: arn("*") }),
    "s3:PutObject",
    "b/k",
    {},
    "allow",
  ],
  [
    "NotAction hands out no administration",
    one({ NotAction: "s3:DeleteObject", Resource: arn("*") }),
    "admin:CreateUser",
    "",
    {},
    "none",
  ],
  [
    "a Deny with NotAction reaches administration",
    doc({ Effect: "Allow", Action: "admin:*" }, { Effect: "Deny", NotAction: "s3:*", Resource: arn("*") }),
    "admin:CreateUser",
    "",
    {},
    "deny",
  ],
  [
    "NotResource leaves out",
    one({ Action: "s3:*", NotResource: arn("b/secret/*") }),
    "s3:GetObject",
    "b/secret/x",
    {},
    "none",
  ],
  [
    "NotResource takes the rest",
    one({ Action: "s3:*", NotResource: arn("b/secret/*") }),
    "s3:GetObject",
    "b/open",
    {},
    "allow",
  ],
  ["star action keeps its resource", one({ Action: "*", Resource: arn("b/*") }), "s3:GetObject", "c/k", {}, "none"],
  [
    "star action covers administration",
    one({ Action: "*", Resource: arn("b/*") }),
    "admin:ServerInfo",
    "",
    {},
    "allow",
  ],
  ["admin star", one({ Action: "admin:*" }), "admin:SetBucketTarget", "b", {}, "allow"],
  [
    "admin by name ignores Resource",
    one({ Action: "admin:ServerInfo", Resource: arn("x") }),
    "admin:ServerInfo",
    "",
    {},
    "allow",
  ],
  ["admin actions grant no S3", one({ Action: "admin:*" }), "s3:GetObject", "b/k", {}, "none"],
  ["kms without resource", one({ Action: "kms:*" }), "kms:Status", "/key1", {}, "allow"],
  [
    "kms key by name",
    one({ Action: "kms:CreateKey", Resource: "arn:minio:kms:::key*" }),
    "kms:CreateKey",
    "/key1",
    {},
    "allow",
  ],
  [
    "kms other key",
    one({ Action: "kms:CreateKey", Resource: "arn:minio:kms:::key*" }),
    "kms:CreateKey",
    "/other",
    {},
    "none",
  ],
];

const ua = (value: string): Conditions => ({ UserAgent: [value] });
const ip = (value: string): Conditions => ({ SourceIp: [value] });

const conditions: readonly Row[] = [
  ["StringEquals", list({ StringEquals: { "s3:prefix": ["a/", "b/"] } }), L, "b", { prefix: ["b/"] }, "allow"],
  ["StringEquals other", list({ StringEquals: { "s3:prefix": "a/" } }), L, "b", { prefix: ["A/"] }, "none"],
  ["StringEquals absent", list({ StringEquals: { "s3:prefix": "a/" } }), L, "b", {}, "none"],
  ["StringEqualsIfExists absent", list({ StringEqualsIfExists: { "s3:prefix": "a/" } }), L, "b", {}, "allow"],
  [
    "StringEqualsIfExists other",
    list({ StringEqualsIfExists: { "s3:prefix": "a/" } }),
    L,
    "b",
    { prefix: ["c"] },
    "none",
  ],
  ["StringNotEquals absent", list({ StringNotEquals: { "s3:prefix": "a/" } }), L, "b", {}, "allow"],
  ["StringNotEquals same", list({ StringNotEquals: { "s3:prefix": "a/" } }), L, "b", { prefix: ["a/"] }, "none"],
  ["IgnoreCase", get({ StringEqualsIgnoreCase: { "aws:UserAgent": "Tool" } }), G, "b/k", ua("tOOL"), "allow"],
  [
    "NotEqualsIgnoreCase",
    get({ StringNotEqualsIgnoreCase: { "aws:UserAgent": "Tool" } }),
    G,
    "b/k",
    ua("tool"),
    "none",
  ],
  ["StringLike", get({ StringLike: { "aws:UserAgent": "mc/*" } }), G, "b/k", ua("mc/1"), "allow"],
  ["StringLike is case-sensitive", get({ StringLike: { "aws:UserAgent": "mc/*" } }), G, "b/k", ua("MC/1"), "none"],
  ["StringNotLike", get({ StringNotLike: { "aws:UserAgent": "mc/*" } }), G, "b/k", ua("curl"), "allow"],
  [
    "header spelling does not matter",
    get({ StringLike: { "aws:UserAgent": "mc*" } }),
    G,
    "b/k",
    { useragent: ["mc"] },
    "allow",
  ],
  ["BinaryEquals", get({ BinaryEquals: { "aws:UserAgent": "bWM=" } }), G, "b/k", ua("mc"), "allow"],
  ["IpAddress block", get({ IpAddress: { "aws:SourceIp": "10.0.0.0/8" } }), G, "b/k", ip("10.9.8.7"), "allow"],
  ["IpAddress outside", get({ IpAddress: { "aws:SourceIp": "10.0.0.0/8" } }), G, "b/k", ip("11.0.0.1"), "none"],
  ["IpAddress single", get({ IpAddress: { "aws:SourceIp": "10.0.0.1" } }), G, "b/k", ip("::ffff:10.0.0.1"), "allow"],
  ["IpAddress v6", get({ IpAddress: { "aws:SourceIp": "2001:db8::/32" } }), G, "b/k", ip("2001:db8:1::5"), "allow"],
  ["IpAddress absent", get({ IpAddress: { "aws:SourceIp": "0.0.0.0/0" } }), G, "b/k", {}, "none"],
  ["NotIpAddress", get({ NotIpAddress: { "aws:SourceIp": "10.0.0.0/8" } }), G, "b/k", ip("11.0.0.1"), "allow"],
  ["Null true, absent", put({ Null: { "s3:x-amz-server-side-encryption": "true" } }), P, "b/k", {}, "allow"],
  [
    "Null true, present",
    put({ Null: { "s3:x-amz-server-side-encryption": true } }),
    P,
    "b/k",
    { "x-amz-server-side-encryption": ["AES256"] },
    "none",
  ],
  [
    "Null false, present",
    put({ Null: { "s3:x-amz-server-side-encryption": false } }),
    P,
    "b/k",
    { "X-Amz-Server-Side-Encryption": ["AES256"] },
    "allow",
  ],
  ["Bool", get({ Bool: { "aws:SecureTransport": "true" } }), G, "b/k", { SecureTransport: ["true"] }, "allow"],
  ["Bool other", get({ Bool: { "aws:SecureTransport": true } }), G, "b/k", { SecureTransport: ["false"] }, "none"],
  [
    "NumericLessThanEquals",
    list({ NumericLessThanEquals: { "s3:max-keys": "10" } }),
    L,
    "b",
    { "max-keys": ["10"] },
    "allow",
  ],
  ["NumericLessThan", list({ NumericLessThan: { "s3:max-keys": 10 } }), L, "b", { "max-keys": ["10"] }, "none"],
  ["NumericGreaterThan", list({ NumericGreaterThan: { "s3:max-keys": 10 } }), L, "b", { "max-keys": ["11"] }, "allow"],
  [
    "NumericEquals is no text comparison",
    list({ NumericEquals: { "s3:max-keys": 10 } }),
    L,
    "b",
    { "max-keys": ["010"] },
    "allow",
  ],
  ["Numeric of no number", list({ NumericEquals: { "s3:max-keys": 10 } }), L, "b", { "max-keys": ["ten"] }, "none"],
  ["NumericNotEquals absent", list({ NumericNotEquals: { "s3:max-keys": 10 } }), L, "b", {}, "allow"],
  [
    "NumericGreaterThanIfExists absent",
    list({ NumericGreaterThanIfExists: { "s3:max-keys": 10 } }),
    L,
    "b",
    {},
    "allow",
  ],
  [
    "DateGreaterThan",
    get({ DateGreaterThan: { "aws:CurrentTime": "2024-01-01T00:00:00Z" } }),
    G,
    "b/k",
    { CurrentTime: ["2024-01-01T00:00:01Z"] },
    "allow",
  ],
  [
    "DateLessThan",
    get({ DateLessThan: { "aws:CurrentTime": "2024-01-01T00:00:00Z" } }),
    G,
    "b/k",
    { CurrentTime: ["2024-01-01T00:00:01Z"] },
    "none",
  ],
  [
    "Date with zone",
    get({ DateEquals: { "aws:CurrentTime": "2024-01-01T02:00:00+02:00" } }),
    G,
    "b/k",
    { CurrentTime: ["2024-01-01T00:00:00Z"] },
    "allow",
  ],
  [
    "ForAllValues all listed",
    put({ "ForAllValues:StringEquals": { "s3:RequestObjectTagKeys": ["a", "b"] } }),
    P,
    "b/k",
    { RequestObjectTagKeys: ["a"] },
    "allow",
  ],
  [
    "ForAllValues one foreign",
    put({ "ForAllValues:StringEquals": { "s3:RequestObjectTagKeys": ["a", "b"] } }),
    P,
    "b/k",
    { RequestObjectTagKeys: ["a", "c"] },
    "none",
  ],
  [
    "ForAllValues absent",
    put({ "ForAllValues:StringEquals": { "s3:RequestObjectTagKeys": ["a"] } }),
    P,
    "b/k",
    {},
    "allow",
  ],
  [
    "ForAnyValue one listed",
    put({ "ForAnyValue:StringLike": { "s3:RequestObjectTagKeys": ["a*"] } }),
    P,
    "b/k",
    { RequestObjectTagKeys: ["x", "ab"] },
    "allow",
  ],
  [
    "ForAnyValue absent",
    put({ "ForAnyValue:StringEquals": { "s3:RequestObjectTagKeys": ["a"] } }),
    P,
    "b/k",
    {},
    "none",
  ],
  [
    "object tag",
    get({ StringEquals: { "s3:ExistingObjectTag/class": "public" } }),
    G,
    "b/k",
    { "ExistingObjectTag/class": ["public"] },
    "allow",
  ],
  [
    "tag keys keep their case",
    get({ StringEquals: { "s3:ExistingObjectTag/class": "public" } }),
    G,
    "b/k",
    { "ExistingObjectTag/Class": ["public"] },
    "none",
  ],
  [
    "two keys and",
    list({ StringEquals: { "s3:prefix": "a", "s3:delimiter": "/" } }),
    L,
    "b",
    { prefix: ["a"] },
    "none",
  ],
  [
    "two operators and",
    list({ StringEquals: { "s3:prefix": "a" }, StringLike: { "aws:UserAgent": "m*" } }),
    L,
    "b",
    { prefix: ["a"], UserAgent: ["mc"] },
    "allow",
  ],
];

const home = one({ Action: "s3:*", Resource: arn("homes/${aws:username}/*") });
const variables: readonly Row[] = [
  ["variable in a resource", home, G, "homes/ann/x", { username: ["ann"] }, "allow"],
  ["other user's home", home, G, "homes/bob/x", { username: ["ann"] }, "none"],
  ["variable without value stays text", home, G, "homes//x", {}, "none"],
  ["a wildcard as user name opens nothing", home, G, "homes/bob/x", { username: ["*"] }, "none"],
  [
    "unknown variable stays text",
    one({ Action: "s3:*", Resource: arn("b/${no:such}") }),
    G,
    "b/x",
    { such: ["x"] },
    "none",
  ],
  [
    "variable in a value",
    list({ StringLike: { "s3:prefix": "${aws:username}/*" } }),
    L,
    "b",
    { username: ["ann"], prefix: ["ann/x"] },
    "allow",
  ],
  [
    "two variables",
    one({ Action: "s3:*", Resource: arn("${aws:username}-${aws:SourceIp}/*") }),
    G,
    "ann-1.2.3.4/x",
    { username: ["ann"], SourceIp: ["1.2.3.4"] },
    "allow",
  ],
];

for (const [name, rows] of Object.entries({ matching, conditions, variables })) {
  test(`policy decisions: ${name}`, () => {
    for (const [what, source, action, at, values, verdict] of rows) {
      assert.equal(decide(source, action, at, values), verdict, what);
    }
  });
}
