/** One admin request on its way: parameters, caller, body, permission. */
import { createHash } from "node:crypto";
import type { IncomingMessage } from "node:http";
import type { ZodType } from "zod";
import type { Identity } from "../iam/types.ts";
import { hasCode, StoreError } from "../model/errors.ts";
import type { BucketName } from "../model/names.ts";
import { parseBucketName } from "../model/names.ts";
import { AdminCryptoError, openAdminBody } from "../protocol/admin-crypto.ts";
import { UNSIGNED_PAYLOAD } from "../protocol/sigv4.ts";
import { parseQuery } from "../protocol/uri.ts";
import { requestConditions } from "../iam/signed-caller.ts";
import { readWhole } from "./body.ts";
import type { AdminDeps } from "./deps.ts";
import { SEALED_BODY_BYTES_MAX } from "./limits.ts";

export interface AdminRequestInput {
  readonly deps: AdminDeps;
  readonly incoming: IncomingMessage;
  /** Raw, before `?`. */
  readonly path: string;
  readonly rawQuery: string;
  readonly requestId: string;
}

export class AdminRequest {
  readonly deps: AdminDeps;
  readonly incoming: IncomingMessage;
  readonly path: string;
  readonly rawQuery: string;
  readonly requestId: string;
  /** Set by authentication, before the route runs. */
  identity: Identity;
  /** The signed x-amz-content-sha256. */
  payloadHash: string;
  readonly #query: readonly (readonly [string, string])[];

  constructor(input: AdminRequestInput) {
    this.deps = input.deps;
    this.incoming = input.incoming;
    this.path = input.path;
    this.rawQuery = input.rawQuery;
    this.requestId = input.requestId;
    this.identity = input.deps.iam.anonymous;
    this.payloadHash = UNSIGNED_PAYLOAD;
    this.#query = parseQuery(input.rawQuery);
  }

  get method(): string {
    return this.incoming.method ?? "GET";
  }

  has(name: string): boolean {
    return this.#query.some(([key]) => key === name);
  }
  /** First value; empty when absent. */
  param(name: string): string {
    return this.#query.find(([key]) => key === name)?.[1] ?? "";
  }
  params(name: string): string[] {
    return this.#query.filter(([key]) => key === name).map(([, value]) => value);
  }
  flag(name: string): boolean {
    return this.param(name) === "true";
  }

  /** `bucket` without the slashes that clients leave at its end; empty: none was named. */
  get bucketText(): string {
    return bucketParameter(this.param("bucket"));
  }
  /** Throws InvalidBucketName. */
  get bucket(): BucketName {
    return parseBucketName(this.bucketText);
  }

  header(name: string): string | undefined {
    const value = this.incoming.headers[name];
    return Array.isArray(value) ? value.join(",") : value;
  }

  /** May the caller do `action`? `denyOnly`: unless a policy denies it (acting on oneself). */
  may(
    action: string,
    options: { denyOnly?: boolean; key?: string; conditions?: Record<string, string[]> } = {},
  ): Promise<boolean> {
    return this.deps.iam.allowed(this.identity, {
      action,
      conditions: { ...requestConditions(this.deps, this.incoming), ...options.conditions },
      denyOnly: options.denyOnly,
      key: options.key,
    });
  }

  /** Throws AccessDenied unless the caller may do one of the actions. */
  async authorize(...actions: readonly string[]): Promise<void> {
    for (const action of actions) if (await this.may(action)) return;
    throw new StoreError("AccessDenied");
  }

  /** As `authorize`; on oneself only an explicit Deny refuses. */
  async authorizeOn(self: boolean, action: string, conditions: Record<string, string[]> = {}): Promise<void> {
    if (!(await this.may(action, { denyOnly: self, conditions }))) throw new StoreError("AccessDenied");
  }

  /** The whole body, compared with the hash that was signed. `tooLarge`: the code above `limit` bytes. */
  async body(limit: number, tooLarge: string): Promise<Buffer> {
    const body = await readWhole(this.incoming, limit, tooLarge);
    this.longRunning();
    const hash = this.payloadHash.toLowerCase();
    if (this.payloadHash !== UNSIGNED_PAYLOAD && createHash("sha256").update(body).digest("hex") !== hash) {
      throw new StoreError("XAmzContentSHA256Mismatch");
    }
    return body;
  }

  /** The call may be at work for long now without a byte moving: the idle limit of the connection is not for that. */
  longRunning(): void {
    this.incoming.socket.setTimeout(0);
  }

  /** A sealed JSON body, opened with the caller's secret. XMinioAdminConfigTooLarge, XMinioAdminConfigBadJSON. */
  async sealedJson<T>(schema: ZodType<T>): Promise<T> {
    // Without a length the size limit could not be stated before reading: refused as the real one does.
    if (this.header("content-length") === undefined) throw new StoreError("XMinioAdminConfigTooLarge");
    const sealed = await this.body(SEALED_BODY_BYTES_MAX, "XMinioAdminConfigTooLarge");
    let plain: Buffer;
    try {
      plain = await openAdminBody(this.identity.secretKey, sealed);
    } catch (error) {
      if (error instanceof AdminCryptoError) throw new StoreError("XMinioAdminConfigBadJSON", { cause: error });
      throw error;
    }
    return parseJson(plain, schema, "XMinioAdminConfigBadJSON");
  }
}

/** `bucket` as clients write it: with slashes at its end, or `.` for none. Errors name it, also to those who never signed. */
export function bucketParameter(text: string): string {
  let end = text.length;
  while (text[end - 1] === "/") end--;
  const bucket = text.slice(0, end);
  return bucket === "." ? "" : bucket;
}

/** JSON text of a stranger as `T`; what is not, is refused with `code`. */
export function parseJson<T>(text: Buffer, schema: ZodType<T>, code: string): T {
  let value: unknown;
  try {
    value = JSON.parse(text.toString("utf8"));
  } catch (cause) {
    throw new StoreError(code, { cause });
  }
  const parsed = schema.safeParse(value);
  if (!parsed.success) throw new StoreError(code, { cause: parsed.error });
  return parsed.data;
}

/** Runs `look`; a StoreError with one of `codes` counts as undefined. */
export async function orUndefined<T>(look: () => Promise<T>, ...codes: string[]): Promise<T | undefined> {
  try {
    return await look();
  } catch (error) {
    if (hasCode(error, ...codes)) return undefined;
    throw error;
  }
}
