/** Routes that act on the process, and the few whose honest answer is "there is none" (admin-api.md 5.2, 6.3, 6.5). */
import { StoreError } from "../model/errors.ts";
import type { Answer } from "./answer.ts";
import { json, OK } from "./answer.ts";
import type { ServiceAction } from "./deps.ts";
import { SERVICE_ACTIONS } from "./deps.ts";
import type { AdminRequest } from "./request.ts";
import type { Route } from "./route.ts";

const RIGHTS: Readonly<Record<ServiceAction, string>> = {
  restart: "admin:ServiceRestart",
  stop: "admin:ServiceStop",
  freeze: "admin:ServiceFreeze",
  unfreeze: "admin:ServiceFreeze",
};

async function service(request: AdminRequest): Promise<Answer> {
  const action = SERVICE_ACTIONS.find((known) => known === request.param("action"));
  if (action === undefined)
    throw new StoreError("MalformedPOSTRequest", { message: "The service action is not known." });
  await request.authorize(RIGHTS[action]);
  const { site } = request.deps;
  const dryRun = request.flag("dry-run");
  // A process that stops before its answer has left looks like a failure to the client.
  const after = dryRun ? undefined : (): void => site.control(action);
  // Clients up to 2023 name no type and expect no body.
  if (request.param("type") !== "2") return { ...OK, after };
  return { ...json({ action, dryRun, results: [{ host: site.nodeName }] }), after };
}

const ZERO_QUEUE = { count: 0, bytes: 0 };

/** The status of site replication that is off, in the shape that clients decode. */
const SITE_REPLICATION_OFF = {
  Enabled: false,
  MaxBuckets: 0,
  MaxUsers: 0,
  MaxGroups: 0,
  MaxPolicies: 0,
  MaxILMExpiryRules: 0,
  Sites: null,
  StatsSummary: null,
  BucketStats: {},
  PolicyStats: {},
  UserStats: {},
  GroupStats: {},
  Metrics: {
    activeWorkers: { curr: 0, avg: 0, max: 0 },
    replicaSize: 0,
    replicaCount: 0,
    queued: { curr: ZERO_QUEUE, avg: ZERO_QUEUE, max: ZERO_QUEUE },
    replMetrics: null,
    uptime: 0,
  },
} as const;

export const SERVICE_ROUTES: readonly Route[] = [
  // No request ever holds a lock: commits carry their checks (storage/index). An empty list is the truth.
  { method: "GET", path: "top/locks", query: [], actions: ["admin:TopLocksInfo"], run: async () => json([]) },
  { method: "POST", path: "service", query: ["action"], actions: "self", run: service },
  {
    method: "GET",
    path: "site-replication/info",
    query: [],
    actions: ["admin:SiteReplicationInfo"],
    run: async () => json({ enabled: false }),
  },
  {
    method: "GET",
    path: "site-replication/status",
    query: [],
    actions: ["admin:SiteReplicationInfo"],
    run: async () => json(SITE_REPLICATION_OFF),
  },
];
