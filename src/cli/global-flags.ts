/** Flags that every command takes, before or after the command word (mc-cli.md 2.2). */
import type { FlagSpec } from "./command.ts";

export const GLOBAL_FLAGS: readonly FlagSpec[] = [
  {
    name: "config-dir",
    aliases: ["C"],
    kind: "string",
    help: "configuration folder (default ~/.mc)",
    env: "MC_CONFIG_DIR",
  },
  { name: "quiet", aliases: ["q"], kind: "bool", help: "no progress bar", env: "MC_QUIET" },
  { name: "json", kind: "bool", help: "one JSON object per message", env: "MC_JSON" },
  { name: "no-color", kind: "bool", help: "no colour", env: "MC_NO_COLOR" },
  { name: "disable-pager", aliases: ["dp"], kind: "bool", help: "no pager (none is used)", env: "MC_DISABLE_PAGER" },
  { name: "debug", kind: "bool", help: "print HTTP requests and answers on stderr", env: "MC_DEBUG" },
  { name: "insecure", kind: "bool", help: "do not verify TLS certificates", env: "MC_INSECURE" },
  { name: "resolve", kind: "list", help: "HOST[:PORT]=IP, fixed name resolution; repeatable", env: "MC_RESOLVE" },
  { name: "limit-upload", kind: "string", help: "most bytes sent per second, e.g. 10MiB", env: "MC_LIMIT_UPLOAD" },
  { name: "limit-download", kind: "string", help: "most bytes received per second", env: "MC_LIMIT_DOWNLOAD" },
  { name: "custom-header", aliases: ["H"], kind: "list", help: "NAME:VALUE, extra request header; repeatable" },
  { name: "conn-read-deadline", kind: "string", help: "longest silence of a server", hidden: true },
  { name: "conn-write-deadline", kind: "string", help: "longest stall of a write", hidden: true },
  { name: "show-secrets", kind: "bool", help: "do not mask secret keys in text output", hidden: true },
  { name: "help", aliases: ["h"], kind: "bool", help: "show help" },
];

/** SSE-C only: commands that read (mc-cli.md 2.2). */
export const ENC_C_FLAGS: readonly FlagSpec[] = [
  { name: "enc-c", kind: "list", help: "ALIAS/BUCKET[/PREFIX]=KEY, SSE-C key as raw base64 or hex; repeatable" },
  {
    name: "encrypt-key",
    kind: "list",
    help: "ALIAS/PREFIX=32-character key, old form",
    env: "MC_ENCRYPT_KEY",
    hidden: true,
  },
];

/** All three kinds of encryption: commands that write. */
export const ENC_FLAGS: readonly FlagSpec[] = [
  ...ENC_C_FLAGS,
  { name: "enc-s3", kind: "list", help: "ALIAS/BUCKET[/PREFIX], SSE-S3; repeatable", env: "MC_ENC_S3" },
  { name: "enc-kms", kind: "list", help: "ALIAS/BUCKET[/PREFIX]=KEYID, SSE-KMS; repeatable", env: "MC_ENC_KMS" },
  { name: "encrypt", kind: "list", help: "ALIAS/PREFIX, SSE-S3, old form", env: "MC_ENCRYPT", hidden: true },
];
