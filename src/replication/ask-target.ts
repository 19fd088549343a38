/** What a target has of one object version: a HEAD, and how its answer differs from what is here (replication.md 4). */
import { NULL_VERSION } from "../model/names.ts";
import type { ObjectVersion } from "../model/version.ts";
import { parseTagging } from "../protocol/s3-xml-bucket.ts";
import * as wire from "../protocol/replication-headers.ts";
import { compareObject, remoteOfHead, type Comparison, type RemoteObject } from "./compare.ts";
import type { SendMarks } from "./headers.ts";
import type { SendContext } from "./send-types.ts";
import { taggingRequest } from "./target-tags.ts";
import { errorOf, failedAnswer, type SendOutcome } from "./wire.ts";

export const SLOW_DOWN = ["SlowDownRead", "SlowDownWrite"];

type AskContext = Pick<SendContext, "target" | "request">;

/** What a HEAD of one object version says about the copy at the target. */
export type RemoteAnswer =
  | Comparison
  | { readonly kind: "absent" }
  /** The target is too busy to look: nothing is known, but it may take a write. */
  | { readonly kind: "busy"; readonly outcome: SendOutcome }
  | { readonly kind: "failed"; readonly outcome: SendOutcome };

export const resyncHeader = (marks: SendMarks): Record<string, string> =>
  marks.resyncId === undefined ? {} : { [wire.RESILVER_RESYNC]: marks.resyncId };

/** Asks the target for one version and compares; rejects when no answer came. */
export async function askAndCompare(context: AskContext, version: ObjectVersion): Promise<RemoteAnswer> {
  return (await ask(context, version)).answer;
}

/** The same, with what the target told of an object. */
export async function ask(
  context: AskContext,
  version: ObjectVersion,
): Promise<{ answer: RemoteAnswer; remote?: RemoteObject | undefined }> {
  const { request } = context;
  const head = await context.target.client.request({
    method: "HEAD",
    key: version.key,
    query: { versionId: version.versionId },
    headers: {
      ...resyncHeader(request.marks),
      [wire.SOURCE_PROXY_REQUEST]: "false",
      [wire.TAGGING_DIRECTIVE]: "ACCESS",
    },
    payload: "hashed",
    signal: request.signal,
  });
  if (head.status !== 200) {
    // Purged there, and its peers are being told: an older MinIO would take a PUT, and the version were back.
    // A null version here may be a newer one.
    if (head.headers[wire.REPLICATION_DELETE_STATUS] !== undefined && version.versionId !== NULL_VERSION)
      return { answer: { kind: "failed", outcome: { kind: "purgedThere" } } };
    if (head.status === 404 || head.status === 405) return { answer: { kind: "absent" } };
    const busy = head.status === 503 && SLOW_DOWN.includes(errorOf(head).code);
    return { answer: { kind: busy ? "busy" : "failed", outcome: failedAnswer(head) } };
  }
  const remote = remoteOfHead(head);
  if (remote !== undefined) return withTags(context, version, remote);
  const reason = "the target's HEAD has no usable Last-Modified";
  return { answer: { kind: "failed", outcome: { kind: "retry", code: "BadAnswer", reason, network: false } } };
}

/**
 * The comparison, with tags asked for where the HEAD told only their count. Where they may not be read they count as
 * different: the copy that follows repeats what is known here, and no proof calls them equal.
 */
async function withTags(
  context: AskContext,
  version: ObjectVersion,
  told: RemoteObject,
): Promise<{ answer: RemoteAnswer; remote: RemoteObject }> {
  const known = compareObject(version, told);
  const decided = known.kind === "content" || known.kind === "newerThere";
  if (decided || told.tags !== undefined || told.tagsTime !== undefined) return { answer: known, remote: told };
  const request = { ...taggingRequest(version.key, version.versionId), signal: context.request.signal };
  const found = await context.target.client.request(request);
  if (found.status === 403) return { answer: { kind: "registers", what: "tags" }, remote: told };
  if (found.status === 404) return { answer: { kind: "absent" }, remote: told };
  if (found.status !== 200) return { answer: { kind: "failed", outcome: failedAnswer(found) }, remote: told };
  const remote = { ...told, tags: parseTagging(found.body) };
  return { answer: compareObject(version, remote), remote };
}
