/** Addresses that were given away, as the configuration folder remembers them (mc-cli.md 2.6): only this machine knows. */
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";

export type ShareKind = "downloads" | "uploads";

export interface Share {
  readonly share: string;
  readonly versionID?: string | undefined;
  /** RFC 3339. */
  readonly date: string;
  /** Nanoseconds from `date` on. */
  readonly expiry: number;
  readonly contentType?: string | undefined;
}

interface ShareFile {
  readonly version: string;
  readonly shares: Readonly<Record<string, Share>>;
}

const NS_PER_MS = 1e6;

const fileOf = (configDir: string, kind: ShareKind): string => join(configDir, "share", `${kind}.json`);

/** Milliseconds that a share still has; negative when it has ended. */
export function timeLeftMs({ date, expiry }: Share, nowMs: number): number {
  return Date.parse(date) + expiry / NS_PER_MS - nowMs;
}

export function readShares(configDir: string, kind: ShareKind): Readonly<Record<string, Share>> {
  const path = fileOf(configDir, kind);
  if (!existsSync(path)) return {};
  return (JSON.parse(readFileSync(path, "utf8")) as Partial<ShareFile>).shares ?? {};
}

/** Adds a share by its URL; those that have ended go. Whoever reads the file can use what is in it: mode 0600. */
export function addShare(
  configDir: string,
  kind: ShareKind,
  added: { url: string; share: Share },
  nowMs: number,
): void {
  const path = fileOf(configDir, kind);
  mkdirSync(join(configDir, "share"), { recursive: true, mode: 0o700 });
  const valid = Object.entries(readShares(configDir, kind)).filter(([, share]) => timeLeftMs(share, nowMs) > 0);
  const file: ShareFile = { version: "1", shares: { ...Object.fromEntries(valid), [added.url]: added.share } };
  writeFileSync(`${path}.new`, JSON.stringify(file), { mode: 0o600 });
  renameSync(`${path}.new`, path);
}
