/** Stop, restart, freeze and unfreeze as the admin API asks for them, alike in every process of the site. */
import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import type { ServiceAction } from "../admin/deps.ts";

export class Control {
  #thaw: (() => void) | undefined;
  #frozen: Promise<void> | undefined;
  #end: (action: "stop" | "restart") => void = () => undefined;
  /** Resolves when the end, or a new beginning, was asked for. */
  readonly endAsked = new Promise<"stop" | "restart">((resolve) => (this.#end = resolve));

  get frozen(): boolean {
    return this.#frozen !== undefined;
  }

  act(action: ServiceAction): void {
    if (action === "freeze") this.#frozen ??= new Promise((resolve) => (this.#thaw = resolve));
    else if (action === "unfreeze") this.#unfreeze();
    else this.#end(action);
  }

  #unfreeze(): void {
    this.#thaw?.();
    this.#frozen = undefined;
  }

  /** While frozen S3 calls wait; calls below /minio/ (the way to thaw) do not. */
  wrap(handler: (request: IncomingMessage, response: ServerResponse) => void): RequestListener {
    return (request, response) => {
      if (this.#frozen === undefined || request.url?.startsWith("/minio/")) handler(request, response);
      else void this.#frozen.then(() => handler(request, response));
    };
  }
}
