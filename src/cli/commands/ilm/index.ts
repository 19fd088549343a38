/** `mc ilm rule ...` (mc-cli.md 9.1): what a bucket removes by itself, and when. */
import { getLifecycle, putLifecycle } from "../../../client/lifecycle-calls.ts";
import type { BucketLifecycle } from "../../../client/lifecycle-calls.ts";
import type { LifecycleRule } from "../../../model/lifecycle.ts";
import { lifecycleFromJson, lifecycleToJson } from "../../../protocol/lifecycle-json.ts";
import { systemRandom } from "../../../runtime/random.ts";
import type { Command, CommandContext, ParsedFlags } from "../../command.ts";
import { CommandError } from "../../command.ts";
import { formatRfc3339 } from "../../format.ts";
import { wholeText } from "../../prompt.ts";
import type { RemoteTarget } from "../../targets.ts";
import { bucketTarget, remoteTarget } from "../../targets.ts";
import { UsageError } from "../../usage-error.ts";
import { absentCommand, NO_TIERS } from "../absent.ts";
import { attempt, countArgs } from "../attempt.ts";
import { edited, newRule, RULE_FLAGS } from "./rule-edit.ts";
import { rulesText } from "./rule-text.ts";

const TARGET = "ALIAS/BUCKET";
const READ = "Unable to read the lifecycle configuration";
const WRITE = "Unable to set the lifecycle configuration";

const RULE_COMMANDS: readonly Command[] = [
  {
    name: "add",
    summary: "add a rule",
    usage: `${TARGET}[/PREFIX] --expire-days N ...`,
    examples: [
      {
        what: "objects below a prefix go after 90 days",
        line: "mc ilm rule add here/b --prefix logs/ --expire-days 90",
      },
      { what: "older versions go after a month", line: "mc ilm rule add here/b --noncurrent-expire-days 30" },
    ],
    flags: [{ name: "id", kind: "string", help: "name of the rule; made when absent", hidden: true }, ...RULE_FLAGS],
    run: add,
  },
  {
    name: "edit",
    summary: "change a rule; what is not named stays, days of 0 take a part away",
    usage: `${TARGET} --id ID ...`,
    flags: [
      { name: "id", kind: "string", help: "the rule" },
      { name: "enable", kind: "bool", help: "the rule holds" },
      { name: "disable", kind: "bool", help: "the rule does nothing" },
      ...RULE_FLAGS,
    ],
    run: edit,
  },
  {
    name: "list",
    aliases: ["ls"],
    summary: "show the rules",
    usage: TARGET,
    flags: [
      { name: "expiry", kind: "bool", help: "accepted: all rules expire something", hidden: true },
      { name: "transition", kind: "bool", help: "only rules that move objects: there are none", hidden: true },
    ],
    run: list,
  },
  {
    name: "remove",
    aliases: ["rm"],
    summary: "remove a rule, or all",
    usage: `${TARGET} --id ID | --all --force`,
    flags: [
      { name: "id", kind: "string", help: "the rule" },
      { name: "all", kind: "bool", help: "every rule; with --force" },
      { name: "force", kind: "bool", help: "needed with --all" },
    ],
    run: remove,
  },
  {
    name: "export",
    summary: "print the rules as JSON",
    usage: TARGET,
    examples: [{ what: "to a file", line: "mc ilm rule export here/b > rules.json" }],
    run: exportRules,
  },
  {
    name: "import",
    summary: "set the rules from JSON on standard input",
    usage: `${TARGET} < FILE`,
    run: importRules,
  },
];

const older = (command: Command): Command => ({ ...command, hidden: true });

export const ilmCommand: Command = {
  name: "ilm",
  summary: "what a bucket removes by itself, and when",
  subcommands: [
    { name: "rule", summary: "rules of a bucket", subcommands: RULE_COMMANDS },
    absentCommand("tier", "storage to move objects to", NO_TIERS, "ilm"),
    absentCommand("restore", "bring an object back from a tier", NO_TIERS, "ilm"),
    // The forms of 2022 stood here without `rule`.
    ...RULE_COMMANDS.map(older),
  ],
};

const place = (ctx: CommandContext, { bucket }: RemoteTarget) => ({ bucket, signal: ctx.signal });

async function rulesOf(ctx: CommandContext, target: RemoteTarget): Promise<BucketLifecycle | undefined> {
  return attempt(READ, getLifecycle(ctx.s3(target.alias), place(ctx, target)));
}

async function requireRules(ctx: CommandContext, target: RemoteTarget): Promise<BucketLifecycle> {
  const found = await rulesOf(ctx, target);
  if (found !== undefined) return found;
  throw new CommandError(READ, new Error("The lifecycle configuration does not exist"));
}

async function store(ctx: CommandContext, target: RemoteTarget, rules: readonly LifecycleRule[]): Promise<void> {
  await attempt(WRITE, putLifecycle(ctx.s3(target.alias), place(ctx, target), rules));
}

function required(flags: ParsedFlags): string {
  const id = flags.string("id") ?? "";
  if (id === "") throw new UsageError("Expected --id ID; `mc ilm rule ls` shows them");
  return id;
}

function noRule(id: string, text: string): CommandError {
  return new CommandError(`There is no rule \`${id}\` in ${text}`);
}

async function add(ctx: CommandContext, args: readonly string[], flags: ParsedFlags): Promise<number> {
  const [text = ""] = countArgs(args, 1, 1, `${TARGET}[/PREFIX]`);
  const target = remoteTarget(ctx, text);
  if (target.bucket === "") throw new CommandError(`\`${text}\` names no bucket. Write ${TARGET}`);
  const id = flags.string("id") || systemRandom.bytes(10).toString("hex");
  const rule = newRule(flags, id, target.key);
  const before = (await rulesOf(ctx, target))?.rules ?? [];
  if (before.some((known) => known.id === id)) throw new CommandError(`There is a rule \`${id}\` already`);
  await store(ctx, target, [...before, rule]);
  const message = `Lifecycle configuration rule added with ID \`${id}\` to ${text}.`;
  ctx.out.message(message, { status: "success", target: text, id });
  return 0;
}

async function edit(ctx: CommandContext, args: readonly string[], flags: ParsedFlags): Promise<number> {
  const [text = ""] = countArgs(args, 1, 1, TARGET);
  const target = bucketTarget(ctx, text);
  const id = required(flags);
  const { rules } = await requireRules(ctx, target);
  if (!rules.some((rule) => rule.id === id)) throw noRule(id, text);
  await store(
    ctx,
    target,
    rules.map((rule) => (rule.id === id ? edited(rule, flags) : rule)),
  );
  const message = `Lifecycle configuration rule with ID \`${id}\` modified to ${text}.`;
  ctx.out.message(message, { status: "success", target: text, id });
  return 0;
}

async function list(ctx: CommandContext, args: readonly string[], flags: ParsedFlags): Promise<number> {
  const [text = ""] = countArgs(args, 1, 1, TARGET);
  const { rules, updatedMs } = await requireRules(ctx, bucketTarget(ctx, text));
  const shown = flags.bool("transition") && !flags.bool("expiry") ? [] : rules;
  ctx.out.message(rulesText(shown) || undefined, {
    status: "success",
    target: text,
    config: lifecycleToJson(shown),
    ...updated(updatedMs),
  });
  return 0;
}

const updated = (ms: number | undefined): object =>
  ms === undefined ? {} : { updatedAt: formatRfc3339(new Date(ms)) };

async function remove(ctx: CommandContext, args: readonly string[], flags: ParsedFlags): Promise<number> {
  const [text = ""] = countArgs(args, 1, 1, TARGET);
  const target = bucketTarget(ctx, text);
  const all = flags.bool("all");
  if (all !== flags.bool("force")) throw new UsageError("--all goes with --force");
  if (all) {
    if (flags.given("id")) throw new UsageError("Either --id or --all");
    await store(ctx, target, []);
    ctx.out.message(`Rules for \`${text}\` removed.`, { status: "success", id: "", target: text, all });
    return 0;
  }
  const id = required(flags);
  const { rules } = await requireRules(ctx, target);
  const left = rules.filter((rule) => rule.id !== id);
  if (left.length === rules.length) throw noRule(id, text);
  await store(ctx, target, left);
  ctx.out.message(`Rule ID \`${id}\` from target ${text} removed.`, { status: "success", id, target: text, all });
  return 0;
}

async function exportRules(ctx: CommandContext, args: readonly string[]): Promise<number> {
  const [text = ""] = countArgs(args, 1, 1, TARGET);
  const { rules, updatedMs } = await requireRules(ctx, bucketTarget(ctx, text));
  const config = lifecycleToJson(rules);
  ctx.out.message(JSON.stringify(config, undefined, 1), {
    status: "success",
    target: text,
    config,
    ...updated(updatedMs),
  });
  return 0;
}

async function importRules(ctx: CommandContext, args: readonly string[]): Promise<number> {
  const [text = ""] = countArgs(args, 1, 1, `${TARGET} < FILE`);
  const target = bucketTarget(ctx, text);
  const content = await wholeText(ctx.stdin);
  let json: unknown;
  try {
    json = JSON.parse(content);
  } catch (error) {
    throw new CommandError("Unable to import", new Error("what was read is not JSON", { cause: error }));
  }
  // The object of `export --json` around the rules is as good as the rules.
  const wrapped = typeof json === "object" && json !== null && "config" in json ? json.config : json;
  const rules = await attempt("Unable to import", rulesFrom(wrapped));
  await store(ctx, target, rules);
  const message = `Lifecycle configuration imported successfully to \`${text}\`.`;
  ctx.out.message(message, { status: "success", target: text });
  return 0;
}

async function rulesFrom(json: unknown): Promise<LifecycleRule[]> {
  return lifecycleFromJson(json, () => systemRandom.bytes(10).toString("hex"));
}
