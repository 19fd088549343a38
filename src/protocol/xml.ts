/** XML in and out: a strict small parser (no DTD, bounded depth and size) and string helpers for rendering. */
import { SaxesParser } from "saxes";
import { StoreError } from "../model/errors.ts";

export const S3_NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/";
export const XML_PROLOG = '<?xml version="1.0" encoding="UTF-8"?>\n';

const DEPTH_MAX = 32;
/** A full DeleteObjects or CompleteMultipartUpload document stays below these; listings are read with a limit of their own. */
const BYTES_MAX = 8 * 1024 * 1024;
/** 10,000 parts with a checksum each, three times over. Elements take many times the memory of their text. */
const ELEMENTS_MAX = 150_000;

/** An element without namespace and attributes. */
export class XmlElement {
  /** Local name. */
  readonly name: string;
  readonly children: XmlElement[] = [];
  /** Its own character data, children's excluded. */
  text = "";

  constructor(name: string) {
    this.name = name;
  }

  /** The first child of that name. */
  child(name: string): XmlElement | undefined {
    return this.children.find((element) => element.name === name);
  }

  all(name: string): XmlElement[] {
    return this.children.filter((element) => element.name === name);
  }

  /** Text of the first child of that name; undefined when there is none. */
  value(name: string): string | undefined {
    return this.child(name)?.text;
  }
}

export interface XmlLimits {
  readonly maxBytes?: number | undefined;
}

function malformed(message: string): StoreError {
  return new StoreError("MalformedXML", { message: `The XML you provided was not well-formed: ${message}` });
}

const CONTROL_REFERENCE = /&#(x0*1?[0-9a-f]|0*[12]?\d|0*3[01]);/i;

function localName(name: string): string {
  const colon = name.indexOf(":");
  return colon < 0 ? name : name.slice(colon + 1);
}

/** The root element. Throws MalformedXML for anything not well-formed, too long, too deep, or with a document type. */
export function parseXml(bytes: Buffer, limits: XmlLimits = {}): XmlElement {
  if (bytes.length > (limits.maxBytes ?? BYTES_MAX)) throw malformed("the document is too long");
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new StoreError("MalformedXML", { message: "The XML you provided is not UTF-8", cause });
  }
  // Keys may hold control characters; S3 writes them as references that only XML 1.1 allows.
  const version = text.includes("&#") && CONTROL_REFERENCE.test(text) ? "1.1" : "1.0";
  const parser = new SaxesParser({ forceXMLVersion: true, defaultXMLVersion: version });
  const stack: XmlElement[] = [];
  const elementsMax = limits.maxBytes === undefined ? ELEMENTS_MAX : Number.POSITIVE_INFINITY;
  let elements = 0;
  let root: XmlElement | undefined;
  let current: XmlElement | undefined;
  const append = (data: string): void => {
    if (current !== undefined) current.text += data;
  };
  parser.on("error", (error) => {
    throw malformed(error.message);
  });
  parser.on("doctype", () => {
    throw malformed("document types are refused");
  });
  parser.on("opentag", (tag) => {
    const element = new XmlElement(localName(tag.name));
    if (current === undefined) root = element;
    else current.children.push(element);
    if (stack.length >= DEPTH_MAX) throw malformed("elements are nested too deeply");
    if (++elements > elementsMax) throw malformed("there are too many elements");
    stack.push(element);
    current = element;
  });
  parser.on("closetag", () => {
    stack.pop();
    current = stack.at(-1);
  });
  parser.on("text", append);
  parser.on("cdata", append);
  parser.write(text).close();
  if (root === undefined) throw malformed("there is no root element");
  return root;
}

/** As `parseXml`, and the root must be one of `names` (in any namespace). */
export function parseXmlRoot(bytes: Buffer, ...names: string[]): XmlElement {
  const root = parseXml(bytes);
  if (!names.includes(root.name)) {
    throw new StoreError("MalformedXML", {
      message: `Expected element <${names.join("> or <")}> but found <${root.name}>`,
    });
  }
  return root;
}

/** Characters that must not stand as themselves, lone surrogates aside. */
// oxlint-disable-next-line no-control-regex -- control characters are what it looks for
const UNSAFE = /[&<>"'\u0000-\u001f\u007f-\u009f\ufffe\uffff]/;
// oxlint-disable-next-line no-control-regex -- as above
const UNSAFE_ALL = /[&<>"'\u0000-\u001f\u007f-\u009f\ufffe\uffff]/g;

const NAMED: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;" };

function escapeChar(char: string): string {
  const named = NAMED[char];
  if (named !== undefined) return named;
  const code = char.charCodeAt(0);
  if (code === 0 || code >= 0xfffe) return "\ufffd";
  if (code === 0x22 || code === 0x27) return `&#${code};`;
  return `&#x${code.toString(16).toUpperCase()};`;
}

/** Text safe inside an element or attribute: `"` is `&#34;` as MinIO writes it, control characters are references. */
export function escapeXml(text: string): string {
  const whole = text.isWellFormed() ? text : text.toWellFormed();
  return UNSAFE.test(whole) ? whole.replace(UNSAFE_ALL, escapeChar) : whole;
}

const ENTITIES: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'" };

/** The text that `escapeXml`, or another's way of writing it, stands for; what is no entity stays as it is. */
export function unescapeXml(text: string): string {
  return text.replaceAll(/&(?:#(\d{1,7})|#x([0-9a-fA-F]{1,6})|(\w+));/g, (whole, decimal, hex, name) => {
    if (name !== undefined) return ENTITIES[name as string] ?? whole;
    const point = decimal === undefined ? Number.parseInt(hex as string, 16) : Number(decimal);
    return point > 0x10_ff_ff ? whole : String.fromCodePoint(point);
  });
}

/** `<name>escaped text</name>`. */
export function tag(name: string, text: string | number | boolean): string {
  return `<${name}>${typeof text === "string" ? escapeXml(text) : text}</${name}>`;
}

/** As `tag`; nothing when the text is undefined or empty. */
export function optionalTag(name: string, text: string | number | boolean | undefined): string {
  return text === undefined || text === "" ? "" : tag(name, text);
}

/** `<name>inner</name>`, where `inner` is XML already. */
export function wrap(name: string, inner: string): string {
  return `<${name}>${inner}</${name}>`;
}

/** A response document: prolog, root in the S3 namespace. */
export function document(root: string, inner: string): string {
  return `${XML_PROLOG}<${root} xmlns="${S3_NAMESPACE}">${inner}</${root}>`;
}

/** An integer element's value; `fallback` when absent, MalformedXML when it is no whole number. */
export function integerOf(element: XmlElement, name: string, fallback: number): number {
  const text = element.value(name)?.trim();
  if (text === undefined || text === "") return fallback;
  if (!/^[+-]?\d{1,15}$/.test(text))
    throw new StoreError("MalformedXML", { message: `${name} must be a whole number` });
  return Number(text);
}

/** A boolean element's value; `fallback` when absent or empty. */
export function booleanOf(element: XmlElement, name: string, fallback: boolean): boolean {
  const text = element.value(name)?.trim().toLowerCase();
  if (text === undefined || text === "") return fallback;
  if (text === "true" || text === "1") return true;
  if (text === "false" || text === "0") return false;
  throw new StoreError("MalformedXML", { message: `${name} must be true or false` });
}
