/** What `replicate resync start` may be asked for beyond its target and age: flags into parameters of the call. */
import { readFileSync } from "node:fs";
import type { ResyncExtras } from "../../../client/resync-calls.ts";
import { isResilver } from "../../../client/resync-calls.ts";
import type { CommandContext, FlagSpec, ParsedFlags } from "../../command.ts";
import { CommandError } from "../../command.ts";
import { wholeText } from "../../prompt.ts";
import { attempt } from "../attempt.ts";
import { parseBandwidth } from "../units.ts";
import type { BucketSite } from "./common.ts";

export const LIMIT_FLAGS: readonly FlagSpec[] = [
  { name: "bandwidth", kind: "string", help: "most bytes a second, e.g. 100MiB; 0: no limit" },
  { name: "concurrency", kind: "int", help: "most versions on their way at a time; 0: as many as suit the target" },
];

export const EXTRA_FLAGS: readonly FlagSpec[] = [
  { name: "prefix", kind: "string", help: "only keys that begin with it" },
  { name: "versions-from", kind: "string", help: "only the versions in FILE: KEY, KEY<tab>VERSION or JSON a line" },
  { name: "failed-only", kind: "bool", help: "only versions whose last attempt failed" },
  { name: "priority", kind: "string", help: "recent: what was written last first; current: current versions first" },
  { name: "deep", kind: "bool", help: "the target reads every stored byte first, so that silent rot counts as lost" },
  { name: "force", kind: "bool", help: "start although this bucket holds less than the target" },
  ...LIMIT_FLAGS,
];

export function limitsOf(flags: ParsedFlags): Pick<ResyncExtras, "bandwidth" | "concurrency"> {
  const bandwidth = flags.string("bandwidth");
  const concurrency = flags.int("concurrency");
  return {
    ...(bandwidth === undefined ? {} : { bandwidth: parseBandwidth(bandwidth, "bytes") }),
    ...(concurrency === undefined ? {} : { concurrency }),
  };
}

/** Undefined when nothing of it was asked for. Throws CommandError when the server would not heed it. */
export async function extrasOf(site: BucketSite, flags: ParsedFlags, what: string): Promise<ResyncExtras | undefined> {
  const file = flags.string("versions-from");
  const prefix = flags.string("prefix") ?? site.prefix;
  const asked = EXTRA_FLAGS.some(({ name }) => flags.given(name)) || flags.bool("dry-run") || prefix !== "";
  if (!asked) return undefined;
  if (file !== undefined && flags.bool("failed-only"))
    throw new CommandError(`${what}: --versions-from and --failed-only exclude each other`);
  // Another server ignores what it does not know, and would resync everything.
  if (!(await attempt(what, isResilver(site.s3, site.ctx.signal))))
    throw new CommandError(`${what}: this server knows no options but --remote-bucket and --older-than`);
  return {
    prefix,
    deep: flags.bool("deep"),
    force: flags.bool("force"),
    failedOnly: flags.bool("failed-only"),
    priority: flags.string("priority"),
    ...limitsOf(flags),
    ...(file === undefined ? {} : { versions: versionLines(await textOf(site.ctx, file)) }),
  };
}

async function textOf(ctx: CommandContext, file: string): Promise<string> {
  try {
    return file === "-" ? await wholeText(ctx.stdin) : readFileSync(file, "utf8");
  } catch (error) {
    throw new CommandError(`Unable to read \`${file}\``, error);
  }
}

const KEY_NAMES = ["key", "object", "Object", "objectName"] as const;
const ID_NAMES = ["versionId", "versionID", "VersionID"] as const;

/**
 * Lines of a file as the server takes them. A line is a key, a key and a version id parted by a tab, or a JSON object as
 * `ls --versions --json`, `replicate backlog --json` and others print them. Pure.
 */
export function versionLines(text: string): string {
  const out: string[] = [];
  for (const [at, line] of text.split(/\r?\n/).entries()) {
    if (line.trim() === "") continue;
    const row = line.startsWith("{") ? fromJson(line, at + 1) : fromText(line);
    if (row !== undefined) out.push(JSON.stringify(row));
  }
  if (out.length === 0) throw new CommandError("The list of versions is empty");
  return `${out.join("\n")}\n`;
}

interface Row {
  readonly key: string;
  readonly versionId?: string;
}

function fromText(line: string): Row {
  const [key = "", versionId = ""] = line.split("\t");
  return versionId === "" ? { key } : { key, versionId };
}

function fromJson(line: string, number: number): Row | undefined {
  let row: Record<string, unknown>;
  try {
    row = JSON.parse(line) as Record<string, unknown>;
  } catch (error) {
    throw new CommandError(`Line ${number} of the list of versions is no JSON`, error);
  }
  const first = (names: readonly string[]): string => {
    const name = names.find((one) => typeof row[one] === "string" && row[one] !== "");
    return name === undefined ? "" : String(row[name]);
  };
  const [key, versionId] = [first(KEY_NAMES), first(ID_NAMES)];
  // Summaries and messages stand between the rows of some listings.
  if (key === "") return undefined;
  return versionId === "" ? { key } : { key, versionId };
}
