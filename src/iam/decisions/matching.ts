/** Decisions about effects, actions, resources and variables. */
import type { Decisions } from "./shape.ts";
import { allow, arns, deny, when } from "./shape.ts";

export const MATCHING_DECISIONS: readonly Decisions[] = [
  {
    what: "one action on the objects of one bucket",
    statements: [allow("s3:GetObject", "b/*")],
    ask: [
      "allow s3:GetObject b/k", "allow s3:GetObject b/a/b/c", "allow s3:GetObject b/ü", "none s3:GetObject c/k", "none s3:GetObject bb/k",
      "none s3:PutObject b/k", "none s3:DeleteObject b/k", "none s3:GetObjectTagging b/k", "none s3:ListBucket b", "none admin:ServerInfo -",
      "none s3:GetObjectVersion b/k", "none s3:ListAllMyBuckets -",
    ],
  },
  {
    what: "a bucket by name, and by everything below it",
    statements: [allow("s3:ListBucket", "b"), allow("s3:GetBucketLocation", "c/*")],
    ask: [
      "allow s3:ListBucket b", "none s3:ListBucket bb", "none s3:ListBucket c", "allow s3:GetBucketLocation c", "none s3:GetBucketLocation b",
      "allow s3:ListBucketVersions b", "none s3:ListBucketVersions c", "none s3:GetObject b/k",
    ],
  },
  {
    what: "everything of S3",
    statements: [allow("s3:*", "*")],
    ask: [
      "allow s3:GetObject b/k", "allow s3:CreateBucket b", "allow s3:ListAllMyBuckets -", "allow s3:PutBucketPolicy b",
      "allow s3:ReplicateObject b/k", "allow s3:ResetBucketReplicationState b", "none admin:ServerInfo -", "none kms:CreateKey -",
      "none sts:AssumeRole -",
    ],
  },
  {
    what: "wildcards in actions: a run, one character, case",
    statements: [allow(["s3:Get*Tagging", "s3:?utObject"], "b/*")],
    ask: [
      "allow s3:GetObjectTagging b/k", "allow s3:GetObjectVersionTagging b/k", "allow s3:GetBucketTagging b", "none s3:GetObject b/k",
      "allow s3:PutObject b/k", "none s3:PutObjectTagging b/k", "none s3:putobject b/k", "none s3:DeleteObjectTagging b/k",
    ],
  },
  {
    what: "wildcards in resources cross slashes; a question mark is one character",
    statements: [allow("s3:GetObject", ["logs-*/2026/*.gz", "b?/k"])],
    ask: [
      "allow s3:GetObject logs-a/2026/x.gz", "allow s3:GetObject logs-a/2026/m/d/x.gz", "allow s3:GetObject logs-a/b/2026/x.gz",
      "none s3:GetObject logs-a/2025/x.gz", "none s3:GetObject logs-a/2026/x.txt", "none s3:GetObject logs/2026/x.gz",
      "allow s3:GetObject b1/k", "none s3:GetObject b/k", "none s3:GetObject b12/k", "none s3:GetObject b1/kk", "none s3:GetObject b1/K",
    ],
  },
  {
    what: "a prefix of keys",
    statements: [allow(["s3:GetObject", "s3:PutObject"], "b/home/ann/*")],
    ask: [
      "allow s3:GetObject b/home/ann/x", "allow s3:PutObject b/home/ann/x/y", "none s3:GetObject b/home/anna/x", "none s3:GetObject b/home/ann",
      "none s3:GetObject b/home/bob/x", "allow s3:GetObject b/home/ann/", "none s3:GetObject b/../b/home/bob",
    ],
  },
  {
    what: "a Deny wins, whatever stands before or after it",
    statements: [allow("s3:*", "*"), deny("s3:DeleteObject", "b/keep/*"), allow("s3:DeleteObject", "b/keep/not-really")],
    ask: [
      "deny s3:DeleteObject b/keep/x", "deny s3:DeleteObject b/keep/not-really", "allow s3:DeleteObject b/other", "allow s3:DeleteObject c/keep/x",
      "allow s3:PutObject b/keep/x", "allow s3:DeleteObjectVersion b/keep/x",
    ],
  },
  {
    what: "a Deny first",
    statements: [deny("s3:Put*", "*"), allow("s3:*", "*")],
    ask: ["deny s3:PutObject b/k", "deny s3:PutBucketPolicy b", "allow s3:GetObject b/k", "allow s3:CreateBucket b", "deny s3:PutObjectTagging b/k"],
  },
  {
    what: "only Denies: nothing is allowed",
    statements: [deny("s3:DeleteObject", "*")],
    ask: ["deny s3:DeleteObject b/k", "none s3:GetObject b/k", "none admin:ServerInfo -"],
  },
  {
    what: "NotAction in an Allow stays within its class",
    statements: [{ Effect: "Allow", NotAction: ["s3:DeleteObject", "s3:Put*"], Resource: arns("*") }],
    ask: [
      "allow s3:GetObject b/k", "none s3:DeleteObject b/k", "none s3:PutObject b/k", "none s3:PutBucketTagging b", "allow s3:ListBucket b",
      "allow s3:DeleteBucket b", "none admin:ServerInfo -", "none kms:CreateKey -",
    ],
  },
  {
    what: "NotAction in a Deny reaches everything",
    statements: [allow("s3:*", "*"), { Effect: "Deny", NotAction: ["s3:GetObject", "s3:ListBucket"], Resource: arns("*") }],
    ask: [
      "allow s3:GetObject b/k", "allow s3:ListBucket b", "deny s3:PutObject b/k", "deny s3:ListBucketVersions b", "deny admin:ServerInfo -",
    ],
  },
  {
    what: "NotResource",
    statements: [{ Effect: "Allow", Action: "s3:*", NotResource: arns(["secret", "secret/*", "b/private/*"]) }],
    ask: [
      "allow s3:GetObject b/k", "none s3:GetObject b/private/k", "none s3:GetObject secret/k", "none s3:ListBucket secret", "allow s3:ListBucket b",
      "allow s3:GetObject secrets/k", "allow s3:GetObject b/privately", "allow s3:ListAllMyBuckets -",
    ],
  },
  {
    what: "NotResource in a Deny: only one bucket is left",
    statements: [allow("s3:*", "*"), { Effect: "Deny", Action: "s3:*", NotResource: arns(["b", "b/*"]) }],
    ask: ["allow s3:GetObject b/k", "allow s3:ListBucket b", "deny s3:GetObject c/k", "deny s3:ListBucket c", "deny s3:ListAllMyBuckets -"],
  },
  {
    what: "the right to read versions includes the right to read; to list includes to list versions",
    statements: [allow("s3:GetObjectVersion", "b/*"), allow("s3:ListBucket", "b"), allow("s3:GetObjectVersionAttributes", "c/*")],
    ask: [
      "allow s3:GetObjectVersion b/k", "allow s3:GetObject b/k", "allow s3:ListBucketVersions b", "none s3:GetObjectVersionTagging b/k",
      "none s3:GetObject c/k", "allow s3:GetObjectAttributes c/k", "none s3:ListBucketMultipartUploads b",
    ],
  },
  {
    what: "versions denied by name while the listing is allowed",
    statements: [allow("s3:ListBucket", "b"), deny("s3:ListBucketVersions", "b"), deny("s3:GetObjectVersion", "b/*"), allow("s3:GetObject", "b/*")],
    ask: ["allow s3:ListBucket b", "deny s3:ListBucketVersions b", "deny s3:GetObjectVersion b/k", "deny s3:GetObject b/k"],
  },
  {
    what: "a denied listing denies the listing of versions",
    statements: [allow("s3:*", "*"), deny("s3:ListBucket", "b")],
    ask: ["deny s3:ListBucket b", "allow s3:ListBucketVersions b", "allow s3:ListBucket c"],
  },
  {
    what: "administration by name; its statements have no resources",
    statements: [allow(["admin:ServerInfo", "admin:CreateUser"])],
    ask: [
      "allow admin:ServerInfo -", "allow admin:CreateUser -", "none admin:DeleteUser -", "none admin:ServerTrace -", "none s3:GetObject b/k",
      "none kms:KeyStatus -",
    ],
  },
  {
    what: "all of administration but one call",
    statements: [allow("admin:*"), deny("admin:ServiceStop")],
    ask: [
      "allow admin:ServerInfo -", "allow admin:SetBucketTarget -", "allow admin:ConfigUpdate -", "deny admin:ServiceStop -",
      "allow admin:ServiceRestart -", "none s3:ListAllMyBuckets -",
    ],
  },
  {
    what: "a resource on an administrative statement limits nothing",
    statements: [allow("admin:SetBucketQuota", "b")],
    ask: ["allow admin:SetBucketQuota -", "allow admin:SetBucketQuota c", "none admin:GetBucketQuota -"],
  },
  {
    what: "the action * spans all classes, and its resource limits S3 alone",
    statements: [allow("*", "b/*")],
    ask: [
      "allow s3:GetObject b/k", "none s3:GetObject c/k", "allow s3:ListBucket b", "allow admin:ServerInfo -", "allow kms:CreateKey -",
      "allow sts:AssumeRole -",
    ],
  },
  {
    what: "STS by name",
    statements: [deny("sts:AssumeRole"), allow("s3:*", "*")],
    ask: ["deny sts:AssumeRole -", "allow s3:GetObject b/k", "none sts:AssumeRoleWithWebIdentity -"],
  },
  {
    what: "user names as folders",
    statements: [allow("s3:*", "home/${aws:username}/*"), allow("s3:ListBucket", "home", when({ StringLike: { "s3:prefix": ["${aws:username}/*"] } }))],
    ask: [
      "allow s3:GetObject home/ann/k username=ann", "none s3:GetObject home/bob/k username=ann", "none s3:GetObject home/ann/k username=an",
      "none s3:GetObject home/x/k", "none s3:GetObject home/ann/k username=*", "none s3:GetObject home/ann/k username=a?n",
      "allow s3:ListBucket home username=ann&prefix=ann/x", "none s3:ListBucket home username=ann&prefix=bob/", "none s3:ListBucket home username=ann",
      "allow s3:PutObject home/${aws:username}/k", "none s3:GetObject home/ann username=ann",
    ],
  },
  {
    what: "unknown variables stay text",
    statements: [allow("s3:GetObject", ["b/${aws:unknown}/*", "c/${jwt:sub}/*"])],
    ask: [
      "none s3:GetObject b/x/k unknown=x", "allow s3:GetObject b/${aws:unknown}/k", "allow s3:GetObject c/me/k sub=me",
      "none s3:GetObject c/you/k sub=me",
    ],
  },
  {
    what: "several policies are one",
    statements: [allow("s3:GetObject", "b/*"), allow("s3:PutObject", "b/in/*"), deny("s3:PutObject", "b/in/locked/*"), allow("s3:DeleteObject", "b/in/*")],
    ask: [
      "allow s3:GetObject b/in/locked/k", "allow s3:PutObject b/in/k", "deny s3:PutObject b/in/locked/k", "none s3:PutObject b/k",
      "allow s3:DeleteObject b/in/locked/k", "none s3:DeleteObject b/k",
    ],
  },
  {
    what: "hostile patterns are only text",
    statements: [allow("s3:GetObject", ["b/a*a*a*a*a*a*a*b", "b/(x+)+$", "b/[a-z]"])],
    ask: [
      "none s3:GetObject b/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaac", "allow s3:GetObject b/aaaaaaaab", "allow s3:GetObject b/(x+)+$",
      "none s3:GetObject b/xxxx", "none s3:GetObject b/q", "allow s3:GetObject b/[a-z]",
    ],
  },
];
