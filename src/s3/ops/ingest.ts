/**
 * `POST /resilver/v1/ingest?bucket=B`: many small versions of a peer in one request. Each item is a replication PUT in
 * all but its transport: its own rights, its own rules, its own result; their commits share a sync. The signature of the
 * request binds all of it.
 */
import type { IncomingHttpHeaders } from "node:http";
import { asStoreError, StoreError } from "../../model/errors.ts";
import type { Objects } from "../../objects/objects.ts";
import type { IncomingBody, PutRequest } from "../../objects/types.ts";
import {
  decodeIngest,
  encodeIngestResults,
  INGEST_BYTES_MAX,
  INGEST_PATH,
  type IngestItem,
  type IngestResult,
} from "../../protocol/ingest.ts";
import { errorMessage, errorStatus } from "../../protocol/s3-errors.ts";
import { RESILVER_PURGED } from "../../protocol/replication-headers.ts";
import { allowed } from "../authorize.ts";
import { checksumHeader, readDocument } from "../body.ts";
import { isReplication, purgedHere } from "../replica.ts";
import { checkMetadataSize } from "../request-checks.ts";
import { jsonReply } from "../reply.ts";
import { S3Request, type Operation } from "../request.ts";
import { Query } from "../target.ts";
import { putRequestOf } from "./put-object.ts";

/** One item in the form that the parts of PutObject read. */
class ItemRequest extends S3Request {
  readonly item: IngestItem;
  readonly #headers: IncomingHttpHeaders;

  constructor(outer: S3Request, bucket: string, item: IngestItem) {
    const query = new Query([["versionId", item.versionId]]);
    const target = { rawPath: INGEST_PATH, rawQuery: "", query, inHost: false, bucket, key: item.key };
    super(outer.deps, outer.incoming, outer.response, target, outer.requestId);
    this.identity = outer.identity;
    this.bucketSeen = outer.bucketSeen;
    this.answers = outer.answers;
    this.item = item;
    this.#headers = asOnTheWire(item.headers);
  }

  override get method(): string {
    return "PUT";
  }

  override get headers(): IncomingHttpHeaders {
    return this.#headers;
  }

  override header(name: string): string | undefined {
    return this.#headers[name] as string | undefined;
  }
}

/** What reads headers expects them as HTTP's parser gives them: one character a byte. */
function asOnTheWire(headers: Readonly<Record<string, string>>): Record<string, string> {
  const out: Record<string, string> = {};
  for (const name in headers) {
    const value = headers[name] as string;
    out[name] = NOT_ASCII.test(value) ? Buffer.from(value, "utf8").toString("latin1") : value;
  }
  return out;
}

// oxlint-disable-next-line no-control-regex
const NOT_ASCII = /[^\x00-\x7f]/;

/** Items that are looked at before other requests of the process get their turn. */
const ITEMS_PER_TURN = 64;

export const ingest: Operation = {
  name: "Ingest",
  async run(request) {
    if (request.identity.kind === "anonymous") throw new StoreError("AccessDenied");
    const bytes = await readDocument(request, INGEST_BYTES_MAX);
    const bucket = request.query.get("bucket") ?? "";
    const items = decodeIngest(bytes);
    // Known to all items from here on; one that does not exist is each item's own fault.
    await allowed(request, { action: "s3:ReplicateObject", bucket });
    request.answers = new Map();
    const asked: (PutRequest | IngestResult)[] = [];
    for (const item of items) {
      asked.push(await requestOf(new ItemRequest(request, bucket, item)));
      if (asked.length % ITEMS_PER_TURN === 0) await request.deps.clock.sleep(0);
    }
    return jsonReply(encodeIngestResults(await storeAll(request, asked)));
  },
};

/** What one item asks for, or why it may not. */
async function requestOf(request: ItemRequest): Promise<PutRequest | IngestResult> {
  try {
    checkMetadataSize(request);
    if (!isReplication(request)) throw new StoreError("InvalidRequest", { message: "Replication requests only." });
    return await putRequestOf(request, bodyOf);
  } catch (error) {
    return failed(error);
  }
}

/** In one commit what is plain, each of the others by itself, so that every item has a result of its own. */
async function storeAll(
  { deps: { objects } }: S3Request,
  asked: readonly (PutRequest | IngestResult)[],
): Promise<IngestResult[]> {
  const requests = asked.filter((one) => "key" in one);
  const [first] = requests;
  // What failed for all fails for each by itself, with its own words.
  const stored = first === undefined ? [] : await objects.putReplicas(first.bucket, requests).catch(() => []);
  let at = 0;
  const results = asked.map((one) => {
    if (!("key" in one)) return one;
    return stored[at++] === true ? STORED : store(objects, one);
  });
  return Promise.all(results);
}

const STORED: IngestResult = { status: 200 };

async function store(objects: Objects, request: PutRequest): Promise<IngestResult> {
  try {
    const result = await objects.put(request);
    if (result.purged !== undefined) throw purgedHere(result.purged);
    return STORED;
  } catch (error) {
    return failed(error);
  }
}

function failed(error: unknown): IngestResult {
  const { code, detail } = asStoreError(error);
  return {
    status: errorStatus(code),
    code,
    message: detail.message ?? errorMessage(code),
    purged: detail.headers?.[RESILVER_PURGED],
  };
}

function bodyOf(request: ItemRequest): IncomingBody {
  const { body } = request.item;
  const claim = checksumHeader(request);
  return {
    stream: once(body),
    bytes: body,
    size: body.length,
    checksumAlgorithm: claim?.algorithm,
    expectedChecksum: claim && (() => claim.value),
  };
}

async function* once(bytes: Buffer): AsyncGenerator<Buffer, void, undefined> {
  if (bytes.length > 0) yield bytes;
}
