/** What a mirror does with each pair of names, and which mirrors would eat themselves. Pure. */
import { resolve, sep } from "node:path";
import { ageFilter } from "../../age.ts";
import type { ParsedFlags, Target } from "../../command.ts";
import type { Entry } from "../../list/entry.ts";
import { globPattern } from "../../list/match.ts";
import type { Pair } from "../../list/places.ts";

export interface Rules {
  /** Entries that the mirror is about; all others are left as they are, on both sides. */
  readonly wanted: (entry: Entry) => boolean;
  readonly overwrite: boolean;
  readonly remove: boolean;
  /** The target is a folder of this machine, which has no place for a key that ends in a slash. */
  readonly toFiles: boolean;
}

/** `refuse`: differs in size, and the flags do not allow to replace it. */
export type Verdict = "keep" | "copy" | "remove" | "refuse";

export function rulesOf(flags: ParsedFlags, target: Target, nowMs: number): Rules {
  const excluded = flags.list("exclude").map(globPattern);
  const classes = flags.list("exclude-storageclass");
  const age = ageFilter(flags, nowMs);
  return {
    wanted: ({ key, modifiedMs, storageClass }) =>
      age(modifiedMs) && !excluded.some((pattern) => pattern.test(key)) && !classes.includes(storageClass ?? ""),
    overwrite: flags.bool("overwrite"),
    remove: flags.bool("remove"),
    toFiles: target.kind === "local",
  };
}

export function decide({ first, second }: Pair, rules: Rules): Verdict {
  if (first === undefined) return second !== undefined && rules.remove && rules.wanted(second) ? "remove" : "keep";
  if (!rules.wanted(first) || (rules.toFiles && first.key.endsWith("/"))) return "keep";
  if (second === undefined) return "copy";
  if (first.size === second.size) return "keep";
  return rules.overwrite ? "copy" : "refuse";
}

/** How the two places lie to each other. `endpoint` gives the URL of an alias: two aliases may be one server. */
export function overlap(
  source: Target,
  target: Target,
  endpoint: (alias: string) => string,
): "apart" | "target-inside-source" | "source-inside-target" {
  const [from, to] = [placeText(source, endpoint), placeText(target, endpoint)];
  if (from === to) return "apart";
  if (to.startsWith(from)) return "target-inside-source";
  return from.startsWith(to) ? "source-inside-target" : "apart";
}

function placeText(target: Target, endpoint: (alias: string) => string): string {
  if (target.kind === "local") return `${resolve(target.path)}${sep}`.replace(`${sep}${sep}`, sep);
  const segments = [endpoint(target.alias), target.bucket, target.key].map((text) => text.replace(/\/$/, ""));
  return `${segments.filter(Boolean).join("/")}/`;
}
