/**
 * A normal day of other people's clients: those of npm always, the others where they are installed. One that is not
 * installed is reported as skipped, with how to install it. `node tools/clients.ts` prints the same as a table.
 */
import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { allClients } from "../tools/clients/all.ts";
import { cleanUp, ROOT_SECRET, ROOT_USER, startServer, temporaryFolder, type RunningServer } from "./support/server.ts";

let server: RunningServer;

before(async () => {
  server = await startServer();
});
after(cleanUp);

for (const client of allClients()) {
  const version = await client.version();
  const skip = version === undefined ? `${client.name} is not installed: ${client.install}` : false;
  test(`${client.name} ${version ?? ""}`, { skip }, async (day) => {
    const folder = join(temporaryFolder(), "client");
    mkdirSync(folder);
    const { url, port } = server;
    const steps = client.day({ url, port, accessKey: ROOT_USER, secretKey: ROOT_SECRET, folder });
    assert.ok(steps.length > 0);
    for (const { feature, run } of steps) await day.test(feature, run);
  });
}
