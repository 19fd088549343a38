/**
 * `replicate import` of another server's export: its ARNs mean nothing here, so each is mapped to the target of this bucket
 * that leads to the same place (mc-cli.md 10 point 31). Pure.
 */
import type { ReplicationConfig } from "../../../model/replication-config.ts";
import { CommandError } from "../../command.ts";
import { normalizeEndpoint } from "./remote-address.ts";
import type { RemoteTarget } from "./remote-target.ts";

/** Where an ARN led on the server that made the export. */
export interface ExportedTarget {
  readonly arn: string;
  readonly endpoint: string;
  readonly secure: boolean;
  readonly targetbucket: string;
}

/** What `export --json` says of the targets, so that `import` elsewhere can find them again. */
export function exportedTargets(targets: readonly RemoteTarget[]): ExportedTarget[] {
  return targets.map(({ arn, endpoint, secure, targetbucket }) => ({ arn: arn ?? "", endpoint, secure, targetbucket }));
}

/**
 * `config` with each ARN that no local target has replaced by the ARN of the local target with the same endpoint and
 * bucket; without a word about endpoints, by the only local target with the ARN's bucket name. CommandError when there
 * is none.
 */
export function mapArns(
  config: ReplicationConfig,
  origin: readonly ExportedTarget[],
  local: readonly RemoteTarget[],
): ReplicationConfig {
  const map = (arn: string): string => {
    if (arn === "" || !arn.startsWith("arn:minio:") || local.some((target) => target.arn === arn)) return arn;
    const found = localArn(arn, origin, local);
    if (found !== undefined) return found;
    const hint =
      "make it first: mc admin bucket remote add ALIAS/BUCKET http://ACCESS:SECRET@HOST/BUCKET --service replication";
    throw new CommandError(`Unable to import: this bucket has no target for ${arn}`, new Error(hint));
  };
  const rules = config.rules.map((rule) => ({ ...rule, destination: map(rule.destination) }));
  return { rules, role: map(config.role) };
}

function localArn(arn: string, origin: readonly ExportedTarget[], local: readonly RemoteTarget[]): string | undefined {
  const known = origin.find((target) => target.arn === arn);
  const place = (target: { endpoint: string; secure: boolean }): string =>
    normalizeEndpoint(target.endpoint, target.secure);
  const bucket = known?.targetbucket ?? arn.split(":").at(-1);
  const named = local.filter((target) => target.targetbucket === bucket);
  const candidates = known === undefined ? named : named.filter((target) => place(target) === place(known));
  return candidates.length === 1 ? candidates[0]?.arn : undefined;
}
