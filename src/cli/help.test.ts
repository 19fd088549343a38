import assert from "node:assert/strict";
import { test } from "node:test";
import type { Command, FlagSpec } from "./command.ts";
import { GLOBAL_FLAGS } from "./global-flags.ts";
import { helpText } from "./help.ts";
import { editDistance, nearest } from "./suggest.ts";
import { fullTree } from "./tree.ts";

function* everyCommand(
  command: Command,
  path: readonly string[] = [],
): Iterable<{ command: Command; path: readonly string[] }> {
  yield { command, path };
  for (const child of command.subcommands ?? []) yield* everyCommand(child, [...path, child.name]);
}

test("every command has help, runs or has subcommands, and no two flags of one name", async () => {
  for (const { command, path } of everyCommand(await fullTree())) {
    const text = helpText(path, command);
    assert.ok(text.startsWith(["mc", ...path].join(" ")), path.join(" "));
    assert.ok(command.run !== undefined || (command.subcommands ?? []).length > 0, path.join(" "));
    const names = (command.flags ?? []).flatMap((flag) => [flag.name, ...(flag.aliases ?? [])]);
    assert.equal(new Set(names).size, names.length, `${path.join(" ")}: ${names.join(" ")}`);
  }
});

test("examples come first and hidden flags are left out", () => {
  const flags: FlagSpec[] = [
    { name: "all", aliases: ["a"], kind: "bool", help: "everything" },
    { name: "secret", kind: "bool", help: "no", hidden: true },
  ];
  const command: Command = {
    name: "x",
    summary: "does x",
    examples: [{ what: "why", line: "mc x y" }],
    flags,
    run: async () => 0,
    usage: "ARG",
  };
  const text = helpText(["x"], command);
  assert.ok(text.indexOf("EXAMPLES") < text.indexOf("USAGE"));
  assert.match(text, /# why\n  mc x y/);
  assert.match(text, /--all, -a  everything/);
  assert.doesNotMatch(text, /secret/);
  assert.ok(text.includes(GLOBAL_FLAGS[0]?.help ?? "?"));
});

test("suggestions", () => {
  assert.equal(editDistance("lsit", "list"), 1);
  assert.equal(nearest("recursvie", ["recursive", "rewind"]), "recursive");
  assert.equal(nearest("repl", ["replicate", "rm"]), "replicate");
  assert.equal(nearest("zzz", ["ls", "cp"]), undefined);
});
