/**
 * TLS material in MinIO's layout: public.crt and private.key make the server speak HTTPS; sub-folders hold further
 * pairs chosen by server name; CAs/ holds roots trusted for outgoing connections. Re-read when a file changes.
 */
import { existsSync, readdirSync, readFileSync, statSync, watch, type FSWatcher } from "node:fs";
import { join } from "node:path";
import { createPrivateKey, X509Certificate } from "node:crypto";
import { createSecureContext, getCACertificates, type SecureContext } from "node:tls";
import { UsageError } from "./settings.ts";

/** Of every context: suites with forward secrecy and authenticated encryption only. Node's own list has CBC and plain RSA too. */
export const TLS_POLICY = {
  minVersion: "TLSv1.2",
  ciphers: [
    "TLS_AES_256_GCM_SHA384",
    "TLS_CHACHA20_POLY1305_SHA256",
    "TLS_AES_128_GCM_SHA256",
    "ECDHE+AESGCM",
    "ECDHE+CHACHA20",
  ].join(":"),
} as const;

interface Pair {
  readonly cert: Buffer;
  readonly key: Buffer;
}

export interface Certificates {
  readonly cert: Buffer;
  readonly key: Buffer;
  /** Those of all pairs. */
  readonly all: readonly Buffer[];
  /** Picks the context for a server name; the first pair when none fits. */
  context(serverName: string): SecureContext;
}

export interface CertificateFiles {
  readonly certsDir: string;
  /** Opens private keys that are locked with a password; the same for all. */
  readonly keyPassword: string | undefined;
}

/** PEM without a password, as the TLS layer takes it. */
function openedKey(path: string, keyPassword: string | undefined): Buffer {
  const key = readFileSync(path);
  if (!/ENCRYPTED/.test(key.toString("latin1"))) return key;
  if (keyPassword === undefined)
    throw new UsageError(
      `${path} is locked with a password. Set RESILVER_CERT_PASSWD, or store it without one: openssl pkey -in OLD -out NEW`,
    );
  try {
    const opened = createPrivateKey({ key, passphrase: keyPassword });
    return Buffer.from(opened.export({ type: "pkcs8", format: "pem" }));
  } catch (cause) {
    throw new UsageError(`RESILVER_CERT_PASSWD does not open ${path}: ${(cause as Error).message}`);
  }
}

function readPair(dir: string, keyPassword: string | undefined): Pair | undefined {
  const [certPath, keyPath] = [join(dir, "public.crt"), join(dir, "private.key")];
  const found = [existsSync(certPath), existsSync(keyPath)];
  if (!found[0] && !found[1]) return undefined;
  if (!found[0] || !found[1]) throw new UsageError(`${dir} needs both public.crt and private.key`);
  const pair = { cert: readFileSync(certPath), key: openedKey(keyPath, keyPassword) };
  try {
    createSecureContext(pair);
  } catch (cause) {
    throw new UsageError(`${certPath} and ${keyPath} do not make a key pair: ${(cause as Error).message}`);
  }
  return pair;
}

/** undefined: no certificate, plain HTTP. Throws UsageError when the files do not fit. */
export function readCertificates({ certsDir, keyPassword }: CertificateFiles): Certificates | undefined {
  if (!existsSync(certsDir)) return undefined;
  const main = readPair(certsDir, keyPassword);
  if (main === undefined) return undefined;
  const pairs = [main];
  for (const entry of readdirSync(certsDir, { withFileTypes: true })) {
    if (!entry.isDirectory() || entry.name === "CAs" || entry.name.startsWith("..")) continue;
    const pair = readPair(join(certsDir, entry.name), keyPassword);
    if (pair !== undefined) pairs.push(pair);
  }
  const choices = pairs.map((pair) => ({
    certificate: new X509Certificate(pair.cert),
    context: createSecureContext({ ...pair, ...TLS_POLICY }),
  }));
  return {
    ...main,
    all: pairs.map(({ cert }) => cert),
    context: (name) =>
      (choices.find((choice) => choice.certificate.checkHost(name) !== undefined) ?? choices[0])
        ?.context as SecureContext,
  };
}

const DAY_MS = 24 * 3_600_000;
const ENDS_SOON_DAYS = 14;

/** What is wrong with the dates of a certificate, or soon will be; undefined: nothing. */
export function dateWarning(cert: Buffer, nowMs: number): string | undefined {
  const { subject, subjectAltName, validFrom, validTo } = new X509Certificate(cert);
  const name = subjectAltName ?? subject.replaceAll("\n", ", ");
  if (Date.parse(validFrom) > nowMs) return `the certificate for ${name} is valid from ${validFrom} on only`;
  const days = (Date.parse(validTo) - nowMs) / DAY_MS;
  if (days <= 0)
    return `the certificate for ${name} has ended on ${validTo}; clients refuse it. Put a new one in its place`;
  if (days > ENDS_SOON_DAYS) return undefined;
  return `the certificate for ${name} ends on ${validTo}. Put a new one in its place`;
}

/** Roots for outgoing TLS: those of the machine and the PEM files under CAs/. */
export function outgoingRoots(certsDir: string): string[] {
  const own = join(certsDir, "CAs");
  if (!existsSync(own)) return getCACertificates("default");
  const files = readdirSync(own, { withFileTypes: true }).filter((entry) => entry.isFile());
  return [...getCACertificates("default"), ...files.map((entry) => readFileSync(join(own, entry.name), "utf8"))];
}

/** `outgoingRoots`, read again when a file under CAs/ was added, removed or changed; the same array as long as none was. */
export function liveOutgoingRoots(certsDir: string): () => readonly string[] {
  const own = join(certsDir, "CAs");
  const stateOf = (): string => {
    if (!existsSync(own)) return "";
    const names = readdirSync(own).toSorted();
    return names.map((name) => `${name}\0${statSync(join(own, name)).mtimeMs}`).join("\n");
  };
  let state: string | undefined;
  let roots: readonly string[] = [];
  return () => {
    try {
      const now = stateOf();
      if (now !== state) roots = outgoingRoots(certsDir);
      state = now;
    } catch {
      // A file went between two looks: the roots of before serve until the next connection.
    }
    return roots;
  };
}

const SETTLE_MS = 200;
/** A folder put in another's place, a file of another machine, one mounted into a container: nobody tells of those. */
const LOOK_EVERY_MS = 30_000;

/** What tells a file that was written, replaced or made readable from the one before. */
function stateOf(certsDir: string): string {
  if (!existsSync(certsDir)) return "";
  const names = readdirSync(certsDir, { recursive: true, encoding: "utf8" }).toSorted();
  return names
    .map((name) => {
      const stats = statSync(join(certsDir, name), { throwIfNoEntry: false });
      return `${name}\0${stats?.ino}\0${stats?.ctimeMs}`;
    })
    .join("\n");
}

/** Calls `changed` after the folder's files changed and came to rest, at the latest after a while. */
export function watchCertificates(certsDir: string, changed: () => void): { close(): void } {
  let watcher: FSWatcher | undefined;
  let timer: NodeJS.Timeout | undefined;
  const settle = (): void => {
    clearTimeout(timer);
    timer = setTimeout(look, SETTLE_MS);
    timer.unref();
  };
  const watchAnew = (): void => {
    watcher?.close();
    watcher = existsSync(certsDir) ? watch(certsDir, { persistent: false, recursive: true }, settle) : undefined;
    // Not to be watched is no reason to end: it is looked at from time to time.
    watcher?.on("error", () => undefined);
  };
  let state = stateOf(certsDir);
  const look = (): void => {
    try {
      const now = stateOf(certsDir);
      if (now === state) return;
      state = now;
      watchAnew();
    } catch {
      // A file went while it was looked at: the next look tells.
      return;
    }
    changed();
  };
  watchAnew();
  const interval = setInterval(look, LOOK_EVERY_MS);
  interval.unref();
  return {
    close() {
      clearTimeout(timer);
      clearInterval(interval);
      watcher?.close();
    },
  };
}
