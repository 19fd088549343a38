/** What the `admin` commands share: the alias they speak to, files, keys, policy lists. */
import type { AdminCall, AdminClient } from "../../../client/admin-client.ts";
import type { Random } from "../../../runtime/random.ts";
import type { Command, CommandContext, ParsedFlags } from "../../command.ts";
import { CommandError } from "../../command.ts";
import { parseDuration } from "../../format.ts";
import { attempt, countArgs } from "../attempt.ts";

/** One server, and the arguments after its alias. */
export interface AdminSite {
  readonly ctx: CommandContext;
  /** Without a final slash. */
  readonly alias: string;
  readonly client: AdminClient;
  readonly args: readonly string[];
  readonly flags: ParsedFlags;
}

export interface AdminCommandSpec extends Omit<Command, "run" | "subcommands"> {
  readonly usage: string;
  /** Arguments after ALIAS: at least and at most. */
  readonly argCount: readonly [number, number];
  /** What failed, for the error line. */
  readonly what: string;
  readonly work: (site: AdminSite) => Promise<void>;
}

/** A command of the form `admin ... ALIAS ARGS`: counts arguments, names the failure, ends with 0. */
export function adminSubcommand(spec: AdminCommandSpec): Command {
  const { argCount, what, work, ...command } = spec;
  const [min, max] = argCount;
  return {
    ...command,
    run: async (ctx, args, flags) => {
      const [text = "", ...rest] = countArgs(args, min + 1, max + 1, spec.usage);
      const alias = text.replace(/\/$/, "");
      await attempt(what, work({ ctx, alias, client: ctx.admin(alias), args: rest, flags }));
      return 0;
    },
  };
}

/** A call with the run's abort signal; the answer's body is dropped. */
export async function send(site: AdminSite, call: AdminCall): Promise<void> {
  await site.client.call({ ...call, signal: site.ctx.signal });
}

/** JSON as a request body. */
export function jsonBody(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value));
}

/** `a,b` as a list without blanks and empty names. */
export function splitList(text: string | undefined): string[] {
  return (text ?? "")
    .split(",")
    .map((name) => name.trim())
    .filter((name) => name !== "");
}

const ACCESS_KEY_LENGTH = 20;
const SECRET_KEY_BYTES = 30;
const KEY_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";

/** A pair as the original makes it: 20 of `0-9A-Z`, 40 base64 characters with `/` replaced (admin-api.md 3.5). */
export function newKeyPair(random: Random): { readonly accessKey: string; readonly secretKey: string } {
  const accessKey = [...random.bytes(ACCESS_KEY_LENGTH)]
    .map((byte) => KEY_ALPHABET[byte % KEY_ALPHABET.length])
    .join("");
  return { accessKey, secretKey: random.bytes(SECRET_KEY_BYTES).toString("base64").replaceAll("/", "+") };
}

export const NEVER = "1970-01-01T00:00:00Z";

/** RFC 3339 of `--expiry` (a date with or without time, UTC) or of `--expiry-duration` from now; undefined for neither. */
export function expiryOf(flags: ParsedFlags, nowMs: number): string | undefined {
  const date = flags.string("expiry");
  const duration = flags.string("expiry-duration");
  if (date !== undefined && date !== "") {
    const ms = Date.parse(/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2})?$/.test(date) ? `${date}Z` : date);
    if (!Number.isFinite(ms))
      throw new CommandError("Invalid --expiry", new Error("write 2030-12-31, 2030-12-31T15:04 or RFC 3339"));
    return seconds(ms);
  }
  if (duration === undefined || duration === "") return undefined;
  const ms = parseDuration(duration);
  if (ms === undefined) throw new CommandError("Invalid --expiry-duration", new Error("write for example 12h or 30d"));
  return seconds(nowMs + ms);
}

function seconds(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d+Z$/, "Z");
}

/** Rows `Name: value` with the values below each other. */
export function fieldRows(rows: readonly (readonly [string, string])[]): string {
  const width = Math.max(...rows.map(([name]) => name.length)) + 1;
  return rows.map(([name, value]) => `${`${name}:`.padEnd(width)} ${value}`.trimEnd()).join("\n");
}
