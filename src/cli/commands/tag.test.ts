import assert from "node:assert/strict";
import { test } from "node:test";
import { parseTagList, tagListText } from "./tag.ts";

test("tags are read from k=v&k2=v2", () => {
  assert.deepEqual(parseTagList("a=b&c=d=e&f="), { a: "b", c: "d=e", f: "" });
  for (const bad of ["", "=x", "a=1&a=2"]) assert.throws(() => parseTagList(bad), /Invalid tags/);
});

test("the list has one row for each tag", () => {
  assert.equal(tagListText("a/src/k (V)", { project: "x" }), "Name    : a/src/k (V)\nproject : x");
  assert.equal(tagListText("a/src", {}), "Name : a/src\nNo tags found");
});
