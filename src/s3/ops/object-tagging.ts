/** Tags of an object version: get, put, delete (s3-api.md section 18). */
import type { ObjectVersion, Tags } from "../../model/version.ts";
import { parseTagging, renderTagging } from "../../protocol/s3-xml-bucket.ts";
import { authorize, authorizeTagged, tagConditions } from "../authorize.ts";
import { readCheckedDocument } from "../body.ts";
import { DOCUMENT_BYTES_MAX } from "../limits.ts";
import { tagAtPeers, tagsFromPeer } from "../peer-read.ts";
import { xmlReply, type Reply } from "../reply.ts";
import type { Operation, S3Request } from "../request.ts";
import { checkedTags, OBJECT_TAGS_MAX } from "../tags.ts";

/** The id of the version that was acted on, when it has one. */
function versionHeader(version: ObjectVersion): string[] {
  return version.versionId === "null" ? [] : ["x-amz-version-id", version.versionId];
}

/** What a peer did in this site's place, else the reason why it is not done here. */
function orThrow(reply: Reply | undefined, fault: unknown): Reply {
  if (reply === undefined) throw fault;
  return reply;
}

/** The right for tags; with a version id an explicit Deny of the one for tags of versions refuses too. */
async function authorizeTagging(
  request: S3Request,
  verb: "Get" | "Put" | "Delete",
  conditions?: Readonly<Record<string, readonly string[]>>,
): Promise<void> {
  const { selector } = request;
  await authorizeTagged(request, selector, { action: `s3:${verb}ObjectTagging`, conditions });
  if (selector.versionId === undefined) return;
  await authorizeTagged(request, selector, { action: `s3:${verb}ObjectVersionTagging`, conditions, denyOnly: true });
}

export const getObjectTagging: Operation = {
  name: "GetObjectTagging",
  async run(request) {
    const { selector } = request;
    await authorizeTagging(request, "Get");
    try {
      const { version } = await request.deps.objects.find(selector);
      return xmlReply(renderTagging(version.tags?.value ?? {}), versionHeader(version));
    } catch (fault) {
      return orThrow(await tagsFromPeer(request, fault), fault);
    }
  },
};

/** Sets the tags here, or at the peers that have a version that is not here. */
async function setTags(
  request: S3Request,
  verb: "Put" | "Delete",
  tags: Tags,
  conditions?: Readonly<Record<string, readonly string[]>>,
): Promise<Reply> {
  await authorizeTagging(request, verb, conditions);
  try {
    const version = await request.deps.objects.setTags(request.selector, tags);
    return { status: verb === "Put" ? 200 : 204, headers: versionHeader(version) };
  } catch (fault) {
    const reply = await tagAtPeers(request, fault, verb === "Put" ? tags : undefined);
    return reply === "here" ? setTags(request, verb, tags, conditions) : orThrow(reply, fault);
  }
}

export const putObjectTagging: Operation = {
  name: "PutObjectTagging",
  async run(request) {
    const { selector } = request;
    // Policies look at the tags asked for, so they are read first; strangers whom no policy knows get no further.
    const { policy } = await request.deps.objects.bucket(selector.bucket);
    if (request.identity.kind === "anonymous" && policy === undefined) await authorize(request, "s3:PutObjectTagging");
    const sent = parseTagging(await readCheckedDocument(request, DOCUMENT_BYTES_MAX));
    const tags = checkedTags(Object.entries(sent), OBJECT_TAGS_MAX);
    return setTags(request, "Put", tags, tagConditions(Object.entries(sent)));
  },
};

export const deleteObjectTagging: Operation = {
  name: "DeleteObjectTagging",
  run(request) {
    return setTags(request, "Delete", {});
  },
};
