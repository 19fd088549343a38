/**
 * Answers for versions that are not here, taken from a peer (replication.md section 8): GET, HEAD, tagging, and the bytes
 * of a version that are damaged here. Nothing is asked while a version is here, and never for one that was purged here.
 */
import { hasCode, StoreError } from "../model/errors.ts";
import { NULL_VERSION, parseVersionId, type VersionId } from "../model/names.ts";
import type { ObjectVersion, Tags } from "../model/version.ts";
import type { FoundObject } from "../objects/types.ts";
import * as names from "../protocol/replication-headers.ts";
import { parseTagging, renderTagging } from "../protocol/s3-xml-bucket.ts";
import { parseHttpDate } from "../protocol/time.ts";
import type { Peer, ProxiedCall } from "../replication/peer-reads.ts";
import type { OpenResponse, TargetRequest } from "../replication/wire.ts";
import { nanoseconds } from "../replication/compare.ts";
import { allowed, authorizeFor, tagConditions, type Question } from "./authorize.ts";
import { PEER_DOCUMENT_BYTES_MAX } from "./limits.ts";
import { SPELLING } from "./object-headers.ts";
import { decideRead, readConditions } from "./read-conditions.ts";
import { isPeerRead } from "./replica.ts";
import { xmlReply, type Reply } from "./reply.ts";
import type { S3Request } from "./request.ts";

const CUSTOMER_KEY = "x-amz-server-side-encryption-customer-";

/** Says in an answer that a peer carried out the tagging call. */
const TAGGING_PROXIED = ["X-Minio-Tagging-Proxied", "true"] as const;

/** The version is not here at all: no object, no marker, and the caller may be told so. */
function isAbsent(fault: unknown): boolean {
  return hasCode(fault, "NoSuchVersion") || (hasCode(fault, "NoSuchKey") && fault.detail.headers === undefined);
}

interface Elsewhere {
  readonly bucketId: string;
  readonly peers: readonly Peer[];
}

/** Who may be asked; undefined: nobody. A request that a peer passed on goes no further, whatever its header says. */
async function elsewhere(request: S3Request): Promise<Elsewhere | undefined> {
  if (isPeerRead(request)) return undefined;
  const bucket = await request.deps.objects.bucket(request.bucket);
  if (bucket.replication === undefined) return undefined;
  const known = await request.deps.replication.peersFor(bucket, request.key);
  // A client's own key does not travel over plain HTTP.
  const peers = request.header(`${CUSTOMER_KEY}key`) === undefined ? known : known.filter(({ secure }) => secure);
  return peers.length === 0 ? undefined : { bucketId: bucket.id, peers };
}

async function isPurgedHere(request: S3Request, versionId: VersionId, mtime?: bigint): Promise<boolean> {
  const { bucket, key } = request;
  const stone = await request.deps.objects.tombstone({ bucket, key, versionId });
  // The null id is used again and again: a purge only speaks for what was there before it.
  return stone !== undefined && (versionId !== NULL_VERSION || mtime === undefined || mtime <= stone.time);
}

/** Whom to ask about what the request names, which is not here. */
async function peersForAbsent(request: S3Request, fault: unknown): Promise<Elsewhere | undefined> {
  if (!isAbsent(fault)) return undefined;
  const { versionId } = request;
  const found = await elsewhere(request);
  if (found === undefined || versionId === undefined || versionId === NULL_VERSION) return found;
  return (await isPurgedHere(request, versionId)) ? undefined : found;
}

/** A version as a peer's HEAD tells it. */
interface Seen {
  readonly peer: Peer;
  readonly head: OpenResponse;
  readonly versionId: VersionId;
  readonly version: Pick<ObjectVersion, "etag" | "mtime">;
}

function queryOf(request: S3Request, versionId: VersionId | undefined): Record<string, string> {
  const part = request.query.get("partNumber");
  return { ...(versionId === undefined ? {} : { versionId }), ...(part ? { partNumber: part } : {}) };
}

/** Headers of the client that shape the answer. */
function shapeHeaders(request: S3Request): Record<string, string> {
  const out: Record<string, string> = {};
  for (const name of ["range", "x-amz-checksum-mode"]) {
    const value = request.header(name);
    // A range under a condition: the whole is right too.
    if (value === undefined || (name === "range" && request.header("if-range") !== undefined)) continue;
    out[name] = value;
  }
  return { ...out, ...customerKey(request) };
}

/** The key with which the client had the object encrypted. */
function customerKey(request: S3Request): Record<string, string> {
  const out: Record<string, string> = {};
  for (const name of ["algorithm", "key", "key-md5"]) {
    const value = request.header(`${CUSTOMER_KEY}${name}`);
    if (value !== undefined) out[`${CUSTOMER_KEY}${name}`] = value;
  }
  return out;
}

/** Undefined: an id of a server that mints its own, which says nothing about the versions here. */
function idOf(head: OpenResponse): VersionId | undefined {
  const text = head.headers["x-amz-version-id"] ?? NULL_VERSION;
  try {
    return parseVersionId(text);
  } catch (error) {
    if (hasCode(error, "InvalidArgument")) return undefined;
    throw error;
  }
}

/**
 * The first peer that has the version and did not hear of a purge that happened here. Undefined: none, or the key's
 * current version there is a marker.
 */
async function look(request: S3Request, { peers }: Elsewhere): Promise<Seen | undefined> {
  for (const peer of peers) {
    const head = await peer.ask({
      method: "HEAD",
      key: request.key,
      query: queryOf(request, request.versionId),
      headers: { ...shapeHeaders(request), [names.TAGGING_DIRECTIVE]: "ACCESS" },
    });
    await head?.discard();
    if (head === undefined) continue;
    if (head.headers["x-amz-delete-marker"] === "true") return undefined;
    if (head.status === 416) throw new StoreError("InvalidRange");
    const lastModified = parseHttpDate(head.headers["last-modified"] ?? "");
    if ((head.status !== 200 && head.status !== 206) || lastModified === undefined) continue;
    const versionId = idOf(head);
    if (versionId === undefined) continue;
    const mtime = nanoseconds(head.headers[names.RESILVER_MTIME]) ?? BigInt(lastModified) * 1_000_000n;
    if (await isPurgedHere(request, versionId, mtime)) return undefined;
    return { peer, head, versionId, version: { etag: (head.headers["etag"] ?? "").replaceAll('"', ""), mtime } };
  }
  return undefined;
}

/** Policies may look at the object's tags: asked again with those that the peer told. */
async function authorizeSeen(request: S3Request, { head }: Seen, question: Question): Promise<void> {
  if (Number(head.headers["x-amz-tagging-count"] ?? "0") === 0) return;
  const text = head.headers["x-amz-tagging"];
  // A peer that counts its tags without naming them leaves the policy unanswered.
  if (text === undefined) throw new StoreError("AccessDenied");
  const tags: Tags = Object.fromEntries(new URLSearchParams(text));
  await authorizeFor(request, { ...question, tags });
  if (question.action === READ && request.versionId !== undefined)
    await authorizeFor(request, { action: "s3:GetObjectVersion", tags, denyOnly: true });
}

const READ = "s3:GetObject";

const PASSED = new Set([
  ...Object.keys(SPELLING),
  "content-range",
  "etag",
  "last-modified",
  "x-amz-version-id",
  "x-amz-storage-class",
  "x-amz-replication-status",
  "x-amz-tagging-count",
  "x-amz-mp-parts-count",
  "x-amz-website-redirect-location",
]);
const PASSED_PREFIX = /^(x-amz-meta-|x-minio-meta-|x-amz-checksum-|x-amz-server-side-encryption)/;

/** The peer's headers as if the version were here; locks only to those who may see them. */
async function passedHeaders(request: S3Request, answer: OpenResponse): Promise<string[]> {
  const out: string[] = [];
  for (const [name, value] of Object.entries(answer.headers)) {
    if (value === undefined || !(PASSED.has(name) || PASSED_PREFIX.test(name))) continue;
    if (name === "x-amz-version-id" && value === NULL_VERSION) continue;
    out.push(SPELLING[name] ?? name, value);
  }
  await addLocks(request, answer, out);
  const tags = answer.headers["x-amz-tagging"];
  if (tags !== undefined && request.header(names.TAGGING_DIRECTIVE)?.toUpperCase() === "ACCESS") {
    out.push("X-Amz-Tagging", tags);
  }
  return out;
}

const LOCKS: readonly (readonly [string, string])[] = [
  ["x-amz-object-lock-mode", "s3:GetObjectRetention"],
  ["x-amz-object-lock-retain-until-date", "s3:GetObjectRetention"],
  ["x-amz-object-lock-legal-hold", "s3:GetObjectLegalHold"],
];

async function addLocks(request: S3Request, answer: OpenResponse, out: string[]): Promise<void> {
  for (const [name, action] of LOCKS) {
    const value = answer.headers[name];
    if (value !== undefined && (await allowed(request, { action }))) out.push(name, value);
  }
}

/** What a client who read `request` gets from a peer; undefined: what is answered here stands. `fault`: why it is not here. */
export async function readFromPeer(request: S3Request, fault: unknown): Promise<Reply | undefined> {
  const found = await peersForAbsent(request, fault);
  if (found === undefined) return undefined;
  const call = request.method === "HEAD" ? "head" : "get";
  const reply = await counted(request, found, call, async () => {
    const seen = await look(request, found);
    return seen === undefined ? undefined : replyOf(request, seen);
  });
  return reply;
}

async function replyOf(request: S3Request, seen: Seen): Promise<Reply | undefined> {
  await authorizeSeen(request, seen, { action: READ });
  const conditions = readConditions(request, "");
  if (conditions !== undefined && decideRead(conditions, seen.version) === "not-modified") {
    return { status: 304, headers: await passedHeaders(request, seen.head) };
  }
  if (request.method === "HEAD") {
    const length = Number(seen.head.headers["content-length"] ?? "0");
    return { status: seen.head.status, headers: await passedHeaders(request, seen.head), length };
  }
  if (seen.head.headers["x-amz-server-side-encryption"] !== undefined && !seen.peer.carriesSecrets) return undefined;
  const answer = await seen.peer.ask({
    method: "GET",
    key: request.key,
    // A null id is not named: the peer may keep no versions at all. The ETag says which one is meant.
    query: queryOf(request, seen.versionId === NULL_VERSION ? request.versionId : seen.versionId),
    headers: { ...shapeHeaders(request), "if-match": `"${seen.version.etag}"` },
  });
  const length = Number(answer?.headers["content-length"] ?? "-1");
  if (answer === undefined || (answer.status !== 200 && answer.status !== 206) || length < 0) {
    await answer?.discard();
    return undefined;
  }
  // The GET's answer has what belongs to its range; only the HEAD was asked for the tags.
  const headers = await passedHeaders(request, {
    ...answer,
    headers: { ...answer.headers, "x-amz-tagging": seen.head.headers["x-amz-tagging"] },
  });
  return { status: answer.status, headers, length, stream: answer.stream };
}

async function counted<T>(
  request: S3Request,
  { bucketId }: Elsewhere,
  call: ProxiedCall,
  work: () => Promise<T | undefined>,
): Promise<T | undefined> {
  let result: T | undefined;
  try {
    result = await work();
    return result;
  } finally {
    request.deps.replication.proxied(bucketId, call, result !== undefined);
  }
}

/** Bytes [start, end) of a version whose bytes are damaged here, from a peer that has them; undefined: from none. */
export async function bytesFromPeer(
  request: S3Request,
  found: FoundObject,
  start: number,
  end: number,
): Promise<AsyncIterable<Buffer> | undefined> {
  const { version } = found;
  const place = await elsewhere(request);
  if (place === undefined) return undefined;
  return counted(request, place, "get", async () => {
    for (const peer of place.peers) {
      if (version.encryption !== undefined && !peer.carriesSecrets) continue;
      const answer = await peer.ask({
        method: "GET",
        key: request.key,
        query: { versionId: version.versionId },
        headers: { range: `bytes=${start}-${end - 1}`, "if-match": `"${version.etag}"`, ...customerKey(request) },
      });
      const asked = answer?.status === 206 && Number(answer.headers["content-length"]) === end - start;
      if (asked) return answer.stream;
      await answer?.discard();
    }
    return undefined;
  });
}

async function documentOf(answer: OpenResponse): Promise<Buffer> {
  const pieces: Buffer[] = [];
  let size = 0;
  for await (const piece of answer.stream) {
    size += piece.length;
    if (size > PEER_DOCUMENT_BYTES_MAX) throw new StoreError("InternalError");
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
}

/** GetObjectTagging of a version that is not here. */
export async function tagsFromPeer(request: S3Request, fault: unknown): Promise<Reply | undefined> {
  const found = await peersForAbsent(request, fault);
  if (found === undefined) return undefined;
  return counted(request, found, "getTagging", async () => {
    const seen = await look(request, found);
    if (seen !== undefined) await authorizeSeen(request, seen, { action: "s3:GetObjectTagging" });
    const answer = await seen?.peer.ask(taggingCall(request, seen, { method: "GET" }));
    if (answer?.status !== 200) {
      await answer?.discard();
      return undefined;
    }
    return xmlReply(renderTagging(parseTagging(await documentOf(answer))), TAGGING_PROXIED);
  });
}

/**
 * Put (`tags`) or DeleteObjectTagging of a version that is not here: the peers that have it are all told. "here": what a
 * peer has was written here while it was asked, and nobody was told: its tags are this site's to set, which sends them on.
 */
export async function tagAtPeers(request: S3Request, fault: unknown, tags?: Tags): Promise<Reply | "here" | undefined> {
  const found = await peersForAbsent(request, fault);
  if (found === undefined) return undefined;
  const change =
    tags === undefined
      ? ({ method: "DELETE" } as const)
      : ({ method: "PUT", body: Buffer.from(renderTagging(tags)) } as const);
  const question =
    tags === undefined
      ? { action: "s3:DeleteObjectTagging" }
      : { action: "s3:PutObjectTagging", conditions: tagConditions(Object.entries(tags)) };
  const call = tags === undefined ? "removeTagging" : "putTagging";
  return counted(request, found, call, async () => {
    const seen = (await Promise.all(found.peers.map((peer) => look(request, { ...found, peers: [peer] })))).filter(
      (version) => version !== undefined,
    );
    if ((await Promise.all(seen.map(({ versionId }) => isHere(request, versionId)))).includes(true)) return "here";
    const told = await Promise.all(
      seen.map(async (version) => {
        await authorizeSeen(request, version, question);
        const answer = await version.peer.ask(taggingCall(request, version, change));
        await answer?.discard();
        return answer !== undefined && answer.status < 300;
      }),
    );
    return told.includes(true) ? { status: tags === undefined ? 204 : 200, headers: TAGGING_PROXIED } : undefined;
  });
}

async function isHere(request: S3Request, versionId: VersionId): Promise<boolean> {
  const { bucket, key } = request;
  return (await request.deps.objects.version({ bucket, key, versionId })) !== undefined;
}

/** The version that was looked at, whatever is current at the peer by now. */
function taggingCall(
  request: S3Request,
  seen: Seen,
  change: { method: "GET" | "PUT" | "DELETE"; body?: Buffer },
): Omit<TargetRequest, "payload" | "signal"> {
  const named = seen.versionId === NULL_VERSION ? request.versionId : seen.versionId;
  return { ...change, key: request.key, query: { tagging: "", ...queryOf(request, named) } };
}
