/** What clients are tried with: the columns of the table. */
export const FEATURES = [
  "buckets",
  "objects",
  "multipart",
  "odd names",
  "listing",
  "copy",
  "metadata",
  "versions",
  "presigned",
  "policy",
  "sync",
  "admin",
  "delete",
] as const;

export type Feature = (typeof FEATURES)[number];

/** Names that break clients and servers: blanks, plus, percent, quotes, characters of XML, other scripts, dots. */
export const ODD_NAMES: readonly string[] = [
  "a blank/and+plus",
  "percent%41 100%",
  "ünïcode/☃ 日本",
  "a&b<c>'d'",
  "semi;colon=equals,comma",
  "dots../.hidden/...",
  "tilde~ (paren) [bracket] {brace}",
  "hash#question?at@dollar$",
];
