/**
 * Settings of the server: command line, environment, defaults, in that order (contract: every setting has a RESILVER_
 * name, and MinIO's name works where it has the same setting). Wrong input is a UsageError that says what to type.
 */
import { readFileSync, statSync } from "node:fs";
import { isIP } from "node:net";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { SUB_SYSTEMS } from "../admin/config-keys.ts";
import { nearest } from "../cli/suggest.ts";
import { clientAddressOf } from "../iam/client-address.ts";
import { isKeyName } from "../storage/keyring/keyring.ts";
import { parseNamedKeys, type NamedKey } from "../storage/keyring/embedded.ts";

export interface Settings {
  readonly dir: string;
  /** Host to listen on; undefined: all interfaces. */
  readonly host: string | undefined;
  /** 0: a free port. */
  readonly port: number;
  readonly certsDir: string;
  readonly keyPassword: string | undefined;
  readonly workers: number;
  readonly quiet: boolean;
  readonly json: boolean;
  readonly root: { readonly accessKey: string; readonly secretKey: string };
  readonly domains: readonly string[];
  readonly serverUrl: string | undefined;
  /** Addresses and CIDR blocks of reverse proxies whose X-Forwarded-For is believed. */
  readonly trustedProxies: readonly string[];
  readonly metricsPublic: boolean;
  /** Settings that are also stored (`mc admin config`), where the environment has them: by name without prefix. */
  readonly fixed: Readonly<Record<string, string>>;
  /** Keys of the embedded key ring; none: there is none, and secrets are sealed with a key that lies beside them. */
  readonly kmsKeys: readonly NamedKey[];
  /** The key server that holds the keys in their place. */
  readonly kes: KesSettings | undefined;
  /** Every new object is encrypted. */
  readonly autoEncryption: boolean;
  /** Encrypted versions may go to targets over plain HTTP. */
  readonly encryptedOverHttp: boolean;
  /** Peers of this program are told of it, and then use more than MinIO's wire. */
  readonly peerExtensions: boolean;
}

export interface KesSettings {
  readonly endpoints: readonly string[];
  readonly keyName: string;
  readonly apiKey: string | undefined;
  /** Files, PEM; instead of an API key. */
  readonly certFile: string | undefined;
  readonly keyFile: string | undefined;
  readonly keyPassword: string | undefined;
  /** A file, or a folder of files, with roots. */
  readonly caPath: string | undefined;
}

/** Exit code 2: wrong usage or configuration. */
export class UsageError extends Error {
  override name = "UsageError";
}

type Env = Readonly<Record<string, string | undefined>>;

/** The settings of the environment, by their names without prefix. */
interface Environment {
  get(name: string): string | undefined;
  /** The variable that the setting was found in, else our name of it: what a message calls it. */
  called(name: string): string;
}

/** Settings by their name without prefix; `minio` lists MinIO's names, the first set one wins. */
const NAMES: Readonly<Record<string, readonly string[]>> = {
  ROOT_USER: ["MINIO_ROOT_USER", "MINIO_ACCESS_KEY"],
  ROOT_PASSWORD: ["MINIO_ROOT_PASSWORD", "MINIO_SECRET_KEY"],
  ROOT_USER_FILE: ["MINIO_ROOT_USER_FILE", "MINIO_ACCESS_KEY_FILE"],
  ROOT_PASSWORD_FILE: ["MINIO_ROOT_PASSWORD_FILE", "MINIO_SECRET_KEY_FILE"],
  ADDRESS: ["MINIO_ADDRESS"],
  CERTS_DIR: [],
  CERT_PASSWD: ["MINIO_CERT_PASSWD"],
  WORKERS: [],
  REGION: ["MINIO_REGION", "MINIO_SITE_REGION", "MINIO_REGION_NAME"],
  SITE_REGION: [],
  DOMAIN: ["MINIO_DOMAIN"],
  SERVER_URL: ["MINIO_SERVER_URL"],
  TRUSTED_PROXIES: [],
  KMS_SECRET_KEY: ["MINIO_KMS_SECRET_KEY"],
  KMS_SECRET_KEY_FILE: ["MINIO_KMS_SECRET_KEY_FILE"],
  KMS_KES_ENDPOINT: ["MINIO_KMS_KES_ENDPOINT"],
  KMS_KES_KEY_NAME: ["MINIO_KMS_KES_KEY_NAME"],
  KMS_KES_API_KEY: ["MINIO_KMS_KES_API_KEY"],
  KMS_KES_CERT_FILE: ["MINIO_KMS_KES_CERT_FILE"],
  KMS_KES_KEY_FILE: ["MINIO_KMS_KES_KEY_FILE"],
  KMS_KES_KEY_PASSWORD: ["MINIO_KMS_KES_KEY_PASSWORD"],
  KMS_KES_CAPATH: ["MINIO_KMS_KES_CAPATH"],
  KMS_AUTO_ENCRYPTION: ["MINIO_KMS_AUTO_ENCRYPTION"],
  REPLICATE_ENCRYPTED_OVER_HTTP: [],
  PEER_EXTENSIONS: [],
  PROMETHEUS_AUTH_TYPE: ["MINIO_PROMETHEUS_AUTH_TYPE"],
  BROWSER: ["MINIO_BROWSER"],
  API_REQUESTS_MAX: ["MINIO_API_REQUESTS_MAX"],
  API_CORS_ALLOW_ORIGIN: ["MINIO_API_CORS_ALLOW_ORIGIN"],
  HEAL_BITROTSCAN: ["MINIO_HEAL_BITROTSCAN"],
  HEAL_RATE: [],
  API_ROOT_ACCESS: ["MINIO_API_ROOT_ACCESS"],
  VOLUMES: ["MINIO_VOLUMES"],
  OPTS: ["MINIO_OPTS"],
};

const WORKERS_MAX = 64;
const LOOPBACK = new Set(["127.0.0.1", "localhost", "::1"]);
const DEFAULT_ROOT = "minioadmin";

function environment(env: Env): Environment {
  for (const name of Object.keys(env)) {
    if (!name.startsWith("RESILVER_") || NAMES[name.slice("RESILVER_".length)] !== undefined) continue;
    const known = Object.keys(NAMES).map((known) => `RESILVER_${known}`);
    const meant = nearest(name, known);
    const hint = meant === undefined ? `Known settings: ${known.join(", ")}` : `Did you mean ${meant}?`;
    throw new UsageError(`unknown setting ${name}. ${hint}`);
  }
  const found = (name: string): string | undefined =>
    [`RESILVER_${name}`, ...(NAMES[name] ?? [])].find((candidate) => (env[candidate] ?? "") !== "");
  return {
    get: (name) => env[found(name) ?? ""],
    called: (name) => found(name) ?? `RESILVER_${name}`,
  };
}

interface Flags {
  readonly values: ReadonlyMap<string, string>;
  readonly positional: readonly string[];
}

const VALUE_FLAGS = new Map([
  ["address", "address"],
  ["certs-dir", "certs-dir"],
  ["S", "certs-dir"],
  ["workers", "workers"],
  // There is no console; service units and containers made for MinIO name its address.
  ["console-address", "console-address"],
]);
const BOOL_FLAGS = new Set(["quiet", "json", "help", "h"]);

function parseFlags(argv: readonly string[]): Flags {
  const values = new Map<string, string>();
  const positional: string[] = [];
  for (let i = 0; i < argv.length; i++) {
    const word = argv[i] as string;
    if (!word.startsWith("-") || word === "-") {
      positional.push(word);
      continue;
    }
    const [name = "", inline] = splitOnce(word.replace(/^--?/, ""), "=");
    if (BOOL_FLAGS.has(name)) {
      values.set(name, "true");
      continue;
    }
    const flag = VALUE_FLAGS.get(name);
    if (flag === undefined) throw new UsageError(`unknown flag ${word}. See: resilver server --help`);
    const value = inline ?? argv[++i];
    if (value === undefined) throw new UsageError(`${word} needs a value`);
    values.set(flag, value);
  }
  return { values, positional };
}

function splitOnce(text: string, separator: string): [string, string | undefined] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)];
}

function secretFile(path: string | undefined): string | undefined {
  if (path === undefined) return undefined;
  try {
    return readFileSync(path, "utf8").trim();
  } catch (cause) {
    throw new UsageError(`cannot read the secret file ${path}: ${(cause as Error).message}`);
  }
}

function rootAccount({ get, called }: Environment): Settings["root"] & { isDefault: boolean } {
  const accessKey = secretFile(get("ROOT_USER_FILE")) ?? get("ROOT_USER");
  const secretKey = secretFile(get("ROOT_PASSWORD_FILE")) ?? get("ROOT_PASSWORD");
  if (accessKey === undefined && secretKey === undefined)
    return { accessKey: DEFAULT_ROOT, secretKey: DEFAULT_ROOT, isDefault: true };
  if (accessKey === undefined || secretKey === undefined) {
    throw new UsageError(
      "set both RESILVER_ROOT_USER and RESILVER_ROOT_PASSWORD (or MinIO's names of them), or neither",
    );
  }
  if (accessKey.length < 3) throw new UsageError(`${called("ROOT_USER")} must have at least 3 characters`);
  if (secretKey.length < 8) throw new UsageError(`${called("ROOT_PASSWORD")} must have at least 8 characters`);
  return { accessKey, secretKey, isDefault: accessKey === DEFAULT_ROOT && secretKey === DEFAULT_ROOT };
}

function parseAddress(text: string, setting: string): { host: string | undefined; port: number } {
  const match = /^(?:\[([0-9a-fA-F:]+)\]|([^:[\]]*))(?::(\d+))?$/.exec(text);
  const port = match?.[3] === undefined ? 9000 : Number(match[3]);
  if (match === null || port > 65535)
    throw new UsageError(`${setting} ${text}: expected [HOST]:PORT, for instance 127.0.0.1:9000`);
  const host = match[1] ?? match[2];
  return { host: host === "" ? undefined : host, port };
}

function listenAddress(
  flag: string | undefined,
  { get, called }: Environment,
  root: { isDefault: boolean },
): { host: string | undefined; port: number } {
  const text = flag ?? get("ADDRESS");
  const address = parseAddress(text ?? ":9000", flag === undefined ? called("ADDRESS") : "--address");
  if (!root.isDefault) return address;
  if (address.host === undefined) return { host: "127.0.0.1", port: address.port };
  if (LOOPBACK.has(address.host)) return address;
  throw new UsageError(
    `the default root account may only listen on loopback, not on ${address.host}. Choose your own first:\n` +
      `  RESILVER_ROOT_USER=admin RESILVER_ROOT_PASSWORD=<at least 8 characters> resilver server --address ${text ?? ""} DIR`,
  );
}

function workerCount(flag: string | undefined, { get, called }: Environment): number {
  const text = flag ?? get("WORKERS");
  // One process commits in larger groups and needs less memory; more of them serve more reads (bench/README.md).
  if (text === undefined) return 1;
  const count = Number(text);
  if (!Number.isInteger(count) || count < 1 || count > WORKERS_MAX) {
    throw new UsageError(
      `${flag === undefined ? called("WORKERS") : "--workers"} ${text}: expected a number from 1 to ${WORKERS_MAX}`,
    );
  }
  return count;
}

function dataDirectory(positional: readonly string[], volumes: string | undefined): string {
  const dirs = volumes !== undefined ? volumes.split(/\s+/).filter((word) => word !== "") : positional;
  const dir = dirs[0];
  if (dir === undefined) throw new UsageError("no data directory given. Type: resilver server DIR");
  if (dirs.length > 1) throw new UsageError(`one data directory is served, not ${dirs.length}: ${dirs.join(" ")}`);
  if (dir.includes("{") && dir.includes("..."))
    throw new UsageError(`${dir}: one directory is served; several drives are the file system's business here`);
  return resolve(dir);
}

/** Refuses a value now that would be refused if it were stored. */
function fixedSettings({ get, called }: Environment): Record<string, string> {
  const out: Record<string, string> = {};
  for (const { environment, fault } of SUB_SYSTEMS.flatMap((section) => section.keys)) {
    if (environment === undefined) continue;
    const name = environment === "REGION" && get("REGION") === undefined ? "SITE_REGION" : environment;
    const value = get(name);
    if (value === undefined) continue;
    const wrong = fault?.(value);
    if (wrong !== undefined) throw new UsageError(`${called(name)} is "${value}": ${wrong}`);
    out[environment] = value;
  }
  return out;
}

function trustedProxies(text: string | undefined): string[] {
  const list = (text ?? "")
    .split(",")
    .map((block) => block.trim())
    .filter((block) => block !== "");
  if (clientAddressOf(list) !== undefined) return list;
  throw new UsageError(
    `RESILVER_TRUSTED_PROXIES is "${text ?? ""}": expected addresses or CIDR blocks, for instance 10.0.0.0/8,::1`,
  );
}

function switched({ get, called }: Environment, name: string, otherwise: "on" | "off" = "off"): boolean {
  const text = get(name) ?? otherwise;
  if (text !== "on" && text !== "off") throw new UsageError(`${called(name)} is "${text}": expected on or off`);
  return text === "on";
}

const KES_DETAILS = ["KEY_NAME", "API_KEY", "CERT_FILE", "KEY_FILE", "KEY_PASSWORD", "CAPATH"];

/** MinIO's settings of a KES server. */
function kesSettings({ get, called }: Environment): KesSettings | undefined {
  const endpoints = (get("KMS_KES_ENDPOINT") ?? "")
    .split(",")
    .map((text) => text.trim().replace(/\/+$/, ""))
    .filter((text) => text !== "");
  if (endpoints.length === 0) {
    const detail = KES_DETAILS.map((name) => `KMS_KES_${name}`).find((name) => get(name) !== undefined);
    if (detail === undefined) return undefined;
    throw new UsageError(`${called(detail)} is of no use without RESILVER_KMS_KES_ENDPOINT: set that too, or neither`);
  }
  const wrong = endpoints.find((text) => !/^https:\/\/[^/?#]+$/.test(text) || !URL.canParse(text));
  if (wrong !== undefined)
    throw new UsageError(
      `${called("KMS_KES_ENDPOINT")} has "${wrong}": expected https://HOST:PORT, or several with commas`,
    );
  const keyName = get("KMS_KES_KEY_NAME");
  if (keyName === undefined || !isKeyName(keyName))
    throw new UsageError("RESILVER_KMS_KES_ENDPOINT needs RESILVER_KMS_KES_KEY_NAME: the name of the default key");
  const apiKey = get("KMS_KES_API_KEY");
  const [certFile, keyFile] = [get("KMS_KES_CERT_FILE"), get("KMS_KES_KEY_FILE")];
  if (apiKey === undefined ? certFile === undefined || keyFile === undefined : certFile !== undefined)
    throw new UsageError(
      "set either RESILVER_KMS_KES_API_KEY, or both RESILVER_KMS_KES_CERT_FILE and RESILVER_KMS_KES_KEY_FILE",
    );
  const [keyPassword, caPath] = [get("KMS_KES_KEY_PASSWORD"), get("KMS_KES_CAPATH")];
  return { endpoints, keyName, apiKey, certFile, keyFile, keyPassword, caPath };
}

type KeyRingSettings = Pick<Settings, "kmsKeys" | "kes" | "autoEncryption">;

function keyRingSettings(environment: Environment): KeyRingSettings {
  const { get, called } = environment;
  const text = secretFile(get("KMS_SECRET_KEY_FILE")) ?? get("KMS_SECRET_KEY");
  const kmsKeys = text === undefined ? [] : parseNamedKeys(text);
  if (kmsKeys === undefined)
    throw new UsageError(
      `${called("KMS_SECRET_KEY")}: expected NAME:BASE64 of 32 bytes, or several of them with commas`,
    );
  const automatic = switched(environment, "KMS_AUTO_ENCRYPTION");
  const kes = kesSettings(environment);
  if (kes !== undefined && kmsKeys.length > 0)
    throw new UsageError("set either RESILVER_KMS_SECRET_KEY or RESILVER_KMS_KES_ENDPOINT: a site has one key ring");
  if (automatic && kmsKeys.length === 0 && kes === undefined)
    throw new UsageError("RESILVER_KMS_AUTO_ENCRYPTION needs keys: set RESILVER_KMS_SECRET_KEY");
  return { kmsKeys, kes, autoEncryption: automatic };
}

/**
 * Where certificates lie. The default folder need not be there; one that was named and is not would be served without
 * TLS, by a typing error.
 */
function certificateFolder(flag: string | undefined, { get, called }: Environment): string {
  const folder = flag ?? get("CERTS_DIR");
  if (folder === undefined) return join(homedir(), ".resilver", "certs");
  if (statSync(folder, { throwIfNoEntry: false })?.isDirectory() === true) return folder;
  const setting = flag === undefined ? called("CERTS_DIR") : "--certs-dir";
  throw new UsageError(`${setting} ${folder}: there is no such folder. Make it, with public.crt and private.key in it`);
}

const DOMAIN = /^(?=.{1,253}$)[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?)*$/;

function domainNames({ get, called }: Environment): string[] {
  const names = (get("DOMAIN") ?? "")
    .split(",")
    .map((domain) => domain.trim().toLowerCase())
    .filter((domain) => domain !== "");
  const wrong = names.find((name) => !DOMAIN.test(name) || isIP(name) !== 0);
  if (wrong === undefined) return names;
  throw new UsageError(`${called("DOMAIN")} has "${wrong}": expected names, for instance s3.example.net`);
}

function ownUrl({ get, called }: Environment): string | undefined {
  const text = get("SERVER_URL");
  if (text === undefined || (/^https?:\/\/[^/?#]+\/?$/.test(text) && URL.canParse(text))) return text;
  throw new UsageError(`${called("SERVER_URL")} is "${text}": expected http(s)://HOST[:PORT] without a path`);
}

/** Reads the settings of `resilver server`. Throws UsageError. */
export function readSettings(argv: readonly string[], env: Env): Settings {
  const settings = environment(env);
  const { get } = settings;
  const { values, positional } = parseFlags([
    ...(get("OPTS")
      ?.split(/\s+/)
      .filter((word) => word !== "") ?? []),
    ...argv,
  ]);
  const root = rootAccount(settings);
  const metrics = get("PROMETHEUS_AUTH_TYPE") ?? "jwt";
  if (metrics !== "jwt" && metrics !== "public")
    throw new UsageError(`${settings.called("PROMETHEUS_AUTH_TYPE")} is "${metrics}": expected jwt or public`);
  return {
    dir: dataDirectory(positional, get("VOLUMES")),
    ...listenAddress(values.get("address"), settings, root),
    certsDir: certificateFolder(values.get("certs-dir"), settings),
    keyPassword: get("CERT_PASSWD"),
    workers: workerCount(values.get("workers"), settings),
    quiet: values.has("quiet"),
    json: values.has("json"),
    root: { accessKey: root.accessKey, secretKey: root.secretKey },
    domains: domainNames(settings),
    serverUrl: ownUrl(settings),
    trustedProxies: trustedProxies(get("TRUSTED_PROXIES")),
    metricsPublic: metrics === "public",
    fixed: fixedSettings(settings),
    ...keyRingSettings(settings),
    encryptedOverHttp: switched(settings, "REPLICATE_ENCRYPTED_OVER_HTTP"),
    peerExtensions: switched(settings, "PEER_EXTENSIONS", "on"),
  };
}
