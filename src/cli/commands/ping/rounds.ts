/** Round trips of `mc ping`: totals of one server, rows and objects of a round and of the end (mc-cli.md 9.4). Pure. */
import { columns } from "../../format.ts";

export interface Answer {
  readonly ms: number;
  /** "" when the server answered well. */
  readonly error: string;
}

export interface Totals {
  /** Of the rounds that were answered; undefined while there is none. */
  readonly minMs: number | undefined;
  readonly maxMs: number | undefined;
  readonly sumMs: number;
  readonly answers: number;
  readonly errors: number;
  /** Errors since the last answer. */
  readonly errorsInARow: number;
  readonly lastError: string;
}

export const NO_ROUNDS: Totals = {
  minMs: undefined,
  maxMs: undefined,
  sumMs: 0,
  answers: 0,
  errors: 0,
  errorsInARow: 0,
  lastError: "",
};

/** `totals` with one more round. Failed rounds count in no time: a refused connection is no fast answer. */
export function counted(totals: Totals, { ms, error }: Answer): Totals {
  const { minMs, maxMs, sumMs, answers, errors, errorsInARow } = totals;
  if (error !== "") return { ...totals, errors: errors + 1, errorsInARow: errorsInARow + 1, lastError: error };
  return {
    ...totals,
    minMs: Math.min(minMs ?? ms, ms),
    maxMs: Math.max(maxMs ?? ms, ms),
    sumMs: sumMs + ms,
    answers: answers + 1,
    errorsInARow: 0,
  };
}

/** One server after a round. */
export interface Row {
  readonly url: string;
  readonly totals: Totals;
  readonly answer: Answer;
}

const shown = (ms: number | undefined): string => (ms === undefined ? "-" : `${ms.toFixed(2)}ms`);
const averageMs = ({ sumMs, answers }: Totals): number | undefined => (answers === 0 ? undefined : sumMs / answers);

/** One line for each server. */
export function roundText(round: number, rows: readonly Row[]): string {
  return rows
    .map(({ url, totals, answer }) => {
      const { minMs, maxMs, errors } = totals;
      const figures = `min=${shown(minMs)}  max=${shown(maxMs)}  average=${shown(averageMs(totals))}  errors=${errors}`;
      const roundTrip = answer.error === "" ? shown(answer.ms) : answer.error;
      return `${String(round).padStart(3)}: ${url}  ${figures}  roundtrip=${roundTrip}`;
    })
    .join("\n");
}

export function roundObject(round: number, rows: readonly Row[]): Record<string, unknown> {
  const servers = rows.map(({ url, totals, answer }) => ({
    endpoint: endpointParts(url),
    min: shown(totals.minMs),
    max: shown(totals.maxMs),
    average: shown(averageMs(totals)),
    dns: "",
    // Scripts know the word with its blank.
    status: answer.error === "" ? "ok " : "failed ",
    error: answer.error,
    time: shown(answer.ms),
    // The same under the names that clients of 2025 give them.
    "error-count": String(totals.errors),
    roundtrip: shown(answer.ms),
  }));
  return { status: "success", counter: String(round).padStart(3), servers };
}

function endpointParts(url: string): Record<string, unknown> {
  const { protocol, host } = new URL(url);
  return {
    Scheme: protocol.slice(0, -1),
    Opaque: "",
    User: null,
    Host: host,
    Path: "",
    RawPath: "",
    RawQuery: "",
    Fragment: "",
  };
}

/** What is left at the end. */
export function summaryText(servers: readonly Pick<Row, "url" | "totals">[]): string {
  const rows = servers.map(({ url, totals }) => {
    const { minMs, maxMs, errors, answers } = totals;
    return [url, shown(minMs), shown(averageMs(totals)), shown(maxMs), String(errors), String(answers + errors)];
  });
  return `\n${columns([["Endpoint", "Min", "Avg", "Max", "Error", "Count"], ...rows])}`;
}

/** Times in nanoseconds. */
export function summaryObject(servers: readonly Pick<Row, "url" | "totals">[]): Record<string, unknown> {
  const ns = (ms: number | undefined): number => Math.round((ms ?? 0) * 1e6);
  const entries = servers.map(({ url, totals }) => {
    const { minMs, maxMs, sumMs, errors, answers, lastError } = totals;
    const times = { min: ns(minMs), max: ns(maxMs), sum: ns(sumMs), avg: ns(averageMs(totals)), dns: 0 };
    return [new URL(url).host, { ...times, errorCount: errors, err: lastError, counter: answers + errors }] as const;
  });
  return { status: "success", serverMap: Object.fromEntries(entries) };
}
