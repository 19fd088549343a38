/**
 * JSON documents with a signature inside: `signature` holds the algorithm, the public key and the signature of the rest
 * (Ed25519, RFC 8032) in one byte form: members sorted by name, no blanks. Anyone can check one with common tools.
 */
import { createPrivateKey, createPublicKey, sign, verify, type KeyObject } from "node:crypto";

export interface Signature {
  readonly algorithm: "ed25519";
  /** Base64 of the 32 bytes. */
  readonly publicKey: string;
  /** Base64 of the 64 bytes. */
  readonly value: string;
}

/** What RFC 8410 puts before the 32 bytes of a key in DER. */
const PRIVATE_HEAD = Buffer.from("302e020100300506032b657004220420", "hex");
const PUBLIC_HEAD = Buffer.from("302a300506032b6570032100", "hex");

/** The private key whose seed is these 32 bytes. */
export function signingKey(seed: Buffer): KeyObject {
  return createPrivateKey({ key: Buffer.concat([PRIVATE_HEAD, seed]), format: "der", type: "pkcs8" });
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== "object" || value === null) return value;
  const names = Object.keys(value).toSorted();
  return Object.fromEntries(names.map((name) => [name, sorted((value as Record<string, unknown>)[name])]));
}

/** The bytes that are signed. Members that are undefined are left out, as in any JSON. */
const bytesOf = (document: object): Buffer => Buffer.from(JSON.stringify(sorted(document)));

/** The document with its signature as the last member. */
export function signDocument<T extends object>(document: T, key: KeyObject): T & { readonly signature: Signature } {
  const der = createPublicKey(key).export({ format: "der", type: "spki" });
  const publicKey = der.subarray(PUBLIC_HEAD.length).toString("base64");
  const value = sign(null, bytesOf(document), key).toString("base64");
  return { ...document, signature: { algorithm: "ed25519", publicKey, value } };
}

/** The public key (base64) that signed a document; undefined: it is unsigned, or not what was signed. */
export function signerOf(document: object): string | undefined {
  const { signature, ...rest } = document as { signature?: Partial<Signature> };
  if (signature?.algorithm !== "ed25519" || typeof signature.publicKey !== "string") return undefined;
  const bytes = Buffer.from(signature.publicKey, "base64");
  if (bytes.length !== 32 || typeof signature.value !== "string") return undefined;
  const key = createPublicKey({ key: Buffer.concat([PUBLIC_HEAD, bytes]), format: "der", type: "spki" });
  return verify(null, bytesOf(rest), key, Buffer.from(signature.value, "base64")) ? signature.publicKey : undefined;
}
