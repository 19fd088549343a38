/** rclone: sync both ways with checksums, versions, links. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { programs, readTree, run, versionOf, writeTree } from "./command.ts";
import type { Client, ClientSite, Step } from "./day.ts";
import { ODD_NAMES } from "./features.ts";

const BUCKET = "rclone-day";
const LARGE_BYTES = 12 * 1024 * 1024 + 7;

function steps(program: string, site: ClientSite): readonly Step[] {
  const env = {
    RCLONE_CONFIG: join(site.folder, "rclone.conf"),
    RCLONE_CONFIG_SITE_TYPE: "s3",
    RCLONE_CONFIG_SITE_PROVIDER: "Minio",
    RCLONE_CONFIG_SITE_ENDPOINT: site.url,
    RCLONE_CONFIG_SITE_ACCESS_KEY_ID: site.accessKey,
    RCLONE_CONFIG_SITE_SECRET_ACCESS_KEY: site.secretKey,
    RCLONE_S3_UPLOAD_CUTOFF: "5Mi",
    RCLONE_S3_CHUNK_SIZE: "5Mi",
    RCLONE_RETRIES: "1",
  };
  const rclone = async (...args: string[]): Promise<string> => (await run(program, args, { env })).toString("utf8");
  const local = (name: string): string => join(site.folder, name);
  const at = (path: string): string => `site:${BUCKET}/${path}`;
  const odd = Object.fromEntries(ODD_NAMES.map((name) => [name, `content of ${name}`]));

  return [
    {
      feature: "buckets",
      async run() {
        writeFileSync(env.RCLONE_CONFIG, "");
        await rclone("mkdir", `site:${BUCKET}`);
        assert.match(await rclone("lsd", "site:"), new RegExp(BUCKET));
      },
    },
    {
      feature: "objects",
      async run() {
        writeTree(local("tree"), { small: "hello", empty: "", "deep/er/file": "x" });
        await rclone("copy", local("tree"), at("tree"));
        assert.equal(await rclone("cat", at("tree/small")), "hello");
        assert.equal(await rclone("cat", "--offset", "1", "--count", "3", at("tree/small")), "ell");
        await run(program, ["rcat", at("tree/piped")], { env, input: "from a pipe" });
        assert.equal(await rclone("cat", at("tree/piped")), "from a pipe");
      },
    },
    {
      feature: "multipart",
      async run() {
        writeTree(local("large"), { large: randomBytes(LARGE_BYTES) });
        await rclone("copy", local("large"), at("large"));
        await rclone("check", "--download", local("large"), at("large"));
      },
    },
    {
      feature: "odd names",
      async run() {
        writeTree(local("odd"), odd);
        await rclone("copy", local("odd"), at("odd"));
        await rclone("copy", at("odd"), local("odd.back"));
        assert.deepEqual(readTree(local("odd.back")), readTree(local("odd")));
      },
    },
    {
      feature: "listing",
      async run() {
        const listed = JSON.parse(await rclone("lsjson", "-R", "--files-only", "--hash", at("odd"))) as {
          Path: string;
        }[];
        assert.deepEqual(listed.map(({ Path }) => Path).toSorted(), [...ODD_NAMES].toSorted());
        const pages = await rclone("lsf", "-R", "--files-only", "--s3-list-chunk", "2", at("odd"));
        assert.equal(pages.trim().split("\n").length, ODD_NAMES.length);
      },
    },
    {
      feature: "copy",
      async run() {
        await rclone("copyto", at("large/large"), at("large/copied"));
        await rclone("moveto", at("tree/piped"), at("tree/moved"));
        assert.equal(await rclone("cat", at("tree/moved")), "from a pipe");
      },
    },
    {
      feature: "metadata",
      async run() {
        const listed = JSON.parse(await rclone("lsjson", "--metadata", at("tree/small"))) as { Metadata: object }[];
        assert.ok(Object.hasOwn(listed[0]?.Metadata ?? {}, "mtime"));
        await rclone("touch", "--timestamp", "2020-01-02T03:04:05", at("tree/small"));
        assert.match(await rclone("lsl", at("tree/small")), /2020-01-02 03:04:05/);
      },
    },
    {
      feature: "versions",
      async run() {
        await rclone("backend", "versioning", `site:${BUCKET}`, "Enabled");
        await run(program, ["rcat", at("history/k")], { env, input: "first" });
        await run(program, ["rcat", at("history/k")], { env, input: "second!" });
        await rclone("deletefile", at("history/k"));
        assert.equal((await rclone("lsf", at("history"))).trim(), "");
        const old = (await rclone("lsf", "--s3-versions", at("history"))).trim().split("\n");
        assert.equal(old.length, 2);
        await rclone("copy", "--s3-versions", at("history"), local("history"));
        const texts = Object.values(readTree(local("history"))).map((text) => Buffer.from(text, "base64").toString());
        assert.deepEqual(texts.toSorted(), ["first", "second!"]);
        await rclone("backend", "cleanup-hidden", `site:${BUCKET}`);
        assert.equal((await rclone("lsf", "--s3-versions", at("history"))).trim(), "");
      },
    },
    {
      feature: "presigned",
      async run() {
        const url = (await rclone("link", "--expire", "60s", at("tree/moved"))).trim();
        assert.equal(await (await fetch(url)).text(), "from a pipe");
      },
    },
    {
      feature: "sync",
      async run() {
        await rclone("sync", "--checksum", local("odd"), at("synced"));
        rmSync(join(local("odd"), ODD_NAMES[0] ?? ""));
        writeTree(local("odd"), { "new file": "new", [ODD_NAMES[1] ?? ""]: "changed" });
        await rclone("sync", "--checksum", local("odd"), at("synced"));
        await rclone("check", "--download", local("odd"), at("synced"));
        mkdirSync(local("synced"));
        writeTree(local("synced"), { "not in the bucket": "goes" });
        await rclone("sync", "--checksum", at("synced"), local("synced"));
        assert.deepEqual(readTree(local("synced")), readTree(local("odd")));
      },
    },
    {
      feature: "delete",
      async run() {
        await rclone("delete", at("odd"));
        assert.equal((await rclone("lsf", "-R", "--files-only", at("odd"))).trim(), "");
        await rclone("purge", at("tree"));
        await rclone("delete", `site:${BUCKET}`);
        await rclone("backend", "cleanup-hidden", `site:${BUCKET}`);
        await rclone("rmdir", `site:${BUCKET}`);
        assert.doesNotMatch(await rclone("lsd", "site:"), new RegExp(BUCKET));
      },
    },
  ];
}

export function rcloneClient(): Client {
  const [program] = programs("rclone");
  return {
    name: "rclone",
    install: "apt-get install rclone",
    remarks: "`provider = Minio`",
    version: () => versionOf(program, ["version"], /rclone v(\S+)/),
    day: (site) => steps(program ?? "rclone", site),
  };
}
