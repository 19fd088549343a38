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

/** `source` in pieces of `size` bytes, the last one shorter or, when there is nothing, empty. */
async function* inPieces(
  source: AsyncIterable<Buffer>,
  size: number,
): AsyncIterable<{ readonly bytes: Buffer; readonly last: boolean }> {
  let held: Buffer = Buffer.alloc(0);
  for await (const chunk of source) {
    held = held.length === 0 ? chunk : Buffer.concat([held, chunk]);
    // A whole piece stays until more comes: it may be the last.
    for (; held.length > size; held = held.subarray(size)) yield { bytes: held.subarray(0, size), last: false };
  }
  yield { bytes: held, last: true };
}

async function* one(bytes: Buffer): AsyncIterable<Buffer> {
  yield bytes;
}

async function whole(source: AsyncIterable<Buffer>): Promise<Buffer> {
  const out: Buffer[] = [];
  for await (const piece of source) out.push(piece);
  return Buffer.concat(out);
}

/** Seals what comes under the signer's secret key, fragment by fragment. */
export async function* sealAdminStream(
  password: string,
  plain: AsyncIterable<Buffer>,
  options: SealOptions = {},
): AsyncIterable<Buffer> {
  const algorithm = options.algorithm ?? ADMIN_ALGORITHMS.pbkdf2Aes;
  const random = options.random ?? randomBytes(SALT_BYTES + NONCE_BYTES);
  const salt = random.subarray(0, SALT_BYTES);
  const prefix = random.subarray(SALT_BYTES, SALT_BYTES + NONCE_BYTES);
  const fragments = new Fragments(algorithm, await deriveKey(algorithm, password, salt), prefix);
  yield Buffer.concat([salt, Buffer.from([algorithm]), prefix]);
  let counter = 1;
  for await (const { bytes, last } of inPieces(plain, FRAGMENT_BYTES)) yield fragments.seal(counter++, bytes, last);
}

/** Opens what comes of a sealed body of any of the three algorithms. Throws AdminCryptoError, also for one that is cut. */
export async function* openAdminStream(password: string, sealed: AsyncIterable<Buffer>): AsyncIterable<Buffer> {
  const source = sealed[Symbol.asyncIterator]();
  let head: Buffer = Buffer.alloc(0);
  while (head.length < HEADER_BYTES) {
    const { done, value } = await source.next();
    if (done === true) throw new AdminCryptoError("the body is too short to be a sealed one");
    head = Buffer.concat([head, value]);
  }
  const algorithm = head[SALT_BYTES] as number;
  if (algorithm > ADMIN_ALGORITHMS.pbkdf2Aes) throw new AdminCryptoError("the body is not sealed in a known way");
  const key = await deriveKey(algorithm, password, head.subarray(0, SALT_BYTES));
  const fragments = new Fragments(algorithm, key, head.subarray(SALT_BYTES + 1, HEADER_BYTES));
  const rest = (async function* (): AsyncIterable<Buffer> {
    yield head.subarray(HEADER_BYTES);
    yield* { [Symbol.asyncIterator]: () => source };
  })();
  let counter = 1;
  for await (const { bytes, last } of inPieces(rest, FRAGMENT_BYTES + TAG_BYTES)) {
    if (bytes.length < TAG_BYTES) throw new AdminCryptoError("the body is too short to be a sealed one");
    yield opened(fragments, counter++, bytes, last);
  }
}

function opened(fragments: Fragments, counter: number, bytes: Buffer, last: boolean): Buffer {
  try {
    return fragments.open(counter, bytes, last);
  } catch (cause) {
    throw new AdminCryptoError("the body does not open with this secret key", { cause });
  }
}

/** Seals `plain` under the signer's secret key. */
export function sealAdminBody(password: string, plain: Buffer, options: SealOptions = {}): Promise<Buffer> {
  return whole(sealAdminStream(password, one(plain), options));
}

/** Opens a sealed body of any of the three algorithms. Throws AdminCryptoError. */
export function openAdminBody(password: string, sealed: Buffer): Promise<Buffer> {
  return whole(openAdminStream(password, one(sealed)));
}
