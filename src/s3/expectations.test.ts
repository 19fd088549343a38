/** What clients state about a bucket, an object or an ACL, and how a request ends when it does not hold. */
import assert from "node:assert/strict";
import type { Socket } from "node:net";
import { after, before, test } from "node:test";
import { StoreError } from "../model/errors.ts";
import { call, startTestPort, type Answer, type Call, type TestPort } from "./testing.ts";

let port: TestPort;
before(async () => {
  port = await startTestPort();
  await send("PUT", "/plain");
  await send("PUT", "/versioned");
  const body = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
  await send("PUT", "/versioned", { query: "versioning", body });
});
after(() => port.close());

const OWNER = "02d6176db174dc93cb1b899f7c6078f08654445fe8cf1b6ce98d8855f66bdbf4";

function send(method: string, path: string, more: Partial<Call> = {}): Promise<Answer> {
  return call(port, { method, path, ...more });
}

test("x-amz-expected-bucket-owner: the owner that ListBuckets names, or 403", async () => {
  const listed = await send("GET", "/");
  assert.ok(listed.body.includes(`<ID>${OWNER}</ID>`));
  const expecting = (owner: string) =>
    send("PUT", "/plain/owned", { headers: { "x-amz-expected-bucket-owner": owner } });
  assert.equal((await expecting("123456789012")).code, "AccessDenied");
  assert.equal((await send("GET", "/plain/owned")).status, 404);
  assert.equal((await expecting(OWNER)).status, 200);
  const copy = { "x-amz-copy-source": "/plain/owned", "x-amz-source-expected-bucket-owner": "123456789012" };
  assert.equal((await send("PUT", "/plain/copy", { headers: copy })).status, 403);
});

test("deletes with conditions: ETag, time and size; nothing there is as good as deleted", async () => {
  for (const bucket of ["plain", "versioned"]) {
    const path = `/${bucket}/conditional`;
    await send("PUT", path, { body: "text" });
    const head = await send("HEAD", path);
    const etag = head.headers["etag"] ?? "";
    const time = head.headers["last-modified"] ?? "";
    const refused: Record<string, string>[] = [
      { "if-match": '"00000000000000000000000000000000"' },
      { "x-amz-if-match-size": "5" },
      { "x-amz-if-match-last-modified-time": "Sat, 01 Jan 2000 00:00:00 GMT" },
      { "if-match": etag, "x-amz-if-match-size": "3" },
      { "if-match": "*", "x-amz-if-match-last-modified-time": "2000-01-01T00:00:00Z" },
    ];
    for (const headers of refused)
      assert.equal((await send("DELETE", path, { headers })).status, 412, JSON.stringify(headers));
    for (const headers of [{ "x-amz-if-match-size": "big" }, { "x-amz-if-match-last-modified-time": "then" }] as Record<
      string,
      string
    >[])
      assert.equal((await send("DELETE", path, { headers })).code, "InvalidArgument");
    assert.equal((await send("GET", path)).status, 200);
    const headers = { "if-match": etag, "x-amz-if-match-size": "4", "x-amz-if-match-last-modified-time": time };
    assert.equal((await send("DELETE", path, { headers })).status, 204);
    assert.equal((await send("GET", path)).status, 404);
    assert.equal((await send("DELETE", path, { headers: { "if-match": "*" } })).status, 204);
    assert.equal((await send("DELETE", `/${bucket}/never`, { headers: { "x-amz-if-match-size": "1" } })).status, 204);
  }
});

test("a condition on a version that is named is about that version", async () => {
  const path = "/versioned/named";
  const first = await send("PUT", path, { body: "one" });
  await send("PUT", path, { body: "three" });
  const query = `versionId=${first.headers["x-amz-version-id"]}`;
  assert.equal((await send("DELETE", path, { query, headers: { "x-amz-if-match-size": "5" } })).status, 412);
  assert.equal((await send("DELETE", path, { query, headers: { "x-amz-if-match-size": "3" } })).status, 204);
  assert.equal((await send("GET", path, { query })).status, 404);
});

test("DeleteObjects: each object with its own conditions", async () => {
  for (const key of ["a", "b", "c", "d"]) await send("PUT", `/plain/${key}`, { body: key.repeat(3) });
  const head = await send("HEAD", "/plain/a");
  const objects = [
    `<Object><Key>a</Key><ETag>${head.headers["etag"]}</ETag><Size>3</Size></Object>`,
    "<Object><Key>b</Key><Size>4</Size></Object>",
    "<Object><Key>c</Key><LastModifiedTime>Sat, 01 Jan 2000 00:00:00 GMT</LastModifiedTime></Object>",
    "<Object><Key>d</Key><Size>three</Size></Object>",
  ];
  const answer = await send("POST", "/plain", { query: "delete", body: `<Delete>${objects.join("")}</Delete>` });
  assert.deepEqual(
    [...answer.body.matchAll(/<Deleted><Key>(.*?)</g)].map((match) => match[1]),
    ["a"],
  );
  assert.equal(answer.body.match(/<Code>PreconditionFailed</g)?.length, 2);
  assert.equal(answer.body.match(/<Code>InvalidArgument</g)?.length, 1);
  for (const key of ["b", "c", "d"]) assert.equal((await send("GET", `/plain/${key}`)).status, 200, key);
});

test("ACLs on writes have no effect, unless the bucket blocks public ones or insists on its owner", async () => {
  const writes = async (path: string, acl: Record<string, string>): Promise<string[]> => {
    const form = "Content-Disposition: form-data; name=";
    const parts = [
      `${form}"key"\r\n\r\n${path}-form`,
      `${form}"acl"\r\n\r\n${acl["x-amz-acl"] ?? ""}`,
      `${form}"file"\r\n\r\nx`,
    ];
    const body = `--b\r\n${parts.join("\r\n--b\r\n")}\r\n--b--\r\n`;
    const answers = [
      await send("PUT", `/acls/${path}`, { headers: acl }),
      await send("PUT", `/acls/${path}-copy`, { headers: { ...acl, "x-amz-copy-source": "/acls/source" } }),
      await send("POST", `/acls/${path}-large`, { query: "uploads", headers: acl }),
      await call(port, {
        method: "POST",
        path: "/acls",
        credentials: null,
        body,
        headers: { "content-type": "multipart/form-data; boundary=b" },
      }),
    ];
    return answers.map((answer) => answer.code);
  };
  await send("PUT", "/acls");
  await send("PUT", "/acls/source");
  const allow = { Effect: "Allow", Principal: "*", Action: "s3:PutObject", Resource: "arn:aws:s3:::acls/*" };
  const policy = JSON.stringify({ Version: "2012-10-17", Statement: [allow] });
  assert.equal((await send("PUT", "/acls", { query: "policy", body: policy })).status, 204);
  assert.deepEqual(await writes("a", { "x-amz-acl": "public-read" }), ["", "", "", ""]);
  assert.equal((await send("GET", "/acls/a", { credentials: null })).status, 403);
  assert.deepEqual(await writes("b", { "x-amz-acl": "everybody" }), Array<string>(4).fill("InvalidArgument"));
  const block =
    "<PublicAccessBlockConfiguration><BlockPublicAcls>true</BlockPublicAcls></PublicAccessBlockConfiguration>";
  await send("PUT", "/acls", { query: "publicAccessBlock", body: block });
  assert.deepEqual(await writes("c", { "x-amz-acl": "public-read" }), Array<string>(4).fill("AccessDenied"));
  assert.deepEqual(await writes("d", { "x-amz-acl": "private" }), ["", "", "", ""]);
  const enforced = { "x-amz-object-ownership": "BucketOwnerEnforced" };
  assert.equal(
    (await send("PUT", "/enforced", { headers: { ...enforced, "x-amz-acl": "public-read" } })).code,
    "InvalidBucketAclWithObjectOwnership",
  );
  assert.equal((await send("PUT", "/enforced", { headers: { ...enforced, "x-amz-acl": "private" } })).status, 200);
  assert.match((await send("GET", "/enforced", { query: "ownershipControls" })).body, /BucketOwnerEnforced/);
  assert.equal(
    (await send("PUT", "/enforced/a", { headers: { "x-amz-acl": "public-read" } })).code,
    "AccessControlListNotSupported",
  );
  assert.equal(
    (await send("PUT", "/enforced/a", { headers: { "x-amz-acl": "bucket-owner-full-control" } })).status,
    200,
  );
  assert.equal(
    (
      await send("PUT", "/enforced/b", {
        headers: { "x-amz-grant-read": 'uri="http://acs.amazonaws.com/groups/global/AllUsers"' },
      })
    ).code,
    "AccessControlListNotSupported",
  );
});

test("a website redirect is checked, kept, answered, and never copied along", async () => {
  const name = "x-amz-website-redirect-location";
  assert.equal(
    (await send("PUT", "/plain/page", { headers: { [name]: "elsewhere" } })).code,
    "InvalidRedirectLocation",
  );
  await send("PUT", "/plain/page", { headers: { [name]: "/other" } });
  const location = async (key: string) => (await send("HEAD", `/plain/${key}`)).headers[name];
  assert.equal(await location("page"), "/other");
  const copy = (to: string, more: Record<string, string>) =>
    send("PUT", `/plain/${to}`, { headers: { "x-amz-copy-source": "/plain/page", ...more } });
  assert.equal((await copy("copied", {})).status, 200);
  assert.equal(await location("copied"), undefined);
  await copy("copied", { [name]: "https://new.example/" });
  assert.equal(await location("copied"), "https://new.example/");
  assert.equal((await copy("page", {})).code, "InvalidRequest");
  assert.equal((await copy("page", { [name]: "/third" })).status, 200);
  assert.equal(await location("page"), "/third");
  assert.equal((await copy("page", { [name]: "third" })).code, "InvalidRedirectLocation");
});

test("Content-Encoding loses aws-chunked alone; a V1 listing shows its prefix as it was asked", async () => {
  const kept = async (encoding: string) => {
    await send("PUT", "/plain/encoded", { headers: { "content-encoding": encoding } });
    return (await send("HEAD", "/plain/encoded")).headers["content-encoding"];
  };
  assert.equal(await kept("deflate, gzip"), "deflate, gzip");
  assert.equal(await kept("deflate, gzip, aws-chunked"), "deflate, gzip");
  assert.equal(await kept("AWS-Chunked,deflate,gzip"), "deflate,gzip");
  assert.equal(await kept("aws-chunked, aws-chunked"), undefined);
  const listed = await send("GET", "/plain", { query: "encoding-type=url&prefix=a%2Fb%20c" });
  assert.ok(listed.body.includes("<Prefix>a/b c</Prefix>"), listed.body);
  const second = await send("GET", "/plain", { query: "encoding-type=url&list-type=2&prefix=a%2Fb%20c" });
  assert.ok(second.body.includes("<Prefix>a/b%20c</Prefix>"), second.body);
});

test("a completion that is asked again is answered as the first time, also when the key has a newer version", async () => {
  const path = "/versioned/completed";
  const created = await send("POST", path, { query: "uploads" });
  const id = /<UploadId>(.*?)</.exec(created.body)?.[1] ?? "";
  const part = await send("PUT", path, { query: `partNumber=1&uploadId=${id}`, body: "part" });
  const body = `<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>${part.headers["etag"]}</ETag></Part></CompleteMultipartUpload>`;
  const complete = (uploadId: string) => send("POST", path, { query: `uploadId=${uploadId}`, body });
  const first = await complete(id);
  assert.equal(first.status, 200);
  await send("PUT", path, { body: "newer" });
  await send("DELETE", path);
  const again = await complete(id);
  assert.deepEqual([again.status, again.body], [200, first.body]);
  assert.equal(again.headers["x-amz-version-id"], first.headers["x-amz-version-id"]);
  assert.equal((await send("GET", path)).status, 404);
  assert.equal((await complete(id.replace(/./, (c) => (c === "0" ? "1" : "0")))).code, "NoSuchUpload");
});

test("a delete marker named by its id: read 405 with what is allowed, copied 400", async () => {
  const path = "/versioned/marked";
  await send("PUT", path, { body: "x" });
  const marker = (await send("DELETE", path)).headers["x-amz-version-id"] ?? "";
  const read = await send("GET", path, { query: `versionId=${marker}` });
  assert.deepEqual([read.status, read.headers["allow"], read.headers["x-amz-delete-marker"]], [405, "DELETE", "true"]);
  const copied = async (source: string, query?: string): Promise<unknown[]> => {
    const headers = { "x-amz-copy-source": source };
    const { status, code } = await send("PUT", "/versioned/copy", { headers, ...(query && { query }) });
    return [status, code];
  };
  const created = await send("POST", "/versioned/copy", { query: "uploads" });
  const uploadId = /<UploadId>(.*?)</.exec(created.body)?.[1] ?? "";
  for (const query of [undefined, `partNumber=1&uploadId=${uploadId}`]) {
    assert.deepEqual(await copied(`${path}?versionId=${marker}`, query), [400, "InvalidRequest"]);
    assert.deepEqual(await copied(path, query), [404, "NoSuchKey"]);
  }
});

test("the source of a copy is encoded as a path or, slashes and all, as a value of a form, where + is a blank", async () => {
  const blank = (await send("PUT", "/plain/a%20blank", { body: "blank" })).headers["etag"];
  const plus = (await send("PUT", "/plain/a+blank", { body: "plus" })).headers["etag"];
  const created = await send("POST", "/plain/copied", { query: "uploads" });
  const upload = `uploadId=${/<UploadId>(.*?)</.exec(created.body)?.[1]}`;
  const sources = {
    "/plain/a%20blank": blank,
    "plain%2Fa+blank": blank,
    "/plain/a%2Bblank": plus,
    "plain/a+blank": plus,
  };
  for (const [source, etag] of Object.entries(sources)) {
    for (const query of ["", `partNumber=1&${upload}`]) {
      const headers = { "x-amz-copy-source": source };
      const { status, body } = await send("PUT", "/plain/copied", { headers, ...(query && { query }) });
      assert.equal(status, 200, source);
      assert.ok(body.includes(`<ETag>${etag?.replaceAll('"', "&#34;")}</ETag>`), `${source}: ${body}`);
    }
  }
  await send("DELETE", "/plain/copied", { query: upload });
});

test("two checksums claim nothing", async () => {
  const trailing = {
    headers: {
      "x-amz-trailer": "x-amz-checksum-crc32",
      "x-amz-checksum-crc32": "jNwbtw==",
      "x-amz-decoded-content-length": "1",
    },
    payloadHash: "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
    body: "1\r\nx\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n",
  };
  assert.equal((await send("PUT", "/plain/two-sums", trailing)).code, "InvalidRequest");
  const headers = { "x-amz-checksum-crc32": "AAAAAA==", "x-amz-checksum-crc32c": "AAAAAA==" };
  assert.equal((await send("PUT", "/plain/two-sums", { body: "x", headers })).code, "InvalidRequest");
});

test("a lifecycle is kept as it was set, and objects say when they expire and by which rule", async () => {
  const query = "lifecycle";
  await send("PUT", "/aging");
  assert.equal((await send("GET", "/aging", { query })).code, "NoSuchLifecycleConfiguration");
  const rule =
    "<Rule><ID>two words</ID><Status>Enabled</Status><Prefix>logs/</Prefix><Expiration><Days>1</Days></Expiration></Rule>";
  const body = `<LifecycleConfiguration>${rule}</LifecycleConfiguration>`;
  assert.equal((await send("PUT", "/aging", { query, body })).status, 200);
  const read = await send("GET", "/aging", { query: "lifecycle&withUpdatedAt=true" });
  assert.ok(read.body.includes(rule), read.body);
  assert.match(read.headers["x-minio-lifecycleconfig-updatedat"] ?? "", /^\d{8}T\d{6}Z$/);
  const stored = await send("PUT", "/aging/logs/a");
  assert.match(
    stored.headers["x-amz-expiration"] ?? "",
    /^expiry-date="\w{3}, .* 00:00:00 GMT", rule-id="two%20words"$/,
  );
  assert.equal((await send("HEAD", "/aging/logs/a")).headers["x-amz-expiration"], stored.headers["x-amz-expiration"]);
  assert.equal((await send("PUT", "/aging/other")).headers["x-amz-expiration"], undefined);
  const days0 = body.replace("<Days>1<", "<Days>0<");
  assert.equal((await send("PUT", "/aging", { query, body: days0 })).code, "InvalidArgument");
  assert.equal((await send("DELETE", "/aging", { query })).status, 204);
  assert.equal((await send("GET", "/aging", { query })).status, 404);
  assert.equal((await send("HEAD", "/aging/logs/a")).headers["x-amz-expiration"], undefined);
});

test("a bucket is created with the tags that its configuration names, or not at all", async () => {
  const tag = (key: string) => `<Tag><Key>${key}</Key><Value>v</Value></Tag>`;
  const create = (tags: string) =>
    send("PUT", "/tagged", { body: `<CreateBucketConfiguration><Tags>${tags}</Tags></CreateBucketConfiguration>` });
  assert.equal((await create(tag("a") + tag("a"))).code, "InvalidTag");
  assert.equal((await create(tag("a!"))).code, "InvalidTag");
  assert.equal((await create(Array.from({ length: 51 }, (_, n) => tag(`k${n}`)).join(""))).code, "InvalidTag");
  assert.equal((await send("HEAD", "/tagged")).status, 404);
  assert.equal((await create(tag("a"))).status, 200);
  const { body } = await send("GET", "/tagged", { query: "tagging" });
  assert.ok(body.includes("<TagSet><Tag><Key>a</Key><Value>v</Value></Tag></TagSet>"), body);
});

test("metadata in several lines is joined as it was signed", async () => {
  const headers = { "x-amz-meta-k": "1,2, 3" };
  const unsigned = { "x-amz-meta-k": ["1", "2, 3"] };
  assert.equal((await send("PUT", "/plain/joined", { headers, unsigned })).status, 200);
  assert.equal((await send("HEAD", "/plain/joined")).headers["x-amz-meta-k"], "1,2, 3");
});

test("a checksum type without its algorithm is refused, not ignored", async () => {
  for (const type of ["COMPOSITE", "FULL_OBJECT"]) {
    const headers = { "x-amz-checksum-type": type };
    assert.equal((await send("POST", "/plain/typed", { query: "uploads=", headers })).code, "InvalidRequest");
  }
  const headers = { "x-amz-checksum-type": "some" };
  assert.equal((await send("POST", "/plain/typed", { query: "uploads=", headers })).code, "InvalidArgument");
});

test("a header that changes what a request does counts only when it is signed", async () => {
  await send("PUT", "/plain/secret", { body: "s" });
  const added = { "x-amz-copy-source": "/plain/secret", "x-amz-tagging": "a=b", "x-minio-source-mtime": "0" };
  for (const [name, value] of Object.entries(added)) {
    assert.equal((await send("PUT", "/plain/added", { unsigned: { [name]: value } })).code, "AccessDenied", name);
  }
  assert.equal((await send("GET", "/plain/added")).status, 404);
  assert.equal((await send("PUT", "/plain/added", { unsigned: { "x-amz-cf-id": "1", "x-other": "2" } })).status, 200);
});

test("what is asked of a sub-resource that is not known here happens to nothing else", async () => {
  const path = "/plain/annotated";
  await send("PUT", path, { body: "text" });
  const refused: [string, string, Partial<Call>][] = [
    ["PUT", path, { query: "annotation=&annotationName=n", body: "note" }],
    ["DELETE", path, { query: "annotation=&annotationName=n" }],
    ["GET", path, { query: "annotation=&annotationName=n" }],
    ["PUT", path, { query: "neverHeardOf", body: "other" }],
    ["DELETE", path, { query: "neverHeardOf=" }],
    ["DELETE", "/versioned", { query: "neverHeardOf" }],
    ["PUT", "/not-made", { query: "neverHeardOf" }],
    ["PUT", "/plain", { query: "qos", body: "a: b" }],
    ["GET", "/plain", { query: "minio-inventory=&id=x" }],
    ["POST", path, { query: "lambdaArn=x" }],
    ["GET", "/plain/a.zip/member", { headers: { "x-minio-extract": "true" } }],
    ["GET", "/plain", { query: "list-type=2&prefix=a.zip/", headers: { "x-minio-extract": "true" } }],
  ];
  for (const [method, to, more] of refused)
    assert.equal((await send(method, to, more)).code, "NotImplemented", `${method} ${to}?${more.query ?? ""}`);
  assert.equal((await send("GET", path)).body, "text");
  assert.equal((await send("HEAD", "/not-made")).status, 404);
  for (const query of ["versionId=", "x-id=PutObject", "note=kept%20out"])
    assert.equal((await send("PUT", path, { query, body: "text" })).status, 200, query);
});

test("a checksum that is not known here is refused, not ignored", async () => {
  const claims: Record<string, string>[] = [
    { "x-amz-checksum-xxhash64": "AAAAAAAAAAA=" },
    { "x-amz-checksum-md5": "1B2M2Y8AsgTpgAmY7PhCfg==" },
  ];
  for (const headers of claims) {
    const answer = await send("PUT", "/plain/claimed", { headers, body: "text" });
    assert.deepEqual([answer.status, answer.code], [400, "InvalidArgument"], JSON.stringify(headers));
  }
  assert.equal((await send("GET", "/plain/claimed")).status, 404);
  const known = { "x-amz-checksum-crc32": "O4unxw==", "x-amz-checksum-type": "FULL_OBJECT" };
  assert.equal((await send("PUT", "/plain/claimed", { headers: known, body: "text" })).status, 200);
});

test("a checksum of a completion that nothing could be held against is refused, not ignored", async () => {
  const path = "/plain/summed";
  const wrong = { "x-amz-checksum-crc32": "AAAAAA==" };
  for (const headers of [{}, { "x-amz-checksum-algorithm": "CRC32C", "x-amz-checksum-type": "FULL_OBJECT" }]) {
    const { body } = await send("POST", path, { query: "uploads", headers });
    const query = `uploadId=${/<UploadId>(\w+)</.exec(body)?.[1]}`;
    const part = await send("PUT", path, { query: `partNumber=1&${query}`, body: "part" });
    const parts = `<Part><PartNumber>1</PartNumber><ETag>${part.headers["etag"]}</ETag></Part>`;
    const complete = { query, body: `<CompleteMultipartUpload>${parts}</CompleteMultipartUpload>` };
    assert.equal((await send("POST", path, { ...complete, headers: wrong })).code, "InvalidRequest");
    assert.equal((await send("HEAD", path)).status, 404);
    await send("DELETE", path, { query });
  }
  const policy = { Version: "2012-10-17", Statement: [] };
  const answer = await send("PUT", "/plain", { query: "policy", body: JSON.stringify(policy), headers: wrong });
  assert.equal(answer.code, "BadDigest");
});

test("a part whose upload id got lost does not become, or remove, the object", async () => {
  const path = "/plain/part";
  await send("PUT", path, { body: "object" });
  assert.equal((await send("PUT", path, { query: "partNumber=2", body: "part" })).code, "InvalidArgument");
  assert.equal((await send("DELETE", path, { query: "partNumber=2" })).code, "InvalidArgument");
  assert.equal((await send("GET", path)).body, "object");
  assert.equal((await send("GET", path, { query: "partNumber=1" })).body, "object");
});

test("a body packed by a transfer coding is not stored as it comes", async () => {
  const unsigned = { "transfer-encoding": "gzip, chunked" };
  const headers = { "x-amz-decoded-content-length": "4" };
  const packed = { headers, unsigned, body: "text", payloadHash: "UNSIGNED-PAYLOAD" };
  assert.equal((await send("PUT", "/plain/packed", packed)).code, "NotImplemented");
});

test("while the server is at work for a request, its connection may be silent", async (t) => {
  const { objects } = port.site;
  const { list, put } = objects;
  let socket: Socket | undefined;
  port.server.once("connection", (made: Socket) => (socket = made));
  const seen: unknown[] = [];
  const note = (): void => void seen.push(socket?.timeout);
  const watched: Pick<typeof objects, "list" | "put"> = {
    list: (request) => (note(), list.call(objects, request)),
    async put({ body }) {
      for await (const _piece of body.stream);
      note();
      throw new StoreError("SlowDown");
    },
  };
  t.after(() => void Object.assign(objects, { list, put }));
  Object.assign(objects, watched);
  await send("GET", "/plain");
  port.server.once("connection", (made: Socket) => (socket = made));
  await send("PUT", "/plain/slow", { body: "x".repeat(200_000) });
  assert.deepEqual(seen, [0, 0]);
});

test("uploads of one key are listed in the order in which they began", async () => {
  const begun: string[] = [];
  for (let i = 0; i < 8; i++) {
    const { body } = await send("POST", "/plain/uploaded", { query: "uploads" });
    begun.push(/<UploadId>(\w+)<\/UploadId>/.exec(body)?.[1] ?? "none");
  }
  const { body } = await send("GET", "/plain", { query: "uploads" });
  const listed = [...body.matchAll(/<UploadId>(\w+)<\/UploadId>/g)].map((match) => match[1]);
  assert.deepEqual(listed, begun);
});

test("a tag may be named as a member that every object has", async () => {
  const tags = "__proto__=a&constructor=b";
  const { body } = await send("POST", "/plain/members", { query: "uploads", headers: { "x-amz-tagging": tags } });
  const id = /<UploadId>(\w+)<\/UploadId>/.exec(body)?.[1];
  const part = await send("PUT", "/plain/members", { query: `partNumber=1&uploadId=${id}`, body: "text" });
  const parts = `<Part><PartNumber>1</PartNumber><ETag>${part.headers["etag"]}</ETag></Part>`;
  const complete = `<CompleteMultipartUpload>${parts}</CompleteMultipartUpload>`;
  await send("POST", "/plain/members", { query: `uploadId=${id}`, body: complete });
  const document = "<Tagging><TagSet><Tag><Key>__proto__</Key><Value>a</Value></Tag></TagSet></Tagging>";
  await send("PUT", "/plain", { query: "tagging", body: document });
  for (const path of ["/plain/members", "/plain"])
    assert.match((await send("GET", path, { query: "tagging" })).body, /<Key>__proto__<\/Key><Value>a<\/Value>/, path);
});
