/**
 * The layer order as data: a folder under `src/` may import itself and the folders named before it, no others.
 * `tools/check-layers.ts` enforces it. Why this order: ARCHITECTURE.md.
 */
export const LAYERS = [
  "runtime",
  "observe",
  "model",
  "protocol",
  "storage",
  "objects",
  "iam",
  "client",
  "replication",
  "reconcile",
  "resync",
  "verify",
  "s3",
  "admin",
  "cli",
  "server",
  "sim",
] as const;

/** Modules of Node that touch the outside world: only `runtime/` and the folders listed here may import them. */
export const AMBIENT_MODULES = ["node:fs", "node:fs/promises", "node:net", "node:tls", "node:child_process"] as const;

/** Where an ambient module is nevertheless allowed, with the reason. */
export const AMBIENT_EXCEPTIONS: Readonly<Record<string, string>> = {
  "storage/index/lmdb": "the binding opens its own files; the directory is made here",
  "storage/blobs":
    "the data plane's file layer is an interface of this folder; its real implementation lives beside it",
  cli: "the command line reads and writes the user's files",
  server: "composition: listeners, certificates, the data directory's lock",
};
