/**
 * A target that is plain S3 and mints its own version ids, seen as one that speaks MinIO's wire: requests name our ids
 * and are carried out under the target's. One way only, and weaker (docs/reference/replication.md): what MinIO's headers
 * carry travels in user metadata, so that a repeat finds what an unheard answer left there.
 */
import { hasCode } from "../model/errors.ts";
import { NULL_VERSION, parseVersionId, type VersionId } from "../model/names.ts";
import * as wire from "../protocol/replication-headers.ts";
import { parseTagging, renderTagging } from "../protocol/s3-xml-bucket.ts";
import { httpDate, msOf, parseRfc3339Nano } from "../protocol/time.ts";
import { parseXml, type XmlElement } from "../protocol/xml.ts";
import type { RemoteIds, RemoteVersion } from "./remote-ids.ts";
import { taggingRequest } from "./target-tags.ts";
import { REMOTE_SEARCH_PAGES_MAX } from "./limits.ts";
import type { TargetClient, TargetRequest, TargetResponse } from "./wire.ts";

const META = "x-amz-meta-resilver-";
const META_ID = `${META}version-id`;
const META_ETAG = `${META}etag`;
const META_MTIME = `${META}mtime`;

const KEPT =
  /^(content-type|content-encoding|cache-control|content-disposition|content-language|expires|x-amz-meta-.*|x-amz-tagging|x-amz-website-redirect-location|x-amz-server-side-encryption.*)$/;
const CHECKSUM = /^x-amz-checksum-/;
/** An upload's id as the sender sees it names the version too: a completion does not. */
const UPLOAD_ID = /^(null|[0-9a-f-]{36})~(.+)$/s;

type Headers = Readonly<Record<string, string>>;

const answer = (status: number, headers: Record<string, string | undefined> = {}, code = ""): TargetResponse => ({
  status,
  headers: code === "" ? headers : { ...headers, [wire.ERROR_CODE]: code },
  body: Buffer.alloc(0),
});

const ALREADY_THERE = answer(412, {}, "PreconditionFailed");
const NOT_COMPARABLE: TargetResponse = answer(
  501,
  { [wire.ERROR_DESC]: "the target mints its own version ids: nothing can be compared with it" },
  "NotImplemented",
);
const ABSENT = answer(404, {}, "NoSuchVersion");

function plainHeaders(headers: Headers, options: { checksums: "all" | "kind" | "none" }): Record<string, string> {
  const out: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (KEPT.test(name)) out[name] = value;
    else if (!CHECKSUM.test(name)) continue;
    else if (options.checksums === "all" || (options.checksums === "kind" && /-(algorithm|type)$/.test(name)))
      out[name] = value;
  }
  return out;
}

/** What the target must keep for us beside the object. */
function marks(headers: Headers, versionId: string): Record<string, string> {
  const out: Record<string, string> = { [META_ID]: versionId };
  const etag = headers[wire.SOURCE_ETAG];
  const mtime = headers[wire.SOURCE_MTIME];
  if (etag !== undefined) out[META_ETAG] = etag;
  if (mtime !== undefined) out[META_MTIME] = mtime;
  return out;
}

class Generic {
  readonly #inner: TargetClient;
  readonly #ids: RemoteIds;

  constructor(inner: TargetClient, ids: RemoteIds) {
    this.#inner = inner;
    this.#ids = ids;
  }

  async request(request: TargetRequest): Promise<TargetResponse> {
    const { key, method, query = {}, headers = {} } = request;
    // Dry runs are unknown there: it would carry them out.
    if (headers[wire.SOURCE_REPLICATION_CHECK] !== undefined) return answer(400, {}, "ReplicationPermissionCheck");
    if (query["versions"] !== undefined || request.path !== undefined) return NOT_COMPARABLE;
    if (key === undefined) return this.#inner.request(request);
    if (query["uploadId"] !== undefined) return this.#uploadCall(request, key, query["uploadId"]);
    const versionId = idOf(query["versionId"]);
    if (versionId === undefined) return this.#inner.request(request);
    switch (method) {
      case "HEAD":
        return this.#head(request, key, versionId);
      case "POST":
        return this.#create(request, key, versionId);
      case "DELETE":
        return headers[wire.SOURCE_DELETE_MARKER] === "true"
          ? this.#marker(request, key, versionId)
          : this.#purge(request, key, versionId);
      default:
        return headers["x-amz-copy-source"] === undefined
          ? this.#put(request, key, versionId)
          : this.#tag(request, key, versionId);
    }
  }

  /** The target's version that is ours: remembered, or left there by a request whose answer was not heard. */
  async #known(key: string, versionId: VersionId, kind: "object" | "marker"): Promise<RemoteVersion | undefined> {
    const row = await this.#ids.find(key, versionId);
    if (row === undefined || row.id !== undefined) return row;
    const id = await this.#search(key, versionId, kind);
    if (id === undefined) return undefined;
    await this.#ids.save(key, versionId, { ...row, id });
    return { ...row, id };
  }

  async #search(key: string, versionId: VersionId, kind: "object" | "marker"): Promise<string | undefined> {
    let markers: Record<string, string> = {};
    for (let page = 0; page < REMOTE_SEARCH_PAGES_MAX; page++) {
      const query = { versions: "", prefix: key, ...markers };
      const listing = await this.#inner.request({ method: "GET", query, payload: "hashed" });
      if (listing.status !== 200) throw new Error(`the target's versions could not be listed: ${listing.status}`);
      const root = parseXml(listing.body);
      const own = root.children.filter((child) => child.value("Key") === key);
      const found = kind === "marker" ? latestMarker(own) : await this.#ours(key, versionId, own);
      if (found !== undefined || root.value("IsTruncated") !== "true") return found;
      // Keys are in order: the next page may begin with another one.
      if (kind === "marker" || (own.length === 0 && page > 0)) return undefined;
      markers = {
        "key-marker": root.value("NextKeyMarker") ?? "",
        "version-id-marker": root.value("NextVersionIdMarker") ?? "",
      };
    }
    return undefined;
  }

  async #ours(key: string, versionId: VersionId, listed: readonly XmlElement[]): Promise<string | undefined> {
    for (const entry of listed) {
      if (entry.name !== "Version") continue;
      const id = entry.value("VersionId") ?? "";
      const head = await this.#inner.request({ method: "HEAD", key, query: { versionId: id }, payload: "hashed" });
      if (head.headers[META_ID] === versionId) return id;
    }
    return undefined;
  }

  async #head(request: TargetRequest, key: string, versionId: VersionId): Promise<TargetResponse> {
    const kind = request.headers?.[wire.CHECK_REPLICATION_READY] === undefined ? "object" : "marker";
    const known = await this.#known(key, versionId, kind);
    if (known?.id === undefined) return ABSENT;
    if (kind === "marker") return answer(405, { "x-amz-delete-marker": "true", "x-amz-version-id": versionId });
    const query = { versionId: known.id };
    const head = await this.#inner.request({ method: "HEAD", key, query, payload: "hashed", signal: request.signal });
    if (head.status !== 200) return head;
    const headers: Record<string, string | undefined> = { ...head.headers, "x-amz-version-id": versionId };
    headers["etag"] = head.headers[META_ETAG] ?? known.etag;
    const mtime = parseRfc3339Nano(head.headers[META_MTIME] ?? known.mtime ?? "");
    if (mtime !== undefined) headers["last-modified"] = httpDate(msOf(mtime));
    for (const name of [META_ID, META_ETAG, META_MTIME]) delete headers[name];
    if (request.headers?.[wire.TAGGING_DIRECTIVE] === "ACCESS")
      headers["x-amz-tagging"] = await this.#tags(key, known.id);
    return { ...head, headers };
  }

  async #tags(key: string, versionId: string): Promise<string | undefined> {
    // Without the header of MinIO that other servers would be sent, and signed, for nothing.
    const found = await this.#inner.request({ ...taggingRequest(key, versionId), headers: {} });
    return found.status === 200 ? new URLSearchParams(parseTagging(found.body)).toString() : undefined;
  }

  async #put(request: TargetRequest, key: string, versionId: VersionId): Promise<TargetResponse> {
    const headers = request.headers ?? {};
    const etag = headers[wire.SOURCE_ETAG] ?? "";
    if (await this.#has(key, versionId, etag)) return ALREADY_THERE;
    await this.#ids.save(key, versionId, { etag });
    const sent = await this.#inner.request({
      ...request,
      query: {},
      headers: { ...plainHeaders(headers, { checksums: "all" }), ...marks(headers, versionId) },
    });
    return this.#stored(sent, key, versionId, { etag });
  }

  /** The target holds this content under our id. Without an ETag it is only asked about for a null id's sake. */
  async #has(key: string, versionId: VersionId, etag: string): Promise<boolean> {
    const known = await this.#known(key, versionId, "object");
    return known?.id !== undefined && (versionId !== NULL_VERSION || known.etag === etag);
  }

  /** Keeps the id that the target gave. A refusal stored nothing. */
  async #stored(
    sent: TargetResponse,
    key: string,
    versionId: VersionId,
    remote: RemoteVersion,
  ): Promise<TargetResponse> {
    if (sent.status >= 400 && sent.status < 500) await this.#ids.forget(key, versionId);
    if (sent.status >= 300) return sent;
    const id = sent.headers["x-amz-version-id"];
    if (id === undefined || id === "null") return answer(400, {}, "RemoteTargetNotVersionedError");
    await this.#ids.save(key, versionId, { ...remote, id });
    return { ...sent, headers: { ...sent.headers, "x-amz-version-id": versionId } };
  }

  async #create(request: TargetRequest, key: string, versionId: VersionId): Promise<TargetResponse> {
    const headers = request.headers ?? {};
    const etag = headers[wire.SOURCE_ETAG] ?? "";
    if (await this.#has(key, versionId, etag)) return ALREADY_THERE;
    const created = await this.#inner.request({
      ...request,
      query: { uploads: "" },
      headers: { ...plainHeaders(headers, { checksums: "kind" }), ...marks(headers, versionId) },
    });
    const uploadId = created.status < 300 ? parseXml(created.body).value("UploadId") : undefined;
    if (uploadId === undefined) return created;
    const named = `<InitiateMultipartUploadResult><UploadId>${versionId}~${uploadId}</UploadId></InitiateMultipartUploadResult>`;
    return { ...created, body: Buffer.from(named) };
  }

  async #uploadCall(request: TargetRequest, key: string, named: string): Promise<TargetResponse> {
    const [, version = "", uploadId = named] = UPLOAD_ID.exec(named) ?? [];
    const query = { ...request.query, uploadId };
    const checksums = request.method === "POST" ? "none" : "all";
    const headers = plainHeaders(request.headers ?? {}, { checksums });
    const versionId = idOf(version);
    if (request.method !== "POST" || versionId === undefined)
      return this.#inner.request({ ...request, query, headers });
    const etag = request.headers?.[wire.SOURCE_ETAG] ?? "";
    const remote = { etag, mtime: request.headers?.[wire.SOURCE_MTIME] };
    await this.#ids.save(key, versionId, remote);
    return this.#stored(await this.#inner.request({ ...request, query, headers }), key, versionId, remote);
  }

  /** The marker's request is only sent when the HEAD before it found none; the target makes one with its own id. */
  async #marker(request: TargetRequest, key: string, versionId: VersionId): Promise<TargetResponse> {
    if ((await this.#known(key, versionId, "marker"))?.id !== undefined) return answer(204);
    await this.#ids.save(key, versionId, { etag: "" });
    const sent = await this.#inner.request({ ...request, query: {}, headers: {} });
    return this.#stored(sent, key, versionId, { etag: "" });
  }

  async #purge(request: TargetRequest, key: string, versionId: VersionId): Promise<TargetResponse> {
    const known = (await this.#known(key, versionId, "object")) ?? (await this.#known(key, versionId, "marker"));
    if (known?.id !== undefined) {
      const sent = await this.#inner.request({ ...request, query: { versionId: known.id }, headers: {} });
      if (sent.status >= 300 && sent.status !== 404) return sent;
    }
    await this.#ids.forget(key, versionId);
    return answer(204);
  }

  /** A metadata copy: of what it may change only tags can be told to plain S3. */
  async #tag(request: TargetRequest, key: string, versionId: VersionId): Promise<TargetResponse> {
    const known = await this.#known(key, versionId, "object");
    if (known?.id === undefined) return ABSENT;
    const tags = Object.fromEntries(new URLSearchParams(request.headers?.["x-amz-tagging"] ?? ""));
    const some = Object.keys(tags).length > 0;
    const sent = await this.#inner.request({
      method: some ? "PUT" : "DELETE",
      key,
      query: { tagging: "", versionId: known.id },
      ...(some ? { body: Buffer.from(renderTagging(tags)) } : {}),
      payload: "hashed",
      signal: request.signal,
    });
    return sent.status < 300 ? answer(200) : sent;
  }
}

/** The newest entry of a key, when it is a marker: sent and not heard of, since the versions of a key go one by one. */
function latestMarker(listed: readonly XmlElement[]): string | undefined {
  const [newest] = listed.filter((entry) => entry.value("IsLatest") === "true");
  return newest?.name === "DeleteMarker" ? newest.value("VersionId") : undefined;
}

function idOf(text: string | undefined): VersionId | undefined {
  if (text === undefined || text === "") return undefined;
  try {
    return parseVersionId(text);
  } catch (error) {
    if (hasCode(error, "InvalidArgument")) return undefined;
    throw error;
  }
}

/** `inner` with our version ids. */
export function genericClient(inner: TargetClient, ids: RemoteIds): TargetClient {
  const generic = new Generic(inner, ids);
  return {
    bucket: inner.bucket,
    request: (request) => generic.request(request),
    open: (request, timeoutMs) => inner.open(request, timeoutMs),
    async probe(_path, timeoutMs) {
      // Plain S3 has no health call: whatever it says to a stranger is an answer.
      const { status } = await inner.probe("/", timeoutMs);
      return answer(status < 500 ? 200 : status);
    },
    close: () => inner.close(),
  };
}
