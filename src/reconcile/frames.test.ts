import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { hasCode } from "../model/errors.ts";
import { decodeDescribeRequest, encodeDescribeRequest } from "./describe-frames.ts";
import { decodeAnswers, decodeQuestions, encodeAnswers, encodeQuestions } from "./frames.ts";
import { placeOf } from "./places.ts";
import type { Answer, Question } from "./side.ts";
import { idOf } from "./testing.ts";

const place = fc.tuple(fc.string({ minLength: 1, maxLength: 5 }), fc.nat(9)).map(([key, id]) => placeOf(key, idOf(id)));
const places = fc.tuple(place, place).map((pair) => pair.toSorted(Buffer.compare));
const summary = fc.record(
  {
    count: fc.nat({ max: Number.MAX_SAFE_INTEGER }),
    isDamaged: fc.boolean(),
    sum: fc.uint8Array({ minLength: 16, maxLength: 16 }).map((bytes) => Buffer.from(bytes)),
  },
  { noNullPrototype: true },
);
const question = fc
  .tuple(fc.constantFrom("sum", "items", "compare"), places, summary)
  .map(
    ([ask, [start, end], told]) =>
      (ask === "compare" ? { ask, start, end, summary: told } : { ask, start, end }) as Question,
  );
const short = fc.uint8Array({ minLength: 8, maxLength: 8 }).map((bytes) => Buffer.from(bytes).toString("latin1"));
const level = fc.constantFrom("identity" as const, "state" as const);

/** An answer that may be given to the question. */
function answerTo(asked: Question): fc.Arbitrary<Answer> {
  const parts = summary.map((told): Answer => ({
    kind: "parts",
    parts: [{ start: asked.start, end: asked.end, summary: told }],
  }));
  return fc.oneof(
    fc.constant<Answer>({ kind: "equal" }),
    summary.map((told): Answer => ({ kind: "sum", summary: told })),
    fc.nat().map((count): Answer => ({ kind: "oneSided", count })),
    fc
      .record({ healthy: fc.array(short), damaged: fc.array(short) }, { noNullPrototype: true })
      .map((items): Answer => ({ kind: "items", items })),
    ...(asked.start.equals(asked.end) ? [] : [parts]),
  );
}

test("questions and answers come back as they were", () => {
  fc.assert(
    fc.property(fc.array(question, { minLength: 1 }), level, fc.gen(), (questions, at, gen) => {
      assert.deepEqual(decodeQuestions(encodeQuestions(at, questions)), { level: at, questions });
      const answers = questions.map((each) => gen(answerTo, each));
      assert.deepEqual(decodeAnswers(encodeAnswers(answers), questions), answers);
    }),
  );
});

test("any other bytes are refused and never a fault", () => {
  const refused = (run: () => unknown): void => {
    try {
      run();
    } catch (error) {
      assert.ok(hasCode(error, "InvalidRequest"), String(error));
    }
  };
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 60 }),
      fc.array(question, { minLength: 1, maxLength: 3 }),
      (bytes, questions) => {
        const frame = Buffer.from([0x11, ...bytes]);
        refused(() => decodeQuestions(frame));
        refused(() => decodeAnswers(frame, questions));
        refused(() => decodeDescribeRequest(Buffer.from(bytes)));
      },
    ),
  );
});

test("parts that leave something out are refused", () => {
  const [a, b, c] = ["a", "b", "c"].map((key) => placeOf(key, idOf(1)));
  assert.ok(a !== undefined && b !== undefined && c !== undefined);
  const told = { count: 1, isDamaged: false, sum: Buffer.alloc(16) };
  const asked: Question = { ask: "items", start: a, end: c };
  const frame = encodeAnswers([{ kind: "parts", parts: [{ start: a, end: b, summary: told }] }]);
  assert.throws(
    () => decodeAnswers(frame, [asked]),
    (error) => hasCode(error, "InvalidRequest"),
  );
});

test("a request for descriptions comes back as it was", () => {
  const only = { healthy: ["\0\u00ff234567"], damaged: [] };
  const spans = [{ start: placeOf("a", idOf(1)), end: placeOf("b", "null"), only }];
  const request = { level: "state" as const, spans, lookups: [placeOf("ü", idOf(2))] };
  assert.deepEqual(decodeDescribeRequest(encodeDescribeRequest(request)), request);
});
