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

function healthOf(deps: AdminDeps, name: string, maintenance: boolean): Health | undefined {
  switch (name) {
    case "live":
      return { status: 200, headers: [...(deps.site.ready() ? [] : OFFLINE), ...peerHeader(deps)] };
    case "ready":
      return { status: 200, headers: deps.site.ready() ? [] : OFFLINE };
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
  const headers = [...commonHeaders(deps, request.requestId), ...health.headers, "Content-Length", "0"];
  response.writeHead(health.status, headers);
  response.end();
  return true;
}
