/** The server's log: one line an event, as JSON or for people. It never decides where the line goes. */
import type { Clock } from "../runtime/clock.ts";
import type { LogTail } from "./log-tail.ts";

export type LogFields = Readonly<Record<string, unknown>>;

export interface Logger {
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  /** A logger that adds `fields` to every line. */
  with(fields: LogFields): Logger;
}

export interface LogOptions {
  /** One JSON object a line; otherwise readable lines. */
  readonly json: boolean;
  /** Errors and warnings only. */
  readonly quiet?: boolean | undefined;
  readonly clock: Pick<Clock, "nowMs">;
  /** Takes one line with its line feed, normally to standard error. */
  readonly write: (line: string) => void;
  /** Is shown every line too. */
  readonly tail?: Pick<LogTail, "add"> | undefined;
}

type Level = "info" | "warn" | "error";

/** Longest text of one field: a stack or a stranger's header must not flood the log. */
const FIELD_CHARS_MAX = 4096;

/** Errors lose their members in JSON; what happened is in message, code, stack and cause. */
function plain(value: unknown): unknown {
  if (value instanceof Error) {
    const code = "code" in value ? { code: value.code } : {};
    const cause = value.cause === undefined ? {} : { cause: plain(value.cause) };
    return { name: value.name, message: value.message, ...code, stack: clipped(value.stack ?? ""), ...cause };
  }
  if (typeof value === "bigint") return String(value);
  return typeof value === "string" ? clipped(value) : value;
}

function clipped(text: string): string {
  return text.length > FIELD_CHARS_MAX ? `${text.slice(0, FIELD_CHARS_MAX)}...` : text;
}

function jsonText(value: unknown): string {
  try {
    return JSON.stringify(value, (_name, member: unknown) => plain(member)) ?? "null";
  } catch {
    // A cycle: the line is still worth more than an exception from the log.
    return JSON.stringify(String(value));
  }
}

function jsonLine(time: string, level: Level, message: string, fields: LogFields): string {
  return `${jsonText({ time, level, message, ...fields })}\n`;
}

function readableValue(value: unknown): string {
  if (value instanceof Error) return `"${value.message}"`;
  if (typeof value === "string") return /^[\w./:@+-]+$/.test(value) ? value : JSON.stringify(clipped(value));
  return jsonText(plain(value));
}

function readableLine(time: string, level: Level, message: string, fields: LogFields): string {
  const known = Object.entries(fields).filter(([, value]) => value !== undefined);
  const tail = known.map(([name, value]) => ` ${name}=${readableValue(value)}`).join("");
  const stacks = known.map(([, value]) => (value instanceof Error ? `\n  ${clipped(value.stack ?? "")}` : "")).join("");
  return `${time} ${level.toUpperCase().padEnd(5)} ${message}${tail}${level === "error" ? stacks : ""}\n`;
}

export function createLogger(options: LogOptions, inherited: LogFields = {}): Logger {
  const line = options.json ? jsonLine : readableLine;
  const log = (level: Level, message: string, fields: LogFields = {}): void => {
    if (options.quiet === true && level === "info") return;
    const time = new Date(options.clock.nowMs()).toISOString();
    const all = { ...inherited, ...fields };
    options.write(line(time, level, message, all));
    const text = options.tail && readableLine("", level, message, all).trim();
    options.tail?.add({ time, level, message, text: text ?? "" });
  };
  return {
    info: (message, fields) => log("info", message, fields),
    warn: (message, fields) => log("warn", message, fields),
    error: (message, fields) => log("error", message, fields),
    with: (fields) => createLogger(options, { ...inherited, ...fields }),
  };
}

/** Says nothing: for tests and tools. */
export const silentLog: Logger = {
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  with: () => silentLog,
};
