import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { hasCode } from "../model/errors.ts";
import { ChunkedDecoder, chunkedMode, decodeAwsChunked, STREAMING_HASHES, type ChunkedOptions } from "./aws-chunked.ts";
import { encodeAwsChunked } from "./chunked-testing.ts";
import { deriveSigningKey, type ChunkSigning } from "./sigv4.ts";

const scope = { date: "20130524", region: "us-east-1", service: "s3" };
/** The published streaming example: 65 KiB of the letter a in two chunks. */
const SIGNING: ChunkSigning = {
  key: deriveSigningKey("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", scope),
  seedSignature: "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9",
  scope: "20130524/us-east-1/s3/aws4_request",
  amzDate: "20130524T000000Z",
};

async function* split(bytes: Buffer, cuts: readonly number[]): AsyncGenerator<Buffer> {
  let at = 0;
  for (const cut of cuts) {
    yield bytes.subarray(at, at + cut);
    at = Math.min(at + cut, bytes.length);
  }
  yield bytes.subarray(at);
}

async function decodeAll(
  bytes: Buffer,
  options: ChunkedOptions,
  cuts: readonly number[] = [],
): Promise<[Buffer, Record<string, string>]> {
  const decoder = new ChunkedDecoder(options);
  const pieces: Buffer[] = [];
  for await (const piece of decodeAwsChunked(split(bytes, cuts), decoder)) pieces.push(piece);
  return [Buffer.concat(pieces), decoder.trailers];
}

test("published example", async () => {
  const body = encodeAwsChunked([Buffer.alloc(65536, "a"), Buffer.alloc(1024, "a")], {
    mode: "signed",
    signing: SIGNING,
  });
  const text = body.toString("latin1");
  assert.ok(
    text.startsWith("10000;chunk-signature=ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648\r\n"),
  );
  assert.ok(
    text.includes("\r\n400;chunk-signature=0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497\r\n"),
  );
  assert.ok(
    text.endsWith("\r\n0;chunk-signature=b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9\r\n\r\n"),
  );
  const [data] = await decodeAll(body, { mode: "signed", signing: SIGNING, decodedLength: 66560, trailerNames: [] });
  assert.equal(data.length, 66560);
});

const TRAILERS = { "x-amz-checksum-crc32c": "sOO8/Q==", "x-amz-checksum-sha1": "AAAA" };
const cases = fc.record({
  mode: fc.constantFrom("signed" as const, "signed-trailer" as const, "unsigned-trailer" as const),
  chunks: fc.array(fc.uint8Array({ minLength: 1, maxLength: 60 }), { maxLength: 5 }),
  cuts: fc.array(fc.nat(30), { maxLength: 60 }),
  trailerLineEnd: fc.constantFrom("\n" as const, "\r\n" as const),
});

function bodyOf(sample: {
  mode: ChunkedOptions["mode"];
  chunks: Uint8Array[];
  trailerLineEnd: "\n" | "\r\n";
}): [Buffer, Buffer, ChunkedOptions] {
  const { mode, chunks, trailerLineEnd } = sample;
  const buffers = chunks.map((chunk) => Buffer.from(chunk));
  const trailers = mode === "signed" ? {} : TRAILERS;
  const body = encodeAwsChunked(buffers, { mode, signing: SIGNING, trailers, trailerLineEnd });
  const data = Buffer.concat(buffers);
  return [body, data, { mode, signing: SIGNING, decodedLength: data.length, trailerNames: Object.keys(trailers) }];
}

test("any split of the input decodes to the data and the trailers", async () => {
  await fc.assert(
    fc.asyncProperty(cases, async (sample) => {
      const [body, data, options] = bodyOf(sample);
      const [decoded, trailers] = await decodeAll(body, options, sample.cuts);
      assert.deepEqual(decoded, data);
      assert.deepEqual(trailers, sample.mode === "signed" ? {} : TRAILERS);
    }),
  );
});

test("no truncated body and no changed byte of a signed body is accepted", async () => {
  await fc.assert(
    fc.asyncProperty(cases, fc.nat(), async (sample, at) => {
      const [body, data, options] = bodyOf(sample);
      const cut = body.subarray(0, at % body.length);
      const result = await decodeAll(cut, options).catch((error: unknown) => error);
      if (Array.isArray(result)) {
        // Only line ends after the last signature may be lost.
        assert.deepEqual(result[0], data);
        assert.match(body.subarray(cut.length).toString("latin1"), /^[\r\n]*$/);
      } else assert.ok(hasCode(result, "IncompleteBody", "BadRequest", "SignatureDoesNotMatch"), String(result));
      if (sample.mode === "unsigned-trailer") return;
      const changed = Buffer.from(body);
      const i = at % body.length;
      changed[i] = (changed[i] as number) ^ 1;
      const other = await decodeAll(changed, options).catch((error: unknown) => error);
      if (Array.isArray(other)) assert.deepEqual(other, [data, sample.mode === "signed" ? {} : TRAILERS]);
      else
        assert.ok(hasCode(other, "IncompleteBody", "BadRequest", "SignatureDoesNotMatch", "ExcessData"), String(other));
    }),
  );
});

test("faults", async () => {
  const plain: ChunkedOptions = {
    mode: "unsigned-trailer",
    decodedLength: undefined,
    trailerNames: ["x-amz-checksum-crc32"],
  };
  const code = async (text: string, options: ChunkedOptions): Promise<string> =>
    decodeAll(Buffer.from(text), options).then(
      () => "",
      (error: { code: string }) => error.code,
    );
  assert.equal(await code("5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n", plain), "");
  assert.equal(await code("5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\n\r\n\r\n", plain), "");
  assert.equal(await code("5\r\nhello\r\n0\r\n\r\n", plain), "IncompleteBody");
  assert.equal(await code("5\r\nhello\r\n0\r\nother:1\r\n\r\n", plain), "BadRequest");
  assert.equal(await code("5\r\nhelloX\r\n0\r\n\r\n", plain), "BadRequest");
  assert.equal(await code("zz\r\n", plain), "BadRequest");
  assert.equal(await code("1000001\r\n", plain), "BadRequest");
  assert.equal(await code("", plain), "IncompleteBody");
  assert.equal(await code("0\r\n\r\n", { ...plain, trailerNames: [], decodedLength: 1 }), "IncompleteBody");
  assert.equal(await code("1\r\na\r\n0\r\n\r\n", { ...plain, trailerNames: [], decodedLength: 0 }), "ExcessData");
  assert.equal(await code("0\r\n\r\nmore", { ...plain, trailerNames: [] }), "BadRequest");
  assert.equal(chunkedMode(STREAMING_HASHES["signed-trailer"]), "signed-trailer");
  assert.equal(chunkedMode("UNSIGNED-PAYLOAD"), undefined);
});

test("Go's client: an empty line before the trailer signature", async () => {
  const body = encodeAwsChunked([Buffer.from("x")], {
    mode: "signed-trailer",
    signing: SIGNING,
    trailers: TRAILERS,
    trailerLineEnd: "\n",
  });
  const text = body.toString("latin1").replace("x-amz-trailer-signature", "\r\nx-amz-trailer-signature");
  const options: ChunkedOptions = {
    mode: "signed-trailer",
    signing: SIGNING,
    decodedLength: 1,
    trailerNames: Object.keys(TRAILERS),
  };
  assert.deepEqual(await decodeAll(Buffer.from(text, "latin1"), options), [Buffer.from("x"), TRAILERS]);
});
