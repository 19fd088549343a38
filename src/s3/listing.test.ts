/** Listings walked to their end, as clients do it. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { parseXml } from "../protocol/xml.ts";
import { call, startTestPort, type TestPort } from "./testing.ts";

/** Keys that look like the markers that listings give out, or gave out at MinIO. */
const KEYS = ["[resilver:YQ]", "a[minio_cache:v2,return:]", "a[minio_cache:v2,return:]b", "b[resilver:YQ]", "c"];
const STEPS_MAX = 20;

let port: TestPort;
before(async () => {
  port = await startTestPort();
  await call(port, { method: "PUT", path: "/walked" });
  for (const key of KEYS) await call(port, { method: "PUT", path: `/walked/${encodeURIComponent(key)}`, body: "x" });
});
after(() => port.close());

/** Page by page; `next` names the parameters that go on, by the elements that tell them. */
async function walked(query: string, next: Readonly<Record<string, string>>): Promise<string[]> {
  const keys: string[] = [];
  let more = "";
  for (let step = 0; step < STEPS_MAX; step++) {
    const { body } = await call(port, { method: "GET", path: "/walked", query: `${query}&max-keys=1${more}` });
    const decoded = (text: string): string =>
      query.includes("encoding-type") ? decodeURIComponent(text.replaceAll("+", " ")) : text;
    const root = parseXml(Buffer.from(body));
    for (const { name, children } of root.children) {
      const key = children.find((child) => child.name === "Key")?.text ?? "";
      if (name === "Contents" || name === "Version") keys.push(decoded(key));
    }
    if (root.value("IsTruncated") !== "true") break;
    more = Object.entries(next)
      .map(([element, name]) => `&${name}=${encodeURIComponent(decoded(root.value(element) ?? ""))}`)
      .join("");
  }
  return keys;
}

test("keys that look like markers end no listing, and make none endless", async () => {
  const versions = { NextKeyMarker: "key-marker", NextVersionIdMarker: "version-id-marker" };
  assert.deepEqual(await walked("list-type=2", { NextContinuationToken: "continuation-token" }), KEYS);
  for (const encoding of ["", "&encoding-type=url"]) {
    assert.deepEqual(await walked(`prefix=${encoding}`, { NextMarker: "marker" }), KEYS, encoding);
    assert.deepEqual(await walked(`versions${encoding}`, versions), KEYS, encoding);
  }
});

test("every listing tells the algorithm and the type of an object's checksum", async () => {
  await call(port, { method: "PUT", path: "/summed" });
  const headers = { "x-amz-checksum-crc32": "poTHxg==" };
  await call(port, { method: "PUT", path: "/summed/a", body: "0123456789", headers });
  await call(port, { method: "PUT", path: "/summed/b", body: "none" });
  for (const query of ["", "list-type=2", "versions"]) {
    const { body } = await call(port, { method: "GET", path: "/summed", query });
    const told = parseXml(Buffer.from(body)).children.filter(({ name }) => name === "Contents" || name === "Version");
    assert.deepEqual(
      told.map((one) => [one.value("ChecksumAlgorithm"), one.value("ChecksumType")]),
      [
        ["CRC32", "FULL_OBJECT"],
        [undefined, undefined],
      ],
      query,
    );
  }
});

test("a marker that MinIO gave out is gone on from; a start-after is a key as it is", async () => {
  const first = async (query: string): Promise<string | undefined> => {
    const { body } = await call(port, { method: "GET", path: "/walked", query });
    return /<Key>(.*?)<\/Key>/.exec(body)?.[1];
  };
  const marker = encodeURIComponent("b[resilver:YQ][minio_cache:v2,id:6766a171,return:,p:0,s:0]");
  assert.equal(await first(`marker=${marker}`), "c");
  const token = encodeURIComponent(Buffer.from("b[resilver:YQ][minio_cache:v2,return:]").toString("base64"));
  assert.equal(await first(`list-type=2&continuation-token=${token}`), "c");
  assert.equal(await first(`list-type=2&start-after=${encodeURIComponent("a[minio_cache:v2,return:]")}`), KEYS[2]);
});

test("a page of nothing is the last: whoever goes on from it would never come to an end", async () => {
  const { body } = await call(port, { method: "POST", path: "/walked/upload", query: "uploads" });
  const id = /<UploadId>(\w+)</.exec(body)?.[1];
  await call(port, { method: "PUT", path: "/walked/upload", query: `partNumber=1&uploadId=${id}`, body: "x" });
  for (const [path, query] of [
    ["/walked", "max-keys=0"],
    ["/walked", "versions&max-keys=0"],
    ["/walked", "uploads&max-uploads=0"],
    ["/walked/upload", `uploadId=${id}&max-parts=0`],
  ] as const)
    assert.match((await call(port, { method: "GET", path, query })).body, /<IsTruncated>false</, query);
});

test("the location of what was stored through a host that names its bucket", async () => {
  const other = await startTestPort({ domains: ["example.org"] });
  try {
    await call(other, { method: "PUT", path: "/hosted" });
    for (const [host, path] of [
      ["hosted.example.org", "/up%20load"],
      ["example.org", "/hosted/up%20load"],
    ] as const) {
      const headers = { host };
      const { body } = await call(other, { method: "POST", path, query: "uploads", headers });
      const query = `uploadId=${/<UploadId>(\w+)</.exec(body)?.[1]}`;
      const part = await call(other, { method: "PUT", path, query: `partNumber=1&${query}`, body: "x", headers });
      const parts = `<Part><PartNumber>1</PartNumber><ETag>${part.headers["etag"]}</ETag></Part>`;
      const document = `<CompleteMultipartUpload>${parts}</CompleteMultipartUpload>`;
      const done = await call(other, { method: "POST", path, query, body: document, headers });
      assert.equal(/<Location>(.*?)</.exec(done.body)?.[1], `http://${host}${path}`);
    }
  } finally {
    await other.close();
  }
});
