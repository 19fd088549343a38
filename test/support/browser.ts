/** Debian's Chromium as a client: a page of an origin of its own runs requests, and tells what a page sees of them. */
import { spawn, type ChildProcess } from "node:child_process";
import { readFileSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { programs } from "../../tools/clients/command.ts";
import { temporaryFolder } from "./server.ts";

/** `upload`: a form sent by script; `submit`: by the browser, whose answer a page sees only where it lands. */
export type BrowserCase =
  | {
      readonly kind: "fetch";
      readonly url: string;
      readonly method?: string;
      readonly headers?: Readonly<Record<string, string>>;
      readonly body?: string;
      readonly credentials?: "include";
    }
  | {
      readonly kind: "upload" | "submit";
      readonly url: string;
      readonly fields: Readonly<Record<string, string>>;
      readonly file: string;
    };

/** Either `failed`, with the browser's word for it, or what the page could read. */
export interface BrowserResult {
  readonly failed?: string;
  readonly status?: number;
  /** Only those that the browser lets the page see. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly landed?: string;
}

const PAGE = readFileSync(join(import.meta.dirname, "browser-page.html"), "utf8");
const VISIT_LIMIT_MS = 60_000;
const FLAGS = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--disable-dev-shm-usage",
];

/** The program, where it is installed. */
export const chromium: string | undefined = ["chromium", "chromium-browser", "google-chrome"].flatMap(programs)[0];

/** A web site of its own origin, whose page is visited with cases to run. */
export class Page {
  readonly origin: string;
  readonly #server: Server;
  #cases: Readonly<Record<string, BrowserCase>> = {};
  #told: (results: Record<string, BrowserResult>) => void = () => undefined;

  constructor(server: Server) {
    this.#server = server;
    this.origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    server.on("request", (request: IncomingMessage, response: ServerResponse) => void this.#answer(request, response));
  }

  static async open(): Promise<Page> {
    const server = createServer();
    await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
    return new Page(server);
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  /** Runs the cases in order in a new browser. `opaque`: in a sandboxed frame, whose origin is `null`. */
  async visit<Name extends string>(
    cases: Readonly<Record<Name, BrowserCase>>,
    { opaque = false } = {},
  ): Promise<Record<Name, BrowserResult>> {
    this.#cases = cases;
    const results = new Promise<Record<string, BrowserResult>>((told) => (this.#told = told));
    const profile = `--user-data-dir=${join(temporaryFolder(), "profile")}`;
    const url = `${this.origin}/${opaque ? "frame" : "page"}`;
    // A group of its own: the browser's helpers end with it.
    const child = spawn(chromium ?? "", [...FLAGS, profile, url], {
      stdio: ["ignore", "ignore", "pipe"],
      detached: true,
    });
    const ended = new Promise<void>((done) => child.once("close", () => done()));
    try {
      return (await Promise.race([results, failureOf(child)])) as Record<Name, BrowserResult>;
    } finally {
      endGroup(child);
      await ended;
    }
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname } = new URL(request.url ?? "/", this.origin);
    if (pathname === "/results") {
      this.#told(JSON.parse(await text(request)) as Record<string, BrowserResult>);
      response.end();
      return;
    }
    response.setHeader("content-type", "text/html");
    if (pathname === "/page") {
      const cases = JSON.stringify(this.#cases).replaceAll("<", "\\u003c");
      const results = JSON.stringify(`${this.origin}/results`);
      response.end(PAGE.replace("CASES", () => cases).replace("RESULTS", () => results));
    } else if (pathname === "/frame") response.end('<iframe sandbox="allow-scripts" src="/page"></iframe>');
    else response.end("landed");
  }
}

/** Rejects when the browser ends or takes too long. */
function failureOf(child: ChildProcess): Promise<never> {
  let said = "";
  child.stderr?.setEncoding("utf8").on("data", (piece: string) => (said = (said + piece).slice(-2000)));
  return new Promise((_, fail) => {
    const late = setTimeout(() => fail(new Error(`the page told nothing: ${said}`)), VISIT_LIMIT_MS);
    child.once("error", fail);
    child.once("close", () => {
      clearTimeout(late);
      fail(new Error(`the browser ended: ${said}`));
    });
  });
}

function endGroup(child: ChildProcess): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, "SIGKILL");
  } catch {
    // It had ended.
  }
}
