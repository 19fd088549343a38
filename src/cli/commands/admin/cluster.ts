/** `admin cluster iam|bucket export|import`: identities and buckets' settings as zip files (admin-api.md 6.7). */
import { readFileSync, writeFileSync } from "node:fs";
import { AdminError } from "../../../client/errors.ts";
import type { Command, CommandContext, ParsedFlags } from "../../command.ts";
import { CommandError } from "../../command.ts";
import { attempt, countArgs } from "../attempt.ts";

/** Identities hold secrets: nobody else on this machine may read the file. */
const FILE_MODE = 0o600;
const OUTPUT = { name: "output", aliases: ["o"], kind: "string", help: "file to write" } as const;

export const clusterCommand: Command = {
  name: "cluster",
  summary: "move identities and buckets' settings between sites",
  subcommands: [
    {
      name: "iam",
      summary: "users, groups, policies and access keys",
      subcommands: [
        {
          name: "export",
          summary: "write all identities, secrets in clear, to a file",
          usage: "ALIAS [--output FILE]",
          examples: [{ what: "a copy to keep safe", line: "mc admin cluster iam export here -o iam.zip" }],
          flags: [OUTPUT],
          run: (ctx, args, flags) => exportIam(ctx, args, flags),
        },
        {
          name: "import",
          summary: "read identities from a file; what exists is replaced",
          usage: "ALIAS FILE",
          run: (ctx, args) => importIam(ctx, args),
        },
      ],
    },
    {
      name: "bucket",
      summary: "settings of buckets: versioning, lock, encryption, policy, tags, quota, CORS",
      subcommands: [
        {
          name: "export",
          summary: "write the settings of one bucket or of all to a file",
          usage: "ALIAS[/BUCKET] [--output FILE]",
          flags: [OUTPUT],
          run: (ctx, args, flags) => exportBuckets(ctx, args, flags),
        },
        {
          name: "import",
          summary: "read settings of buckets from a file; missing buckets are made",
          usage: "ALIAS[/BUCKET] FILE",
          run: (ctx, args) => importBuckets(ctx, args),
        },
      ],
    },
  ],
};

function splitTarget(text: string): { alias: string; bucket: string } {
  const [alias = "", bucket = ""] = text.split("/");
  return { alias, bucket };
}

async function download(
  ctx: CommandContext,
  from: { alias: string; path: string; query?: Record<string, string> },
  file: string,
): Promise<void> {
  const bytes = await ctx
    .admin(from.alias)
    .call({ method: "GET", path: from.path, query: from.query, signal: ctx.signal });
  writeFileSync(file, bytes, { mode: FILE_MODE });
}

async function exportIam(ctx: CommandContext, args: readonly string[], flags: ParsedFlags): Promise<number> {
  const [text = ""] = countArgs(args, 1, 1, "ALIAS");
  const { alias } = splitTarget(text);
  const file = flags.string("output") || `${alias}-iam-info.zip`;
  await attempt("Unable to export IAM info", download(ctx, { alias, path: "export-iam" }, file));
  ctx.out.message(`IAM info successfully downloaded as ${file}`, { status: "success", file });
  return 0;
}

async function exportBuckets(ctx: CommandContext, args: readonly string[], flags: ParsedFlags): Promise<number> {
  const [text = ""] = countArgs(args, 1, 1, "ALIAS[/BUCKET]");
  const { alias, bucket } = splitTarget(text);
  const file = flags.string("output") || `${alias}-${bucket || "bucket"}-metadata.zip`;
  await attempt(
    "Unable to export bucket metadata",
    download(ctx, { alias, path: "export-bucket-metadata", query: { bucket } }, file),
  );
  ctx.out.message(`Bucket metadata successfully downloaded as ${file}`, { status: "success", file });
  return 0;
}

function fileBytes(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    throw new CommandError(`Unable to read \`${file}\``, error);
  }
}

type Names = Readonly<Record<string, readonly unknown[] | null | undefined>>;

interface IamResult {
  readonly skipped?: Names | null;
  readonly removed?: Names | null;
  readonly added?: Names | null;
  readonly failed?: Readonly<
    Record<string, readonly { readonly name: string; readonly message?: string }[] | null | undefined>
  > | null;
}

const KINDS: readonly (readonly [member: string, words: string])[] = [
  ["policies", "policies"],
  ["users", "users"],
  ["groups", "groups"],
  ["serviceAccounts", "access keys"],
  ["userPolicies", "policies of users"],
  ["groupPolicies", "policies of groups"],
  ["stsPolicies", "policies of STS accounts"],
];

/** One line for each kind that something happened to. */
function importText(result: IamResult): string {
  const lines: string[] = [];
  for (const word of ["added", "removed", "skipped"] as const) {
    const counts = KINDS.map(([member, words]) => [result[word]?.[member]?.length ?? 0, words] as const).filter(
      ([count]) => count > 0,
    );
    if (counts.length > 0) lines.push(`${word}: ${counts.map(([count, words]) => `${count} ${words}`).join(", ")}`);
  }
  for (const [member, words] of KINDS) {
    for (const { name, message } of result.failed?.[member] ?? [])
      lines.push(`failed: ${words} ${name}${message === undefined ? "" : `: ${message}`}`);
  }
  return lines.length === 0 ? "nothing to import" : lines.join("\n");
}

const anyFailed = (result: IamResult): boolean =>
  Object.values(result.failed ?? {}).some((list) => (list ?? []).length > 0);

/** The current form says what became of each; an older server only knows the one that says nothing. */
async function sendIam(ctx: CommandContext, alias: string, body: Buffer): Promise<IamResult> {
  const call = (path: string) => ({ method: "PUT", path, body, signal: ctx.signal });
  try {
    return await ctx.admin(alias).json<IamResult>(call("import-iam-v2"));
  } catch (error) {
    if (!(error instanceof AdminError) || (error.status !== 426 && error.status !== 404)) throw error;
    await ctx.admin(alias).call(call("import-iam"));
    return {};
  }
}

async function importIam(ctx: CommandContext, args: readonly string[]): Promise<number> {
  const [text = "", file = ""] = countArgs(args, 2, 2, "ALIAS FILE");
  const { alias } = splitTarget(text);
  const result = await attempt("Unable to import IAM info", sendIam(ctx, alias, fileBytes(file)));
  const failed = anyFailed(result);
  ctx.out.message(importText(result), { status: failed ? "error" : "success", ...result });
  return failed ? 1 : 0;
}

interface BucketsResult {
  readonly buckets?: Readonly<
    Record<string, Readonly<Record<string, { isSet?: boolean; error?: string } | string>>>
  > | null;
}

async function importBuckets(ctx: CommandContext, args: readonly string[]): Promise<number> {
  const [text = "", file = ""] = countArgs(args, 2, 2, "ALIAS[/BUCKET] FILE");
  const { alias, bucket } = splitTarget(text);
  const call = {
    method: "PUT",
    path: "import-bucket-metadata",
    query: { bucket },
    body: fileBytes(file),
    signal: ctx.signal,
  };
  const result = await attempt("Unable to import bucket metadata", ctx.admin(alias).json<BucketsResult>(call));
  const { lines, failed } = bucketLines(result);
  ctx.out.message(lines.join("\n"), { status: failed ? "error" : "success", ...result });
  return failed ? 1 : 0;
}

/** A line for each bucket with what was set, and one for each part that was refused. */
export function bucketLines(result: BucketsResult): { readonly lines: readonly string[]; readonly failed: boolean } {
  const lines: string[] = [];
  let failed = false;
  for (const [bucket, parts] of Object.entries(result.buckets ?? {})) {
    const set = Object.entries(parts)
      .filter(([, part]) => typeof part === "object" && part.isSet === true)
      .map(([name]) => name);
    lines.push(`${bucket}: ${set.length === 0 ? "nothing set" : set.join(", ")}`);
    for (const [name, part] of Object.entries(parts)) {
      const why = typeof part === "string" ? part : part.error;
      if (why === undefined || why === "") continue;
      failed = true;
      lines.push(`  failed${typeof part === "string" ? "" : ` ${name}`}: ${why}`);
    }
  }
  return { lines, failed };
}
