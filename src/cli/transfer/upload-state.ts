/** What `cp --continue` remembers of an unfinished upload: one small file per upload in the configuration folder. */
import { createHash } from "node:crypto";
import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";

export interface UploadState {
  load(): Promise<string | undefined>;
  save(uploadId: string): Promise<void>;
  forget(): Promise<void>;
}

export interface UploadIdentity {
  /** Absolute path or URL of the source. */
  readonly source: string;
  /** URL of the target object. */
  readonly target: string;
  readonly size: number;
  readonly modifiedMs: number;
  readonly partSize: number;
}

/** State of one upload. Another size, time or part size of the source is another upload: its parts would not fit. */
export function uploadState(dir: string, identity: UploadIdentity): UploadState {
  const { source, target, size, modifiedMs, partSize } = identity;
  const name = createHash("sha256")
    .update(JSON.stringify([source, target, size, modifiedMs, partSize]))
    .digest("hex");
  const file = join(dir, `${name}.json`);
  return {
    async load() {
      const text = await readFile(file, "utf8").catch(() => "");
      try {
        const parsed: unknown = JSON.parse(text);
        const id: unknown = typeof parsed === "object" && parsed !== null ? Reflect.get(parsed, "uploadId") : undefined;
        return typeof id === "string" ? id : undefined;
      } catch {
        return undefined;
      }
    },
    async save(uploadId) {
      await mkdir(dir, { recursive: true, mode: 0o700 });
      await writeFile(`${file}.tmp`, JSON.stringify({ version: 1, uploadId, ...identity }), { mode: 0o600 });
      await rename(`${file}.tmp`, file);
    },
    async forget() {
      await rm(file, { force: true });
    },
  };
}
