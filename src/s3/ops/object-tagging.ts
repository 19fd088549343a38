/** Tags of an object version: get, put, delete (s3-api.md section 18). */
import type { ObjectVersion, Tags } from "../../model/version.ts";
import { parseTagging, renderTagging } from "../../protocol/s3-xml-bucket.ts";
import { authorize } from "../authorize.ts";
import { readCheckedDocument } from "../body.ts";
import { DOCUMENT_BYTES_MAX } from "../limits.ts";
import { tagAtPeers, tagsFromPeer } from "../peer-read.ts";
import { xmlReply, type Reply } from "../reply.ts";
import type { Operation } from "../request.ts";
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

export const getObjectTagging: Operation = {
  name: "GetObjectTagging",
  async run(request) {
    const { selector } = request;
    await authorize(request, "s3:GetObjectTagging");
    try {
      const { version } = await request.deps.objects.find(selector);
      return xmlReply(renderTagging(version.tags?.value ?? {}), versionHeader(version));
    } catch (fault) {
      return orThrow(await tagsFromPeer(request, fault), fault);
    }
  },
};

export const putObjectTagging: Operation = {
  name: "PutObjectTagging",
  async run(request) {
    const { selector } = request;
    await authorize(request, "s3:PutObjectTagging");
    const sent = parseTagging(await readCheckedDocument(request, DOCUMENT_BYTES_MAX));
    const tags: Tags = checkedTags(Object.entries(sent), OBJECT_TAGS_MAX);
    try {
      const version = await request.deps.objects.setTags(selector, tags);
      return { status: 200, headers: versionHeader(version) };
    } catch (fault) {
      return orThrow(await tagAtPeers(request, fault, tags), fault);
    }
  },
};

export const deleteObjectTagging: Operation = {
  name: "DeleteObjectTagging",
  async run(request) {
    const { selector } = request;
    await authorize(request, "s3:DeleteObjectTagging");
    try {
      const version = await request.deps.objects.setTags(selector, {});
      return { status: 204, headers: versionHeader(version) };
    } catch (fault) {
      return orThrow(await tagAtPeers(request, fault), fault);
    }
  },
};
