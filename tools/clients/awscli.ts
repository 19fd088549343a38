/** The AWS command line: `aws s3` and `aws s3api`. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { programs, readTree, run, versionOf, writeTree } from "./command.ts";
import type { Client, ClientSite, Step } from "./day.ts";
import { ODD_NAMES } from "./features.ts";

const BUCKET = "awscli-day";
const LARGE_BYTES = 20 * 1024 * 1024 + 7;

function steps(program: string, site: ClientSite): readonly Step[] {
  const env = {
    AWS_ACCESS_KEY_ID: site.accessKey,
    AWS_SECRET_ACCESS_KEY: site.secretKey,
    AWS_DEFAULT_REGION: "us-east-1",
    AWS_CONFIG_FILE: join(site.folder, "config"),
    AWS_PAGER: "",
    AWS_EC2_METADATA_DISABLED: "true",
  };
  const aws = (args: readonly string[], input?: string): Promise<Buffer> =>
    run(program, ["--endpoint-url", site.url, ...args], { env, input });
  const s3 = (...args: string[]): Promise<Buffer> => aws(["s3", ...args]);
  const api = async (name: string, ...args: string[]): Promise<Record<string, unknown>> => {
    const text = (await aws(["s3api", name, "--bucket", BUCKET, "--output", "json", ...args])).toString("utf8");
    return text.trim() === "" ? {} : (JSON.parse(text) as Record<string, unknown>);
  };
  const local = (name: string): string => join(site.folder, name);
  const large = randomBytes(LARGE_BYTES);
  const odd = Object.fromEntries(ODD_NAMES.map((name) => [name, `content of ${name}`]));

  return [
    {
      feature: "buckets",
      async run() {
        await s3("mb", `s3://${BUCKET}`);
        assert.match((await s3("ls")).toString(), new RegExp(BUCKET));
        await api("head-bucket");
        await assert.rejects(s3("ls", "s3://no-such-bucket"), /NoSuchBucket/);
      },
    },
    {
      feature: "objects",
      async run() {
        writeTree(site.folder, { small: "hello", empty: "" });
        await s3("cp", local("small"), `s3://${BUCKET}/small`);
        await s3("cp", local("empty"), `s3://${BUCKET}/empty`);
        assert.equal((await s3("cp", `s3://${BUCKET}/small`, "-")).toString(), "hello");
        await api("get-object", "--key", "small", "--range", "bytes=1-3", local("part"));
        assert.equal(readFileSync(local("part"), "utf8"), "ell");
        await assert.rejects(api("head-object", "--key", "missing"), /404/);
      },
    },
    {
      feature: "multipart",
      async run() {
        writeTree(site.folder, { large });
        await s3("cp", local("large"), `s3://${BUCKET}/large`);
        await s3("cp", `s3://${BUCKET}/large`, local("large.back"));
        assert.ok(readFileSync(local("large.back")).equals(large));
        assert.match(String((await api("head-object", "--key", "large"))["ETag"]), /-3"$/);
      },
    },
    {
      feature: "odd names",
      async run() {
        writeTree(local("odd"), odd);
        await s3("cp", "--recursive", local("odd"), `s3://${BUCKET}/odd/`);
        mkdirSync(local("odd.back"));
        await s3("cp", "--recursive", `s3://${BUCKET}/odd/`, local("odd.back"));
        assert.deepEqual(readTree(local("odd.back")), readTree(local("odd")));
      },
    },
    {
      feature: "listing",
      async run() {
        const pages = await api("list-objects-v2", "--prefix", "odd/", "--page-size", "3");
        const found = (pages["Contents"] as { Key: string }[]).map(({ Key }) => Key.slice("odd/".length));
        assert.deepEqual(found.toSorted(), [...ODD_NAMES].toSorted());
        const top = await api("list-objects", "--delimiter", "/");
        assert.deepEqual(top["CommonPrefixes"], [{ Prefix: "odd/" }]);
      },
    },
    {
      feature: "copy",
      async run() {
        await s3("cp", `s3://${BUCKET}/large`, `s3://${BUCKET}/large.copy`);
        await s3("mv", `s3://${BUCKET}/small`, `s3://${BUCKET}/moved`);
        assert.equal((await api("head-object", "--key", "large.copy"))["ContentLength"], LARGE_BYTES);
        assert.equal((await s3("cp", `s3://${BUCKET}/moved`, "-")).toString(), "hello");
      },
    },
    {
      feature: "metadata",
      async run() {
        const attributes = ["--metadata", "colour=red", "--content-type", "text/x", "--tagging", "a=1&b=two"];
        await api("put-object", "--key", "marked", "--body", local("small"), ...attributes);
        const head = await api("head-object", "--key", "marked");
        assert.deepEqual([head["Metadata"], head["ContentType"]], [{ colour: "red" }, "text/x"]);
        const tags = await api("get-object-tagging", "--key", "marked");
        assert.equal((tags["TagSet"] as object[]).length, 2);
      },
    },
    {
      feature: "versions",
      async run() {
        await api("put-bucket-versioning", "--versioning-configuration", "Status=Enabled");
        const first = await api("put-object", "--key", "history", "--body", local("small"));
        await api("put-object", "--key", "history", "--body", local("empty"));
        await s3("rm", `s3://${BUCKET}/history`);
        const listed = await api("list-object-versions", "--prefix", "history");
        assert.equal((listed["Versions"] as object[]).length, 2);
        assert.equal((listed["DeleteMarkers"] as object[]).length, 1);
        await api("get-object", "--key", "history", "--version-id", String(first["VersionId"]), local("old"));
        assert.equal(readFileSync(local("old"), "utf8"), "hello");
      },
    },
    {
      feature: "presigned",
      async run() {
        const url = (await s3("presign", `s3://${BUCKET}/moved`, "--expires-in", "60")).toString().trim();
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
          Resource: `arn:aws:s3:::${BUCKET}/moved`,
        };
        await api("put-bucket-policy", "--policy", JSON.stringify({ Version: "2012-10-17", Statement: [statement] }));
        assert.equal((await fetch(`${site.url}/${BUCKET}/moved`)).status, 200);
        await api("delete-bucket-policy");
        assert.equal((await fetch(`${site.url}/${BUCKET}/moved`)).status, 403);
      },
    },
    {
      feature: "sync",
      async run() {
        await s3("sync", local("odd"), `s3://${BUCKET}/synced/`);
        assert.equal((await s3("sync", local("odd"), `s3://${BUCKET}/synced/`)).toString(), "", "nothing left to send");
        mkdirSync(local("synced"));
        await s3("sync", `s3://${BUCKET}/synced/`, local("synced"));
        assert.deepEqual(readTree(local("synced")), readTree(local("odd")));
      },
    },
    {
      feature: "delete",
      async run() {
        await s3("rm", "--recursive", `s3://${BUCKET}`);
        const listed = await api("list-object-versions");
        const all = [...(listed["Versions"] as object[]), ...(listed["DeleteMarkers"] as object[])];
        const Objects = all.map((one) => {
          const { Key, VersionId } = one as { Key: string; VersionId: string };
          return { Key, VersionId };
        });
        await api("delete-objects", "--delete", JSON.stringify({ Objects, Quiet: true }));
        await s3("rb", `s3://${BUCKET}`);
      },
    },
  ];
}

/** Each `aws` in PATH: Debian's and a newer one behave differently (default checksums since 2025). */
export function awsClients(): readonly Client[] {
  const found = programs("aws");
  return (found.length === 0 ? [undefined] : found).map((program) => ({
    name: "AWS CLI",
    install: "apt-get install awscli",
    remarks: "`--endpoint-url URL`, any region",
    version: () => versionOf(program, ["--version"], /aws-cli\/(\S+)/),
    day: (site) => steps(program ?? "aws", site),
  }));
}
