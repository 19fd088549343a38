/** What `mc` gives away: links and upload commands that anybody can use, for as long as they say; and drawings of buckets. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { join } from "node:path";
import { mcRunner, type McRunner } from "./support/mc-run.ts";
import { cleanUp, startServer, temporaryFolder, type RunningServer } from "./support/server.ts";

let server: RunningServer;
let runner: McRunner;

before(async () => {
  server = await startServer();
  runner = mcRunner({ here: server }, join(temporaryFolder(), "mc"));
  await runner.mc("mb --with-versioning here/given");
  for (const key of ["top", "a/one file", "a/b/two"]) await runner.mc(["pipe", `here/given/${key}`], `text of ${key}`);
});
after(cleanUp);

/** The form of a printed `curl` command. */
function formOf(command: string): FormData {
  const form = new FormData();
  for (const [, inQuotes, bare = ""] of command.matchAll(/-F (?:'([^']*)'|(\S+))/g)) {
    const [name = "", ...value] = (inQuotes ?? bare).split("=");
    if (name !== "file") form.append(name, value.join("="));
  }
  return form;
}

test("downloads: one, all below a prefix, an old version; and the list of what was shared", async () => {
  const { mc, fails } = runner;
  const [one] = (await mc(["share", "download", "here/given/a/one file", "--expire", "1h", "--json"])).objects;
  assert.equal(await (await fetch(String(one?.["share"]))).text(), "text of a/one file");
  assert.equal(one?.["timeLeft"], 3_600_000_000_000);
  const below = (await mc("share download -r here/given/a/ --json")).objects;
  const texts = await Promise.all(below.map(async ({ share }) => (await fetch(String(share))).text()));
  assert.deepEqual(texts, ["text of a/b/two", "text of a/one file"]);
  const [version] = (await mc("ls --versions --json here/given/top")).objects;
  await mc("pipe here/given/top", "newer");
  const old = await mc(`share download here/given/top --vid ${String(version?.["versionId"])} --json`);
  assert.equal(await (await fetch(String(old.objects[0]?.["share"]))).text(), "text of top");
  assert.match(
    (await mc("share list download")).stdout,
    /^URL: .*\nExpire: \d days \d+ hours \d+ minutes \d+ seconds\nShare: /m,
  );
  const moved = String(one?.["share"]).replace("one%20file", "b/two");
  assert.equal((await fetch(moved)).status, 403, "the signature is for one object");
  await fails("share download here/given/missing", /does not exist/);
  await fails("share download here/given/top --expire 200h", /1s to 168h/);
});

test("uploads: one key, or any that begins so", async () => {
  const { mc } = runner;
  const [one] = (await mc("share upload here/given/in --json")).objects;
  // Scripts run the line as it is, split at its blanks.
  assert.doesNotMatch(String(one?.["share"]), /'/);
  const post = async (form: FormData): Promise<number> => {
    form.append("file", new Blob(["sent"]), "name");
    return (await fetch(`${server.url}/given/`, { method: "POST", body: form })).status;
  };
  assert.equal(await post(formOf(String(one?.["share"]))), 204);
  assert.equal((await mc("cat here/given/in")).stdout, "sent");
  const other = formOf(String(one?.["share"]));
  other.set("key", "elsewhere");
  assert.equal(await post(other), 403);
  const [any] = (await mc("share upload -r here/given/inbox/ --content-type text/x --json")).objects;
  const form = formOf(String(any?.["share"]));
  assert.equal(form.get("key"), "inbox/<NAME>");
  form.set("key", "inbox/letter");
  assert.equal(await post(form), 204);
  assert.match((await mc("stat here/given/inbox/letter")).stdout, /text\/x/);
  assert.match((await mc("share list upload")).stdout, /curl http/);
});

test("tree: folders, files, levels", async () => {
  const { mc } = runner;
  assert.equal((await mc("tree here/given/a")).stdout, "here/given/a\n└─ b\n");
  assert.equal((await mc("tree --files here/given/a")).stdout, "here/given/a\n├─ b\n│  └─ two\n└─ one file\n");
  assert.match((await mc("tree --files --depth 1 here/given")).stdout, /^here\/given\n├─ a\n(.*\n)*└─ top\n$/);
});

test("cors: set, get, remove", async () => {
  const { mc, attempt } = runner;
  const rule =
    "<CORSRule><AllowedOrigin>https://a.example</AllowedOrigin><AllowedMethod>GET</AllowedMethod></CORSRule>";
  await mc("cors set here/given -", `<CORSConfiguration>${rule}</CORSConfiguration>`);
  assert.match((await mc("cors get here/given")).stdout, /https:\/\/a\.example/);
  const headers = { origin: "https://a.example", "access-control-request-method": "GET" };
  const preflight = await fetch(`${server.url}/given/top`, { method: "OPTIONS", headers });
  assert.equal(preflight.headers.get("access-control-allow-origin"), "https://a.example");
  await mc("cors remove here/given");
  assert.equal((await mc("cors get here/given")).stdout, "No bucket CORS configuration found.\n");
  assert.equal((await attempt("cors remove here/given")).code, 0, "gone is gone");
});
