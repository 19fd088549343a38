/** What headers say about encryption, and what answers say (s3-api.md section 13). */
import { createHash } from "node:crypto";
import {
  keyNameOf,
  KMS_KEY_PREFIX,
  type CustomerKey,
  type EncryptionRequest,
  type ObjectEncryption,
} from "../model/encryption.ts";
import { StoreError } from "../model/errors.ts";
import { notApplicable } from "../objects/encryption.ts";
import type { FoundObject, VersionSelector } from "../objects/types.ts";
import type { HeaderView } from "./attributes.ts";
import { invalidArgument, type S3Request } from "./request.ts";

const SSE = "x-amz-server-side-encryption";
const KEY_ID = `${SSE}-aws-kms-key-id`;
const CONTEXT = `${SSE}-context`;
const CUSTOMER = `${SSE}-customer-`;
const SOURCE_CUSTOMER = `x-amz-copy-source-server-side-encryption-customer-`;
/** How MinIO's sources send objects that they can not open (replication.md 3.10). */
const SEALED_REPLICA = "x-minio-replication-server-side-encryption";
const CUSTOMER_KEY_BYTES = 32;

const WITH_CUSTOMER_KEY = "Requests specifying Server Side Encryption with Customer provided keys must";

/** A client's key from the three headers that begin with `prefix`. Keys do not travel over plain HTTP: InvalidRequest. */
function customerKeyOf(view: HeaderView, prefix: string, secure: boolean): CustomerKey | undefined {
  const algorithm = view.header(`${prefix}algorithm`);
  const text = view.header(`${prefix}key`);
  const md5 = view.header(`${prefix}key-md5`);
  if (algorithm === undefined && text === undefined && md5 === undefined) return undefined;
  if (!secure) {
    throw new StoreError("InvalidRequest", { message: `${WITH_CUSTOMER_KEY} be made over a secure connection.` });
  }
  if (algorithm !== "AES256") throw invalidArgument(`${WITH_CUSTOMER_KEY} provide a valid encryption algorithm.`);
  if (!text) throw invalidArgument(`${WITH_CUSTOMER_KEY} provide an appropriate secret key.`);
  if (!md5) throw invalidArgument(`${WITH_CUSTOMER_KEY} provide the client calculated MD5 of the secret key.`);
  const key = Buffer.from(text, "base64");
  if (key.length !== CUSTOMER_KEY_BYTES) {
    throw invalidArgument("The secret key was invalid for the specified algorithm.");
  }
  if (createHash("md5").update(key).digest("base64") !== md5) {
    throw invalidArgument("The calculated MD5 hash of the key did not match the hash that was provided.");
  }
  return { key, md5 };
}

const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/;

/** The encryption context: base64 of a JSON object of strings. */
function checkedContext(text: string): string {
  try {
    // It goes out again in headers as it is.
    if (!BASE64.test(text)) throw new SyntaxError("not base64");
    const value: unknown = JSON.parse(Buffer.from(text, "base64").toString("utf8"));
    const good =
      typeof value === "object" &&
      value !== null &&
      !Array.isArray(value) &&
      Object.values(value).every((member) => typeof member === "string");
    if (good) return text;
  } catch {
    // Neither base64 nor JSON: the same answer.
  }
  throw invalidArgument("The encryption context is not base64 of a JSON object of strings.");
}

/** True for requests with any header of encryption: the others pay for this look alone. */
function asksEncryption(view: HeaderView): boolean {
  for (const name in view.headers) {
    if (!name.startsWith("x-")) continue;
    if (name.startsWith(SSE)) return true;
    if (name.startsWith(SEALED_REPLICA)) {
      throw new StoreError("NotImplemented", {
        message:
          "Objects that are encrypted with a client's key are not taken from other sites: their path is bound in.",
      });
    }
  }
  return false;
}

/**
 * What a write asks for; undefined: nothing. `secure`: the connection is TLS. InvalidArgument and InvalidRequest as in
 * s3-api.md 13.1.
 */
export function encryptionOf(view: HeaderView, secure: boolean): EncryptionRequest | undefined {
  if (!asksEncryption(view)) return undefined;
  const customerKey = customerKeyOf(view, CUSTOMER, secure);
  const method = view.header(SSE);
  const keyId = view.header(KEY_ID);
  const context = view.header(CONTEXT);
  if (customerKey !== undefined) {
    if (method === undefined && keyId === undefined) return { kind: "SSE-C", customerKey };
    throw invalidArgument("Server Side Encryption with Customer provided keys is incompatible with the other methods.");
  }
  if (method === "aws:kms") {
    if (keyId !== undefined && (keyId === "" || keyId.trim() !== keyId)) {
      throw new StoreError("InvalidRequest", { message: "The KMS key id must not begin or end with a blank." });
    }
    return {
      kind: "SSE-KMS",
      keyId: keyId && keyNameOf(keyId),
      context: context === undefined || context === "" ? undefined : checkedContext(context),
    };
  }
  if (method !== "AES256") throw invalidArgument("The encryption method specified is not supported");
  if (keyId !== undefined) throw invalidArgument("A KMS key id needs the encryption method aws:kms.");
  return { kind: "SSE-S3" };
}

/** The client's key that a part, or a read, comes with. */
export function customerKey(request: S3Request): CustomerKey | undefined {
  return customerKeyOf(request, CUSTOMER, request.secure);
}

/** The client's key that the source of a copy is encrypted with. */
export function sourceKey(request: S3Request): CustomerKey | undefined {
  return customerKeyOf(request, SOURCE_CUSTOMER, request.secure);
}

/** The client's key of a GET or HEAD. BadRequest for headers that only writes have (s3-api.md 13.1). */
export function readKey(request: S3Request): CustomerKey | undefined {
  if (request.headers[SSE] !== undefined || request.headers[KEY_ID] !== undefined) {
    throw new StoreError("BadRequest", { message: `${SSE} header is not supported for this operation.` });
  }
  return customerKey(request);
}

/** Before anything of an object is told: the right key for one that needs it, and none for others (s3-api.md 13.3). */
export async function unlockFor(
  selector: VersionSelector,
  found: Pick<FoundObject, "version" | "unlock">,
  key: CustomerKey | undefined,
): Promise<void> {
  if (found.unlock === undefined) {
    if (key !== undefined) throw notApplicable(selector);
  } else if (key !== undefined || found.version.encryption?.kind === "SSE-C") await found.unlock(key);
}

/** Headers of an answer about an encrypted object. `md5` is that of the client's key. */
export function encryptionHeaders(encryption: ObjectEncryption | undefined, md5: string | undefined): string[] {
  if (encryption === undefined) return [];
  const { kind, keyId = "", context } = encryption;
  if (kind === "SSE-S3") return [SSE, "AES256"];
  if (kind === "SSE-C") return [`${CUSTOMER}algorithm`, "AES256", `${CUSTOMER}key-MD5`, md5 ?? ""];
  const headers = [SSE, "aws:kms", KEY_ID, KMS_KEY_PREFIX + keyId];
  if (context !== undefined) headers.push(CONTEXT, context);
  return headers;
}

/** The MD5 of a client's key as the request gave it, to be told back. */
export function askedMd5(view: HeaderView): string | undefined {
  return view.header(`${CUSTOMER}key-md5`);
}
