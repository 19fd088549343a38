/** Health: without credentials, GET and HEAD, no body (admin-api.md 1.6). Peers probe `live` before they replicate. */
import type { ServerResponse } from "node:http";
import { RESILVER } from "../protocol/replication-headers.ts";
import { commonHeaders } from "./answer.ts";
import type { AdminDeps } from "./deps.ts";

export const HEALTH_PREFIX = "/minio/health/";

interface Health {
  readonly status: 200 | 412 | 503;
  readonly headers: readonly string[];
}

const OFFLINE = ["x-minio-server-status", "offline"] as const;

function cluster(deps: AdminDeps, quorumHeader: string, maintenance: boolean): Health {
  if (!deps.site.ready()) return { status: 503, headers: OFFLINE };
  const headers = [quorumHeader, "1", "X-Minio-Storage-Class-Defaults", "false"];
  // One server has no other that could take over while it is down.
  return { status: maintenance ? 412 : 200, headers };
}

function peerHeader({ settings: { peerProtocol } }: AdminDeps): readonly string[] {
  return peerProtocol === undefined ? [] : [RESILVER, peerProtocol];
}

/** A site that cannot use its keys is not ready: what it stores and reads by default may need them. */
async function ready(deps: AdminDeps): Promise<Health> {
  if (!deps.site.ready()) return { status: 200, headers: OFFLINE };
  const fault = await deps.keyFault?.();
  return fault === undefined ? { status: 200, headers: [] } : { status: 503, headers: ["x-minio-error-code", fault] };
}

function healthOf(deps: AdminDeps, name: string, maintenance: boolean): Health | Promise<Health> | undefined {
  switch (name) {
    case "live":
      return { status: 200, headers: [...(deps.site.ready() ? [] : OFFLINE), ...peerHeader(deps)] };
    case "ready":
      return ready(deps);
    case "cluster":
      return cluster(deps, "X-Minio-Write-Quorum", maintenance);
    case "cluster/read":
      return cluster(deps, "X-Minio-Read-Quorum", maintenance);
    default:
      return undefined;
  }
}

export interface HealthRequest {
  readonly method: string;
  /** Below HEALTH_PREFIX. */
  readonly name: string;
  readonly query: string;
  readonly requestId: string;
}

/** False when there is no such check, or for another method. */
export function answerHealth(deps: AdminDeps, response: ServerResponse, request: HealthRequest): boolean {
  if (request.method !== "GET" && request.method !== "HEAD") return false;
  const maintenance = new URLSearchParams(request.query).get("maintenance") === "true";
  const health = healthOf(deps, request.name, maintenance);
  if (health === undefined) return false;
  void answer(deps, response, request.requestId, health);
  return true;
}

async function answer(
  deps: AdminDeps,
  response: ServerResponse,
  requestId: string,
  health: Health | Promise<Health>,
): Promise<void> {
  const { status, headers } = await health;
  response.writeHead(status, [...commonHeaders(deps, requestId), ...headers, "Content-Length", "0"]);
  response.end();
}
