import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, beforeEach, test } from "node:test";
import { AliasStore, parseAliasName, parseAliasUrl, parseHostValue } from "./config.ts";

const base = mkdtempSync(join(tmpdir(), "mc-config-"));
let dir = base;
let counter = 0;
beforeEach(() => {
  dir = join(base, String((counter += 1)));
});
after(() => rmSync(base, { recursive: true, force: true }));

const ENTRY = { url: "https://s3.example.net", accessKey: "AK", secretKey: "SK", api: "S3v4", path: "auto" };
const read = (): unknown => JSON.parse(readFileSync(join(dir, "config.json"), "utf8"));

test("the first alias makes a file of version 10 that only its owner can read", () => {
  new AliasStore(dir, {}).set("home", ENTRY);
  const path = join(dir, "config.json");
  assert.equal(statSync(path).mode & 0o777, 0o600);
  assert.equal(statSync(dir).mode & 0o777, 0o700);
  const local = { url: "http://localhost:9000", accessKey: "", secretKey: "", api: "S3v4", path: "auto" };
  assert.deepEqual(read(), { version: "10", aliases: { local, home: ENTRY } });
});

test("members that are not ours survive a rewrite", () => {
  new AliasStore(dir, {}).set("home", ENTRY);
  const document = { version: "10", other: 1, aliases: { home: { ...ENTRY, license: "L", lookup: "dns" } } };
  writeFileSync(join(dir, "config.json"), JSON.stringify(document));
  new AliasStore(dir, {}).set("home", { ...ENTRY, secretKey: "new" });
  assert.deepEqual(read(), {
    version: "10",
    other: 1,
    aliases: { home: { license: "L", ...ENTRY, secretKey: "new" } },
  });
});

test("old files: hosts become aliases, lookup becomes path; newer ones are refused", () => {
  new AliasStore(dir, {}).set("x", ENTRY);
  const old = {
    version: "9",
    hosts: { s3: { url: "https://s3.example", accessKey: "a", secretKey: "b", api: "S3v4", lookup: "dns" } },
  };
  writeFileSync(join(dir, "config.json"), JSON.stringify(old));
  assert.equal(new AliasStore(dir, {}).all()["s3"]?.path, "off");
  writeFileSync(join(dir, "config.json"), JSON.stringify({ version: "11", aliases: {} }));
  assert.throws(() => new AliasStore(dir, {}).all(), /version 11/);
});

test("what MinIO's client writes into its first file is understood", () => {
  new AliasStore(dir, {}).set("x", ENTRY);
  const entry = { url: "https://s3.example", accessKey: "a", secretKey: "b", api: "S3v4" };
  const aliases = {
    host: { ...entry, path: "dns" },
    path: { ...entry, path: "path" },
    none: entry,
    odd: { ...entry, path: "on" },
  };
  writeFileSync(join(dir, "config.json"), JSON.stringify({ version: "10", aliases }));
  const all = new AliasStore(dir, {}).all();
  assert.deepEqual(
    ["host", "path", "none", "odd"].map((name) => all[name]?.path),
    ["off", "on", "auto", "on"],
  );
});

test("the environment wins over MC_CONFIG_ENV_FILE, which wins over the file", () => {
  new AliasStore(dir, {}).set("one", ENTRY);
  const file = join(dir, "env");
  writeFileSync(file, "MC_HOST_one=http://f:f@file\nexport MC_HOST_two='http://f:f@file'\n");
  const env = { MC_CONFIG_ENV_FILE: file, MC_HOST_two: "http://e:e@env" };
  const all = new AliasStore(dir, env).all();
  assert.deepEqual([all["one"]?.url, all["two"]?.url, all["local"]?.source], ["http://file", "http://env", "file"]);
  const partly = new AliasStore(dir, { ...env, MC_HOST_bad: "nonsense" });
  assert.equal(partly.checked("two")["two"]?.accessKey, "e");
  assert.throws(() => partly.checked("bad"), /MC_HOST_bad/);
});

test("MC_HOST values are raw", () => {
  const parse = (value: string): unknown[] => {
    const { url, accessKey, secretKey, sessionToken } = parseHostValue(value);
    return [url, accessKey, secretKey, sessionToken];
  };
  assert.deepEqual(parse("https://AK:S/K@x@host:9000"), ["https://host:9000", "AK", "S/K@x", undefined]);
  assert.deepEqual(parse("http://AK:SK:TO:KEN@host/"), ["http://host", "AK", "SK", "TO:KEN"]);
  assert.deepEqual(parse("http://AK:S%2FK@host"), ["http://host", "AK", "S%2FK", undefined]);
  assert.deepEqual(parse("http://host"), ["http://host", "", "", undefined]);
  assert.throws(() => parseHostValue("http://host/path"), /Invalid URL/);
  assert.throws(() => parseHostValue("http://AK@host"), /ACCESS:SECRET/);
});

test("alias names and URLs", () => {
  assert.equal(parseAliasName("home/"), "home");
  for (const bad of ["", "1a", "a.b", "a/b"]) assert.throws(() => parseAliasName(bad), /Invalid alias/);
  assert.equal(parseAliasUrl("http://h:9000/"), "http://h:9000");
  for (const bad of ["h:9000", "ftp://h", "http://h/x", "http://u:p@h", "http://h?x"]) {
    assert.throws(() => parseAliasUrl(bad), /Invalid URL/);
  }
});
