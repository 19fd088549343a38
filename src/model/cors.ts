/** The CORS configuration of a bucket, and which of its rules speaks for a request. Pure. */

export const CORS_METHODS = ["GET", "PUT", "HEAD", "POST", "DELETE"] as const;
export type CorsMethod = (typeof CORS_METHODS)[number];

export interface CorsRule {
  readonly id?: string | undefined;
  /** At most one `*` each, as in `allowedHeaders`. */
  readonly allowedOrigins: readonly string[];
  readonly allowedMethods: readonly CorsMethod[];
  readonly allowedHeaders?: readonly string[] | undefined;
  readonly exposeHeaders?: readonly string[] | undefined;
  /** How long a browser may keep the answer to a preflight. */
  readonly maxAgeSeconds?: number | undefined;
}

export interface CorsQuestion {
  readonly origin: string;
  readonly method: string;
  /** Lower-case names that a preflight asks for; empty for others. */
  readonly headers: readonly string[];
}

export interface CorsMatch {
  readonly rule: CorsRule;
  /** The rule allows every origin, by a bare `*`. */
  readonly anyOrigin: boolean;
}

/** The first rule that allows origin, method and all headers; undefined: the browser must not go on. */
export function matchCors(rules: readonly CorsRule[], asked: CorsQuestion): CorsMatch | undefined {
  for (const rule of rules) {
    if (!rule.allowedMethods.some((method) => method === asked.method)) continue;
    const origin = rule.allowedOrigins.find((pattern) => fits(pattern, asked.origin));
    if (origin === undefined) continue;
    const headers = rule.allowedHeaders ?? [];
    const all = asked.headers.every((name) => headers.some((pattern) => fits(pattern.toLowerCase(), name)));
    if (all) return { rule, anyOrigin: origin === "*" };
  }
  return undefined;
}

/** One `*` stands for any text. */
function fits(pattern: string, text: string): boolean {
  const star = pattern.indexOf("*");
  if (star < 0) return pattern === text;
  const after = pattern.length - star - 1;
  return (
    text.length >= star + after && text.startsWith(pattern.slice(0, star)) && text.endsWith(pattern.slice(star + 1))
  );
}
