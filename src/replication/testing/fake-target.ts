/**
 * A target for tests that behaves as MinIO does on the wire: markers toggle, the same version is 412, HEAD tells whole
 * seconds, null ids are left out of answers. Signatures are not checked. Everything lives in memory.
 */
import { createHash, randomUUID } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { httpDate, isoMillis, msOf, parseRfc3339Nano } from "../../protocol/time.ts";
import { renderObjectLock } from "../../protocol/s3-xml-lock.ts";
import { encodeListing } from "../../protocol/uri.ts";
import { escapeXml, parseXml } from "../../protocol/xml.ts";

export interface FakeVersion {
  readonly key: string;
  readonly versionId: string;
  readonly kind: "object" | "delete-marker";
  readonly mtime: bigint;
  readonly etag: string;
  readonly body: Buffer;
  readonly metadata: Record<string, string>;
  readonly tags: string;
  readonly parts: number;
}

export interface SeenRequest {
  readonly method: string;
  readonly key: string;
  readonly query: URLSearchParams;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}

interface FakeUpload {
  readonly versionId: string;
  readonly headers: Record<string, string>;
  readonly parts: Map<number, { body: Buffer; etag: string }>;
}

const KEPT =
  /^(content-type|content-encoding|cache-control|content-disposition|content-language|expires|x-amz-meta-.*|x-amz-object-lock-.*)$/;

export class FakeTarget {
  readonly versions: FakeVersion[] = [];
  readonly seen: SeenRequest[] = [];
  readonly bucket: string;
  versioning = "Enabled";
  objectLock = false;
  /** Sent with `/minio/health/live`. */
  liveHeaders: Record<string, string> = {};
  /** Answers in place of the target when it returns a status; `cut` ends the connection without an answer. */
  interfere: (request: SeenRequest) => { status: number; code: string } | "cut" | undefined = () => undefined;
  /** As `interfere`, but the target does what was asked before the connection ends without an answer. */
  interfereAfter: (request: SeenRequest) => "cut" | undefined = () => undefined;
  /** Whether the listing knows `metadata=true`. */
  listsMetadata = true;
  readonly #uploads = new Map<string, FakeUpload>();
  #server: Server | undefined;
  #port = 0;

  constructor(bucket = "dst") {
    this.bucket = bucket;
  }

  get endpoint(): string {
    return `127.0.0.1:${this.#port}`;
  }

  /** Listens; again after `stop` on the same port. */
  start(): Promise<void> {
    return new Promise((resolve) => {
      const server = createServer((request, response) => void this.#serve(request, response));
      this.#server = server;
      server.listen(this.#port, "127.0.0.1", () => {
        this.#port = (server.address() as AddressInfo).port;
        resolve();
      });
    });
  }

  stop(): Promise<void> {
    return new Promise((resolve) => {
      this.#server?.close(() => resolve());
      this.#server?.closeAllConnections();
    });
  }

  find(key: string, versionId: string): FakeVersion | undefined {
    return this.versions.find((version) => version.key === key && version.versionId === versionId);
  }

  remove(key: string, versionId: string): boolean {
    const at = this.versions.findIndex((version) => version.key === key && version.versionId === versionId);
    if (at >= 0) this.versions.splice(at, 1);
    return at >= 0;
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const pieces: Buffer[] = [];
    try {
      for await (const piece of request) pieces.push(piece as Buffer);
    } catch {
      response.destroy();
      return;
    }
    const url = new URL(request.url ?? "/", "http://fake");
    const path = decodeURIComponent(url.pathname);
    const seen: SeenRequest = {
      method: request.method ?? "",
      key: path.startsWith(`/${this.bucket}/`) ? path.slice(this.bucket.length + 2) : path,
      query: url.searchParams,
      headers: request.headers,
    };
    if (!path.startsWith("/minio/health/")) this.seen.push(seen);
    const instead = this.interfere(seen);
    if (instead === "cut") return void response.destroy();
    if (instead !== undefined) return fail(response, instead.status, instead.code);
    if (path.startsWith("/minio/health/")) return answer(response, 200, this.liveHeaders);
    if (path === `/${this.bucket}` || path === `/${this.bucket}/`) return this.#bucketCall(seen, response);
    if (!path.startsWith(`/${this.bucket}/`)) return fail(response, 404, "NoSuchBucket");
    if (this.interfereAfter(seen) === "cut") response.destroy();
    this.#objectCall(seen, Buffer.concat(pieces), response);
  }

  #bucketCall(seen: SeenRequest, response: ServerResponse): void {
    if (seen.query.has("versioning")) {
      return answer(
        response,
        200,
        {},
        `<VersioningConfiguration><Status>${this.versioning}</Status></VersioningConfiguration>`,
      );
    }
    if (seen.query.has("object-lock")) {
      if (!this.objectLock) return fail(response, 404, "ObjectLockConfigurationNotFoundError");
      return answer(response, 200, {}, renderObjectLock({}));
    }
    if (seen.query.has("versions")) return this.#list(seen, response);
    answer(response, 200, {});
  }

  #objectCall(seen: SeenRequest, body: Buffer, response: ServerResponse): void {
    const { method, query, headers } = seen;
    if (headers["x-minio-source-replication-check"] !== undefined)
      return fail(response, 400, "ReplicationPermissionCheck");
    if (method === "HEAD") return this.#head(seen, response);
    if (method === "DELETE" && query.has("uploadId"))
      return void (this.#uploads.delete(query.get("uploadId") ?? ""), answer(response, 204, {}));
    if (method === "DELETE") return this.#delete(seen, response);
    if (method === "POST" && query.has("uploads")) return this.#createUpload(seen, response);
    if (method === "POST") return this.#complete(seen, body, response);
    if (method === "GET") return this.#listParts(seen, response);
    if (query.has("partNumber")) return this.#part(seen, body, response);
    if (headers["x-amz-copy-source"] !== undefined) return this.#copy(seen, response);
    this.#put(seen, body, response);
  }

  /** True when an answer was sent: the version is there already (replication.md 3.3). */
  #refused(seen: SeenRequest, response: ServerResponse): boolean {
    const old = this.find(seen.key, seen.query.get("versionId") ?? "");
    if (old?.kind === "delete-marker") return (fail(response, 405, "MethodNotAllowed"), true);
    const etag = seen.headers["x-minio-source-etag"];
    if (old === undefined || etag === undefined || old.etag !== etag) return false;
    return (fail(response, 412, "PreconditionFailed"), true);
  }

  #put(seen: SeenRequest, body: Buffer, response: ServerResponse): void {
    if (this.#refused(seen, response)) return;
    const etag = header(seen.headers, "x-minio-source-etag") || createHash("md5").update(body).digest("hex");
    this.#store(seen.key, seen.query.get("versionId") ?? randomUUID(), {
      headers: flat(seen.headers),
      body,
      etag,
      parts: 0,
    });
    answer(response, 200, { etag: `"${etag}"` });
  }

  #store(
    key: string,
    versionId: string,
    object: { headers: Record<string, string>; body: Buffer; etag: string; parts: number; mtime?: string },
  ): void {
    this.remove(key, versionId);
    const mtime =
      parseRfc3339Nano(object.mtime ?? object.headers["x-minio-source-mtime"] ?? "") ?? BigInt(Date.now()) * 1_000_000n;
    const metadata = Object.fromEntries(Object.entries(object.headers).filter(([name]) => KEPT.test(name)));
    const tags = object.headers["x-amz-tagging"] ?? "";
    this.versions.push({
      key,
      versionId,
      kind: "object",
      mtime,
      etag: object.etag,
      body: object.body,
      metadata,
      tags,
      parts: object.parts,
    });
  }

  #createUpload(seen: SeenRequest, response: ServerResponse): void {
    if (this.#refused(seen, response)) return;
    const id = randomUUID();
    this.#uploads.set(id, {
      versionId: seen.query.get("versionId") ?? "",
      headers: flat(seen.headers),
      parts: new Map(),
    });
    answer(
      response,
      200,
      {},
      `<InitiateMultipartUploadResult><UploadId>${id}</UploadId></InitiateMultipartUploadResult>`,
    );
  }

  #part(seen: SeenRequest, body: Buffer, response: ServerResponse): void {
    const upload = this.#uploads.get(seen.query.get("uploadId") ?? "");
    if (upload === undefined) return fail(response, 404, "NoSuchUpload");
    const etag = createHash("md5").update(body).digest("hex");
    upload.parts.set(Number(seen.query.get("partNumber")), { body, etag });
    answer(response, 200, { etag: `"${etag}"` });
  }

  #listParts(seen: SeenRequest, response: ServerResponse): void {
    const upload = this.#uploads.get(seen.query.get("uploadId") ?? "");
    if (upload === undefined) return fail(response, 404, "NoSuchUpload");
    const parts = [...upload.parts].map(
      ([n, { etag, body }]) =>
        `<Part><PartNumber>${n}</PartNumber><ETag>&#34;${etag}&#34;</ETag><Size>${body.length}</Size></Part>`,
    );
    answer(response, 200, {}, `<ListPartsResult>${parts.join("")}<IsTruncated>false</IsTruncated></ListPartsResult>`);
  }

  #complete(seen: SeenRequest, body: Buffer, response: ServerResponse): void {
    const id = seen.query.get("uploadId") ?? "";
    const upload = this.#uploads.get(id);
    if (upload === undefined) return fail(response, 404, "NoSuchUpload");
    const numbers = parseXml(body)
      .all("Part")
      .map((part) => Number(part.value("PartNumber")));
    const whole = Buffer.concat(numbers.map((number) => upload.parts.get(number)?.body ?? Buffer.alloc(0)));
    const etag = header(seen.headers, "x-minio-source-etag");
    const mtime = header(seen.headers, "x-minio-source-mtime");
    this.#store(seen.key, upload.versionId, {
      headers: upload.headers,
      body: whole,
      etag,
      parts: numbers.length,
      mtime,
    });
    this.#uploads.delete(id);
    answer(response, 200, {}, `<CompleteMultipartUploadResult><ETag>${etag}</ETag></CompleteMultipartUploadResult>`);
  }

  #copy(seen: SeenRequest, response: ServerResponse): void {
    const old = this.find(seen.key, seen.query.get("versionId") ?? "");
    if (old === undefined) return fail(response, 404, "NoSuchKey");
    const headers = flat(seen.headers);
    const locks = Object.entries(headers).filter(
      ([name, value]) => name.startsWith("x-amz-object-lock-") && value !== "",
    );
    const kept = Object.entries(old.metadata).filter(([name]) => !name.startsWith("x-amz-object-lock-"));
    this.remove(old.key, old.versionId);
    this.versions.push({
      ...old,
      metadata: Object.fromEntries([...kept, ...locks]),
      tags: headers["x-amz-tagging"] ?? "",
    });
    answer(response, 200, {}, "<CopyObjectResult></CopyObjectResult>");
  }

  #head(seen: SeenRequest, response: ServerResponse): void {
    const id = seen.query.get("versionId") ?? "";
    const version = this.find(seen.key, id);
    const ready =
      this.versions.some((other) => other.key === seen.key) &&
      seen.headers["x-minio-check-replication-ready"] !== undefined;
    const extra: Record<string, string> = ready ? { "x-minio-replication-ready": "true" } : {};
    if (version === undefined) return answer(response, 404, { ...extra, "x-minio-error-code": "NoSuchVersion" });
    if (version.kind === "delete-marker")
      return answer(response, 405, { ...extra, "x-amz-delete-marker": "true", "x-amz-version-id": id });
    const count = new URLSearchParams(version.tags).size;
    answer(response, 200, {
      ...version.metadata,
      ...(id === "null" ? {} : { "x-amz-version-id": id }),
      ...(count > 0 ? { "x-amz-tagging-count": String(count), "x-amz-tagging": version.tags } : {}),
      etag: `"${version.etag}"`,
      "last-modified": httpDate(msOf(version.mtime)),
      "content-length": String(version.body.length),
    });
  }

  /** The toggle of replication.md 3.7. */
  #delete(seen: SeenRequest, response: ServerResponse): void {
    const id = seen.query.get("versionId") ?? "";
    const removed = this.remove(seen.key, id);
    if (!removed && seen.headers["x-minio-source-deletemarker"] === "true") {
      const mtime = parseRfc3339Nano(header(seen.headers, "x-minio-source-mtime")) ?? 0n;
      this.versions.push({
        key: seen.key,
        versionId: id,
        kind: "delete-marker",
        mtime,
        etag: "",
        body: Buffer.alloc(0),
        metadata: {},
        tags: "",
        parts: 0,
      });
    }
    answer(response, 204, {});
  }

  #list(seen: SeenRequest, response: ServerResponse): void {
    const max = Number(seen.query.get("max-keys") ?? "1000");
    const metadata = seen.query.get("metadata") === "true" && this.listsMetadata;
    const keyMarker = seen.query.get("key-marker") ?? "";
    const idMarker = seen.query.get("version-id-marker") ?? "";
    const sorted = this.versions.toSorted(
      (a, b) => Buffer.compare(Buffer.from(a.key), Buffer.from(b.key)) || (a.mtime > b.mtime ? -1 : 1),
    );
    const markerAt =
      idMarker === "" ? -1 : sorted.findIndex((version) => version.key === keyMarker && version.versionId === idMarker);
    const rest =
      markerAt >= 0
        ? sorted.slice(markerAt + 1)
        : sorted.filter((version) => Buffer.compare(Buffer.from(version.key), Buffer.from(keyMarker)) > 0);
    const page = rest.slice(0, max);
    const last = page.at(-1);
    const truncated = page.length < rest.length;
    const key = `<NextKeyMarker>${encodeListing(last?.key ?? "")}</NextKeyMarker>`;
    const next = truncated ? `${key}<NextVersionIdMarker>${last?.versionId ?? ""}</NextVersionIdMarker>` : "";
    const items = page.map((version) => listed(version, metadata)).join("");
    answer(
      response,
      200,
      {},
      `<ListVersionsResult><IsTruncated>${truncated}</IsTruncated>${next}${items}</ListVersionsResult>`,
    );
  }
}

function listed(version: FakeVersion, metadata: boolean): string {
  const name = version.kind === "object" ? "Version" : "DeleteMarker";
  const user = Object.entries(version.metadata).map(([header, value]) => `<${header}>${escapeXml(value)}</${header}>`);
  const more =
    metadata && version.kind === "object"
      ? `<UserMetadata>${user.join("")}</UserMetadata><UserTags>${escapeXml(version.tags)}</UserTags>`
      : "";
  return (
    `<${name}><Key>${encodeListing(version.key)}</Key><LastModified>${isoMillis(version.mtime)}</LastModified>` +
    `<ETag>&#34;${version.etag}&#34;</ETag><Size>${version.body.length}</Size>${more}<VersionId>${version.versionId}</VersionId></${name}>`
  );
}

function header(headers: SeenRequest["headers"], name: string): string {
  const value = headers[name];
  return typeof value === "string" ? value : "";
}

function flat(headers: SeenRequest["headers"]): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [
      name,
      typeof value === "string" ? value : (value?.join(", ") ?? ""),
    ]),
  );
}

function answer(response: ServerResponse, status: number, headers: Record<string, string>, body = ""): void {
  response.writeHead(status, headers).end(body);
}

function fail(response: ServerResponse, status: number, code: string): void {
  answer(response, status, {}, `<Error><Code>${code}</Code><Message>no</Message></Error>`);
}
