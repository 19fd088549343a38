/**
 * Answers of HTTP/1.1 from the bytes of a connection, each gathered whole (RFC 9112). Strict where leniency would let the
 * two ends disagree on where an answer ends; fields of the head are taken apart when somebody asks for them.
 */
import { AnswerError, bodyFor, type GatheredBody } from "./answer-body.ts";

/** Also of the trailers behind a body in chunks. */
const HEAD_BYTES_MAX = 64 * 1024;
const HEAD_END = Buffer.from("\r\n\r\n");
const NO_BYTES = Buffer.alloc(0);

const STATUS_LINE = /^HTTP\/1\.([01]) ([1-9]\d\d)(?: |$)/;
// oxlint-disable-next-line no-control-regex -- what no head may hold
const STRAY = /\r(?!\n)|(?<!\r)\n|\0/;
const CLOSE = /(?:^|[\s,])close(?:$|[\s,])/i;

/** A whole answer. */
export class Answer {
  readonly status: number;
  readonly body: Buffer;
  readonly #head: string;
  #headers: Record<string, string> | undefined;

  /** `head`: from the status line to the last field, one character a byte. */
  constructor(status: number, head: string, body: Buffer) {
    this.status = status;
    this.#head = head;
    this.body = body;
  }

  /** Lower-case names; values of a repeated field joined with ", ". */
  get headers(): Readonly<Record<string, string>> {
    this.#headers ??= fieldsOf(this.#head);
    return this.#headers;
  }

  get stream(): AsyncIterable<Buffer> {
    return once(this.body);
  }

  bytes(): Promise<Buffer> {
    return Promise.resolve(this.body);
  }

  discard(): Promise<void> {
    return Promise.resolve();
  }
}

async function* once(bytes: Buffer): AsyncGenerator<Buffer, void, undefined> {
  if (bytes.length > 0) yield bytes;
}

function fieldsOf(head: string): Record<string, string> {
  const fields: Record<string, string> = {};
  for (let at = lineEnd(head, 0) + 2; at < head.length; at = lineEnd(head, at) + 2) {
    const colon = head.indexOf(":", at);
    const name = head.slice(at, colon).toLowerCase();
    const value = head.slice(colon + 1, lineEnd(head, at)).trim();
    const before = fields[name];
    fields[name] = before === undefined ? value : `${before}, ${value}`;
  }
  return fields;
}

function lineEnd(head: string, from: number): number {
  const end = head.indexOf("\r\n", from);
  return end < 0 ? head.length : end;
}

/** What a head says of where its answer ends, and of the connection. */
interface Framing {
  readonly status: number;
  readonly head: string;
  length: string | undefined;
  transfer: string | undefined;
  /** The connection may carry another request. */
  lasts: boolean;
  /** Seconds that the other side keeps an idle connection. */
  idleSeconds: number | undefined;
}

/** Names that matter here have these lengths: most fields are passed over without a copy. */
const FRAMING_NAMES = new Set([10, 14, 17]);

/** `head`: without the empty line that ends it. Throws AnswerError. */
function framingOf(head: string): Framing {
  const line = STATUS_LINE.exec(head.slice(0, lineEnd(head, 0)));
  if (line === null || STRAY.test(head)) throw new AnswerError("the other side does not speak HTTP/1.1");
  const framing: Framing = {
    status: Number(line[2]),
    head,
    length: undefined,
    transfer: undefined,
    lasts: line[1] === "1",
    idleSeconds: undefined,
  };
  for (let at = lineEnd(head, 0) + 2; at < head.length;) {
    const end = lineEnd(head, at);
    const colon = head.indexOf(":", at);
    // A name that ends with a blank, or a line that goes on with the one before: some would read it otherwise.
    if (colon <= at || colon > end || head[colon - 1] === " " || head[colon - 1] === "\t" || isBlank(head, at))
      throw new AnswerError("a field of the answer's head is malformed");
    if (FRAMING_NAMES.has(colon - at)) takeField(framing, head.slice(at, colon), head.slice(colon + 1, end).trim());
    at = end + 2;
  }
  return framing;
}

const isBlank = (head: string, at: number): boolean => head[at] === " " || head[at] === "\t";

function takeField(framing: Framing, name: string, value: string): void {
  switch (name.toLowerCase()) {
    case "content-length":
      if (framing.length !== undefined) throw new AnswerError("the answer has two lengths");
      framing.length = value;
      return;
    case "transfer-encoding":
      framing.transfer = framing.transfer === undefined ? value : `${framing.transfer}, ${value}`;
      return;
    case "connection":
      if (CLOSE.test(value)) framing.lasts = false;
      return;
    case "keep-alive": {
      const seconds = /(?:^|[\s,])timeout=(\d{1,9})/i.exec(value)?.[1];
      if (seconds !== undefined) framing.idleSeconds = Number(seconds);
      return;
    }
    default:
  }
}

/** Parses one answer after another of one connection; `begin` before each. */
export class AnswerParser {
  #bodiless = false;
  /** Bytes of an unfinished head. */
  #held: Buffer = NO_BYTES;
  #framing: Framing | undefined;
  #body: GatheredBody | undefined;
  #lasts = false;

  /** `bodiless`: the answer to HEAD has no body, whatever its head says. */
  begin(bodiless: boolean): void {
    this.#bodiless = bodiless;
    this.#held = NO_BYTES;
    this.#framing = undefined;
    this.#body = undefined;
    this.#lasts = false;
  }

  /** After an answer: the connection may carry another request. */
  get lasts(): boolean {
    return this.#lasts;
  }

  /** After an answer: seconds that the other side keeps an idle connection, where it says so. */
  get idleSeconds(): number | undefined {
    return this.#framing?.idleSeconds;
  }

  /** The head came, and the body is on its way. */
  get isInBody(): boolean {
    return this.#framing !== undefined;
  }

  /** Takes what came, of which nothing is kept without a copy. The answer once it is whole. Throws AnswerError. */
  push(piece: Buffer): Answer | undefined {
    const bytes = this.#held.length === 0 ? piece : Buffer.concat([this.#held, piece]);
    let at = 0;
    while (this.#framing === undefined) {
      const end = bytes.indexOf(HEAD_END, at);
      if (end < 0) return this.#hold(bytes.subarray(at));
      const framing = framingOf(bytes.toString("latin1", at, end));
      at = end + HEAD_END.length;
      // 1xx says something of the request; the answer to it comes behind. 101 was never asked for.
      if (framing.status === 101) throw new AnswerError("the other side changed the protocol");
      if (framing.status < 200) continue;
      this.#framing = framing;
      this.#body = this.#bodiless ? undefined : bodyFor(framing);
    }
    this.#held = NO_BYTES;
    const end = this.#body === undefined ? at : this.#body.push(bytes, at);
    if (end < 0) return undefined;
    // What nobody asked for came behind the answer: the next one could not be told from it.
    return this.#whole(this.#framing.lasts && end === bytes.length);
  }

  /** The other side ended the connection: the answer, when that is how it ends. */
  end(): Answer | undefined {
    return this.#body?.endsWithConnection === true ? this.#whole(false) : undefined;
  }

  #hold(rest: Buffer): undefined {
    if (rest.length > HEAD_BYTES_MAX) throw new AnswerError("the answer's head is too long");
    this.#held = Buffer.from(rest);
    return undefined;
  }

  #whole(lasts: boolean): Answer {
    const { status, head } = this.#framing as Framing;
    this.#lasts = lasts;
    return new Answer(status, head, this.#body?.bytes() ?? NO_BYTES);
  }
}
