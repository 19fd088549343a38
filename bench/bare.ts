/**
 * The limits of this machine, as small as they can be written: an HTTP server that answers at once, one that puts each
 * body into LMDB with group commit, one that sends a number of MiB from memory. Runs as a child: `bare.ts empty`,
 * `bare.ts lmdb DIR`, `bare.ts large MIB`. Prints its address.
 */
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { openLmdbIndex } from "../src/storage/index/lmdb/index.ts";

const [, , mode, argument = ""] = process.argv;
const body = Buffer.alloc(4096, 1);

if (mode === "empty") {
  listen(
    createServer((request, response) => {
      request.resume();
      request.once("end", () => response.end(request.method === "GET" ? body : undefined));
    }),
  );
} else if (mode === "lmdb") {
  const index = await openLmdbIndex({ path: join(argument, "index") });
  let count = 0;
  listen(
    createServer((request, response) => {
      const pieces: Buffer[] = [];
      request.on("data", (piece: Buffer) => pieces.push(piece));
      request.once("end", () => {
        const key = Buffer.from(`k${Math.random()}/${count++}`);
        const value = Buffer.concat(pieces);
        void index.commit({ checks: [], puts: [{ key, value }], deletes: [], adds: [] }).then(() => response.end());
      });
    }),
  );
} else if (mode === "large") {
  const piece = Buffer.alloc(1024 * 1024, 1);
  const count = Number(argument);
  listen(
    createServer((_request, response) => {
      response.writeHead(200, { "content-length": count * piece.length });
      void (async () => {
        for (let i = 0; i < count; i++) if (!response.write(piece)) await once(response, "drain");
        response.end();
      })();
    }),
  );
}

function listen(server: ReturnType<typeof createServer>): void {
  server.listen(0, "127.0.0.1", () =>
    process.stdout.write(`ready on 127.0.0.1:${(server.address() as AddressInfo).port}\n`),
  );
}
