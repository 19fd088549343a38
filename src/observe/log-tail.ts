/** The newest log lines, and those to come, for whoever follows the log from afar. */
import type { Clock } from "../runtime/clock.ts";
import { Feed } from "./feed.ts";

/** One line of the log. */
export interface LogEntry {
  /** RFC 3339. */
  readonly time: string;
  readonly level: "info" | "warn" | "error";
  readonly message: string;
  /** The whole line for people, without time and line feed. */
  readonly text: string;
}

const KEPT_MAX = 1000;

export class LogTail {
  readonly feed: Feed<LogEntry>;
  readonly #kept: LogEntry[] = [];

  constructor(clock: Clock) {
    this.feed = new Feed(clock);
  }

  add(entry: LogEntry): void {
    this.#kept.push(entry);
    if (this.#kept.length > KEPT_MAX) this.#kept.shift();
    if (this.feed.active) this.feed.publish(entry);
  }

  /** The newest `limit` lines of this process, oldest first. */
  newest(limit: number): readonly LogEntry[] {
    return limit <= 0 ? [] : this.#kept.slice(-limit);
  }
}
