import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { test } from "node:test";
import { hasCode } from "../model/errors.ts";
import { checkSignatureTime2, parseAuthorization2, stringToSign2, verifySignature2 } from "./sigv2.ts";
import type { SignedRequest } from "./sigv4.ts";

const SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
const KEY = "AKIAIOSFODNN7EXAMPLE";

function wire(method: string, url: string, headers: Record<string, string>): SignedRequest {
  const [path = "", query = ""] = url.split("?");
  return { method, path, query, header: (name) => headers[name], headerNames: Object.keys(headers) };
}

function signed(
  method: string,
  url: string,
  headers: Record<string, string>,
  signature: string,
  bucket: string,
): boolean {
  const request = wire(method, url, { ...headers, authorization: `AWS ${KEY}:${signature}` });
  const parsed = parseAuthorization2(request);
  assert.equal(parsed.accessKey, KEY);
  return verifySignature2(request, parsed, SECRET, bucket);
}

test("published examples: GET, PUT, list, acl, raw path, x-amz-date", () => {
  const get = { date: "Tue, 27 Mar 2007 19:36:42 +0000" };
  assert.ok(signed("GET", "/photos/puppy.jpg", get, "bWq2s1WEIj+Ydj0vQ697zp+IXMU=", "johnsmith"));
  assert.ok(!signed("GET", "/photos/puppy.jpg", get, "bWq2s1WEIj+Ydj0vQ697zp+IXMU=", ""));
  const put = { "content-type": "image/jpeg", date: "Tue, 27 Mar 2007 21:15:45 +0000" };
  assert.ok(signed("PUT", "/photos/puppy.jpg", put, "MyyxeRY7whkBe+bq8fHCL/2kKUg=", "johnsmith"));
  const list = { date: "Tue, 27 Mar 2007 19:42:41 +0000" };
  assert.ok(
    signed("GET", "/?prefix=photos&max-keys=50&marker=puppy", list, "htDYFYduRNen8P9ZfE/s9SuKy0U=", "johnsmith"),
  );
  const acl = { date: "Tue, 27 Mar 2007 19:44:46 +0000" };
  assert.ok(signed("GET", "/?acl", acl, "c2WLPFtWHVgbEmeEG93a4cG37dM=", "johnsmith"));
  const unicode = { date: "Wed, 28 Mar 2007 01:49:49 +0000" };
  assert.ok(signed("GET", "/dictionary/fran%C3%A7ais/pr%c3%a9f%c3%a8re", unicode, "DNEZGsoieTZ92F3bUfSPQcbGmlM=", ""));
});

test("x-amz-date empties the date's line; x-amz headers are sorted and folded; sub-resources are signed decoded", () => {
  const headers = { date: "x", "x-amz-meta-b": " two  words ", "x-amz-date": "Tue, 27 Mar 2007 21:20:26 +0000" };
  const request = wire("GET", "/b/k?response-content-type=text%2Fplain&versionId=v&prefix=p", headers);
  const lines = "GET\n\n\n\nx-amz-date:Tue, 27 Mar 2007 21:20:26 +0000\nx-amz-meta-b:two words\n";
  assert.equal(stringToSign2(request, ""), `${lines}/b/k?response-content-type=text/plain&versionId=v`);
});

test("presigned: published example, expiry, missing fields", () => {
  const url = `/photos/puppy.jpg?AWSAccessKeyId=${KEY}&Signature=NpgCjnDzrM%2BWFzoENXmpNDUsSn8%3D&Expires=1175139620`;
  const request = wire("GET", url, { host: "johnsmith.s3.amazonaws.com" });
  const parsed = parseAuthorization2(request);
  assert.ok(verifySignature2(request, parsed, SECRET, "johnsmith"));
  assert.ok(!verifySignature2({ ...request, method: "PUT" }, parsed, SECRET, "johnsmith"));
  checkSignatureTime2(parsed, 1_175_139_620_000);
  assert.throws(() => checkSignatureTime2(parsed, 1_175_139_620_001), /expired/);
  const lacking = wire("GET", `/b/k?AWSAccessKeyId=${KEY}&Expires=1`, {});
  assert.throws(
    () => parseAuthorization2(lacking),
    (error) => hasCode(error, "AuthorizationQueryParametersError"),
  );
});

test("header form: the clock, broken headers", () => {
  const at = Date.UTC(2007, 2, 27, 19, 36, 42);
  const parsed = parseAuthorization2(
    wire("GET", "/", { date: "Tue, 27 Mar 2007 19:36:42 +0000", authorization: "AWS a:b=" }),
  );
  checkSignatureTime2(parsed, at + 900_000);
  assert.throws(
    () => checkSignatureTime2(parsed, at + 900_001),
    (error) => hasCode(error, "RequestTimeTooSkewed"),
  );
  assert.throws(
    () => parseAuthorization2(wire("GET", "/", { authorization: "AWS a:b=" })),
    (error) => hasCode(error, "AccessDenied"),
  );
  assert.throws(
    () => parseAuthorization2(wire("GET", "/", { authorization: "AWS ab" })),
    (error) => hasCode(error, "MissingFields"),
  );
});

test("what the signature does not cover cannot be added by whoever holds the URL", () => {
  const expires = "4102444800";
  const signature = createHmac("sha1", SECRET).update(`PUT\n\n\n${expires}\n/b/k`).digest("base64");
  const url = `/b/k?AWSAccessKeyId=${KEY}&Expires=${expires}&Signature=${encodeURIComponent(signature)}`;
  const verify = (more: string, headers: Record<string, string> = {}): boolean => {
    const request = wire("PUT", url + more, headers);
    return verifySignature2(request, parseAuthorization2(request), SECRET);
  };
  assert.ok(verify(""));
  assert.ok(!verify("&acl"));
  assert.ok(!verify("&uploadId=u"));
  assert.ok(!verify("", { "x-amz-copy-source": "/other/secret" }));
  assert.ok(!verify("&object-lock") && !verify("&replication"));
  for (const name of ["append", "attributes", "retention", "publicAccessBlock", "X-Amz-Date"]) {
    assert.throws(
      () => verify(`&${name}=1`),
      (error) => hasCode(error, "InvalidRequest"),
      name,
    );
  }
  assert.throws(
    () => verify("", { "x-minio-source-mtime": "x" }),
    (error) => hasCode(error, "InvalidRequest"),
  );
});

test("sub-resources: signed as MinIO's clients do; left out, as botocore does, where they are read", () => {
  const date = "Tue, 27 Mar 2007 19:36:42 +0000";
  const verify = (method: string, url: string, resource: string): boolean => {
    const signature = createHmac("sha1", SECRET).update(`${method}\n\n\n${date}\n${resource}`).digest("base64");
    const request = wire(method, url, { date, authorization: `AWS ${KEY}:${signature}` });
    return verifySignature2(request, parseAuthorization2(request), SECRET);
  };
  const refused = (method: string, url: string, resource: string): void =>
    assert.throws(
      () => verify(method, url, resource),
      (error) => hasCode(error, "InvalidRequest"),
      url,
    );
  for (const name of ["encryption", "retention", "legal-hold"]) {
    assert.ok(verify("PUT", `/b/k?${name}&versionId=v`, `/b/k?${name}&versionId=v`), name);
    assert.ok(verify("GET", `/b/k?${name}&versionId=v`, "/b/k?versionId=v"), name);
    assert.ok(!verify("GET", `/b/k?${name}&versionId=v`, "/b/k?versionId=w"), name);
    // A signature for an upload does not lock or unlock the object.
    refused("PUT", `/b/k?${name}`, "/b/k");
    assert.ok(!verify("PUT", `/b/k?${name}`, "/b/other"), name);
  }
  for (const name of ["publicAccessBlock", "ownershipControls", "policyStatus", "attributes"]) {
    assert.ok(verify("GET", `/b?${name}`, "/b/"), name);
    refused("PUT", `/b?${name}`, "/b/");
    refused("DELETE", `/b?${name}`, "/b/");
  }
  for (const name of ["object-lock", "replication", "restore"]) {
    assert.ok(verify("PUT", `/b/k?${name}`, `/b/k?${name}`), name);
    assert.ok(!verify("PUT", `/b/k?${name}`, "/b/k"), name);
  }
});
