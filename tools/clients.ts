/**
 * Runs the normal day of every client that is installed against a server of its own, and prints a table:
 * `node tools/clients.ts [--write] [NAME ...]`. `--write` puts it into docs/reference/clients.md.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { cleanUp, ROOT_SECRET, ROOT_USER, startServer, temporaryFolder } from "../test/support/server.ts";
import { allClients } from "./clients/all.ts";
import { runDay, type Client, type StepResult } from "./clients/day.ts";
import { FEATURES } from "./clients/features.ts";

const PAGE = resolve(import.meta.dirname, "..", "docs", "reference", "clients.md");
const START = "<!-- table: made by `node tools/clients.ts --write` -->";
const END = "<!-- end of table -->";

interface Row {
  readonly client: Client;
  /** Undefined: not installed. */
  readonly version: string | undefined;
  readonly results: readonly StepResult[];
}

async function rowOf(client: Client, site: { url: string; port: number }, index: number): Promise<Row> {
  const version = await client.version();
  if (version === undefined) return { client, version, results: [] };
  const folder = join(temporaryFolder(), String(index));
  mkdirSync(folder);
  const { url, port } = site;
  return {
    client,
    version,
    results: await runDay(client, { url, port, accessKey: ROOT_USER, secretKey: ROOT_SECRET, folder }),
  };
}

function cell({ version, results }: Row, feature: string): string {
  if (version === undefined) return "";
  const result = results.find((one) => one.feature === feature);
  if (result === undefined) return "–";
  return result.fault === undefined ? "yes" : "**no**";
}

function table(rows: readonly Row[]): string {
  const lines = [
    `| client | version | ${FEATURES.join(" | ")} |`,
    `| --- | --- | ${FEATURES.map(() => "---").join(" | ")} |`,
    ...rows.map((row) => {
      const cells = FEATURES.map((feature) => cell(row, feature));
      return `| ${row.client.name} | ${row.version ?? "not installed: skipped"} | ${cells.join(" | ")} |`;
    }),
  ];
  return lines.join("\n");
}

function settings(rows: readonly Row[]): string {
  const unique = [...new Map(rows.map(({ client }) => [client.name, client])).values()];
  const lines = unique.map(({ name, install, remarks }) => `| ${name} | \`${install}\` | ${remarks} |`);
  return ["| client | install | settings |", "| --- | --- | --- |", ...lines].join("\n");
}

function writePage(rows: readonly Row[]): void {
  const page = readFileSync(PAGE, "utf8");
  const [before, after] = [page.indexOf(START), page.indexOf(END)];
  if (before < 0 || after < before) throw new Error(`${PAGE} has no place for the table`);
  const made = `${page.slice(0, before)}${START}\n\n${table(rows)}\n\n${settings(rows)}\n\n${page.slice(after)}`;
  writeFileSync(PAGE, made);
}

const words = process.argv.slice(2);
const wanted = words.filter((word) => !word.startsWith("--"));
const rows: Row[] = [];
try {
  const server = await startServer();
  for (const [index, client] of allClients().entries()) {
    if (wanted.length > 0 && !wanted.some((word) => client.name.toLowerCase().includes(word.toLowerCase()))) continue;
    const row = await rowOf(client, server, index);
    rows.push(row);
    const failed = row.results.filter(({ fault }) => fault !== undefined);
    const state = row.version === undefined ? `skipped: not installed (${client.install})` : `${failed.length} failed`;
    process.stderr.write(`${client.name} ${row.version ?? ""}: ${state}\n`);
    for (const { feature, fault } of failed) process.stderr.write(`  ${feature}: ${fault}\n`);
  }
  await server.stop();
} finally {
  await cleanUp();
}
process.stdout.write(`${table(rows)}\n`);
if (words.includes("--write")) writePage(rows);
process.exitCode = rows.some(({ results }) => results.some(({ fault }) => fault !== undefined)) ? 1 : 0;
