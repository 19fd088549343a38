/** The error document in its two forms: XML of S3, JSON of the admin API (s3-api.md 3, admin-api.md 1.3). */
import { hasCode } from "../model/errors.ts";
import { errorMessage } from "./s3-errors.ts";
import { optionalTag, parseXml, tag, wrap, XML_PROLOG } from "./xml.ts";

export interface ErrorDocument {
  readonly code: string;
  /** The code's default text when absent. */
  readonly message?: string | undefined;
  readonly key?: string | undefined;
  readonly bucket?: string | undefined;
  /** Request path. */
  readonly resource?: string | undefined;
  readonly region?: string | undefined;
  readonly requestId?: string | undefined;
  readonly hostId?: string | undefined;
  /** Further elements in order, e.g. `ActualObjectSize`. */
  readonly fields?: Readonly<Record<string, string>> | undefined;
}

/** XML with prolog; empty Key, BucketName and Region are left out. */
export function renderErrorXml(error: ErrorDocument): string {
  const { Region = error.region, ...fields } = error.fields ?? {};
  let inner = tag("Code", error.code) + tag("Message", error.message ?? errorMessage(error.code));
  inner += optionalTag("Key", error.key) + optionalTag("BucketName", error.bucket);
  inner += tag("Resource", error.resource ?? "") + optionalTag("Region", Region);
  inner += tag("RequestId", error.requestId ?? "") + tag("HostId", error.hostId ?? "");
  for (const [name, value] of Object.entries(fields)) inner += tag(name, value);
  return XML_PROLOG + wrap("Error", inner);
}

/** One line of JSON with its line feed. */
export function renderErrorJson(error: ErrorDocument): string {
  const { Region = error.region, ...fields } = error.fields ?? {};
  const document = {
    Code: error.code,
    Message: error.message ?? errorMessage(error.code),
    Key: error.key || undefined,
    BucketName: error.bucket || undefined,
    Resource: error.resource ?? "",
    Region: Region || undefined,
    RequestId: error.requestId ?? "",
    HostId: error.hostId ?? "",
    ...fields,
  };
  return `${JSON.stringify(document)}\n`;
}

const MEMBERS: Readonly<Record<string, Exclude<keyof ErrorDocument, "fields">>> = {
  Code: "code",
  Message: "message",
  Key: "key",
  BucketName: "bucket",
  Resource: "resource",
  Region: "region",
  RequestId: "requestId",
  HostId: "hostId",
};

function fromPairs(pairs: Iterable<readonly [string, unknown]>): ErrorDocument | undefined {
  const known: { -readonly [name in keyof ErrorDocument]: ErrorDocument[name] } = { code: "" };
  const fields: Record<string, string> = {};
  for (const [name, value] of pairs) {
    if (typeof value !== "string") continue;
    const member = MEMBERS[name];
    if (member === undefined) fields[name] = value;
    else known[member] = value;
  }
  if (known.code === "") return undefined;
  return { ...known, ...(Object.keys(fields).length > 0 ? { fields } : {}) };
}

function parseErrorXml(bytes: Buffer): ErrorDocument | undefined {
  try {
    const root = parseXml(bytes);
    // STS wraps it: ErrorResponse/Error.
    const error = root.name === "Error" ? root : root.child("Error");
    return error && fromPairs(error.children.map((child) => [child.name, child.text] as const));
  } catch (error) {
    // A proxy's HTML page, for example: the caller falls back to the HTTP status.
    if (hasCode(error, "MalformedXML")) return undefined;
    throw error;
  }
}

/** The document in an error response of either form; undefined when the body is something else. */
export function parseErrorDocument(bytes: Buffer): ErrorDocument | undefined {
  const first = bytes.find((byte) => byte > 32);
  if (first === 0x3c || first === 0xef) return parseErrorXml(bytes);
  if (first !== 0x7b) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString("utf8"));
  } catch {
    return undefined;
  }
  return typeof value === "object" && value !== null ? fromPairs(Object.entries(value)) : undefined;
}
