/** `replicate verify`, which is `resilver verify` too: proves two buckets, or all of two sites, equal. */
import { writeFile } from "node:fs/promises";
import type { S3Client } from "../../../client/s3-client.ts";
import { collected } from "../../../replication/client-adapter.ts";
import type { TargetRequest } from "../../../replication/wire.ts";
import { systemClock } from "../../../runtime/clock.ts";
import { SETTLE_MS } from "../../../verify/limits.ts";
import { signedReport, summaryJson } from "../../../verify/report.ts";
import { isEqual, statementOf, type Difference, type VerifyResult } from "../../../verify/result.ts";
import type { VerifyLevel } from "../../../verify/seen.ts";
import { CannotLook, VerifySide, type VerifyClient } from "../../../verify/side.ts";
import { verify, type VerifyProgress } from "../../../verify/verify.ts";
import type { Command, CommandContext, ParsedFlags } from "../../command.ts";
import { CommandError } from "../../command.ts";
import { parseDuration } from "../../format.ts";
import { listBuckets } from "../../list/remote.ts";
import { reportKey } from "../../report-key.ts";
import { remoteTarget, type RemoteTarget } from "../../targets.ts";
import { attempt, countArgs } from "../attempt.ts";
import { bucketSite, requireConfig, resolveArn } from "./common.ts";

const FORM = "SOURCE TARGET, each ALIAS/BUCKET[/PREFIX] or ALIAS for all of a site; or ALIAS/BUCKET alone";
const WHAT = "Unable to verify";
const LEVELS: readonly VerifyLevel[] = ["identity", "metadata", "bytes"];
/** Exit codes of the contract: equal, could not look, different. */
const EXIT = { equal: 0, failed: 1, different: 3 } as const;

interface Asked {
  readonly level: VerifyLevel;
  readonly settleMs: number;
}

function asked(flags: ParsedFlags): Asked {
  const level = flags.string("level") ?? "metadata";
  if (!LEVELS.includes(level as VerifyLevel))
    throw new CommandError(`--level is ${LEVELS.join(", ")}; not \`${level}\``);
  const text = flags.string("settle");
  const settleMs = text === undefined ? SETTLE_MS : parseDuration(text);
  if (settleMs === undefined) throw new CommandError(`\`${text}\` is no duration such as 10s`);
  return { level: level as VerifyLevel, settleMs };
}

/** A bucket of an alias as verifying talks to it: health calls go unsigned in all but name. */
function clientOf(client: S3Client, bucket: string): VerifyClient {
  const send = async (request: TargetRequest) => {
    const place = request.path === undefined ? { bucket, key: request.key } : { key: request.path.slice(1) };
    const { method, query, headers, signal } = request;
    const body = Buffer.isBuffer(request.body) ? request.body : undefined;
    const answer = await client.request({ method, ...place, query, headers, body, hashBody: true, signal });
    return collected(answer, request.onData);
  };
  return {
    bucket,
    request: send,
    probe: (path) => send({ method: "GET", path, payload: "hashed" }),
  };
}

async function run(ctx: CommandContext, args: readonly string[], flags: ParsedFlags): Promise<number> {
  const [first = "", second] = countArgs(args, 1, 2, FORM);
  if (second === undefined) return verifyOwn(ctx, first, flags);
  const [source, target] = [first, second].map((text) => remoteTarget(ctx, text)) as [RemoteTarget, RemoteTarget];
  const options = asked(flags);
  const path = flags.string("report");
  // Before anything is looked at: hours later is late to learn that there is no key.
  const key = path === undefined ? undefined : reportKey(ctx.configDir);
  const results: VerifyResult[] = [];
  let missing = 0;
  for (const { from, to } of await pairsOf(ctx, source, target)) {
    if (from === undefined || to === undefined) {
      missing++;
      tellMissing(ctx, from ?? to, from === undefined ? source : target);
      continue;
    }
    const result = await attempt(WHAT, verifyPair(ctx, from, to, options));
    results.push(result);
    tell(ctx, result);
  }
  if (path !== undefined && key !== undefined) {
    await attempt(`Unable to write \`${path}\``, writeFile(path, signedReport(results, key)));
  }
  if (missing > 0 || results.some(({ different }) => different > 0)) return EXIT.different;
  return results.every(isEqual) ? EXIT.equal : EXIT.failed;
}

/** The site compares its bucket with the target itself; the result stays in its metrics. */
async function verifyOwn(ctx: CommandContext, text: string, flags: ParsedFlags): Promise<number> {
  const site = bucketSite(ctx, text);
  const { level } = asked(flags);
  if (flags.given("report")) throw new CommandError("--report needs SOURCE and TARGET: the report is signed here");
  const config = await requireConfig(site, WHAT);
  const wanted = flags.string("remote-bucket");
  const arn = wanted === undefined ? "" : await resolveArn(site, wanted, config);
  const query = { bucket: site.bucket, level, prefix: site.prefix, arn };
  const call = { method: "POST", path: "replication/verify", query, signal: ctx.signal };
  let code: number = EXIT.failed;
  for await (const line of site.admin.objects<OwnLine>(call)) {
    if (line.type === "error") throw new CommandError(WHAT, line.error);
    if (line.type === "progress") ctx.out.progress(progressLine(site.url, line));
    else if (line.type === "difference")
      ctx.out.message(lineOf(line), { status: "success", source: site.url, ...line });
    else {
      ctx.out.message(`${site.url} and ${line.target}: ${line.statement}`, { status: "success", ...line });
      code = line.different > 0 ? EXIT.different : line.isEqual ? EXIT.equal : EXIT.failed;
    }
  }
  return code;
}

type OwnLine =
  | ({ readonly type: "progress" } & VerifyProgress)
  | ({ readonly type: "difference" } & Difference)
  | {
      readonly type: "verify";
      readonly target: string;
      readonly statement: string;
      readonly different: number;
      readonly isEqual: boolean;
    }
  | { readonly type: "error"; readonly error: string };

interface PairOfBuckets {
  readonly from?: RemoteTarget | undefined;
  readonly to?: RemoteTarget | undefined;
}

/** One pair of buckets, or all that either site has. */
async function pairsOf(ctx: CommandContext, source: RemoteTarget, target: RemoteTarget): Promise<PairOfBuckets[]> {
  if ((source.bucket === "") !== (target.bucket === ""))
    throw new CommandError("Name a bucket on both sides, or on none");
  if (source.key !== target.key) {
    throw new CommandError("Versions have the same keys on both sides: name the same prefix for both");
  }
  if (source.bucket !== "") return [{ from: source, to: target }];
  const [here, there] = await Promise.all([bucketsOf(ctx, source), bucketsOf(ctx, target)]);
  const names = [...new Set([...here.keys(), ...there.keys()])].toSorted();
  // Whoever may list none sees two empty sites, which proves nothing.
  if (names.length === 0) throw new CommandError(`Neither \`${source.text}\` nor \`${target.text}\` shows a bucket`);
  return names.map((name) => ({ from: here.get(name), to: there.get(name) }));
}

async function bucketsOf(ctx: CommandContext, { alias, text }: RemoteTarget): Promise<Map<string, RemoteTarget>> {
  const found = await attempt(`Unable to list \`${text}\``, listBuckets(ctx.s3(alias), ctx.signal));
  const names = found.map(({ key }) => key.replace(/\/$/, ""));
  return new Map(
    names.map((bucket) => [bucket, { kind: "remote", alias, bucket, key: "", text: `${alias}/${bucket}` }]),
  );
}

async function verifyPair(
  ctx: CommandContext,
  from: RemoteTarget,
  to: RemoteTarget,
  options: Asked,
): Promise<VerifyResult> {
  const { out, signal } = ctx;
  const clock = systemClock();
  const side = ({ alias, bucket, key, text }: RemoteTarget): VerifySide =>
    new VerifySide({ name: text, client: clientOf(ctx.s3(alias), bucket), prefix: key, clock, signal });
  const onProgress = (progress: VerifyProgress): void => out.progress(progressLine(from.text, progress));
  try {
    return await verify(side(from), side(to), { ...options, clock, signal, onProgress });
  } catch (error) {
    throw error instanceof CannotLook ? new CommandError("Unable to look", error) : error;
  }
}

function progressLine(text: string, { phase, compared, different, bytesRead }: VerifyProgress): string {
  const bytes = bytesRead > 0 ? `, ${Math.round(bytesRead / 1e6)} MB read` : "";
  return `${text}: ${phase}, ${compared} versions${bytes}, ${different} different so far`;
}

function tellMissing(ctx: CommandContext, there: RemoteTarget | undefined, lacking: RemoteTarget): void {
  const bucket = there?.bucket ?? "";
  ctx.out.message(`! ${bucket}: ${lacking.alias} has no such bucket`, {
    status: "success",
    type: "bucket",
    bucket,
    missingAt: lacking.alias,
  });
}

function tell(ctx: CommandContext, result: VerifyResult): void {
  for (const difference of result.differences) {
    ctx.out.message(lineOf(difference), {
      status: "success",
      type: "difference",
      source: result.source,
      target: result.target,
      ...difference,
    });
  }
  const more = result.different - result.differences.length;
  const unnamed = more > 0 ? ` ${more} further differences are counted, not named.` : "";
  ctx.out.message(`${result.source} and ${result.target}: ${statementOf(result)}${unnamed}`, {
    status: "success",
    type: "verify",
    ...summaryJson(result),
  });
}

function lineOf({ key, versionId, what, mismatches }: Difference): string {
  const noun = what === "delete-marker" ? "delete marker " : "";
  return `! ${key} (${noun}${versionId}): ${mismatches.map(({ kind, reason }) => `${kind}: ${reason}`).join("; ")}`;
}

export const verifyCommand: Command = {
  name: "verify",
  summary: "prove two buckets equal, or say exactly what differs",
  usage: FORM,
  examples: [
    { what: "versions, metadata, tags and locks", line: "mc replicate verify here/photos away/photos" },
    {
      what: "all bytes read on both sides, a signed report",
      line: "mc replicate verify --level bytes --report proof.json here/photos away/photos",
    },
    {
      what: "a bucket and its replication target, compared by the site itself",
      line: "mc replicate verify here/photos",
    },
    {
      what: "all buckets of two sites; exit code 0 equal, 3 different, 1 could not look",
      line: "mc replicate verify here away",
    },
  ],
  flags: [
    { name: "level", kind: "string", help: "identity, metadata (default) or bytes: what is compared" },
    { name: "settle", kind: "string", help: "how long after a difference is found it is looked at again; default 3s" },
    {
      name: "remote-bucket",
      aliases: ["arn"],
      kind: "string",
      help: "with ALIAS/BUCKET alone: the target, as ARN, rule ID, ALIAS/BUCKET or URL; not needed when there is only one",
    },
    { name: "report", kind: "string", help: "write a signed report to this file" },
  ],
  run,
};
