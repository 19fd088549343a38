/** CORS and forms as a real browser sees them: pages of two origins, and of none, against one server. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { presignUrl, signForm, signRequest } from "../src/protocol/sigv4-sign.ts";
import { chromium, Page, type BrowserCase, type BrowserResult } from "./support/browser.ts";
import { cleanUp, ROOT_SECRET, ROOT_USER } from "./support/server.ts";
import { Site } from "./support/site.ts";

const skip = chromium === undefined && "chromium is not installed: apt-get install chromium";
const CREDENTIALS = { accessKey: ROOT_USER, secretKey: ROOT_SECRET, region: "us-east-1" };
const HOUR_SECONDS = 3600;
/** What every browser says of an answer that it keeps from the page. */
const KEPT = { failed: "TypeError: Failed to fetch" };

let site: Site;
/** The page that is let in, and one that is not. */
let friend: Page;
let stranger: Page;

before(async () => {
  if (skip !== false) return;
  [friend, stranger] = await Promise.all([Page.open(), Page.open()]);
  // Buckets without rules of their own go by the operator's.
  site = await Site.start({ env: { RESILVER_API_CORS_ALLOW_ORIGIN: friend.origin } });
  for (const bucket of ["ruled", "open", "plain"]) await site.makeBucket(bucket);
  const tag = (name: string) => (value: string) => `<${name}>${value}</${name}>`;
  const rule = (origin: string, methods: string[], more = ""): string =>
    `<CORSRule>${tag("AllowedOrigin")(origin)}${methods.map(tag("AllowedMethod")).join("")}${more}</CORSRule>`;
  const headers = ["authorization", "x-amz-*"].map(tag("AllowedHeader")).join("");
  const exposed = ["ETag", "x-amz-meta-colour"].map(tag("ExposeHeader")).join("");
  const ruled = rule(friend.origin, ["GET", "PUT", "POST"], headers + exposed);
  await setCors("ruled", ruled);
  await setCors("open", rule("*", ["GET"]));
});
after(async () => {
  friend?.close();
  stranger?.close();
  await site?.close();
  await cleanUp();
});

async function setCors(bucket: string, rules: string): Promise<void> {
  await site.text("PUT", bucket, { query: { cors: "" }, body: `<CORSConfiguration>${rules}</CORSConfiguration>` });
}

type Fetch = Extract<BrowserCase, { kind: "fetch" }>;

/** A fetch of `/bucket/key` that carries its signature in the URL; headers are sent besides. */
function presigned(method: string, path: string, more: Partial<Fetch> = {}): Fetch {
  const nowMs = Date.now();
  const headers = Object.fromEntries(Object.entries(more.headers ?? {}).filter(([name]) => name.startsWith("x-amz-")));
  const url = presignUrl({
    ...CREDENTIALS,
    method,
    origin: site.server.url,
    path,
    headers,
    expiresSeconds: HOUR_SECONDS,
    nowMs,
  });
  return { kind: "fetch", url, method, ...more };
}

/** A form for `/bucket`, its policy signed. */
function form(
  kind: "upload" | "submit",
  bucket: string,
  key: string,
  fields: Record<string, string> = {},
): BrowserCase {
  const nowMs = Date.now();
  const conditions = Object.entries({ bucket, key, ...fields }).map(
    ([name, value]) => ["eq", name, value] as ["eq", string, string],
  );
  const signed = signForm({ ...CREDENTIALS, conditions, nowMs, expiresMs: nowMs + 1000 * HOUR_SECONDS });
  return { kind, url: `${site.server.url}/${bucket}`, fields: { key, ...fields, ...signed }, file: `form ${key}` };
}

async function stored(bucket: string, key: string): Promise<string | number> {
  const answer = await site.call("GET", bucket, { key });
  const body = (await answer.bytes()).toString("utf8");
  return answer.status === 200 ? body : answer.status;
}

const seen = ({ status, body }: BrowserResult): unknown[] => [status, body];

test(
  "a bucket's rules let a page of their origin read and write, and show it the headers they expose",
  { skip },
  async () => {
    await site.text("PUT", "ruled", { key: "here", body: "content", headers: { "x-amz-meta-colour": "red" } });
    const path = "/ruled/by-header";
    const { host: _host, ...headers } = signRequest({
      ...CREDENTIALS,
      method: "GET",
      path: "/ruled/here",
      query: "",
      headers: { host: new URL(site.server.url).host },
      payloadHash: "UNSIGNED-PAYLOAD",
      nowMs: Date.now(),
    });
    const results = await friend.visit({
      read: presigned("GET", "/ruled/here"),
      range: presigned("GET", "/ruled/here", { headers: { range: "bytes=0-3" } }),
      signed: { kind: "fetch", url: `${site.server.url}/ruled/here`, headers },
      missing: presigned("GET", "/ruled/not-here"),
      write: presigned("PUT", path, { body: "written", headers: { "x-amz-meta-colour": "blue" } }),
      readBack: presigned("GET", path),
      withCookies: presigned("GET", path, { credentials: "include" }),
      remove: presigned("DELETE", path),
      otherHeader: presigned("PUT", "/ruled/never", { body: "no", headers: { "x-other": "1" } }),
    });
    assert.deepEqual(seen(results.read), [200, "content"]);
    assert.equal(results.read.headers?.["x-amz-meta-colour"], "red");
    assert.match(results.read.headers?.["etag"] ?? "", /^"[0-9a-f]{32}"$/);
    assert.equal(results.read.headers?.["x-amz-version-id"], undefined);
    assert.deepEqual(seen(results.range), [206, "cont"]);
    assert.deepEqual(seen(results.signed), [200, "content"]);
    assert.equal(results.missing.status, 404);
    assert.match(results.missing.body ?? "", /<Code>NoSuchKey</);
    assert.equal(results.write.status, 200);
    assert.match(results.write.headers?.["etag"] ?? "", /^"[0-9a-f]{32}"$/);
    assert.deepEqual(seen(results.readBack), [200, "written"]);
    assert.equal(results.readBack.headers?.["x-amz-meta-colour"], "blue");
    assert.deepEqual(seen(results.withCookies), [200, "written"]);
    assert.deepEqual(results.remove, KEPT);
    assert.deepEqual(results.otherHeader, KEPT);
    assert.equal(await stored("ruled", "by-header"), "written");
    assert.equal(await stored("ruled", "never"), 404);
  },
);

test("a page of another origin reads nothing, and what needs a preflight is not done", { skip }, async () => {
  await site.text("PUT", "ruled", { key: "secret", body: "content" });
  const results = await stranger.visit({
    read: presigned("GET", "/ruled/secret"),
    write: presigned("PUT", "/ruled/strange", { body: "no" }),
    removed: presigned("DELETE", "/ruled/secret"),
    plain: presigned("GET", "/plain/any"),
    plainWrite: presigned("PUT", "/plain/strange", { body: "no" }),
  });
  assert.deepEqual(Object.values(results), Array(5).fill(KEPT));
  assert.deepEqual([await stored("ruled", "strange"), await stored("plain", "strange")], [404, 404]);
  assert.equal(await stored("ruled", "secret"), "content");
});

test("a wildcard lets every origin in, an opaque one too, but not with credentials", { skip }, async () => {
  await site.text("PUT", "open", { key: "k", body: "for all" });
  const cases = {
    read: presigned("GET", "/open/k"),
    withCookies: presigned("GET", "/open/k", { credentials: "include" }),
    write: presigned("PUT", "/open/k", { body: "no" }),
  };
  for (const results of [await stranger.visit(cases), await stranger.visit(cases, { opaque: true })]) {
    assert.deepEqual(seen(results.read), [200, "for all"]);
    assert.deepEqual(results.withCookies, KEPT);
    assert.deepEqual(results.write, KEPT);
  }
  assert.equal(await stored("open", "k"), "for all");
});

test("a bucket without rules goes by the operator's origins", { skip }, async () => {
  const results = await friend.visit({
    write: presigned("PUT", "/plain/k", { body: "plain", headers: { "x-amz-meta-a": "1" } }),
    read: presigned("GET", "/plain/k"),
    withCookies: presigned("GET", "/plain/k", { credentials: "include" }),
    remove: presigned("DELETE", "/plain/k"),
  });
  assert.equal(results.write.status, 200);
  assert.deepEqual(seen(results.read), [200, "plain"]);
  assert.notEqual(results.read.headers?.["x-amz-version-id"], undefined);
  assert.deepEqual(seen(results.withCookies), [200, "plain"]);
  assert.equal(results.remove.status, 204);
  assert.notEqual(results.remove.headers?.["x-amz-delete-marker"], undefined);
  assert.equal(await stored("plain", "k"), 404);
});

test(
  "forms: sent by script under the rules, sent by the browser from anywhere, landing where they ask",
  { skip },
  async () => {
    const landing = `${friend.origin}/landed`;
    const friendly = await friend.visit({
      script: form("upload", "ruled", "script", { success_action_status: "201" }),
      browser: form("submit", "ruled", "browser", { success_action_redirect: landing }),
    });
    assert.equal(friendly.script.status, 201);
    assert.match(friendly.script.body ?? "", /<Key>script<\/Key>/);
    const landed = new URL(friendly.browser.landed ?? "about:blank");
    assert.equal(landed.origin + landed.pathname, landing);
    assert.deepEqual([landed.searchParams.get("bucket"), landed.searchParams.get("key")], ["ruled", "browser"]);
    const strange = await stranger.visit({
      script: form("upload", "ruled", "strange-script"),
      browser: form("submit", "ruled", "strange-browser", { success_action_redirect: `${stranger.origin}/landed` }),
    });
    assert.deepEqual(strange.script, KEPT);
    assert.match(strange.browser.landed ?? "", /\/landed\?bucket=ruled&key=strange-browser&etag=/);
    // A form needs no preflight: the policy is what lets it in, the rules only keep the answer from the page.
    for (const key of ["script", "browser", "strange-script", "strange-browser"])
      assert.equal(await stored("ruled", key), `form ${key}`);
  },
);
