/**
 * Sealed bodies of MinIO's admin API (admin-api.md section 2): salt, algorithm, nonce, then fragments of 16 KiB, each
 * with its tag. PBKDF2, which costs little, is what we write by default; all three algorithms are read and written.
 */
import { argon2, createCipheriv, createDecipheriv, pbkdf2, randomBytes } from "node:crypto";

export const ADMIN_ALGORITHMS = { argon2Aes: 0, argon2ChaCha: 1, pbkdf2Aes: 2 } as const;
export type AdminAlgorithm = (typeof ADMIN_ALGORITHMS)[keyof typeof ADMIN_ALGORITHMS];

/** Not a sealed body, or sealed with another password, or damaged. The admin layer answers XMinioAdminConfigBadJSON. */
export class AdminCryptoError extends Error {
  override name = "AdminCryptoError";
}

const SALT_BYTES = 32;
const NONCE_BYTES = 8;
const HEADER_BYTES = SALT_BYTES + 1 + NONCE_BYTES;
const FRAGMENT_BYTES = 16_384;
const TAG_BYTES = 16;
const KEY_BYTES = 32;
const PBKDF2_ITERATIONS = 8192;
const ARGON2_MEMORY_KIB = 65_536;
const ARGON2_LANES = 4;
/** Each derivation takes 64 MiB: strangers must not fill the memory by sending many bodies at once. */
const ARGON2_AT_ONCE_MAX = 2;
const ARGON2_WAITING_MAX = 256;

let argon2Running = 0;
const argon2Waiting: (() => void)[] = [];

async function withArgon2Slot<T>(work: () => Promise<T>): Promise<T> {
  if (argon2Running >= ARGON2_AT_ONCE_MAX) {
    if (argon2Waiting.length >= ARGON2_WAITING_MAX) throw new AdminCryptoError("too many sealed bodies at once");
    // The one that ends hands its slot over: the count stays.
    await new Promise<void>((resolve) => argon2Waiting.push(resolve));
  } else argon2Running++;
  try {
    return await work();
  } finally {
    const next = argon2Waiting.shift();
    if (next === undefined) argon2Running--;
    else next();
  }
}

function argon2Key(password: string, salt: Buffer): Promise<Buffer> {
  const parameters = {
    message: Buffer.from(password, "utf8"),
    nonce: salt,
    parallelism: ARGON2_LANES,
    tagLength: KEY_BYTES,
    memory: ARGON2_MEMORY_KIB,
    passes: 1,
  };
  return new Promise((resolve, reject) => {
    argon2("argon2id", parameters, (error, key) => (error ? reject(error) : resolve(Buffer.from(key))));
  });
}

function pbkdf2Key(password: string, salt: Buffer): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    pbkdf2(password, salt, PBKDF2_ITERATIONS, KEY_BYTES, "sha256", (error, key) =>
      error ? reject(error) : resolve(key),
    );
  });
}

function deriveKey(algorithm: number, password: string, salt: Buffer): Promise<Buffer> {
  if (algorithm === ADMIN_ALGORITHMS.pbkdf2Aes) return pbkdf2Key(password, salt);
  return withArgon2Slot(() => argon2Key(password, salt));
}

/** One body's key and nonce; fragments are sealed and opened by their number. */
class Fragments {
  readonly #cipher: "aes-256-gcm" | "chacha20-poly1305";
  readonly #key: Buffer;
  readonly #prefix: Buffer;
  /** Tag of the empty message under counter 0: binds all fragments together. */
  readonly #binding: Buffer;

  constructor(algorithm: number, key: Buffer, prefix: Buffer) {
    this.#cipher = algorithm === ADMIN_ALGORITHMS.argon2ChaCha ? "chacha20-poly1305" : "aes-256-gcm";
    this.#key = key;
    this.#prefix = prefix;
    this.#binding = this.#seal(0, Buffer.alloc(0), Buffer.alloc(0));
  }

  #nonce(counter: number): Buffer {
    const nonce = Buffer.alloc(12);
    this.#prefix.copy(nonce);
    nonce.writeUInt32LE(counter, NONCE_BYTES);
    return nonce;
  }

  #data(last: boolean): Buffer {
    return Buffer.concat([Buffer.from([last ? 0x80 : 0]), this.#binding]);
  }

  // The two ciphers have one interface, but Node's types tell them apart by the literal name.
  #seal(counter: number, plain: Buffer, data: Buffer): Buffer {
    const cipher = createCipheriv(this.#cipher as "aes-256-gcm", this.#key, this.#nonce(counter), {
      authTagLength: TAG_BYTES,
    });
    cipher.setAAD(data, { plaintextLength: plain.length });
    return Buffer.concat([cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
  }

  seal(counter: number, plain: Buffer, last: boolean): Buffer {
    return this.#seal(counter, plain, this.#data(last));
  }

  open(counter: number, sealed: Buffer, last: boolean): Buffer {
    const end = sealed.length - TAG_BYTES;
    const cipher = createDecipheriv(this.#cipher as "aes-256-gcm", this.#key, this.#nonce(counter), {
      authTagLength: TAG_BYTES,
    });
    cipher.setAAD(this.#data(last), { plaintextLength: end });
    cipher.setAuthTag(sealed.subarray(end));
    return Buffer.concat([cipher.update(sealed.subarray(0, end)), cipher.final()]);
  }
}

export interface SealOptions {
  /** Default: PBKDF2 and AES-256-GCM, which MinIO's servers and Go clients read. */
  readonly algorithm?: AdminAlgorithm | undefined;
  /** 40 bytes, salt and nonce: for vectors only. */
  readonly random?: Buffer | undefined;
}

/** Seals `plain` under the signer's secret key. */
export async function sealAdminBody(password: string, plain: Buffer, options: SealOptions = {}): Promise<Buffer> {
  const algorithm = options.algorithm ?? ADMIN_ALGORITHMS.pbkdf2Aes;
  const random = options.random ?? randomBytes(SALT_BYTES + NONCE_BYTES);
  const salt = random.subarray(0, SALT_BYTES);
  const prefix = random.subarray(SALT_BYTES, SALT_BYTES + NONCE_BYTES);
  const fragments = new Fragments(algorithm, await deriveKey(algorithm, password, salt), prefix);
  const out = [salt, Buffer.from([algorithm]), prefix];
  for (let at = 0, counter = 1; ; counter++) {
    const end = Math.min(at + FRAGMENT_BYTES, plain.length);
    const last = end === plain.length;
    out.push(fragments.seal(counter, plain.subarray(at, end), last));
    if (last) return Buffer.concat(out);
    at = end;
  }
}

/** Opens a sealed body of any of the three algorithms. Throws AdminCryptoError. */
export async function openAdminBody(password: string, sealed: Buffer): Promise<Buffer> {
  if (sealed.length < HEADER_BYTES + TAG_BYTES) throw new AdminCryptoError("the body is too short to be a sealed one");
  const algorithm = sealed[SALT_BYTES] as number;
  if (algorithm > ADMIN_ALGORITHMS.pbkdf2Aes) throw new AdminCryptoError("the body is not sealed in a known way");
  const key = await deriveKey(algorithm, password, sealed.subarray(0, SALT_BYTES));
  const fragments = new Fragments(algorithm, key, sealed.subarray(SALT_BYTES + 1, HEADER_BYTES));
  const out: Buffer[] = [];
  try {
    for (let at = HEADER_BYTES, counter = 1; at < sealed.length; counter++) {
      const end = Math.min(at + FRAGMENT_BYTES + TAG_BYTES, sealed.length);
      out.push(fragments.open(counter, sealed.subarray(at, end), end === sealed.length));
      at = end;
    }
  } catch (cause) {
    throw new AdminCryptoError("the body does not open with this secret key", { cause });
  }
  return Buffer.concat(out);
}
