/** What a resync did, as a document that its site has signed: made once, in the commit that ends the job. */
import type { KeyObject } from "node:crypto";
import type { Arn, UnixNs } from "../model/names.ts";
import type { Sealer } from "../model/sealer.ts";
import { signDocument, signingKey } from "../protocol/signed-document.ts";
import { rfc3339Nano } from "../protocol/time.ts";
import type { Random } from "../runtime/random.ts";
import { CommitBuilder } from "../storage/index/commit-builder.ts";
import type { OrderedIndex } from "../storage/index/index.ts";
import { namedRowKey, SPACE } from "../storage/keys.ts";
import { decodeRow, encodeRow } from "../storage/records.ts";
import { optionsOf, type Counters, type ResyncRecord, type VerifyLevel, type VerifyReport } from "./record.ts";

/** Raised when a member changes its meaning. */
const REPORT_FORMAT = 1;

export interface ReportsDeps {
  readonly index: OrderedIndex;
  readonly sealer: Sealer;
  readonly random: Random;
  /** This site, as it names itself to others. */
  readonly site: string;
  /** Keeps a copy as a file of this name. */
  readonly save?: ((name: string, text: string) => Promise<void>) | undefined;
}

interface Row {
  readonly id: string;
  readonly text: string;
}

const rowKey = (bucketId: string, arn: Arn): Buffer => namedRowKey(SPACE.job, `resync-report/${bucketId}/${arn}`);
const KEY_ROW = namedRowKey(SPACE.config, "report-key");

const LOOKED: Readonly<Record<VerifyLevel, string>> = {
  identity: "keys, version ids, kinds, times, sizes and ETags",
  metadata: "keys, version ids, kinds, times, sizes, ETags, metadata, tags and locks",
  bytes: "keys, version ids, kinds, times, sizes, ETags, metadata, tags, locks and all bytes of both sides",
};

/** In one sentence: what was looked at, and what it showed. */
export function statementOf(
  verify: VerifyReport | undefined,
  { onlyAtTarget, outOfScope }: Pick<Counters, "onlyAtTarget" | "outOfScope">,
): string {
  if (verify === undefined) return "Not verified.";
  const level = verify.level ?? "identity";
  const what = `${verify.compared} versions compared at level ${level} (${LOOKED[level]})`;
  const exempt = verify.exempt ?? 0;
  const but = exempt === 0 ? "" : ` but for ${exempt} that cannot be replicated`;
  const left = outOfScope === 0 ? "" : ` ${outOfScope} were left out, as asked for.`;
  const more = (onlyAtTarget === 0 ? "" : ` ${onlyAtTarget} more are only at the target.`) + left;
  if (verify.different > 0) return `Different: ${verify.different} differ of ${what}.${more}`;
  return `Equal${but}: ${what}.${more}`;
}

export class Reports {
  readonly #deps: ReportsDeps;
  #key: KeyObject | undefined;

  constructor(deps: ReportsDeps) {
    this.#deps = deps;
  }

  /** Adds the report of an ended job to the commit that ends it. Returns its text. */
  async add(commit: CommitBuilder, record: ResyncRecord): Promise<string> {
    const signed = signDocument(reportOf(record, this.#deps.site), await this.#signing());
    const text = `${JSON.stringify(signed, undefined, 2)}\n`;
    commit.put(rowKey(record.bucketId, record.arn), encodeRow({ id: record.id, text } satisfies Row));
    return text;
  }

  /** The report of a job; undefined while it runs. */
  async load(record: ResyncRecord): Promise<string | undefined> {
    const raw = await this.#deps.index.get(rowKey(record.bucketId, record.arn));
    const row = raw === undefined ? undefined : decodeRow<Row>(raw);
    return row?.id === record.id ? row.text : undefined;
  }

  /** As a file beside the data; the row is what counts. */
  async keep(record: ResyncRecord, text: string): Promise<void> {
    const id = record.id.replaceAll(/[^\w.-]/g, "_");
    await this.#deps.save?.(`resync-${record.bucket}-${id}.json`, text);
  }

  async #signing(): Promise<KeyObject> {
    while (this.#key === undefined) {
      const raw = await this.#deps.index.get(KEY_ROW);
      if (raw !== undefined) {
        const { seed } = decodeRow<{ seed: string }>(raw);
        this.#key = signingKey(Buffer.from(this.#deps.sealer.open(seed), "base64"));
        break;
      }
      const seed = this.#deps.sealer.seal(this.#deps.random.bytes(32).toString("base64"));
      // Another process of the site may make one too: the first stays.
      await this.#deps.index.commit(new CommitBuilder().unchanged(KEY_ROW, raw).put(KEY_ROW, encodeRow({ seed })));
    }
    return this.#key;
  }
}

const timeText = (time: UnixNs | undefined): string | undefined => (time === undefined ? undefined : rfc3339Nano(time));

function reportOf(record: ResyncRecord, site: string): object {
  const { counters, damage, verify } = record;
  return {
    kind: "resilver-resync-report",
    format: REPORT_FORMAT,
    site,
    job: record.id,
    bucket: record.bucket,
    target: { arn: record.arn, ...record.target },
    options: {
      ...optionsOf(record),
      ...(record.beforeMs < Number.MAX_SAFE_INTEGER ? { beforeMs: record.beforeMs } : {}),
    },
    created: timeText(record.created),
    started: timeText(record.started),
    ended: timeText(record.updated),
    activeSeconds: (record.activeMs ?? 0) / 1000,
    state: record.state,
    error: record.error,
    statement: statementOf(verify, counters),
    lost: damage === undefined ? undefined : { ...damage },
    counters,
    verify,
    samples: record.samples,
  };
}
