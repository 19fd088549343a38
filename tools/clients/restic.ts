/** restic: backup, check with all data, restore, forget. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { programs, readTree, run, versionOf, writeTree } from "./command.ts";
import type { Client, ClientSite, Step } from "./day.ts";
import { ODD_NAMES } from "./features.ts";

const LARGE_BYTES = 24 * 1024 * 1024;

function steps(program: string, site: ClientSite): readonly Step[] {
  const env = {
    AWS_ACCESS_KEY_ID: site.accessKey,
    AWS_SECRET_ACCESS_KEY: site.secretKey,
    RESTIC_REPOSITORY: `s3:${site.url}/restic-day/backup`,
    RESTIC_PASSWORD: "a password",
    RESTIC_CACHE_DIR: join(site.folder, "cache"),
  };
  const local = (name: string): string => join(site.folder, name);
  const restic = async (args: readonly string[], cwd = site.folder): Promise<string> =>
    (await run(program, args, { env, cwd })).toString("utf8");
  const restored = async (snapshot: string, into: string): Promise<Record<string, string>> => {
    mkdirSync(local(into));
    await restic(["restore", snapshot, "--target", local(into)]);
    return readTree(local(into));
  };
  const tree = local("tree");

  return [
    {
      feature: "buckets",
      async run() {
        await restic(["init"]);
      },
    },
    {
      feature: "multipart",
      async run() {
        writeTree(tree, { large: randomBytes(LARGE_BYTES), small: "hello", empty: "" });
        await restic(["backup", "--tag", "first", "."], tree);
        await restic(["check", "--read-data"]);
        assert.deepEqual(await restored("latest", "first"), readTree(tree));
      },
    },
    {
      feature: "odd names",
      async run() {
        writeTree(tree, Object.fromEntries(ODD_NAMES.map((name) => [name, `content of ${name}`])));
        await restic(["backup", "--tag", "second", "."], tree);
        assert.deepEqual(await restored("latest", "second"), readTree(tree));
      },
    },
    {
      feature: "listing",
      async run() {
        const snapshots = JSON.parse(await restic(["snapshots", "--json"])) as object[];
        assert.equal(snapshots.length, 2);
      },
    },
    {
      feature: "delete",
      async run() {
        await restic(["forget", "--keep-last", "1", "--group-by", "host", "--prune"]);
        await restic(["check", "--read-data"]);
        assert.deepEqual(await restored("latest", "third"), readTree(tree));
      },
    },
  ];
}

export function resticClient(): Client {
  const [program] = programs("restic");
  return {
    name: "restic",
    install: "apt-get install restic",
    remarks: "`s3:URL/BUCKET/PATH`; makes its bucket itself",
    version: () => versionOf(program, ["version"], /restic (\S+)/),
    day: (site) => steps(program ?? "restic", site),
  };
}
