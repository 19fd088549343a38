import assert from "node:assert/strict";
import { test } from "node:test";
import { readSettings, UsageError } from "./settings.ts";

const OWN = { RESILVER_ROOT_USER: "admin", RESILVER_ROOT_PASSWORD: "password-1" };
const refused = (argv: readonly string[], env: Record<string, string>, text: RegExp): void => {
  assert.throws(
    () => readSettings(argv, env),
    (error) => error instanceof UsageError && text.test(error.message),
  );
};

test("flags, environment and defaults, in that order", () => {
  const settings = readSettings(["--address", "10.0.0.1:9100", "--workers=3", "--json", "/data"], {
    ...OWN,
    RESILVER_ADDRESS: ":1",
    MINIO_REGION: "eu-1",
  });
  assert.deepEqual(
    [settings.host, settings.port, settings.workers, settings.json, settings.dir],
    ["10.0.0.1", 9100, 3, true, "/data"],
  );
  assert.equal(settings.fixed["REGION"], "eu-1");
  assert.equal(
    readSettings(["/data"], { ...OWN, RESILVER_REGION: "own", MINIO_REGION: "theirs" }).fixed["REGION"],
    "own",
  );
  assert.deepEqual(readSettings(["--address", "[::1]:9000", "/d"], OWN).host, "::1");
});

test("MinIO's names work: volumes win over arguments, options are flags", () => {
  const root = { MINIO_ROOT_USER: "abc", MINIO_ROOT_PASSWORD: "12345678" };
  const settings = readSettings(["/argument"], {
    ...root,
    MINIO_VOLUMES: "/volume",
    MINIO_OPTS: "--address :9001 --quiet",
  });
  assert.deepEqual([settings.dir, settings.port, settings.quiet], ["/volume", 9001, true]);
});

test("the default account listens on loopback only", () => {
  assert.equal(readSettings(["/data"], {}).host, "127.0.0.1");
  assert.equal(readSettings(["--address", "localhost:9000", "/data"], {}).host, "localhost");
  refused(["--address", "0.0.0.0:9000", "/data"], {}, /RESILVER_ROOT_USER=/);
  assert.equal(readSettings(["--address", "0.0.0.0:9000", "/data"], OWN).host, "0.0.0.0");
});

test("wrong input names the fault", () => {
  refused(["/data"], { RESILVER_ADRESS: ":9000" }, /unknown setting RESILVER_ADRESS/);
  refused([], OWN, /no data directory/);
  refused(["/a", "/b"], OWN, /one data directory/);
  refused(["--port", "1", "/a"], OWN, /unknown flag --port/);
  refused(["--address", "host:99999", "/a"], OWN, /expected \[HOST\]:PORT/);
  refused(["--workers", "zero", "/a"], OWN, /expected a number/);
  refused(["/a"], { RESILVER_ROOT_USER: "admin" }, /both/);
  refused(["/a"], { ...OWN, RESILVER_ROOT_PASSWORD: "short" }, /8 characters/);
  refused(["/a"], { ...OWN, RESILVER_PROMETHEUS_AUTH_TYPE: "none" }, /jwt or public/);
  refused(["/a"], { ...OWN, RESILVER_PEER_EXTENSIONS: "none" }, /expected on or off/);
});

test("peers are told of the extensions unless that was switched off", () => {
  assert.equal(readSettings(["/a"], OWN).peerExtensions, true);
  assert.equal(readSettings(["/a"], { ...OWN, RESILVER_PEER_EXTENSIONS: "off" }).peerExtensions, false);
});

test("trusted proxies and fixed settings are checked at the start", () => {
  const settings = readSettings(["/d"], {
    ...OWN,
    RESILVER_TRUSTED_PROXIES: "10.0.0.0/8, ::1",
    MINIO_API_REQUESTS_MAX: "5",
  });
  assert.deepEqual([settings.trustedProxies, settings.fixed], [["10.0.0.0/8", "::1"], { API_REQUESTS_MAX: "5" }]);
  assert.throws(
    () => readSettings(["/d"], { ...OWN, RESILVER_TRUSTED_PROXIES: "proxy.example" }),
    /expected addresses or CIDR blocks/,
  );
  assert.throws(() => readSettings(["/d"], { ...OWN, RESILVER_API_ROOT_ACCESS: "maybe" }), /expected on or off/);
});

test("the console's address of MinIO is taken and means nothing", () => {
  assert.equal(readSettings(["/d", "--console-address", ":9001"], OWN).dir, "/d");
  assert.equal(readSettings(["/d"], { ...OWN, MINIO_OPTS: "--console-address=:9001" }).dir, "/d");
  refused(["/d", "--console-address"], OWN, /needs a value/);
});

test("a folder of certificates that was named must be there, else a typing error would serve without TLS", () => {
  refused(["/d", "--certs-dir", "/nonexistent"], OWN, /--certs-dir \/nonexistent: there is no such folder/);
  refused(["/d"], { ...OWN, RESILVER_CERTS_DIR: import.meta.filename }, /RESILVER_CERTS_DIR .*no such folder/);
  assert.equal(readSettings(["/d", "-S", import.meta.dirname], OWN).certsDir, import.meta.dirname);
});

test("names and addresses that cannot work are refused", () => {
  for (const domain of ["http://x", "-,a", "a..b", "127.0.0.1", "a b"])
    refused(["/d"], { ...OWN, MINIO_DOMAIN: domain }, /MINIO_DOMAIN has/);
  assert.deepEqual(readSettings(["/d"], { ...OWN, RESILVER_DOMAIN: "s3.example.net, localhost" }).domains, [
    "s3.example.net",
    "localhost",
  ]);
  for (const url of ["nonsense", "ftp://x", "http://x/path", "https://"])
    refused(["/d"], { ...OWN, RESILVER_SERVER_URL: url }, /RESILVER_SERVER_URL is/);
  assert.equal(
    readSettings(["/d"], { ...OWN, MINIO_SERVER_URL: "https://s3.example.net:9000/" }).serverUrl?.length,
    28,
  );
  refused(["/d"], { ...OWN, RESILVER_KMS_KES_API_KEY: "kes:v1:x" }, /of no use without RESILVER_KMS_KES_ENDPOINT/);
});

test("a message calls a setting what the environment calls it", () => {
  refused(["/d"], { MINIO_ROOT_USER: "ab", MINIO_ROOT_PASSWORD: "password-1" }, /^MINIO_ROOT_USER must have/);
  refused(["/d"], { ...OWN, MINIO_REGION: "a b" }, /^MINIO_REGION is/);
  refused(["/d"], { ...OWN, RESILVER_WORKERS: "-1" }, /^RESILVER_WORKERS -1/);
  refused(["/d"], { ...OWN, MINIO_ADDRESS: "a:b" }, /^MINIO_ADDRESS a:b/);
  refused(["/d"], { ...OWN, RESILVER_ADRESS: ":9000" }, /Did you mean RESILVER_ADDRESS\?/);
});
