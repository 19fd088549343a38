/** Bytes and objects of a transfer: the bar on a terminal and the summary at the end (mc-cli.md 2.5). */
import type { Clock } from "../../runtime/clock.ts";
import type { Output } from "../command.ts";
import { columns, formatSize, formatSpan } from "../format.ts";

const REDRAW_MS = 125;
/** With these a line fits in 80 columns. */
const BAR_CELLS = 12;
const CAPTION_CELLS = 16;

export interface ProgressState {
  readonly done: number;
  /** Undefined while sources are still being listed. */
  readonly total: number | undefined;
  readonly elapsedMs: number;
  readonly caption: string;
}

/** One line: caption, done/total, bar, percent, speed, time left. */
export function progressLine(state: ProgressState): string {
  const { done, total, elapsedMs, caption } = state;
  const rate = elapsedMs === 0 ? 0 : (done / elapsedMs) * 1000;
  const name =
    caption.length > CAPTION_CELLS ? `...${caption.slice(3 - CAPTION_CELLS)}` : caption.padEnd(CAPTION_CELLS);
  const speed = `${formatSize(rate)}/s`;
  if (total === undefined) return `${name}  ${formatSize(done)}  ${speed}`;
  const part = total === 0 ? 1 : Math.min(1, done / total);
  const filled = Math.round(part * BAR_CELLS);
  const bar = `[${"=".repeat(filled)}${"-".repeat(BAR_CELLS - filled)}]`;
  const left = rate === 0 ? "" : `  ${formatSpan(((total - done) / rate) * 1000)} left`;
  return `${name}  ${formatSize(done)} / ${formatSize(total)}  ${bar} ${(part * 100).toFixed(1)}%  ${speed}${left}`;
}

export class TransferProgress {
  readonly #out: Output;
  readonly #clock: Clock;
  readonly #startMs: number;
  #drawnMs = 0;
  #done = 0;
  #listed = 0;
  #objects = 0;
  #complete = false;
  #caption = "";

  constructor(out: Output, clock: Clock) {
    this.#out = out;
    this.#clock = clock;
    this.#startMs = clock.nowMs();
  }

  /** Bytes listed so far. */
  get totalBytes(): number {
    return this.#listed;
  }

  /** Objects listed so far. */
  get totalObjects(): number {
    return this.#objects;
  }

  listed(bytes: number): void {
    this.#listed += bytes;
    this.#objects += 1;
  }

  /** No more will be listed: the total is known. */
  listingDone(): void {
    this.#complete = true;
  }

  /** Bytes moved; negative when an attempt is thrown away. */
  moved(bytes: number, caption: string): void {
    this.#done += bytes;
    this.#caption = caption;
    const now = this.#clock.nowMs();
    if (now - this.#drawnMs < REDRAW_MS) return;
    this.#drawnMs = now;
    this.#out.progress(progressLine({ ...this.#state(now), caption }));
  }

  #state(now: number): ProgressState {
    const total = this.#complete ? this.#listed : undefined;
    return { done: this.#done, total, elapsedMs: now - this.#startMs, caption: this.#caption };
  }

  /** The table or the final JSON object; `duration` is in nanoseconds, `speed` in bytes per second. */
  summary(): void {
    const elapsedMs = Math.max(1, this.#clock.nowMs() - this.#startMs);
    const speed = (this.#done / elapsedMs) * 1000;
    const total = Math.max(this.#listed, this.#done);
    const text = columns([
      ["Total", "Transferred", "Duration", "Speed"],
      [formatSize(total), formatSize(this.#done), formatSpan(elapsedMs), `${formatSize(speed)}/s`],
    ]);
    this.#out.message(text, { status: "success", total, transferred: this.#done, duration: elapsedMs * 1e6, speed });
  }
}
