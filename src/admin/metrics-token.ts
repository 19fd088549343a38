/** The bearer token of metrics: a JWT that an operator's client makes by itself (admin-api.md 6.13). */
import { createHmac, timingSafeEqual } from "node:crypto";
import { z } from "zod";
import type { IamService } from "../iam/identities.ts";
import { METRICS_TOKEN_CHARS_MAX } from "./limits.ts";

const DIGESTS: ReadonlyMap<string, string> = new Map([
  ["HS256", "sha256"],
  ["HS384", "sha384"],
  ["HS512", "sha512"],
]);
const ISSUER = "prometheus";

const header = z.object({ alg: z.string() });
const claims = z.object({
  sub: z.string().optional(),
  accessKey: z.string().optional(),
  iss: z.string(),
  exp: z.number().optional(),
});

function decoded<T>(part: string, schema: z.ZodType<T>): T | undefined {
  try {
    return schema.safeParse(JSON.parse(Buffer.from(part, "base64url").toString("utf8"))).data;
  } catch {
    return undefined;
  }
}

/** True when the token was signed with the secret of a user who may read metrics, and is still valid. */
export async function metricsTokenValid(
  iam: IamService,
  authorization: string | undefined,
  nowMs: number,
): Promise<boolean> {
  const [scheme, token = ""] = (authorization ?? "").split(" ");
  if (scheme !== "Bearer" || token.length > METRICS_TOKEN_CHARS_MAX) return false;
  const [head = "", body = "", signature = "", ...rest] = token.split(".");
  const digest = DIGESTS.get(decoded(head, header)?.alg ?? "");
  const claim = decoded(body, claims);
  if (digest === undefined || claim === undefined || rest.length > 0) return false;
  const identity = await iam.lookup(claim.accessKey ?? claim.sub ?? "");
  if (identity === undefined || !identity.enabled) return false;
  const expected = createHmac(digest, identity.secretKey).update(`${head}.${body}`).digest();
  const given = Buffer.from(signature, "base64url");
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) return false;
  if (claim.iss !== ISSUER || (claim.exp !== undefined && claim.exp * 1000 <= nowMs)) return false;
  return iam.allowed(identity, { action: "admin:Prometheus" });
}
