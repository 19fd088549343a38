/** Answers of HTTP/1.1, whole, however their bytes are cut; and what is none. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { AnswerError } from "./answer-body.ts";
import { AnswerParser, type Answer } from "./answer-parser.ts";

interface Read {
  readonly answer: Answer | undefined;
  readonly parser: AnswerParser;
}

/** `cuts`: where the bytes are cut; each piece lies in memory that is used again. */
function read(text: string, { cuts = [], bodiless = false }: { cuts?: number[]; bodiless?: boolean } = {}): Read {
  const bytes = Buffer.from(text, "latin1");
  const parser = new AnswerParser();
  parser.begin(bodiless);
  const places = [...new Set([0, ...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length])].sort((a, b) => a - b);
  let answer: Answer | undefined;
  for (const [i, from] of places.entries()) {
    const piece = Buffer.from(bytes.subarray(from, places[i + 1] ?? bytes.length));
    if (piece.length === 0) continue;
    answer = parser.push(piece);
    piece.fill(0);
  }
  return { answer, parser };
}

const OK = "HTTP/1.1 200 OK\r\n";

test("bodies of a length, in chunks and of none come whole, however the bytes are cut", () => {
  const answers = [
    { text: `${OK}Content-Length: 5\r\nX-A: 1\r\nx-a: 2\r\n\r\nhello`, body: "hello" },
    {
      text: `${OK}Transfer-Encoding: chunked\r\n\r\n3;x=y\r\nhel\r\nA\r\nlo,\r\nworld\r\n0\r\nT: 1\r\n\r\n`,
      body: "hello,\r\nworld",
    },
    { text: `HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n`, body: "" },
    { text: `HTTP/1.1 304\r\nContent-Length: 5\r\n\r\n`, body: "" },
    { text: `${OK}Content-Length: 0\r\n\r\n`, body: "" },
  ];
  fc.assert(
    fc.property(fc.constantFrom(...answers), fc.array(fc.nat(200), { maxLength: 8 }), ({ text, body }, cuts) => {
      const { answer, parser } = read(text, { cuts });
      assert.equal(answer?.body.toString(), body);
      assert.equal(parser.lasts, true);
    }),
  );
});

test("fields: lower-case names, trimmed values, repeated ones joined", async () => {
  const { answer } = read(`${OK}X-A:  1 \r\nETag: "e:1"\r\nx-a: 2\r\nContent-Length: 2\r\n\r\nhi`);
  assert.deepEqual(answer?.headers, { "x-a": "1, 2", etag: '"e:1"', "content-length": "2" });
  assert.equal((await answer?.bytes())?.toString(), "hi");
});

test("the answer to HEAD has no body, and the next answer begins behind it", () => {
  const { answer, parser } = read(`${OK}Content-Length: 5\r\n\r\n`, { bodiless: true });
  assert.deepEqual([answer?.status, answer?.body.length, parser.lasts], [200, 0, true]);
});

test("a connection lasts unless one side says otherwise, or more came than was asked for", () => {
  const lasts = (text: string): boolean => read(text).parser.lasts;
  assert.equal(lasts(`${OK}Connection: Upgrade, CLOSE\r\nContent-Length: 0\r\n\r\n`), false);
  assert.equal(lasts(`${OK}Connection: keep-alive\r\nContent-Length: 0\r\n\r\n`), true);
  assert.equal(lasts("HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n"), false);
  assert.equal(lasts(`${OK}Content-Length: 2\r\n\r\nhi, HTTP/1.1 200`), false);
  assert.equal(read(`${OK}Keep-Alive: timeout=7\r\nContent-Length: 0\r\n\r\n`).parser.idleSeconds, 7);
});

test("without a length the end of the connection is the end of the answer; of any other it is not", () => {
  const open = read(`${OK}Connection: close\r\n\r\nhello`);
  assert.equal(open.answer, undefined);
  assert.equal(open.parser.end()?.body.toString(), "hello");
  for (const text of [
    "",
    "HTTP/1.1 2",
    `${OK}Content-Length: 9\r\n\r\nhello`,
    `${OK}Transfer-Encoding: chunked\r\n\r\n0\r\n`,
  ]) {
    const { answer, parser } = read(text);
    assert.deepEqual([answer, parser.end()], [undefined, undefined]);
  }
});

test("what is no answer, or whose end two readers could see elsewhere, is refused", () => {
  const chunked = `${OK}Transfer-Encoding: chunked\r\n\r\n`;
  const refused = [
    "HTTP/2 200 OK\r\n\r\n",
    "HTTP/1.1 20 OK\r\n\r\n",
    "HTTP/1.1 101 Switching Protocols\r\n\r\n",
    "\x15\x03\x01\x00\x02\x02\x50\r\n\r\n",
    `${OK}Content-Length: 1\r\nContent-Length: 1\r\n\r\n`,
    `${OK}Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n`,
    `${OK}Content-Length: -1\r\n\r\n`,
    `${OK}Content-Length: 1, 1\r\n\r\n`,
    `${OK}Content-Length : 1\r\n\r\n`,
    `${OK}Content-Length: 99999999999\r\n\r\n${"x".repeat(10)}`.replace("99999999999", "1e3"),
    `${OK}Transfer-Encoding: gzip, chunked\r\n\r\n`,
    `${OK}X-A: 1\r\n Content-Length: 5\r\n\r\n`,
    `${OK}X-A: 1\nContent-Length: 5\r\n\r\n`,
    `${OK}no colon\r\n\r\n`,
    `${OK}: no name\r\n\r\n`,
    `${OK}X-A: \0\r\n\r\n`,
    `${chunked}g\r\n`,
    `${chunked}\r\n`,
    `${chunked}1\nx`,
    `${chunked}1\r\nxy\r\n`,
    `${chunked}${"1".repeat(20_000)}`,
    `${OK}X: ${"x".repeat(70_000)}`,
  ];
  for (const text of refused) assert.throws(() => read(text), AnswerError, text.slice(0, 80));
});

test("no bytes at all make the parser fail otherwise than with AnswerError, or hold without a bound", () => {
  const piece = fc.constantFrom(
    "HTTP/1.1 200 OK",
    "\r\n",
    "\r\n\r\n",
    "Content-Length: 3",
    "Transfer-Encoding: chunked",
    ":",
    "3",
    "abc",
    "0",
    "\n",
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 20 }), fc.array(fc.nat(300), { maxLength: 4 }), (pieces, cuts) => {
      const text = pieces.join("");
      const taken = (at: number[]): string => {
        try {
          const { answer } = read(text, { cuts: at });
          return `${answer?.status} ${answer?.body.toString()}`;
        } catch (error) {
          assert.ok(error instanceof AnswerError, String(error));
          return "refused";
        }
      };
      taken(cuts);
    }),
  );
});
