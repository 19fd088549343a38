import assert from "node:assert/strict";
import { test } from "node:test";
import {
  decodeIngest,
  encodeIngestItem,
  encodeIngestResults,
  INGEST_ITEMS_MAX,
  type IngestItem,
} from "../protocol/ingest.ts";
import { Ingest } from "./ingest.ts";
import { errorOf, isPurgedThere, type TargetClient, type TargetRequest, type TargetResponse } from "./wire.ts";

/** A target whose answers the test gives, one by one. */
function target(): {
  client: TargetClient;
  requests: { items: IngestItem[]; end: PromiseWithResolvers<TargetResponse> }[];
} {
  const requests: { items: IngestItem[]; end: PromiseWithResolvers<TargetResponse> }[] = [];
  const client: TargetClient = {
    bucket: "b",
    request(request: TargetRequest) {
      const end = Promise.withResolvers<TargetResponse>();
      requests.push({ items: decodeIngest(request.body as Buffer), end });
      return end.promise;
    },
    open: () => Promise.reject(new Error("not asked")),
    probe: () => Promise.reject(new Error("not asked")),
    close: () => Promise.resolve(),
  };
  return { client, requests };
}

const item = (key: string): IngestItem => ({ key, versionId: "v", headers: {}, body: Buffer.from(key) });
const answer = (status: number, body: string): TargetResponse => ({ status, headers: {}, body: Buffer.from(body) });
const turn = (): Promise<void> => Promise.resolve().then(() => undefined);

test("what becomes ready while requests are out goes together, each with its own result", async () => {
  const { client, requests } = target();
  const ingest = new Ingest(client, () => true);
  const first = ingest.put(item("1"));
  await turn();
  const second = ingest.put(item("2"));
  await turn();
  const later = ["3", "4", "5"].map((key) => ingest.put(item(key)));
  await turn();
  assert.deepEqual(
    requests.map(({ items }) => items.map(({ key }) => key)),
    [["1"], ["2"]],
  );
  requests[0]?.end.resolve(answer(200, encodeIngestResults([{ status: 200 }])));
  assert.equal((await first).status, 200);
  await turn();
  await turn();
  assert.deepEqual(
    requests[2]?.items.map(({ key }) => key),
    ["3", "4", "5"],
  );
  requests[1]?.end.reject(new Error("cut"));
  await assert.rejects(second, /cut/);
  requests[2]?.end.resolve(
    answer(
      200,
      encodeIngestResults([
        { status: 200 },
        { status: 412, code: "PreconditionFailed", message: "kept", purged: "everywhere" },
        { status: 403, code: "AccessDenied", message: "no" },
      ]),
    ),
  );
  const [third, fourth, fifth] = await Promise.all(later);
  assert.equal(third?.status, 200);
  assert.ok(fourth !== undefined && isPurgedThere(fourth));
  assert.deepEqual(errorOf(fifth as TargetResponse), { code: "AccessDenied", message: "no" });
});

test("an answer to the whole request is the answer to each item; a target that knows no such call is asked no more", async () => {
  const { client, requests } = target();
  const ingest = new Ingest(client, () => true);
  const both = [ingest.put(item("1")), ingest.put(item("2"))];
  await turn();
  requests[0]?.end.resolve(answer(503, "<Error><Code>SlowDownWrite</Code></Error>"));
  assert.deepEqual(
    (await Promise.all(both)).map((one) => errorOf(one).code),
    ["SlowDownWrite", "SlowDownWrite"],
  );
  assert.equal(ingest.isSpoken, true);
  const last = ingest.put(item("3"));
  await turn();
  requests[1]?.end.resolve(answer(501, ""));
  assert.equal((await last).status, 501);
  assert.equal(ingest.isSpoken, false);
});

test("an answer without a result for each item counts for nothing", async () => {
  const { client, requests } = target();
  const ingest = new Ingest(client, () => true);
  const both = [ingest.put(item("1")), ingest.put(item("2"))];
  await turn();
  requests[0]?.end.resolve(answer(200, encodeIngestResults([{ status: 200 }])));
  for (const one of await Promise.all(both)) assert.ok(one.status >= 300, "not taken for stored");
});

test("one request holds a bounded number of items", async () => {
  const { client, requests } = target();
  const ingest = new Ingest(client, () => true);
  for (let i = 0; i < 2 * INGEST_ITEMS_MAX + 5; i++) void ingest.put(item(String(i))).catch(() => undefined);
  await turn();
  assert.deepEqual(
    requests.map(({ items }) => items.length),
    [INGEST_ITEMS_MAX, INGEST_ITEMS_MAX],
  );
  requests[0]?.end.reject(new Error("cut"));
  for (let i = 0; i < 10; i++) await turn();
  assert.equal(requests[2]?.items.length, 5);
});

test("whole requests and what comes one by one take turns; a whole request has results or none", async () => {
  const { client, requests } = target();
  const ingest = new Ingest(client, () => true);
  const keys = (): string[] => requests.map(({ items }) => items.map(({ key }) => key).join());
  const whole = (...names: string[]) => ingest.putAll(names.map(item).flatMap(encodeIngestItem), names.length);
  const ends = [whole("a", "b"), whole("c"), whole("d"), whole("e")];
  await turn();
  const alone = [ingest.put(item("1"))];
  await turn();
  assert.deepEqual(keys(), ["a,b", "c"]);
  requests[0]?.end.resolve(answer(200, encodeIngestResults([{ status: 200 }, { status: 503, code: "SlowDown" }])));
  assert.deepEqual(await ends[0], [{ status: 200 }, { status: 503, code: "SlowDown" }]);
  for (let i = 0; i < 10; i++) await turn();
  alone.push(ingest.put(item("2")));
  requests[1]?.end.reject(new Error("cut"));
  assert.equal(await ends[1], undefined);
  for (let i = 0; i < 10; i++) await turn();
  requests[2]?.end.resolve(answer(200, encodeIngestResults([{ status: 200 }])));
  requests[3]?.end.resolve(answer(501, ""));
  for (let i = 0; i < 20; i++) await turn();
  assert.deepEqual(keys(), ["a,b", "c", "1", "d", "2", "e"]);
  assert.equal(await ends[2], "not spoken");
  requests[4]?.end.reject(new Error("cut"));
  requests[5]?.end.reject(new Error("cut"));
  await Promise.allSettled([...ends, ...alone]);
});
