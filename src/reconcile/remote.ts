/** Another Resilver as a side of a comparison, and the answers that this one gives to such requests. */
import { StoreError } from "../model/errors.ts";
import {
  decodeDescribeAnswer,
  decodeDescribeRequest,
  encodeDescribeAnswer,
  encodeDescribeRequest,
} from "./describe-frames.ts";
import { decodeAnswers, decodeQuestions, encodeAnswers, encodeQuestions } from "./frames.ts";
import type { LocalSide } from "./local.ts";
import type { Answer, DescribeAnswer, Described, DescribeRequest, Level, Question, Side } from "./side.ts";

export const RECONCILE_PATH = "/resilver/v1/reconcile";
/** Query parameter that says what the body is. */
export type ReconcileCall = "compare" | "describe";

/** Sends a body and gives the answer's; rejects when there is none. */
export type Exchange = (call: ReconcileCall, body: Buffer) => Promise<Buffer>;

export class RemoteSide implements Side {
  readonly isRemote = true;
  readonly #exchange: Exchange;

  constructor(exchange: Exchange) {
    this.#exchange = exchange;
  }

  async answer(level: Level, questions: readonly Question[]): Promise<Answer[]> {
    return decodeAnswers(await this.#exchange("compare", encodeQuestions(level, questions)), questions);
  }

  async describe(request: DescribeRequest): Promise<DescribeAnswer<Described>> {
    return decodeDescribeAnswer(await this.#exchange("describe", encodeDescribeRequest(request)));
  }
}

/** What this site answers to a request of a peer. Throws InvalidRequest. */
export async function answerPeer(side: LocalSide, call: string, body: Buffer): Promise<Buffer> {
  if (call === "describe") return encodeDescribeAnswer(await side.describe(decodeDescribeRequest(body)));
  if (call !== "compare") throw new StoreError("InvalidRequest", { message: "Neither compare nor describe." });
  const { level, questions } = decodeQuestions(body);
  return encodeAnswers(await side.answer(level, questions));
}
