/**
 * `multipart/form-data` as POST uploads send it: fields first, the part named `file` last, its bytes as a stream.
 * What follows the file is ignored (s3-api.md 2.6). Knows nothing of policies.
 */
import { StoreError } from "../model/errors.ts";

const FIELDS_MAX = 1000;
/** All field names, values and part headers together, which are held in memory before anybody is asked who it is; AWS takes 20 KiB. */
const FIELD_BYTES_MAX = 64 * 1024;
const BOUNDARY_CHARS_MAX = 200;
const CRLF = Buffer.from("\r\n");
const BLANK_LINE = Buffer.from("\r\n\r\n");

export interface FormUpload {
  /** By lower-case name; one character a byte, as headers come. */
  readonly fields: Readonly<Record<string, string>>;
  /** File name that the browser sent, without folders. */
  readonly fileName: string;
  /** Ends with the part; IncompleteBody when the form is cut off. Must be read once. */
  readonly file: AsyncIterable<Buffer>;
}

function malformed(message: string): StoreError {
  return new StoreError("MalformedPOSTRequest", {
    message: `The body of your POST request is not well-formed multipart/form-data: ${message}`,
  });
}

/** The boundary named by a Content-Type. */
function boundaryOf(contentType: string): string {
  const match = /;\s*boundary=(?:"([^"]+)"|([^;\s]+))/i.exec(contentType);
  const boundary = match?.[1] ?? match?.[2] ?? "";
  if (boundary === "" || boundary.length > BOUNDARY_CHARS_MAX) throw malformed("there is no boundary");
  return boundary;
}

/** Cuts a stream of buffers at delimiters. */
class Cutter {
  readonly #source: AsyncIterator<Buffer>;
  #held: Buffer = Buffer.alloc(0);
  /** Where `#held` ends, with room behind it that nobody has seen: bytes that come one by one are not copied each time. */
  #memory: Buffer = this.#held;

  constructor(body: AsyncIterable<Buffer>) {
    this.#source = body[Symbol.asyncIterator]();
  }

  async #more(): Promise<boolean> {
    const next = await this.#source.next();
    if (next.done) return false;
    this.#hold(next.value);
    return true;
  }

  #hold(bytes: Buffer): void {
    const length = this.#held.length;
    if (length === 0) {
      this.#held = this.#memory = bytes;
      return;
    }
    let start = this.#held.byteOffset - this.#memory.byteOffset;
    if (start + length + bytes.length > this.#memory.length) {
      this.#memory = Buffer.allocUnsafeSlow(2 * (length + bytes.length));
      this.#held.copy(this.#memory);
      start = 0;
    }
    bytes.copy(this.#memory, start + length);
    this.#held = this.#memory.subarray(start, start + length + bytes.length);
  }

  /** Bytes before `delimiter`, which is taken too; at most `limit` of them. */
  async until(delimiter: Buffer, limit: number): Promise<Buffer> {
    let from = 0;
    for (;;) {
      const at = this.#held.indexOf(delimiter, from);
      if (at > limit || (at < 0 && this.#held.length > limit + delimiter.length))
        throw malformed("a field is too long");
      if (at >= 0) {
        const out = this.#held.subarray(0, at);
        this.#held = this.#held.subarray(at + delimiter.length);
        return out;
      }
      from = Math.max(this.#held.length - delimiter.length + 1, 0);
      if (!(await this.#more())) throw new StoreError("IncompleteBody");
    }
  }

  /** Pieces before `delimiter`; what comes after it is read and dropped. */
  async *pieces(delimiter: Buffer): AsyncGenerator<Buffer, void, undefined> {
    for (;;) {
      const at = this.#held.indexOf(delimiter);
      // The last bytes at hand may be the delimiter's first.
      const safe = at >= 0 ? at : this.#held.length - delimiter.length + 1;
      if (safe > 0) {
        yield this.#held.subarray(0, safe);
        this.#held = this.#held.subarray(safe);
      }
      if (at >= 0) break;
      if (!(await this.#more())) throw new StoreError("IncompleteBody");
    }
    this.#held = Buffer.alloc(0);
    while (!(await this.#source.next()).done);
  }
}

interface PartHead {
  readonly name: string;
  readonly fileName: string;
}

function parseHead(text: string): PartHead {
  const line = text.split("\r\n").find((one) => /^content-disposition\s*:/i.test(one)) ?? "";
  const value = (key: string): string => {
    const match = new RegExp(`;\\s*${key}=(?:"((?:\\\\.|[^"\\\\])*)"|([^;\\s]*))`, "i").exec(line);
    return (match?.[1] ?? match?.[2] ?? "").replace(/\\(["\\])/g, "$1");
  };
  const name = value("name");
  if (name === "") throw malformed("a part has no name");
  return { name: name.toLowerCase(), fileName: value("filename").replace(/^.*[/\\]/, "") };
}

/** Reads the fields and stops at the file. MalformedPOSTRequest without a file, for too many or too long fields. */
export async function readForm(body: AsyncIterable<Buffer>, contentType: string): Promise<FormUpload> {
  const delimiter = Buffer.from(`\r\n--${boundaryOf(contentType)}`);
  const cutter = new Cutter(body);
  const fields: Record<string, string> = Object.create(null) as Record<string, string>;
  let room = FIELD_BYTES_MAX;
  // The first delimiter has no line end before it; a preamble is allowed.
  await cutter.until(delimiter.subarray(2), room);
  for (let count = 0; count < FIELDS_MAX; count++) {
    const rest = await cutter.until(CRLF, BOUNDARY_CHARS_MAX);
    if (rest.toString("latin1").startsWith("--")) throw malformed("there is no file");
    const head = await cutter.until(BLANK_LINE, room);
    const { name, fileName } = parseHead(head.toString("latin1"));
    if (name === "file") return { fields, fileName, file: cutter.pieces(delimiter) };
    const value = await cutter.until(delimiter, room);
    room -= head.length + value.length;
    if (room < 0) throw malformed("the fields are too long");
    fields[name] ??= value.toString("latin1");
  }
  throw malformed("there are too many fields");
}
