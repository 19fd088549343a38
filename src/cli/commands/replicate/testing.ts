/** A server in memory with one bucket `src`: its rules, targets and resyncs. For tests. */
import { parseReplicationXml, renderReplicationXml } from "../../../protocol/replication-xml.ts";
import type { ReplicationConfig } from "../../../model/replication-config.ts";
import type { Answer, FakeServer } from "../testing.ts";
import { adminError, ok, s3Error } from "../testing.ts";
import type { AdminCall } from "../../../client/admin-client.ts";
import type { S3Request } from "../../../client/s3-client.ts";
import type { Forecast } from "../../../resync/forecast.ts";
import type { RemoteTarget } from "./remote-target.ts";

export class ReplicationServer implements FakeServer {
  readonly calls: string[] = [];
  config: ReplicationConfig | undefined;
  readonly targets: RemoteTarget[] = [];
  /** The next PUT ?replication is refused with this code. */
  refuseConfig: string | undefined;
  resyncAnswers: object[] = [];
  /** Whether it says that it is one of ours. */
  resilver = false;
  /** Added to the plan of a resync. */
  planMore: object = {};
  refuseControl = false;
  /** It takes calls of resyncs for others, as a MinIO of 2021 does. */
  tooOld = false;
  readonly #site: string;
  #made = 0;

  constructor(site = "") {
    this.#site = site;
  }

  s3(request: S3Request, body: string): Answer {
    const query = request.query ?? {};
    if (this.tooOld && "replication-reset" in query) return s3Error(409, "BucketAlreadyOwnedByYou");
    if (this.tooOld && "replication-reset-status" in query) return ok("<ListBucketResult></ListBucketResult>");
    if ("replication" in query) return this.#replication(request.method, body);
    if ("replication-reset-cancel" in query) return ok("CANCELLED-ID");
    if (request.key === "minio/health/live")
      return { status: 200, body: "", headers: this.resilver ? { "x-resilver": "1" } : {} };
    if ("replication-reset-plan" in query) return ok(`${JSON.stringify({ ...PLAN, ...this.planMore })}\n`);
    if ("replication-reset-control" in query)
      return this.refuseControl ? s3Error(409, "BucketAlreadyOwnedByYou") : ok(JSON.stringify(resync("arn", "ID")));
    if ("replication-reset" in query)
      return ok(JSON.stringify(resync(String(query["arn"]), String(query["reset-id"]))));
    if ("replication-reset-status" in query) return ok(JSON.stringify(this.resyncAnswers.shift() ?? {}));
    if ("replication-metrics" in query) return ok(JSON.stringify({ uptime: 60, currStats: { replicationCount: 3 } }));
    return s3Error(400, "NotImplemented");
  }

  #replication(method: string, body: string): Answer {
    if (method === "DELETE") {
      this.config = undefined;
      this.targets.length = 0;
      return { status: 204, body: "" };
    }
    if (method === "PUT") {
      if (this.refuseConfig !== undefined) return s3Error(400, this.refuseConfig);
      this.config = parseReplicationXml(Buffer.from(body));
      return ok();
    }
    if (this.config === undefined) return s3Error(404, "ReplicationConfigurationNotFoundError");
    return ok(renderReplicationXml(this.config));
  }

  admin(call: AdminCall, body: string): string {
    const query = call.query ?? {};
    switch (call.path) {
      case "list-remote-targets":
        return JSON.stringify(this.targets.length === 0 ? null : this.targets);
      case "set-remote-target":
        return JSON.stringify(this.#set(JSON.parse(body) as RemoteTarget, query["update"] === "true"));
      case "remove-remote-target":
        return this.#remove(String(query["arn"]));
      case "replication/diff":
        return '{"object":"k","versionId":"V","rStatus":"PENDING"}\n{"object":"l","versionId":"W","rStatus":"FAILED"}\n';
      default:
        throw adminError(426, "XMinioAdminVersionMismatch");
    }
  }

  #set(target: RemoteTarget, update: boolean): string {
    const index = this.targets.findIndex((known) => known.arn === target.arn);
    if (update) {
      if (index < 0) throw adminError(404, "XMinioAdminRemoteTargetNotFoundError");
      this.targets[index] = target;
      return target.arn ?? "";
    }
    const arn = `arn:minio:replication::${this.#site}${++this.#made}:${target.targetbucket}`;
    this.targets.push({ ...target, sourcebucket: "src", arn });
    return arn;
  }

  #remove(arn: string): string {
    const index = this.targets.findIndex((known) => known.arn === arn);
    if (index < 0) throw adminError(404, "XMinioAdminRemoteTargetNotFoundError");
    this.targets.splice(index, 1);
    return "";
  }
}

const PLAN = {
  done: true,
  phase: "done",
  total: 5,
  compared: 5,
  toSend: 3,
  bytesToSend: 3072,
  alreadyEqual: 1,
  notReplicable: 1,
  restored: { absent: 1, purgedThere: 1, damaged: 1, different: 0 },
  staysPurged: 1,
  toPurge: 0,
  onlyAtTarget: 0,
  outOfScope: 0,
  samples: [{ key: "k", versionId: "V", reason: "it was purged there for every site" }],
  rate: { versionsPerSecond: 100, bytesPerSecond: 1000, from: "last resync" },
  seconds: 4,
} satisfies Forecast;

/** The answer of a start: one target with the id, times and counters at zero. */
export function resync(arn: string, resetid: string, more: object = {}): object {
  const never = "0001-01-01T00:00:00Z";
  return { target: [{ arn, resetid, startTime: never, endTime: never, replicationCount: 0, ...more }] };
}
