import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { test } from "node:test";
import fc from "fast-check";
import { hasCode } from "../model/errors.ts";
import { SigningKey } from "./sigv4-canonical.ts";
import { authScheme, checkSignatureTime, EMPTY_SHA256, parseAuthorization, verifySignature } from "./sigv4.ts";
import type { SignedRequest } from "./sigv4.ts";
import { presignUrl, signRequest, type RequestToSign } from "./sigv4-sign.ts";
import { encodeQueryValue, encodeS3Path, renderQuery } from "./uri.ts";

const AWS = {
  accessKey: "AKIAIOSFODNN7EXAMPLE",
  secretKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
  region: "us-east-1",
  nowMs: Date.UTC(2013, 4, 24),
};

function wire(method: string, path: string, query: string, headers: Record<string, string>): SignedRequest {
  return { method, path, query, header: (name) => headers[name], headerNames: Object.keys(headers) };
}

function resign(request: RequestToSign): { signed: SignedRequest; signature: string } {
  const headers = signRequest(request);
  const signed = wire(request.method, request.path, request.query, headers);
  return { signed, signature: parseAuthorization(signed).signature };
}

test("published examples: GET with range, PUT, lifecycle, list", () => {
  const host = "examplebucket.s3.amazonaws.com";
  const base = { ...AWS, method: "GET", path: "/", query: "", payloadHash: EMPTY_SHA256 };
  const get = resign({ ...base, path: "/test.txt", headers: { host, range: "bytes=0-9" } });
  assert.equal(get.signature, "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
  assert.ok(verifySignature(get.signed, parseAuthorization(get.signed), AWS.secretKey));
  const put = resign({
    ...base,
    method: "PUT",
    path: "/test%24file.text",
    headers: { host, date: "Fri, 24 May 2013 00:00:00 GMT", "x-amz-storage-class": "REDUCED_REDUNDANCY" },
    payloadHash: "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072",
  });
  assert.equal(put.signature, "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd");
  const lifecycle = resign({ ...base, query: "lifecycle", headers: { host } });
  assert.equal(lifecycle.signature, "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543");
  const list = resign({ ...base, query: "max-keys=2&prefix=J", headers: { host } });
  assert.equal(list.signature, "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7");
});

test("published example: presigned", () => {
  const url = new URL(
    presignUrl({
      ...AWS,
      method: "GET",
      origin: "https://examplebucket.s3.amazonaws.com",
      path: "/test.txt",
      expiresSeconds: 86400,
    }),
  );
  const expected = "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404";
  assert.equal(url.searchParams.get("X-Amz-Signature"), expected);
  const request = wire("GET", url.pathname, url.search.slice(1), { host: url.host });
  const parsed = parseAuthorization(request);
  assert.ok(verifySignature(request, parsed, AWS.secretKey));
  checkSignatureTime(parsed, AWS.nowMs + 86_400_000);
  assert.throws(() => checkSignatureTime(parsed, AWS.nowMs + 86_400_001), /expired/);
  assert.throws(() => checkSignatureTime(parsed, AWS.nowMs - 900_001), /not valid yet/);
  const smuggled = wire("GET", url.pathname, url.search.slice(1), { host: url.host, "x-amz-meta-a": "1" });
  assert.throws(
    () => parseAuthorization(smuggled),
    (error) => hasCode(error, "AccessDenied"),
  );
});

const word = fc.string({ unit: "binary", maxLength: 12 });
const sample = fc.record({
  key: word,
  query: fc.dictionary(word, word, { maxKeys: 4 }),
  meta: fc.string({ maxLength: 20 }).map((value) => value.trim()),
  accessKey: fc.constantFrom("AK", "a/b/c"),
  region: fc.constantFrom("", "us-east-1"),
});

test("what is signed verifies; any change fails", () => {
  fc.assert(
    fc.property(sample, fc.nat(), ({ key, query, meta, accessKey, region }, at) => {
      const path = `/bucket/${encodeS3Path(key)}`;
      const raw = renderQuery(query);
      const headers = { host: "h:9000", "x-amz-meta-x": meta, "x-amz-tagging": "" };
      const signing = {
        ...AWS,
        accessKey,
        region,
        method: "PUT",
        path,
        query: raw,
        headers,
        payloadHash: EMPTY_SHA256,
      };
      const { signed } = resign(signing);
      const parsed = parseAuthorization(signed);
      assert.equal(parsed.accessKey, accessKey);
      assert.ok(verifySignature(signed, parsed, AWS.secretKey));
      assert.ok(!verifySignature(signed, parsed, `${AWS.secretKey}x`));
      const flip = (text: string): string => {
        const i = at % text.length;
        return `${text.slice(0, i)}${text[i] === "A" ? "B" : "A"}${text.slice(i + 1)}`;
      };
      assert.ok(!verifySignature({ ...signed, path: `${path}x` }, parsed, AWS.secretKey));
      assert.ok(!verifySignature({ ...signed, query: `${raw}&zz=1` }, parsed, AWS.secretKey));
      assert.ok(!verifySignature({ ...signed, method: "GET" }, parsed, AWS.secretKey));
      assert.ok(!verifySignature(signed, { ...parsed, signature: flip(parsed.signature) }, AWS.secretKey));
      assert.ok(!verifySignature(signed, { ...parsed, payloadHash: flip(EMPTY_SHA256) }, AWS.secretKey));
      const other = {
        ...signed,
        header: (name: string) => (name === "x-amz-meta-x" ? `${meta}!` : signed.header(name)),
      };
      assert.ok(!verifySignature(other, parsed, AWS.secretKey));
    }),
  );
});

test("header form without blanks, missing headers, repeated query names", () => {
  const { signed } = resign({
    ...AWS,
    method: "GET",
    path: "/b",
    query: "events=b&events=a",
    headers: { host: "h" },
    payloadHash: EMPTY_SHA256,
  });
  const tight = (signed.header("authorization") as string).replaceAll(", ", ",");
  const same = { ...signed, header: (name: string) => (name === "authorization" ? tight : signed.header(name)) };
  assert.ok(verifySignature(same, parseAuthorization(same), AWS.secretKey));
  const parsed = parseAuthorization(signed);
  assert.ok(!verifySignature({ ...signed, query: "events=b&events=c" }, parsed, AWS.secretKey));
  assert.throws(
    () =>
      verifySignature(
        { ...signed, header: (name) => (name === "host" ? undefined : signed.header(name)) },
        parsed,
        AWS.secretKey,
      ),
    (error) => hasCode(error, "AccessDenied"),
  );
  // Signed as the AWS SDKs do, values sorted, but sent in another order.
  const sorted = resign({
    ...AWS,
    method: "GET",
    path: "/b",
    query: "e=a&e=b",
    headers: { host: "h" },
    payloadHash: EMPTY_SHA256,
  }).signed;
  assert.ok(verifySignature({ ...sorted, query: "e=b&e=a" }, parseAuthorization(sorted), AWS.secretKey));
});

test("faults have their codes", () => {
  const authorization = (credential: string, tail = ", SignedHeaders=host, Signature=aa"): SignedRequest =>
    wire("GET", "/", "", {
      host: "h",
      "x-amz-date": "20130524T000000Z",
      authorization: `AWS4-HMAC-SHA256 Credential=${credential}${tail}`,
    });
  const code = (request: SignedRequest, region?: string): string => {
    try {
      parseAuthorization(request, { region });
    } catch (error) {
      return (error as { code: string }).code;
    }
    return "";
  };
  const good = "AK/20130524/us-east-1/s3/aws4_request";
  assert.equal(code(authorization(good)), "");
  assert.equal(code(authorization(good), "eu-west-1"), "AuthorizationHeaderMalformed");
  assert.equal(code(authorization("AK/20130524/s3/aws4_request")), "AuthorizationQueryParametersError");
  assert.equal(code(authorization("AK/2013052/us-east-1/s3/aws4_request")), "AuthorizationQueryParametersError");
  assert.equal(code(authorization("AK/20130524/us-east-1/ec2/aws4_request")), "AuthorizationParametersError");
  assert.equal(code(authorization(good, ", Signature=aa")), "MissingFields");
  assert.equal(code(authorization(good, ", SignedHeaders=range, Signature=aa")), "AccessDenied");
  const dateless = wire("GET", "/", "", {
    host: "h",
    authorization: authorization(good).header("authorization") as string,
  });
  assert.equal(code(dateless), "AccessDenied");
  assert.equal(
    code({
      ...dateless,
      header: (name) => (name === "date" ? "Fri, 24 May 2013 00:00:00 GMT" : dateless.header(name)),
    }),
    "MalformedDate",
  );
  assert.equal(
    code(wire("GET", "/", `X-Amz-Credential=${encodeQueryValue(good)}`, { host: "h" })),
    "AuthorizationQueryParametersError",
  );
  assert.throws(
    () => checkSignatureTime(parseAuthorization(authorization(good)), AWS.nowMs + 900_001),
    (error) => hasCode(error, "RequestTimeTooSkewed"),
  );
});

test("schemes", () => {
  const scheme = (method: string, query: string, headers: Record<string, string>): string =>
    authScheme(wire(method, "/", query, headers));
  assert.equal(scheme("GET", "", {}), "anonymous");
  assert.equal(scheme("GET", "x-amz-credential=a", {}), "anonymous");
  assert.equal(scheme("GET", "X-Amz-Credential=a", {}), "v4-presigned");
  assert.equal(scheme("GET", "AWSAccessKeyId=a", {}), "v2-presigned");
  assert.equal(scheme("GET", "", { authorization: "AWS a:b" }), "v2-header");
  assert.equal(scheme("GET", "", { authorization: "Bearer x" }), "bearer");
  assert.equal(scheme("GET", "", { authorization: "Basic x" }), "unknown");
  assert.equal(scheme("POST", "", { "content-type": "multipart/form-data; boundary=x" }), "post-policy");
  assert.throws(
    () => scheme("GET", "X-Amz-Credential=a", { authorization: "AWS4-HMAC-SHA256 x" }),
    (error) => hasCode(error, "InvalidRequest"),
  );
});

test("a signing key signs as a native HMAC does", () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: 32, maxLength: 32 }),
      fc.oneof(
        fc.string({ maxLength: 300 }),
        fc.nat({ max: 9000 }).map((length) => "e".repeat(length)),
      ),
      (bytes, text) => {
        const native = createHmac("sha256", bytes).update(text, "latin1").digest("hex");
        assert.equal(new SigningKey(Buffer.from(bytes)).sign(text), native);
      },
    ),
  );
});
