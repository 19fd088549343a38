/** Condition values of a request and the variables `${...}` in resources and string values (admin-api.md 7.2, 7.4). */
import { COMMON_KEYS } from "./policy-actions.ts";
import { hasWildcard } from "./wildcard.ts";

/** Values of a condition key given with its prefix (`aws:SourceIp`); empty when the request has none. */
export type Values = (key: string) => readonly string[];

const NONE: readonly string[] = [];
const COMMON: ReadonlySet<string> = new Set(COMMON_KEYS);
const VARIABLE = /\$\{([^}]+)\}/g;

/** `s3:prefix` -> `prefix`. */
function bare(key: string): string {
  const colon = key.indexOf(":");
  return colon < 0 ? key : key.slice(colon + 1);
}

/**
 * Reads `conditions` (bare names, see Access) by full key. Exact spelling first, then without regard to case, because
 * header names come in any. Tag keys (after the `/`) keep their case: `a` and `A` are two tags.
 */
export function valuesOf(conditions: Readonly<Record<string, readonly string[]>>): Values {
  let folded: Map<string, readonly string[]> | undefined;
  return (key) => {
    const name = bare(key);
    if (Object.hasOwn(conditions, name)) return conditions[name] ?? NONE;
    if (name.includes("/")) return NONE;
    folded ??= new Map(Object.entries(conditions).map(([header, values]) => [header.toLowerCase(), values]));
    return folded.get(name.toLowerCase()) ?? NONE;
  };
}

/**
 * Fills in the first value of each common key. An unknown or empty variable stays as text, so it matches nothing; so
 * does a value with a wildcard in it: a user named `*` must not turn `home/${aws:username}` into every home.
 */
export function substitute(text: string, values: Values): string {
  if (!text.includes("${")) return text;
  return text.replace(VARIABLE, (whole, key: string) => {
    if (!COMMON.has(key)) return whole;
    const value = values(key)[0];
    return value === undefined || value === "" || hasWildcard(value) ? whole : value;
  });
}
