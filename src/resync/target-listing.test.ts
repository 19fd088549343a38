import assert from "node:assert/strict";
import { test } from "node:test";
import type { TargetClient, TargetRequest, TargetResponse } from "../replication/wire.ts";
import { ListingError, listTarget, type RemoteKey } from "./target-listing.ts";

type Answers = (request: TargetRequest) => Promise<TargetResponse>;

const version = (key: string, id = "00000000-0000-4000-8000-000000000001"): string =>
  `<Version><Key>${key}</Key><VersionId>${id}</VersionId><LastModified>2026-01-02T03:04:05.678Z</LastModified>` +
  `<ETag>&quot;e&quot;</ETag><Size>1</Size></Version>`;

function listing(inner: string, name = "ListVersionsResult"): TargetResponse {
  return { status: 200, headers: {}, body: Buffer.from(`<${name}>${inner}</${name}>`) };
}

function list(request: Answers, prefix = ""): AsyncGenerator<RemoteKey> {
  const client: Pick<TargetClient, "request"> = { request };
  const { signal } = new AbortController();
  return listTarget(client, { resyncId: "r", prefix, afterKey: "", signal, metadata: { wanted: true } });
}

async function keysOf(keys: AsyncGenerator<RemoteKey>): Promise<string[]> {
  const out: string[] = [];
  for await (const { key } of keys) out.push(key);
  return out;
}

/** Lets everything that is ready run, unhandled rejections told included. */
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test("a page that fails while the one before is worked off is told to the reader, not to the process", async () => {
  let asked = 0;
  const keys = list(async () => {
    if (asked++ > 0) throw new Error("the connection was cut");
    return listing(`<IsTruncated>true</IsTruncated><NextKeyMarker>b</NextKeyMarker>${version("a")}${version("b")}`);
  });
  assert.equal((await keys.next()).value?.key, "a");
  await turn();
  await assert.rejects(keys.next(), /cut/);
});

test("a page that says there is more and not where goes on after its last version", async () => {
  const keys = list(async ({ query = {} }) => {
    const after = `${query["key-marker"] ?? ""}/${query["version-id-marker"] ?? ""}`;
    if (after === "/") return listing(`<IsTruncated>true</IsTruncated>${version("a")}`);
    assert.equal(after, "a/00000000-0000-4000-8000-000000000001");
    return listing(`<IsTruncated>false</IsTruncated>${version("b")}`);
  });
  assert.deepEqual(await keysOf(keys), ["a", "b"]);
});

test("an answer that is no listing, or never comes to an end, is not taken for an empty bucket", async () => {
  const answers = [
    listing("<Code>InternalError</Code>", "Error"),
    listing("<IsTruncated>true</IsTruncated>"),
    listing("<IsTruncated>true</IsTruncated><NextKeyMarker>a</NextKeyMarker>"),
  ];
  for (const answer of answers) await assert.rejects(keysOf(list(async () => answer)), ListingError);
});

test("a prefix that cannot begin a key at the target has none there; the whole bucket is never found empty so", async () => {
  const body = Buffer.from("<Error><Code>XMinioInvalidObjectName</Code></Error>");
  const refused = async (): Promise<TargetResponse> => ({ status: 400, headers: {}, body });
  assert.deepEqual(await keysOf(list(refused, "a//b")), []);
  await assert.rejects(keysOf(list(refused)), ListingError);
});
