/**
 * The commands of `mc`, put together. Each is loaded when it is named, so that starting `mc ls` does not read the whole
 * program; help loads all.
 */
import type { Command } from "./command.ts";
import { ABSENT_COMMANDS } from "./commands/absent.ts";

interface Entry {
  readonly name: string;
  readonly load: () => Promise<Command>;
}

const ENTRIES: readonly Entry[] = [
  { name: "alias", load: async () => (await import("./commands/alias.ts")).aliasCommand },
  { name: "config", load: async () => (await import("./commands/alias.ts")).configCommand },
  { name: "ls", load: async () => (await import("./commands/ls.ts")).lsCommand },
  { name: "mb", load: async () => (await import("./commands/buckets.ts")).mbCommand },
  { name: "rb", load: async () => (await import("./commands/buckets.ts")).rbCommand },
  { name: "cp", load: async () => (await import("./commands/cp.ts")).cpCommand },
  { name: "mv", load: async () => (await import("./commands/cp.ts")).mvCommand },
  { name: "put", load: async () => (await import("./commands/cp.ts")).putCommand },
  { name: "get", load: async () => (await import("./commands/cp.ts")).getCommand },
  { name: "rm", load: async () => (await import("./commands/rm.ts")).rmCommand },
  { name: "cat", load: async () => (await import("./commands/cat.ts")).catCommand },
  { name: "head", load: async () => (await import("./commands/cat.ts")).headCommand },
  { name: "pipe", load: async () => (await import("./commands/cat.ts")).pipeCommand },
  { name: "stat", load: async () => (await import("./commands/stat.ts")).statCommand },
  { name: "du", load: async () => (await import("./commands/du.ts")).duCommand },
  { name: "find", load: async () => (await import("./commands/find.ts")).findCommand },
  { name: "tree", load: async () => (await import("./commands/tree.ts")).treeCommand },
  { name: "diff", load: async () => (await import("./commands/diff.ts")).diffCommand },
  { name: "mirror", load: async () => (await import("./commands/mirror.ts")).mirrorCommand },
  { name: "version", load: async () => (await import("./commands/version.ts")).versionCommand },
  { name: "tag", load: async () => (await import("./commands/tag.ts")).tagCommand },
  { name: "retention", load: async () => (await import("./commands/retention.ts")).retentionCommand },
  { name: "legalhold", load: async () => (await import("./commands/legalhold.ts")).legalholdCommand },
  { name: "encrypt", load: async () => (await import("./commands/encrypt.ts")).encryptCommand },
  { name: "replicate", load: async () => (await import("./commands/replicate/index.ts")).replicateCommand },
  { name: "admin", load: async () => (await import("./commands/admin/index.ts")).adminCommand },
  { name: "anonymous", load: async () => (await import("./commands/anonymous.ts")).anonymousCommand },
  { name: "policy", load: async () => (await import("./commands/anonymous.ts")).policyCommand },
  { name: "share", load: async () => (await import("./commands/share.ts")).shareCommand },
  { name: "cors", load: async () => (await import("./commands/cors.ts")).corsCommand },
  { name: "ilm", load: async () => (await import("./commands/ilm/index.ts")).ilmCommand },
  { name: "undo", load: async () => (await import("./commands/undo.ts")).undoCommand },
  { name: "quota", load: async () => (await import("./commands/quota.ts")).quotaCommand },
  { name: "support", load: async () => (await import("./commands/support.ts")).supportCommand },
  { name: "ready", load: async () => (await import("./commands/ready.ts")).readyCommand },
  { name: "ping", load: async () => (await import("./commands/ping.ts")).pingCommand },
  ...ABSENT_COMMANDS.map((command) => ({ name: command.name, load: () => Promise.resolve(command) })),
];

/** The root command with only the top-level command that `argv` names, or with all when it names none. */
export async function commandTree(argv: readonly string[]): Promise<Command> {
  const named = ENTRIES.filter((entry) => argv.some((word) => word === entry.name));
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
