/** A site under attack: a server that is killed and started again on its port, and the calls that tests make to it. */
import assert from "node:assert/strict";
import type { ChildProcess } from "node:child_process";
import { setImmediate as turn } from "node:timers/promises";
import { AdminClient } from "../../src/client/admin-client.ts";
import { S3Client, type S3Response } from "../../src/client/s3-client.ts";
import { parseXml, type XmlElement } from "../../src/protocol/xml.ts";
import { ROOT_SECRET, ROOT_USER, startServer, type RunningServer, type StartOptions } from "./server.ts";

export interface CallOptions {
  readonly key?: string;
  readonly query?: Record<string, string>;
  readonly body?: string | Buffer;
  readonly headers?: Record<string, string>;
}

/** A row of a version listing. */
export interface Listed {
  readonly kind: "Version" | "DeleteMarker";
  readonly key: string;
  readonly versionId: string;
  readonly time: string;
  readonly etag: string;
  readonly size: number;
  readonly latest: boolean;
  readonly tags: string;
  readonly meta: string;
}

export class Site {
  server: RunningServer;
  s3: S3Client;
  readonly #options: StartOptions;
  #starting: ChildProcess | undefined;
  /** How long each start took until the ready line. */
  readonly startsMs: number[] = [];

  constructor(server: RunningServer, options: StartOptions) {
    this.server = server;
    this.#options = options;
    this.s3 = clientOf(server);
  }

  static async start(options: StartOptions = {}): Promise<Site> {
    return new Site(await startServer(options), options);
  }

  kill(): Promise<void> {
    return this.server.kill();
  }

  /** Starts again on the same port and directory. */
  async restart(): Promise<void> {
    await this.s3.close();
    const started = performance.now();
    const spawned = (child: ChildProcess): void => void (this.#starting = child);
    this.server = await startServer({ ...this.#options, dir: this.server.dir, port: this.server.port, spawned });
    this.startsMs.push(Math.round(performance.now() - started));
    this.s3 = clientOf(this.server);
  }

  /** SIGKILL to a start under way, however far it is. */
  killStarting(): void {
    this.#starting?.kill("SIGKILL");
  }

  close(): Promise<void> {
    return this.s3.close();
  }

  /** Any status is an answer; rejects when there is none. */
  call(method: string, bucket: string, options: CallOptions = {}): Promise<S3Response> {
    const body = options.body === undefined ? undefined : Buffer.from(options.body);
    return this.s3.request({ method, bucket, key: options.key, query: options.query, headers: options.headers, body });
  }

  /** The body of a 2xx answer as text; throws for others. */
  async text(method: string, bucket: string, options: CallOptions = {}): Promise<string> {
    const answer = await this.call(method, bucket, options);
    const text = (await answer.bytes()).toString("utf8");
    assert.ok(answer.status < 300, `${method} ${bucket}/${options.key ?? ""}: ${answer.status} ${text}`);
    return text;
  }

  async makeBucket(bucket: string, options: { versioned: boolean } = { versioned: true }): Promise<void> {
    await this.text("PUT", bucket);
    const body = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
    if (options.versioned) await this.text("PUT", bucket, { query: { versioning: "" }, body });
  }

  /** Every version of a bucket, in listing order. */
  async versions(bucket: string): Promise<Listed[]> {
    const out: Listed[] = [];
    let query: Record<string, string> = { versions: "", metadata: "true" };
    for (;;) {
      const root = parseXml(Buffer.from(await this.text("GET", bucket, { query })), { maxBytes: 1 << 28 });
      for (const child of root.children)
        if (child.name === "Version" || child.name === "DeleteMarker") out.push(listed(child));
      if (root.value("IsTruncated") !== "true") return out;
      query = {
        ...query,
        "key-marker": root.value("NextKeyMarker") ?? "",
        "version-id-marker": root.value("NextVersionIdMarker") ?? "",
      };
    }
  }

  /** What two equal sites share of a listing, as lines. */
  async lines(bucket: string): Promise<string[]> {
    return (await this.versions(bucket)).map((row) => Object.values(row).join(" "));
  }

  async admin<T>(work: (client: AdminClient) => Promise<T>): Promise<T> {
    const client = new AdminClient(rootOf(this.server));
    try {
      return await work(client);
    } finally {
      await client.close();
    }
  }
}

/** The root account; the test certificate is no one's business but the server's. */
function rootOf({ url }: RunningServer) {
  return { url, accessKey: ROOT_USER, secretKey: ROOT_SECRET, insecureTls: url.startsWith("https:") };
}

function clientOf(server: RunningServer): S3Client {
  return new S3Client(rootOf(server));
}

function listed(element: XmlElement): Listed {
  const user =
    element
      .child("UserMetadata")
      ?.children.filter((child) => child.name.toLowerCase() !== "x-amz-replication-status") ?? [];
  return {
    kind: element.name as Listed["kind"],
    key: element.value("Key") ?? "",
    versionId: element.value("VersionId") ?? "",
    time: element.value("LastModified") ?? "",
    etag: (element.value("ETag") ?? "").replaceAll('"', ""),
    size: Number(element.value("Size") ?? 0),
    latest: element.value("IsLatest") === "true",
    tags: element.value("UserTags") ?? "",
    meta: user.map((child) => `${child.name}=${child.text}`).join(" "),
  };
}

/** Asks until it is so, and fails with the last word of `explain` after `waitMs`. For conditions that nothing announces. */
export async function until(
  reached: () => Promise<boolean>,
  waitMs: number,
  explain: () => Promise<string>,
): Promise<void> {
  const deadline = Date.now() + waitMs;
  while (!(await reached())) {
    if (Date.now() > deadline) assert.fail(await explain());
    await turn();
  }
}

/** Where a target is: a site, or a double of another server. */
export interface Place {
  readonly server: { readonly url: string; readonly port: number };
}

/** A remote target and a rule that replicates everything from `a` to `b`; returns the ARN. `putRule` changes it later. */
export async function setRule(a: Site, b: Site, bucket: string): Promise<string> {
  const [arn] = await setRules(a, [b], bucket);
  return arn ?? "";
}

/** The same for several targets, a rule each. Returns the ARNs. */
export async function setRules(from: Site, to: readonly Place[], bucket: string): Promise<string[]> {
  const arns: string[] = [];
  for (const site of to) arns.push(await setTarget(from, site, bucket));
  await putRules(from, bucket, arns, true);
  return arns;
}

function setTarget(from: Site, to: Place, bucket: string): Promise<string> {
  const target = {
    endpoint: `127.0.0.1:${to.server.port}`,
    credentials: { accessKey: ROOT_USER, secretKey: ROOT_SECRET },
    targetbucket: bucket,
    secure: to.server.url.startsWith("https:"),
    type: "replication",
  };
  const body = Buffer.from(JSON.stringify(target));
  return from.admin((admin) =>
    admin.json<string>({ method: "PUT", path: "set-remote-target", query: { bucket }, body, sealed: true }),
  );
}

export function putRule(site: Site, bucket: string, arn: string, enabled: boolean): Promise<void> {
  return putRules(site, bucket, [arn], enabled);
}

async function putRules(site: Site, bucket: string, arns: readonly string[], enabled: boolean): Promise<void> {
  const on = "<Status>Enabled</Status>";
  const features = ["DeleteMarkerReplication", "DeleteReplication", "ExistingObjectReplication"].map(
    (name) => `<${name}>${on}</${name}>`,
  );
  const modifications = `<SourceSelectionCriteria><ReplicaModifications>${on}</ReplicaModifications></SourceSelectionCriteria>`;
  const status = enabled ? on : "<Status>Disabled</Status>";
  const rules = arns.map((arn, i) => {
    const where = `<Destination><Bucket>${arn}</Bucket></Destination><Filter><Prefix></Prefix></Filter>`;
    return `<Rule><ID>r${i}</ID>${status}<Priority>${i + 1}</Priority>${where}${features.join("")}${modifications}</Rule>`;
  });
  const body = `<ReplicationConfiguration>${rules.join("")}</ReplicationConfiguration>`;
  await site.text("PUT", bucket, { query: { replication: "" }, body });
}

/** What `a` and `b` hold only for themselves. */
export async function difference(a: Site, b: Site, bucket: string): Promise<{ onlyA: string[]; onlyB: string[] }> {
  const [here, there] = await Promise.all([a.lines(bucket), b.lines(bucket)]);
  const [left, right] = [new Set(here), new Set(there)];
  return { onlyA: here.filter((line) => !right.has(line)), onlyB: there.filter((line) => !left.has(line)) };
}

export async function explainDifference(a: Site, b: Site, bucket: string): Promise<string> {
  const { onlyA, onlyB } = await difference(a, b, bucket);
  return `only at A (${onlyA.length}):\n${onlyA.slice(0, 20).join("\n")}\nonly at B (${onlyB.length}):\n${onlyB.slice(0, 20).join("\n")}`;
}

const tagging = (tags: Record<string, string>): string =>
  `<Tagging><TagSet>${Object.entries(tags)
    .map(([key, value]) => `<Tag><Key>${key}</Key><Value>${value}</Value></Tag>`)
    .join("")}</TagSet></Tagging>`;

export async function putTags(
  site: Site,
  bucket: string,
  at: { key: string; versionId: string },
  tags: Record<string, string>,
): Promise<number> {
  const answer = await site.call("PUT", bucket, {
    key: at.key,
    query: { tagging: "", versionId: at.versionId },
    body: tagging(tags),
  });
  await answer.discard();
  return answer.status;
}

/** A multipart upload of these parts. Returns the version id, or undefined when the completion was not answered with 200. */
export async function putParts(
  site: Site,
  bucket: string,
  key: string,
  parts: readonly Buffer[],
): Promise<string | undefined> {
  const start = parseXml(Buffer.from(await site.text("POST", bucket, { key, query: { uploads: "" } })));
  const uploadId = start.value("UploadId") ?? "";
  const done = await Promise.all(
    parts.map(async (body, i) => {
      const answer = await site.call("PUT", bucket, { key, query: { partNumber: String(i + 1), uploadId }, body });
      await answer.discard();
      assert.equal(answer.status, 200);
      return `<Part><PartNumber>${i + 1}</PartNumber><ETag>${answer.headers["etag"]}</ETag></Part>`;
    }),
  );
  const body = `<CompleteMultipartUpload>${done.join("")}</CompleteMultipartUpload>`;
  const answer = await site.call("POST", bucket, { key, query: { uploadId }, body });
  // A completion may answer 200 and then an error document: only the whole document is an acknowledgement.
  const text = (await answer.bytes()).toString("utf8");
  return answer.status === 200 && text.includes("CompleteMultipartUploadResult>")
    ? (answer.headers["x-amz-version-id"] ?? "")
    : undefined;
}
