/** CopyObject and UploadPartCopy; also the metadata-only self copy of a peer (replication.md 3.6). */
import { hasCode, StoreError } from "../../model/errors.ts";
import { parseBucketName, parseObjectKey, parseVersionId } from "../../model/names.ts";
import type { ObjectVersion } from "../../model/version.ts";
import type { CopyRequest, VersionSelector } from "../../objects/types.ts";
import { renderCopyResult } from "../../protocol/s3-xml-objects.ts";
import { isoMillis } from "../../protocol/time.ts";
import { carriesAcl, checkAclHeaders } from "../acl.ts";
import { directiveOf, metadataOf, redirectOf, storageClassOf, tagsOf } from "../attributes.ts";
import { authorizeTagged, authorizeWrite } from "../authorize.ts";
import { wantedAlgorithm } from "../body.ts";
import { clearsRetention, locksAsked } from "../lock-request.ts";
import { checksumHeaders, identityHeaders } from "../object-headers.ts";
import { parseCopyRange, readConditions, writeConditions } from "../read-conditions.ts";
import { givenVersionId, isReplication, replicaSource } from "../replica.ts";
import { askedMd5, encryptionHeaders, encryptionOf, sourceKey } from "../encryption.ts";
import { xmlReply, type Reply } from "../reply.ts";
import { invalidArgument, type Operation, type S3Request } from "../request.ts";
import { percentDecode } from "../target.ts";
import { partNumberOf, shownChecksum, uploadSelector } from "./multipart.ts";
import { storedHeaders } from "./put-object.ts";

/**
 * `x-amz-copy-source`: `[/]bucket/key[?versionId=ID]`, percent-encoded. Of a source encoded whole as a form's value, its
 * slashes too, `+` is a blank; beside a plain slash it is a plus, as MinIO's SDKs for JavaScript and Rust send it.
 */
function copySource(request: S3Request): VersionSelector {
  const text = request.header("x-amz-copy-source") ?? "";
  const mark = text.lastIndexOf("?versionId=");
  const encoded = mark < 0 ? text : text.slice(0, mark);
  const path = percentDecode(encoded, !encoded.includes("/", 1));
  const bare = path.startsWith("/") ? path.slice(1) : path;
  const slash = bare.indexOf("/");
  if (slash <= 0 || slash === bare.length - 1)
    throw invalidArgument("Copy Source must mention the source bucket and key: sourcebucket/sourcekey");
  const id = mark < 0 ? "" : percentDecode(text.slice(mark + "?versionId=".length), true);
  return {
    bucket: parseBucketName(bare.slice(0, slash)),
    key: parseObjectKey(bare.slice(slash + 1)),
    versionId: id === "" ? undefined : parseVersionId(id),
  };
}

/** PutObject on the target, GetObject on the source, in that order. */
async function authorizeCopy(request: S3Request, from: VersionSelector): Promise<void> {
  await authorizeWrite(request);
  await authorizeTagged(request, from, { action: "s3:GetObject" });
  if (from.versionId !== undefined)
    await authorizeTagged(request, from, { action: "s3:GetObjectVersion", denyOnly: true });
}

export const copyObject: Operation = {
  name: "CopyObject",
  async run(request) {
    const from = copySource(request);
    await authorizeCopy(request, from);
    const encryption = encryptionOf(request, request.secure);
    const fromKey = sourceKey(request);
    if (isReplication(request)) return applyMetadata(request, from);
    givenVersionId(request, undefined);
    if (carriesAcl(request)) checkAclHeaders(request, await request.deps.objects.bucket(request.bucket));
    const locks = await locksAsked(request, request);
    request.longRunning();
    const asked = await copyRequest(request, from, { encryption, fromKey });
    const result = await request.deps.objects.copy({ ...asked, ...locks }).catch(aboutSource(from));
    const { version } = result;
    const headers = storedHeaders(result, request);
    if (from.versionId !== undefined) headers.push("x-amz-copy-source-version-id", result.from.versionId);
    return xmlReply(copyResult(version), headers);
  },
};

/** A delete marker named as source is the request's fault: 405 would speak of its target. */
function aboutSource(from: VersionSelector): (error: unknown) => never {
  return (error) => {
    if (from.versionId === undefined || !hasCode(error, "MethodNotAllowed")) throw error;
    const message = "The source of a copy request may not specifically refer to a delete marker by version id.";
    throw new StoreError("InvalidRequest", { message, bucket: from.bucket, key: from.key });
  };
}

type CopyKeys = Pick<CopyRequest, "encryption" | "fromKey">;

async function copyRequest(request: S3Request, from: VersionSelector, keys: CopyKeys): Promise<CopyRequest> {
  const { bucket, key } = request;
  const metadata = directiveOf(request, "x-amz-metadata-directive");
  const tagging = directiveOf(request, "x-amz-tagging-directive");
  const storageClass = storageClassOf(request);
  const self = from.bucket === bucket && from.key === key && from.versionId === undefined;
  const redirect = metadata === "COPY" ? redirectOf(request) : undefined;
  const unchanged = metadata === "COPY" && tagging === "COPY" && storageClass === undefined && redirect === undefined;
  if (self && unchanged && !(await changesKeys(request, from, keys))) {
    throw new StoreError("InvalidRequest", {
      message:
        "This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata, " +
        "storage class, website redirect location or encryption attributes.",
    });
  }
  return {
    bucket,
    key,
    from,
    fromConditions: readConditions(request, "x-amz-copy-source-"),
    replaceMetadata: metadata === "REPLACE" ? metadataOf(request) : undefined,
    redirect,
    replaceTags: tagging === "REPLACE" ? (tagsOf(request) ?? {}) : undefined,
    storageClass,
    checksumAlgorithm: wantedAlgorithm(request),
    ...keys,
    conditions: writeConditions(request),
  };
}

/** A copy onto itself with other keys, or the same ones anew, is a change (s3-api.md section 11). */
async function changesKeys(request: S3Request, from: VersionSelector, keys: CopyKeys): Promise<boolean> {
  if (keys.encryption !== undefined) return true;
  const found = await request.deps.objects.version(from);
  return found?.version.kind === "object" && found.version.encryption !== undefined;
}

function copyResult(version: ObjectVersion): string {
  return renderCopyResult("CopyObjectResult", {
    lastModified: isoMillis(version.mtime),
    etag: version.etag,
    checksum: shownChecksum(version.checksum, version.partCount),
    checksumType: version.checksum?.type,
  });
}

/** replication.md 3.6: same bucket, key and version on both sides; only registers change, each when it is newer. */
async function applyMetadata(request: S3Request, from: VersionSelector): Promise<Reply> {
  const { bucket, key } = request;
  const source = await replicaSource(request, "s3:ReplicateObject");
  const versionId = givenVersionId(request, source);
  const same = from.bucket === bucket && from.key === key && from.versionId === versionId;
  if (source === undefined || versionId === undefined || !same) {
    throw invalidArgument("A replicated copy must name the same object version as source and target.");
  }
  const locks = await locksAsked(request, request, { source });
  const version = await request.deps.objects.applyReplicaMetadata({
    bucket,
    key,
    versionId,
    source,
    tags: tagsOf(request) ?? {},
    retention: clearsRetention(request) ? null : locks.retention,
    legalHold: locks.legalHold,
  });
  const headers = [...identityHeaders(version, false), "x-amz-copy-source-version-id", versionId];
  headers.push(...checksumHeaders(version.checksum, version.partCount));
  return xmlReply(copyResult(version), headers);
}

export const uploadPartCopy: Operation = {
  name: "UploadPartCopy",
  async run(request) {
    const selector = uploadSelector(request);
    const number = partNumberOf(request);
    const from = copySource(request);
    await authorizeCopy(request, from);
    const encryption = encryptionOf(request, request.secure);
    // s3-api.md section 11: keys of parts are those of the upload.
    if (encryption?.kind === "SSE-KMS") throw new StoreError("NotImplemented");
    const range = request.header("x-amz-copy-source-range");
    request.longRunning();
    const part = await request.deps.objects
      .copyPart(selector, number, {
        source: from,
        conditions: readConditions(request, "x-amz-copy-source-"),
        range: range === undefined || range === "" ? undefined : parseCopyRange(range),
        fromKey: sourceKey(request),
        customerKey: encryption?.kind === "SSE-C" ? encryption.customerKey : undefined,
      })
      .catch(aboutSource(from));
    const headers = encryptionHeaders(part.encryption, askedMd5(request));
    if (from.versionId !== undefined) headers.push("x-amz-copy-source-version-id", part.from.versionId);
    const checksum = part.checksum;
    return xmlReply(
      renderCopyResult("CopyPartResult", { lastModified: isoMillis(part.mtime), etag: part.etag, checksum }),
      headers,
    );
  },
};
