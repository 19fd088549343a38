/** Help pages: examples first, then usage, subcommands and flags. Pure text. */
import type { Command, FlagSpec } from "./command.ts";
import { GLOBAL_FLAGS } from "./global-flags.ts";

/** The help page of `command`, reached by the words in `path` (empty for `mc` itself). No final line feed. */
export function helpText(path: readonly string[], command: Command): string {
  const name = ["mc", ...path].join(" ");
  const sections = [
    `${name} - ${command.summary}`,
    section("EXAMPLES", exampleLines(command)),
    section("USAGE", usageLines(name, command)),
    section("COMMANDS", commandLines(command)),
    section("FLAGS", flagLines(command.flags ?? [])),
    section("GLOBAL FLAGS", flagLines(GLOBAL_FLAGS)),
  ];
  return sections.filter((text) => text !== "").join("\n\n");
}

function section(title: string, lines: readonly string[]): string {
  return lines.length === 0 ? "" : `${title}\n${lines.map((line) => `  ${line}`).join("\n")}`;
}

function exampleLines(command: Command): string[] {
  return (command.examples ?? []).flatMap(({ what, line }) => [`# ${what}`, line]);
}

function usageLines(name: string, command: Command): string[] {
  const lines: string[] = [];
  if (command.run !== undefined) lines.push(`${name} [FLAGS] ${command.usage ?? ""}`.trimEnd());
  if ((command.subcommands ?? []).length > 0) lines.push(`${name} COMMAND [FLAGS] ARGS`);
  return lines;
}

function commandLines(command: Command): string[] {
  const visible = (command.subcommands ?? []).filter((child) => child.hidden !== true);
  return table(visible.map((child) => [[child.name, ...(child.aliases ?? [])].join(", "), child.summary]));
}

function flagLines(specs: readonly FlagSpec[]): string[] {
  return table(specs.filter((spec) => spec.hidden !== true).map((spec) => [flagNames(spec), flagHelp(spec)]));
}

function flagNames(spec: FlagSpec): string {
  const names = [spec.name, ...(spec.aliases ?? [])].map((name) => (name.length === 1 ? `-${name}` : `--${name}`));
  return `${names.join(", ")}${spec.kind === "bool" ? "" : " VALUE"}`;
}

function flagHelp(spec: FlagSpec): string {
  return spec.env === undefined ? spec.help : `${spec.help} [${spec.env}]`;
}

function table(rows: readonly (readonly [string, string] | string[])[]): string[] {
  const width = Math.max(0, ...rows.map(([left]) => (left ?? "").length));
  return rows.map(([left, right]) => `${(left ?? "").padEnd(width)}  ${right ?? ""}`.trimEnd());
}
