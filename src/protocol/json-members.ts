/** Members of one large JSON object while its text arrives, without holding the whole. */

/** Name and value of each member, in the order of the text. Throws SyntaxError for what is no object, or is cut. */
export async function* jsonMembers(source: AsyncIterable<Buffer>): AsyncIterable<readonly [string, unknown]> {
  const decoder = new TextDecoder();
  const scan = new Scan();
  for await (const bytes of source) {
    scan.add(decoder.decode(bytes, { stream: true }));
    for (let member = scan.next(); member !== undefined; member = scan.next()) yield* parsed(member);
  }
  if (!scan.complete) throw new SyntaxError("the JSON object ended in the middle");
}

function* parsed(member: string): Iterable<readonly [string, unknown]> {
  if (member.trim() === "") return;
  yield* Object.entries(JSON.parse(`{${member}}`) as Record<string, unknown>);
}

class Scan {
  #text = "";
  /** Where to look on. */
  #at = 0;
  #start = 0;
  #depth = 0;
  #inString = false;
  #begun = false;

  get complete(): boolean {
    return this.#begun && this.#depth === 0;
  }

  add(text: string): void {
    this.#text = this.#text.slice(this.#start) + text;
    this.#at -= this.#start;
    this.#start = 0;
  }

  /** Text of the next whole member, maybe blank; undefined: more text is needed. */
  next(): string | undefined {
    for (; this.#at < this.#text.length; this.#at++) {
      const char = this.#text[this.#at];
      if (this.#inString) {
        if (char === "\\") {
          // What follows belongs to it, and may not have arrived.
          if (this.#at + 1 >= this.#text.length) return undefined;
          this.#at++;
        } else if (char === '"') this.#inString = false;
        continue;
      }
      const member = this.#step(char);
      if (member !== undefined) return member;
    }
    return undefined;
  }

  #step(char: string | undefined): string | undefined {
    if (char === '"') this.#inString = true;
    else if (char === "{" || char === "[") {
      if (this.#depth === 0) this.#begin(char);
      this.#depth++;
    } else if (char === "}" || char === "]") {
      this.#depth--;
      if (this.#depth === 0) return this.#take();
    } else if (char === "," && this.#depth === 1) return this.#take();
    return undefined;
  }

  #begin(char: string): void {
    if (char !== "{" || this.#begun) throw new SyntaxError("expected one JSON object");
    this.#begun = true;
    this.#start = this.#at + 1;
  }

  #take(): string {
    const member = this.#text.slice(this.#start, this.#at);
    this.#at++;
    this.#start = this.#at;
    return member;
  }
}
