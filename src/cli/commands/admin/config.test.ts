import assert from "node:assert/strict";
import { test } from "node:test";
import { runCommand, type FakeServer } from "../testing.ts";
import { adminConfigCommand, parseConfigText, settingText } from "./config.ts";

const TEXT = '# MINIO_REGION=eu-1\nsite name=attic region=eu-1 comment="two words"\n';

test("lines of the server are taken apart", () => {
  assert.deepEqual(parseConfigText(TEXT), [
    {
      subSystem: "site",
      kv: [
        { key: "name", value: "attic" },
        { key: "region", value: "eu-1", envOverride: { name: "MINIO_REGION", value: "eu-1" } },
        { key: "comment", value: "two words" },
      ],
    },
  ]);
  assert.deepEqual(["a=b", "a=b c", 'a="b c"'].map(settingText), ["a=b", 'a="b c"', 'a="b c"']);
});

test("get, set, reset and help ask what they should", async () => {
  const bodies: string[] = [];
  const fake: FakeServer = {
    calls: [],
    s3: () => assert.fail("no S3 call"),
    admin(call, body) {
      bodies.push(body);
      if (call.path === "help-config-kv")
        return JSON.stringify({
          subSys: "",
          description: "",
          keysHelp: [{ key: "api", description: "limits", type: "" }],
        });
      return call.method === "GET" ? TEXT : "";
    },
  };
  const run = (line: string | readonly string[], stdin = "") => runCommand(fake, adminConfigCommand, line, stdin);
  assert.equal((await run("config get a")).stdout, "KEYS:\napi  limits\n");
  assert.equal((await run("config get a site")).stdout, TEXT);
  assert.match(
    (await run(["config", "set", "a", "api", "comment=two words", "requests_max=5"])).stdout,
    /Restart the server/,
  );
  await run("config reset a api comment");
  await run("config import a", "api requests_max=1\n");
  assert.deepEqual(
    bodies.filter((body) => body !== ""),
    ['api comment="two words" requests_max=5', "api comment", "api requests_max=1\n"],
  );
  assert.equal((await run("config set a api nonsense")).code, 1);
});
