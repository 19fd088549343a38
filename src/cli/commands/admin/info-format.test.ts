import assert from "node:assert/strict";
import { test } from "node:test";
import { infoText } from "./info-format.ts";

test("info shows servers, totals and drives", () => {
  const text = infoText({
    mode: "online",
    buckets: { count: 8 },
    objects: { count: 38 },
    versions: { count: 43 },
    deletemarkers: { count: 7 },
    usage: { size: 36_708_963 },
    backend: { onlineDisks: 1, offlineDisks: 0, standardSCParity: 0 },
    servers: [
      {
        state: "online",
        endpoint: "a.example:9000",
        uptime: 877,
        version: "2025-10-15T17:29:55Z",
        network: { "a.example:9000": "online" },
        drives: [{ state: "ok" }],
        poolNumber: 1,
      },
    ],
  });
  assert.deepEqual(text.split("\n"), [
    "●  a.example:9000",
    "   Uptime: 14 minutes",
    "   Version: 2025-10-15T17:29:55Z",
    "   Network: 1/1 OK",
    "   Drives: 1/1 OK",
    "   Pool: 1",
    "",
    "35 MiB Used, 8 Buckets, 38 Objects, 43 Versions, 7 Delete Markers",
    "",
    "1 drive online, 0 drives offline, EC:0",
  ]);
});
