/** `admin config get|set|reset|export|import` (admin-api.md 6.6, 9): settings as `SUBSYS key=value` lines, sealed on the way. */
import type { Command } from "../../command.ts";
import { CommandError } from "../../command.ts";
import type { AdminSite } from "./common.ts";
import { ABSENT_CONFIG_COMMANDS } from "../absent.ts";
import { adminSubcommand } from "./common.ts";
import { wholeText } from "../../prompt.ts";

/** Arguments are many words: `api requests_max=10 comment="two words"`. */
const WORDS_MAX = 64;

export const adminConfigCommand: Command = {
  name: "config",
  summary: "settings that can be changed while a server runs",
  examples: [
    { what: "what can be set", line: "mc admin config get here" },
    { what: "one sub-system", line: "mc admin config get here api" },
    { what: "change one setting", line: "mc admin config set here api requests_max=500" },
  ],
  subcommands: [
    ...ABSENT_CONFIG_COMMANDS,
    adminSubcommand({
      name: "get",
      summary: "show the settings of a sub-system, or which there are",
      usage: "ALIAS [SUBSYS]",
      argCount: [0, 1],
      what: "Unable to get server config",
      work: (site) => (site.args[0] === undefined ? help(site, "") : get(site, site.args[0])),
    }),
    adminSubcommand({
      name: "set",
      summary: "change settings; without KEY=VALUE: what they mean",
      usage: "ALIAS SUBSYS [KEY=VALUE ...]",
      argCount: [0, WORDS_MAX],
      what: "Unable to set server config",
      work: (site) => (site.args.length < 2 ? help(site, site.args[0] ?? "") : set(site)),
    }),
    adminSubcommand({
      name: "reset",
      summary: "back to the defaults: a whole sub-system, or the named settings",
      usage: "ALIAS SUBSYS [KEY ...]",
      argCount: [0, WORDS_MAX],
      what: "Unable to reset server config",
      work: (site) => (site.args.length === 0 ? help(site, "") : reset(site)),
    }),
    adminSubcommand({
      name: "export",
      summary: "print all settings, for import",
      usage: "ALIAS",
      argCount: [0, 0],
      what: "Unable to export server config",
      work: exportAll,
    }),
    adminSubcommand({
      name: "import",
      summary: "read settings from standard input",
      usage: "ALIAS",
      argCount: [0, 0],
      what: "Unable to import server config",
      work: importAll,
    }),
  ],
};

interface KeyHelp {
  readonly key: string;
  readonly description: string;
  readonly type: string;
  readonly optional: boolean;
}

interface Help {
  readonly subSys: string;
  readonly description: string;
  readonly keysHelp: readonly KeyHelp[];
}

async function help(site: AdminSite, subSys: string): Promise<void> {
  const call = { method: "GET", path: "help-config-kv", query: { subSys, key: "" }, signal: site.ctx.signal };
  const answer = await site.client.json<Help>(call);
  const width = Math.max(0, ...answer.keysHelp.map(({ key }) => key.length));
  const rows = answer.keysHelp.map(
    ({ key, type, description }) => `${key.padEnd(width)}  ${type === "" ? "" : `(${type})  `}${description}`,
  );
  const head = subSys === "" ? "KEYS:" : `${subSys}: ${answer.description}`;
  site.ctx.out.message([head, ...rows].join("\n"), { status: "success", ...answer });
}

interface Setting {
  readonly key: string;
  readonly value: string;
  readonly envOverride?: { readonly name: string; readonly value: string };
}

/** Lines as the server writes them, taken apart: `# MINIO_X=v` above a line is a setting of the environment. */
export function parseConfigText(
  text: string,
): { readonly subSystem: string; readonly target?: string; readonly kv: readonly Setting[] }[] {
  const out: { subSystem: string; target?: string; kv: Setting[] }[] = [];
  let fixed: { name: string; value: string }[] = [];
  for (const line of text.split("\n").map((one) => one.trim())) {
    const comment = /^#\s*(\w+)=(.*)$/.exec(line);
    if (comment !== null) fixed.push({ name: comment[1] ?? "", value: comment[2] ?? "" });
    if (line === "" || line.startsWith("#")) continue;
    const [head = "", ...words] = line.split(/\s+(?=[a-z0-9_]+=|$)/);
    const [subSystem = "", target] = head.split(":");
    const kv = words
      .filter((word) => word !== "")
      .map((word) => {
        const at = word.indexOf("=");
        const key = word.slice(0, at);
        const variable = subSystem === "region" && key === "name" ? "region" : key;
        const envOverride = fixed.find(({ name }) => name.toLowerCase().endsWith(`_${variable}`));
        return {
          key,
          value: word.slice(at + 1).replace(/^"(.*)"$/s, "$1"),
          ...(envOverride !== undefined && { envOverride }),
        };
      });
    out.push({ subSystem, ...(target !== undefined && { target }), kv });
    fixed = [];
  }
  return out;
}

async function get(site: AdminSite, key: string): Promise<void> {
  const sealed = await site.client.call({
    method: "GET",
    path: "get-config-kv",
    query: { key },
    signal: site.ctx.signal,
  });
  const text = (await site.client.open(sealed)).toString("utf8");
  site.ctx.out.message(text.trimEnd(), { status: "success", config: parseConfigText(text) });
}

/** A shell has taken the quotes away: a value with blanks gets them back. */
export function settingText(word: string): string {
  const at = word.indexOf("=");
  const value = word.slice(at + 1);
  return at > 0 && /\s/.test(value) && !value.startsWith('"') ? `${word.slice(0, at)}="${value}"` : word;
}

/** Sends lines; says whether they hold already. */
async function send(site: AdminSite, method: "PUT" | "DELETE", path: string, text: string): Promise<boolean> {
  const response = await site.client.stream({
    method,
    path,
    body: Buffer.from(text),
    sealed: true,
    signal: site.ctx.signal,
  });
  await response.discard();
  return response.headers["x-minio-config-applied"] === "true";
}

function report(site: AdminSite, done: string, live: boolean): void {
  const restart = `Restart the server to put it to work: \`mc admin service restart ${site.alias}\``;
  site.ctx.out.message(live ? done : `${done}\n${restart}`, { status: "success", restart: !live });
}

async function set(site: AdminSite): Promise<void> {
  const [subSystem = "", ...pairs] = site.args;
  if (pairs.some((pair) => !pair.includes("="))) throw new CommandError("Expected KEY=VALUE");
  const live = await send(site, "PUT", "set-config-kv", [subSystem, ...pairs.map(settingText)].join(" "));
  report(site, "Successfully applied new settings.", live);
}

async function reset(site: AdminSite): Promise<void> {
  const live = await send(site, "DELETE", "del-config-kv", site.args.join(" "));
  report(site, `\`${site.args.join(" ")}\` is successfully reset.`, live);
}

async function exportAll(site: AdminSite): Promise<void> {
  const sealed = await site.client.call({ method: "GET", path: "config", signal: site.ctx.signal });
  const text = (await site.client.open(sealed)).toString("utf8");
  site.ctx.out.message(text.trimEnd(), { status: "success", value: text });
}

async function importAll(site: AdminSite): Promise<void> {
  const live = await send(site, "PUT", "config", await wholeText(site.ctx.stdin));
  report(site, "Successfully imported the settings.", live);
}
