/**
 * Calls of MinIO that do not exist here although clients know them: refused by name, so that nobody takes silence for
 * success. Whatever is not even in this list is 426, as for every unknown call.
 */
import { StoreError } from "../model/errors.ts";
import type { Answer } from "./answer.ts";
import type { Route } from "./route.ts";

type Row = readonly [method: Route["method"], path: string, what: string, action: string];

const SITES = "Whole sites are not replicated here; buckets are, with `mc replicate`.";
const DRIVES = "A site here is one directory: there are no pools, sets or drives to work on.";
const TIERS = "There are no storage tiers here.";
const BATCH = "There are no batch jobs here. To copy existing objects: `mc replicate resync` or `mc mirror`.";
const MEASURE = "The server does not measure itself; its speed can be measured from a client.";
const PROVIDERS = "There are no external identity providers here.";
const HISTORY = "No history of settings is kept; `mc admin config export` makes a copy.";
const UPDATE = "The server does not update itself; install the new version and restart it.";
const UNLOCK = "There is nothing to unlock: this server holds no locks, changes are checked when they are committed.";
const REALTIME = "Numbers are not streamed here; `mc admin prometheus metrics` and `mc admin trace` show them.";
const NETWORK = "Bandwidth is not streamed here; `mc replicate status` shows what is sent.";
const DIAGNOSIS = "Diagnostic bundles are not made here; see the log and the metrics.";

const ROWS: readonly Row[] = [
  ["PUT", "site-replication/add", SITES, "SiteReplicationAdd"],
  ["PUT", "site-replication/edit", SITES, "SiteReplicationAdd"],
  ["PUT", "site-replication/remove", SITES, "SiteReplicationRemove"],
  ["PUT", "site-replication/resync/op", SITES, "SiteReplicationResync"],
  ["GET", "site-replication/metainfo", SITES, "SiteReplicationInfo"],
  ["PUT", "site-replication/state/edit", SITES, "SiteReplicationOperation"],
  ["PUT", "site-replication/peer/*", SITES, "SiteReplicationOperation"],
  ["GET", "site-replication/peer/idp-settings", SITES, "SiteReplicationAdd"],
  ["POST", "site-replication/devnull", SITES, "SiteReplicationOperation"],
  ["POST", "site-replication/netperf", SITES, "SiteReplicationOperation"],
  ["GET", "pools/list", DRIVES, "Decommission"],
  ["GET", "pools/status", DRIVES, "Decommission"],
  ["POST", "pools/decommission", DRIVES, "Decommission"],
  ["POST", "pools/cancel", DRIVES, "Decommission"],
  ["POST", "rebalance/start", DRIVES, "Rebalance"],
  ["POST", "rebalance/stop", DRIVES, "Rebalance"],
  ["GET", "rebalance/status", DRIVES, "Rebalance"],
  ["PUT", "tier", TIERS, "SetTier"],
  ["GET", "tier", TIERS, "ListTier"],
  ["GET", "tier-stats", TIERS, "ListTier"],
  ["GET", "tier/*", TIERS, "ListTier"],
  ["POST", "tier/*", TIERS, "SetTier"],
  ["DELETE", "tier/*", TIERS, "SetTier"],
  ["POST", "start-job", BATCH, "StartBatchJob"],
  ["GET", "list-jobs", BATCH, "ListBatchJobs"],
  ["GET", "status-job", BATCH, "ListBatchJobs"],
  ["GET", "describe-job", BATCH, "DescribeBatchJob"],
  ["DELETE", "cancel-job", BATCH, "CancelBatchJob"],
  ["POST", "speedtest", MEASURE, "OBDInfo"],
  ["POST", "speedtest/object", MEASURE, "OBDInfo"],
  ["POST", "speedtest/drive", MEASURE, "OBDInfo"],
  ["POST", "speedtest/net", MEASURE, "OBDInfo"],
  ["POST", "speedtest/site", MEASURE, "OBDInfo"],
  ["POST", "speedtest/client/*", MEASURE, "OBDInfo"],
  ["POST", "force-unlock", UNLOCK, "ForceUnlock"],
  ["GET", "metrics", REALTIME, "ServerInfo"],
  ["GET", "bandwidth", NETWORK, "BandwidthMonitor"],
  ["POST", "profile", MEASURE, "Profiling"],
  ["POST", "profiling/start", MEASURE, "Profiling"],
  ["GET", "profiling/download", MEASURE, "Profiling"],
  ["GET", "healthinfo", DIAGNOSIS, "OBDInfo"],
  ["GET", "obdinfo", DIAGNOSIS, "OBDInfo"],
  ["GET", "inspect-data", DIAGNOSIS, "InspectData"],
  ["POST", "inspect-data", DIAGNOSIS, "InspectData"],
  ["POST", "update", UPDATE, "ServerUpdate"],
  ["GET", "list-config-history-kv", HISTORY, "ConfigUpdate"],
  ["PUT", "restore-config-history-kv", HISTORY, "ConfigUpdate"],
  ["DELETE", "clear-config-history-kv", HISTORY, "ConfigUpdate"],
  ["PUT", "idp/ldap/add-service-account", PROVIDERS, "CreateServiceAccount"],
  ["POST", "revoke-tokens/*", PROVIDERS, "RemoveServiceAccount"],
  ["GET", "idp/ldap/policy-entities", PROVIDERS, "ListUserPolicies"],
  ["POST", "idp/ldap/policy/attach", PROVIDERS, "UpdatePolicyAssociation"],
  ["POST", "idp/ldap/policy/detach", PROVIDERS, "UpdatePolicyAssociation"],
  ["GET", "idp/ldap/list-access-keys", PROVIDERS, "ListServiceAccounts"],
  ["GET", "idp/ldap/list-access-keys-bulk", PROVIDERS, "ListServiceAccounts"],
  ["GET", "idp/openid/list-access-keys-bulk", PROVIDERS, "ListServiceAccounts"],
  ["GET", "idp-config/*", PROVIDERS, "ConfigUpdate"],
  ["PUT", "idp-config/*", PROVIDERS, "ConfigUpdate"],
  ["POST", "idp-config/*", PROVIDERS, "ConfigUpdate"],
  ["DELETE", "idp-config/*", PROVIDERS, "ConfigUpdate"],
];

function absent([method, path, message, action]: Row): Route {
  const run = (): Promise<Answer> => Promise.reject(new StoreError("NotImplemented", { message }));
  return { method, path, query: [], actions: [`admin:${action}`], run };
}

export const ABSENT_ROUTES: readonly Route[] = ROWS.map(absent);
