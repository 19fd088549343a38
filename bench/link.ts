/** Two sites with a replication rule between them, for the benchmarks that need it. */
import { setTimeout as sleep } from "node:timers/promises";
import { AdminClient } from "../src/client/admin-client.ts";
import { S3Client } from "../src/client/s3-client.ts";
import { ACCESS, SECRET, type BenchSite } from "./site.ts";

export const endpoint = (site: BenchSite): { url: string; accessKey: string; secretKey: string } => ({
  url: `http://127.0.0.1:${site.port}`,
  accessKey: ACCESS,
  secretKey: SECRET,
});
const VERSIONED = Buffer.from("<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>");

/** A bucket with versioning. */
export async function makeBucket(client: S3Client, bucket: string): Promise<void> {
  await client.send({ method: "PUT", bucket });
  await client.send({ method: "PUT", bucket, query: { versioning: "" }, body: VERSIONED });
}

/** A rule of `bench` for everything from one site to the other; its ARN. */
export async function connectSites(from: BenchSite, to: BenchSite): Promise<string> {
  const target = {
    endpoint: `127.0.0.1:${to.port}`,
    credentials: { accessKey: ACCESS, secretKey: SECRET },
    targetbucket: "bench",
    secure: false,
    type: "replication",
  };
  const admin = new AdminClient(endpoint(from));
  const arn = await admin.json<string>({
    method: "PUT",
    path: "set-remote-target",
    query: { bucket: "bench" },
    body: Buffer.from(JSON.stringify(target)),
    sealed: true,
  });
  const enabled = (name: string): string => `<${name}><Status>Enabled</Status></${name}>`;
  const rule =
    `<Rule><ID>bench</ID><Status>Enabled</Status><Priority>1</Priority>${enabled("DeleteMarkerReplication")}${enabled("DeleteReplication")}` +
    `<Destination><Bucket>${arn}</Bucket></Destination><Filter><Prefix></Prefix></Filter>${enabled("ExistingObjectReplication")}</Rule>`;
  const xml = Buffer.from(`<ReplicationConfiguration>${rule}</ReplicationConfiguration>`);
  await new S3Client(endpoint(from)).send({ method: "PUT", bucket: "bench", query: { replication: "" }, body: xml });
  await admin.close();
  return arn;
}

/** Versions that the source of `bench` still has to send. */
export async function pendingCount(client: S3Client): Promise<number> {
  interface Metrics {
    readonly currStats: { readonly queued?: { readonly curr?: { readonly count?: number } } };
  }
  const answer = await client.send({ method: "GET", bucket: "bench", query: { "replication-metrics": "2" } });
  const metrics = JSON.parse((await answer.bytes()).toString()) as Metrics;
  return metrics.currStats.queued?.curr?.count ?? 0;
}

/** Between two questions: the asking costs the source, and must not be what is measured. */
const DRAIN_LOOK_MS = 50;

/** Waits until the source says that nothing is pending. */
export async function drained(client: S3Client): Promise<void> {
  while ((await pendingCount(client)) > 0) await sleep(DRAIN_LOOK_MS);
}
