/** `replicate resync report`: the signed statement at the end of a resync, fetched or checked. */
import { readFileSync, writeFileSync } from "node:fs";
import { resyncReport } from "../../../client/resync-calls.ts";
import { signerOf } from "../../../protocol/signed-document.ts";
import type { CommandContext, ParsedFlags } from "../../command.ts";
import { CommandError } from "../../command.ts";
import { attempt } from "../attempt.ts";
import type { BucketSite } from "./common.ts";
import { named } from "./common.ts";

const WHAT = "Unable to get the report of the replication resync";

interface Report {
  readonly job: string;
  readonly site: string;
  readonly bucket: string;
  readonly state: string;
  readonly statement: string;
}

/** Writes the report to `file`. Undefined text: another server that knows no reports. */
export async function saveReport(site: BucketSite, arn: string, file: string): Promise<void> {
  const text = await attempt(WHAT, resyncReport(site.s3, { ...named(site), arn }));
  parsed(text, "The server's answer");
  try {
    writeFileSync(file, text);
  } catch (error) {
    throw new CommandError(`Unable to write \`${file}\``, error);
  }
}

/** `--output FILE` or standard output. */
export async function reportOf(site: BucketSite, arn: string, flags: ParsedFlags): Promise<number> {
  const file = flags.string("output");
  if (file !== undefined) {
    await saveReport(site, arn, file);
    site.ctx.out.message(`Report written to ${file}`, { op: "report", url: site.url, file, status: "success" });
    return 0;
  }
  const text = await attempt(WHAT, resyncReport(site.s3, { ...named(site), arn }));
  const report = parsed(text, "The server's answer");
  site.ctx.out.message(text.trimEnd(), { op: "report", url: site.url, report, status: "success" });
  return 0;
}

/** Exit code 1 when the file is not what its signer signed. */
export function checkReport(ctx: CommandContext, file: string): number {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    throw new CommandError(`Unable to read \`${file}\``, error);
  }
  const report = parsed(text, `\`${file}\``);
  const signer = signerOf(report);
  if (signer === undefined)
    throw new CommandError(`\`${file}\` is not what was signed: it was changed, or never signed`);
  const { job, site, bucket, state, statement } = report;
  const lines = [`Signature is good. Key: ${signer}`, `${site}: resync ${job} of ${bucket} ended ${state}.`, statement];
  ctx.out.message(lines.join("\n"), { op: "check", file, signer, report, status: "success" });
  return 0;
}

function parsed(text: string, whose: string): Report {
  try {
    const report = JSON.parse(text) as Partial<Report>;
    if (typeof report.job === "string" && typeof report.statement === "string") return report as Report;
  } catch {
    // Said below: it is as little of a report as other JSON is.
  }
  throw new CommandError(WHAT, new Error(`${whose} is no report of a resync`));
}
