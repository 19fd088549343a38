/** GetObjectAttributes (s3-api.md section 18). */
import { StoreError } from "../../model/errors.ts";
import { isMultipart, type Checksum, type ObjectVersion, type Part } from "../../model/version.ts";
import { renderObjectAttributes, type ObjectAttributes } from "../../protocol/s3-xml-objects.ts";
import { authorize, authorizeTagged } from "../authorize.ts";
import { readKey, unlockFor } from "../encryption.ts";
import { LIST_KEYS_MAX } from "../limits.ts";
import { pageSize } from "../listing-parameters.ts";
import { lastModified, mtimeMs } from "../object-headers.ts";
import { xmlReply } from "../reply.ts";
import type { Operation, S3Request } from "../request.ts";
import { shownChecksum } from "./multipart.ts";

const NAMES = ["ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize"];

function wantedAttributes(request: S3Request): Set<string> {
  const text = request.header("x-amz-object-attributes") ?? "";
  const wanted = new Set(
    text
      .split(",")
      .map((name) => name.trim())
      .filter((name) => name !== ""),
  );
  const unknown = [...wanted].filter((name) => !NAMES.includes(name));
  if (wanted.size === 0 || unknown.length > 0) {
    throw new StoreError("InvalidArgument", {
      message: "Invalid attribute name specified.",
      fields: { ArgumentName: "x-amz-object-attributes", ArgumentValue: text },
    });
  }
  return wanted;
}

export const getObjectAttributes: Operation = {
  name: "GetObjectAttributes",
  async run(request) {
    const { selector } = request;
    await authorize(request, "s3:GetObjectAttributes");
    await authorizeTagged(request, selector, { action: "s3:GetObject" });
    if (selector.versionId !== undefined)
      for (const action of ["s3:GetObjectVersion", "s3:GetObjectVersionAttributes"])
        await authorizeTagged(request, selector, { action, denyOnly: true });
    const wanted = wantedAttributes(request);
    const key = readKey(request);
    const found = await request.deps.objects.find(selector);
    await unlockFor(selector, found, key);
    const { version } = found;
    const parts = isMultipart(version) ? found.parts : [];
    const { checksum } = version;
    const attributes: ObjectAttributes = {
      etag: wanted.has("ETag") ? version.etag : undefined,
      checksum: wanted.has("Checksum") ? attributesChecksum(version) : undefined,
      parts: wanted.has("ObjectParts") && parts.length > 0 ? partsPage(request, parts, checksum) : undefined,
      storageClass: wanted.has("StorageClass") ? version.storageClass : undefined,
      size: wanted.has("ObjectSize") ? version.size : undefined,
    };
    const headers = ["Last-Modified", lastModified(mtimeMs(version))];
    if (version.versionId !== "null") headers.push("x-amz-version-id", version.versionId);
    return xmlReply(renderObjectAttributes(attributes), headers);
  },
};

/** Composite values carry the number of parts, as AWS answers them. */
function attributesChecksum(version: ObjectVersion): ObjectAttributes["checksum"] {
  const shown = shownChecksum(version.checksum, version.partCount);
  return shown && { ...shown, type: version.checksum?.type ?? "FULL_OBJECT" };
}

function partsPage(
  request: S3Request,
  parts: readonly Part[],
  checksum: Checksum | undefined,
): NonNullable<ObjectAttributes["parts"]> {
  const limit = pageSize(request.header("x-amz-max-parts"), "x-amz-max-parts", LIST_KEYS_MAX);
  const after = pageSize(request.header("x-amz-part-number-marker"), "x-amz-part-number-marker", 0);
  const later = parts.filter((part) => part.number > after);
  const page = later.slice(0, Math.min(limit, LIST_KEYS_MAX));
  return {
    totalCount: parts.length,
    partNumberMarker: after,
    nextPartNumberMarker: page.at(-1)?.number ?? 0,
    maxParts: limit,
    truncated: limit > 0 && later.length > page.length,
    parts: page.map((part) => ({
      number: part.number,
      size: part.size,
      checksum:
        checksum === undefined || part.checksum === undefined
          ? undefined
          : { algorithm: checksum.algorithm, value: part.checksum },
    })),
  };
}
