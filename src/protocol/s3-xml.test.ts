import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { hasCode } from "../model/errors.ts";
import * as bucket from "./s3-xml-bucket.ts";
import { parseObjectsPage, parseVersionsPage } from "./s3-xml-listing-parse.ts";
import { renderListV1, renderListV2, renderListVersions } from "./s3-xml-listing.ts";
import * as objects from "./s3-xml-objects.ts";
import * as uploadXml from "./s3-xml-uploads.ts";

const key = fc
  .string({ unit: "binary", minLength: 1 })
  .filter((text) => !text.includes("\0") && !/[\ufffe\uffff]/.test(text) && text.isWellFormed());
const malformed = (error: unknown): boolean => hasCode(error, "MalformedXML");

test("versions with metadata, as captured", () => {
  const xml = renderListVersions({
    bucket: "src",
    prefix: "n4",
    delimiter: "",
    maxKeys: 1000,
    truncated: false,
    commonPrefixes: [],
    urlEncoding: false,
    metadata: true,
    keyMarker: "",
    versionIdMarker: "",
    versions: [
      {
        key: "n4",
        lastModified: "2026-11-23T00:44:59.858Z",
        etag: "b3bfcc4ffa21973784d37d4eedd1d1c9",
        size: 11,
        storageClass: "STANDARD",
        userMetadata: { "X-Amz-Replication-Status": "COMPLETED", "content-type": "binary/octet-stream" },
        userTags: "t=2",
        versionId: "null",
        isLatest: true,
        isDeleteMarker: false,
      },
    ],
  });
  assert.ok(
    xml.endsWith(
      '<ListVersionsResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>src</Name><Prefix>n4</Prefix><K' +
        "eyMarker></KeyMarker><NextVersionIdMarker></NextVersionIdMarker><VersionIdMarker></VersionIdMarker><MaxKe" +
        "ys>1000</MaxKeys><IsTruncated>false</IsTruncated><Version><Key>n4</Key><LastModified>2026-11-23T00:44:59." +
        "858Z</LastModified><ETag>&#34;b3bfcc4ffa21973784d37d4eedd1d1c9&#34;</ETag><Size>11</Size><Owner><ID>02d61" +
        "76db174dc93cb1b899f7c6078f08654445fe8cf1b6ce98d8855f66bdbf4</ID><DisplayName>minio</DisplayName></Owner><" +
        "StorageClass>STANDARD</StorageClass><UserMetadata><X-Amz-Replication-Status>COMPLETED</X-Amz-Replication-" +
        "Status><content-type>binary/octet-stream</content-type></UserMetadata><UserTags>t=2</UserTags><Internal><" +
        "K>1</K><M>0</M></Internal><IsLatest>true</IsLatest><VersionId>null</VersionId></Version></ListVersionsRes" +
        "ult>",
    ),
  );
  const [version] = parseVersionsPage(Buffer.from(xml)).versions;
  assert.equal(version?.userTags, "t=2");
  assert.equal(version?.userMetadata["content-type"], "binary/octet-stream");
});

test("listings of any keys are read back, encoded or not", () => {
  const entry = { lastModified: "2026-11-23T00:44:59.858Z", etag: "e", size: 1, storageClass: "STANDARD" };
  fc.assert(
    fc.property(fc.array(key), fc.array(key), fc.boolean(), (keys, prefixes, urlEncoding) => {
      const base = {
        bucket: "b",
        prefix: "",
        delimiter: "",
        maxKeys: 5,
        truncated: true,
        commonPrefixes: prefixes,
        urlEncoding,
      };
      const list = keys.map((name) => ({ ...entry, key: name }));
      for (const xml of [
        renderListV1({ ...base, objects: list, marker: "" }),
        renderListV2({ ...base, objects: list, startAfter: "", fetchOwner: false, nextContinuationToken: "t" }),
      ]) {
        const page = parseObjectsPage(Buffer.from(xml));
        assert.deepEqual(
          page.objects.map((one) => one.key),
          keys,
        );
        assert.deepEqual(page.commonPrefixes, prefixes);
        assert.equal(page.objects[0]?.etag, keys.length > 0 ? "e" : undefined);
        assert.ok(page.truncated);
      }
      const versions = list.map((one, i) => ({
        ...one,
        versionId: `v${i}`,
        isLatest: i === 0,
        isDeleteMarker: i % 2 === 1,
      }));
      const page = parseVersionsPage(
        Buffer.from(renderListVersions({ ...base, versions, keyMarker: "", versionIdMarker: "" })),
      );
      const brief = (one: { key: string; versionId: string; isDeleteMarker: boolean }): unknown => [
        one.key,
        one.versionId,
        one.isDeleteMarker,
      ];
      assert.deepEqual(page.versions.map(brief), versions.map(brief));
    }),
  );
});

test("multi-delete both ways", () => {
  const answer = {
    deleted: [{ key: "o1", versionId: undefined, deleteMarker: true, deleteMarkerVersionId: "D" }],
    errors: [{ key: "x", versionId: "v", code: "AccessDenied", message: "no" }],
  };
  const xml = objects.renderDeleteResult(answer);
  assert.ok(
    xml.includes(
      "<Deleted><DeleteMarker>true</DeleteMarker><DeleteMarkerVersionId>D</DeleteMarkerVersionId><Key>o1</Key></Deleted>",
    ),
  );
  assert.deepEqual(objects.parseDeleteResult(Buffer.from(xml)), answer);
  const unconditional = { etag: undefined, lastModified: undefined, size: undefined };
  const request = { quiet: true, objects: [{ key: " a&b", versionId: "null", ...unconditional }] };
  assert.deepEqual(objects.parseDeleteObjects(Buffer.from(objects.renderDeleteObjects(request))), request);
  assert.throws(() => objects.parseDeleteObjects(Buffer.from("<Delete></Delete>")), malformed);
  assert.throws(
    () => objects.parseDeleteObjects(Buffer.from(`<Delete>${"<Object><Key>a</Key></Object>".repeat(1001)}</Delete>`)),
    malformed,
  );
});

test("multipart documents both ways", () => {
  const parts = [
    { number: 1, etag: "79b2", checksum: { algorithm: "CRC32" as const, value: "r/zBbw==" } },
    { number: 7, etag: "x", checksum: undefined },
  ];
  const xml = uploadXml.renderCompleteUpload(parts);
  assert.ok(
    xml.includes("<Part><PartNumber>1</PartNumber><ETag>79b2</ETag><ChecksumCRC32>r/zBbw==</ChecksumCRC32></Part>"),
  );
  assert.deepEqual(uploadXml.parseCompleteUpload(Buffer.from(xml)), parts);
  assert.deepEqual(uploadXml.parseCompleteUpload(Buffer.from(xml.replace("79b2", "&quot;79b2&quot;"))), parts);
  assert.throws(() => uploadXml.parseCompleteUpload(Buffer.from("<CompleteMultipartUpload/>")), malformed);
  assert.equal(uploadXml.parseCreateUploadResult(Buffer.from(uploadXml.renderCreateUploadResult("b", "k", "U"))), "U");
  const checksum = { algorithm: "CRC32" as const, value: "w==-2" };
  const done = { location: "http://h/b/k", bucket: "b", key: "k", etag: "e-2", checksum, checksumType: "COMPOSITE" };
  assert.deepEqual(uploadXml.parseCompleteUploadResult(Buffer.from(uploadXml.renderCompleteUploadResult(done))), done);
  const copied = { lastModified: "2026-11-23T00:42:11.130Z", etag: "e", checksum: undefined, checksumType: undefined };
  const copy = objects.renderCopyResult("CopyObjectResult", copied);
  assert.ok(
    copy.includes("<LastModified>2026-11-23T00:42:11.130Z</LastModified><ETag>&#34;e&#34;</ETag></CopyObjectResult>"),
  );
  assert.deepEqual(objects.parseCopyResult(Buffer.from(copy)), copied);
  assert.throws(
    () => uploadXml.parseCompleteUploadResult(Buffer.from("<Error><Code>InternalError</Code></Error>")),
    (error) => hasCode(error, "InternalError"),
  );
  const page = {
    bucket: "b",
    key: "k ü",
    uploadId: "U",
    partNumberMarker: 0,
    nextPartNumberMarker: 1,
    maxParts: 1,
    truncated: true,
    storageClass: "STANDARD",
    checksumAlgorithm: "CRC32",
    checksumType: "COMPOSITE",
    parts: [{ number: 1, lastModified: "2026-11-23T00:42:11.130Z", etag: "e", size: 5, checksum: undefined }],
  };
  for (const urlEncoding of [false, true])
    assert.deepEqual(uploadXml.parsePartsPage(Buffer.from(uploadXml.renderPartsPage(page, { urlEncoding }))), page);
  const uploads = {
    bucket: "b",
    prefix: "p",
    delimiter: "/",
    keyMarker: "",
    uploadIdMarker: "",
    nextKeyMarker: "k",
    nextUploadIdMarker: "U",
    maxUploads: 1,
    truncated: true,
    uploads: [{ key: "k", uploadId: "U", initiated: "2026-11-23T00:42:11.130Z", storageClass: "STANDARD" }],
    commonPrefixes: ["p/"],
  };
  for (const urlEncoding of [false, true]) {
    assert.deepEqual(
      uploadXml.parseUploadsPage(Buffer.from(uploadXml.renderUploadsPage(uploads, { urlEncoding }))),
      uploads,
    );
  }
});

test("attributes", () => {
  const xml = objects.renderObjectAttributes({
    etag: "e",
    checksum: { algorithm: "SHA256", value: "v", type: "FULL_OBJECT" },
    size: 0,
  });
  const checksum = "<Checksum><ChecksumSHA256>v</ChecksumSHA256><ChecksumType>FULL_OBJECT</ChecksumType></Checksum>";
  assert.ok(xml.includes(`<ETag>e</ETag>${checksum}<ObjectSize>0</ObjectSize>`));
});

test("bucket documents", () => {
  assert.equal(
    bucket.renderVersioning({ status: "Enabled" }),
    "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>",
  );
  assert.equal(bucket.parseVersioningAnswer(Buffer.from(bucket.renderVersioning(undefined))), undefined);
  const full = { status: "Enabled" as const, excludedPrefixes: ["a", "b"], excludeFolders: true };
  assert.deepEqual(bucket.parseVersioning(Buffer.from(bucket.renderVersioning(full))), full);
  const illegal = (error: unknown): boolean => hasCode(error, "IllegalVersioningConfigurationException");
  for (const bad of ["<Status>On</Status>", "<Status>Suspended</Status><ExcludeFolders>true</ExcludeFolders>", ""]) {
    assert.throws(
      () => bucket.parseVersioning(Buffer.from(`<VersioningConfiguration>${bad}</VersioningConfiguration>`)),
      illegal,
    );
  }
  const tags = { b: "2", a: "<1>", __proto__x: "3" };
  assert.deepEqual(bucket.parseTagging(Buffer.from(bucket.renderTagging(tags))), tags);
  const twice = `<Tagging><TagSet>${bucket.tagXml("a", "1")}${bucket.tagXml("a", "2")}</TagSet></Tagging>`;
  assert.throws(
    () => bucket.parseTagging(Buffer.from(twice)),
    (error) => hasCode(error, "InvalidTag"),
  );
  assert.equal(bucket.parseLocation(Buffer.from(bucket.renderLocation("us-east-1"))), "");
  assert.equal(bucket.parseLocation(Buffer.from(bucket.renderLocation("eu-west-1"))), "eu-west-1");
  assert.equal(
    bucket.parseCreateBucketConfiguration(Buffer.from(bucket.renderCreateBucketConfiguration("x"))).region,
    "x",
  );
  const buckets = [{ name: "b", created: "2026-11-23T00:42:11.130Z", region: undefined }];
  assert.deepEqual(bucket.parseBucketList(Buffer.from(bucket.renderBucketList(buckets))).buckets, buckets);
});
