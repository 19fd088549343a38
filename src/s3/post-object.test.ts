/** POST uploads over the wire: both signatures, every condition violated, every kind of answer. */
import assert from "node:assert/strict";
import { createHash, createHmac } from "node:crypto";
import { connect } from "node:net";
import { text } from "node:stream/consumers";
import { after, before, test } from "node:test";
import { checksumOf } from "../model/checksum.ts";
import { deriveSigningKey } from "../protocol/sigv4.ts";
import { call, startTestPort, TEST_ROOT, type Answer, type TestPort } from "./testing.ts";

let port: TestPort;
before(async () => {
  port = await startTestPort();
  for (const bucket of ["forms", "other"]) await call(port, { method: "PUT", path: `/${bucket}` });
});
after(() => port.close());

type Fields = Record<string, string>;

const AMZ_DATE = new Date().toISOString().replace(/[-:]|\.\d+/g, "");
const SCOPE = { date: AMZ_DATE.slice(0, 8), region: "us-east-1", service: "s3" };
const CREDENTIAL = `${TEST_ROOT.accessKey}/${SCOPE.date}/us-east-1/s3/aws4_request`;
const LATER = new Date(Date.now() + 3_600_000).toISOString();

const encoded = (conditions: unknown[], expiration = LATER): string =>
  Buffer.from(JSON.stringify({ expiration, conditions })).toString("base64");

/** Conditions of every valid form here. */
const BASE: unknown[] = [{ bucket: "forms" }, ["starts-with", "$key", "up/"]];
const V4_FIELDS = { "x-amz-algorithm": "AWS4-HMAC-SHA256", "x-amz-credential": CREDENTIAL, "x-amz-date": AMZ_DATE };

function signed4(policy: string): Fields {
  const key = deriveSigningKey(TEST_ROOT.secretKey, SCOPE);
  return { policy, ...V4_FIELDS, "x-amz-signature": key.sign(policy) };
}

function signed2(policy: string): Fields {
  const signature = createHmac("sha1", TEST_ROOT.secretKey).update(policy).digest("base64");
  return { policy, AWSAccessKeyId: TEST_ROOT.accessKey, signature };
}

/** A form with a policy of these conditions beside the usual ones, signed with version 4. */
function form4(conditions: unknown[] = [], fields: Fields = {}): Fields {
  const known = Object.entries(V4_FIELDS).map(([name, value]) => ({ [name]: value }));
  return { key: "up/one", ...signed4(encoded([...BASE, ...known, ...conditions])), ...fields };
}

interface FileOptions {
  readonly bucket?: string;
  readonly fileName?: string;
  readonly file?: string | null;
}

function post(
  fields: Fields,
  { bucket = "forms", fileName = "f.txt", file = "content" }: FileOptions = {},
): Promise<Answer> {
  const boundary = "----form-boundary";
  const part = (name: string, text: string, more = ""): string =>
    `--${boundary}\r\nContent-Disposition: form-data; name="${name}"${more}\r\n\r\n${text}\r\n`;
  const parts = Object.entries(fields).map(([name, value]) => part(name, value));
  if (file !== null) parts.push(part("file", file, `; filename="${fileName}"`));
  const headers = { "content-type": `multipart/form-data; boundary=${boundary}` };
  return call(port, {
    method: "POST",
    path: `/${bucket}`,
    headers,
    body: `${parts.join("")}--${boundary}--\r\n`,
    credentials: null,
  });
}

async function refused(answer: Promise<Answer>, status: number, code: string): Promise<void> {
  const { status: was, code: said, body } = await answer;
  assert.deepEqual([was, said], [status, code], body);
}

const stored = async (path: string): Promise<Answer> => call(port, { method: "GET", path: `/forms/${path}` });

test("a form is posted to the bucket, not to a key", async () => {
  await refused(post({}, { bucket: "forms/key" }), 405, "MethodNotAllowed");
});

test("both signatures store the file under its key, and say 204", async () => {
  const modern = await post(form4());
  assert.equal(modern.status, 204, modern.body);
  assert.equal(modern.headers["etag"], `"${createHash("md5").update("content").digest("hex")}"`);
  assert.equal(modern.headers["location"], `${port.endpoint}/forms/up/one`);
  assert.equal((await stored("up/one")).body, "content");
  const old = await post({ key: "up/two", ...signed2(encoded(BASE)) }, { file: "old" });
  assert.equal(old.status, 204, old.body);
  assert.equal((await stored("up/two")).body, "old");
});

test("signatures: wrong, missing, unknown, of another kind, for another day or region", async () => {
  const good = form4();
  await refused(post({ ...good, "x-amz-signature": "0".repeat(64) }), 403, "SignatureDoesNotMatch");
  await refused(post({ ...good, "x-amz-signature": "" }), 403, "SignatureDoesNotMatch");
  await refused(post({ ...good, policy: encoded(BASE) }), 403, "SignatureDoesNotMatch");
  await refused(
    post({ ...good, "x-amz-credential": CREDENTIAL.replace(/^[^/]+/, "nobody") }),
    403,
    "InvalidAccessKeyId",
  );
  await refused(post({ ...good, "x-amz-algorithm": "AWS4-HMAC-SHA1" }), 400, "InvalidArgument");
  await refused(post({ ...good, "x-amz-date": "20010101T000000Z" }), 400, "InvalidArgument");
  await refused(post({ ...good, "x-amz-credential": "broken" }), 400, "AuthorizationQueryParametersError");
  await refused(post({ ...good, "x-amz-security-token": "t" }), 403, "InvalidTokenId");
  const old = { key: "up/two", ...signed2(encoded(BASE)) };
  await refused(post({ ...old, signature: "AAAA" }), 403, "SignatureDoesNotMatch");
  await refused(post({ ...old, AWSAccessKeyId: "nobody" }), 403, "InvalidAccessKeyId");
  await refused(post({ key: "up/two", AWSAccessKeyId: TEST_ROOT.accessKey }), 400, "MalformedPOSTRequest");
  await refused(post({ key: "up/none" }), 403, "AccessDenied");
});

test("each violated condition refuses the form before anything is stored", async () => {
  const key = "up/never";
  await refused(post(form4([], { key: "down/x" })), 403, "AccessDenied");
  await refused(post(form4([], { key }), { bucket: "other" }), 403, "AccessDenied");
  await refused(post(form4([], { key, "x-amz-meta-extra": "1" })), 403, "AccessDenied");
  await refused(post(form4([["eq", "$x-amz-meta-a", "1"]], { key })), 403, "AccessDenied");
  await refused(post(form4([{ "x-amz-meta-a": "1" }], { key, "x-amz-meta-a": "2" })), 403, "AccessDenied");
  await refused(
    post(form4([["starts-with", "$Content-Type", "image/"]], { key, "Content-Type": "text/x" })),
    403,
    "AccessDenied",
  );
  await refused(post(form4([["content-length-range", 0, 3]], { key })), 400, "EntityTooLarge");
  await refused(post(form4([["content-length-range", 8, 9]], { key })), 400, "EntityTooSmall");
  const expired = { key, ...signed2(encoded(BASE, "2001-01-01T00:00:00Z")) };
  await refused(post(expired), 403, "AccessDenied");
  // A policy without its bucket would be good for every bucket of its signer.
  await refused(post({ key, ...signed2(encoded([["starts-with", "$key", ""]])) }), 403, "AccessDenied");
  for (const conditions of [
    [["content-length-range", -1, 5]],
    [["content-length-range", 5]],
    [["matches", "$key", "a"]],
  ])
    await refused(post({ key, ...signed2(encoded([...BASE, ...conditions])) }), 400, "InvalidPolicyDocument");
  await refused(post({ key, ...signed2("bm90IGpzb24=") }), 400, "InvalidPolicyDocument");
  assert.equal((await stored(key)).status, 404);
});

test("metadata whose name could be no header is refused: nobody could read the object", async () => {
  for (const name of ["x-amz-meta-a b", "x-amz-meta-a:b"]) {
    await refused(
      post(form4([["starts-with", `$${name}`, ""]], { key: "up/named", [name]: "1" })),
      400,
      "InvalidArgument",
    );
  }
  assert.equal((await stored("up/named")).status, 404);
});

test("the rest of a refused form is read, and the connection ends", { timeout: 10_000 }, async () => {
  const start = '--b\r\nContent-Disposition: form-data; name="';
  const body = `${start}key"\r\n\r\nup/x\r\n${start}file"; filename="f"\r\n\r\n${"x".repeat(2_000_000)}\r\n--b--\r\n`;
  const socket = connect(port.port, "127.0.0.1");
  const answered = text(socket);
  const head = `POST /forms HTTP/1.1\r\nHost: h\r\nContent-Type: multipart/form-data; boundary=b\r\n`;
  socket.write(`${head}Content-Length: ${body.length}\r\n\r\n${body}`);
  assert.match(await answered, /^HTTP\/1.1 403 .*AccessDenied/s);
});

/** A value that each field may have in a condition, and another one. */
const CONDITIONED: Readonly<Record<string, readonly [good: string, bad: string]>> = {
  key: ["up/table", "up/else"],
  acl: ["private", "bucket-owner-full-control"],
  "Cache-Control": ["max-age=1", "no-store"],
  "Content-Type": ["image/png", "text/html"],
  "Content-Disposition": ["inline", "attachment"],
  "Content-Encoding": ["gzip", "br"],
  Expires: ["Fri, 01 Jan 2100 00:00:00 GMT", "Thu, 01 Jan 2099 00:00:00 GMT"],
  success_action_redirect: ["https://a.example/", "https://b.example/"],
  redirect: ["https://a.example/", "https://b.example/"],
  success_action_status: ["201", "200"],
  tagging: ["<Tagging><TagSet></TagSet></Tagging>", "<Tagging><TagSet/></Tagging>"],
  "x-amz-meta-Colour": ["red", "blue"],
  "x-amz-storage-class": ["STANDARD", "REDUCED_REDUNDANCY"],
  "x-amz-website-redirect-location": ["/a", "/b"],
};

test("each condition on each field: held, violated, without its field; and each field without a condition", async () => {
  const send = async (conditions: unknown[], fields: Fields): Promise<string> => {
    const policy = encoded([{ bucket: "forms" }, ...conditions]);
    const { status, code } = await post({ key: "up/table", ...signed2(policy), ...fields });
    return code === "" && status < 400 ? "stored" : `${status} ${code}`;
  };
  const denied = "403 AccessDenied";
  for (const [field, [good, bad]] of Object.entries(CONDITIONED)) {
    const isKey = field === "key";
    const key = isKey ? [] : [["starts-with", "$key", "up/"]];
    const begin = good.slice(0, 4);
    for (const condition of [{ [field]: good }, ["eq", `$${field}`, good], ["starts-with", `$${field}`, begin]]) {
      const told = JSON.stringify(condition);
      assert.equal(await send([...key, condition], { [field]: good }), "stored", told);
      if (!Array.isArray(condition) || condition[0] === "eq" || !bad.startsWith(begin))
        assert.equal(await send([...key, condition], { [field]: bad }), denied, told);
      // Every condition counts, not only the first of a field.
      assert.equal(await send([...key, condition, ["eq", `$${field}`, bad]], { [field]: good }), denied, told);
      if (!isKey) assert.equal(await send([...key, condition], {}), denied, told);
    }
    if (!isKey) assert.equal(await send(key, { [field]: good }), denied, field);
  }
  const sized = (min: unknown, max: unknown): Promise<string> =>
    send([{ key: "up/table" }, ["content-length-range", min, max]], {});
  assert.equal(await sized(7, 7), "stored");
  assert.equal(await sized("0", "7"), "stored");
  assert.equal(await sized(0, 6), "400 EntityTooLarge");
  assert.equal(await sized(8, 100), "400 EntityTooSmall");
});

test("fields: metadata, tags, storage class, an ignored one; the file's name in the key, checked as it ends up", async () => {
  const tags = "<Tagging><TagSet><Tag><Key>a</Key><Value>1</Value></Tag></TagSet></Tagging>";
  const any = ["Content-Type", "x-amz-meta-a", "tagging", "x-amz-storage-class"].map((n) => [
    "starts-with",
    `$${n}`,
    "",
  ]);
  const fields = { key: "up/${filename}", "Content-Type": "text/x", "x-amz-meta-a": "é", tagging: tags };
  const more = { "x-amz-storage-class": "REDUCED_REDUNDANCY", "x-ignore-me": "1" };
  const answer = await post(form4(any, { ...fields, ...more }), { fileName: "C:\\pics\\$&.txt" });
  assert.equal(answer.status, 204, answer.body);
  const { headers } = await stored("up/$&.txt");
  assert.equal(headers["content-type"], "text/x");
  assert.equal(headers["x-amz-meta-a"], "=?UTF-8?B?w6k=?=");
  assert.equal(headers["x-amz-tagging-count"], "1");
  assert.equal(headers["x-amz-storage-class"], "REDUCED_REDUNDANCY");
  await post(form4([], { key: "${filename}" }), { fileName: "up/.." }).then(({ status }) => assert.ok(status >= 400));
  const byName = { key: "${filename}", ...signed2(encoded([{ bucket: "forms" }, ["starts-with", "$key", "pic"]])) };
  assert.equal((await post(byName, { fileName: "pic.png" })).status, 204);
  await refused(post(byName, { fileName: "doc.png" }), 403, "AccessDenied");
});

test("policies of the bucket see the fields as they see the headers of a PUT", async () => {
  const on = { Principal: "*", Action: "s3:PutObject", Resource: "arn:aws:s3:::judged/*" };
  const Statement = [
    { ...on, Effect: "Allow" },
    { ...on, Effect: "Deny", Condition: { StringLike: { "s3:x-amz-acl": "public*" } } },
    { ...on, Effect: "Deny", Condition: { StringEquals: { "s3:RequestObjectTag/class": "secret" } } },
  ];
  await call(port, { method: "PUT", path: "/judged" });
  const body = JSON.stringify({ Version: "2012-10-17", Statement });
  assert.equal((await call(port, { method: "PUT", path: "/judged", query: "policy", body })).status, 204);
  const to = (fields: Fields): Promise<Answer> => post({ key: "a", ...fields }, { bucket: "judged" });
  const tags = (value: string): string =>
    `<Tagging><TagSet><Tag><Key>class</Key><Value>${value}</Value></Tag></TagSet></Tagging>`;
  assert.equal((await to({ acl: "private", tagging: tags("open") })).status, 204);
  await refused(to({ acl: "public-read" }), 403, "AccessDenied");
  await refused(to({ tagging: tags("secret") }), 403, "AccessDenied");
  await refused(to({ tagging: "<Tagging>" }), 400, "MalformedXML");
});

test("checksums are verified and answered", async () => {
  const crc = checksumOf("CRC32C", Buffer.from("content"));
  const good = await post(form4([], { "x-amz-checksum-crc32c": crc }));
  assert.deepEqual([good.status, good.headers["x-amz-checksum-crc32c"]], [204, crc]);
  await refused(
    post(form4([], { key: "up/bad", "x-amz-checksum-crc32c": checksumOf("CRC32C", Buffer.from("x")) })),
    400,
    "BadDigest",
  );
  assert.equal((await stored("up/bad")).status, 404);
});

test("the answer: 200, 201 with a document, 204 for any other word, 303 to where the form says", async () => {
  const status = (word: string) =>
    post(form4([["eq", "$success_action_status", word]], { success_action_status: word }));
  assert.equal((await status("200")).status, 200);
  assert.equal((await status("404")).status, 204);
  const created = await status("201");
  assert.equal(created.status, 201);
  assert.match(created.body, /<PostResponse.*<Bucket>forms<\/Bucket><Key>up\/one<\/Key><ETag>/s);
  const there = "https://site.example/done?from=form";
  const moved = await post(
    form4([["starts-with", "$success_action_redirect", "https://"]], { success_action_redirect: there }),
  );
  assert.equal(moved.status, 303);
  const url = new URL(moved.headers["location"] ?? "");
  assert.equal(url.origin, "https://site.example");
  assert.deepEqual(
    [url.searchParams.get("from"), url.searchParams.get("bucket"), url.searchParams.get("key")],
    ["form", "forms", "up/one"],
  );
  const nowhere = await post(
    form4([["starts-with", "$success_action_redirect", ""]], { success_action_redirect: "not a url" }),
  );
  assert.equal(nowhere.status, 204);
});

test("a form without key or file is malformed; strangers may post where the bucket's policy lets them", async () => {
  await refused(post(form4([], { key: "" })), 400, "MalformedPOSTRequest");
  await refused(post(form4(), { file: null }), 400, "MalformedPOSTRequest");
  const statement = { Effect: "Allow", Principal: "*", Action: "s3:PutObject", Resource: "arn:aws:s3:::other/open/*" };
  const body = JSON.stringify({ Version: "2012-10-17", Statement: [statement] });
  await call(port, { method: "PUT", path: "/other", query: "policy", body });
  assert.equal((await post({ key: "open/a" }, { bucket: "other" })).status, 204);
  await refused(post({ key: "closed/a" }, { bucket: "other" }), 403, "AccessDenied");
});
