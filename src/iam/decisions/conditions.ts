/** Decisions about conditions: every operator, qualifiers, absent keys. */
import type { Decisions } from "./shape.ts";
import { allow, deny, when } from "./shape.ts";

const get = (condition: object): object[] => [allow("s3:GetObject", "*", when(condition))];
const list = (condition: object): object[] => [allow("s3:ListBucket", "*", when(condition))];
const put = (condition: object): object[] => [allow("s3:PutObject", "*", when(condition))];

export const CONDITION_DECISIONS: readonly Decisions[] = [
  {
    what: "StringEquals",
    statements: list({ StringEquals: { "s3:prefix": ["a/", "b/"] } }),
    ask: [
      "allow s3:ListBucket b prefix=a/",
      "allow s3:ListBucket b prefix=b/",
      "none s3:ListBucket b prefix=a",
      "none s3:ListBucket b prefix=A/",
      "none s3:ListBucket b prefix=",
      "none s3:ListBucket b",
      "none s3:ListBucket b delimiter=a/",
    ],
  },
  {
    what: "StringNotEquals: an absent key passes",
    statements: list({ StringNotEquals: { "s3:prefix": ["secret/"] } }),
    ask: [
      "none s3:ListBucket b prefix=secret/",
      "allow s3:ListBucket b prefix=open/",
      "allow s3:ListBucket b",
      "allow s3:ListBucket b prefix=Secret/",
    ],
  },
  {
    what: "StringEqualsIgnoreCase and its negation",
    statements: list({
      StringEqualsIgnoreCase: { "s3:prefix": "Home/" },
      StringNotEqualsIgnoreCase: { "s3:delimiter": "X" },
    }),
    ask: [
      "allow s3:ListBucket b prefix=home/",
      "allow s3:ListBucket b prefix=HOME/&delimiter=/",
      "none s3:ListBucket b prefix=home/&delimiter=x",
      "none s3:ListBucket b prefix=other/",
    ],
  },
  {
    what: "StringLike",
    statements: list({ StringLike: { "s3:prefix": ["logs/*", "tmp?"] } }),
    ask: [
      "allow s3:ListBucket b prefix=logs/",
      "allow s3:ListBucket b prefix=logs/a/b",
      "none s3:ListBucket b prefix=log",
      "allow s3:ListBucket b prefix=tmp1",
      "none s3:ListBucket b prefix=tmp12",
      "none s3:ListBucket b prefix=Logs/a",
      "none s3:ListBucket b",
    ],
  },
  {
    what: "StringNotLike",
    statements: list({ StringNotLike: { "s3:prefix": "private/*" } }),
    ask: ["none s3:ListBucket b prefix=private/x", "allow s3:ListBucket b prefix=public/x", "allow s3:ListBucket b"],
  },
  {
    what: "NumericLessThanEquals",
    statements: list({ NumericLessThanEquals: { "s3:max-keys": "100" } }),
    ask: [
      "allow s3:ListBucket b max-keys=100",
      "allow s3:ListBucket b max-keys=5",
      "none s3:ListBucket b max-keys=101",
      "none s3:ListBucket b",
      "none s3:ListBucket b max-keys=many",
      "none s3:ListBucket b max-keys=",
    ],
  },
  {
    what: "a range of numbers",
    statements: list({
      NumericGreaterThan: { "s3:max-keys": 1 },
      NumericLessThan: { "s3:max-keys": 10 },
      NumericNotEquals: { "s3:max-keys": 5 },
    }),
    ask: [
      "none s3:ListBucket b max-keys=1",
      "allow s3:ListBucket b max-keys=2",
      "none s3:ListBucket b max-keys=5",
      "allow s3:ListBucket b max-keys=9",
      "none s3:ListBucket b max-keys=10",
    ],
  },
  {
    what: "NumericEquals and NumericGreaterThanEquals",
    statements: [
      allow("s3:ListBucket", "a", when({ NumericEquals: { "s3:max-keys": "7" } })),
      allow("s3:ListBucket", "b", when({ NumericGreaterThanEquals: { "s3:max-keys": "7" } })),
    ],
    ask: [
      "allow s3:ListBucket a max-keys=7",
      "none s3:ListBucket a max-keys=8",
      "allow s3:ListBucket b max-keys=8",
      "allow s3:ListBucket b max-keys=7",
      "none s3:ListBucket b max-keys=6",
    ],
  },
  {
    what: "IfExists: an absent key passes, a present one is compared",
    statements: [
      allow("s3:ListBucket", "a", when({ StringEqualsIfExists: { "s3:prefix": "x" } })),
      allow("s3:ListBucket", "b", when({ NumericGreaterThanIfExists: { "s3:max-keys": "7" } })),
      allow("s3:GetObject", "c/*", when({ IpAddressIfExists: { "aws:SourceIp": "10.0.0.0/8" } })),
    ],
    ask: [
      "allow s3:ListBucket a",
      "allow s3:ListBucket a prefix=x",
      "none s3:ListBucket a prefix=y",
      "allow s3:ListBucket b",
      "allow s3:ListBucket b max-keys=8",
      "none s3:ListBucket b max-keys=7",
      "allow s3:GetObject c/k",
      "allow s3:GetObject c/k SourceIp=10.1.1.1",
      "none s3:GetObject c/k SourceIp=11.1.1.1",
    ],
  },
  {
    what: "IpAddress",
    statements: get({ IpAddress: { "aws:SourceIp": ["10.0.0.0/8", "192.168.1.7", "2001:db8::/32"] } }),
    ask: [
      "allow s3:GetObject b/k SourceIp=10.255.0.1",
      "none s3:GetObject b/k SourceIp=11.0.0.1",
      "allow s3:GetObject b/k SourceIp=192.168.1.7",
      "none s3:GetObject b/k SourceIp=192.168.1.8",
      "allow s3:GetObject b/k SourceIp=2001:db8:1::1",
      "none s3:GetObject b/k SourceIp=2001:db9::1",
      "allow s3:GetObject b/k SourceIp=::ffff:10.1.2.3",
      "none s3:GetObject b/k",
      "none s3:GetObject b/k SourceIp=nonsense",
    ],
  },
  {
    what: "NotIpAddress",
    statements: [
      allow("s3:GetObject", "*"),
      deny("s3:GetObject", "*", when({ NotIpAddress: { "aws:SourceIp": "10.0.0.0/8" } })),
    ],
    ask: [
      "allow s3:GetObject b/k SourceIp=10.0.0.1",
      "deny s3:GetObject b/k SourceIp=9.9.9.9",
      "deny s3:GetObject b/k",
    ],
  },
  {
    what: "only over TLS",
    statements: [allow("s3:*", "*"), deny("s3:*", "*", when({ Bool: { "aws:SecureTransport": "false" } }))],
    ask: [
      "allow s3:GetObject b/k SecureTransport=true",
      "deny s3:GetObject b/k SecureTransport=false",
      "allow s3:GetObject b/k",
    ],
  },
  {
    what: "Null asks for existence",
    statements: [
      allow("s3:ListBucket", "a", when({ Null: { "s3:prefix": true } })),
      allow("s3:ListBucket", "b", when({ Null: { "s3:prefix": "false" } })),
    ],
    ask: [
      "allow s3:ListBucket a",
      "none s3:ListBucket a prefix=x",
      "none s3:ListBucket b",
      "allow s3:ListBucket b prefix=x",
      "allow s3:ListBucket b prefix=",
    ],
  },
  {
    what: "dates",
    statements: get({
      DateGreaterThanEquals: { "aws:CurrentTime": "2026-01-01T00:00:00Z" },
      DateLessThan: { "aws:CurrentTime": "2027-01-01T00:00:00+01:00" },
    }),
    ask: [
      "allow s3:GetObject b/k CurrentTime=2026-01-01T00:00:00Z",
      "none s3:GetObject b/k CurrentTime=2025-12-31T23:59:59Z",
      "allow s3:GetObject b/k CurrentTime=2026-12-31T22:59:59.999Z",
      "none s3:GetObject b/k CurrentTime=2026-12-31T23:00:00Z",
      "none s3:GetObject b/k",
      "none s3:GetObject b/k CurrentTime=tomorrow",
    ],
  },
  {
    what: "dates that are equal, or not",
    statements: [
      allow("s3:GetObject", "a/*", when({ DateEquals: { "aws:CurrentTime": "2026-01-01T00:00:00Z" } })),
      allow("s3:GetObject", "b/*", when({ DateNotEquals: { "aws:CurrentTime": "2026-01-01T00:00:00Z" } })),
      allow("s3:GetObject", "c/*", when({ DateLessThanEquals: { "aws:CurrentTime": "2026-01-01T00:00:00Z" } })),
      allow("s3:GetObject", "d/*", when({ DateGreaterThan: { "aws:CurrentTime": "2026-01-01T00:00:00Z" } })),
    ],
    ask: [
      "allow s3:GetObject a/k CurrentTime=2026-01-01T01:00:00%2B01:00",
      "none s3:GetObject a/k CurrentTime=2026-01-01T00:00:01Z",
      "allow s3:GetObject b/k CurrentTime=2026-01-02T00:00:00Z",
      "none s3:GetObject b/k CurrentTime=2026-01-01T00:00:00Z",
      "allow s3:GetObject c/k CurrentTime=2026-01-01T00:00:00Z",
      "none s3:GetObject c/k CurrentTime=2026-01-01T00:00:01Z",
      "none s3:GetObject d/k CurrentTime=2026-01-01T00:00:00Z",
      "allow s3:GetObject d/k CurrentTime=2026-01-01T00:00:01Z",
    ],
  },
  {
    what: "BinaryEquals compares what base64 stands for",
    statements: list({ BinaryEquals: { "s3:prefix": "aG9tZS8=" } }),
    ask: ["allow s3:ListBucket b prefix=home/", "none s3:ListBucket b prefix=aG9tZS8%3D", "none s3:ListBucket b"],
  },
  {
    what: "all operators and keys must hold",
    statements: list({
      StringEquals: { "s3:prefix": "a", "s3:delimiter": "/" },
      IpAddress: { "aws:SourceIp": "10.0.0.1" },
    }),
    ask: [
      "allow s3:ListBucket b prefix=a&delimiter=/&SourceIp=10.0.0.1",
      "none s3:ListBucket b prefix=a&delimiter=/&SourceIp=10.0.0.2",
      "none s3:ListBucket b prefix=a&SourceIp=10.0.0.1",
      "none s3:ListBucket b delimiter=/&SourceIp=10.0.0.1",
    ],
  },
  {
    what: "tags of the object",
    statements: get({ StringEquals: { "s3:ExistingObjectTag/class": "public" } }),
    ask: [
      "allow s3:GetObject b/k ExistingObjectTag/class=public",
      "none s3:GetObject b/k ExistingObjectTag/class=secret",
      "none s3:GetObject b/k",
      "none s3:GetObject b/k ExistingObjectTag/Class=public",
      "none s3:GetObject b/k ExistingObjectTag/other=public",
    ],
  },
  {
    what: "tags of the request: only these keys may be used",
    statements: put({ "ForAllValues:StringEquals": { "s3:RequestObjectTagKeys": ["team", "cost"] } }),
    ask: [
      "allow s3:PutObject b/k RequestObjectTagKeys=team",
      "allow s3:PutObject b/k RequestObjectTagKeys=team&RequestObjectTagKeys=cost",
      "none s3:PutObject b/k RequestObjectTagKeys=team&RequestObjectTagKeys=x",
      "allow s3:PutObject b/k",
      "none s3:PutObject b/k RequestObjectTagKeys=x",
    ],
  },
  {
    what: "tags of the request: one of these keys is needed",
    statements: put({ "ForAnyValue:StringLike": { "s3:RequestObjectTagKeys": ["team*"] } }),
    ask: [
      "allow s3:PutObject b/k RequestObjectTagKeys=team-a&RequestObjectTagKeys=x",
      "none s3:PutObject b/k RequestObjectTagKeys=x",
      "none s3:PutObject b/k",
    ],
  },
  {
    what: "a tag's value",
    statements: put({ StringEquals: { "s3:RequestObjectTag/team": ["red", "blue"] } }),
    ask: [
      "allow s3:PutObject b/k RequestObjectTag/team=red",
      "none s3:PutObject b/k RequestObjectTag/team=green",
      "none s3:PutObject b/k",
    ],
  },
  {
    what: "what a write may bring along",
    statements: [
      allow("s3:PutObject", "*"),
      deny(
        "s3:PutObject",
        "*",
        when({
          StringNotEquals: { "s3:x-amz-storage-class": "STANDARD" },
          Null: { "s3:x-amz-storage-class": "false" },
        }),
      ),
      deny("s3:PutObject", "*", when({ Null: { "s3:x-amz-copy-source": "false" } })),
    ],
    ask: [
      "allow s3:PutObject b/k",
      "allow s3:PutObject b/k x-amz-storage-class=STANDARD",
      "deny s3:PutObject b/k x-amz-storage-class=REDUCED_REDUNDANCY",
      "deny s3:PutObject b/k x-amz-copy-source=/b/other",
    ],
  },
  {
    what: "object lock of a write",
    statements: put({
      StringEquals: { "s3:object-lock-mode": "GOVERNANCE" },
      NumericLessThan: { "s3:object-lock-remaining-retention-days": "30" },
    }),
    ask: [
      "allow s3:PutObject b/k object-lock-mode=GOVERNANCE&object-lock-remaining-retention-days=29",
      "none s3:PutObject b/k object-lock-mode=GOVERNANCE&object-lock-remaining-retention-days=30",
      "none s3:PutObject b/k object-lock-mode=COMPLIANCE&object-lock-remaining-retention-days=1",
    ],
  },
  {
    what: "versions",
    statements: [
      allow("s3:GetObject", "*"),
      deny("s3:GetObject", "*", when({ StringEquals: { "s3:versionid": "v1" } })),
    ],
    ask: ["allow s3:GetObject b/k", "deny s3:GetObject b/k versionid=v1", "allow s3:GetObject b/k versionid=v2"],
  },
  {
    what: "who asks, and with what",
    statements: get({
      StringEquals: { "aws:principaltype": "User", "s3:authType": "REST-HEADER" },
      StringLike: { "aws:UserAgent": "*rclone*", "aws:Referer": "https://example.net/*" },
    }),
    ask: [
      "allow s3:GetObject b/k principaltype=User&authType=REST-HEADER&UserAgent=x/rclone/1&Referer=https://example.net/p",
      "none s3:GetObject b/k principaltype=User&authType=REST-HEADER&UserAgent=curl&Referer=https://example.net/p",
      "none s3:GetObject b/k principaltype=Account&authType=REST-HEADER&UserAgent=rclone&Referer=https://example.net/p",
      "none s3:GetObject b/k principaltype=User&authType=REST-QUERY-STRING&UserAgent=rclone&Referer=https://example.net/p",
      "none s3:GetObject b/k principaltype=User&authType=REST-HEADER&UserAgent=rclone",
    ],
  },
  {
    what: "groups of the caller",
    statements: get({ "ForAnyValue:StringEquals": { "aws:groups": ["ops", "dev"] } }),
    ask: ["allow s3:GetObject b/k groups=qa&groups=dev", "none s3:GetObject b/k groups=qa", "none s3:GetObject b/k"],
  },
  {
    what: "the lifetime asked for a session",
    statements: [deny("sts:AssumeRole", undefined, when({ NumericGreaterThan: { "sts:DurationSeconds": "3600" } }))],
    ask: [
      "none sts:AssumeRole - DurationSeconds=3600",
      "deny sts:AssumeRole - DurationSeconds=3601",
      "none sts:AssumeRole -",
    ],
  },
  {
    what: "the lifetime asked for an access key",
    statements: [
      allow(
        "admin:CreateServiceAccount",
        undefined,
        when({ NumericLessThanEquals: { "svc:DurationSeconds": "86400" } }),
      ),
    ],
    ask: [
      "allow admin:CreateServiceAccount - DurationSeconds=86400",
      "none admin:CreateServiceAccount - DurationSeconds=86401",
      "none admin:CreateServiceAccount -",
    ],
  },
  {
    what: "header names in any spelling",
    statements: put({ StringEquals: { "s3:x-amz-storage-class": "STANDARD" } }),
    ask: [
      "allow s3:PutObject b/k X-Amz-Storage-Class=STANDARD",
      "allow s3:PutObject b/k x-amz-storage-class=STANDARD",
      "none s3:PutObject b/k x-amz-storage=STANDARD",
    ],
  },
];
