import assert from "node:assert/strict";
import { test } from "node:test";
import { contentType } from "./content-type.ts";
import { attributesHeader, parseAttributes } from "./file-attributes.ts";
import { attributeHeaders, carriedMetadata } from "./options.ts";
import { progressLine } from "./progress.ts";

test("--attr: standard names are headers, all else is user metadata", () => {
  assert.deepEqual(attributeHeaders("Content-Type=text/x;Cache-Control=max-age=5;Color=red;X-Amz-Meta-a=b"), {
    "content-type": "text/x",
    "cache-control": "max-age=5",
    "x-amz-meta-color": "red",
    "x-amz-meta-a": "b",
  });
  assert.deepEqual(attributeHeaders(undefined), {});
  assert.throws(() => attributeHeaders("novalue"), /key=value/);
});

test("a copy takes over metadata and nothing of the answer", () => {
  const latin1 = Buffer.from("grün").toString("latin1");
  const answer = { "content-type": "a/b", "x-amz-meta-x": latin1, etag: '"e"', date: "now", "x-amz-version-id": "v" };
  assert.deepEqual(carriedMetadata(answer), { "content-type": "a/b", "x-amz-meta-x": "grün" });
});

test("content types by the end of the name", () => {
  assert.equal(contentType("a/b.JPG"), "image/jpeg");
  assert.equal(contentType("noending"), "application/octet-stream");
  assert.equal(contentType("a.constructor"), "application/octet-stream");
});

test("file attributes go into one header and come back", () => {
  const times = { atimeNs: -500_000_000n, mtimeNs: 1_795_484_389_127_118_428n };
  const header = attributesHeader({ ...times, mode: 0o100644n, uid: 1n, gid: 2n });
  const text = "atime:-1#500000000/gid:2/mode:33188/mtime:1795484389#127118428/uid:1";
  assert.equal(header["x-amz-meta-mc-attrs"], text);
  assert.equal(parseAttributes(header)?.get("mtime"), "1795484389#127118428");
});

test("the progress line says what is known and fits in 80 columns", () => {
  const state = {
    done: 500 * 1024 ** 2,
    total: 1000 * 1024 ** 2,
    elapsedMs: 10_000,
    caption: "home/bucket/a-rather-long-name.bin",
  };
  const line = progressLine(state);
  assert.match(line, /500MiB \/ 1000MiB {2}\[======------\] 50\.0% {2}50MiB\/s {2}10s left$/);
  assert.ok(line.length < 85);
  assert.doesNotMatch(progressLine({ ...state, total: undefined }), /left|%/);
  assert.match(progressLine({ ...state, done: 0, elapsedMs: 0 }), / 0\.0% /);
});
