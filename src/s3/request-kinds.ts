/** What kind of request a URL is, before anything of it is parsed. */
import { INGEST_PATH } from "../protocol/ingest.ts";
import { RECONCILE_PATH } from "../reconcile/remote.ts";

/**
 * Paths of the admin API, health, metrics, console and peers: never buckets (both names are reserved). A peer's calls
 * with a body go the way of S3's.
 */
export function isSystemPath(url: string): boolean {
  if (isPeerCall(url)) return false;
  return url.startsWith("/minio/") || url.startsWith("/resilver/") || url === "/minio" || url.startsWith("/minio?");
}

const isPeerCall = (url: string): boolean => url.startsWith(`${INGEST_PATH}?`) || url.startsWith(`${RECONCILE_PATH}?`);

/** What belongs to background work, a question how far it is included (in any order of its query): it does not give way to itself. */
export const isBackground = (url: string): boolean =>
  isPeerCall(url) || (url.includes("replication-") && /[?&]replication-/.test(url));
