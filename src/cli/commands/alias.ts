/** `mc alias`: names for servers and their keys (mc-cli.md 3). */
import { readFile } from "node:fs/promises";
import { NetworkError, S3ResponseError } from "../../client/errors.ts";
import { systemClock } from "../../runtime/clock.ts";
import { systemRandom } from "../../runtime/random.ts";
import type { AliasEntry, Command, CommandContext, FlagSpec, ParsedFlags } from "../command.ts";
import { CommandError } from "../command.ts";
import { configFile, entryFromJson, entryToJson, parseAliasName, parseAliasUrl } from "../config.ts";
import { ask, wholeText } from "../prompt.ts";
import { nearest } from "../suggest.ts";
import { UsageError } from "../usage-error.ts";

/** How long `alias set` waits for a server that was started just before it. */
const START_WAIT_MS = 10_000;
const START_POLL_MS = 100;

const SET_FLAGS: readonly FlagSpec[] = [
  { name: "api", kind: "string", help: "S3v4 (the only signature this client makes)" },
  { name: "path", aliases: ["lookup"], kind: "string", help: "bucket in the path: auto, on or off" },
];

function message(ctx: CommandContext, line: string, name: string, entry: AliasEntry): void {
  ctx.out.message(line, { status: "success", alias: name, ...members(entry) });
}

function members(entry: AliasEntry): Record<string, unknown> {
  const { url, accessKey, secretKey, api, path } = entry;
  return { URL: url, accessKey, secretKey, api, path };
}

async function setAlias(ctx: CommandContext, args: readonly string[], flags: ParsedFlags): Promise<number> {
  if (args.length !== 2 && args.length !== 4) throw new UsageError("`mc alias set` takes ALIAS URL [ACCESS SECRET]");
  const name = parseAliasName(args[0] ?? "");
  const url = parseAliasUrl(args[1] ?? "");
  const api = apiFlag(flags.string("api"));
  const path = pathFlag(flags.string("path"));
  const [accessKey = "", secretKey = ""] = args.length === 4 ? args.slice(2) : await askKeys(ctx);
  const entry: AliasEntry = { url, accessKey, secretKey, api, path };
  if (accessKey !== "") await probe(ctx, name, entry);
  ctx.setAlias(name, entry);
  message(ctx, `Added \`${name}\` successfully.`, name, entry);
  return 0;
}

function askKeys(ctx: CommandContext): Promise<string[]> {
  return ask(ctx.stdin, [
    { text: "Enter Access Key: ", secret: false },
    { text: "Enter Secret Key: ", secret: true },
  ]);
}

function apiFlag(text: string | undefined): string {
  if (text === undefined || text.toLowerCase() === "s3v4") return "S3v4";
  if (text.toLowerCase() === "s3v2") throw new CommandError("Signature version 2 is not supported. Use --api S3v4");
  throw new UsageError(`Unknown --api \`${text}\`. Use S3v4`);
}

function pathFlag(text: string | undefined): string {
  const path = { dns: "off", path: "on" }[text ?? ""] ?? text ?? "auto";
  if (!["auto", "on", "off"].includes(path)) throw new UsageError(`Unknown --path \`${path}\`. Use auto, on or off`);
  return path;
}

/** Keys are good when the server answers for a bucket that does not exist, or refuses by policy: both after the signature. */
async function probe(ctx: CommandContext, name: string, entry: AliasEntry): Promise<void> {
  const client = ctx.s3For(entry);
  const bucket = `probe-bsign-${systemRandom.bytes(8).toString("hex")}`;
  const clock = systemClock();
  const giveUpMs = clock.nowMs() + START_WAIT_MS;
  for (;;) {
    try {
      await client.send({ method: "GET", bucket, query: { location: "" }, signal: ctx.signal });
      return;
    } catch (error) {
      if (error instanceof S3ResponseError && ["NoSuchBucket", "AccessDenied"].includes(error.code)) return;
      if (!mayBeStarting(error) || ctx.signal.aborted || clock.nowMs() >= giveUpMs) {
        throw new CommandError(`Unable to initialize new alias \`${name}\` from the provided credentials`, error);
      }
      await clock.sleep(START_POLL_MS, ctx.signal);
    }
  }
}

/** A refused connection at this machine: the server that a script started in the line before does not listen yet. */
function mayBeStarting(error: unknown): boolean {
  return error instanceof NetworkError && error.code === "ECONNREFUSED";
}

async function list(ctx: CommandContext, args: readonly string[]): Promise<number> {
  if (args.length > 1) throw new UsageError("`mc alias list` takes one ALIAS or none");
  const aliases = ctx.aliases();
  const names = args[0] === undefined ? Object.keys(aliases).sort() : [known(ctx, args[0])];
  for (const name of names) {
    const entry = aliases[name];
    if (entry === undefined) continue;
    const src = entry.source === "env" ? "env" : configFile(ctx.global.string("config-dir"), process.env);
    ctx.out.message(block(ctx, name, entry, src), { status: "success", alias: name, ...members(entry), src });
  }
  return 0;
}

/** The secret is masked on a terminal, where others may look on; scripts get it as they always did. */
function block(ctx: CommandContext, name: string, entry: AliasEntry, src: string): string {
  const masked = ctx.out.interactive && !ctx.global.bool("show-secrets") && entry.secretKey !== "";
  const rows = { URL: entry.url, AccessKey: entry.accessKey, SecretKey: masked ? "********" : entry.secretKey };
  const all = { ...rows, API: entry.api, Path: entry.path, Src: src };
  return [name, ...Object.entries(all).map(([key, value]) => `  ${key.padEnd(9)} : ${value}`), ""].join("\n");
}

function known(ctx: CommandContext, text: string): string {
  const name = parseAliasName(text);
  // One of the environment that cannot be read is refused as such.
  ctx.target(name);
  const names = Object.keys(ctx.aliases());
  if (names.includes(name)) return name;
  const guess = nearest(name, names);
  throw new CommandError(`No such alias \`${name}\` found${guess === undefined ? "" : `. Did you mean \`${guess}\`?`}`);
}

async function remove(ctx: CommandContext, args: readonly string[]): Promise<number> {
  if (args.length !== 1) throw new UsageError("`mc alias remove` takes one ALIAS");
  const name = known(ctx, args[0] ?? "");
  if (!ctx.removeAlias(name))
    throw new CommandError(`Alias \`${name}\` comes from the environment; unset MC_HOST_${name}`);
  ctx.out.message(`Removed \`${name}\` successfully.`, { status: "success", alias: name, URL: "" });
  return 0;
}

async function importAlias(ctx: CommandContext, args: readonly string[]): Promise<number> {
  if (args.length < 1 || args.length > 2) throw new UsageError("`mc alias import` takes ALIAS [FILE]");
  const name = parseAliasName(args[0] ?? "");
  const file = args[1];
  const text = file === undefined || file === "-" ? await wholeText(ctx.stdin) : await readFile(file, "utf8");
  const entry = parseImport(text);
  ctx.setAlias(name, entry);
  message(ctx, `Imported \`${name}\` successfully.`, name, entry);
  return 0;
}

function parseImport(text: string): AliasEntry {
  let raw: unknown;
  try {
    raw = JSON.parse(text);
  } catch (error) {
    throw new CommandError("Unable to parse the alias to import", error);
  }
  if (typeof raw !== "object" || raw === null) throw new CommandError("The alias to import is not a JSON object");
  const entry = entryFromJson({ ...raw });
  return { ...entry, url: parseAliasUrl(entry.url), api: apiFlag(entry.api), path: pathFlag(entry.path) };
}

async function exportAlias(ctx: CommandContext, args: readonly string[]): Promise<number> {
  if (args.length !== 1) throw new UsageError("`mc alias export` takes one ALIAS");
  const name = known(ctx, args[0] ?? "");
  const entry = ctx.aliases()[name];
  if (entry === undefined || entry.source === "env") {
    throw new CommandError(`Alias \`${name}\` comes from the environment and cannot be exported`);
  }
  await ctx.out.raw(Buffer.from(`${JSON.stringify(entryToJson(entry))}\n`));
  return 0;
}

export const aliasCommand: Command = {
  name: "alias",
  summary: "manage names of servers and their keys",
  subcommands: [
    {
      name: "set",
      aliases: ["s"],
      summary: "add a server or change it",
      usage: "ALIAS URL [ACCESS SECRET]",
      examples: [
        { what: "keys are asked for when they are not given", line: "mc alias set home https://s3.example.net" },
        {
          what: "keys from a pipe, one a line",
          line: 'printf "%s\\n" "$ACCESS" "$SECRET" | mc alias set home https://s3.example.net',
        },
      ],
      flags: SET_FLAGS,
      run: setAlias,
    },
    { name: "list", aliases: ["ls"], summary: "show aliases", usage: "[ALIAS]", run: list },
    { name: "remove", aliases: ["rm"], summary: "forget an alias", usage: "ALIAS", run: remove },
    {
      name: "import",
      aliases: ["i"],
      summary: "read an alias as JSON from a file or standard input",
      usage: "ALIAS [FILE]",
      run: importAlias,
    },
    { name: "export", aliases: ["e"], summary: "print an alias as JSON", usage: "ALIAS", run: exportAlias },
  ],
};

/** The form of 2020, `mc config host add|list|remove`, still runs. */
export const configCommand: Command = {
  name: "config",
  summary: "old name of `mc alias`",
  hidden: true,
  subcommands: [
    {
      name: "host",
      summary: "old name of `mc alias`",
      subcommands: [
        { name: "add", summary: "`mc alias set`", usage: "ALIAS URL [ACCESS SECRET]", flags: SET_FLAGS, run: setAlias },
        { name: "list", aliases: ["ls"], summary: "`mc alias list`", usage: "[ALIAS]", run: list },
        { name: "remove", aliases: ["rm"], summary: "`mc alias remove`", usage: "ALIAS", run: remove },
      ],
    },
  ],
};
