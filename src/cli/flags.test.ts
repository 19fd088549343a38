import assert from "node:assert/strict";
import { test } from "node:test";
import type { Command } from "./command.ts";
import { parseLine } from "./flags.ts";

const run = async (): Promise<number> => 0;
const ROOT: Command = {
  name: "mc",
  summary: "root",
  subcommands: [
    {
      name: "ls",
      summary: "list",
      flags: [
        { name: "recursive", aliases: ["r"], kind: "bool", help: "" },
        { name: "depth", kind: "int", help: "" },
        { name: "exclude", kind: "list", help: "", env: "MC_EXCLUDE" },
        { name: "version-id", aliases: ["vid"], kind: "string", help: "" },
      ],
      run,
    },
    {
      name: "resync",
      aliases: ["reset"],
      summary: "group that also runs",
      flags: [{ name: "remote-bucket", kind: "string", help: "" }],
      run,
      subcommands: [{ name: "start", summary: "", flags: [{ name: "remote-bucket", kind: "string", help: "" }], run }],
    },
    { name: "alias", summary: "group", subcommands: [{ name: "set", summary: "", run }] },
  ],
};

const parse = (line: string, env: Record<string, string> = {}): ReturnType<typeof parseLine> =>
  parseLine(ROOT, line.split(" "), env);

test("global flags stand before and after the command, with one dash or two", () => {
  for (const line of ["--json ls a/b", "ls --json a/b", "ls a/b -json", "-C dir ls a/b --json=true"]) {
    const parsed = parse(line);
    assert.equal(parsed.error, undefined);
    assert.deepEqual(parsed.path, ["ls"]);
    assert.deepEqual(parsed.args, ["a/b"]);
    assert.equal(parsed.global.bool("json"), true);
  }
  assert.equal(parse("--json=false ls a").global.bool("json"), false);
});

test("values come after a blank or an equals sign, and may be empty", () => {
  const parsed = parse("ls --vid=abc --depth 3 --exclude x --exclude=y= a");
  assert.equal(parsed.flags.string("version-id"), "abc");
  assert.equal(parsed.flags.int("depth"), 3);
  assert.deepEqual(parsed.flags.list("exclude"), ["x", "y="]);
  assert.equal(parse("ls --version-id= a").flags.string("version-id"), "");
  assert.equal(parse("ls a").flags.string("version-id"), undefined);
});

test("the environment sets what the line leaves out", () => {
  const env = { MC_JSON: "on", MC_EXCLUDE: "a,b" };
  assert.equal(parse("ls x", env).global.bool("json"), true);
  assert.deepEqual(parse("ls x", env).flags.list("exclude"), ["a", "b"]);
  assert.deepEqual(parse("ls x --exclude c", env).flags.list("exclude"), ["c"]);
});

test("a group that runs takes words that are no subcommand as arguments", () => {
  const direct = parse("resync --remote-bucket arn:x a/b");
  assert.deepEqual([direct.path, direct.args, direct.flags.string("remote-bucket")], [["resync"], ["a/b"], "arn:x"]);
  const nested = parse("reset start a/b --remote-bucket arn:x");
  assert.deepEqual(
    [nested.path, nested.args, nested.flags.string("remote-bucket")],
    [["resync", "start"], ["a/b"], "arn:x"],
  );
});

test("what is not known is an error with a hint, and --json is still known", () => {
  const flag = parse("ls --recursvie a --json");
  assert.match(flag.error?.message ?? "", /--recursvie.*Did you mean --recursive\?/);
  assert.equal(flag.global.bool("json"), true);
  assert.match(parse("lss").error?.message ?? "", /`lss` is not a recognized command\. Did you mean `mc ls`\?/);
  assert.match(parse("alias sett").error?.message ?? "", /Did you mean `mc alias set`\?/);
  assert.match(parse("ls --depth x").error?.message ?? "", /whole number/);
  assert.match(parse("ls --vid").error?.message ?? "", /needs a value/);
});

test("two dashes end the flags; a single dash is an argument", () => {
  assert.deepEqual(parse("ls -- -r -").args, ["-r", "-"]);
  assert.deepEqual(parse("ls -").args, ["-"]);
});

test("a flag that is known and not here is an error, not a silence", () => {
  const zip = { name: "zip", kind: "bool", help: "", refused: "Unpack it" } as const;
  const root: Command = { name: "mc", summary: "", subcommands: [{ name: "cat", summary: "", flags: [zip] }] };
  assert.match(parseLine(root, ["cat", "--zip", "x"], {}).error?.message ?? "", /--zip is not implemented\. Unpack it/);
  assert.equal(parseLine(root, ["cat", "x"], {}).error, undefined);
});
