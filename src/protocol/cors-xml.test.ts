import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { CORS_METHODS } from "../model/cors.ts";
import { hasCode } from "../model/errors.ts";
import { parseCorsConfiguration, renderCorsConfiguration } from "./cors-xml.ts";

const text = fc.stringMatching(/^[!-)+-~]([!-)+-~ ]{0,10}[!-)+-~])?$/);
const list = fc.array(text, { minLength: 1, maxLength: 3 });
const rule = fc.record(
  {
    id: text,
    allowedOrigins: list,
    allowedMethods: fc.array(fc.constantFrom(...CORS_METHODS), { minLength: 1 }),
    allowedHeaders: list,
    exposeHeaders: list,
    maxAgeSeconds: fc.nat(),
  },
  { requiredKeys: ["allowedOrigins", "allowedMethods"], noNullPrototype: true },
);

test("what is written is read back", () => {
  fc.assert(
    fc.property(fc.array(rule, { minLength: 1, maxLength: 4 }), (rules) => {
      assert.deepEqual(parseCorsConfiguration(Buffer.from(renderCorsConfiguration(rules))), rules);
    }),
  );
});

test("what a rule may not say is refused with the code that clients know", () => {
  const ORIGIN = "<AllowedOrigin>https://a</AllowedOrigin>";
  const METHOD = "<AllowedMethod>GET</AllowedMethod>";
  const parse = (rules: string) =>
    parseCorsConfiguration(Buffer.from(`<CORSConfiguration>${rules}</CORSConfiguration>`));
  const refused = (inner: string, code: string) =>
    assert.throws(
      () => parse(`<CORSRule>${inner}</CORSRule>`),
      (error) => hasCode(error, code),
      inner,
    );
  assert.throws(
    () => parse(""),
    (error) => hasCode(error, "MalformedXML"),
  );
  assert.throws(
    () => parse(`<CORSRule>${ORIGIN}${METHOD}</CORSRule>`.repeat(101)),
    (e) => hasCode(e, "InvalidRequest"),
  );
  refused(METHOD, "MalformedXML");
  refused(ORIGIN, "MalformedXML");
  refused(`${ORIGIN}<AllowedMethod>PATCH</AllowedMethod>`, "InvalidRequest");
  refused(`${ORIGIN}<AllowedMethod>get</AllowedMethod>`, "InvalidRequest");
  refused(`<AllowedOrigin>*a*</AllowedOrigin>${METHOD}`, "InvalidRequest");
  refused(`${ORIGIN}${METHOD}<AllowedHeader>*-*</AllowedHeader>`, "InvalidRequest");
  refused(`${ORIGIN}${METHOD}<ExposeHeader>x-*</ExposeHeader>`, "InvalidRequest");
  refused(`${ORIGIN}${METHOD}<ExposeHeader>a&#10;b</ExposeHeader>`, "InvalidRequest");
  refused(`${ORIGIN}${METHOD}<ExposeHeader>€</ExposeHeader>`, "InvalidRequest");
  refused(`${ORIGIN}${METHOD}<MaxAgeSeconds>soon</MaxAgeSeconds>`, "MalformedXML");
  refused(`${ORIGIN}${METHOD}<MaxAgeSeconds>-1</MaxAgeSeconds>`, "InvalidRequest");
});
