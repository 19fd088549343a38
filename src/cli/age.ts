/** --older-than and --newer-than. */
import type { FlagSpec, ParsedFlags } from "./command.ts";
import { parseMoment } from "./format.ts";

export const AGE_FLAGS: readonly FlagSpec[] = [
  { name: "older-than", kind: "string", help: "only what is older than a duration (7d10h) or a date" },
  { name: "newer-than", kind: "string", help: "only what is newer than a duration (7d10h) or a date" },
];

/** True for moments (Unix milliseconds) that both flags let through. */
export function ageFilter(flags: ParsedFlags, nowMs: number): (modifiedMs: number) => boolean {
  const older = flags.string("older-than");
  const newer = flags.string("newer-than");
  const before = older === undefined || older === "" ? Infinity : parseMoment(older, nowMs);
  const after = newer === undefined || newer === "" ? -Infinity : parseMoment(newer, nowMs);
  return (modifiedMs) => modifiedMs < before && modifiedMs > after;
}

export const REWIND_FLAG: FlagSpec = {
  name: "rewind",
  kind: "string",
  help: "as it was then: a duration back (7d) or a date",
};

/** The moment of --rewind in Unix milliseconds. */
export function rewindMoment(flags: ParsedFlags, nowMs: number): number | undefined {
  const text = flags.string("rewind");
  return text === undefined || text === "" ? undefined : parseMoment(text, nowMs);
}

/** Short forms that several commands share. */
export const VERSION_ID_FLAG: FlagSpec = {
  name: "version-id",
  aliases: ["vid"],
  kind: "string",
  help: "one version of the object",
};
export const RECURSIVE_FLAG: FlagSpec = {
  name: "recursive",
  aliases: ["r"],
  kind: "bool",
  help: "also everything below",
};
/** MinIO's servers can look into archives. */
export const ZIP_FLAG: FlagSpec = {
  name: "zip",
  kind: "bool",
  help: "members of zip archives",
  hidden: true,
  refused: "Members of zip archives are not read on the server; copy the archive and unpack it",
};
