/** Who may make a peer's own calls: whoever may replicate, under the conditions of its policy, with what it signed. */
import assert from "node:assert/strict";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, test } from "node:test";
import { testIam } from "../iam/testing.ts";
import { bucketName, testSite } from "../objects/testing.ts";
import { systemClock } from "../runtime/clock.ts";
import { call, type Answer, type Call } from "../s3/testing.ts";
import { createPeerHandler } from "./peer-routes.ts";

const clock = systemClock();
const site = testSite();
const iam = testIam();
const SECRET = "a-long-secret";
let server: Server;

before(async () => {
  await site.objects.createBucket(bucketName("b-1"), { owner: "root" });
  const peer = createPeerHandler({ ...site, iam, clock });
  server = createServer((request, response) => {
    const [path = "", query = ""] = (request.url ?? "").split("?");
    peer(request, response, path, query);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  for (const [name, address] of Object.entries({ near: "127.0.0.1/32", far: "10.0.0.0/8" })) {
    const Condition = { IpAddress: { "aws:SourceIp": address } };
    const statement = { Effect: "Allow", Action: "s3:ReplicateObject", Resource: "arn:aws:s3:::b-1/*", Condition };
    await iam.policies.put(name, JSON.stringify({ Version: "2012-10-17", Statement: [statement] }));
    await iam.users.put(name, { secretKey: SECRET, enabled: true });
    await iam.policies.attach({ kind: "user", name }, [name]);
  }
});
after(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

const usage = (more: Partial<Call> = {}): Promise<Answer> =>
  call(server.address() as AddressInfo, { method: "GET", path: "/resilver/v1/usage", query: "bucket=b-1", ...more });
const as = (accessKey: string): Promise<Answer> => usage({ credentials: { accessKey, secretKey: SECRET } });

test("a right that is bound to an address counts from there, and from nowhere else", async () => {
  assert.equal((await as("near")).status, 200);
  assert.match((await as("far")).body, /"AccessDenied"/);
});

test("a header that speaks for a peer is part of what was signed", async () => {
  assert.equal((await usage()).status, 200);
  const refused = await usage({ unsigned: { "x-resilver-resync": "job" } });
  assert.match(refused.body, /"AccessDenied"/);
  assert.equal((await usage({ credentials: null })).status, 403);
  assert.match((await usage({ credentials: { accessKey: "near", secretKey: "another" } })).body, /"SignatureDoesNot/);
});
