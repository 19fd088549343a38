/**
 * The settings that can be changed while the server runs, as data (admin-api.md 6.6): MinIO's names where the meaning is
 * the same. A setting of the environment wins over a stored one.
 */
import { StoreError } from "../model/errors.ts";

export interface ConfigKey {
  readonly name: string;
  readonly description: string;
  /** What help calls its form. */
  readonly type: string;
  readonly fallback: string;
  /** Name of the environment setting without its prefix; absent: there is none. */
  readonly environment?: string | undefined;
  /** Says what is wrong with a value, or nothing. */
  readonly fault?: ((value: string) => string | undefined) | undefined;
}

export interface SubSystem {
  readonly name: string;
  readonly description: string;
  /** Changes hold at once; otherwise from the next start. */
  readonly live: boolean;
  readonly keys: readonly ConfigKey[];
}

const REQUESTS_MAX_LIMIT = 100_000;

const oneOf =
  (...words: readonly string[]) =>
  (value: string): string | undefined =>
    words.includes(value) ? undefined : `expected ${words.join(" or ")}`;

function wholeNumber(value: string): string | undefined {
  return /^\d{1,9}$/.test(value) && Number(value) <= REQUESTS_MAX_LIMIT
    ? undefined
    : `expected a number from 0 to ${REQUESTS_MAX_LIMIT}`;
}

const regionName = (value: string): string | undefined =>
  /^[A-Za-z0-9_-]{0,64}$/.test(value) ? undefined : "expected letters, digits and dashes";

const origins = (value: string): string | undefined =>
  value.split(",").every((origin) => /^[^\s,]+$/.test(origin))
    ? undefined
    : "expected origins separated by commas, or *";

const UNITS: Readonly<Record<string, number>> = { "": 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 };

/** `16MiB` as bytes; undefined: it is no size. */
export function sizeOf(text: string): number | undefined {
  const [, number = "", unit = ""] = /^(\d{1,15})\s*(KiB|MiB|GiB)?$/.exec(text) ?? [];
  return number === "" ? undefined : Number(number) * (UNITS[unit] as number);
}

const COMMENT: ConfigKey = { name: "comment", description: "a note to this setting", type: "sentence", fallback: "" };

export const SUB_SYSTEMS: readonly SubSystem[] = [
  {
    name: "api",
    description: "limits and rights of the S3 and admin API",
    live: true,
    keys: [
      {
        name: "requests_max",
        description: "requests in work at once in each process, 0 for the default",
        type: "number",
        fallback: "0",
        environment: "API_REQUESTS_MAX",
        fault: wholeNumber,
      },
      {
        name: "cors_allow_origin",
        description: "origins that browsers may call from, separated by commas",
        type: "csv",
        fallback: "*",
        environment: "API_CORS_ALLOW_ORIGIN",
        fault: origins,
      },
      {
        name: "root_access",
        description: "off refuses the root account and its access keys",
        type: "on|off",
        fallback: "on",
        environment: "API_ROOT_ACCESS",
        fault: oneOf("on", "off"),
      },
      COMMENT,
    ],
  },
  {
    name: "heal",
    description: "the scrub that reads stored bytes again and repairs them from peers",
    live: true,
    keys: [
      {
        name: "bitrotscan",
        description: "off: stored bytes are neither read in the background nor repaired without being asked",
        type: "on|off",
        fallback: "on",
        environment: "HEAL_BITROTSCAN",
        fault: oneOf("on", "off"),
      },
      {
        name: "rate",
        description: "most bytes a second that the scrub reads, such as 16MiB; 0 for no limit",
        type: "size",
        fallback: "16MiB",
        environment: "HEAL_RATE",
        fault: (value) => (sizeOf(value) === undefined ? "expected a number of bytes, KiB, MiB or GiB" : undefined),
      },
      COMMENT,
    ],
  },
  {
    name: "site",
    description: "name and region of the site",
    live: false,
    keys: [
      {
        name: "name",
        description: "name of the site, shown and not interpreted",
        type: "string",
        fallback: "",
        fault: regionName,
      },
      {
        name: "region",
        description: "region that requests must be signed for, empty for any",
        type: "string",
        fallback: "",
        environment: "REGION",
        fault: regionName,
      },
      COMMENT,
    ],
  },
  {
    name: "region",
    description: "the older name of the site's region",
    live: false,
    keys: [
      {
        name: "name",
        description: "region that requests must be signed for, empty for any",
        type: "string",
        fallback: "",
        environment: "REGION",
        fault: regionName,
      },
      COMMENT,
    ],
  },
];

/** Sub-systems of MinIO that have nothing to set here. */
const ELSEWHERE = new Set(
  (
    "storage_class compression scanner batch ilm drive browser subnet callhome etcd cache identity_openid identity_ldap identity_tls " +
    "identity_plugin policy_plugin policy_opa logger_webhook audit_webhook audit_kafka lambda_webhook notify_amqp notify_kafka notify_mqtt " +
    "notify_mysql notify_nats notify_nsq notify_elasticsearch notify_postgres notify_redis notify_webhook"
  ).split(" "),
);

const configError = (message: string): StoreError => new StoreError("XMinioConfigError", { message });

/** `SUBSYS[:target]`. XMinioConfigError for what does not exist, XMinioAdminNoSuchConfigTarget for a target. */
export function subSystem(text: string): SubSystem {
  const [name = "", target] = text.split(":");
  const found = SUB_SYSTEMS.find((known) => known.name === name);
  if (found !== undefined) {
    if (target === undefined || target === "_") return found;
    throw new StoreError("XMinioAdminNoSuchConfigTarget", { message: `${name} has no targets.` });
  }
  const known = SUB_SYSTEMS.map((one) => one.name).join(", ");
  const nothing = `There is nothing to set in ${name} on this server; there is in ${known}.`;
  throw configError(ELSEWHERE.has(name) ? nothing : `unknown sub-system ${name}. Known: ${known}`);
}

export function configKey(section: SubSystem, name: string): ConfigKey {
  const key = section.keys.find((known) => known.name === name);
  if (key !== undefined) return key;
  throw configError(
    `${section.name} has no setting ${name} on this server. Known: ${section.keys.map((known) => known.name).join(", ")}`,
  );
}

/** The setting's name in the environment as clients expect it: they refuse one that does not begin with its sub-system. */
export function environmentName(section: SubSystem, { name }: ConfigKey): string {
  return `MINIO_${section.name}_${name}`.toUpperCase();
}

/** `k=v k2="v 2"`: a value reaches to the next `word=`; one pair of quotes around it goes. */
export function parsePairs(section: SubSystem, text: string): Record<string, string> {
  const out: Record<string, string> = {};
  const pairs = text.trim() === "" ? [] : text.trim().split(/\s+(?=[a-z0-9_]+=)/);
  for (const pair of pairs) {
    const at = pair.indexOf("=");
    if (at < 1) throw configError(`'${pair}' is not of the form key=value`);
    const key = configKey(section, pair.slice(0, at));
    const value = pair
      .slice(at + 1)
      .trim()
      .replace(/^"(.*)"$/s, "$1");
    const fault = key.fault?.(value);
    if (fault !== undefined) throw configError(`${section.name} ${key.name} '${value}' is not valid: ${fault}`);
    out[key.name] = value;
  }
  return out;
}

/** A line as `get` shows it. */
export function renderLine(section: SubSystem, values: Readonly<Record<string, string>>): string {
  const pairs = section.keys.map(({ name, fallback }) => {
    const value = values[name] ?? fallback;
    return `${name}=${value === "" || /\s/.test(value) ? `"${value}"` : value}`;
  });
  return `${section.name} ${pairs.join(" ")}`;
}
