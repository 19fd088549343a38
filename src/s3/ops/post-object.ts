/** POST upload of a browser's form: signed policy, fields, one file (s3-api.md 2.6). */
import { createHmac } from "node:crypto";
import { StoreError } from "../../model/errors.ts";
import { parseObjectKey } from "../../model/names.ts";
import type { PutResult } from "../../objects/types.ts";
import { hmacHex } from "../../protocol/sigv4-canonical.ts";
import { deriveSigningKey, equalText } from "../../protocol/sigv4.ts";
import { parseTagging } from "../../protocol/s3-xml-bucket.ts";
import { encodeS3Path } from "../../protocol/uri.ts";
import { document, tag } from "../../protocol/xml.ts";
import { attributesOf, headerText, type HeaderView } from "../attributes.ts";
import { slowly } from "../authenticate.ts";
import { authorizeFor } from "../authorize.ts";
import { checksumHeader, rawBody } from "../body.ts";
import { readForm, type FormUpload } from "../form-data.ts";
import { locksAsked } from "../lock-request.ts";
import { checkPostPolicy, parsePostPolicy, type PostPolicy } from "../post-policy.ts";
import { checkMetadataSize, refuseEncryption } from "../request-checks.ts";
import type { Reply } from "../reply.ts";
import type { Operation, S3Request } from "../request.ts";
import { checkedTags, OBJECT_TAGS_MAX } from "../tags.ts";
import { baseUrl } from "./multipart.ts";
import { storedHeaders } from "./put-object.ts";

type Fields = FormUpload["fields"];

export const postObject: Operation = {
  name: "PostObject",
  formUpload: true,
  async run(request) {
    const { bucket } = request;
    const form = await readForm(rawBody(request), request.header("content-type") ?? "");
    const { fields } = form;
    const policy = await authenticateForm(request, fields);
    const written = headerText(fields["key"] ?? "");
    if (written === "") throw new StoreError("MalformedPOSTRequest", { message: "The form needs a key." });
    const key = parseObjectKey(written.replaceAll("${filename}", headerText(form.fileName)));
    await authorizeFor(request, { action: "s3:PutObject", key });
    const view = formView(fields);
    refuseEncryption(view);
    checkMetadataSize(view);
    const locks = await locksAsked(request, view, { key });
    const claim = checksumHeader(view);
    const tagging = fields["tagging"];
    const tags =
      tagging === undefined
        ? undefined
        : checkedTags(Object.entries(parseTagging(Buffer.from(tagging, "latin1"))), OBJECT_TAGS_MAX);
    const result = await request.deps.objects.put({
      bucket,
      key,
      attributes: { ...attributesOf(view), ...locks, ...(tags === undefined ? {} : { tags }) },
      body: {
        stream: sized(form.file, policy),
        checksumAlgorithm: claim?.algorithm,
        expectedChecksum: claim && (() => claim.value),
      },
    });
    return render(request, fields, result);
  },
};

/** Form fields seen as headers: they have the same names and rules. */
function formView(fields: Fields): HeaderView {
  return { headers: fields, header: (name) => fields[name] };
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

/** Sets the identity of the signer and holds the form against its policy. Without a policy the caller is nobody. */
async function authenticateForm(request: S3Request, fields: Fields): Promise<PostPolicy | undefined> {
  const { policy: encoded } = fields;
  if (encoded === undefined) {
    if (fields["awsaccesskeyid"] !== undefined || fields["x-amz-credential"] !== undefined) {
      throw new StoreError("MalformedPOSTRequest", { message: "A signed form needs a policy." });
    }
    return undefined;
  }
  const credential = fields["x-amz-credential"]?.split("/") ?? [];
  const modern = credential.length > 0;
  const accessKey = modern ? credential.slice(0, -4).join("/") : (fields["awsaccesskeyid"] ?? "");
  const identity = await request.deps.iam.lookup(accessKey);
  if (identity === undefined || !identity.enabled) throw await slowly(request, new StoreError("InvalidAccessKeyId"));
  const secret = identity.secretKey;
  const expected = modern
    ? signatureV4(encoded, credential, secret)
    : createHmac("sha1", secret).update(encoded, "latin1").digest("base64");
  if (!equalText(expected, fields[modern ? "x-amz-signature" : "signature"] ?? "")) {
    throw await slowly(request, new StoreError("SignatureDoesNotMatch"));
  }
  if (!equalText(identity.sessionToken ?? "", fields["x-amz-security-token"] ?? ""))
    throw new StoreError("InvalidTokenId");
  request.identity = identity;
  const policy = parsePostPolicy(encoded);
  const readable = Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, headerText(value)]));
  checkPostPolicy(policy, { ...readable, bucket: request.bucket }, request.deps.clock.nowMs());
  return policy;
}

function signatureV4(encoded: string, credential: readonly string[], secret: string): string {
  const [date = "", region = "", service = ""] = credential.slice(-4);
  return hmacHex(deriveSigningKey(secret, { date, region, service }), encoded);
}

function render(request: S3Request, fields: Fields, result: PutResult): Reply {
  const { bucket } = request;
  const { key, etag } = result.version;
  const location = `${baseUrl(request)}/${bucket}/${encodeS3Path(key)}`;
  const headers = [...storedHeaders(result), "Location", location];
  const redirect = fields["success_action_redirect"] ?? fields["redirect"];
  if (redirect !== undefined && URL.canParse(redirect)) {
    const url = new URL(redirect);
    for (const [name, value] of Object.entries({ bucket, key, etag: `"${etag}"` })) url.searchParams.set(name, value);
    return { status: 303, headers: [...storedHeaders(result), "Location", url.href] };
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
