/**
 * The network between sites, and between sites and their clients. Every fault that a request can meet is one of
 * `FAULTS`; which are possible, and how often, is the profile's.
 */
import { NetworkError } from "../client/errors.ts";
import type { S3Response, TransportRequest } from "../client/transport.ts";
import { SOURCE_REPLICATION_CHECK } from "../protocol/replication-headers.ts";
import type { Dice } from "./random.ts";
import { Exchange, type Handler, type HttpAnswer, type HttpRequest } from "./http.ts";
import { never, type Life } from "./life.ts";
import type { SimTime } from "./time.ts";

/** What may happen to one request. `none` is the ordinary case. */
export const FAULTS = {
  /** Refused before the target saw it. */
  refused: "refused",
  /** The body breaks off half-way. */
  half: "half",
  /** Carried out, but the answer never arrives. */
  answerLost: "answerLost",
  /** The sender gives up; the request is carried out much later. */
  late: "late",
  /** Carried out, and once more later. */
  duplicate: "duplicate",
  /** A proxy or the target says 503 without having done anything. */
  busy: "busy",
  /** Carried out, but a proxy answers 502. */
  badGateway: "badGateway",
  /** Carried out; the answer begins and breaks off in its body. */
  torn: "torn",
} as const;
export type Fault = keyof typeof FAULTS;

export interface NetworkProfile {
  /** Probability of some fault for each request between sites. */
  readonly faultChance: number;
  readonly faults: readonly Fault[];
  /** Probability of a delay of seconds instead of milliseconds. */
  readonly slowChance: number;
}

/** One end: sites answer, clients only ask. */
export interface Place {
  readonly name: string;
  /** What arrives there twice, or long after its sender gave up, does harm: requests to it are refused instead. */
  readonly isForgetful?: boolean;
  /** The handler of a live process; undefined when nobody listens. */
  listener?(): { readonly handler: Handler; readonly life: Life } | undefined;
}

/** What came back. `torn`: its body breaks off. */
type Arrived = HttpAnswer & { readonly torn?: boolean };

export interface Traffic {
  requests: number;
  /** Requests between sites that may change something. */
  writes: number;
  readonly faults: Record<string, number>;
}

const BUSY_BODY = Buffer.from(
  "<Error><Code>SlowDownWrite</Code><Message>Please reduce your request rate</Message></Error>",
);
const GATEWAY_BODY = Buffer.from("<html>502 Bad Gateway</html>");

export class Network {
  readonly traffic: Traffic = { requests: 0, writes: 0, faults: {} };
  /** Requests of the storm that may still arrive, whether or not anybody waits for them. */
  underway = 0;
  /** While false no fault is added; cut links stay cut. */
  stormy = true;
  readonly #time: SimTime;
  readonly #dice: Dice;
  readonly #profile: NetworkProfile;
  readonly #cut = new Set<string>();
  readonly #note: (text: string) => void;

  constructor(time: SimTime, dice: Dice, profile: NetworkProfile, note: (text: string) => void) {
    this.#time = time;
    this.#dice = dice;
    this.#profile = profile;
    this.#note = note;
  }

  /** Requests from one place to another get no answer until `mend`. */
  cut(from: string, to: string): void {
    this.#cut.add(`${from}>${to}`);
  }

  mend(from: string, to: string): void {
    this.#cut.delete(`${from}>${to}`);
  }

  mendAll(): void {
    this.#cut.clear();
  }

  /** Sends one request; rejects with NetworkError when no answer comes. `life` is the sender's: the dead get no answers. */
  async send(from: Place, to: Place, request: TransportRequest, life: Life): Promise<S3Response> {
    const what = `${from.name}>${to.name} ${request.method} ${request.path}`;
    try {
      // As a client does: what was given up already is not sent.
      if (request.signal?.aborted === true) throw new Error("aborted");
      const answer = await abortable(this.#travel(from, to, request, what), request.signal);
      if (!life.alive) return await never();
      this.#note(`${what} ${answer.status}${answer.torn === true ? " torn" : ""}`);
      return answer.torn === true ? tornResponse(answer, what) : responseOf(answer);
    } catch (cause) {
      if (!life.alive) return never();
      this.#note(`${what} ${(cause as Error).message}`);
      throw new NetworkError(what, cause);
    }
  }

  async #travel(from: Place, to: Place, request: TransportRequest, what: string): Promise<Arrived> {
    const counted = this.stormy ? 1 : 0;
    this.underway += counted;
    try {
      return await this.#pass(from, to, request, what);
    } finally {
      this.underway -= counted;
    }
  }

  async #pass(from: Place, to: Place, request: TransportRequest, what: string): Promise<Arrived> {
    const between = from.listener !== undefined;
    this.traffic.requests++;
    if (between && isWrite(request)) this.traffic.writes++;
    const drawn = between ? this.#fault() : undefined;
    const fault = to.isForgetful === true && (drawn === "late" || drawn === "duplicate") ? "refused" : drawn;
    await this.#time.sleep(this.#delayMs());
    if (this.#cut.has(`${from.name}>${to.name}`)) {
      await this.#time.sleep(this.#dice.between(1, 8000));
      throw new Error("timed out on a cut link");
    }
    if (fault === "refused") throw new Error("connection refused by a fault");
    if (fault === "busy") return { status: 503, headers: this.#retryAfter(), body: BUSY_BODY };
    if (fault === "late") return this.#giveUp(to, request);
    const copy = fault === "duplicate" ? ([] as Buffer[]) : undefined;
    const answer = await this.#deliver(to, request, { half: fault === "half", copy });
    if (copy !== undefined) this.#repeat(to, request, copy, what);
    await this.#time.sleep(this.#delayMs());
    if (fault === "answerLost") throw new Error("the answer was lost");
    // Small answers are handed over whole or not at all.
    if (fault === "torn" && request.whole === true) throw new Error("the answer broke off");
    if (fault === "torn") return { ...answer, torn: true };
    if (fault === "badGateway") return { status: 502, headers: {}, body: GATEWAY_BODY };
    if (this.#cut.has(`${from.name}>${to.name}`)) throw new Error("the link was cut before the answer");
    return answer;
  }

  #fault(): Fault | undefined {
    const { faultChance, faults } = this.#profile;
    if (!this.stormy || faults.length === 0 || !this.#dice.chance(faultChance)) return undefined;
    const fault = this.#dice.pick(faults);
    this.traffic.faults[fault] = (this.traffic.faults[fault] ?? 0) + 1;
    return fault;
  }

  #delayMs(): number {
    if (this.stormy && this.#dice.chance(this.#profile.slowChance)) return this.#dice.between(100, 20_000);
    return this.#dice.between(200, 9000) / 1000;
  }

  #retryAfter(): Record<string, string> {
    return this.#dice.chance(0.5) ? { "retry-after": String(this.#dice.between(1, 60)) } : {};
  }

  /** The body is read now, since the sender lets go of it; the request arrives when the sender has long given up. */
  async #giveUp(to: Place, request: TransportRequest): Promise<never> {
    const pieces: Buffer[] = [];
    for await (const piece of piecesOf(request.body)) pieces.push(piece);
    this.#arriveLater(to, { ...request, body: Buffer.concat(pieces) }, this.#dice.between(500, 30_000));
    throw new Error("timed out, and arrives later");
  }

  #repeat(to: Place, request: TransportRequest, pieces: readonly Buffer[], what: string): void {
    this.#note(`${what} will come again`);
    this.#arriveLater(to, { ...request, body: Buffer.concat(pieces) }, this.#dice.between(1, 15_000));
  }

  #arriveLater(to: Place, request: TransportRequest, afterMs: number): void {
    this.underway++;
    const arrive = async (): Promise<void> => {
      try {
        const answer = await this.#deliver(to, request, {});
        this.#note(`late at ${to.name}: ${request.method} ${request.path} ${answer.status}`);
      } catch (error) {
        this.#note(`late at ${to.name}: ${request.method} ${request.path} ${(error as Error).message}`);
      } finally {
        this.underway--;
      }
    };
    this.#time.after(afterMs, () => void arrive());
  }

  async #deliver(
    to: Place,
    request: TransportRequest,
    how: { half?: boolean; copy?: Buffer[] | undefined },
  ): Promise<HttpAnswer> {
    const target = to.listener?.();
    if (target === undefined) throw new Error("connection refused: nobody listens");
    const head: HttpRequest = { method: request.method, path: request.path, headers: request.headers };
    const exchange = new Exchange(target.handler, head);
    try {
      for await (const piece of piecesOf(request.body)) {
        how.copy?.push(piece);
        if (how.half === true) {
          exchange.feed(piece.subarray(0, piece.length >> 1));
          exchange.cut();
          throw new Error("the connection broke half-way");
        }
        exchange.feed(piece);
        if (piece.length > PIECE_BYTES) await this.#time.sleep(this.#delayMs());
      }
    } catch (error) {
      exchange.cut();
      throw error;
    }
    exchange.end();
    return untilDeath(exchange.answered, target.life);
  }
}

/** Bodies longer than this take a while. */
const PIECE_BYTES = 64 * 1024;

async function* piecesOf(body: TransportRequest["body"]): AsyncGenerator<Buffer> {
  if (body === undefined) return;
  // A sender may use the memory of a piece again; on a real wire it has left by then.
  if (!Buffer.isBuffer(body)) for await (const piece of body) yield Buffer.from(piece);
  else if (body.length > 0) yield body;
}

/** A connection breaks with the process at its other end. */
function untilDeath<T>(work: Promise<T>, life: Life): Promise<T> {
  return new Promise((resolve, reject) => {
    const died = (): void => reject(new Error("the target died before it answered"));
    if (!life.alive) return died();
    const callOff = life.onDeath(died);
    work.then(resolve, reject).finally(callOff);
  });
}

/** A target that came back is tried with dry runs, whatever there is to send. */
function isWrite({ method, headers }: TransportRequest): boolean {
  return method !== "GET" && method !== "HEAD" && headers[SOURCE_REPLICATION_CHECK] === undefined;
}

function abortable<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return work;
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(new Error("aborted"));
    signal.addEventListener("abort", abort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  });
}

/** Half of the body comes. An answer without one is complete with its head. */
function tornResponse(answer: HttpAnswer, what: string): S3Response {
  const { status, headers, body } = answer;
  if (body.length === 0) return responseOf(answer);
  const broken = (): NetworkError => new NetworkError(what, new Error("the answer broke off"));
  return {
    status,
    headers,
    stream: (async function* () {
      if (body.length > 1) yield body.subarray(0, body.length >> 1);
      throw broken();
    })(),
    bytes: () => Promise.reject(broken()),
    discard: () => Promise.resolve(),
  };
}

function responseOf(answer: HttpAnswer): S3Response {
  return {
    status: answer.status,
    headers: answer.headers,
    stream: (async function* () {
      if (answer.body.length > 0) yield answer.body;
    })(),
    bytes: () => Promise.resolve(answer.body),
    discard: () => Promise.resolve(),
  };
}
