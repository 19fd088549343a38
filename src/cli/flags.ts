/** Command lines into commands, flags and arguments (mc-cli.md 2.1). Knows no command by name. */
import type { Command, FlagSpec, ParsedFlags } from "./command.ts";
import { GLOBAL_FLAGS } from "./global-flags.ts";
import { nearest } from "./suggest.ts";
import { UsageError } from "./usage-error.ts";

type FlagValue = boolean | string | number | readonly string[];
type Env = Readonly<Record<string, string | undefined>>;

/** Flag values by the long name of their spec. */
export class FlagValues implements ParsedFlags {
  readonly #values = new Map<string, FlagValue>();

  set(name: string, value: FlagValue): void {
    this.#values.set(name, value);
  }

  append(name: string, value: string): void {
    this.#values.set(name, [...this.list(name), value]);
  }

  bool(name: string): boolean {
    return this.#values.get(name) === true;
  }

  string(name: string): string | undefined {
    const value = this.#values.get(name);
    return typeof value === "string" ? value : undefined;
  }

  int(name: string): number | undefined {
    const value = this.#values.get(name);
    return typeof value === "number" ? value : undefined;
  }

  list(name: string): readonly string[] {
    const value = this.#values.get(name);
    return Array.isArray(value) ? (value as readonly string[]) : [];
  }

  given(name: string): boolean {
    return this.#values.has(name);
  }
}

/** A command line taken apart. `path` holds the words from the root's child to `command`. */
export interface ParsedLine {
  readonly path: readonly string[];
  readonly command: Command;
  readonly global: FlagValues;
  readonly flags: FlagValues;
  readonly args: readonly string[];
  /** Set instead of thrown, so that the global flags (--json, --help) are known when it is shown. */
  readonly error?: UsageError | undefined;
}

/**
 * Walks `argv` down the tree from `root`. A group without `run` needs a known subcommand; a group with `run` (2022
 * forms such as `replicate resync --remote-bucket ARN A/B`) takes any other word as its first argument.
 */
export function parseLine(root: Command, argv: readonly string[], env: Env): ParsedLine {
  const state = new LineParser(root, env);
  try {
    state.read(argv);
    state.applyEnv();
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    return state.result(error);
  }
  return state.result(undefined);
}

class LineParser {
  readonly #env: Env;
  #command: Command;
  readonly #path: string[] = [];
  readonly #global = new FlagValues();
  readonly #flags = new FlagValues();
  readonly #args: string[] = [];
  /** Flags of parent groups stay valid after a descent: they were typed before the subcommand. */
  #error: UsageError | undefined;

  constructor(root: Command, env: Env) {
    this.#command = root;
    this.#env = env;
  }

  read(argv: readonly string[]): void {
    let literal = false;
    for (let i = 0; i < argv.length; i++) {
      const word = argv[i] ?? "";
      if (!literal && word === "--") literal = true;
      else if (!literal && word.length > 1 && word.startsWith("-")) i += this.#flag(word, argv[i + 1]);
      else this.#word(word);
    }
    if (this.#error !== undefined) throw this.#error;
  }

  result(error: UsageError | undefined): ParsedLine {
    const { path, command } = { path: this.#path, command: this.#command };
    return { path, command, global: this.#global, flags: this.#flags, args: this.#args, error };
  }

  #word(word: string): void {
    const children = this.#command.subcommands ?? [];
    if (this.#args.length > 0 || children.length === 0) {
      this.#args.push(word);
      return;
    }
    const child = findCommand(children, word);
    if (child !== undefined) {
      this.#path.push(child.name);
      this.#command = child;
    } else if (this.#command.run !== undefined) this.#args.push(word);
    else {
      this.#args.push(word);
      this.#error ??= unknownCommand(word, ["mc", ...this.#path].join(" "), children);
    }
  }

  /** Returns how many following words were used up as the value. */
  #flag(word: string, next: string | undefined): number {
    const bare = word.replace(/^--?/, "");
    const equals = bare.indexOf("=");
    const name = equals < 0 ? bare : bare.slice(0, equals);
    const inline = equals < 0 ? undefined : bare.slice(equals + 1);
    const local = findFlag(this.#command.flags ?? [], name);
    const spec = local ?? findFlag(GLOBAL_FLAGS, name);
    if (spec === undefined) {
      if (this.#command.anyFlags === true) return 0;
      this.#error ??= this.#unknownFlag(word, name);
      return 0;
    }
    if (spec.refused !== undefined)
      this.#error ??= new UsageError(`Flag --${spec.name} is not implemented. ${spec.refused}`);
    const into = local === undefined ? this.#global : this.#flags;
    if (spec.kind === "bool") {
      into.set(spec.name, parseBool(spec, inline));
      return 0;
    }
    if (inline === undefined && next === undefined) {
      this.#error ??= new UsageError(`Flag --${spec.name} needs a value`);
      return 0;
    }
    assign(into, spec, inline ?? next ?? "");
    return inline === undefined ? 1 : 0;
  }

  #unknownFlag(word: string, name: string): UsageError {
    const specs = [...(this.#command.flags ?? []), ...GLOBAL_FLAGS].filter((spec) => spec.hidden !== true);
    const guess = nearest(
      name,
      specs.flatMap((spec) => [spec.name, ...(spec.aliases ?? [])]),
    );
    const hint = guess === undefined ? "" : `. Did you mean ${guess.length === 1 ? "-" : "--"}${guess}?`;
    return new UsageError(`Unknown flag ${word.split("=")[0]} for \`${["mc", ...this.#path].join(" ")}\`${hint}`);
  }

  applyEnv(): void {
    fromEnv(GLOBAL_FLAGS, this.#global, this.#env);
    fromEnv(this.#command.flags ?? [], this.#flags, this.#env);
  }
}

function fromEnv(specs: readonly FlagSpec[], into: FlagValues, env: Env): void {
  for (const spec of specs) {
    const text = spec.env === undefined ? undefined : env[spec.env];
    if (text === undefined || text === "" || into.given(spec.name)) continue;
    if (spec.kind === "bool") into.set(spec.name, parseBool(spec, text));
    else if (spec.kind === "list") for (const item of text.split(",")) into.append(spec.name, item);
    else assign(into, spec, text);
  }
}

function assign(into: FlagValues, spec: FlagSpec, text: string): void {
  if (spec.kind === "list") return into.append(spec.name, text);
  if (spec.kind === "string") return into.set(spec.name, text);
  if (!/^[+-]?\d{1,15}$/.test(text)) throw new UsageError(`Flag --${spec.name} takes a whole number, not \`${text}\``);
  into.set(spec.name, Number(text));
}

function parseBool(spec: FlagSpec, text: string | undefined): boolean {
  if (text === undefined || /^(1|t|true|on|yes)$/i.test(text)) return true;
  if (/^(0|f|false|off|no|)$/i.test(text)) return false;
  throw new UsageError(`Flag --${spec.name} takes true or false, not \`${text}\``);
}

function findFlag(specs: readonly FlagSpec[], name: string): FlagSpec | undefined {
  return specs.find((spec) => spec.name === name || (spec.aliases ?? []).includes(name));
}

/** The command called `word` by its name or one of its aliases. */
export function findCommand(commands: readonly Command[], word: string): Command | undefined {
  return commands.find((command) => command.name === word || (command.aliases ?? []).includes(word));
}

function unknownCommand(word: string, parent: string, commands: readonly Command[]): UsageError {
  const visible = commands.filter((command) => command.hidden !== true);
  const guess = nearest(
    word,
    visible.flatMap((command) => [command.name, ...(command.aliases ?? [])]),
  );
  const hint = guess === undefined ? "" : ` Did you mean \`${parent} ${guess}\`?`;
  return new UsageError(`\`${word}\` is not a recognized command.${hint} Get help using \`--help\` flag.`);
}
