/** s3cmd. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { programs, readTree, run, versionOf, writeTree } from "./command.ts";
import type { Client, ClientSite, Step } from "./day.ts";
import { ODD_NAMES } from "./features.ts";

const BUCKET = "s3cmd-day";
const LARGE_BYTES = 12 * 1024 * 1024 + 7;

function steps(program: string, site: ClientSite): readonly Step[] {
  const host = new URL(site.url).host;
  const local = (name: string): string => join(site.folder, name);
  const flags = [
    `--access_key=${site.accessKey}`,
    `--secret_key=${site.secretKey}`,
    `--host=${host}`,
    `--host-bucket=${host}`,
    "--no-ssl",
    "--no-progress",
    "--config=/dev/null",
  ];
  const s3cmd = async (...args: string[]): Promise<string> =>
    (await run(program, [...flags, ...args])).toString("utf8");
  const at = (key: string): string => `s3://${BUCKET}/${key}`;
  const large = randomBytes(LARGE_BYTES);

  return [
    {
      feature: "buckets",
      async run() {
        await s3cmd("mb", `s3://${BUCKET}`);
        assert.match(await s3cmd("ls"), new RegExp(BUCKET));
        assert.match(await s3cmd("info", `s3://${BUCKET}`), /Location:/);
      },
    },
    {
      feature: "objects",
      async run() {
        writeTree(site.folder, { small: "hello", empty: "" });
        await s3cmd("put", local("small"), at("small"));
        await s3cmd("put", local("empty"), at("empty"));
        assert.equal(await s3cmd("get", at("small"), "-"), "hello");
        assert.match(await s3cmd("info", at("small")), /MD5 sum:\s+5d41402abc4b2a76b9719d911017c592/);
        await assert.rejects(s3cmd("get", at("missing"), local("missing")), /does not exist|404/);
      },
    },
    {
      feature: "multipart",
      async run() {
        writeTree(site.folder, { large });
        await s3cmd("put", "--multipart-chunk-size-mb=5", local("large"), at("large"));
        await s3cmd("get", at("large"), local("large.back"));
        assert.ok(readFileSync(local("large.back")).equals(large));
      },
    },
    {
      feature: "odd names",
      async run() {
        writeTree(local("odd"), Object.fromEntries(ODD_NAMES.map((name) => [name, `content of ${name}`])));
        await s3cmd("put", "--recursive", `${local("odd")}/`, at("odd/"));
        mkdirSync(local("odd.back"));
        await s3cmd("get", "--recursive", at("odd/"), `${local("odd.back")}/`);
        assert.deepEqual(readTree(local("odd.back")), readTree(local("odd")));
      },
    },
    {
      feature: "listing",
      async run() {
        const listed = (await s3cmd("ls", "--recursive", at("odd/"))).trim().split("\n");
        assert.equal(listed.length, ODD_NAMES.length);
        assert.match(await s3cmd("ls", `s3://${BUCKET}`), /DIR\s+s3:\/\/s3cmd-day\/odd\//);
        assert.match(await s3cmd("du", `s3://${BUCKET}`), /objects/);
      },
    },
    {
      feature: "copy",
      async run() {
        await s3cmd("cp", at("small"), at("copied"));
        await s3cmd("mv", at("copied"), at("moved"));
        assert.equal(await s3cmd("get", at("moved"), "-"), "hello");
      },
    },
    {
      feature: "metadata",
      async run() {
        await s3cmd("put", "--add-header=x-amz-meta-colour: red", "--mime-type=text/x", local("small"), at("marked"));
        await s3cmd("modify", "--add-header=Cache-Control: no-store", at("marked"));
        const info = await s3cmd("info", at("marked"));
        assert.match(info, /text\/x/);
        assert.match(info, /x-amz-meta-colour: red/);
      },
    },
    {
      feature: "presigned",
      async run() {
        const url = (await s3cmd("signurl", at("small"), "+60")).trim();
        assert.equal(await (await fetch(url)).text(), "hello");
      },
    },
    {
      feature: "policy",
      async run() {
        const statement = {
          Effect: "Allow",
          Principal: "*",
          Action: "s3:GetObject",
          Resource: `arn:aws:s3:::${BUCKET}/small`,
        };
        writeTree(site.folder, { policy: JSON.stringify({ Version: "2012-10-17", Statement: [statement] }) });
        await s3cmd("setpolicy", local("policy"), `s3://${BUCKET}`);
        assert.equal((await fetch(`${site.url}/${BUCKET}/small`)).status, 200);
        await s3cmd("delpolicy", `s3://${BUCKET}`);
        assert.equal((await fetch(`${site.url}/${BUCKET}/small`)).status, 403);
      },
    },
    {
      feature: "sync",
      async run() {
        await s3cmd("sync", `${local("odd")}/`, at("synced/"));
        assert.doesNotMatch(await s3cmd("sync", `${local("odd")}/`, at("synced/")), /upload:/);
        mkdirSync(local("synced"));
        await s3cmd("sync", at("synced/"), `${local("synced")}/`);
        assert.deepEqual(readTree(local("synced")), readTree(local("odd")));
      },
    },
    {
      feature: "delete",
      async run() {
        await s3cmd("del", at("small"));
        await s3cmd("del", "--recursive", "--force", `s3://${BUCKET}`);
        await s3cmd("rb", `s3://${BUCKET}`);
        assert.doesNotMatch(await s3cmd("ls"), new RegExp(BUCKET));
      },
    },
  ];
}

export function s3cmdClient(): Client {
  const [program] = programs("s3cmd");
  return {
    name: "s3cmd",
    install: "apt-get install s3cmd",
    remarks: "`--host` and `--host-bucket` are both `HOST:PORT`",
    version: () => versionOf(program, ["--version"], /version (\S+)/),
    day: (site) => steps(program ?? "s3cmd", site),
  };
}
