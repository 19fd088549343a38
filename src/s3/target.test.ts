import assert from "node:assert/strict";
import { test } from "node:test";
import { hasCode } from "../model/errors.ts";
import { parseQuery, parseTarget } from "./target.ts";

const split = (url: string, host = "localhost:9000", domains: string[] = []) => {
  const { bucket, key } = parseTarget(url, host, domains);
  return [bucket, key];
};

test("path style: the raw path is cut at the second slash and decoded once", () => {
  assert.deepEqual(split("/"), ["", ""]);
  assert.deepEqual(split("//"), ["", ""]);
  assert.deepEqual(split("/b"), ["b", ""]);
  assert.deepEqual(split("/b/"), ["b", ""]);
  assert.deepEqual(split("/b?x=1"), ["b", ""]);
  assert.deepEqual(split("/b/a/c"), ["b", "a/c"]);
  assert.deepEqual(split("/b//a//c/"), ["b", "/a//c/"]);
  assert.deepEqual(split("/b/a%2Fc%20d+e"), ["b", "a/c d+e"]);
  assert.deepEqual(split("/b/%252e"), ["b", "%2e"]);
  assert.deepEqual(split("/b/%E2%82%AC"), ["b", "€"]);
  assert.deepEqual(split("http://h:9/b/k?x"), ["b", "k"]);
});

test("raw UTF-8 bytes of the path are taken as such", () => {
  assert.deepEqual(split(`/b/${Buffer.from("é").toString("latin1")}`), ["b", "é"]);
});

test("virtual hosts name the bucket, the bare domain and other hosts do not", () => {
  assert.deepEqual(split("/k/x", "b.example.org:9000", ["example.org"]), ["b", "k/x"]);
  assert.deepEqual(split("/", "a.b.example.org", ["example.org"]), ["a.b", ""]);
  assert.deepEqual(split("/b/k", "example.org", ["example.org"]), ["b", "k"]);
  assert.deepEqual(split("/b/k", "minio.example.org", ["example.org"]), ["b", "k"]);
  assert.deepEqual(split("/b/k", "xexample.org", ["example.org"]), ["b", "k"]);
});

test("a domain within another: the host is held against the longer one first", () => {
  for (const domains of [
    ["s3.example.org", "example.org"],
    ["example.org", "s3.example.org"],
  ]) {
    assert.deepEqual(split("/b/k", "s3.example.org", domains), ["b", "k"]);
    assert.deepEqual(split("/k", "b.s3.example.org", domains), ["b", "k"]);
    assert.deepEqual(split("/k", "b.example.org", domains), ["b", "k"]);
    assert.deepEqual(split("/b/k", "minio.s3.example.org", domains), ["b", "k"]);
  }
});

test("malformed targets are refused with a 400 code", () => {
  const code = (url: string, expected: string, host = "h") =>
    assert.throws(
      () => parseTarget(url, host, []),
      (error) => hasCode(error, expected),
    );
  code("/b/%zz", "InvalidArgument");
  code("/b/%2", "InvalidArgument");
  code("/b/%ff%fe", "XMinioInvalidObjectName");
  code("/b/%00", "XMinioInvalidObjectName");
  code("/b?prefix=%f", "InvalidArgument");
  code(`/b/${"a".repeat(33 * 1024)}`, "XMinioInvalidResourceName");
  code("/b", "InvalidRequest", "a b");
});

test("a query keeps order, decodes plus as blank and gives bare names the empty value", () => {
  const query = parseQuery("versions&prefix=a+b%2Bc&x=1&x=2&=");
  assert.equal(query.get("versions"), "");
  assert.equal(query.get("prefix"), "a b+c");
  assert.equal(query.get("x"), "1");
  assert.equal(query.has("Prefix"), false);
});
