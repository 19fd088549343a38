/** POST upload of a browser's form: signed policy, fields, one file (s3-api.md 2.6). */
import { StoreError } from "../../model/errors.ts";
import { parseObjectKey } from "../../model/names.ts";
import type { PutResult } from "../../objects/types.ts";
import { parseTagging } from "../../protocol/s3-xml-bucket.ts";
import { taggingHeader } from "../../protocol/tagging-header.ts";
import { document, tag } from "../../protocol/xml.ts";
import { carriesAcl, checkAclHeaders } from "../acl.ts";
import { attributesOf, headerText, type HeaderView } from "../attributes.ts";
import { authorizeFor, headerConditions } from "../authorize.ts";
import { checksumHeader, rawBody } from "../body.ts";
import { encryptionOf } from "../encryption.ts";
import { authenticateForm } from "../form-authenticate.ts";
import { readForm, type FormUpload } from "../form-data.ts";
import { locksAsked } from "../lock-request.ts";
import type { PostPolicy } from "../post-policy.ts";
import { checkMetadataSize } from "../request-checks.ts";
import type { Reply } from "../reply.ts";
import type { Operation, S3Request } from "../request.ts";
import { checkedTags, OBJECT_TAGS_MAX } from "../tags.ts";
import { locationOf } from "./multipart.ts";
import { storedHeaders } from "./put-object.ts";

type Fields = FormUpload["fields"];

export const postObject: Operation = {
  name: "PostObject",
  formUpload: true,
  async run(request) {
    const body = rawBody(request);
    try {
      return await storeForm(request, body);
    } finally {
      // A reader that stands in the middle of a refused form would keep the rest from being read, and the client waiting.
      await body.return();
    }
  },
};

async function storeForm(request: S3Request, body: AsyncIterable<Buffer>): Promise<Reply> {
  const { bucket } = request;
  const form = await readForm(body, request.header("content-type") ?? "");
  const { fields } = form;
  if (fields["x-minio-fanout-list"] !== undefined) throw new StoreError("NotImplemented");
  const written = headerText(fields["key"] ?? "");
  if (written === "") throw new StoreError("MalformedPOSTRequest", { message: "The form needs a key." });
  const key = parseObjectKey(written.replaceAll("${filename}", () => headerText(form.fileName)));
  const policy = await authenticateForm(request, fields, key);
  const view = formView(fields);
  const conditions = headerConditions(view, request.deps.clock.nowMs());
  await authorizeFor(request, { action: "s3:PutObject", key, conditions });
  if (fields["tagging"] !== undefined)
    await authorizeFor(request, { action: "s3:PutObjectTagging", key, conditions, denyOnly: true });
  const encryption = encryptionOf(view, request.secure);
  checkMetadataSize(view);
  if (carriesAcl(view)) checkAclHeaders(view, await request.deps.objects.bucket(bucket));
  const locks = await locksAsked(request, view, { key });
  const claim = checksumHeader(view);
  const result = await request.deps.objects.put({
    bucket,
    key,
    encryption,
    attributes: { ...attributesOf(view), ...locks },
    body: {
      stream: sized(form.file, policy),
      checksumAlgorithm: claim?.algorithm,
      expectedChecksum: claim && (() => claim.value),
    },
  });
  return render(request, fields, storedHeaders(result, view), result);
}

/** Form fields seen as headers: they have the same rules, and the same names but for `acl` and `tagging` (a document). */
function formView(fields: Fields): HeaderView {
  const { acl, tagging, ...others } = fields;
  const headers: Record<string, string> = others;
  if (acl !== undefined) headers["x-amz-acl"] = acl;
  if (tagging !== undefined) {
    const tags = checkedTags(Object.entries(parseTagging(Buffer.from(tagging, "latin1"))), OBJECT_TAGS_MAX);
    headers["x-amz-tagging"] = taggingHeader(tags);
  }
  return { headers, header: (name) => headers[name] };
}

async function* sized(
  file: AsyncIterable<Buffer>,
  policy: PostPolicy | undefined,
): AsyncGenerator<Buffer, void, undefined> {
  let size = 0;
  for await (const piece of file) {
    size += piece.length;
    if (policy !== undefined && size > policy.sizeMax) throw new StoreError("EntityTooLarge");
    yield piece;
  }
  if (policy !== undefined && size < policy.sizeMin) throw new StoreError("EntityTooSmall");
}

function render(request: S3Request, fields: Fields, stored: readonly string[], result: PutResult): Reply {
  const { bucket } = request;
  const { key, etag } = result.version;
  const location = locationOf(request, key);
  const headers = [...stored, "Location", location];
  const redirect = fields["success_action_redirect"] ?? fields["redirect"];
  if (redirect !== undefined && URL.canParse(redirect)) {
    const url = new URL(redirect);
    for (const [name, value] of Object.entries({ bucket, key, etag: `"${etag}"` })) url.searchParams.set(name, value);
    return { status: 303, headers: [...stored, "Location", url.href] };
  }
  const status = fields["success_action_status"];
  if (status === "200") return { status: 200, headers };
  if (status !== "201") return { status: 204, headers };
  const body = document(
    "PostResponse",
    tag("Location", location) + tag("Bucket", bucket) + tag("Key", key) + tag("ETag", `"${etag}"`),
  );
  return { status: 201, headers: [...headers, "Content-Type", "application/xml"], body };
}
