/**
 * The pure parts of AWS Signature Version 4 that verifying and signing share: canonical request, string to sign,
 * signing key (s3-api.md 2.3). Text here is Latin-1: one character per byte of the wire.
 */
import { createHmac, hash } from "node:crypto";
import { assert } from "../runtime/assert.ts";
import { canonicalPath, canonicalQueryPart } from "./uri.ts";

export const SIGV4_ALGORITHM = "AWS4-HMAC-SHA256";
export const EMPTY_SHA256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
export const UNSIGNED_PAYLOAD = "UNSIGNED-PAYLOAD";

export interface CredentialScope {
  /** yyyymmdd. */
  readonly date: string;
  /** Empty for MinIO's admin clients. */
  readonly region: string;
  readonly service: string;
}

export function scopeText(scope: CredentialScope): string {
  return `${scope.date}/${scope.region}/${scope.service}/aws4_request`;
}

function hmac(key: Buffer | string, text: string): Buffer {
  return createHmac("sha256", key).update(text, "latin1").digest();
}

const BLOCK_BYTES = 64;
const DIGEST_BYTES = 32;
const STRING_TO_SIGN_BYTES_MAX = 4096;

/** A block of a key, and room for what is hashed behind it: see `SigningKey`. */
const innerText = Buffer.alloc(BLOCK_BYTES + STRING_TO_SIGN_BYTES_MAX);
const outerText = Buffer.alloc(BLOCK_BYTES + DIGEST_BYTES);

/**
 * Signs strings. HMAC-SHA256 (RFC 2104) as two one-shot hashes over blocks made once for the key: half the time of a
 * native Hmac, which also leaves an object with a finalizer to the collector, several for a signed stream.
 */
export class SigningKey {
  readonly #inner = Buffer.alloc(BLOCK_BYTES, 0x36);
  readonly #outer = Buffer.alloc(BLOCK_BYTES, 0x5c);
  readonly #key: Buffer;

  /** `key`: 32 bytes. */
  constructor(key: Buffer) {
    assert(key.length === DIGEST_BYTES, "a signing key is a digest");
    this.#key = key;
    for (const [i, byte] of key.entries()) {
      this.#inner[i] = byte ^ 0x36;
      this.#outer[i] = byte ^ 0x5c;
    }
  }

  /** Hex signature of a string to sign (Latin-1). */
  sign(text: string): string {
    if (text.length > STRING_TO_SIGN_BYTES_MAX) return hmac(this.#key, text).toString("hex");
    innerText.set(this.#inner);
    const end = BLOCK_BYTES + innerText.write(text, BLOCK_BYTES, "latin1");
    outerText.set(this.#outer);
    outerText.write(hash("sha256", innerText.subarray(0, end), "latin1"), BLOCK_BYTES, "latin1");
    return hash("sha256", outerText, "hex");
  }
}

/** The key of one secret, day, region and service. The secret is UTF-8. */
export function deriveSigningKey(secret: string, scope: CredentialScope): SigningKey {
  const day = hmac(Buffer.from(`AWS4${secret}`, "utf8"), scope.date);
  return new SigningKey(hmac(hmac(hmac(day, scope.region), scope.service), "aws4_request"));
}

const SIGNING_KEYS_MAX = 1024;

/** Derived keys by secret and scope; bounded, the oldest entry goes first. Four HMACs saved per request. */
export class SigningKeyCache {
  readonly #keys = new Map<string, SigningKey>();

  get(secret: string, scope: CredentialScope): SigningKey {
    const name = `${scope.date}\0${scope.region}\0${scope.service}\0${secret}`;
    let key = this.#keys.get(name);
    if (key === undefined) {
      key = deriveSigningKey(secret, scope);
      if (this.#keys.size >= SIGNING_KEYS_MAX) {
        for (const oldest of this.#keys.keys()) {
          this.#keys.delete(oldest);
          break;
        }
      }
      this.#keys.set(name, key);
    }
    return key;
  }
}

/** Header value folding: ends trimmed, inner runs of white space become one blank. */
export function foldHeaderValue(value: string): string {
  let needs = false;
  let blank = true;
  for (let i = 0; i < value.length; i++) {
    const code = value.charCodeAt(i);
    const white = code === 32 || (code >= 9 && code <= 13);
    if (white && (blank || code !== 32)) {
      needs = true;
      break;
    }
    blank = white;
  }
  if (!needs && !(blank && value.length > 0)) return value;
  return value.replace(/[ \t\n\v\f\r]+/g, " ").replace(/^ | $/g, "");
}

/** True when a name occurs more than once: the order of its values is then a matter of taste among clients. */
function hasRepeatedName(pairs: readonly string[]): boolean {
  for (let i = 1; i < pairs.length; i++) {
    const before = pairs[i - 1] as string;
    const here = pairs[i] as string;
    if (before.slice(0, before.indexOf("=")) === here.slice(0, here.indexOf("="))) return true;
  }
  return false;
}

export interface CanonicalQuery {
  /** Values of one name in received order (Go clients). */
  readonly text: string;
  /** Values of one name sorted (AWS SDKs); present only when it differs. */
  readonly sorted?: string | undefined;
}

/** Canonical query of a raw query, without the parameter `except`. */
export function canonicalQuery(raw: string, except?: string): CanonicalQuery {
  if (raw === "") return { text: "" };
  const pairs: string[] = [];
  for (const field of raw.split("&")) {
    if (field === "") continue;
    const equals = field.indexOf("=");
    const name = canonicalQueryPart(equals < 0 ? field : field.slice(0, equals));
    if (name === except) continue;
    pairs.push(`${name}=${equals < 0 ? "" : canonicalQueryPart(field.slice(equals + 1))}`);
  }
  if (pairs.length > 1) pairs.sort(byName);
  const text = pairs.join("&");
  if (!hasRepeatedName(pairs)) return { text };
  const sorted = [...pairs].sort().join("&");
  return sorted === text ? { text } : { text, sorted };
}

function byName(a: string, b: string): number {
  const x = a.slice(0, a.indexOf("="));
  const y = b.slice(0, b.indexOf("="));
  return x < y ? -1 : x > y ? 1 : 0;
}

export interface CanonicalParts {
  readonly method: string;
  /** Raw path as on the wire. */
  readonly path: string;
  readonly canonicalQuery: string;
  /** Lower-case, sorted. */
  readonly signedHeaders: readonly string[];
  /** `name:value\n` for each signed header, folded. */
  readonly headerLines: string;
  readonly payloadHash: string;
  readonly amzDate: string;
  readonly scope: CredentialScope;
}

/** Hex signature of a canonical request. */
export function signatureOf(parts: CanonicalParts, key: SigningKey): string {
  const request =
    `${parts.method}\n${canonicalPath(parts.path)}\n${parts.canonicalQuery}\n${parts.headerLines}\n` +
    `${parts.signedHeaders.join(";")}\n${parts.payloadHash}`;
  const digest = hash("sha256", Buffer.from(request, "latin1"), "hex");
  return key.sign(`${SIGV4_ALGORITHM}\n${parts.amzDate}\n${scopeText(parts.scope)}\n${digest}`);
}
