/**
 * Bodies of the admin API that carry secrets, sealed with the caller's secret key (admin-api.md section 2):
 * `salt(32) | algorithm(1) | nonce(8) | fragments`. Readers accept all three algorithms; we write PBKDF2 (0x02), which
 * costs no 64 MiB, and which every client accepts.
 */
import { argon2, createCipheriv, createDecipheriv, pbkdf2, randomBytes } from "node:crypto";
import { promisify } from "node:util";
import { StoreError } from "../model/errors.ts";

export const ADMIN_ALGORITHM = { argon2AesGcm: 0, argon2ChaCha: 1, pbkdf2AesGcm: 2 } as const;
export type AdminAlgorithm = (typeof ADMIN_ALGORITHM)[keyof typeof ADMIN_ALGORITHM];

const SALT = 32;
const NONCE = 8;
const HEAD = SALT + 1 + NONCE;
const TAG = 16;
const FRAGMENT = 16_384;
const LAST = 0x80;
const NOT_LAST = 0x00;
/** Each Argon2 derivation takes 64 MiB: more at once than this would let strangers eat the memory. */
const DERIVATIONS_MAX = 2;

const derivePbkdf2 = promisify(pbkdf2);
const deriveArgon2 = promisify(argon2);

let deriving = 0;
const waiting: (() => void)[] = [];

async function bounded<T>(work: () => Promise<T>): Promise<T> {
  if (deriving >= DERIVATIONS_MAX) await new Promise<void>((go) => waiting.push(go));
  else deriving++;
  try {
    return await work();
  } finally {
    const next = waiting.shift();
    if (next === undefined) deriving--;
    else next();
  }
}

function derive(algorithm: number, password: string, salt: Buffer): Promise<Buffer> {
  if (algorithm === ADMIN_ALGORITHM.pbkdf2AesGcm) return derivePbkdf2(password, salt, 8192, 32, "sha256");
  const parameters = { message: Buffer.from(password), nonce: salt, parallelism: 4, tagLength: 32, memory: 65_536, passes: 1 };
  return bounded(() => deriveArgon2("argon2id", parameters));
}

const cipherName = (algorithm: number): "aes-256-gcm" | "chacha20-poly1305" =>
  algorithm === ADMIN_ALGORITHM.argon2ChaCha ? "chacha20-poly1305" : "aes-256-gcm";

function nonceFor(prefix: Buffer, counter: number): Buffer {
  const nonce = Buffer.allocUnsafe(12);
  prefix.copy(nonce);
  nonce.writeUInt32LE(counter, NONCE);
  return nonce;
}

interface Stream {
  readonly cipher: "aes-256-gcm" | "chacha20-poly1305";
  readonly key: Buffer;
  readonly prefix: Buffer;
}

function sealFragment(stream: Stream, counter: number, extra: Buffer, plain: Buffer): Buffer {
  const cipher = createCipheriv(stream.cipher as "aes-256-gcm", stream.key, nonceFor(stream.prefix, counter), { authTagLength: TAG });
  if (extra.length > 0) cipher.setAAD(extra, { plaintextLength: plain.length });
  const body = cipher.update(plain);
  cipher.final();
  return Buffer.concat([body, cipher.getAuthTag()]);
}

function openFragment(stream: Stream, counter: number, extra: Buffer, sealed: Buffer): Buffer {
  const plainLength = sealed.length - TAG;
  const decipher = createDecipheriv(stream.cipher as "aes-256-gcm", stream.key, nonceFor(stream.prefix, counter), { authTagLength: TAG });
  decipher.setAAD(extra, { plaintextLength: plainLength });
  decipher.setAuthTag(sealed.subarray(plainLength));
  const plain = decipher.update(sealed.subarray(0, plainLength));
  decipher.final();
  return plain;
}

/** Associated data of data fragments: a flag, then the tag of an empty message under counter 0, which is never sent. */
function associated(stream: Stream): (last: boolean) => Buffer {
  const tag = sealFragment(stream, 0, Buffer.alloc(0), Buffer.alloc(0));
  const notLast = Buffer.concat([Buffer.from([NOT_LAST]), tag]);
  const last = Buffer.concat([Buffer.from([LAST]), tag]);
  return (isLast) => (isLast ? last : notLast);
}

/** Seals `plain` with `password` (a secret key). Salt and nonce are given by tests only. */
export async function sealAdminBody(
  password: string,
  plain: Buffer,
  options: { algorithm?: AdminAlgorithm; salt?: Buffer; nonce?: Buffer } = {},
): Promise<Buffer> {
  const algorithm = options.algorithm ?? ADMIN_ALGORITHM.pbkdf2AesGcm;
  const salt = options.salt ?? randomBytes(SALT);
  const prefix = options.nonce ?? randomBytes(NONCE);
  const stream: Stream = { cipher: cipherName(algorithm), key: await derive(algorithm, password, salt), prefix };
  const extra = associated(stream);
  const out = [salt, Buffer.from([algorithm]), prefix];
  const count = Math.max(1, Math.ceil(plain.length / FRAGMENT));
  for (let i = 0; i < count; i++) {
    out.push(sealFragment(stream, i + 1, extra(i === count - 1), plain.subarray(i * FRAGMENT, (i + 1) * FRAGMENT)));
  }
  return Buffer.concat(out);
}

/** Opens a sealed body. Anything that does not open (wrong key, cut short, plain JSON) is XMinioAdminConfigBadJSON. */
export async function openAdminBody(password: string, sealed: Buffer): Promise<Buffer> {
  const algorithm = sealed[SALT] ?? -1;
  if (sealed.length < HEAD + TAG || algorithm > ADMIN_ALGORITHM.pbkdf2AesGcm) throw new StoreError("XMinioAdminConfigBadJSON");
  const key = await derive(algorithm, password, sealed.subarray(0, SALT));
  const stream: Stream = { cipher: cipherName(algorithm), key, prefix: sealed.subarray(SALT + 1, HEAD) };
  const extra = associated(stream);
  const body = sealed.subarray(HEAD);
  const out: Buffer[] = [];
  const count = Math.ceil(body.length / (FRAGMENT + TAG));
  try {
    for (let i = 0; i < count; i++) {
      out.push(openFragment(stream, i + 1, extra(i === count - 1), body.subarray(i * (FRAGMENT + TAG), (i + 1) * (FRAGMENT + TAG))));
    }
  } catch (cause) {
    throw new StoreError("XMinioAdminConfigBadJSON", { cause });
  }
  return Buffer.concat(out);
}
