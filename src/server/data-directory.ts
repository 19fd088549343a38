/** The site's data directory: made, recognised, and owned by one server at a time. Layout: docs/format.md. */
import { randomUUID } from "node:crypto";
import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  fsyncSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  unlinkSync,
  writeSync,
} from "node:fs";
import { createConnection, createServer, type Server } from "node:net";
import { join } from "node:path";
import { indexFileFault } from "../storage/index/lmdb/inspect.ts";
import { UsageError } from "./settings.ts";

/** Raised with every change of the layout that an older program must not touch. */
const FORMAT_VERSION = 3;

export interface Format {
  readonly product: "resilver";
  readonly format: number;
  /** UUID of the site: the deployment id of the admin API. */
  readonly siteId: string;
  /** The index and the folders were made: where they lack now, they were lost. Absent: a first start, or an older program. */
  readonly made?: boolean | undefined;
}

const OTHER_PROGRAMS: Readonly<Record<string, string>> = {
  ".minio.sys": "a drive of MinIO",
  ".rustfs.sys": "a drive of RustFS",
  ".sgwtmp": "a directory of VersityGW",
};

const REASONS: Readonly<Record<string, string>> = {
  EACCES: "this user may not; give it the directory (chown), or choose another",
  EPERM: "this user may not; give it the directory (chown), or choose another",
  EROFS: "the file system is read-only; choose another directory",
  ENOTDIR: "a part of the path is a file; choose another directory",
  EEXIST: "it is a file; choose another directory",
  ENOSPC: "the disk is full",
  ENOENT: "a link in the path leads nowhere; choose another directory",
};

/** What the system refused, as what to do about it; anything else stays as it is. */
function explained(dir: string, error: unknown): unknown {
  const { code, message, path } = error as NodeJS.ErrnoException;
  const reason = REASONS[code ?? ""];
  const where = path?.startsWith(dir) === true ? path : dir;
  return reason === undefined || error instanceof UsageError
    ? error
    : new UsageError(`${where} cannot be used: ${reason} (${message})`);
}

function asUsage<T>(dir: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw explained(dir, error);
  }
}

/** Makes DIR when absent, or checks that it is ours and not newer than this program. Throws UsageError. */
export const openDataDirectory = (dir: string): Format => asUsage(dir, () => openFormat(dir));

function openFormat(dir: string): Format {
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const formatPath = join(dir, "format.json");
  if (existsSync(formatPath)) return readFormat(formatPath);
  const entries = readdirSync(dir).filter((name) => name !== "lost+found" && !LOCK_NAMES.has(name));
  for (const name of entries) {
    if (OTHER_PROGRAMS[name] !== undefined)
      throw new UsageError(`${dir} is ${OTHER_PROGRAMS[name]}; choose an empty directory`);
  }
  if (entries.some((name) => !["index", "blobs", "staging", "format.json.new"].includes(name))) {
    throw new UsageError(
      `${dir} holds other files (${entries.slice(0, 3).join(", ")}, ...); choose an empty directory`,
    );
  }
  if (entries.includes("index")) {
    throw new UsageError(
      `${dir} has an index but no format.json; restore format.json from a backup, or choose an empty directory`,
    );
  }
  const format: Format = { product: "resilver", format: FORMAT_VERSION, siteId: randomUUID() };
  writeDurably(dir, "format.json", `${JSON.stringify(format)}\n`);
  return format;
}

function readFormat(path: string): Format {
  let format: Partial<Format>;
  try {
    if (!statSync(path).isFile()) throw new Error("it is no file");
    format = JSON.parse(readFileSync(path, "utf8")) as Partial<Format>;
  } catch (cause) {
    throw new UsageError(
      `${path} cannot be read: ${(cause as Error).message}. Restore it from a backup, or choose an empty directory`,
    );
  }
  if (format.product !== "resilver" || typeof format.format !== "number" || typeof format.siteId !== "string") {
    throw new UsageError(`${path} was not written by Resilver; choose an empty directory`);
  }
  if (format.format > FORMAT_VERSION) {
    throw new UsageError(
      `${path} has format ${format.format}; this program knows up to ${FORMAT_VERSION}. Use a newer Resilver`,
    );
  }
  return format as Format;
}

/**
 * Takes DIR, which is owned by now, to this program's format: from then on an older program refuses it. What the change
 * asks of the index is done when the index is opened, and again if that was cut short.
 */
export function raiseFormat(dir: string, format: Format): void {
  if (format.format === FORMAT_VERSION) return;
  writeDurably(dir, "format.json", `${JSON.stringify({ ...format, format: FORMAT_VERSION })}\n`);
}

/** The index and the folders of DIR are there from now on. */
export function noteMade(dir: string, format: Format): void {
  if (format.made === true) return;
  writeDurably(dir, "format.json", `${JSON.stringify({ ...format, format: FORMAT_VERSION, made: true })}\n`);
}

const PEER_HAS_IT = "Put back a copy of the directory, or start on an empty one and bring everything back from a peer";

/**
 * Refuses DIR, which is owned by now, when its index is gone or damaged: an empty one would be made in its place, the
 * site would say that it has nothing, and the sweep of files that no row names would take the bytes too. A first start
 * that was cut short has neither `blobs/`, which are made after the index, nor the note that both were made. Throws
 * UsageError.
 */
export function refuseDamagedIndex(dir: string, format: Format): void {
  const path = join(dir, "index");
  const fault = asUsage(dir, () => indexFileFault(path));
  const hasBlobs = existsSync(join(dir, "blobs"));
  if (fault === undefined || (fault === "missing" && !hasBlobs && format.made !== true)) return;
  if (fault !== "missing") throw new UsageError(damagedIndex(dir, fault));
  const gone = `the index of ${dir} is gone (${join(path, "data.mdb")} is missing or empty)`;
  const all = `, and so are its blobs: only ${join(dir, "format.json")} tells that a site was here`;
  throw new UsageError(`${gone}${hasBlobs ? "" : all}. ${PEER_HAS_IT}`);
}

/**
 * Refuses DIR, which is owned by now, when a part of it is not what the server takes it for or may not be written by this
 * user, one that ran it as root before, say. LMDB ends the process when it may not open its lock file, and without
 * `staging/` every large write would fail one by one. Throws UsageError.
 */
export function requireUsable(dir: string): void {
  for (const name of ["index", "blobs", "staging"]) requireEntry(dir, join(dir, name), "directory");
  for (const name of INDEX_FILES) requireEntry(dir, join(dir, "index", name), "file");
}

const INDEX_FILES = ["data.mdb", "lock.mdb"] as const;

function requireEntry(dir: string, path: string, kind: "directory" | "file"): void {
  asUsage(dir, () => {
    const found = statSync(path, { throwIfNoEntry: false });
    if (found === undefined && lstatSync(path, { throwIfNoEntry: false }) === undefined) return;
    if (found === undefined) throw new UsageError(`${path} cannot be used: it is a link that leads nowhere`);
    if (kind === "file" ? !found.isFile() : !found.isDirectory())
      throw new UsageError(`${path} cannot be used: it is no ${kind}`);
    accessSync(
      path,
      kind === "file" ? constants.R_OK | constants.W_OK : constants.R_OK | constants.W_OK | constants.X_OK,
    );
  });
}

const damagedIndex = (dir: string, fault: string): string =>
  `the index of ${dir} is damaged (${fault}). ${PEER_HAS_IT}`;

/** What LMDB says of its file, or the system of a folder within DIR, as a UsageError that says what to do. */
export function explainedDamage(dir: string, error: unknown): unknown {
  const { message = "" } = error as Error;
  return message.startsWith("MDB_") ? new UsageError(damagedIndex(dir, message)) : explained(dir, error);
}

/** Written aside, fsynced, renamed, directory fsynced: a crash leaves the old file or the new one. */
function writeDurably(dir: string, name: string, text: string): void {
  const temporary = join(dir, `${name}.new`);
  const file = openSync(temporary, "w", 0o600);
  writeSync(file, text);
  fsyncSync(file);
  closeSync(file);
  renameSync(temporary, join(dir, name));
  const directory = openSync(dir, "r");
  fsyncSync(directory);
  closeSync(directory);
}

const LOCK_NAME = "server.lock";
const LOCK_NAMES = new Set([LOCK_NAME]);

/**
 * Owns DIR until the process ends, however it ends: the lock is a listening socket inside DIR, which the kernel drops
 * with its process, so kill -9 leaves nothing to clean up by hand. Throws UsageError when another server holds it.
 */
export async function lockDataDirectory(dir: string): Promise<Server> {
  try {
    return await lock(dir);
  } catch (error) {
    throw explained(dir, error);
  }
}

async function lock(dir: string): Promise<Server> {
  // A socket's path is limited to about 100 bytes; through the open directory any DIR is short.
  const handle = openSync(dir, "r");
  const path = process.platform === "linux" ? `/proc/self/fd/${handle}/${LOCK_NAME}` : join(dir, LOCK_NAME);
  for (let attempt = 0; attempt < 2; attempt++) {
    const server = await listenOn(path);
    if (server !== undefined) {
      if (attempt === 0 || (await isLeftAlone(dir))) return server;
      // The server is not closed: that would take away the other one's socket. The process ends now anyway.
      break;
    }
    if (await answers(path)) break;
    try {
      unlinkSync(join(dir, LOCK_NAME));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    }
  }
  closeSync(handle);
  throw new UsageError(`${dir} is in use by another Resilver server. Stop it first, or choose another directory`);
}

/** Whether this process may write in DIR: a snapshot, or the directory of another user, can only be read. */
export function mayWrite(dir: string): boolean {
  try {
    accessSync(dir, constants.W_OK);
    accessSync(join(dir, "index"), constants.W_OK);
    for (const name of INDEX_FILES)
      if (existsSync(join(dir, "index", name))) accessSync(join(dir, "index", name), constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

/** In place of the lock where it cannot be taken: throws UsageError when a server has DIR, or when that cannot be told. */
export async function refuseServed(dir: string): Promise<void> {
  if (!existsSync(join(dir, LOCK_NAME))) return;
  const handle = openSync(dir, "r");
  const path = process.platform === "linux" ? `/proc/self/fd/${handle}/${LOCK_NAME}` : join(dir, LOCK_NAME);
  const state = await answerOf(path);
  closeSync(handle);
  if (state === "connected") throw new UsageError(`${dir} is in use by a Resilver server. Stop it first`);
  if (state === "EACCES" || state === "EPERM")
    throw new UsageError(`${dir} may be in use by a server of another user. Run this as that user, or on a copy`);
}

/** Long against the moment between another start's look at a dead socket and its removal. */
const RIVAL_MS = 100;

/** Another start may have found the same dead socket, and removed the new one in its place: then that one has DIR. */
async function isLeftAlone(dir: string): Promise<boolean> {
  const inode = (): number | undefined => statSync(join(dir, LOCK_NAME), { throwIfNoEntry: false })?.ino;
  const ours = inode();
  await new Promise((resolve) => setTimeout(resolve, RIVAL_MS));
  return ours !== undefined && inode() === ours;
}

function listenOn(path: string): Promise<Server | undefined> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy());
    server.once("error", (error: NodeJS.ErrnoException) =>
      error.code === "EADDRINUSE" ? resolve(undefined) : reject(error),
    );
    server.listen(path, () => {
      server.unref();
      resolve(server);
    });
  });
}

async function answers(path: string): Promise<boolean> {
  return (await answerOf(path)) === "connected";
}

/** `connected`, or the code of what the system said. */
function answerOf(path: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = createConnection(path);
    socket.once("connect", () => {
      socket.destroy();
      resolve("connected");
    });
    socket.once("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? ""));
  });
}
