/** Asks a target of ours to look at its stored bytes (`/resilver/v1/damage-check`), with progress. */
import type { Connection } from "../replication/connections.ts";
import { COMPLETE_TIMEOUT_MS } from "../replication/limits.ts";
import { errorOf } from "../replication/wire.ts";
import { ResyncFailed } from "./failed.ts";
import type { DamageReport } from "./record.ts";

export interface DamageQuestion {
  readonly deep: boolean;
  /** Only keys that begin with it. */
  readonly prefix: string;
  /** Nothing is recorded there; what is found is named. */
  readonly dryRun: boolean;
  readonly signal: AbortSignal;
  readonly onProgress: (report: DamageReport) => void;
  /** In a dry run: a version that would count as lost from then on. */
  readonly onFound?: ((key: string, versionId: string) => void) | undefined;
}

interface Line extends Partial<DamageReport> {
  readonly done?: boolean;
  readonly error?: string;
  readonly found?: { readonly key: string; readonly versionId: string };
}

/** Undefined: the target is another program and cannot tell. Rejects with ResyncFailed, or when no answer came. */
export async function askDamageCheck(
  connection: Pick<Connection, "client" | "endpoint">,
  question: DamageQuestion,
): Promise<DamageReport | undefined> {
  const { client, endpoint } = connection;
  const { deep, prefix, dryRun } = question;
  if (!(await endpoint.confirm())) throw new Error("the target does not answer");
  if (endpoint.resilver === undefined) return undefined;
  let report: DamageReport = { deep, examined: 0, missing: 0, corrupt: 0 };
  let whole = false;
  const take = (text: string): void => {
    const line = JSON.parse(text) as Line;
    if (line.error !== undefined) throw new ResyncFailed(`the target's damage check failed: ${line.error}`);
    if (line.found !== undefined) return question.onFound?.(line.found.key, line.found.versionId);
    const { total, examined = 0, missing = 0, corrupt = 0 } = line;
    report = { total, deep, examined, missing, corrupt };
    whole = line.done === true;
    question.onProgress(report);
  };
  const lines = new Lines(take);
  const answer = await client.request({
    method: "POST",
    path: "/resilver/v1/damage-check",
    query: {
      bucket: client.bucket,
      ...(deep ? { deep: "true" } : {}),
      ...(prefix === "" ? {} : { prefix }),
      ...(dryRun ? { "dry-run": "true" } : {}),
    },
    payload: "hashed",
    onData: (chunk) => lines.add(chunk),
    idleTimeoutMs: COMPLETE_TIMEOUT_MS,
    signal: question.signal,
  });
  if (answer.status === 404) return undefined;
  if (answer.status >= 300) {
    const { code, message } = errorOf(answer);
    const why = `the target refused the damage check: ${code} (${message})`;
    // A proxy before a target that restarts, or a target that is busy: no word on the question.
    const busy = answer.status === 429 || (answer.status >= 500 && answer.status !== 501);
    throw busy ? new Error(why) : new ResyncFailed(why);
  }
  lines.end();
  // What was not examined must not pass for healthy.
  if (!whole) throw new Error("the target's damage check broke off");
  return report;
}

/** Bytes as lines of text. */
class Lines {
  readonly #take: (line: string) => void;
  #rest: Buffer = Buffer.alloc(0);

  constructor(take: (line: string) => void) {
    this.#take = take;
  }

  add(chunk: Buffer): void {
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    let start = 0;
    for (let end = bytes.indexOf(10); end >= 0; end = bytes.indexOf(10, start)) {
      this.#line(bytes.toString("utf8", start, end));
      start = end + 1;
    }
    this.#rest = Buffer.from(bytes.subarray(start));
  }

  end(): void {
    this.#line(this.#rest.toString("utf8"));
  }

  #line(text: string): void {
    if (text.trim() !== "") this.#take(text);
  }
}
