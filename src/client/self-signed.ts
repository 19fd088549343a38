/** A certificate that signs itself, made from an Ed25519 key: what a key server knows a client by (its API key). */
import { createPrivateKey, createPublicKey, sign } from "node:crypto";

export interface KeyPair {
  /** PEM. */
  readonly cert: string;
  readonly key: string;
}

const SEED_BYTES = 32;
const PKCS8_PREFIX = Buffer.from("302e020100300506032b657004220420", "hex");
/** Tags of DER. */
const INTEGER = 0x02;
const BIT_STRING = 0x03;
const OCTET_STRING = 0x04;
const OBJECT_ID = 0x06;
const UTF8 = 0x0c;
const TIME = 0x18;
const SEQUENCE = 0x30;
const SET = 0x31;
const CONTEXT_0 = 0xa0;
const CONTEXT_3 = 0xa3;
const IP_NAME = 0x87;

const ED25519 = Buffer.from("06032b6570", "hex");
const COMMON_NAME = Buffer.from("550403", "hex");
const EXTENDED_KEY_USAGE = Buffer.from("551d25", "hex");
const ALTERNATIVE_NAME = Buffer.from("551d11", "hex");
const CLIENT_AND_SERVER = Buffer.from("06082b0601050507030206082b06010505070301", "hex");

function der(tag: number, ...parts: readonly Buffer[]): Buffer {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  const bytes = length < 128 ? [length] : length < 256 ? [0x81, length] : [0x82, length >> 8, length & 255];
  return Buffer.concat([Buffer.from([tag, ...bytes]), ...parts]);
}

const nameOf = (text: string): Buffer =>
  der(SEQUENCE, der(SET, der(SEQUENCE, der(OBJECT_ID, COMMON_NAME), der(UTF8, Buffer.from(text)))));

const timeOf = (ms: number): Buffer =>
  der(TIME, Buffer.from(`${new Date(ms).toISOString().replace(/[-:T]/g, "").slice(0, 14)}Z`));

const extension = (id: Buffer, value: Buffer): Buffer =>
  der(SEQUENCE, der(OBJECT_ID, id), der(OCTET_STRING, der(SEQUENCE, value)));

const bits = (bytes: Buffer): Buffer => der(BIT_STRING, Buffer.from([0]), bytes);

const pem = (label: string, bytes: Buffer): string =>
  `-----BEGIN ${label}-----\n${bytes.toString("base64").replace(/.{64}(?=.)/g, "$&\n")}\n-----END ${label}-----\n`;

export interface SelfSigned {
  /** 32 bytes: the private key. */
  readonly seed: Buffer;
  readonly name: string;
  readonly nowMs: number;
  /** IPv4 address that it is also good for, as a server's. */
  readonly address?: string | undefined;
}

const DAY_MS = 86_400_000;

/** Valid from the day before `nowMs` for ten years. */
export function selfSigned({ seed, name, nowMs, address }: SelfSigned): KeyPair {
  if (seed.length !== SEED_BYTES) throw new Error("an Ed25519 key has 32 bytes");
  const privateKey = createPrivateKey({ key: Buffer.concat([PKCS8_PREFIX, seed]), format: "der", type: "pkcs8" });
  const publicKey = createPublicKey(privateKey).export({ format: "der", type: "spki" });
  const algorithm = der(SEQUENCE, ED25519);
  const extensions = [extension(EXTENDED_KEY_USAGE, CLIENT_AND_SERVER)];
  if (address !== undefined)
    extensions.push(extension(ALTERNATIVE_NAME, der(IP_NAME, Buffer.from(address.split(".").map(Number)))));
  const body = der(
    SEQUENCE,
    der(CONTEXT_0, der(INTEGER, Buffer.from([2]))),
    der(INTEGER, Buffer.from([1])),
    algorithm,
    nameOf(name),
    der(SEQUENCE, timeOf(nowMs - DAY_MS), timeOf(nowMs + 3650 * DAY_MS)),
    nameOf(name),
    publicKey,
    der(CONTEXT_3, der(SEQUENCE, ...extensions)),
  );
  const cert = der(SEQUENCE, body, algorithm, bits(sign(null, body, privateKey)));
  return {
    cert: pem("CERTIFICATE", cert),
    key: privateKey.export({ format: "pem", type: "pkcs8" }).toString(),
  };
}
