/**
 * What it costs to know who asks and whether they may: signature, identity, policies, per request, at 1,000 users and 100
 * policies in LMDB. `node bench/authorize.ts [USERS] [POLICIES]`. Also: start and listing at ten times the users.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createIam, type IamService } from "../src/iam/identities.ts";
import { parseAuthorization, SigningKeyCache, verifySignature, type SignedRequest } from "../src/protocol/sigv4.ts";
import { signRequest } from "../src/protocol/sigv4-sign.ts";
import { systemClock } from "../src/runtime/clock.ts";
import { systemRandom } from "../src/runtime/random.ts";
import { openSiteSealer } from "../src/server/sealer.ts";
import { openLmdbIndex } from "../src/storage/index/lmdb/index.ts";

const users = Number(process.argv[2] ?? 1000);
const policies = Number(process.argv[3] ?? 100);
const ROUNDS = 60_000;
const GROUPS = 20;
const root = { accessKey: "root", secretKey: "root secret" };
const dir = mkdtempSync(join(tmpdir(), "resilver-authorize-"));
const index = await openLmdbIndex({ path: join(dir, "index") });
const sealer = await openSiteSealer(index, []);

const say = (text: string): void => void process.stdout.write(`${text}\n`);
const service = (): IamService => createIam({ index, root, sealer, clock: systemClock(), random: systemRandom });
const name = (n: number): string => `user-${n}`;

/** Each policy grants one prefix and denies another, with a condition; each user has two, and one more by its group. */
async function fill(iam: IamService): Promise<void> {
  await Promise.all(
    Array.from({ length: policies }, (_, n) =>
      iam.policies.put(
        `policy-${n}`,
        JSON.stringify({
          Version: "2012-10-17",
          Statement: [
            { Effect: "Allow", Action: ["s3:GetObject", "s3:PutObject"], Resource: [`arn:aws:s3:::bucket/p${n}/*`] },
            {
              Effect: "Allow",
              Action: "s3:ListBucket",
              Resource: "arn:aws:s3:::bucket",
              Condition: { StringLike: { "s3:prefix": [`p${n}/*`] } },
            },
            {
              Effect: "Deny",
              Action: "s3:*",
              Resource: "arn:aws:s3:::bucket/locked/*",
              Condition: { NotIpAddress: { "aws:SourceIp": "10.0.0.0/8" } },
            },
          ],
        }),
      ),
    ),
  );
  for (let at = 0; at < users; at += 200) {
    const some = Array.from({ length: Math.min(200, users - at) }, (_, n) => at + n);
    await Promise.all(some.map((n) => iam.users.put(name(n), { secretKey: `secret of user ${n}`, enabled: true })));
    await Promise.all(
      some.map((n) =>
        iam.policies.map({ kind: "user", name: name(n) }, [`policy-${n % policies}`, `policy-${(n + 7) % policies}`]),
      ),
    );
  }
  for (let group = 0; group < GROUPS; group++) {
    const members = Array.from({ length: users }, (_, n) => n)
      .filter((n) => n % GROUPS === group)
      .map(name);
    await iam.groups.addMembers(`group-${group}`, members);
    await iam.policies.map({ kind: "group", name: `group-${group}` }, [`policy-${(group * 3) % policies}`]);
  }
}

interface Prepared {
  readonly request: SignedRequest;
  readonly key: string;
}

function prepare(n: number): Prepared {
  const key = `p${n % policies}/object-${n}`;
  const headers = signRequest({
    method: "GET",
    path: `/bucket/${key}`,
    query: "",
    headers: { host: "127.0.0.1:9000" },
    region: "us-east-1",
    nowMs: Date.now(),
    payloadHash: "UNSIGNED-PAYLOAD",
    accessKey: name(n % users),
    secretKey: `secret of user ${n % users}`,
  });
  return { request: { method: "GET", path: `/bucket/${key}`, query: "", header: (header) => headers[header] }, key };
}

async function one(iam: IamService, keys: SigningKeyCache, { request, key }: Prepared): Promise<boolean> {
  const parsed = parseAuthorization(request, { service: "s3" });
  const identity = await iam.lookup(parsed.accessKey);
  if (identity === undefined || !verifySignature(request, parsed, identity.secretKey, keys)) return false;
  const conditions = { SourceIp: ["10.1.2.3"], SecureTransport: ["true"], UserAgent: ["bench"] };
  return iam.allowed(identity, { action: "s3:GetObject", bucket: "bucket", key, conditions });
}

async function measure(iam: IamService): Promise<void> {
  const prepared = Array.from({ length: users }, (_, n) => prepare(n));
  const keys = new SigningKeyCache();
  for (const warm of prepared)
    if (!(await one(iam, keys, warm))) throw new Error("a request that must pass was refused");
  const startNs = process.hrtime.bigint();
  const before = process.cpuUsage();
  for (let n = 0; n < ROUNDS; n++) await one(iam, keys, prepared[n % users] as Prepared);
  const us = Number(process.hrtime.bigint() - startNs) / 1000 / ROUNDS;
  const cpu = process.cpuUsage(before);
  const cpuUs = (cpu.user + cpu.system) / ROUNDS;
  say(
    `authenticate and authorize: ${us.toFixed(1)} µs a request, ${cpuUs.toFixed(1)} µs of processor (${users} users, ${policies} policies, 3 of them read)`,
  );
}

try {
  const iam = service();
  let startMs = performance.now();
  await fill(iam);
  say(`made in ${((performance.now() - startMs) / 1000).toFixed(1)} s`);
  await measure(iam);
  const fresh = service();
  startMs = performance.now();
  await one(fresh, new SigningKeyCache(), prepare(1));
  say(`first request of a process that knows nobody yet: ${(performance.now() - startMs).toFixed(1)} ms`);
  startMs = performance.now();
  const listed = await fresh.users.list();
  say(`${listed.length} users listed by it: ${(performance.now() - startMs).toFixed(0)} ms`);
} finally {
  await index.close();
  rmSync(dir, { recursive: true });
}
