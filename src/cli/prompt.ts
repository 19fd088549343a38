/** Answers from standard input: typed on a terminal, or lines of a pipe. */
import { createInterface } from "node:readline";
import { Writable } from "node:stream";

export interface Question {
  readonly text: string;
  /** Not echoed on a terminal. */
  readonly secret: boolean;
}

/** One answer per question; "" when the input ends early. */
export async function ask(stdin: AsyncIterable<Buffer>, questions: readonly Question[]): Promise<string[]> {
  return isTerminal(stdin) ? askTerminal(stdin, questions) : firstLines(stdin, questions.length);
}

type Terminal = NodeJS.ReadStream & AsyncIterable<Buffer>;

function isTerminal(stdin: AsyncIterable<Buffer>): stdin is Terminal {
  return Reflect.get(stdin, "isTTY") === true;
}

async function askTerminal(stdin: Terminal, questions: readonly Question[]): Promise<string[]> {
  let muted = false;
  const output = new Writable({
    write(chunk: Buffer, _encoding, done) {
      if (!muted) process.stderr.write(chunk);
      done();
    },
  });
  const lines = createInterface({ input: stdin, output, terminal: true });
  const answers: string[] = [];
  for (const question of questions) {
    process.stderr.write(question.text);
    muted = question.secret;
    answers.push(await new Promise<string>((resolve) => lines.question("", resolve)));
    if (muted) process.stderr.write("\n");
    muted = false;
  }
  lines.close();
  return answers;
}

/** The first `count` lines of `stdin` without their line ends. */
async function firstLines(stdin: AsyncIterable<Buffer>, count: number): Promise<string[]> {
  const found: string[] = [];
  for await (const line of linesOf(stdin)) {
    found.push(line);
    if (found.length === count) break;
  }
  while (found.length < count) found.push("");
  return found;
}

/** Lines of a byte stream, without line ends; a last line without one counts. */
export async function* linesOf(source: AsyncIterable<Buffer>): AsyncIterable<string> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of source) {
    const pieces = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = pieces.pop() ?? "";
    for (const piece of pieces) yield piece.replace(/\r$/, "");
  }
  if (rest !== "") yield rest.replace(/\r$/, "");
}

/** All of `stdin` as text. */
export async function wholeText(stdin: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stdin) chunks.push(chunk);
  return Buffer.concat(chunks).toString("utf8");
}
