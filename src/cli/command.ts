/**
 * What a command of `mc` is. One file per command under `src/cli/commands/`; `tree.ts` puts them together; `main.ts`
 * parses, runs and is the only place that exits. A command returns its exit code and never writes to a stream itself:
 * it prints through `ctx.out`, which knows text and --json.
 */
import type { AdminClient } from "../client/admin-client.ts";
import type { S3Client } from "../client/s3-client.ts";

export interface FlagSpec {
  /** Long name without dashes. */
  readonly name: string;
  /** Other long names and single letters. */
  readonly aliases?: readonly string[] | undefined;
  readonly kind: "bool" | "string" | "int" | "list";
  readonly help: string;
  /** Accepted for old scripts, not shown in help. */
  readonly hidden?: boolean | undefined;
  /** Environment variable that sets it. */
  readonly env?: string | undefined;
  /** Known from the original and not here: why. Its use is an error, since to ignore it would do something else. */
  readonly refused?: string | undefined;
}

export interface ParsedFlags {
  bool(name: string): boolean;
  /** undefined when not given; "" when given empty. */
  string(name: string): string | undefined;
  int(name: string): number | undefined;
  list(name: string): readonly string[];
  given(name: string): boolean;
}

export interface Command {
  readonly name: string;
  readonly aliases?: readonly string[] | undefined;
  readonly summary: string;
  /** e.g. `ALIAS/BUCKET --remote-bucket TARGET`. */
  readonly usage?: string | undefined;
  /** Shown first in help: full command lines with a comment. */
  readonly examples?: readonly { readonly what: string; readonly line: string }[] | undefined;
  readonly flags?: readonly FlagSpec[] | undefined;
  readonly hidden?: boolean | undefined;
  /** Unknown flags are no fault: the command does nothing with any. */
  readonly anyFlags?: boolean | undefined;
  readonly subcommands?: readonly Command[] | undefined;
  /** Exit code 0 or 1 (mc-cli.md 2.4). May throw CommandError (printed, exit 1) or a client error. */
  readonly run?: ((ctx: CommandContext, args: readonly string[], flags: ParsedFlags) => Promise<number>) | undefined;
}

export interface AliasEntry {
  readonly url: string;
  readonly accessKey: string;
  readonly secretKey: string;
  readonly sessionToken?: string | undefined;
  readonly api: string;
  readonly path: string;
}

/** `ALIAS/BUCKET/KEY` taken apart; `key` keeps its trailing slash. A path whose first segment is no alias is local. */
export type Target =
  | {
      readonly kind: "remote";
      readonly alias: string;
      readonly bucket: string;
      readonly key: string;
      readonly text: string;
    }
  | { readonly kind: "local"; readonly path: string; readonly text: string };

export interface Output {
  readonly json: boolean;
  /** One message: `text` (lines without a final line feed) in text mode, `json` as one object otherwise. Text undefined prints nothing. */
  message(text: string | undefined, json: Record<string, unknown>): void;
  /** A non-fatal error: `mc: <ERROR> what. why.` on stderr, or a JSON error object (type "error") on stdout. */
  error(what: string, cause: unknown): void;
  /** Raw bytes on stdout (cat, head). Resolves when accepted. */
  raw(bytes: Buffer): Promise<void>;
  /** True when stdout is a terminal and neither --json nor --quiet is set: progress bars may be drawn. */
  readonly interactive: boolean;
  /** Redraws the last line (progress); ignored when not interactive. */
  progress(line: string): void;
}

export interface CommandContext {
  readonly out: Output;
  /** Aborted on SIGINT/SIGTERM. */
  readonly signal: AbortSignal;
  readonly stdin: AsyncIterable<Buffer>;
  /** Global flags (mc-cli.md 2.2). */
  readonly global: ParsedFlags;
  /** Folder of the configuration; may not exist yet. */
  readonly configDir: string;
  target(text: string): Target;
  /** All aliases (file and MC_HOST_*). */
  aliases(): Readonly<Record<string, AliasEntry & { readonly source: "file" | "env" }>>;
  setAlias(name: string, entry: AliasEntry): void;
  removeAlias(name: string): boolean;
  /** Clients are made once per alias. Throws CommandError when the alias is unknown. */
  s3(alias: string): S3Client;
  admin(alias: string): AdminClient;
  /** Clients for credentials that are not an alias (alias set, replicate add URLs). */
  s3For(entry: AliasEntry): S3Client;
}

/** `mc: <ERROR> WHAT. REASON.` and exit 1. `cause` may be an S3 or admin error, whose message becomes the reason. */
export class CommandError extends Error {
  override name = "CommandError";
  readonly reason: unknown;
  constructor(what: string, reason?: unknown) {
    super(what, { cause: reason });
    this.reason = reason;
  }
}
