/**
 * What `--remote-bucket` may hold: an ARN, a URL with keys, or ALIAS/BUCKET, in every subcommand alike
 * (mc-cli.md 7.2 and 10 point 7). Pure.
 */
import { CommandError } from "../../command.ts";
import type { AliasEntry } from "../../command.ts";
import type { RemoteTarget } from "./remote-target.ts";

export interface RemoteEndpoint {
  readonly secure: boolean;
  /** `HOST[:PORT]` as written. */
  readonly endpoint: string;
  readonly bucket: string;
  /** Absent when a URL carries none. */
  readonly credentials?: { readonly accessKey: string; readonly secretKey: string } | undefined;
}

export type RemoteAddress =
  | { readonly kind: "arn"; readonly arn: string }
  | ({ readonly kind: "endpoint" } & RemoteEndpoint);

const URL_FORM = /^(https?):\/\/(?:(.*)@)?([^/@]+)\/([^/]+)\/?$/;

/**
 * Reads one `--remote-bucket` value. The keys of a URL are raw, up to the last `@` (mc-cli.md 2.7): a secret may hold
 * `/`, `@` and `:`. Throws CommandError on an unknown alias, a missing bucket, or an alias with a session token.
 */
export function parseRemoteAddress(text: string, aliases: Readonly<Record<string, AliasEntry>>): RemoteAddress {
  if (text.startsWith("arn:")) return { kind: "arn", arn: text };
  if (/^https?:\/\//.test(text)) return parseUrl(text);
  return parseAliasPath(text, aliases);
}

function parseUrl(text: string): RemoteAddress {
  const match = URL_FORM.exec(text);
  const [, scheme, keys, endpoint, bucket] = match ?? [];
  if (endpoint === undefined || bucket === undefined) {
    throw invalid("the form is http(s)://ACCESSKEY:SECRETKEY@HOST[:PORT]/BUCKET");
  }
  const base = { kind: "endpoint" as const, secure: scheme === "https", endpoint, bucket };
  if (keys === undefined) return base;
  const colon = keys.indexOf(":");
  if (colon < 1) throw invalid("the keys of the URL must be written ACCESSKEY:SECRETKEY");
  return { ...base, credentials: { accessKey: keys.slice(0, colon), secretKey: keys.slice(colon + 1) } };
}

function parseAliasPath(text: string, aliases: Readonly<Record<string, AliasEntry>>): RemoteAddress {
  const [alias = "", bucket = "", ...rest] = text.split("/");
  const entry = Object.hasOwn(aliases, alias) ? aliases[alias] : undefined;
  if (entry === undefined) throw invalid(`no alias \`${alias}\`; give an ARN, a URL with keys, or ALIAS/BUCKET`);
  if (bucket === "" || rest.some((part) => part !== "")) throw invalid("a bucket must follow the alias: ALIAS/BUCKET");
  if (entry.sessionToken !== undefined && entry.sessionToken !== "") {
    throw invalid("temporary credentials cannot be stored in a replication target");
  }
  const url = new URL(entry.url);
  const credentials = { accessKey: entry.accessKey, secretKey: entry.secretKey };
  return { kind: "endpoint", secure: url.protocol === "https:", endpoint: url.host, bucket, credentials };
}

function invalid(why: string): CommandError {
  return new CommandError("Invalid remote bucket", new Error(why));
}

/** `host:port` with the default port filled in: `a` and `a:80` are one endpoint (admin-api.md 4.2). */
export function normalizeEndpoint(endpoint: string, secure: boolean): string {
  return /:\d+$/.test(endpoint) ? endpoint.toLowerCase() : `${endpoint.toLowerCase()}:${secure ? 443 : 80}`;
}

/** True when `target` is the bucket that `address` names. */
export function sameRemote(target: RemoteTarget, address: RemoteEndpoint): boolean {
  const here = normalizeEndpoint(target.endpoint, target.secure);
  return target.targetbucket === address.bucket && here === normalizeEndpoint(address.endpoint, address.secure);
}
