/** What a target must be before it is used: reachable, there, versioned, not this very bucket (replication.md 2.4). */
import { StoreError } from "../model/errors.ts";
import { parseHttpDate } from "../protocol/time.ts";
import { parseXml } from "../protocol/xml.ts";
import {
  SOURCE_REPLICATION_CHECK,
  REPLICATION_STATUS,
  REPLICA,
  SOURCE_DELETE_MARKER,
  SOURCE_PROXY_REQUEST,
} from "../protocol/replication-headers.ts";
import { sourceHeaders } from "./headers.ts";
import { PROBE_TIMEOUT_MS } from "./limits.ts";
import { errorOf, type TargetClient, type TargetRequest, type TargetResponse } from "./wire.ts";

export function unreachableTarget(detail: string, cause?: unknown): StoreError {
  return new StoreError("XMinioAdminReplicationRemoteConnectionError", {
    message: `Remote service connection error (${detail})`,
    cause,
  });
}

/** A request whose failure is told as one of the connection. Throws XMinioAdminReplicationRemoteConnectionError. */
export async function ask(client: TargetClient, request: TargetRequest): Promise<TargetResponse> {
  try {
    return await client.request(request);
  } catch (cause) {
    throw unreachableTarget(cause instanceof Error ? cause.message : String(cause), cause);
  }
}

/** A refusal that repeating cannot mend is a 400 with the target's own words: clients repeat a 503 for a minute. */
function refusedBy(what: string, answer: TargetResponse): StoreError {
  const { code, message } = errorOf(answer);
  if (answer.status >= 500 || answer.status === 429) return unreachableTarget(`${what}: ${code} ${message}`);
  // Servers answer plain HTTP on a TLS port so, without a word that a HEAD could carry.
  const hint = code === "HTTP400" ? ". If its port speaks TLS, write https:// instead of http://" : "";
  return new StoreError("InvalidRequest", {
    message: `The remote target refused ${what}: ${code} (${message})${hint}`,
  });
}

/** HEAD of the bucket. Absent: `notFound` names the code. */
export async function checkBucketThere(client: TargetClient, notFound: string): Promise<void> {
  const answer = await ask(client, { method: "HEAD", payload: "hashed" });
  if (answer.status === 404)
    throw new StoreError(notFound, { message: `The remote bucket "${client.bucket}" does not exist` });
  if (answer.status >= 300) throw refusedBy(`access to the bucket "${client.bucket}"`, answer);
}

export async function checkVersioned(client: TargetClient): Promise<void> {
  const answer = await ask(client, { method: "GET", query: { versioning: "" }, payload: "hashed" });
  if (answer.status >= 300) throw refusedBy("?versioning", answer);
  if (parseXml(answer.body).value("Status") !== "Enabled") {
    throw new StoreError("RemoteTargetNotVersionedError", {
      message: `The remote bucket "${client.bucket}" does not have versioning enabled`,
    });
  }
}

/** What the source keeps, the target must be able to keep. */
export async function checkLocked(client: TargetClient): Promise<void> {
  const answer = await ask(client, { method: "GET", query: { "object-lock": "" }, payload: "hashed" });
  const missing = answer.status === 404 && errorOf(answer).code === "ObjectLockConfigurationNotFoundError";
  if (answer.status >= 300 && !missing) throw refusedBy("?object-lock", answer);
  if (!missing && parseXml(answer.body).value("ObjectLockEnabled") === "Enabled") return;
  throw new StoreError("ReplicationDestinationMissingLockError", {
    message: `The remote bucket "${client.bucket}" needs object lock, as the source bucket has it.`,
  });
}

/** The endpoint must say that it lives. Returns its answer. */
export async function checkAlive(client: TargetClient): Promise<TargetResponse> {
  let answer: TargetResponse;
  try {
    answer = await client.probe("/minio/health/live", PROBE_TIMEOUT_MS);
  } catch (cause) {
    throw unreachableTarget(cause instanceof Error ? cause.message : String(cause), cause);
  }
  const offline = answer.status !== 200 || answer.headers["x-minio-server-status"] === "offline";
  if (offline) throw unreachableTarget(`GET /minio/health/live answered ${answer.status}`);
  return answer;
}

/**
 * `minio`: the endpoint has MinIO's health call and with it the rest of the wire. `s3`: it is plain S3, which mints its
 * own version ids. A MinIO that does not answer well is unreachable, never plain S3.
 */
export async function dialectOf(client: TargetClient): Promise<"minio" | "s3"> {
  try {
    await checkAlive(client);
    return "minio";
  } catch (error) {
    const probe = await client.probe("/minio/health/live", PROBE_TIMEOUT_MS).catch(() => undefined);
    if (probe === undefined || probe.status < 400 || probe.status >= 500) throw error;
    const { headers } = await ask(client, { method: "HEAD", payload: "hashed" });
    if (/minio/i.test(headers["server"] ?? "")) throw error;
    return "s3";
  }
}

/** True when the endpoint answers with this site's own id (replication.md 2.4, the second self check). */
export async function isThisSite(client: TargetClient, hostId: string): Promise<boolean> {
  if (hostId === "") return false;
  try {
    const answer = await client.probe("/minio/health/ready", PROBE_TIMEOUT_MS);
    return answer.headers["x-amz-id-2"] === hostId;
  } catch {
    return false;
  }
}

/** What a rule will ask of the target beside new versions. */
export interface WriteNeeds {
  readonly markers: boolean;
  readonly purges: boolean;
}

export interface ProbeObject {
  readonly key: string;
  readonly versionId: string;
  readonly nowNs: bigint;
}

const lacks = (right: string, { code, message }: { code: string; message: string }): StoreError =>
  new StoreError("InvalidRequest", {
    message: `The replication user lacks ${right} at the target: ${code} (${message})`,
  });

/**
 * replication.md 2.5: a PUT and up to two DELETEs that the target must refuse with ReplicationPermissionCheck. False: it knows
 * no dry runs (a MinIO before 2022) and has stored what was put, which is purged again.
 */
export async function checkWrites(
  client: TargetClient,
  probe: ProbeObject,
  needs: WriteNeeds = { markers: true, purges: true },
): Promise<boolean> {
  const headers = {
    ...sourceHeaders({}, probe.nowNs),
    [REPLICATION_STATUS]: REPLICA,
    [SOURCE_REPLICATION_CHECK]: "true",
  };
  const body = Buffer.from("aaaaaaaa");
  const base = { key: probe.key, payload: "hashed" } as const;
  const put = {
    ...base,
    method: "PUT",
    query: { versionId: probe.versionId },
    headers,
    body,
    contentLength: body.length,
  } as const;
  const marker = { ...base, method: "DELETE", headers: { ...headers, [SOURCE_DELETE_MARKER]: "true" } } as const;
  const purge = { ...base, method: "DELETE", headers } as const;
  const steps: [string, TargetRequest, boolean][] = [
    ["s3:PutObject and s3:ReplicateObject", put, true],
    ["s3:DeleteObject and s3:ReplicateDelete of markers", marker, needs.markers],
    ["s3:DeleteObject and s3:ReplicateDelete", purge, needs.purges],
  ];
  for (const [right, request, needed] of steps) {
    if (!needed) continue;
    const answer = await ask(client, request);
    const error = errorOf(answer);
    if (error.code === "ReplicationPermissionCheck") continue;
    if (request === put && answer.status < 300) {
      const purged = await ask(client, { ...purge, query: put.query });
      if (purged.status >= 300)
        throw lacks(`s3:ReplicateDelete (the object ${probe.key} stays there)`, errorOf(purged));
      return false;
    }
    if (answer.status >= 500) throw unreachableTarget(`${right}: ${error.code} ${error.message}`);
    throw lacks(right, error);
  }
  return true;
}

/**
 * Writes a version with an id and a time of our own, looks at it and purges it. A MinIO target answers dry runs before it
 * looks at s3:ReplicateObject and s3:ReplicateDelete: who lacks them passes those and fails at every version (2.5).
 */
export async function checkRealWrites(client: TargetClient, probe: ProbeObject): Promise<void> {
  const at = { key: probe.key, query: { versionId: probe.versionId }, payload: "hashed" } as const;
  const headers = { ...sourceHeaders({}, probe.nowNs), [REPLICATION_STATUS]: REPLICA };
  const body = Buffer.from("aaaaaaaa");
  const stored = await ask(client, { ...at, method: "PUT", headers, body, contentLength: body.length });
  if (stored.status >= 300) throw lacks("s3:ReplicateObject", errorOf(stored));
  const seen = await ask(client, { ...at, method: "HEAD", headers: { [SOURCE_PROXY_REQUEST]: "false" } });
  const purged = await ask(client, { ...at, method: "DELETE", headers });
  if (purged.status >= 300) throw lacks(`s3:ReplicateDelete (the object ${probe.key} stays there)`, errorOf(purged));
  if (seen.status >= 300) throw lacks("s3:GetObject and s3:GetObjectVersion", errorOf(seen));
  const seconds = Number(probe.nowNs / 1_000_000_000n);
  const keptId = seen.headers["x-amz-version-id"] === probe.versionId;
  const keptTime = parseHttpDate(seen.headers["last-modified"] ?? "") === seconds * 1000;
  if (keptId && keptTime) return;
  const what = keptId ? "modification times" : "version ids";
  throw new StoreError("InvalidRequest", { message: `The target does not keep the ${what} that replication gives.` });
}
