/** The --enc-* flags as request headers (mc-cli.md 2.2): the longest matching prefix decides. */
import { createHash } from "node:crypto";
import type { ParsedFlags } from "./command.ts";
import { CommandError } from "./command.ts";

type Headers = Readonly<Record<string, string>>;
type Rule =
  | { readonly kind: "s3"; readonly prefix: string }
  | { readonly kind: "kms"; readonly prefix: string; readonly keyId: string }
  | { readonly kind: "c"; readonly prefix: string; readonly key: Buffer };

const SSE = "x-amz-server-side-encryption";
const SSE_C_KEY_BYTES = 32;
const NONE: Headers = {};

/** What to send for a path `ALIAS/BUCKET/KEY`. */
export class Encryption {
  readonly #rules: readonly Rule[];

  constructor(rules: readonly Rule[]) {
    this.#rules = rules;
  }

  /** Headers of a write. */
  put(path: string): Headers {
    const rule = this.#match(path);
    if (rule?.kind === "s3") return { [SSE]: "AES256" };
    if (rule?.kind === "kms") return { [SSE]: "aws:kms", [`${SSE}-aws-kms-key-id`]: rule.keyId };
    return this.get(path);
  }

  /** Headers of a read, and of each part of a multipart upload: only SSE-C needs any. */
  get(path: string): Headers {
    const rule = this.#match(path);
    return rule?.kind === "c" ? customerHeaders(SSE, rule.key) : NONE;
  }

  /** Headers that open the source of a copy. */
  copySource(path: string): Headers {
    const rule = this.#match(path);
    return rule?.kind === "c" ? customerHeaders("x-amz-copy-source-server-side-encryption", rule.key) : NONE;
  }

  #match(path: string): Rule | undefined {
    let best: Rule | undefined;
    for (const rule of this.#rules) {
      if (path.startsWith(rule.prefix) && rule.prefix.length >= (best?.prefix.length ?? 0)) best = rule;
    }
    return best;
  }
}

function customerHeaders(name: string, key: Buffer): Headers {
  return {
    [`${name}-customer-algorithm`]: "AES256",
    [`${name}-customer-key`]: key.toString("base64"),
    [`${name}-customer-key-md5`]: createHash("md5").update(key).digest("base64"),
  };
}

/** Reads the flags. The same prefix in two of them throws CommandError. */
export function parseEncryption(flags: ParsedFlags): Encryption {
  const rules: Rule[] = [
    ...flags.list("enc-s3").map((prefix): Rule => ({ kind: "s3", prefix })),
    ...flags
      .list("encrypt")
      .flatMap((text) => text.split(","))
      .map((prefix): Rule => ({ kind: "s3", prefix })),
    ...flags.list("enc-kms").map((text): Rule => {
      const [prefix, keyId] = split(text, "enc-kms", text.indexOf("="));
      return { kind: "kms", prefix, keyId };
    }),
    ...flags.list("enc-c").map((text): Rule => {
      const [prefix, key] = split(text, "enc-c", text.indexOf("="));
      return { kind: "c", prefix, key: customerKey(key) };
    }),
    ...flags
      .list("encrypt-key")
      .flatMap((text) => text.split(","))
      .map((text): Rule => {
        const [prefix, key] = split(text, "encrypt-key", text.length - SSE_C_KEY_BYTES - 1);
        return { kind: "c", prefix, key: Buffer.from(key, "latin1") };
      }),
  ];
  const seen = new Set<string>();
  for (const { prefix } of rules) {
    if (seen.has(prefix)) throw new CommandError(`Two encryption flags name the same prefix \`${prefix}\``);
    seen.add(prefix);
  }
  return new Encryption(rules);
}

function split(text: string, flag: string, at: number): [string, string] {
  if (at <= 0 || text[at] !== "=")
    throw new CommandError(`Invalid --${flag} \`${text.split("=")[0]}\`. Write ALIAS/BUCKET[/PREFIX]=KEY`);
  return [text.slice(0, at), text.slice(at + 1)];
}

/** 64 hex digits or 43 base64 digits without padding: 32 bytes. */
function customerKey(text: string): Buffer {
  const key = /^[0-9a-f]{64}$/i.test(text) ? Buffer.from(text, "hex") : Buffer.from(text, "base64");
  const wellFormed = /^[0-9a-f]{64}$/i.test(text) || /^[A-Za-z0-9+/_-]{43}=?$/.test(text);
  if (wellFormed && key.length === SSE_C_KEY_BYTES) return key;
  throw new CommandError("An --enc-c key is 32 bytes, written as 43 characters of base64 or 64 hex digits");
}
