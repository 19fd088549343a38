/** The configuration file (version 10) and aliases from the environment (mc-cli.md 2.6, 2.7). */
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import type { AliasEntry } from "./command.ts";
import { CommandError } from "./command.ts";

type Json = Record<string, unknown>;
type Env = Readonly<Record<string, string | undefined>>;
export type SourcedAlias = AliasEntry & { readonly source: "file" | "env" };

const CONFIG_VERSION = "10";
const ALIAS_NAME = /^[A-Za-z][A-Za-z0-9_-]*$/;
const LOCAL_ENTRY: Json = { url: "http://localhost:9000", accessKey: "", secretKey: "", api: "S3v4", path: "auto" };

/** The configuration folder: the flag (or MC_CONFIG_DIR, which is its environment variable), else `~/.mc`. */
export function configDir(flag: string | undefined, env: Env): string {
  return flag ?? join(env["HOME"] ?? env["USERPROFILE"] ?? homedir(), process.platform === "win32" ? "mc" : ".mc");
}

/** Where the aliases are kept. */
export function configFile(flag: string | undefined, env: Env): string {
  return join(configDir(flag, env), "config.json");
}

/** A letter, then letters, digits, `-` and `_`; one trailing slash is dropped. Throws CommandError. */
export function parseAliasName(text: string): string {
  const name = text.endsWith("/") ? text.slice(0, -1) : text;
  if (!ALIAS_NAME.test(name)) {
    throw new CommandError(
      `Invalid alias \`${text}\`. An alias begins with a letter and holds letters, digits, - and _`,
    );
  }
  return name;
}

/** `scheme://host[:port]` without path, query or credentials, as written less a final slash. Throws CommandError. */
export function parseAliasUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const bare = text.replace(/\/$/, "");
  const plain = url !== undefined && /^https?:$/.test(url.protocol) && /^https?:\/\/[^/?#@]+$/i.test(bare);
  if (!plain) throw new CommandError(`Invalid URL \`${text}\`. Write http://HOST[:PORT] or https://HOST[:PORT]`);
  return bare;
}

/**
 * `https://ACCESS:SECRET[:TOKEN]@HOST[:PORT]`, raw: nothing is percent-decoded, the credentials run to the last `@`, the
 * access key to the first `:`. Throws CommandError.
 */
export function parseHostValue(value: string): AliasEntry {
  const match = /^(https?:\/\/)(?:(.*)@)?([^@]+)$/.exec(value);
  if (match === null) throw new CommandError("The value is not of the form https://ACCESS:SECRET@HOST[:PORT]");
  const url = parseAliasUrl(`${match[1]}${match[3]}`);
  const base = { url, api: "S3v4", path: "auto" };
  if (match[2] === undefined) return { ...base, accessKey: "", secretKey: "" };
  const [accessKey = "", secretKey, ...token] = match[2].split(":");
  if (secretKey === undefined) throw new CommandError("The credentials are not of the form ACCESS:SECRET");
  if (token.length === 0) return { ...base, accessKey, secretKey };
  return { ...base, accessKey, secretKey, sessionToken: token.join(":") };
}

function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}

/** Older words for how a bucket is named; MinIO's client still writes `dns` into its own first file. */
const LOOKUPS: ReadonlyMap<string, string> = new Map([
  ["dns", "off"],
  ["path", "on"],
]);

/** An entry as it is stored, or as `alias import` reads it; reads the old `lookup` key. */
export function entryFromJson(raw: Json): AliasEntry {
  const spelled = text(raw["path"]) || text(raw["lookup"]);
  const token = text(raw["sessionToken"]);
  return {
    url: text(raw["url"]),
    accessKey: text(raw["accessKey"]),
    secretKey: text(raw["secretKey"]),
    ...(token === "" ? {} : { sessionToken: token }),
    api: text(raw["api"]) || "S3v4",
    path: LOOKUPS.get(spelled.toLowerCase()) ?? (spelled || "auto"),
  };
}

/** An entry as it is stored. */
export function entryToJson(entry: AliasEntry): Json {
  const { url, accessKey, secretKey, sessionToken, api, path } = entry;
  return { url, accessKey, secretKey, ...(sessionToken === undefined ? {} : { sessionToken }), api, path };
}

function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Aliases of one run: environment before MC_CONFIG_ENV_FILE before the file. Reads lazily, writes atomically. */
export class AliasStore {
  readonly #file: string;
  /** Where the file is, or will be made. */
  readonly dir: string;
  readonly #env: Env;
  readonly #unreadable = new Map<string, CommandError>();
  #document: Json | undefined;

  constructor(dir: string, env: Env) {
    this.dir = dir;
    this.#file = join(dir, "config.json");
    this.#env = env;
  }

  /** Every alias, names in order, but those of the environment that cannot be read: `checked` tells of them when they are named. */
  all(): Readonly<Record<string, SourcedAlias>> {
    const found: Record<string, SourcedAlias> = {};
    for (const [name, raw] of Object.entries(this.#stored())) {
      if (isObject(raw)) found[name] = { ...entryFromJson(raw), source: "file" };
    }
    for (const [name, value] of this.#fromEnv()) {
      try {
        found[name] = { ...parseHostValue(value), source: "env" };
        this.#unreadable.delete(name);
      } catch (error) {
        // It hides one of the file: its keys are not those that were asked for.
        delete found[name];
        this.#unreadable.set(name, new CommandError(`Invalid environment variable MC_HOST_${name}`, error));
      }
    }
    return found;
  }

  /** As `all`, for a command line that names `name`. Throws CommandError when that one cannot be read. */
  checked(name: string): Readonly<Record<string, SourcedAlias>> {
    const found = this.all();
    const fault = this.#unreadable.get(name);
    if (fault !== undefined) throw fault;
    return found;
  }

  /** The stored entry with members this program does not know, for `alias export`. */
  exported(name: string): Json | undefined {
    const raw = this.#stored()[name];
    return isObject(raw) ? raw : undefined;
  }

  set(name: string, entry: AliasEntry, extra: Json = {}): void {
    const aliases = this.#stored();
    const old = aliases[name];
    const kept = isObject(old) ? { ...old } : {};
    // The old spelling would win again after a downgrade; the old token would be sent with the new keys.
    delete kept["lookup"];
    delete kept["sessionToken"];
    aliases[name] = { ...kept, ...extra, ...entryToJson(entry) };
    this.#save();
  }

  remove(name: string): boolean {
    const aliases = this.#stored();
    if (!Object.hasOwn(aliases, name)) return false;
    delete aliases[name];
    this.#save();
    return true;
  }

  #stored(): Json {
    const document = this.#load();
    const aliases = document["aliases"];
    if (isObject(aliases)) return aliases;
    const created: Json = {};
    document["aliases"] = created;
    return created;
  }

  #load(): Json {
    if (this.#document !== undefined) return this.#document;
    if (!existsSync(this.#file)) {
      this.#document = { version: CONFIG_VERSION, aliases: { local: { ...LOCAL_ENTRY } } };
      return this.#document;
    }
    let parsed: unknown;
    try {
      parsed = JSON.parse(readFileSync(this.#file, "utf8"));
    } catch (error) {
      throw new CommandError(`Unable to read the configuration file \`${this.#file}\``, error);
    }
    if (!isObject(parsed)) throw new CommandError(`The configuration file \`${this.#file}\` is not a JSON object`);
    this.#document = upgraded(parsed, this.#file);
    return this.#document;
  }

  /** A new file is renamed over the old one, so a crash never leaves half a file with the user's keys. */
  #save(): void {
    const document = { ...this.#load(), version: CONFIG_VERSION };
    try {
      mkdirSync(this.dir, { recursive: true, mode: 0o700 });
      const staged = `${this.#file}.${process.pid}.tmp`;
      rmSync(staged, { force: true });
      writeFileSync(staged, `${JSON.stringify(document, undefined, "\t")}\n`, { mode: 0o600 });
      renameSync(staged, this.#file);
    } catch (error) {
      throw new CommandError(`Unable to save the configuration file \`${this.#file}\``, error);
    }
  }

  *#fromEnv(): Iterable<[string, string]> {
    const file = this.#env["MC_CONFIG_ENV_FILE"];
    if (file !== undefined && file !== "" && existsSync(file)) {
      for (const line of readFileSync(file, "utf8").split(/\r?\n/)) {
        const match = /^\s*(?:export\s+)?MC_HOST_([^=\s]+)=(.*)$/.exec(line);
        if (match !== null) yield [match[1] ?? "", (match[2] ?? "").trim().replace(/^(["'])(.*)\1$/, "$2")];
      }
    }
    for (const [name, value] of Object.entries(this.#env)) {
      if (name.startsWith("MC_HOST_") && name.length > 8 && value !== undefined && value !== "")
        yield [name.slice(8), value];
    }
  }
}

/** Files up to version 9 call the aliases `hosts`. A newer version is refused: rewriting it could lose keys. */
function upgraded(document: Json, file: string): Json {
  const version = Number(text(document["version"]) || "0");
  if (version > Number(CONFIG_VERSION)) {
    throw new CommandError(
      `The configuration file \`${file}\` has version ${version}; this program knows ${CONFIG_VERSION}`,
    );
  }
  if (!isObject(document["hosts"]) || isObject(document["aliases"])) return document;
  const { hosts, ...rest } = document;
  const aliases: Json = {};
  for (const [name, raw] of Object.entries(hosts as Json)) {
    if (!isObject(raw)) continue;
    const { lookup: _lookup, ...others } = raw;
    aliases[name] = { ...others, ...entryToJson(entryFromJson(raw)) };
  }
  return { ...rest, version: CONFIG_VERSION, aliases };
}
