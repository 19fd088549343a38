/** AWS Signature Version 4 as a client makes it: signed headers and presigned URLs. */
import { foldHeaderValue, scopeText, SIGV4_ALGORITHM, signatureOf, SigningKeyCache } from "./sigv4-canonical.ts";
import { canonicalQuery, UNSIGNED_PAYLOAD, type CredentialScope } from "./sigv4-canonical.ts";
import { amzDate } from "./time.ts";
import { renderQuery } from "./uri.ts";

export interface SigningCredentials {
  readonly accessKey: string;
  readonly secretKey: string;
  readonly sessionToken?: string | undefined;
  /** Empty text for MinIO admin calls. */
  readonly region: string;
  readonly service?: "s3" | "sts" | undefined;
}

export interface RequestToSign extends SigningCredentials {
  readonly method: string;
  /** Raw path as it will be sent (percent-encoded). */
  readonly path: string;
  /** Raw query as it will be sent, without `?`. */
  readonly query: string;
  /** Lower-case names, Latin-1 values (UTF-8 bytes one per character); must hold `host`. Empty values are signed too. */
  readonly headers: Readonly<Record<string, string>>;
  /** Hex SHA-256 of the body, UNSIGNED-PAYLOAD or a STREAMING-* word. */
  readonly payloadHash: string;
  readonly nowMs: number;
}

/** Headers that proxies and HTTP stacks change or add; MinIO's and Amazon's clients leave them out as well. */
const UNSIGNED_HEADERS = new Set([
  "authorization",
  "user-agent",
  "accept-encoding",
  "content-length",
  "connection",
  "expect",
  "transfer-encoding",
]);

const sharedKeys = new SigningKeyCache();

function headerLines(headers: Readonly<Record<string, string>>, names: readonly string[]): string {
  let lines = "";
  for (const name of names) lines += `${name}:${foldHeaderValue(headers[name] as string)}\n`;
  return lines;
}

function scopeOf(request: SigningCredentials, date: string): CredentialScope {
  return { date: date.slice(0, 8), region: request.region, service: request.service ?? "s3" };
}

/** Names of the last request, and those of them that are signed, sorted: requests of a kind follow one another. */
let last: { readonly names: readonly string[]; readonly signed: readonly string[] } = { names: [], signed: [] };

function signedNames(names: readonly string[]): readonly string[] {
  if (names.length === last.names.length && names.every((name, i) => name === last.names[i])) return last.signed;
  const signed = names.filter((name) => !UNSIGNED_HEADERS.has(name)).sort();
  last = { names, signed };
  return signed;
}

/** The given headers plus `x-amz-date`, `x-amz-content-sha256`, `x-amz-security-token` and `authorization`. */
export function signRequest(request: RequestToSign): Record<string, string> {
  const date = amzDate(request.nowMs);
  const headers: Record<string, string> = {
    ...request.headers,
    "x-amz-date": date,
    "x-amz-content-sha256": request.payloadHash,
  };
  if (request.sessionToken) headers["x-amz-security-token"] = request.sessionToken;
  const names = signedNames(Object.keys(headers));
  const scope = scopeOf(request, date);
  const signature = signatureOf(
    {
      method: request.method,
      path: request.path,
      canonicalQuery: canonicalQuery(request.query).text,
      signedHeaders: names,
      headerLines: headerLines(headers, names),
      payloadHash: request.payloadHash,
      amzDate: date,
      scope,
    },
    sharedKeys.get(request.secretKey, scope),
  );
  headers["authorization"] =
    `${SIGV4_ALGORITHM} Credential=${request.accessKey}/${scopeText(scope)}, ` +
    `SignedHeaders=${names.join(";")}, Signature=${signature}`;
  return headers;
}

export interface UrlToPresign extends SigningCredentials {
  readonly method: string;
  /** `http://host:port`, no path. */
  readonly origin: string;
  /** Raw path, percent-encoded. */
  readonly path: string;
  /** Decoded parameters. */
  readonly query?: Readonly<Record<string, string>> | undefined;
  /** Further headers that the user of the URL must send unchanged; lower-case names. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** 1 to 604800. */
  readonly expiresSeconds: number;
  readonly nowMs: number;
}

/** A URL that carries its own signature. */
export function presignUrl(request: UrlToPresign): string {
  const date = amzDate(request.nowMs);
  const scope = scopeOf(request, date);
  const headers: Record<string, string> = { ...request.headers, host: new URL(request.origin).host };
  const names = Object.keys(headers).sort();
  const query: Record<string, string> = {
    ...request.query,
    "X-Amz-Algorithm": SIGV4_ALGORITHM,
    "X-Amz-Credential": `${request.accessKey}/${scopeText(scope)}`,
    "X-Amz-Date": date,
    "X-Amz-Expires": String(request.expiresSeconds),
    "X-Amz-SignedHeaders": names.join(";"),
  };
  if (request.sessionToken) query["X-Amz-Security-Token"] = request.sessionToken;
  const raw = renderQuery(query);
  const signature = signatureOf(
    {
      method: request.method,
      path: request.path,
      canonicalQuery: canonicalQuery(raw).text,
      signedHeaders: names,
      headerLines: headerLines(headers, names),
      payloadHash: UNSIGNED_PAYLOAD,
      amzDate: date,
      scope,
    },
    sharedKeys.get(request.secretKey, scope),
  );
  return `${request.origin}${request.path}?${raw}&X-Amz-Signature=${signature}`;
}

export interface FormToSign extends SigningCredentials {
  /** Conditions of the upload, without those about the signature. */
  readonly conditions: readonly (readonly [operator: "eq" | "starts-with", field: string, value: string])[];
  readonly expiresMs: number;
  readonly nowMs: number;
}

/** Fields of a form upload (POST policy): policy and signature, in the order in which they are to be sent. */
export function signForm(form: FormToSign): Record<string, string> {
  const date = amzDate(form.nowMs);
  const scope = scopeOf(form, date);
  const fields: Record<string, string> = {
    "x-amz-date": date,
    "x-amz-algorithm": SIGV4_ALGORITHM,
    "x-amz-credential": `${form.accessKey}/${scopeText(scope)}`,
    ...(form.sessionToken && { "x-amz-security-token": form.sessionToken }),
  };
  const signed = Object.entries(fields).map(([name, value]) => ["eq", `$${name}`, value]);
  const conditions = [...form.conditions.map(([operator, name, value]) => [operator, `$${name}`, value]), ...signed];
  const expiration = new Date(form.expiresMs).toISOString();
  const policy = Buffer.from(JSON.stringify({ expiration, conditions })).toString("base64");
  const signature = sharedKeys.get(form.secretKey, scope).sign(policy);
  return { ...fields, policy, "x-amz-signature": signature };
}
