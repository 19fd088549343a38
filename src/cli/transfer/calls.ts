/** Objects by address, as the commands see them. */
import { answeredWith } from "../../client/errors.ts";
import { withRetry } from "../../client/retry.ts";
import type { ObjectName } from "../../client/s3-calls.ts";
import * as calls from "../../client/s3-calls.ts";
import type { S3Client } from "../../client/s3-client.ts";
import { S3ResponseError } from "../../client/s3-client.ts";
import type { Clock } from "../../runtime/clock.ts";
import { systemRandom } from "../../runtime/random.ts";

type Headers = Readonly<Record<string, string>>;

/** One object or version on a server. */
export interface ObjectAddress {
  readonly client: S3Client;
  readonly bucket: string;
  readonly key: string;
  readonly versionId?: string | undefined;
}

export interface ObjectHead {
  readonly size: number;
  /** Unix milliseconds, whole seconds. */
  readonly modifiedMs: number;
  readonly etag: string;
  readonly versionId: string | undefined;
  /** All answer headers, lower-case names. */
  readonly headers: Headers;
}

export interface PutResult {
  readonly etag: string;
  readonly versionId?: string | undefined;
}

/** The address as the typed calls take it. */
export function named(address: ObjectAddress, headers: Headers, signal: AbortSignal): ObjectName {
  const { bucket, key, versionId } = address;
  return { bucket, key, headers, signal, versionId: versionId === "" ? undefined : versionId };
}

function headOf(headers: Headers): ObjectHead {
  return {
    size: Number(headers["content-length"] ?? "0"),
    modifiedMs: Date.parse(headers["last-modified"] ?? "") || 0,
    etag: (headers["etag"] ?? "").replaceAll('"', ""),
    versionId: headers["x-amz-version-id"],
    headers,
  };
}

/** HEAD with checksums. Throws S3ResponseError (404 when missing or a delete marker). */
export async function headObject(address: ObjectAddress, headers: Headers, signal: AbortSignal): Promise<ObjectHead> {
  const all = { "x-amz-checksum-mode": "ENABLED", ...headers };
  return headOf(await calls.headObject(address.client, named(address, all, signal)));
}

/** GET; the body must be read. `accept-encoding: identity` keeps proxies from repacking it. */
export async function getObject(
  address: ObjectAddress,
  headers: Headers,
  signal: AbortSignal,
): Promise<{ readonly head: ObjectHead; readonly stream: AsyncIterable<Buffer>; discard(): Promise<void> }> {
  const all = { "accept-encoding": "identity", ...headers };
  const response = await calls.getObject(address.client, named(address, all, signal));
  return { head: headOf(response.headers), stream: response.stream, discard: () => response.discard() };
}

/** Repeats `call` while that can help (client/retry.ts). */
export function retried<T>(
  options: { readonly clock: Clock; readonly signal: AbortSignal },
  call: () => Promise<T>,
): Promise<T> {
  return withRetry(call, { clock: options.clock, random: systemRandom, signal: options.signal });
}

/** True for the answers that say that a bucket, key or version is not there. */
export function isNotFound(error: unknown): boolean {
  return error instanceof S3ResponseError && error.status === 404;
}

/** The head, or undefined when there is no such object. A missing bucket is still an error. */
export async function findObject(
  address: ObjectAddress,
  headers: Headers,
  signal: AbortSignal,
): Promise<ObjectHead | undefined> {
  try {
    return await headObject(address, headers, signal);
  } catch (error) {
    if (isNotFound(error) && !answeredWith(error, "NoSuchBucket")) return undefined;
    throw error;
  }
}
