/** Tags of an object version: get, put, delete (s3-api.md section 18). */
import type { ObjectVersion, Tags } from "../../model/version.ts";
import { parseTagging, renderTagging } from "../../protocol/s3-xml-bucket.ts";
import { authorize } from "../authorize.ts";
import { readCheckedDocument } from "../body.ts";
import { DOCUMENT_BYTES_MAX } from "../limits.ts";
import { xmlReply } from "../reply.ts";
import type { Operation } from "../request.ts";
import { checkedTags, OBJECT_TAGS_MAX } from "../tags.ts";

/** The id of the version that was acted on, when it has one. */
function versionHeader(version: ObjectVersion): string[] {
  return version.versionId === "null" ? [] : ["x-amz-version-id", version.versionId];
}

export const getObjectTagging: Operation = {
  name: "GetObjectTagging",
  async run(request) {
    const { selector } = request;
    await authorize(request, "s3:GetObjectTagging");
    const { version } = await request.deps.objects.find(selector);
    return xmlReply(renderTagging(version.tags?.value ?? {}), versionHeader(version));
  },
};

export const putObjectTagging: Operation = {
  name: "PutObjectTagging",
  async run(request) {
    const { selector } = request;
    await authorize(request, "s3:PutObjectTagging");
    const sent = parseTagging(await readCheckedDocument(request, DOCUMENT_BYTES_MAX));
    const tags: Tags = checkedTags(Object.entries(sent), OBJECT_TAGS_MAX);
    const version = await request.deps.objects.setTags(selector, tags);
    return { status: 200, headers: versionHeader(version) };
  },
};

export const deleteObjectTagging: Operation = {
  name: "DeleteObjectTagging",
  async run(request) {
    const { selector } = request;
    await authorize(request, "s3:DeleteObjectTagging");
    const version = await request.deps.objects.setTags(selector, {});
    return { status: 204, headers: versionHeader(version) };
  },
};
