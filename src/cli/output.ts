/** Everything a command prints goes through here: text or --json, data or errors (mc-cli.md 2.3). */
import type { Output } from "./command.ts";
import { errorObject, errorText } from "./error-report.ts";

/** What is needed of a process's stream. */
export interface OutputStream {
  write(data: string | Uint8Array, done?: (error?: Error | null) => void): boolean;
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
}

export interface OutputOptions {
  readonly stdout: OutputStream;
  readonly stderr: OutputStream;
  readonly json: boolean;
  readonly quiet: boolean;
}

const ERASE_LINE = "\r\u001b[2K";

export class StreamOutput implements Output {
  readonly json: boolean;
  readonly interactive: boolean;
  /** Columns of the terminal; 80 when it is none. */
  readonly #stdout: OutputStream;
  readonly #stderr: OutputStream;
  #progressShown = false;

  constructor(options: OutputOptions) {
    this.#stdout = options.stdout;
    this.#stderr = options.stderr;
    this.json = options.json;
    this.interactive = options.stdout.isTTY === true && !options.json && !options.quiet;
  }

  message(text: string | undefined, json: Record<string, unknown>): void {
    if (this.json) this.#object(json);
    else if (text !== undefined) this.#line(text);
  }

  error(what: string, cause: unknown): void {
    this.#report(what, cause, false);
  }

  /** The error that ends the command. */
  fatal(what: string, cause: unknown): void {
    this.#report(what, cause, true);
  }

  /** Text for people whatever the mode (help). */
  plain(text: string): void {
    this.#line(text);
  }

  /** A line on standard error, in both modes. */
  note(text: string): void {
    this.#erase();
    this.#stderr.write(`${text}\n`);
  }

  raw(bytes: Buffer): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#stdout.write(bytes, (error) => (error ? reject(error) : resolve()));
    });
  }

  progress(line: string): void {
    if (!this.interactive) return;
    const width = (this.#stdout.columns ?? 80) - 1;
    this.#stdout.write(`${ERASE_LINE}${line.slice(0, width)}`);
    this.#progressShown = line !== "";
  }

  /** Resolves when everything printed so far was accepted by the system. */
  async flush(): Promise<void> {
    this.#erase();
    await Promise.all(
      [this.#stdout, this.#stderr].map((stream) => new Promise<void>((done) => stream.write("", () => done()))),
    );
  }

  #report(what: string, cause: unknown, fatal: boolean): void {
    if (this.json) return this.#object(errorObject(what, cause, fatal));
    this.#erase();
    this.#stderr.write(`${errorText(what, cause)}\n`);
  }

  #object(json: Record<string, unknown>): void {
    this.#line(this.#stdout.isTTY === true ? JSON.stringify(json, undefined, 1) : JSON.stringify(json));
  }

  #line(text: string): void {
    this.#erase();
    this.#stdout.write(`${text}\n`);
  }

  #erase(): void {
    if (!this.#progressShown) return;
    this.#progressShown = false;
    this.#stdout.write(ERASE_LINE);
  }
}
