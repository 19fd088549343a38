/** What every S3 request leaves behind: counters under MinIO's names where the meaning is the same, and log lines. */
import type { Logger } from "./log.ts";
import type { FamilyOptions, MetricsRegistry } from "./metrics.ts";

/** One finished request. The S3 layer's record is of this form. */
export interface RequestSample {
  /** `GetObject`, ... */
  readonly api: string;
  readonly method: string;
  readonly url: string;
  readonly bucket: string;
  readonly status: number;
  /** S3 error code, empty on success. */
  readonly errorCode: string;
  /** Set when the failure was not foreseen. */
  readonly error?: unknown;
  readonly requestId: string;
  readonly remoteAddress: string;
  readonly durationMs: number;
  readonly timeToFirstByteMs: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** A peer's replication sent it. */
  readonly replication: boolean;
}

const TTFB_SECONDS = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
/** Status of a request whose client went away before the answer. */
const CLIENT_GONE = 499;

const REJECTED_AUTH = new Set(["AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidTokenId"]);
const REJECTED_HEADER = new Set([
  "AuthorizationHeaderMalformed",
  "MissingFields",
  "MissingSecurityHeader",
  "MalformedDate",
]);

function requestFamilies(registry: MetricsRegistry) {
  const family = (name: string, help: string, v3?: string): FamilyOptions => ({
    name: `minio_s3_${name}`,
    help,
    v2: "node",
    v3: v3 === undefined ? undefined : { path: "api/requests", name: `minio_api_requests_${v3}` },
  });
  const ttfb = family(
    "requests_ttfb_seconds_distribution",
    "Time to the first byte of the answer.",
    "ttfb_seconds_distribution",
  );
  return {
    total: registry.counter(family("requests_total", "S3 requests answered.", "total")),
    errors: registry.counter(family("requests_errors_total", "S3 requests answered with 4xx or 5xx.", "errors_total")),
    errors4xx: registry.counter(
      family("requests_4xx_errors_total", "S3 requests answered with 4xx.", "4xx_errors_total"),
    ),
    errors5xx: registry.counter(
      family("requests_5xx_errors_total", "S3 requests answered with 5xx.", "5xx_errors_total"),
    ),
    canceled: registry.counter(
      family("requests_canceled_total", "S3 requests whose client went away.", "canceled_total"),
    ),
    rejectedAuth: registry.counter(
      family("requests_rejected_auth_total", "S3 requests refused for their identity.", "rejected_auth_total"),
    ),
    rejectedHeader: registry.counter(
      family("requests_rejected_header_total", "S3 requests refused for their headers.", "rejected_header_total"),
    ),
    rejectedTime: registry.counter(
      family("requests_rejected_timestamp_total", "S3 requests refused for their time.", "rejected_timestamp_total"),
    ),
    received: registry.counter(family("traffic_received_bytes", "Bytes of request bodies.", "traffic_received_bytes")),
    sent: registry.counter(family("traffic_sent_bytes", "Bytes of answers.", "traffic_sent_bytes")),
    ttfb: registry.histogram(ttfb, TTFB_SECONDS),
    replica: registry.counter({
      name: "resilver_replica_requests_total",
      help: "S3 requests that a peer's replication sent.",
      v2: "node",
    }),
  };
}

/** Makes the observer that the S3 layer reports to. */
export function createRequestObserver(
  registry: MetricsRegistry,
  log: Logger,
): { request(sample: RequestSample): void } {
  const families = requestFamilies(registry);
  const none = {};
  return {
    request(sample) {
      const labels = { api: sample.api.toLowerCase() };
      families.total.add(labels);
      families.received.add(none, sample.bytesIn);
      families.sent.add(none, sample.bytesOut);
      families.ttfb.observe(labels, sample.timeToFirstByteMs / 1000);
      if (sample.replication) families.replica.add(labels);
      if (sample.status === CLIENT_GONE) families.canceled.add(labels);
      else if (sample.status >= 500) families.errors5xx.add(labels);
      else if (sample.status >= 400) families.errors4xx.add(labels);
      if (sample.status >= 400) families.errors.add(labels);
      if (REJECTED_AUTH.has(sample.errorCode)) families.rejectedAuth.add(none);
      if (REJECTED_HEADER.has(sample.errorCode)) families.rejectedHeader.add(none);
      if (sample.errorCode === "RequestTimeTooSkewed") families.rejectedTime.add(none);
      if (sample.error === undefined) return;
      const { api, method, url, status, requestId, remoteAddress, error } = sample;
      log.error("request failed", { api, method, url, status, requestId, remoteAddress, error });
    },
  };
}
