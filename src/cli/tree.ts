/**
 * The commands of `mc`, put together. Each is loaded when it is named, so that starting `mc ls` does not read the whole
 * program; help loads all.
 */
import type { Command } from "./command.ts";

interface Entry {
  readonly name: string;
  readonly aliases?: readonly string[];
  readonly load: () => Promise<Command>;
}

const ENTRIES: readonly Entry[] = [
  { name: "alias", load: async () => (await import("./commands/alias.ts")).aliasCommand },
  { name: "version", load: async () => (await import("./commands/version.ts")).versionCommand },
  { name: "tag", load: async () => (await import("./commands/tag.ts")).tagCommand },
  { name: "replicate", load: async () => (await import("./commands/replicate/index.ts")).replicateCommand },
  { name: "admin", load: async () => (await import("./commands/admin/index.ts")).adminCommand },
  { name: "ready", load: async () => (await import("./commands/ready.ts")).readyCommand },
];

/** The root command with only the top-level command that `argv` names, or with all when it names none. */
export async function commandTree(argv: readonly string[]): Promise<Command> {
  const named = ENTRIES.filter((entry) => argv.some((word) => word === entry.name || entry.aliases?.includes(word)));
  const subcommands = await Promise.all((named.length > 0 ? named : ENTRIES).map((entry) => entry.load()));
  return { ...ROOT, subcommands };
}

/** The root with every command: for help and for spelling hints. */
export async function fullTree(): Promise<Command> {
  return { ...ROOT, subcommands: await Promise.all(ENTRIES.map((entry) => entry.load())) };
}

const ROOT: Command = {
  name: "mc",
  summary: "client for S3-compatible object stores",
  examples: [
    { what: "name a server", line: "mc alias set home https://s3.example.net ACCESS SECRET" },
    { what: "copy a folder into a bucket", line: "mc cp -r photos/ home/photos/" },
    { what: "replicate a bucket to another server", line: "mc replicate add home/photos --remote-bucket away/photos" },
    { what: "rebuild a damaged copy from the healthy one", line: "mc replicate resync start home/photos" },
  ],
  flags: [{ name: "version", aliases: ["v"], kind: "bool", help: "show the version" }],
};
