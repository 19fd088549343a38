/** Errors in the two shapes of mc-cli.md 2.3: a line for people and an object for programs. */
import { AdminError, NetworkError, S3ResponseError } from "../client/errors.ts";
import { CommandError } from "./command.ts";

/** `mc: <ERROR> WHAT. Reason.`, or `WHAT: reason.` when the reason begins with a small letter. */
export function errorText(what: string, cause: unknown): string {
  const reason = cause === undefined ? "" : errorReason(cause);
  const goesOn = /^\p{Ll}/u.test(reason) && !/[.:!?]$/.test(what);
  const head = goesOn ? `${what}:` : sentence(what);
  return ["mc: <ERROR>", head, sentence(reason)].filter((part) => part !== "").join(" ");
}

/** The object printed with --json. `fatal`: the command ended there. */
export function errorObject(what: string, cause: unknown, fatal: boolean): Record<string, unknown> {
  const message = cause === undefined ? what : errorReason(cause);
  return {
    status: "error",
    error: { message: what, cause: { message, error: wireError(cause) }, type: fatal ? "fatal" : "error" },
  };
}

function sentence(text: string): string {
  return text === "" || /[.:!?]$/.test(text) ? text : `${text}.`;
}

const SYSTEM_WORDS: Readonly<Record<string, string>> = {
  ECONNREFUSED: "connection refused",
  ECONNRESET: "connection reset by the server",
  ENOTFOUND: "no such host",
  EAI_AGAIN: "name resolution failed",
  ETIMEDOUT: "connection timed out",
  UND_ERR_CONNECT_TIMEOUT: "connection timed out",
  EPIPE: "connection closed by the server",
  ENOENT: "no such file or folder",
  EACCES: "permission denied",
  EISDIR: "is a folder",
  ENOTDIR: "is not a folder",
  ENOSPC: "no space left on the disk",
  EEXIST: "already exists",
};

/** MinIO's form of a refusal of a resync: what it wraps is what people need. */
const WRAPPED = /^400 BadRequest \(Invalid arguments provided for [^:]*: \((.*)\)\)$/s;

/** Why, in words: the server's message, or what the system said about a file or a connection. */
export function errorReason(cause: unknown): string {
  if (cause instanceof CommandError) {
    return cause.reason === undefined ? cause.message : `${sentence(cause.message)} ${errorReason(cause.reason)}`;
  }
  if (!(cause instanceof Error)) return String(cause);
  if (cause instanceof S3ResponseError) return WRAPPED.exec(cause.message)?.[1] ?? cause.message;
  const code = memberText(cause, "code");
  const words = SYSTEM_WORDS[code];
  if (cause instanceof NetworkError)
    return words === undefined ? cause.message : `${cause.message.split(": ")[0]}: ${words}`;
  if (words === undefined) return cause.message === "" ? code || cause.name : cause.message;
  const path = memberText(cause, "path");
  return path === "" ? words : `${path}: ${words}`;
}

/** The S3 error struct of a wire error; `{}` for an error of this program. */
export function wireError(cause: unknown): Record<string, unknown> {
  if (cause instanceof CommandError) return wireError(cause.reason);
  if (!(cause instanceof S3ResponseError)) return {};
  const { code, message, bucket, key, resource, requestId, hostId, region, server } = cause;
  const ends = { RequestID: requestId, HostID: hostId, Region: region };
  const begin = { Code: code, Message: message, BucketName: bucket, Key: key };
  // Admin errors have neither Resource nor Server.
  if (cause instanceof AdminError) return { ...begin, ...ends };
  return { ...begin, Resource: resource, ...ends, Server: server };
}

/** A member of an error that may hold text; "" otherwise.  */
function memberText(value: object, name: string): string {
  const member: unknown = Reflect.get(value, name);
  return typeof member === "string" || typeof member === "number" ? String(member) : "";
}
