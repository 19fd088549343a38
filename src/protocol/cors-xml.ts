/** CORSConfiguration, both directions. */
import { CORS_METHODS, type CorsMethod, type CorsRule } from "../model/cors.ts";
import { StoreError } from "../model/errors.ts";
import { document, integerOf, optionalTag, parseXmlRoot, tag, wrap, type XmlElement } from "./xml.ts";

const RULES_MAX = 100;
const ID_CHARS_MAX = 255;
const PRINTABLE = /^[\x20-\x7e]*$/;

function invalid(message: string): StoreError {
  return new StoreError("InvalidRequest", { message });
}

/** The rules in order. MalformedXML for what is no such document, InvalidRequest for what a rule may not say. */
export function parseCorsConfiguration(body: Buffer): CorsRule[] {
  const rules = parseXmlRoot(body, "CORSConfiguration").all("CORSRule").map(ruleOf);
  if (rules.length === 0) throw new StoreError("MalformedXML", { message: "A CORSConfiguration needs a CORSRule." });
  if (rules.length > RULES_MAX) throw invalid(`At most ${RULES_MAX} CORS rules can be given.`);
  return rules;
}

function ruleOf(element: XmlElement): CorsRule {
  const texts = (name: string): string[] => element.all(name).map((one) => one.text.trim());
  const id = element.value("ID");
  const allowedOrigins = texts("AllowedOrigin");
  const methods = texts("AllowedMethod");
  const allowedHeaders = texts("AllowedHeader");
  const exposeHeaders = texts("ExposeHeader");
  if (allowedOrigins.length === 0 || methods.length === 0) {
    throw new StoreError("MalformedXML", { message: "A CORSRule needs an AllowedOrigin and an AllowedMethod." });
  }
  if (id !== undefined && id.length > ID_CHARS_MAX)
    throw invalid(`The ID of a rule has at most ${ID_CHARS_MAX} characters.`);
  for (const pattern of [...allowedOrigins, ...allowedHeaders]) {
    if (pattern.split("*").length > 2) throw invalid(`"${pattern}" can not have more than one wildcard.`);
  }
  const wild = exposeHeaders.find((name) => name.includes("*"));
  if (wild !== undefined) throw invalid(`ExposeHeader "${wild}" contains wildcard. We currently do not support that.`);
  // They are sent as a header as they are.
  if (exposeHeaders.some((name) => !PRINTABLE.test(name))) throw invalid("An ExposeHeader is no name of a header.");
  const seconds = element.child("MaxAgeSeconds") === undefined ? undefined : integerOf(element, "MaxAgeSeconds", 0);
  if (seconds !== undefined && seconds < 0) throw invalid("MaxAgeSeconds must not be negative.");
  return {
    ...(id === undefined || id === "" ? {} : { id }),
    allowedOrigins,
    allowedMethods: methods.map(methodOf),
    ...(allowedHeaders.length === 0 ? {} : { allowedHeaders }),
    ...(exposeHeaders.length === 0 ? {} : { exposeHeaders }),
    ...(seconds === undefined ? {} : { maxAgeSeconds: seconds }),
  };
}

function methodOf(text: string): CorsMethod {
  const method = CORS_METHODS.find((known) => known === text);
  if (method === undefined) {
    throw invalid(`Found unsupported HTTP method in CORS config. Unsupported method is ${text}`);
  }
  return method;
}

export function renderCorsConfiguration(rules: readonly CorsRule[]): string {
  return document("CORSConfiguration", rules.map((rule) => wrap("CORSRule", ruleXml(rule))).join(""));
}

function ruleXml(rule: CorsRule): string {
  const many = (name: string, texts: readonly string[] = []): string => texts.map((text) => tag(name, text)).join("");
  return (
    optionalTag("ID", rule.id) +
    many("AllowedOrigin", rule.allowedOrigins) +
    many("AllowedMethod", rule.allowedMethods) +
    many("AllowedHeader", rule.allowedHeaders) +
    many("ExposeHeader", rule.exposeHeaders) +
    optionalTag("MaxAgeSeconds", rule.maxAgeSeconds)
  );
}
