/** Header names of MinIO's replication protocol (replication.md 3.1) and of this program's extensions; lower-case. */

/** Request; presence marks a replication request. */
export const SOURCE_REPLICATION_REQUEST = "x-minio-source-replication-request";
/** Request: `REPLICA`. Response: PENDING, COMPLETED, FAILED, REPLICA. */
export const REPLICATION_STATUS = "x-amz-replication-status";
/** Request: RFC 3339 with up to nine decimals. */
export const SOURCE_MTIME = "x-minio-source-mtime";
/** Request: ETag without quotes. */
export const SOURCE_ETAG = "x-minio-source-etag";
/** Request on DELETE: `true` for a delete marker. */
export const SOURCE_DELETE_MARKER = "x-minio-source-deletemarker";
/** Requests: times of the last change of each register, RFC 3339. */
export const SOURCE_TAGGING_TIME = "x-minio-source-replication-tagging-timestamp";
export const SOURCE_RETENTION_TIME = "x-minio-source-replication-retention-timestamp";
export const SOURCE_LEGAL_HOLD_TIME = "x-minio-source-replication-legalhold-timestamp";
/** Request: `true` asks for a dry run, answered 400 ReplicationPermissionCheck. */
export const SOURCE_REPLICATION_CHECK = "x-minio-source-replication-check";
/** Request: whatever its value, the receiver must not proxy further. */
export const SOURCE_PROXY_REQUEST = "x-minio-source-proxy-request";
/** Request on HEAD: may a delete marker be replicated now? */
export const CHECK_REPLICATION_READY = "x-minio-check-replication-ready";
/** Response to it. */
export const REPLICATION_READY = "x-minio-replication-ready";
/** Request on HEAD and GET: `ACCESS` adds `x-amz-tagging` to the answer. Copies: COPY or REPLACE. */
export const TAGGING_DIRECTIVE = "x-amz-tagging-directive";
/** Request on every Complete: bytes of the object. */
export const REPLICATION_ACTUAL_SIZE = "x-minio-replication-actual-object-size";
/** Response: a version that was purged while its server's own targets still have to be told. */
export const REPLICATION_DELETE_STATUS = "x-minio-replication-delete-status";
/** Response: state of a replicated delete marker. */
export const REPLICATION_DELETE_MARKER_STATUS = "x-minio-replication-deletemarker-status";
/** Responses to HEAD: code, and message in quotes. */
export const ERROR_CODE = "x-minio-error-code";
export const ERROR_DESC = "x-minio-error-desc";
/** Client headers that begin so are refused. */
export const INTERNAL_PREFIX = "x-minio-internal-";

/** Response of `/minio/health/live`: protocol version of a peer that is this program. */
export const RESILVER = "x-resilver";
/** Response to the removal of targets: how many changes had not reached them; absent: none. */
export const RESILVER_DROPPED = "x-resilver-dropped";
/** Request: id of the resync that writes this replica. */
export const RESILVER_RESYNC = "x-resilver-resync";
/** Response to a replica write: this version was purged here and stays so: `everywhere` or `local`. */
export const RESILVER_PURGED = "x-resilver-purged";

/**
 * Responses to a peer's HEAD: exact time of the version; of its tags, retention and legal hold, `0` when it never had any.
 * Nanoseconds, decimal.
 */
export const RESILVER_MTIME = "x-resilver-mtime";
export const RESILVER_TAGS_TIME = "x-resilver-tags-time";
export const RESILVER_RETENTION_TIME = "x-resilver-retention-time";
export const RESILVER_LEGAL_HOLD_TIME = "x-resilver-legal-hold-time";

/** Value of REPLICATION_STATUS on a replica write. */
export const REPLICA = "REPLICA";

/** ETag under which a damaged version is listed to a peer: that of no content. */
export const DAMAGED_ETAG = "damaged";
