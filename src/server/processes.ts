/**
 * `--workers N`: N processes on one data directory. The first owns the directory's lock and does the background work;
 * the others only serve. None is an authority: everything they agree on is in the index. What they tell each other here
 * may be lost with a process: it saves waiting, or lasts no longer than the server runs.
 */
import { fork, type ChildProcess } from "node:child_process";
import type { ServiceAction } from "../admin/deps.ts";
import type { Family } from "../observe/metrics.ts";

/** Wake the senders of these targets, or look again at everything. */
export interface Poke {
  readonly poke: readonly string[];
}

/** What a process tells all the others of its site. */
export type ProcessMessage =
  | Poke
  /** The admin API asked for it. */
  | { readonly control: ServiceAction }
  /** Settings were changed: read them again. */
  | { readonly config: true }
  /** Somebody follows a feed in the sending process until then (Unix ms): send it what there is. */
  | { readonly listening: FeedName; readonly untilMs: number }
  | { readonly fed: FeedName; readonly item: object }
  | MetricsMessage;

/** A question that every process answers to all, with the id that was asked. */
export type MetricsMessage =
  | { readonly metricsWanted: string }
  | { readonly metricsFor: string; readonly families: readonly Family[] };

export type FeedName = "trace" | "log";

const RESTART_DELAY_MS = 500;

export interface Workers {
  /** Sends to every other process. */
  broadcast(message: ProcessMessage): void;
  stop(): Promise<void>;
}

export interface WorkerOptions {
  readonly script: string;
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  readonly count: number;
  /** A message of one of them; the others have been sent it too. */
  readonly onMessage: (message: ProcessMessage) => void;
  /** What a process that has just started must know. */
  readonly greeting: () => ProcessMessage | undefined;
  readonly warn: (message: string) => void;
}

/** One that has just died, which nobody has heard of yet, is told nothing; without a callback that would be a fault here. */
function tell(child: ChildProcess, message: ProcessMessage): void {
  if (child.connected) child.send(message, () => undefined);
}

/** Starts `count` processes of `script`; one that dies is started again. */
export async function startWorkers(options: WorkerOptions): Promise<Workers> {
  const children = new Set<ChildProcess>();
  let stopping = false;
  const broadcast = (message: ProcessMessage, except?: ChildProcess): void => {
    for (const child of children) if (child !== except) tell(child, message);
  };
  const startAnother = (why: string): void => {
    if (stopping) return;
    options.warn(`a serving process ended (${why}); starting another`);
    // A process that is started while the others stop would never hear of it, and keep this one from its end.
    const again = (): void =>
      void (stopping || start().catch((error: unknown) => startAnother((error as Error).message)));
    setTimeout(again, RESTART_DELAY_MS).unref();
  };
  const start = (): Promise<void> =>
    new Promise((ready) => {
      const child = fork(options.script, [...options.args], {
        env: options.env,
        execArgv: process.execArgv,
        stdio: ["ignore", "ignore", "inherit", "ipc"],
      });
      children.add(child);
      child.on("message", (message: { readonly ready: true } | ProcessMessage) => {
        if ("ready" in message) {
          const greeting = options.greeting();
          if (greeting !== undefined) tell(child, greeting);
          ready();
          return;
        }
        // Only the first process sends: a poke is for it alone.
        if (!("poke" in message)) broadcast(message, child);
        options.onMessage(message);
      });
      const ended = (why: string): void => {
        children.delete(child);
        ready();
        startAnother(why);
      };
      child.on("exit", (code, signal) => ended(String(signal ?? code)));
      // One that could not be started has no exit.
      child.on("error", (error) => void (child.pid === undefined && ended(error.message)));
    });
  await Promise.all(Array.from({ length: options.count }, start));
  const passOn = (): void => {
    for (const child of children) child.kill("SIGHUP");
  };
  process.on("SIGHUP", passOn);
  return {
    broadcast,
    stop() {
      stopping = true;
      process.removeListener("SIGHUP", passOn);
      const ends = [...children].map((child) => new Promise((resolve) => child.once("exit", resolve)));
      for (const child of children) child.kill("SIGTERM");
      return Promise.all(ends).then(() => undefined);
    },
  };
}
