/** One real server process of the demo: started, stopped, wiped. */
import { spawn, type ChildProcess } from "node:child_process";
import { join } from "node:path";
import { root, say } from "./console.ts";

export interface Credentials {
  readonly accessKey: string;
  readonly secretKey: string;
}

export class Site {
  readonly name: string;
  readonly dir: string;
  readonly credentials: Credentials;
  #child: ChildProcess | undefined;
  port = 0;

  constructor(options: { name: string; dir: string; credentials: Credentials }) {
    this.name = options.name;
    this.dir = options.dir;
    this.credentials = options.credentials;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Starts the server, on the port that it had before if it had one, and waits for its ready line. */
  async start(): Promise<void> {
    const address = `127.0.0.1:${this.port}`;
    say(`$ resilver server --address ${address} ${this.dir}`);
    const child = spawn(join(root, "bin", "resilver"), ["server", "--address", address, "--workers", "1", this.dir], {
      stdio: ["ignore", "pipe", "inherit"],
      env: {
        ...process.env,
        RESILVER_ROOT_USER: this.credentials.accessKey,
        RESILVER_ROOT_PASSWORD: this.credentials.secretKey,
      },
    });
    this.#child = child;
    const line = await new Promise<string>((ready, fail) => {
      let text = "";
      child.stdout.setEncoding("utf8").on("data", (piece: string) => {
        text += piece;
        if (text.includes("\n")) ready(text.trim());
      });
      child.once("exit", (code) =>
        fail(new Error(`the server of ${this.name} ended with ${code} before it was ready`)),
      );
    });
    say(`  ${line}`);
    const port = /:(\d+)/.exec(line)?.[1];
    if (port === undefined) throw new Error(`no port in the ready line: ${line}`);
    this.port = Number(port);
  }

  async stop(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((done) => child.once("exit", done));
    child.kill("SIGTERM");
    await ended;
  }
}
