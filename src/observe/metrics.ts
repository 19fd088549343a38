/**
 * Counters, gauges and histograms, rendered in the Prometheus text format. Numbers are those of this process: where
 * several processes serve one site, constant labels (`server`, `process`) keep their series apart, an answer holds those
 * of all, and a query sums them.
 */

export type Labels = Readonly<Record<string, string>>;

/** Where a family is shown: MinIO's three v2 endpoints, and the path below /minio/metrics/v3 with its name there. */
export interface Placement {
  readonly v2: "cluster" | "node" | "bucket";
  readonly v3?: { readonly path: string; readonly name: string } | undefined;
}

export interface FamilyOptions extends Placement {
  readonly name: string;
  readonly help: string;
}

export interface Sample {
  /** Appended to the family's name: `_bucket`, `_sum`, `_count`; empty for counters and gauges. */
  readonly suffix: string;
  readonly labels: Labels;
  readonly value: number;
}

export interface Family extends FamilyOptions {
  readonly type: "counter" | "gauge" | "histogram";
  readonly samples: readonly Sample[];
}

export interface Counter {
  add(labels: Labels, amount?: number): void;
}
export interface Gauge {
  set(labels: Labels, value: number): void;
  add(labels: Labels, amount: number): void;
}
export interface Histogram {
  observe(labels: Labels, value: number): void;
}

/** Reads numbers that live elsewhere (the index, a scheduler) when they are asked for. */
export type Collector = () => Promise<readonly Family[]>;

/** Label sets of one family: a stranger who invents bucket names must not fill the memory. */
export const SERIES_MAX = 2000;

class Series<Value> {
  readonly #values = new Map<string, { readonly labels: Labels; value: Value }>();
  readonly #initial: () => Value;
  readonly #dropped: () => void;

  constructor(initial: () => Value, dropped: () => void) {
    this.#initial = initial;
    this.#dropped = dropped;
  }

  at(labels: Labels): { value: Value } {
    const id = Object.values(labels).join("\0");
    let found = this.#values.get(id);
    if (found === undefined) {
      found = { labels, value: this.#initial() };
      if (this.#values.size < SERIES_MAX) this.#values.set(id, found);
      else this.#dropped();
    }
    return found;
  }

  entries(): Iterable<{ readonly labels: Labels; readonly value: Value }> {
    return this.#values.values();
  }
}

interface Buckets {
  /** Observations at or below each bound, not cumulated. */
  readonly counts: number[];
  sum: number;
  count: number;
}

function histogramSamples(bounds: readonly number[], labels: Labels, value: Buckets): Sample[] {
  let below = 0;
  const samples: Sample[] = bounds.map((bound, index) => {
    below += value.counts[index] ?? 0;
    return { suffix: "_bucket", labels: { ...labels, le: String(bound) }, value: below };
  });
  samples.push({ suffix: "_bucket", labels: { ...labels, le: "+Inf" }, value: value.count });
  samples.push({ suffix: "_sum", labels, value: value.sum }, { suffix: "_count", labels, value: value.count });
  return samples;
}

export class MetricsRegistry {
  readonly #constant: Labels;
  readonly #families: (() => Family)[] = [];
  readonly #collectors: Collector[] = [];
  #droppedSeries = 0;

  /** `constant` labels stand on every sample. */
  constructor(constant: Labels = {}) {
    this.#constant = constant;
    const dropped: FamilyOptions = {
      name: "resilver_metrics_dropped_updates_total",
      help: "Updates not counted because their family already has its most label sets.",
      v2: "node",
    };
    const samples = (): Sample[] => [{ suffix: "", labels: {}, value: this.#droppedSeries }];
    this.#families.push(() => ({ ...dropped, type: "counter", samples: samples() }));
  }

  counter(options: FamilyOptions): Counter {
    const series = this.#numbers("counter", options);
    return { add: (labels, amount = 1) => void (series.at(labels).value += amount) };
  }

  gauge(options: FamilyOptions): Gauge {
    const series = this.#numbers("gauge", options);
    return {
      set: (labels, value) => void (series.at(labels).value = value),
      add: (labels, amount) => void (series.at(labels).value += amount),
    };
  }

  /** `bounds` ascend; values above the last are in +Inf alone. */
  histogram(options: FamilyOptions, bounds: readonly number[]): Histogram {
    const fresh = (): Buckets => ({ counts: bounds.map(() => 0), sum: 0, count: 0 });
    const series = new Series(fresh, () => this.#droppedSeries++);
    this.#families.push(() => ({
      ...options,
      type: "histogram",
      samples: [...series.entries()].flatMap(({ labels, value }) => histogramSamples(bounds, labels, value)),
    }));
    return {
      observe(labels, value) {
        const buckets = series.at(labels).value;
        const index = bounds.findIndex((bound) => value <= bound);
        if (index >= 0) buckets.counts[index] = (buckets.counts[index] ?? 0) + 1;
        buckets.sum += value;
        buckets.count++;
      },
    };
  }

  collect(collector: Collector): void {
    this.#collectors.push(collector);
  }

  /** Every family with its constant labels. A collector that fails rejects: numbers are never silently absent. */
  async families(): Promise<Family[]> {
    const own = this.#families.map((family) => family());
    const collected = await Promise.all(this.#collectors.map((collector) => collector()));
    return [...own, ...collected.flat()].map((family) => ({
      ...family,
      samples: family.samples.map((sample) => ({ ...sample, labels: { ...this.#constant, ...sample.labels } })),
    }));
  }

  #numbers(type: "counter" | "gauge", options: FamilyOptions): Series<number> {
    const series = new Series(
      () => 0,
      () => this.#droppedSeries++,
    );
    this.#families.push(() => ({
      ...options,
      type,
      samples: [...series.entries()].map(({ labels, value }) => ({ suffix: "", labels, value })),
    }));
    return series;
  }
}

/** A family whose numbers are at hand: for collectors. */
export function family(
  type: "counter" | "gauge",
  options: FamilyOptions,
  values: readonly (readonly [Labels, number])[],
): Family {
  return { ...options, type, samples: values.map(([labels, value]) => ({ suffix: "", labels, value })) };
}

const escapedHelp = (text: string): string => text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
const escapedLabel = (text: string): string => escapedHelp(text).replaceAll('"', '\\"');

function sampleLine(name: string, sample: Sample): string {
  const labels = Object.entries(sample.labels).map(([label, value]) => `${label}="${escapedLabel(value)}"`);
  const set = labels.length === 0 ? "" : `{${labels.join(",")}}`;
  return `${name}${sample.suffix}${set} ${numberText(sample.value)}\n`;
}

function numberText(value: number): string {
  if (Number.isFinite(value)) return String(value);
  return Number.isNaN(value) ? "NaN" : value > 0 ? "+Inf" : "-Inf";
}

/** Text exposition, families by name. Families without samples are left out, as MinIO does. */
export function renderMetrics(families: readonly Family[]): string {
  let out = "";
  for (const { name, help, type, samples } of families.toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
    if (samples.length === 0) continue;
    out += `# HELP ${name} ${escapedHelp(help)}\n# TYPE ${name} ${type}\n`;
    for (const sample of samples) out += sampleLine(name, sample);
  }
  return out;
}
