/** Decisions of bucket policies: who, where, and what they never touch. */
import type { Decisions } from "./shape.ts";
import { arns, when } from "./shape.ts";

type Principal = "*" | { readonly AWS: string | readonly string[] };

const EVERYONE: Principal = "*";
const ANN: Principal = { AWS: ["arn:aws:iam:::user/ann"] };

type Names = string | readonly string[];

function statement(
  Effect: "Allow" | "Deny",
  Principal: Principal,
  Action: Names,
  resource: Names,
  more: object = {},
): object {
  return { Effect, Principal, Action, Resource: arns(resource), ...more };
}

const nobody = { name: "b", user: "" };
const ann = { name: "b", user: "ann" };
const bob = { name: "b", user: "bob" };

/** Anonymous downloads, as `mc anonymous set download` writes them. */
const DOWNLOAD = [
  statement("Allow", { AWS: ["*"] }, ["s3:GetBucketLocation", "s3:ListBucket"], "b"),
  statement("Allow", { AWS: ["*"] }, "s3:GetObject", "b/*"),
];
const ONLY_ANN = [statement("Allow", ANN, "s3:*", ["b", "b/*"])];
const NOT_BOB = [
  statement("Allow", EVERYONE, "s3:GetObject", "b/*"),
  statement("Deny", { AWS: "arn:aws:iam::123456789012:user/bob" }, "s3:*", ["b", "b/*"]),
];

export const BUCKET_DECISIONS: readonly Decisions[] = [
  {
    what: "downloads for everyone",
    statements: DOWNLOAD,
    bucket: nobody,
    ask: [
      "allow s3:GetObject b/k",
      "allow s3:ListBucket b",
      "allow s3:GetBucketLocation b",
      "none s3:PutObject b/k",
      "none s3:DeleteObject b/k",
      "allow s3:ListBucketVersions b",
      "none s3:GetBucketPolicy b",
      "none admin:ServerInfo -",
      "none s3:ListBucketMultipartUploads b",
    ],
  },
  {
    what: "downloads for everyone who is somebody",
    statements: DOWNLOAD,
    bucket: ann,
    ask: ["allow s3:GetObject b/k", "none s3:PutObject b/k"],
  },
  {
    what: "uploads into one folder for everyone",
    statements: [statement("Allow", EVERYONE, ["s3:PutObject", "s3:AbortMultipartUpload"], "b/in/*")],
    bucket: nobody,
    ask: [
      "allow s3:PutObject b/in/k",
      "allow s3:AbortMultipartUpload b/in/k",
      "none s3:PutObject b/k",
      "none s3:GetObject b/in/k",
      "none s3:ListBucket b",
    ],
  },
  {
    what: "one user",
    statements: ONLY_ANN,
    bucket: ann,
    ask: ["allow s3:GetObject b/k", "allow s3:ListBucket b", "allow s3:DeleteBucket b"],
  },
  {
    what: "one user, and another asks",
    statements: ONLY_ANN,
    bucket: bob,
    ask: ["none s3:GetObject b/k", "none s3:ListBucket b"],
  },
  {
    what: "one user, and nobody asks",
    statements: ONLY_ANN,
    bucket: nobody,
    ask: ["none s3:GetObject b/k", "none s3:ListBucket b"],
  },
  {
    what: "everyone but one",
    statements: NOT_BOB,
    bucket: bob,
    ask: ["deny s3:GetObject b/k", "deny s3:PutObject b/k", "deny s3:ListBucket b"],
  },
  {
    what: "everyone but one, for the others",
    statements: NOT_BOB,
    bucket: ann,
    ask: ["allow s3:GetObject b/k", "none s3:PutObject b/k"],
  },
  { what: "everyone but one, for nobody", statements: NOT_BOB, bucket: nobody, ask: ["allow s3:GetObject b/k"] },
  {
    what: "bucket/* is about objects alone here, bucket about the bucket alone",
    statements: [
      statement("Allow", EVERYONE, "s3:ListBucket", "b/*"),
      statement("Allow", EVERYONE, "s3:GetObject", "b"),
    ],
    bucket: nobody,
    ask: ["none s3:ListBucket b", "none s3:GetObject b/k"],
  },
  {
    what: "listing below a prefix",
    statements: [statement("Allow", EVERYONE, "s3:ListBucket", "b", when({ StringLike: { "s3:prefix": "open/*" } }))],
    bucket: nobody,
    ask: [
      "allow s3:ListBucket b prefix=open/x",
      "none s3:ListBucket b prefix=closed/x",
      "none s3:ListBucket b",
      "allow s3:ListBucketVersions b prefix=open/",
    ],
  },
  {
    what: "from one network, over TLS",
    statements: [
      statement("Allow", EVERYONE, "s3:GetObject", "b/*", when({ IpAddress: { "aws:SourceIp": "10.0.0.0/8" } })),
      statement("Deny", EVERYONE, "s3:*", ["b", "b/*"], when({ Bool: { "aws:SecureTransport": "false" } })),
    ],
    bucket: nobody,
    ask: [
      "allow s3:GetObject b/k SourceIp=10.0.0.9&SecureTransport=true",
      "deny s3:GetObject b/k SourceIp=10.0.0.9&SecureTransport=false",
      "none s3:GetObject b/k SourceIp=11.0.0.9&SecureTransport=true",
      "deny s3:PutBucketPolicy b SecureTransport=false",
    ],
  },
  {
    what: "locked objects stay: nobody deletes",
    statements: [statement("Deny", EVERYONE, ["s3:DeleteObject", "s3:DeleteObjectVersion"], "b/*")],
    bucket: ann,
    ask: [
      "deny s3:DeleteObject b/k",
      "deny s3:DeleteObjectVersion b/k",
      "none s3:GetObject b/k",
      "none s3:DeleteBucket b",
    ],
  },
  {
    what: "names with wildcards",
    statements: [statement("Allow", { AWS: ["team-*"] }, "s3:GetObject", "b/*")],
    bucket: { name: "b", user: "team-red" },
    ask: ["allow s3:GetObject b/k", "none s3:PutObject b/k"],
  },
  {
    what: "names with wildcards are not for nobody",
    statements: [statement("Allow", { AWS: ["team-*"] }, "s3:GetObject", "b/*")],
    bucket: nobody,
    ask: ["none s3:GetObject b/k"],
  },
  {
    what: "all of S3 in one bucket policy: administration is never its business",
    statements: [statement("Allow", EVERYONE, "s3:*", ["b", "b/*"])],
    bucket: nobody,
    ask: [
      "allow s3:PutObject b/k",
      "allow s3:DeleteBucket b",
      "none admin:SetBucketQuota b",
      "none kms:CreateKey -",
      "none sts:AssumeRole -",
    ],
  },
];
