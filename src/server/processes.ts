/**
 * `--workers N`: N processes on one data directory. The first owns the directory's lock and does the background work;
 * the others only serve. None is an authority: everything they agree on is in the index.
 */
import { fork, type ChildProcess } from "node:child_process";

/** What a process tells another: wake the senders of these targets, or look again at everything. */
export interface Poke {
  readonly poke: readonly string[];
}

const RESTART_DELAY_MS = 500;

export interface Workers {
  /** Sends to every other process. */
  broadcast(message: Poke): void;
  stop(): Promise<void>;
}

/** Starts `count` processes of `script`; one that dies is started again. Messages of theirs come to `onMessage`. */
export async function startWorkers(options: {
  script: string;
  args: readonly string[];
  env: NodeJS.ProcessEnv;
  count: number;
  onMessage: (message: Poke) => void;
  warn: (message: string) => void;
}): Promise<Workers> {
  const children = new Set<ChildProcess>();
  let stopping = false;
  const start = (): Promise<void> =>
    new Promise((ready) => {
      const child = fork(options.script, [...options.args], { env: options.env, execArgv: process.execArgv, stdio: ["ignore", "ignore", "inherit", "ipc"] });
      children.add(child);
      child.on("message", (message: { ready?: boolean } | Poke) => {
        if ("poke" in message) options.onMessage(message);
        else ready();
      });
      child.on("exit", (code, signal) => {
        children.delete(child);
        ready();
        if (stopping) return;
        options.warn(`a serving process ended (${signal ?? code}); starting another`);
        setTimeout(() => void start(), RESTART_DELAY_MS).unref();
      });
    });
  await Promise.all(Array.from({ length: options.count }, start));
  return {
    broadcast(message) {
      for (const child of children) if (child.connected) child.send(message);
    },
    stop() {
      stopping = true;
      const ends = [...children].map((child) => new Promise((resolve) => child.once("exit", resolve)));
      for (const child of children) child.kill("SIGTERM");
      return Promise.all(ends).then(() => undefined);
    },
  };
}
