/**
 * What a sender needs of a connection to a target, and what an answer means. `client-adapter.ts` makes one from the
 * outgoing S3 client; tests put a fake in its place.
 */
import { StoreError } from "../model/errors.ts";
import * as names from "../protocol/replication-headers.ts";
import { unescapeXml } from "../protocol/xml.ts";
import { RETRY_AFTER_CAP_MS } from "./limits.ts";

export interface TargetRequest {
  readonly method: "GET" | "HEAD" | "PUT" | "POST" | "DELETE";
  /** Object key; absent: the bucket itself. */
  readonly key?: string | undefined;
  /** Absolute path outside the bucket, e.g. `/resilver/v1/damage-check`. */
  readonly path?: string | undefined;
  readonly query?: Readonly<Record<string, string>> | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly body?: Buffer | AsyncIterable<Buffer> | undefined;
  /** Needed with a streamed body. */
  readonly contentLength?: number | undefined;
  /** `hashed`: signed with the digest of the (buffered) body; `unsigned`: UNSIGNED-PAYLOAD. */
  readonly payload: "hashed" | "unsigned";
  /** Receives the body of a 2xx answer piece by piece instead of `TargetResponse.body`. */
  readonly onData?: ((chunk: Buffer) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Longest silence; the default is REQUEST_IDLE_MS. */
  readonly idleTimeoutMs?: number | undefined;
}

export interface TargetResponse {
  readonly status: number;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body: Buffer;
}

/** The head of an answer whose body is read as it comes: to its end, or `discard` is called. */
export interface OpenResponse {
  readonly status: number;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly stream: AsyncIterable<Buffer>;
  discard(): Promise<void>;
}

/** A connection to one target bucket with its credentials. Rejects only when no answer came (network, abort). */
export interface TargetClient {
  readonly bucket: string;
  request(request: TargetRequest): Promise<TargetResponse>;
  /**
   * Asks on behalf of a client who waits, over connections that replication does not use; `timeoutMs` bounds the wait
   * for the head of the answer.
   */
  open(request: TargetRequest, timeoutMs: number): Promise<OpenResponse>;
  /** Anonymous `GET` of a path such as `/minio/health/live`. */
  probe(path: string, timeoutMs: number): Promise<TargetResponse>;
  close(): Promise<void>;
}

/** What became of bringing one version in line at one target. */
export type SendOutcome =
  /**
   * The target holds it now; `bytes` of body were moved (0 for markers and metadata). `resumed`: by an upload begun
   * earlier, with the tags and locks of that time.
   */
  | {
      readonly kind: "sent";
      readonly bytes: number;
      readonly what: "object" | "metadata" | "delete-marker";
      readonly resumed?: boolean;
    }
  /** `fixed`: something differs that no request of the protocol can change. */
  | { readonly kind: "alreadyEqual"; readonly fixed?: string }
  /** Our purge was carried out there. */
  | { readonly kind: "purged" }
  /** The target purged the version and its purge wins: nothing was stored. */
  | { readonly kind: "purgedThere" }
  /** Nothing of the version is left here: there is nothing to do. */
  | { readonly kind: "gone" }
  /** Worth another try. `network`: no answer came at all. */
  | {
      readonly kind: "retry";
      readonly reason: string;
      readonly code: string;
      readonly network: boolean;
      readonly afterMs?: number;
    }
  /** Trying again cannot help until someone acts. */
  | { readonly kind: "refused"; readonly reason: string; readonly code: string };

/** A body could not be read here (damage); told apart from failures of the connection. */
export class SourceReadError extends Error {
  override name = "SourceReadError";
  readonly code: string;
  constructor(cause: unknown) {
    super(cause instanceof Error ? cause.message : String(cause), { cause });
    this.code = cause instanceof StoreError ? cause.code : "InternalError";
  }
}

const CODE = /<Code>([^<]*)<\/Code>/;
const MESSAGE = /<Message>([^<]*)<\/Message>/;

/** Code and message of a failed answer: from the XML or JSON body, else from the headers that a HEAD carries. */
export function errorOf(response: TargetResponse): { code: string; message: string } {
  const text = response.body.subarray(0, 16_384).toString("utf8");
  const code = CODE.exec(text)?.[1] ?? /"Code":"([^"]*)"/.exec(text)?.[1] ?? response.headers[names.ERROR_CODE];
  const written = MESSAGE.exec(text)?.[1];
  const inHeader = response.headers[names.ERROR_DESC]?.replace(/^"|"$/g, "");
  const message = written === undefined ? inHeader : unescapeXml(written);
  return { code: code ?? `HTTP${response.status}`, message: message ?? `the target answered ${response.status}` };
}

/** `Retry-After` in milliseconds, when it is a number of seconds. */
function retryAfterMs(response: TargetResponse): number | undefined {
  const seconds = Number(response.headers["retry-after"] ?? "");
  return Number.isFinite(seconds) && seconds > 0 ? Math.min(seconds * 1000, RETRY_AFTER_CAP_MS) : undefined;
}

/** The target takes no key like this one: two slashes in a row, or a name longer than its file system has. */
const NAME_REFUSALS: readonly string[] = ["XMinioInvalidObjectName", "KeyTooLongError"];

export const refusesName = (code: string): boolean => NAME_REFUSALS.includes(code);

/** A failed answer as an outcome: all but names are tried again soon, since rights and buckets can be mended there. */
export function failedAnswer(response: TargetResponse): SendOutcome {
  const { code, message } = errorOf(response);
  if (refusesName(code)) return { kind: "refused", reason: message, code };
  const afterMs = retryAfterMs(response);
  const base = { kind: "retry", reason: message, code, network: false } as const;
  return afterMs === undefined ? base : { ...base, afterMs };
}

export const changedMeanwhile: SendOutcome = {
  kind: "retry",
  code: "Changed",
  reason: "the version changed while it was sent",
  network: false,
  afterMs: 0,
};

/** An exception while sending as an outcome. */
export function failedSend(error: unknown): SendOutcome {
  if (error instanceof SourceReadError) {
    // A null version was replaced, or a version removed, while it was sent: its own row brings what is there now.
    if (error.code === "NoSuchVersion") return changedMeanwhile;
    const damaged = error.code === "XResilverObjectDamaged";
    const reason = damaged ? "the version's bytes are damaged here" : error.message;
    if (damaged) return { kind: "refused", reason, code: error.code };
    return { kind: "retry", reason, code: error.code, network: false };
  }
  // A fault of our own storage (a full disk, a lost race) says nothing about the target.
  if (error instanceof StoreError) return { kind: "retry", reason: error.message, code: error.code, network: false };
  const reason = error instanceof Error ? error.message : String(error);
  return { kind: "retry", reason, code: "NetworkError", network: true };
}

/** A copy or a Complete may answer 200 and an error document after it. */
export function errorInBody(answer: TargetResponse): boolean {
  return answer.body.subarray(0, 512).includes("<Error>");
}

/** The target says that it holds a purge of this version which wins: 412 of Resilver. */
export function isPurgedThere(response: TargetResponse): boolean {
  return response.status >= 300 && response.headers[names.RESILVER_PURGED] !== undefined;
}
