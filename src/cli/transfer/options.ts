/** How objects are written: the flags that cp, mv, put, mirror and pipe share (mc-cli.md 5.2). */
import type { ChecksumAlgorithm } from "../../model/version.ts";
import { parseChecksumAlgorithm } from "../../model/checksum.ts";
import type { Clock } from "../../runtime/clock.ts";
import type { CommandContext, FlagSpec, ParsedFlags } from "../command.ts";
import { CommandError } from "../command.ts";
import type { Encryption } from "../encryption.ts";
import { parseEncryption } from "../encryption.ts";
import { formatRfc3339, parseDuration, parseSize } from "../format.ts";
import { UsageError } from "../usage-error.ts";
import { PART_BYTES_DEFAULT, PART_BYTES_MIN } from "./plan.ts";

export interface TransferOptions {
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly encryption: Encryption;
  /** Storage class, lock: sent with every write. */
  readonly headers: Readonly<Record<string, string>>;
  /** --attr as headers; empty when not given. They replace the source's in a copy. */
  readonly attributes: Readonly<Record<string, string>>;
  /** --tags, `k=v&k=v`. */
  readonly tags: string | undefined;
  readonly multipart: boolean;
  readonly partSize: number;
  /** Parts of one object at a time. */
  readonly parallelParts: number;
  readonly checksum: ChecksumAlgorithm | undefined;
  readonly fullObjectChecksum: boolean;
  readonly md5: boolean;
  readonly preserve: boolean;
  /** Go on with what an interrupted run left. */
  readonly resume: boolean;
  /** Where the state of resumable uploads is kept. */
  readonly stateDir: string;
}

export const WRITE_FLAGS: readonly FlagSpec[] = [
  { name: "storage-class", aliases: ["sc"], kind: "string", help: "storage class of the new objects" },
  { name: "disable-multipart", kind: "bool", help: "one PUT whatever the size" },
  { name: "checksum", kind: "string", help: "CRC32, CRC32C, CRC64NVME, SHA1, SHA256, CRC32-FO or CRC32C-FO" },
  { name: "md5", kind: "bool", help: "send Content-MD5", hidden: true },
];

export const ATTRIBUTE_FLAGS: readonly FlagSpec[] = [
  { name: "attr", kind: "string", help: "metadata, `key=value;key=value`" },
  { name: "tags", kind: "string", help: "tags, `key=value&key=value`" },
];

export const PRESERVE_FLAG: FlagSpec = {
  name: "preserve",
  aliases: ["a"],
  kind: "bool",
  help: "keep times and modes of files",
};

export const LOCK_FLAGS: readonly FlagSpec[] = [
  { name: "retention-mode", kind: "string", help: "governance or compliance" },
  { name: "retention-duration", kind: "string", help: "e.g. 30d or 1y" },
  { name: "legal-hold", kind: "string", help: "on or off" },
];

const PARALLEL_PARTS = 4;
const PARALLEL_PARTS_MAX = 64;

/** Reads the flags of any writing command; a flag that the command does not declare counts as not given. */
export function transferOptions(
  ctx: CommandContext,
  flags: ParsedFlags,
  clock: Clock,
  stateDir: string,
): TransferOptions {
  const checksum = flags.string("checksum")?.toUpperCase();
  const base = checksum?.replace(/-FO$/, "");
  const algorithm = base === undefined ? undefined : parseChecksumAlgorithm(base);
  if (base !== undefined && algorithm === undefined) throw new UsageError(`Unknown --checksum \`${base}\``);
  return {
    clock,
    signal: ctx.signal,
    encryption: parseEncryption(flags),
    headers: { ...storageClass(flags), ...lockHeaders(flags, clock.nowMs()) },
    attributes: attributeHeaders(flags.string("attr")),
    tags: flags.string("tags"),
    multipart: !flags.bool("disable-multipart"),
    partSize: partSize(flags.string("part-size")),
    parallelParts: parallel(flags.int("parallel") ?? flags.int("concurrent")),
    checksum: algorithm,
    fullObjectChecksum: checksum?.endsWith("-FO") === true || base === "CRC64NVME",
    md5: flags.bool("md5"),
    preserve: flags.bool("preserve"),
    resume: flags.bool("continue"),
    stateDir,
  };
}

function parallel(count: number | undefined): number {
  if (count === undefined) return PARALLEL_PARTS;
  if (count < 1 || count > PARALLEL_PARTS_MAX)
    throw new UsageError(`The number of parallel parts is 1 to ${PARALLEL_PARTS_MAX}`);
  return count;
}

function partSize(text: string | undefined): number {
  if (text === undefined || text === "") return PART_BYTES_DEFAULT;
  const size = parseSize(text);
  if (size < PART_BYTES_MIN) throw new CommandError("A part has at least 5MiB");
  return size;
}

function storageClass(flags: ParsedFlags): Record<string, string> {
  const name = flags.string("storage-class");
  return name === undefined || name === "" ? {} : { "x-amz-storage-class": name };
}

function lockHeaders(flags: ParsedFlags, nowMs: number): Record<string, string> {
  const mode = flags.string("retention-mode");
  const duration = flags.string("retention-duration");
  const hold = flags.string("legal-hold")?.toUpperCase();
  if ((mode === undefined) !== (duration === undefined)) {
    throw new UsageError("--retention-mode and --retention-duration are given together");
  }
  const headers: Record<string, string> = {};
  if (mode !== undefined && duration !== undefined) {
    if (!/^(governance|compliance)$/i.test(mode)) throw new UsageError(`Unknown --retention-mode \`${mode}\``);
    const ms = parseDuration(duration);
    if (ms === undefined || ms <= 0)
      throw new UsageError(`Invalid --retention-duration \`${duration}\`. Write for example 30d`);
    headers["x-amz-object-lock-mode"] = mode.toUpperCase();
    headers["x-amz-object-lock-retain-until-date"] = formatRfc3339(new Date(nowMs + ms));
  }
  if (hold !== undefined) {
    if (hold !== "ON" && hold !== "OFF") throw new UsageError("--legal-hold takes on or off");
    headers["x-amz-object-lock-legal-hold"] = hold;
  }
  return headers;
}

const REAL_HEADERS = new Set([
  "content-type",
  "cache-control",
  "content-encoding",
  "content-disposition",
  "content-language",
  "expires",
]);

/** `key=value;key=value` as headers: the standard ones as they are, all else as x-amz-meta-*. */
export function attributeHeaders(text: string | undefined): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const pair of (text ?? "").split(";")) {
    if (pair.trim() === "") continue;
    const at = pair.indexOf("=");
    if (at <= 0) throw new UsageError(`Invalid --attr \`${pair}\`. Write key=value;key=value`);
    const name = pair.slice(0, at).trim().toLowerCase();
    const known = REAL_HEADERS.has(name) || name.startsWith("x-amz-");
    headers[known ? name : `x-amz-meta-${name}`] = pair.slice(at + 1).trim();
  }
  return headers;
}

/** Metadata of an answer that a new object takes over: standard headers and x-amz-meta-*, as text. */
export function carriedMetadata(headers: Readonly<Record<string, string>>): Record<string, string> {
  const carried: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    // Header bytes are UTF-8; the transport shows them as Latin-1.
    if (REAL_HEADERS.has(name) || name.startsWith("x-amz-meta-"))
      carried[name] = Buffer.from(value, "latin1").toString("utf8");
  }
  return carried;
}
