/** Groups and policies as the server knows them, for commands of several families. */
import type { AdminSite } from "./common.ts";

export interface GroupDetail {
  readonly name: string;
  readonly status?: string | undefined;
  readonly members?: readonly string[] | null | undefined;
  /** Policy names, separated by commas. */
  readonly policy?: string | undefined;
}

export interface PolicyDocument {
  readonly Statement?: readonly unknown[] | undefined;
  readonly [member: string]: unknown;
}

export interface PolicyDetail {
  readonly PolicyName: string;
  readonly Policy?: PolicyDocument | null | undefined;
  readonly CreateDate?: string | undefined;
  readonly UpdateDate?: string | undefined;
}

export function groupDetail(site: AdminSite, group: string): Promise<GroupDetail> {
  return site.client.json<GroupDetail>({ method: "GET", path: "group", query: { group }, signal: site.ctx.signal });
}

/** A server that does not know the second form of the answer sends the bare document: it is asked again in the first. */
export async function policyDetail(site: AdminSite, name: string): Promise<PolicyDetail> {
  const { signal } = site.ctx;
  const call = { method: "GET", path: "info-canned-policy", query: { name, v: "2" }, signal };
  const answer = await site.client.json<PolicyDetail>(call);
  if (answer.PolicyName !== undefined && answer.PolicyName !== "") return answer;
  const policy = await site.client.json<PolicyDocument>({ ...call, query: { name } });
  return { PolicyName: name, Policy: policy };
}
