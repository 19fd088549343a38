/**
 * A target for tests that behaves as MinIO does on the wire (replication.md 3): markers toggle, the same version is 412,
 * HEAD tells whole seconds, null ids are left out of answers, metadata copies by time erase what they do not replace.
 * Signatures are not checked. Everything lives in memory.
 */
import { createHash, randomUUID } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { httpDate, isoMillis, msOf, parseRfc3339Nano } from "../../protocol/time.ts";
import { renderObjectLock } from "../../protocol/s3-xml-lock.ts";
import { encodeListing } from "../../protocol/uri.ts";
import { escapeXml, parseXml } from "../../protocol/xml.ts";
import { checksumsOf, FakeStore, timeOf, type FakeVersion, type Headers } from "./fake-store.ts";

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

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
/** Parts before the last one are at least as large. */
const PART_BYTES_MIN = 5 << 20;

export class FakeTarget {
  readonly store = new FakeStore();
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
  /** Is told of tags that a client set or removed, or a site for its client. */
  onTagged: (version: FakeVersion) => void = () => undefined;
  /** Whether the listing knows `metadata=true`. */
  listsMetadata = true;
  /** Whether it refuses what is only to be tried: an old MinIO does it. */
  knowsDryRuns = true;
  /** Whether an object has the time that its source gave it: an old MinIO gives those of several parts its own. */
  keepsTimes = true;
  /** Whether HEAD tells tags to who asks for them: an old MinIO tells their count. */
  tellsTags = true;
  readonly #uploads = new Map<string, FakeUpload>();
  #server: Server | undefined;
  #port = 0;

  readonly #uuid: () => string;
  readonly #nowNs: () => bigint;

  constructor(bucket = "dst", uuid: () => string = randomUUID, nowNs = () => BigInt(Date.now()) * 1_000_000n) {
    this.bucket = bucket;
    this.#uuid = uuid;
    this.#nowNs = nowNs;
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

  /** One request without a socket. */
  readonly handler = (request: IncomingMessage, response: ServerResponse): void => void this.#serve(request, response);

  get versions(): FakeVersion[] {
    return this.store.versions;
  }

  find(key: string, versionId: string): FakeVersion | undefined {
    return this.store.find(key, versionId);
  }

  remove(key: string, versionId: string): boolean {
    return this.store.remove(key, versionId);
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
    if (this.knowsDryRuns && headers["x-minio-source-replication-check"] !== undefined)
      return fail(response, 400, "ReplicationPermissionCheck");
    const id = query.get("versionId") ?? "";
    if (id !== "" && id !== "null" && !UUID.test(id)) return fail(response, 400, "InvalidArgument");
    if (method === "HEAD") return this.#head(seen, response);
    if (method === "DELETE" && query.has("uploadId"))
      return void (this.#uploads.delete(query.get("uploadId") ?? ""), answer(response, 204, {}));
    if (method === "DELETE" && !query.has("tagging")) return this.#delete(seen, response);
    if (query.has("tagging") && method !== "GET") return this.#tag(seen, body, response);
    if (method === "GET") return query.has("uploadId") ? this.#listParts(seen, response) : this.#get(seen, response);
    // An id of one's own needs a bucket that keeps versions, and a time must be one.
    const strange = UUID.test(id) && this.versioning !== "Enabled";
    const mtime = header(headers, "x-minio-source-mtime");
    if (strange || (mtime !== "" && parseRfc3339Nano(mtime) === undefined))
      return fail(response, 400, "InvalidArgument");
    if (method === "POST" && query.has("uploads")) return this.#createUpload(seen, response);
    if (method === "POST") return this.#complete(seen, body, response);
    if (query.has("partNumber")) return this.#part(seen, body, response);
    if (headers["x-amz-copy-source"] !== undefined) return this.#copy(seen, response);
    this.#put(seen, body, response);
  }

  /** True when an answer was sent: the version is there already (replication.md 3.3). */
  #refused(seen: SeenRequest, response: ServerResponse): boolean {
    const old = this.find(seen.key, seen.query.get("versionId") ?? "");
    const gone = old !== undefined && this.store.isPurging(old.key, old.versionId);
    if (gone || old?.kind === "delete-marker") return (fail(response, 405, "MethodNotAllowed"), true);
    const etag = seen.headers["x-minio-source-etag"];
    if (old === undefined || etag === undefined || old.etag !== etag) return false;
    const told = { etag: `"${old.etag}"`, "last-modified": httpDate(msOf(old.mtime)) };
    return (fail(response, 412, "PreconditionFailed", told), true);
  }

  #put(seen: SeenRequest, body: Buffer, response: ServerResponse): void {
    if (this.#refused(seen, response)) return;
    const etag = header(seen.headers, "x-minio-source-etag") || md5(body);
    const versionId = seen.query.get("versionId") || this.#uuid();
    const mtime = this.keepsTimes ? undefined : this.#nowNs();
    this.store.put({ key: seen.key, versionId, headers: flat(seen.headers), body, etag, mtime });
    answer(response, 200, { etag: `"${etag}"`, ...idHeader(versionId) });
  }

  #createUpload(seen: SeenRequest, response: ServerResponse): void {
    if (this.#refused(seen, response)) return;
    const id = this.#uuid();
    const versionId = seen.query.get("versionId") || this.#uuid();
    this.#uploads.set(id, { versionId, headers: flat(seen.headers), parts: new Map() });
    const text = `<InitiateMultipartUploadResult><UploadId>${id}</UploadId></InitiateMultipartUploadResult>`;
    answer(response, 200, {}, text);
  }

  #part(seen: SeenRequest, body: Buffer, response: ServerResponse): void {
    const upload = this.#uploads.get(seen.query.get("uploadId") ?? "");
    if (upload === undefined) return fail(response, 404, "NoSuchUpload");
    const etag = md5(body);
    upload.parts.set(Number(seen.query.get("partNumber")), { body, etag });
    answer(response, 200, { etag: `"${etag}"`, ...checksumsOf(flat(seen.headers)) });
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
    const headers = flat(seen.headers);
    if (Object.keys(headers).some((name) => name.startsWith("x-amz-object-lock-")))
      return fail(response, 400, "InvalidRequest");
    const named = parseXml(body)
      .all("Part")
      .map((part) => upload.parts.get(Number(part.value("PartNumber"))));
    const parts = named.flatMap((part) => (part === undefined ? [] : [part]));
    if (parts.length === 0 || parts.length < named.length) return fail(response, 400, "InvalidPart");
    if (parts.slice(0, -1).some((part) => part.body.length < PART_BYTES_MIN))
      return fail(response, 400, "EntityTooSmall");
    const md5s = Buffer.concat(parts.map((part) => Buffer.from(part.etag, "hex")));
    // The id, the ETag and all that describes the object were said at the start, its time is said now (3.5).
    const etag = upload.headers["x-minio-source-etag"] ?? `${md5(md5s)}-${parts.length}`;
    this.store.put({
      key: seen.key,
      versionId: upload.versionId,
      headers: { ...upload.headers, ...checksumsOf(headers) },
      body: Buffer.concat(parts.map((part) => part.body)),
      etag,
      partSizes: parts.map((part) => part.body.length),
      mtime: this.keepsTimes ? timeOf(headers, "x-minio-source-mtime") : this.#nowNs(),
    });
    this.#uploads.delete(id);
    const text = `<CompleteMultipartUploadResult><ETag>&#34;${etag}&#34;</ETag></CompleteMultipartUploadResult>`;
    answer(response, 200, idHeader(upload.versionId), text);
  }

  #copy(seen: SeenRequest, response: ServerResponse): void {
    const old = this.find(seen.key, seen.query.get("versionId") ?? "");
    if (old === undefined) return fail(response, 404, "NoSuchVersion");
    if (old.kind === "delete-marker") return fail(response, 405, "MethodNotAllowed");
    const { mtime, etag, versionId } = this.store.copyMetadata(old, flat(seen.headers));
    // Here, and only here, the null id is told.
    const headers = { etag: `"${etag}"`, "x-amz-version-id": versionId, "x-amz-copy-source-version-id": versionId };
    const inner = `<LastModified>${isoMillis(mtime)}</LastModified><ETag>&#34;${etag}&#34;</ETag>`;
    answer(response, 200, headers, `<CopyObjectResult>${inner}</CopyObjectResult>`);
  }

  /** The version that a read names, or the newest. Undefined: an answer was sent. */
  #named(seen: SeenRequest, response: ServerResponse): FakeVersion | undefined {
    const id = seen.query.get("versionId") ?? "";
    const all = this.store.of(seen.key);
    const version = id === "" ? all[0] : this.find(seen.key, id);
    const ready = all.length > 0 && seen.headers["x-minio-check-replication-ready"] !== undefined;
    const extra: Record<string, string> = ready ? { "x-minio-replication-ready": "true" } : {};
    const code = id === "" ? "NoSuchKey" : "NoSuchVersion";
    if (version !== undefined && this.store.isPurging(version.key, version.versionId)) {
      const pending = { "x-minio-replication-delete-status": "PENDING", "x-amz-delete-marker": "true" };
      fail(response, 405, "MethodNotAllowed", { ...extra, ...pending, "x-amz-version-id": version.versionId });
    } else if (version?.kind === "delete-marker") {
      // Of a marker the null id is told.
      const status = version.replica === true ? { "x-minio-replication-deletemarker-status": "REPLICA" } : {};
      const told = { "x-amz-delete-marker": "true", "x-amz-version-id": version.versionId, ...status };
      const [number, word] = id === "" ? [404, code] : [405, "MethodNotAllowed"];
      fail(response, number as number, word as string, { ...extra, ...told });
    } else if (version === undefined) fail(response, 404, code, extra);
    else return version;
    return undefined;
  }

  #head(seen: SeenRequest, response: ServerResponse): void {
    const version = this.#named(seen, response);
    if (version === undefined) return;
    answer(response, 200, {
      ...objectHeaders(version, seen, this.tellsTags),
      "content-length": String(version.body.length),
    });
  }

  #get(seen: SeenRequest, response: ServerResponse): void {
    const version = this.#named(seen, response);
    if (version === undefined) return;
    if (!seen.query.has("tagging"))
      return answer(response, 200, objectHeaders(version, seen, this.tellsTags), version.body);
    const tags = [...new URLSearchParams(version.tags)].map(
      ([key, value]) => `<Tag><Key>${escapeXml(key)}</Key><Value>${escapeXml(value)}</Value></Tag>`,
    );
    answer(response, 200, idHeader(version.versionId), `<Tagging><TagSet>${tags.join("")}</TagSet></Tagging>`);
  }

  /** Removing tags leaves no time (3.6). */
  #tag(seen: SeenRequest, body: Buffer, response: ServerResponse): void {
    const old = this.#named(seen, response);
    if (old === undefined) return;
    const set = seen.method === "DELETE" ? [] : (parseXml(body).child("TagSet")?.all("Tag") ?? []);
    const tags = new URLSearchParams(set.map((tag) => [tag.value("Key") ?? "", tag.value("Value") ?? ""])).toString();
    const tagsTime = seen.method === "DELETE" ? old.tagsTime : this.#nowNs();
    const version = { ...old, tags, tagsTime };
    this.store.change(version);
    answer(response, 200, idHeader(version.versionId));
    this.onTagged(version);
  }

  /** The toggle of replication.md 3.7, and purges. Locks are not looked at when a peer removes. */
  #delete(seen: SeenRequest, response: ServerResponse): void {
    const id = seen.query.get("versionId") ?? "";
    const fromPeer = seen.headers["x-minio-source-replication-request"] !== undefined;
    const asMarker = seen.headers["x-minio-source-deletemarker"] === "true";
    const old = this.find(seen.key, id);
    this.remove(seen.key, id);
    const made = old === undefined && asMarker && fromPeer && id !== "";
    if (made) {
      const mtime = timeOf(flat(seen.headers), "x-minio-source-mtime") ?? 0n;
      // A marker on a key without versions gets no mark.
      this.store.marker(seen.key, id, mtime, this.store.of(seen.key).length > 0);
    }
    const marker = made || old?.kind === "delete-marker";
    answer(response, 204, {
      ...(marker ? { "x-amz-delete-marker": "true" } : {}),
      ...(old === undefined && !made ? {} : { "x-amz-version-id": id }),
    });
  }

  #list(seen: SeenRequest, response: ServerResponse): void {
    const max = Number(seen.query.get("max-keys") ?? "1000");
    const metadata = seen.query.get("metadata") === "true" && this.listsMetadata;
    const keyMarker = seen.query.get("key-marker") ?? "";
    const idMarker = seen.query.get("version-id-marker") ?? "";
    const shown = this.versions.filter((version) => !this.store.isPurging(version.key, version.versionId));
    const sorted = shown.toSorted(
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

const md5 = (bytes: Buffer): string => createHash("md5").update(bytes).digest("hex");

/** Of a null version nothing is told (3.9). */
const idHeader = (id: string): Record<string, string> => (id === "null" ? {} : { "x-amz-version-id": id });

function objectHeaders(version: FakeVersion, seen: SeenRequest, tellsTags: boolean): Record<string, string> {
  const count = new URLSearchParams(version.tags).size;
  const access = tellsTags && header(seen.headers, "x-amz-tagging-directive") === "ACCESS";
  const sums = header(seen.headers, "x-amz-checksum-mode") === "ENABLED" ? version.checksums : {};
  return {
    ...version.metadata,
    ...sums,
    ...idHeader(version.versionId),
    ...(version.replica === true ? { "x-amz-replication-status": "REPLICA" } : {}),
    ...(count > 0 ? { "x-amz-tagging-count": String(count) } : {}),
    ...(count > 0 && access ? { "x-amz-tagging": version.tags } : {}),
    etag: `"${version.etag}"`,
    "last-modified": httpDate(msOf(version.mtime)),
  };
}

function header(headers: SeenRequest["headers"], name: string): string {
  const value = headers[name];
  return typeof value === "string" ? value : "";
}

function flat(headers: SeenRequest["headers"]): Headers & Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [
      name,
      typeof value === "string" ? value : (value?.join(", ") ?? ""),
    ]),
  );
}

function answer(
  response: ServerResponse,
  status: number,
  headers: Record<string, string>,
  body: string | Buffer = "",
): void {
  response.writeHead(status, headers).end(body);
}

/** HEAD has no body: the code is in a header too. */
function fail(response: ServerResponse, status: number, code: string, headers: Record<string, string> = {}): void {
  const text = `<Error><Code>${code}</Code><Message>no</Message></Error>`;
  answer(response, status, { "x-minio-error-code": code, ...headers }, text);
}
