/**
 * STS: `POST /` with a form, signed for the service `sts`, answers temporary credentials (admin-api.md 3.7). Of its
 * actions AssumeRole is here; the others need an identity provider.
 */
import { createHash } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { SESSION_SECONDS_DEFAULT } from "../iam/limits.ts";
import { noteBadSignature, requestConditions, signedHeaderView } from "../iam/signed-caller.ts";
import type { Identity } from "../iam/types.ts";
import { StoreError } from "../model/errors.ts";
import { errorMessage, errorStatus } from "../protocol/s3-errors.ts";
import { authScheme, checkSignatureTime, parseAuthorization, verifySignature } from "../protocol/sigv4.ts";
import { isoMillis } from "../protocol/time.ts";
import { tag, wrap, XML_PROLOG } from "../protocol/xml.ts";
import type { AnswerContext } from "./answer.ts";
import { commonHeaders } from "./answer.ts";
import { readWhole } from "./body.ts";
import type { AdminDeps } from "./deps.ts";
import { STS_BODY_BYTES_MAX } from "./limits.ts";

const NAMESPACE = "https://sts.amazonaws.com/doc/2011-06-15/";
const VERSION = "2011-06-15";
const FORM = "application/x-www-form-urlencoded";
const KNOWN_ELSEWHERE = /^AssumeRoleWith(WebIdentity|ClientGrants|LDAPIdentity|Certificate|CustomToken)$/;

/**
 * Whether a request for `/` is one of STS. S3 knows no POST there but those about a bucket that its host names, such as
 * `?delete`, whose body some clients call a form. `query`: raw, without `?`.
 */
export function isStsRequest(incoming: IncomingMessage, path: string, query: string): boolean {
  if (incoming.method !== "POST" || path !== "/") return false;
  return (incoming.headers["content-type"] ?? "").startsWith(FORM) && (query === "" || /(^|&)Action=/.test(query));
}

/** Codes of STS for what the layers below call otherwise. */
const CODES: Readonly<Record<string, readonly [code: string, status: number]>> = {
  InvalidArgument: ["InvalidParameterValue", 400],
  MissingParameter: ["MissingParameter", 400],
  MalformedPolicy: ["MalformedPolicyDocument", 400],
  XMinioMalformedIAMPolicy: ["MalformedPolicyDocument", 400],
  XMinioIAMServiceAccountSessionPolicyTooLarge: ["MalformedPolicyDocument", 400],
  InvalidAccessKeyId: ["AccessDenied", 403],
  SignatureDoesNotMatch: ["AccessDenied", 403],
  InvalidTokenId: ["AccessDenied", 403],
};

interface StsRequest {
  readonly incoming: IncomingMessage;
  /** Raw, without `?`. */
  readonly query: string;
  readonly body: Buffer;
}

/** The caller: root or a user, with a signature of its own. Temporary credentials and access keys make no sessions. */
async function identify(deps: AdminDeps, { incoming, query, body }: StsRequest): Promise<Identity> {
  const signed = signedHeaderView(incoming, "/", query);
  if (authScheme(signed) !== "v4-header") throw new StoreError("AccessDenied");
  const region = deps.settings.region === "" ? undefined : deps.settings.region;
  const header = parseAuthorization(signed, { service: "sts", region });
  checkSignatureTime(header, deps.clock.nowMs());
  const parsed = { ...header, payloadHash: createHash("sha256").update(body).digest("hex") };
  const identity = await deps.iam.lookup(parsed.accessKey);
  const own =
    identity?.enabled === true && (identity.kind === "root" || identity.kind === "user") ? identity : undefined;
  if (own === undefined || parsed.sessionToken !== undefined || !verifySignature(signed, parsed, own.secretKey)) {
    await noteBadSignature(deps, incoming);
    throw new StoreError("AccessDenied");
  }
  return own;
}

function checkAction(form: URLSearchParams): void {
  const action = form.get("Action") ?? "";
  if (action === "" || (form.get("Version") ?? "") === "") {
    throw new StoreError("MissingParameter", { message: "Action and Version are needed." });
  }
  if (form.get("Version") !== VERSION)
    throw new StoreError("InvalidArgument", { message: `Version must be ${VERSION}.` });
  if (action === "AssumeRole") return;
  const message = KNOWN_ELSEWHERE.test(action)
    ? `${action} needs an identity provider, and none can be set here.`
    : `${action} is not an action of STS.`;
  throw new StoreError("InvalidArgument", { message });
}

function secondsOf(form: URLSearchParams): number {
  const text = form.get("DurationSeconds") ?? "";
  if (text === "") return SESSION_SECONDS_DEFAULT;
  if (!/^\d{1,9}$/.test(text))
    throw new StoreError("InvalidArgument", { message: "DurationSeconds must be a number." });
  return Number(text);
}

async function assumeRole(context: AnswerContext, request: StsRequest): Promise<string> {
  const { deps } = context;
  const form = new URLSearchParams(request.body.length > 0 ? request.body.toString("utf8") : request.query);
  checkAction(form);
  const identity = await identify(deps, request);
  const seconds = secondsOf(form);
  const conditions = { ...requestConditions(deps, request.incoming), DurationSeconds: [String(seconds)] };
  // Whoever has credentials may have weaker ones, unless a policy says no.
  const may = await deps.iam.allowed(identity, { action: "sts:AssumeRole", conditions, denyOnly: true });
  if (!may) throw new StoreError("AccessDenied");
  const made = await deps.iam.sessions.create({
    parent: identity.user,
    seconds,
    policy: form.get("Policy") ?? undefined,
    revokeType: form.get("TokenRevokeType") ?? undefined,
  });
  const credentials =
    tag("AccessKeyId", made.accessKey) +
    tag("SecretAccessKey", made.secretKey) +
    tag("Expiration", isoMillis(made.expires)) +
    tag("SessionToken", made.sessionToken);
  const role = wrap("AssumedRoleUser", tag("Arn", "") + tag("AssumeRoleId", ""));
  return wrap("AssumeRoleResult", role + wrap("Credentials", credentials));
}

function document(root: string, inner: string): string {
  return `${XML_PROLOG}<${root} xmlns="${NAMESPACE}">${inner}</${root}>`;
}

function errorDocument(context: AnswerContext, error: unknown): { readonly status: number; readonly text: string } {
  const known = error instanceof StoreError ? error : new StoreError("InternalError", { cause: error });
  const [code, status] = CODES[known.code] ?? [known.code, errorStatus(known.code)];
  if (status === 500) context.deps.log.error("STS request failed", { requestId: context.requestId, error });
  const message = known.detail.message ?? errorMessage(known.code);
  const fault = wrap("Error", tag("Type", "") + tag("Code", code) + tag("Message", message));
  return { status, text: document("ErrorResponse", fault + tag("RequestId", context.requestId)) };
}

/** Answers a request for which `isStsRequest` holds. Never rejects. */
export async function answerSts(context: AnswerContext, incoming: IncomingMessage, query: string): Promise<void> {
  const { deps, response, requestId } = context;
  let answer: { readonly status: number; readonly text: string };
  try {
    const body = await readWhole(incoming, STS_BODY_BYTES_MAX, "InvalidArgument");
    const result = await assumeRole(context, { incoming, query, body });
    const metadata = wrap("ResponseMetadata", tag("RequestId", requestId));
    answer = { status: 200, text: document("AssumeRoleResponse", result + metadata) };
  } catch (error) {
    answer = errorDocument(context, error);
  }
  if (response.destroyed) return;
  response.once("finish", () => incoming.resume());
  const bytes = Buffer.from(answer.text);
  const headers = ["Content-Type", "application/xml", "Content-Length", String(bytes.length)];
  response.writeHead(answer.status, [...commonHeaders(deps, requestId), ...headers]);
  response.end(bytes);
}
