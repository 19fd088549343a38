/** The life of a server: start, ready line, signals, stop. With several workers the first process also minds the others. */
import { systemClock } from "../runtime/clock.ts";
import { createLogger, type Logger } from "../observe/log.ts";
import { LogTail } from "../observe/log-tail.ts";
import {
  explainedDamage,
  lockDataDirectory,
  noteMade,
  openDataDirectory,
  raiseFormat,
  refuseDamagedIndex,
  requireUsable,
} from "./data-directory.ts";
import { watchIndexFile } from "./index-watch.ts";
import { listen, type Listener } from "./listener.ts";
import { startWorkers, type ProcessMessage, type Workers } from "./processes.ts";
import { readSettings, UsageError, type Settings } from "./settings.ts";
import { openSite, type Site } from "./site.ts";

function loggerFor(settings: Settings): { log: Logger; logTail: LogTail } {
  const clock = systemClock();
  const tail = new LogTail(clock);
  const log = createLogger({ json: settings.json, clock, write: (line) => void process.stderr.write(line), tail });
  return { log, logTail: tail };
}

/** Resolves with the first signal that asks for the end. */
function stopAsked(): Promise<"stop"> {
  return new Promise((resolve) => {
    for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => resolve("stop"));
  });
}

/**
 * Becomes a new server on the same port, under the same process id, so that no service manager is needed. Where the
 * platform cannot do that, the process ends and whoever minds it starts it again.
 */
function startAnew(settings: Settings, listener: Listener): void {
  const host = settings.host ?? "";
  const address =
    settings.port === 0 ? ["--address", `${host.includes(":") ? `[${host}]` : host}:${listener.port}`] : [];
  const args = [process.execPath, ...process.execArgv, ...process.argv.slice(1), ...address];
  process.execve?.(process.execPath, args, process.env);
}

const FAULT_MS = 5000;

/**
 * A fault that nobody caught ends the process with 1: what it holds in memory cannot be trusted any more. The index is
 * closed first, since an exit waits for the thread that writes it, for ever when that is stopped within a transaction.
 */
function endOnFault(log: Logger, site: Site): void {
  let ending = false;
  process.on("uncaughtException", (error: unknown) => {
    log.error("the server failed and ends", { error: error instanceof Error ? error.stack : String(error) });
    if (ending) return;
    ending = true;
    setTimeout(() => process.kill(process.pid, "SIGKILL"), FAULT_MS);
    void site.fail().finally(() => process.exit(1));
  });
}

function readyLine(settings: Settings, listener: Listener): string {
  const host = settings.host ?? "127.0.0.1";
  const url = `${listener.secure ? "https" : "http"}://${host.includes(":") ? `[${host}]` : host}:${listener.port}`;
  return settings.json
    ? JSON.stringify({ ready: true, url, port: listener.port, dir: settings.dir })
    : `Resilver is ready on ${url} serving ${settings.dir}`;
}

/** `resilver server`: returns the exit code. */
export async function runServer(argv: readonly string[], env: NodeJS.ProcessEnv, version: string): Promise<number> {
  const settings = readSettings(argv, env);
  const { log, logTail } = loggerFor(settings);
  const format = openDataDirectory(settings.dir);
  await lockDataDirectory(settings.dir);
  refuseDamagedIndex(settings.dir, format);
  requireUsable(settings.dir);
  raiseFormat(settings.dir, format);
  let workers: Workers | undefined;
  let listener: Listener | undefined;
  const site = await openSite({
    settings,
    format,
    log,
    logTail,
    version,
    background: true,
    secure: () => listener?.secure === true,
    tellOthers: (message) => workers?.broadcast(message),
  }).catch((error: unknown) => {
    throw explainedDamage(settings.dir, error);
  });
  noteMade(settings.dir, format);
  endOnFault(log, site);
  const indexWatch = watchIndexFile(settings.dir, (what) => {
    throw new Error(what);
  });
  const shared = settings.workers > 1;
  const warn = (message: string): void => log.warn(message);
  listener = await listen(site.handler, { ...settings, shared, warn, requestsMax: site.requestsMax });
  if (shared) {
    workers = await startWorkers({
      script: process.argv[1] as string,
      args: ["server-process", ...argv],
      env: { ...env, RESILVER_ADDRESS: undefined, MINIO_ADDRESS: undefined, [PORT_VARIABLE]: String(listener.port) },
      count: settings.workers - 1,
      onMessage: (message) => site.told(message),
      greeting: () => site.greeting(),
      warn,
    });
  }
  await site.start();
  // Before the ready line: whoever reads it may ask for the end at once.
  const asked = stopAsked();
  process.stdout.write(settings.quiet ? "" : `${readyLine(settings, listener)}\n`);
  const end = await Promise.race([asked, site.endAsked]);
  await Promise.all([listener.stop(), workers?.stop()]);
  indexWatch.stop();
  await site.stop();
  if (end === "restart") startAnew(settings, listener);
  return 0;
}

/** How the first process tells the others its port (which may have been chosen by the kernel). Not a setting. */
const PORT_VARIABLE = "RESILVER__PORT";

/** A further serving process of the same site: no lock, no background work; it ends with the first. */
export async function runFurtherProcess(
  argv: readonly string[],
  env: NodeJS.ProcessEnv,
  version: string,
): Promise<number> {
  const { [PORT_VARIABLE]: port, ...rest } = env;
  if (port === undefined || process.send === undefined)
    throw new UsageError("server-process is started by resilver server");
  // The first process is gone: nobody minds this one, and the lock on the directory went with it. An exit would wait for
  // the thread that writes the index, for ever when it is stopped within a transaction; a kill loses nothing.
  process.once("disconnect", () => process.kill(process.pid, "SIGKILL"));
  // It may have gone while this one was loading, when nobody heard of it.
  if (!process.connected) return 0;
  const settings = { ...readSettings(argv, rest), port: Number(port) };
  const { log, logTail } = loggerFor(settings);
  const format = openDataDirectory(settings.dir);
  // What cannot be told to a first process that is gone is no fault: this one ends as it hears of that.
  const send = (message: object): void => void process.send?.(message, undefined, undefined, () => undefined);
  let listener: Listener | undefined;
  const site: Site = await openSite({
    settings,
    format,
    log,
    logTail,
    version,
    background: false,
    secure: () => listener?.secure === true,
    tellOthers: send,
  });
  endOnFault(log, site);
  process.on("message", (message: ProcessMessage) => site.told(message));
  const warn = (message: string): void => log.warn(message);
  listener = await listen(site.handler, { ...settings, shared: true, warn, requestsMax: site.requestsMax });
  await site.start();
  send({ ready: true });
  await stopAsked();
  await listener.stop();
  await site.stop();
  process.disconnect?.();
  return 0;
}
