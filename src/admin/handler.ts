/**
 * Everything that is not S3: the admin API, health and metrics under /minio/, and STS at `POST /`. A route is found before the caller is
 * asked who it is: clients read 426 as "this server has no such call" and fall back (admin-api.md 1.1).
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import { StoreError } from "../model/errors.ts";
import { ABSENT_ROUTES } from "./absent.ts";
import { ACCESS_KEY_ROUTES } from "./access-keys.ts";
import { ACCOUNT_ROUTES } from "./account.ts";
import type { AnswerContext } from "./answer.ts";
import { commonHeaders, sendAnswer, sendError } from "./answer.ts";
import { authenticate } from "./authenticate.ts";
import { BUCKET_TRANSFER_ROUTES } from "./bucket-transfer.ts";
import { CONFIG_ROUTES } from "./config.ts";
import type { AdminDeps } from "./deps.ts";
import { HEAL_ROUTES } from "./heal.ts";
import { answerHealth, HEALTH_PREFIX } from "./health.ts";
import { IAM_TRANSFER_ROUTES } from "./iam-transfer.ts";
import { INFO_ROUTES } from "./info.ts";
import { KMS_ROUTES, OLD_KMS_ROUTES } from "./kms.ts";
import { isMetricsPath, metricsText } from "./metrics.ts";
import { metricsTokenValid } from "./metrics-token.ts";
import { POLICY_ROUTES } from "./policies.ts";
import { QUOTA_ROUTES } from "./quota.ts";
import { AdminRequest } from "./request.ts";
import type { Route } from "./route.ts";
import { SERVICE_ROUTES } from "./service.ts";
import { answerSts, isStsRequest } from "./sts.ts";
import { TARGET_ROUTES } from "./targets.ts";
import { TRACE_ROUTES, traceAdminCall } from "./trace.ts";
import { USER_ROUTES } from "./users.ts";

const ADMIN = "/minio/admin";
const PREFIX = `${ADMIN}/v3/`;
const KMS = "/minio/kms/v1/";

/** Every call there is. */
export const ROUTES: readonly Route[] = [
  ...USER_ROUTES,
  ...POLICY_ROUTES,
  ...ACCESS_KEY_ROUTES,
  ...ACCOUNT_ROUTES,
  ...TARGET_ROUTES,
  ...INFO_ROUTES,
  ...SERVICE_ROUTES,
  ...QUOTA_ROUTES,
  ...TRACE_ROUTES,
  ...CONFIG_ROUTES,
  ...IAM_TRANSFER_ROUTES,
  ...BUCKET_TRANSFER_ROUTES,
  ...OLD_KMS_ROUTES,
  ...HEAL_ROUTES,
  ...ABSENT_ROUTES,
];

const under = (prefix: string, routes: readonly Route[]): [string, Route][] =>
  routes.map((route) => [`${route.method} ${prefix}${route.path}`, route]);
const BY_PATH: ReadonlyMap<string, Route> = new Map([...under(PREFIX, ROUTES), ...under(KMS, KMS_ROUTES)]);

/** `METHOD PREFIX/` of the routes that end in `/*`, the longest first. */
const BELOW: readonly (readonly [start: string, route: Route])[] = [...BY_PATH]
  .filter(([key]) => key.endsWith("/*"))
  .map(([key, route]) => [key.slice(0, -1), route] as const)
  .sort(([a], [b]) => b.length - a.length);

/**
 * The route of exactly this path, else the one that ends in `/*` and holds the most of it. Asked before anybody has
 * signed: a path of many slashes must not cost more than a short one.
 */
export function routeAt(method: string, path: string): Route | undefined {
  const asked = `${method} ${path}`;
  return BY_PATH.get(asked) ?? BELOW.find(([start]) => asked.startsWith(start))?.[1];
}

function routeOf(request: AdminRequest): Route | undefined {
  const route = routeAt(request.method, request.path);
  return route?.query.every((name) => request.has(name)) === true ? route : undefined;
}

/** Calls that traces know under a name that is not made of their path: filters of clients look for these. */
const TRACE_NAMES: Readonly<Record<string, string>> = {
  info: "ServerInfo",
  storageinfo: "StorageInfo",
  datausageinfo: "DataUsageInfo",
  accountinfo: "AccountInfo",
  "user-info": "GetUserInfo",
  group: "GetGroup",
  groups: "ListGroups",
};

/** `idp/builtin/policy/attach` as `IdpBuiltinPolicyAttach`. */
function nameOf({ path }: Route): string {
  const known = TRACE_NAMES[path];
  if (known !== undefined) return known;
  return path.replace(/\/\*$/, "").replace(/(?:^|[-/])([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

function unknownRoute(path: string): StoreError {
  if (path.startsWith(KMS)) return new StoreError("NotImplemented");
  const version = /^\/minio\/admin\/(v\d+)/.exec(path)?.[1];
  const known = version === undefined || version === "v3";
  const message = known ? undefined : `This server speaks version v3 of the admin API, the request is for ${version}.`;
  return new StoreError("XMinioAdminVersionMismatch", { message });
}

/** The code's own words are about a name that may not be used. */
const noSuchKey = new StoreError("XMinioInvalidIAMCredentials", { message: "There is no such access key." });

async function answerAdmin(context: AnswerContext, request: AdminRequest): Promise<void> {
  const route = routeOf(request);
  const resource = request.path;
  // Unread bodies would block the connection for the next request.
  context.response.once("finish", () => request.incoming.resume());
  traceAdminCall(request, context.response, route === undefined ? "Unknown" : nameOf(route));
  if (route === undefined) return sendError(context, { error: unknownRoute(resource), resource, anonymous: true });
  try {
    await authenticate(request);
    if (Array.isArray(route.actions)) await request.authorize(...route.actions);
    await sendAnswer(context, await route.run(request), request.identity.secretKey);
  } catch (error) {
    const badCredentials = error instanceof StoreError && error.code === "XMinioInvalidIAMCredentials";
    const status = badCredentials ? (route.badCredentialsStatus ?? 404) : undefined;
    const said = status === 404 ? noSuchKey : error;
    sendError(context, { error: said, resource, bucket: request.bucketText, status });
  }
}

async function answerMetrics(
  context: AnswerContext,
  incoming: IncomingMessage,
  path: string,
  query: string,
): Promise<void> {
  const { deps, response, requestId } = context;
  try {
    const nowMs = deps.clock.nowMs();
    const open =
      deps.settings.metricsPublic || (await metricsTokenValid(deps.iam, incoming.headers.authorization, nowMs));
    if (!open) return sendError(context, { error: new StoreError("AccessDenied"), resource: path });
    const list = new URLSearchParams(query).has("list");
    const text = await metricsText(deps, path, list);
    if (text === undefined)
      return sendError(context, { error: new StoreError("InvalidRequest"), resource: path, status: 404 });
    const body = Buffer.from(text);
    const type = list ? "text/markdown; charset=utf-8" : "text/plain; version=0.0.4; charset=utf-8";
    response.writeHead(200, [
      ...commonHeaders(deps, requestId),
      "Content-Type",
      type,
      "Content-Length",
      String(body.length),
    ]);
    response.end(incoming.method === "HEAD" ? undefined : body);
  } catch (error) {
    sendError(context, { error, resource: path });
  }
}

/** True: the path is one of ours and the answer is under way. `query` is raw, without `?`. */
export type AdminHandler = (
  incoming: IncomingMessage,
  response: ServerResponse,
  path: string,
  query: string,
) => boolean;

export function createAdminHandler(deps: AdminDeps): AdminHandler {
  return (incoming, response, path, query) => {
    const sts = isStsRequest(incoming, path, query);
    if (!sts && !path.startsWith("/minio/")) return false;
    const requestId = deps.random.bytes(8).toString("hex").toUpperCase();
    const context = { deps, response, requestId, userAgent: incoming.headers["user-agent"] };
    if (sts) {
      void answerSts(context, incoming, query);
      return true;
    }
    if (path.startsWith(`${ADMIN}/`) || path === ADMIN || path.startsWith(KMS)) {
      void answerAdmin(context, new AdminRequest({ deps, incoming, path, rawQuery: query, requestId }));
      return true;
    }
    if (path.startsWith(HEALTH_PREFIX)) {
      const name = path.slice(HEALTH_PREFIX.length);
      return answerHealth(deps, response, { method: incoming.method ?? "GET", name, query, requestId });
    }
    if (isMetricsPath(path)) {
      void answerMetrics(context, incoming, path, query);
      return true;
    }
    return false;
  };
}
