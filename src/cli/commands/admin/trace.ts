/** `admin trace` and `admin logs`: what a server does right now (admin-api.md 6.4, 9). */
import { STATUS_CODES } from "node:http";
import type { HttpTrace, TraceRecord } from "../../../observe/trace.ts";
import { wildcardMatch } from "../../../iam/wildcard.ts";
import type { Command, ParsedFlags } from "../../command.ts";
import { CommandError } from "../../command.ts";
import { formatSize } from "../../format.ts";
import type { AdminSite } from "./common.ts";
import { adminSubcommand, splitList } from "./common.ts";

/** Words of `--call`: the parameters of the trace call. */
const CALLS = [
  "s3",
  "internal",
  "storage",
  "os",
  "scanner",
  "decommission",
  "healing",
  "batch-replication",
  "batch-keyrotation",
  "batch-expire",
  "rebalance",
  "replication-resync",
  "replication",
  "bootstrap",
  "ftp",
  "ilm",
  "kms",
  "formatting",
] as const;
const DEFAULT_CALLS = ["s3"];

export const traceCommand: Command = adminSubcommand({
  name: "trace",
  summary: "follow the calls of a server, and what its replication sends",
  usage: "ALIAS [--call LIST] [--errors] [--path PATTERN] ...",
  examples: [
    { what: "every S3 call", line: "mc admin trace here" },
    { what: "what replication sends, and what fails", line: "mc admin trace here --call replication --errors" },
    { what: "slow calls with all their headers", line: "mc admin trace here -v --response-duration 100ms" },
  ],
  flags: [
    { name: "verbose", aliases: ["v"], kind: "bool", help: "whole requests and answers, headers included" },
    { name: "all", aliases: ["a"], kind: "bool", help: "every kind of call" },
    {
      name: "call",
      kind: "list",
      help: `kinds of calls: ${CALLS.filter((call) => /^(s3|internal|replication.*)$/.test(call)).join(", ")}`,
    },
    { name: "errors", aliases: ["e"], kind: "bool", help: "failed calls only" },
    { name: "response-duration", kind: "string", help: "calls that took at least so long: 5ms, 1s" },
    { name: "status-code", kind: "list", help: "answers with these statuses" },
    { name: "method", kind: "list", help: "requests with these methods" },
    { name: "funcname", kind: "list", help: "names of calls: s3.GetObject, wildcards allowed" },
    { name: "path", kind: "list", help: "paths, wildcards allowed" },
    { name: "node", kind: "list", help: "servers" },
    { name: "request-header", kind: "list", help: "requests with a header NAME:VALUE, wildcards allowed" },
    { name: "request-query", kind: "list", help: "requests with a parameter NAME=VALUE, wildcards allowed" },
  ],
  argCount: [0, 0],
  what: "Unable to listen to http trace",
  work: trace,
});

function query(flags: ParsedFlags): Record<string, string> {
  const named = flags.list("call").flatMap(splitList);
  const unknown = named.find((call) => !(CALLS as readonly string[]).includes(call));
  if (unknown !== undefined) throw new CommandError(`Unknown kind of call \`${unknown}\`. Known: ${CALLS.join(", ")}`);
  const wanted = flags.bool("all") ? CALLS : named.length > 0 ? named : DEFAULT_CALLS;
  const out: Record<string, string> = Object.fromEntries(
    CALLS.map((call) => [call, String(wanted.includes(call as never))]),
  );
  out["err"] = String(flags.bool("errors"));
  out["threshold"] = flags.string("response-duration") || "0s";
  return out;
}

/** The filters that the server leaves to its clients. */
export function traceMatcher(flags: Pick<ParsedFlags, "list">): (record: TraceRecord) => boolean {
  const list = (name: string): string[] => flags.list(name).flatMap(splitList);
  const any = (patterns: readonly string[], text: string | undefined): boolean =>
    patterns.length === 0 || (text !== undefined && patterns.some((pattern) => wildcardMatch(pattern, text)));
  const [statuses, methods, names, paths, nodes] = [
    list("status-code"),
    list("method"),
    list("funcname"),
    list("path"),
    list("node"),
  ];
  const headers = flags.list("request-header");
  const queries = flags.list("request-query");
  const slashed = paths.map((pattern) => pattern.replace(/^\//, ""));
  return ({ nodename, funcname, path, http }) => {
    if (!any(nodes, nodename) || !any(names, funcname) || !any(slashed, path.replace(/^\//, ""))) return false;
    if (
      !any(
        methods.map((method) => method.toUpperCase()),
        http?.request.method,
      )
    )
      return false;
    if (!any(statuses, http === undefined ? undefined : String(http.response.statuscode))) return false;
    const sent = Object.entries(http?.request.headers ?? {}).flatMap(([name, values]) =>
      values.map((value) => `${name}:${value}`),
    );
    if (
      headers.length > 0 &&
      !headers.some((pattern) => sent.some((header) => wildcardMatch(pattern.toLowerCase(), header.toLowerCase())))
    )
      return false;
    const parameters = (http?.request.rawquery ?? "").split("&");
    return (
      queries.length === 0 ||
      queries.some((pattern) => parameters.some((parameter) => wildcardMatch(pattern, parameter)))
    );
  };
}

async function trace(site: AdminSite): Promise<void> {
  const { ctx, flags } = site;
  const matches = traceMatcher(flags);
  const verbose = flags.bool("verbose");
  const call = { method: "GET", path: "trace", query: query(flags), signal: ctx.signal };
  try {
    for await (const record of site.client.objects<TraceRecord>(call)) {
      if (!matches(record)) continue;
      if (verbose) ctx.out.message(longText(record), longJson(record));
      else ctx.out.message(shortText(record), shortJson(record));
    }
  } catch (error) {
    if (!ctx.signal.aborted) throw error;
    return;
  }
  if (!ctx.signal.aborted) throw new CommandError("The server ended the trace");
}

const NS_PER_US = 1000;

/** `17µs`, `1.52ms`, `2.1s`: three digits that count. */
export function spanText(ns: number): string {
  const us = ns / NS_PER_US;
  const text = (value: number, unit: string): string => `${Number(value.toPrecision(3))}${unit}`;
  if (us < 1000) return text(us, "µs");
  return us < 1e6 ? text(us / 1000, "ms") : text(us / 1e6, "s");
}

const statusText = (http: HttpTrace): string =>
  `${http.response.statuscode} ${STATUS_CODES[http.response.statuscode] ?? ""}`.trim();

/** `HH:MM:SS.mmm` of local time. */
function clockText(time: string): string {
  const date = new Date(time);
  const pad = (value: number, width = 2): string => String(value).padStart(width, "0");
  return `${pad(date.getHours())}:${pad(date.getMinutes())}:${pad(date.getSeconds())}.${pad(date.getMilliseconds(), 3)}`;
}

export function shortText(record: TraceRecord): string {
  const { http, error } = record;
  const outcome = error === undefined ? (record.msg ?? "") : "FAILED";
  const head = `${clockText(record.time)} [${http === undefined ? outcome : statusText(http)}] ${record.funcname}`;
  const fault = error === undefined ? "" : ` ${error}`;
  if (http === undefined) {
    const size = record.bytes === undefined || record.bytes === 0 ? "" : ` ${formatSize(record.bytes)}`;
    return `${head} ${record.path} ${spanText(record.dur)}${size}${fault}`;
  }
  const { request, stats } = http;
  const where = `${request.path}${request.rawquery === undefined ? "" : `?${request.rawquery}`}`;
  const moved = `in ${formatSize(stats.inputbytes)} out ${formatSize(stats.outputbytes)}`;
  const times = `${spanText(record.dur)} first byte ${spanText(stats.timetofirstbyte)}`;
  return `${head} ${request.method} ${where} ${request.client} ${times} ${moved}${fault}`;
}

function callStats(http: HttpTrace): Record<string, number> {
  const { inputbytes, outputbytes, latency, timetofirstbyte } = http.stats;
  return { rx: inputbytes, tx: outputbytes, duration: latency, timeToFirstByte: timetofirstbyte };
}

export function shortJson(record: TraceRecord): Record<string, unknown> {
  const { http } = record;
  return {
    status: "success",
    host: record.nodename,
    time: record.time,
    client: http?.request.client ?? "",
    ...(http !== undefined && { callStats: callStats(http) }),
    duration: record.dur,
    timeToFirstByte: http?.stats.timetofirstbyte ?? 0,
    api: record.funcname,
    path: record.path,
    query: http?.request.rawquery ?? "",
    statusCode: http?.response.statuscode ?? 0,
    statusMsg: http === undefined ? (record.msg ?? "") : (STATUS_CODES[http.response.statuscode] ?? ""),
    type: http === undefined ? "replication" : "s3",
    ...(record.bytes !== undefined && { size: record.bytes }),
    error: record.error ?? "",
    ...(record.custom !== undefined && { extra: record.custom }),
  };
}

const headerLines = (headers: Readonly<Record<string, readonly string[]>>): string[] =>
  Object.entries(headers).flatMap(([name, values]) => values.map((value) => `  ${name}: ${value}`));

function longText(record: TraceRecord): string {
  const { http } = record;
  if (http === undefined) {
    const extra = Object.entries(record.custom ?? {}).map(([name, value]) => `  ${name}: ${value}`);
    return [shortText(record), ...extra].join("\n");
  }
  const { request, response } = http;
  return [
    `${record.nodename} [REQUEST ${record.funcname}] [${record.time}] [client ${request.client}]`,
    `${request.method} ${request.path}${request.rawquery === undefined ? "" : `?${request.rawquery}`} ${request.proto}`,
    ...headerLines(request.headers),
    `${record.nodename} [RESPONSE] [${response.time}] [${spanText(record.dur)}]`,
    statusText(http),
    ...headerLines(response.headers),
    "",
  ].join("\n");
}

function longJson(record: TraceRecord): Record<string, unknown> {
  const { http } = record;
  return {
    type: http === undefined ? "replication" : "s3",
    host: record.nodename,
    api: record.funcname,
    time: record.time,
    duration: record.dur,
    path: record.path,
    ...(http !== undefined && { request: http.request, response: http.response, callStats: callStats(http) }),
    ...(http === undefined && { msg: record.msg ?? "", error: record.error ?? "", extra: record.custom ?? {} }),
  };
}

interface LogLine {
  readonly node?: string;
  readonly ConsoleMsg?: string;
  readonly message?: string;
  readonly level?: string;
  readonly time?: string;
}

const LAST_DEFAULT = 10;

export const logsCommand: Command = adminSubcommand({
  name: "logs",
  aliases: ["console"],
  summary: "show the newest lines of a server's log, and follow it",
  usage: "ALIAS [NODE] [--last N]",
  flags: [
    { name: "last", aliases: ["l", "limit"], kind: "int", help: `old lines to show first; default ${LAST_DEFAULT}` },
    { name: "type", aliases: ["t"], kind: "string", help: "kind of lines: minio, application or all", hidden: true },
  ],
  argCount: [0, 1],
  what: "Unable to get the log",
  work: async ({ ctx, client, flags, args }) => {
    const limit = String(flags.int("last") ?? LAST_DEFAULT);
    const lines = client.objects<LogLine>({
      method: "GET",
      path: "log",
      query: { node: args[0] ?? "", limit, logType: "all" },
      signal: ctx.signal,
    });
    try {
      for await (const line of lines) {
        ctx.out.message(`${line.time ?? ""} ${line.ConsoleMsg ?? line.message ?? ""}`.trim(), {
          status: "success",
          ...line,
        });
      }
    } catch (error) {
      if (!ctx.signal.aborted) throw error;
    }
  },
});
