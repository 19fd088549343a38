/** Plain S3 for tests: a versioned bucket that mints its own ids and knows nothing of MinIO's headers. */
import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { httpDate } from "../../protocol/time.ts";
import { escapeXml, parseXml } from "../../protocol/xml.ts";

export interface StoredVersion {
  readonly key: string;
  readonly id: string;
  readonly kind: "Version" | "DeleteMarker";
  readonly body: Buffer;
  readonly etag: string;
  readonly headers: Readonly<Record<string, string>>;
  tags: Readonly<Record<string, string>>;
}

interface Call {
  readonly method: string;
  readonly key: string;
  readonly query: URLSearchParams;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Buffer;
}

const KEPT = /^(content-type|cache-control|x-amz-meta-.*)$/;

export class FakeS3 {
  readonly bucket = "plain";
  /** Newest first. */
  readonly versions: StoredVersion[] = [];
  readonly calls: string[] = [];
  /** The answer is lost after the call was carried out. */
  loseAnswerOf: (call: string) => boolean = () => false;
  readonly #uploads = new Map<string, { headers: Record<string, string>; parts: Map<number, Buffer> }>();
  #server: Server | undefined;
  #minted = 0;
  #port = 0;

  async start(): Promise<void> {
    const server = createServer((request, response) => void this.#serve(request, response));
    this.#server = server;
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    this.#port = (server.address() as AddressInfo).port;
  }

  stop(): Promise<void> {
    return new Promise((resolve) => {
      this.#server?.close(() => resolve());
      this.#server?.closeAllConnections();
    });
  }

  get endpoint(): string {
    return `127.0.0.1:${this.#port}`;
  }

  of(key: string): StoredVersion[] {
    return this.versions.filter((version) => version.key === key);
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const pieces: Buffer[] = [];
    try {
      for await (const piece of request) pieces.push(piece as Buffer);
    } catch {
      return void response.destroy();
    }
    const url = new URL(request.url ?? "/", "http://fake");
    const path = decodeURIComponent(url.pathname);
    const method = request.method ?? "";
    const key = path.startsWith(`/${this.bucket}/`) ? path.slice(this.bucket.length + 2) : "";
    const call: Call = { method, key, query: url.searchParams, headers: request.headers, body: Buffer.concat(pieces) };
    const name = `${method} ${key}${url.search}`;
    this.calls.push(name);
    const { status, headers = {}, body = "" } = this.#answer(path, call);
    if (this.loseAnswerOf(name)) return void response.destroy();
    response.writeHead(status, { server: "AmazonS3", ...headers });
    response.end(method === "HEAD" ? undefined : body);
  }

  #answer(path: string, call: Call): { status: number; headers?: Record<string, string | number>; body?: string } {
    const { method, query } = call;
    if (!path.startsWith(`/${this.bucket}`)) return { status: 403 };
    if (call.key === "") {
      if (query.has("versioning"))
        return { status: 200, body: "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>" };
      return { status: 200, body: query.has("versions") ? this.#listing(query.get("prefix") ?? "") : "" };
    }
    if (query.has("tagging")) return this.#tagging(call);
    if (method === "HEAD") return this.#head(call);
    if (method === "DELETE") return this.#delete(call);
    if (query.has("uploads")) return this.#begin(call);
    if (query.has("partNumber")) return this.#part(call);
    if (query.has("uploadId")) return this.#complete(call);
    return this.#store(call.key, "Version", call.headers, call.body);
  }

  #store(key: string, kind: StoredVersion["kind"], given: Call["headers"], body: Buffer) {
    const id = `minted.${++this.#minted}`;
    const etag = createHash("md5").update(body).digest("hex");
    const headers: Record<string, string> = {};
    for (const [name, value] of Object.entries(given))
      if (typeof value === "string" && KEPT.test(name)) headers[name] = value;
    const tags = Object.fromEntries(new URLSearchParams(String(given["x-amz-tagging"] ?? "")));
    this.versions.unshift({ key, id, kind, body, etag, headers, tags });
    return { status: 200, headers: { "x-amz-version-id": id, etag: `"${etag}"` } };
  }

  #find({ key, query }: Call): StoredVersion | undefined {
    const id = query.get("versionId");
    return this.of(key).find((version) => id === null || version.id === id);
  }

  #head(call: Call) {
    const found = this.#find(call);
    if (found === undefined || found.kind === "DeleteMarker") return { status: 404 };
    const headers = {
      ...found.headers,
      etag: `"${found.etag}"`,
      "content-length": found.body.length,
      // Its own time, not that of the source.
      "last-modified": httpDate(Date.now() + 3_600_000),
      "x-amz-version-id": found.id,
      "x-amz-tagging-count": Object.keys(found.tags).length,
    };
    return { status: 200, headers };
  }

  #delete(call: Call) {
    const id = call.query.get("versionId");
    if (id === null) return { ...this.#store(call.key, "DeleteMarker", {}, Buffer.alloc(0)), status: 204 };
    const at = this.versions.findIndex((version) => version.key === call.key && version.id === id);
    if (at >= 0) this.versions.splice(at, 1);
    return { status: 204 };
  }

  #tagging(call: Call) {
    const found = this.#find(call);
    if (found === undefined) return { status: 404 };
    const tags = call.method === "PUT" ? (parseXml(call.body).child("TagSet")?.all("Tag") ?? []) : [];
    if (call.method !== "GET")
      found.tags = Object.fromEntries(tags.map((tag) => [tag.value("Key") ?? "", tag.value("Value") ?? ""]));
    const set = Object.entries(found.tags).map(([k, v]) => `<Tag><Key>${k}</Key><Value>${v}</Value></Tag>`);
    return { status: 200, body: `<Tagging><TagSet>${set.join("")}</TagSet></Tagging>` };
  }

  #listing(prefix: string): string {
    const seen = new Set<string>();
    const rows = this.versions
      .filter(({ key }) => key.startsWith(prefix))
      .map(({ kind, key, id }) => {
        const latest = !seen.has(key);
        seen.add(key);
        return `<${kind}><Key>${escapeXml(key)}</Key><VersionId>${id}</VersionId><IsLatest>${latest}</IsLatest></${kind}>`;
      });
    return `<ListVersionsResult><IsTruncated>false</IsTruncated>${rows.join("")}</ListVersionsResult>`;
  }

  #begin(call: Call) {
    const id = `upload.${++this.#minted}`;
    const headers = Object.fromEntries(
      Object.entries(call.headers).filter((entry): entry is [string, string] => typeof entry[1] === "string"),
    );
    this.#uploads.set(id, { headers, parts: new Map() });
    return {
      status: 200,
      body: `<InitiateMultipartUploadResult><UploadId>${id}</UploadId></InitiateMultipartUploadResult>`,
    };
  }

  #part({ query, body }: Call) {
    const upload = this.#uploads.get(query.get("uploadId") ?? "");
    if (upload === undefined) return { status: 404 };
    upload.parts.set(Number(query.get("partNumber")), body);
    return { status: 200, headers: { etag: `"${createHash("md5").update(body).digest("hex")}"` } };
  }

  #complete({ query, key }: Call) {
    const upload = this.#uploads.get(query.get("uploadId") ?? "");
    if (upload === undefined) return { status: 404 };
    const parts = [...upload.parts].toSorted(([a], [b]) => a - b).map(([, part]) => part);
    return this.#store(key, "Version", upload.headers, Buffer.concat(parts));
  }
}
