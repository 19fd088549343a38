/** What a command is given: output, aliases, targets and clients, made from the global flags. */
import type { AdminClient } from "../client/admin-client.ts";
import type { S3Client } from "../client/s3-client.ts";
import type { AliasEntry, CommandContext, ParsedFlags, Target } from "./command.ts";
import { CommandError } from "./command.ts";
import type { AliasStore, SourcedAlias } from "./config.ts";
import type { ClientFactory } from "./clients.ts";
import type { StreamOutput } from "./output.ts";
import { nearest } from "./suggest.ts";
import { parseTarget } from "./targets.ts";

export interface ContextOptions {
  readonly out: StreamOutput;
  readonly signal: AbortSignal;
  readonly stdin: AsyncIterable<Buffer>;
  readonly global: ParsedFlags;
  readonly store: AliasStore;
  readonly clients: ClientFactory;
}

export class RunContext implements CommandContext {
  readonly out: StreamOutput;
  readonly signal: AbortSignal;
  readonly stdin: AsyncIterable<Buffer>;
  readonly global: ParsedFlags;
  readonly store: AliasStore;
  readonly #clients: ClientFactory;
  readonly #s3 = new Map<string, S3Client>();
  readonly #admin = new Map<string, AdminClient>();

  constructor(options: ContextOptions) {
    this.out = options.out;
    this.signal = options.signal;
    this.stdin = options.stdin;
    this.global = options.global;
    this.store = options.store;
    this.#clients = options.clients;
  }

  get configDir(): string {
    return this.store.dir;
  }

  target(text: string): Target {
    const aliases = this.store.checked(text.split("/")[0] ?? text);
    return parseTarget(text, (name) => Object.hasOwn(aliases, name));
  }

  aliases(): Readonly<Record<string, SourcedAlias>> {
    return this.store.all();
  }

  setAlias(name: string, entry: AliasEntry): void {
    this.store.set(name, entry);
  }

  removeAlias(name: string): boolean {
    return this.store.remove(name);
  }

  s3(alias: string): S3Client {
    return cached(this.#s3, alias, () => this.#clients.s3(this.#entry(alias)));
  }

  admin(alias: string): AdminClient {
    return cached(this.#admin, alias, () => this.#clients.admin(this.#entry(alias)));
  }

  s3For(entry: AliasEntry): S3Client {
    return this.#clients.s3(entry);
  }

  #entry(alias: string): AliasEntry {
    const aliases = this.store.checked(alias);
    const entry = Object.hasOwn(aliases, alias) ? aliases[alias] : undefined;
    if (entry !== undefined) return entry;
    const guess = nearest(alias, Object.keys(aliases));
    const hint = guess === undefined ? "Set one with `mc alias set`" : `Did you mean \`${guess}\`?`;
    throw new CommandError(`No such alias \`${alias}\` found. ${hint}`);
  }
}

function cached<T>(map: Map<string, T>, name: string, make: () => T): T {
  const known = map.get(name);
  if (known !== undefined) return known;
  const made = make();
  map.set(name, made);
  return made;
}
