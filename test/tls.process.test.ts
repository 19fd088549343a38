/** TLS from outside: several certificates by name, old protocols, private authorities, renewal, and what mc says. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { X509Certificate } from "node:crypto";
import { copyFileSync, mkdirSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { connect, type ConnectionOptions, type TLSSocket } from "node:tls";
import { versionOf } from "../tools/clients/command.ts";
import { mcRunner } from "./support/mc-run.ts";
import { cleanUp, ROOT_SECRET, ROOT_USER, startServer, temporaryFolder, type RunningServer } from "./support/server.ts";
import { until } from "./support/site.ts";

const openssl = await versionOf("openssl", ["version"], /OpenSSL (\S+)/);
const skip = openssl === undefined && "openssl is not installed: apt-get install openssl";
const folder = temporaryFolder();
const certs = join(folder, "certs");
const trusting = join(folder, "trusting");
const authority = { cert: join(folder, "ca.crt"), key: join(folder, "ca.key") };
let server: RunningServer;
let plain: RunningServer;

/** A pair signed by the authority, as public.crt and private.key in `dir`. */
function issue(dir: string, names: string, days = "30"): void {
  mkdirSync(dir, { recursive: true });
  const [key, cert, request, extra] = ["private.key", "public.crt", "request", "extra"].map((name) => join(dir, name));
  const run = (...args: (string | undefined)[]): unknown =>
    execFileSync("openssl", args.map(String), { stdio: ["ignore", "ignore", "pipe"] });
  writeFileSync(String(extra), `subjectAltName=${names}\n`);
  const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  run("req", ...curve, "-subj", "/CN=resilver", "-keyout", key, "-out", request);
  const signer = ["-CA", authority.cert, "-CAkey", authority.key, "-CAcreateserial"];
  run("x509", "-req", "-in", request, ...signer, "-days", days, "-extfile", extra, "-out", cert);
}

before(async () => {
  if (skip !== false) return;
  const subject = ["-subj", "/CN=Test Authority", "-days", "30", "-nodes"];
  const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"];
  const out = ["-keyout", authority.key, "-out", authority.cert];
  execFileSync("openssl", ["req", "-x509", ...curve, ...subject, ...out], { stdio: "ignore" });
  issue(certs, "DNS:localhost,IP:127.0.0.1");
  issue(join(certs, "other"), "DNS:other.example,DNS:*.wild.example");
  mkdirSync(join(certs, "CAs"));
  mkdirSync(trusting);
  copyFileSync(authority.cert, join(certs, "CAs", "ca.crt"));
  [server, plain] = await Promise.all([
    startServer({ args: ["--certs-dir", certs] }),
    startServer({ args: ["--certs-dir", trusting] }),
  ]);
});
after(cleanUp);

function handshake(options: ConnectionOptions): Promise<TLSSocket> {
  return new Promise((done, fail) => {
    const socket = connect({ port: server.port, host: "127.0.0.1", rejectUnauthorized: false, ...options }, () =>
      done(socket),
    );
    socket.once("error", fail);
  });
}

async function shown(servername: string): Promise<X509Certificate> {
  const socket = await handshake({ servername });
  const certificate = new X509Certificate(socket.getPeerCertificate().raw);
  socket.destroy();
  return certificate;
}

test("the certificate follows the name; without a name it is the first", { skip }, async () => {
  assert.match((await shown("localhost")).subjectAltName ?? "", /localhost/);
  assert.match((await shown("other.example")).subjectAltName ?? "", /other\.example/);
  assert.match((await shown("a.wild.example")).subjectAltName ?? "", /wild\.example/);
  assert.match((await shown("nobody.example")).subjectAltName ?? "", /localhost/);
});

test("TLS 1.2 and 1.3, nothing older, and no plain HTTP", { skip }, async () => {
  for (const version of ["TLSv1.2", "TLSv1.3"] as const) {
    const socket = await handshake({ minVersion: version, maxVersion: version });
    assert.equal(socket.getProtocol(), version);
    socket.destroy();
  }
  const old = { minVersion: "TLSv1", maxVersion: "TLSv1.1", ciphers: "DEFAULT:@SECLEVEL=0" } as const;
  await assert.rejects(handshake(old));
  const plainly = await fetch(server.url.replace("https", "http"));
  assert.equal(plainly.status, 400);
  assert.match(await plainly.text(), /XMinioInsecureClientRequest.*https:/);
});

test("TLS 1.2 only with suites that are sealed and forward secret, also by another name", { skip }, async () => {
  for (const servername of ["localhost", "other.example"]) {
    for (const ciphers of ["ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-CHACHA20-POLY1305"]) {
      (await handshake({ maxVersion: "TLSv1.2", ciphers, servername })).destroy();
    }
    for (const ciphers of ["ECDHE-ECDSA-AES128-SHA", "ECDHE-ECDSA-AES256-SHA384", "AES128-GCM-SHA256"]) {
      await assert.rejects(handshake({ maxVersion: "TLSv1.2", ciphers, servername }), /handshake failure/, ciphers);
    }
  }
});

test("mc: refused with words, then with the authority in certs/CAs, or --insecure", { skip }, async () => {
  const config = join(folder, "mc");
  const { fails, mc } = mcRunner({ tls: server }, config);
  await fails("ls tls", /authority that is not trusted here.*certs\/CAs/);
  await mc("--insecure ls tls");
  mkdirSync(join(config, "certs", "CAs"), { recursive: true });
  copyFileSync(authority.cert, join(config, "certs", "CAs", "test.crt"));
  await mc("mb tls/bucket");
  const set = (url: string): string => `alias set bad ${url}:${server.port} ${ROOT_USER} ${ROOT_SECRET}`;
  await fails(
    `--resolve wrong.example=127.0.0.1 ${set("https://wrong.example")}`,
    /for other names \(DNS:localhost, IP Address:127\.0\.0\.1\)/,
  );
  const bare = set("https://127.0.0.1").replace(String(server.port), String(plain.port));
  await fails(bare, /Write http:\/\/|write http:\/\//);
});

test("a site trusts the authorities in CAs for its targets", { skip }, async () => {
  const { mc, fails } = mcRunner({ tls: server, plain }, join(folder, "mc"));
  await mc("mb --with-versioning tls/from plain/from tls/copy");
  await mc(`replicate add tls/from --remote-bucket https://${ROOT_USER}:${ROOT_SECRET}@127.0.0.1:${server.port}/copy`);
  // The other site has no such authority.
  const url = `https://${ROOT_USER}:${ROOT_SECRET}@127.0.0.1:${server.port}/copy`;
  await fails(`replicate add plain/from --remote-bucket ${url}`, /authority that is not trusted.*CAs/);
  // Until it is given one: no restart is needed.
  mkdirSync(join(trusting, "CAs"), { recursive: true });
  copyFileSync(authority.cert, join(trusting, "CAs", "ca.crt"));
  await mc(`replicate add plain/from --remote-bucket ${url}`);
});

test(
  "a key that is locked with a password opens with it, also after a hangup; without it there is a word",
  { skip },
  async () => {
    const locked = join(folder, "locked");
    issue(locked, "DNS:localhost,IP:127.0.0.1");
    const key = join(locked, "private.key");
    execFileSync("openssl", [
      "pkcs8",
      "-topk8",
      "-v2",
      "aes256",
      "-passout",
      "pass:open sesame",
      "-in",
      key,
      "-out",
      `${key}.new`,
    ]);
    renameSync(`${key}.new`, key);
    const start = (env: Record<string, string>): Promise<RunningServer> =>
      startServer({ args: ["--certs-dir", locked], env, workers: 2 });
    await assert.rejects(start({}), /locked with a password\. Set RESILVER_CERT_PASSWD/);
    await assert.rejects(start({ MINIO_CERT_PASSWD: "wrong" }), /CERT_PASSWD does not open/);
    const opened = await start({ MINIO_CERT_PASSWD: "open sesame" });
    opened.process.kill("SIGHUP");
    const socket = await handshake({ port: opened.port });
    assert.equal(socket.getProtocol(), "TLSv1.3");
    socket.destroy();
    assert.equal(await opened.stop(), 0);
  },
);

test("a renewed certificate is used without a restart; a broken one leaves the old", { skip }, async () => {
  const before = (await shown("localhost")).serialNumber;
  issue(certs, "DNS:localhost,IP:127.0.0.1,DNS:renewed.example");
  const told = (words: RegExp): Promise<void> =>
    until(
      async () => words.test(server.log()),
      10_000,
      async () => `no ${words} in: ${server.log()}`,
    );
  await until(
    async () => (await shown("localhost")).serialNumber !== before,
    10_000,
    async () => "not reloaded",
  );
  const renewed = (await shown("localhost")).serialNumber;
  writeFileSync(join(certs, "private.key"), "broken");
  await told(/not reloaded/);
  assert.equal((await shown("localhost")).serialNumber, renewed);
  // One that ends tomorrow is used, with a word.
  issue(certs, "DNS:localhost,IP:127.0.0.1", "1");
  await told(/ends on .*Put a new one/);
});
