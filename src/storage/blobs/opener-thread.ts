/** An opening thread: packages in shared memory become plain bytes in shared memory. */
import { parentPort } from "node:worker_threads";
import { assert } from "../../runtime/assert.ts";
import { openNow } from "./opener.ts";
import type { FromOpener, ToOpener } from "./opener-messages.ts";

assert(parentPort !== null, "runs as a worker thread");
const port = parentPort;

port.on("message", ({ job, key, first, sealed, sealedLength, out, outLength, closes }: ToOpener) => {
  const good = openNow({
    key,
    first,
    sealed: Buffer.from(sealed, 0, sealedLength),
    out: Buffer.from(out, 0, outLength),
    closes,
  });
  port.postMessage({ job, good } satisfies FromOpener);
});
