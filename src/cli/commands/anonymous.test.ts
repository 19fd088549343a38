import assert from "node:assert/strict";
import { test } from "node:test";
import { anonymousCommand, policyCommand } from "./anonymous.ts";
import { ok, runCommand, s3Error, type FakeServer } from "./testing.ts";

function server(): FakeServer & { policy: string | undefined } {
  return {
    policy: undefined,
    calls: [],
    admin: () => assert.fail("no admin call"),
    s3(request, body) {
      if (Object.hasOwn(request.query ?? {}, "policy")) {
        if (request.method === "PUT") this.policy = body;
        if (request.method === "DELETE") this.policy = undefined;
        if (request.method !== "GET") return { status: 204, body: "" };
        return this.policy === undefined ? s3Error(404, "NoSuchBucketPolicy") : ok(this.policy);
      }
      const keys = ["open/a b", "open/sub/c", "shut/d"].map((Key) => `<Contents><Key>${Key}</Key></Contents>`);
      return ok(`<ListBucketResult>${keys.join("")}<IsTruncated>false</IsTruncated></ListBucketResult>`);
    },
  };
}

test("set, get, list, links and none", async () => {
  const fake = server();
  const run = (line: string) => runCommand(fake, anonymousCommand, line);
  assert.equal((await run("anonymous get a/b")).stdout, "Access permission for `a/b` is `none`\n");
  assert.equal(
    (await run("anonymous set download a/b/open/")).stdout,
    "Access permission for `a/b/open/` is set to `download`\n",
  );
  assert.equal((await run("anonymous get a/b/open/x")).stdout, "Access permission for `a/b/open/x` is `download`\n");
  assert.deepEqual(JSON.parse((await run("anonymous get a/b/open/ --json")).stdout), {
    operation: "get",
    status: "success",
    bucket: "a/b/open/",
    permission: "download",
  });
  await run("anonymous set upload a/b/in/");
  assert.equal((await run("anonymous list a/b")).stdout, "b/in/* => writeonly\nb/open/* => readonly\n");
  assert.equal((await run("anonymous list a/b/in/ --json")).stdout.split("\n").length, 2);
  const links = await run("anonymous links -r a/b");
  assert.equal(links.stdout, "http://a.example:9000/b/open/a%20b\nhttp://a.example:9000/b/open/sub/c\n");
  await run("anonymous set private a/b/in/");
  await run("anonymous set none a/b/open/");
  assert.equal(fake.policy, undefined);
  assert.equal((await run("anonymous list a/b")).stdout, "");
});

test("whole policies in and out, the older word, and wrong usage", async () => {
  const fake = server();
  const document = { Version: "2012-10-17", Statement: [{ Effect: "Deny", Principal: "*", Action: "s3:*" }] };
  const put = await runCommand(fake, anonymousCommand, "anonymous set-json - a/b --json", JSON.stringify(document));
  assert.deepEqual(JSON.parse(put.stdout), {
    operation: "set-json",
    status: "success",
    bucket: "a/b",
    permission: "custom",
  });
  const got = await runCommand(fake, anonymousCommand, "anonymous get-json a/b");
  assert.deepEqual(JSON.parse(got.stdout), document);
  const json = JSON.parse((await runCommand(fake, anonymousCommand, "anonymous get-json a/b --json")).stdout) as object;
  assert.deepEqual(Object(json)["anonymous"], document);
  assert.equal((await runCommand(fake, policyCommand, "policy set public a/b")).code, 0);
  assert.match((await runCommand(fake, anonymousCommand, "anonymous set-json - a/b", "{")).stderr, /holds no JSON/);
  assert.match((await runCommand(fake, anonymousCommand, "anonymous set download a/b/x*")).stderr, /pattern/);
  assert.match((await runCommand(fake, anonymousCommand, "anonymous get a")).stderr, /names no bucket/);
  const unknown = await runCommand(fake, anonymousCommand, "anonymous set open a/b");
  assert.equal(unknown.code, 1);
  assert.match(unknown.stderr, /Unknown permission `open`/);
});
