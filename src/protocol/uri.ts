/** Percent-encoding as S3 wants it (s3-api.md 2.3): everything but `A-Za-z0-9-_.~` as upper-case %XX of UTF-8. */

const UNRESERVED = new Uint8Array(256);
for (const char of "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~")
  UNRESERVED[char.charCodeAt(0)] = 1;
const SLASH = 0x2f;
const PERCENT = 0x25;

const ENCODED: readonly string[] = Array.from({ length: 256 }, (_, byte) =>
  UNRESERVED[byte] === 1 ? String.fromCharCode(byte) : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`,
);

/** True when encoding would change nothing. */
function isPlain(text: string, slashPlain: boolean): boolean {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code > 127 || (UNRESERVED[code] === 0 && !(slashPlain && code === SLASH))) return false;
  }
  return true;
}

/** Encodes raw bytes; `/` stays when `slashPlain`. */
function encodeBytes(bytes: Uint8Array, slashPlain: boolean): string {
  let out = "";
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i] as number;
    out += slashPlain && byte === SLASH ? "/" : (ENCODED[byte] as string);
  }
  return out;
}

/** A path or key, `/` kept. */
export function encodeS3Path(path: string): string {
  return isPlain(path, true) ? path : encodeBytes(Buffer.from(path, "utf8"), true);
}

/** A query name or value, or anything else where `/` is data (RFC 3986). */
export function encodeQueryValue(text: string): string {
  return isPlain(text, false) ? text : encodeBytes(Buffer.from(text, "utf8"), false);
}

/** Listings with `encoding-type=url`: `/` stays; a blank is %20 as at AWS, which clients that read `+` decode as well. */
export function encodeListing(text: string): string {
  return isPlain(text, true) ? text : encodeBytes(Buffer.from(text, "utf8"), true);
}

function hexDigit(code: number): number {
  if (code >= 48 && code <= 57) return code - 48;
  const lower = code | 32;
  return lower >= 97 && lower <= 102 ? lower - 87 : -1;
}

/**
 * Bytes behind percent-encoded text as it stood on the wire (one character per byte, or Unicode text).
 * A `%` that starts no escape stays a `%`. With `plusIsBlank`, `+` means a blank (query form).
 */
export function decodePercentBytes(raw: string, plusIsBlank: boolean): Buffer {
  const out = Buffer.allocUnsafe(raw.length * 3);
  let at = 0;
  for (let i = 0; i < raw.length; i++) {
    const code = raw.charCodeAt(i);
    if (code === PERCENT && i + 2 < raw.length) {
      const high = hexDigit(raw.charCodeAt(i + 1));
      const low = hexDigit(raw.charCodeAt(i + 2));
      if (high >= 0 && low >= 0) {
        out[at++] = high * 16 + low;
        i += 2;
        continue;
      }
    }
    if (code < 256) out[at++] = plusIsBlank && code === 0x2b ? 0x20 : code;
    else {
      const point = raw.codePointAt(i) as number;
      if (point > 0xffff) i++;
      at += out.write(String.fromCodePoint(point), at, "utf8");
    }
  }
  return out.subarray(0, at);
}

/** True when a `%` is not followed by two hex digits. */
export function hasBadEscape(raw: string): boolean {
  for (let i = raw.indexOf("%"); i >= 0; i = raw.indexOf("%", i + 1)) {
    if (hexDigit(raw.charCodeAt(i + 1)) < 0 || hexDigit(raw.charCodeAt(i + 2)) < 0) return true;
  }
  return false;
}

/** Decoded text of a query name or value: `+` is a blank. */
export function decodeQueryValue(raw: string): string {
  return isPlain(raw, true) ? raw : decodePercentBytes(raw, true).toString("utf8");
}

/** Decodes a name of a listing with `encoding-type=url`. */
export function decodeListing(text: string): string {
  return decodeQueryValue(text);
}

/** Decoded pairs of a raw query in received order; a name without `=` has the value "". */
export function parseQuery(raw: string): [name: string, value: string][] {
  const out: [string, string][] = [];
  if (raw === "") return out;
  for (const field of raw.split("&")) {
    if (field === "") continue;
    const equals = field.indexOf("=");
    if (equals < 0) out.push([decodeQueryValue(field), ""]);
    else out.push([decodeQueryValue(field.slice(0, equals)), decodeQueryValue(field.slice(equals + 1))]);
  }
  return out;
}

/** Raw query of decoded pairs: names sorted, every name with `=`. The form that signing and sending share. */
export function renderQuery(pairs: Readonly<Record<string, string>>): string {
  return Object.keys(pairs)
    .map((name) => `${encodeQueryValue(name)}=${encodeQueryValue(pairs[name] as string)}`)
    .sort()
    .join("&");
}

/**
 * Canonical URI of a raw path: decoded, then encoded once; nothing is normalised. The common path needs neither.
 */
export function canonicalPath(raw: string): string {
  return isPlain(raw, true) ? raw : encodeBytes(decodePercentBytes(raw, false), true);
}

/** One name or value of the canonical query from its raw form. */
export function canonicalQueryPart(raw: string): string {
  return isPlain(raw, false) ? raw : encodeBytes(decodePercentBytes(raw, true), false);
}
