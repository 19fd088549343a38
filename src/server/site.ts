/** One process of a site: the one place where the layers are put together. */
import { createHash } from "node:crypto";
import type { RequestListener } from "node:http";
import { statfs } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import type { Site as AdminSite } from "../admin/deps.ts";
import { ConfigStore } from "../admin/config-store.ts";
import { createAdminHandler } from "../admin/handler.ts";
import { clientAddressOf } from "../iam/client-address.ts";
import { Failures } from "../iam/failures.ts";
import { createIam } from "../iam/identities.ts";
import type { Arn } from "../model/names.ts";
import { createObjects } from "../objects/create.ts";
import { lifecycles } from "../objects/expire.ts";
import type { Logger } from "../observe/log.ts";
import { processFamilies } from "../admin/metrics.ts";
import { Feed } from "../observe/feed.ts";
import type { LogTail } from "../observe/log-tail.ts";
import { MetricsRegistry } from "../observe/metrics.ts";
import type { TraceRecord } from "../observe/trace.ts";
import { createRequestObserver } from "../observe/requests.ts";
import { systemClock } from "../runtime/clock.ts";
import { Clients, givingWay } from "../runtime/giving-way.ts";
import { systemRandom } from "../runtime/random.ts";
import { REQUESTS_MAX } from "../s3/limits.ts";
import { createS3Handler } from "../s3/listener.ts";
import { openBlobStore } from "../storage/blobs/store.ts";
import { buildDigests, digestsReady } from "../storage/digests.ts";
import { buildFileRows, fileRowsReady } from "../storage/file-rows.ts";
import type { OrderedIndex } from "../storage/index/index.ts";
import { openLmdbIndex } from "../storage/index/lmdb/index.ts";
import { TargetVerifier } from "../verify/target.ts";
import { startBackground, type Background } from "./background.ts";
import { liveOutgoingRoots } from "./certificates.ts";
import type { Format } from "./data-directory.ts";
import { createPeerHandler, PEER_PREFIX } from "./peer-routes.ts";
import { Control } from "./control.ts";
import { GatheredMetrics } from "./gather-metrics.ts";
import type { FeedName, ProcessMessage } from "./processes.ts";
import { openKeyRing } from "./key-ring.ts";
import { codeOf, KeyWatch } from "./key-watch.ts";
import { createReplication } from "./replication.ts";
import { reportFiles } from "./report-files.ts";
import { openSiteSealer } from "./sealer.ts";
import type { Settings } from "./settings.ts";

export interface SiteOptions {
  readonly settings: Settings;
  readonly format: Format;
  readonly log: Logger;
  readonly version: string;
  /** This process does the background work: sending, resyncs, collecting. */
  readonly background: boolean;
  /** Whether the listener speaks TLS; asked when somebody wants to know. */
  readonly secure: () => boolean;
  readonly tellOthers: (message: ProcessMessage) => void;
  readonly logTail: LogTail;
}

export interface Site {
  readonly handler: RequestListener;
  /** Requests that this process may have in work at once, as it is set now. */
  readonly requestsMax: () => number;
  /** Background work, when this process has it. */
  start(): Promise<void>;
  /** Another process of the site says something. */
  told(message: ProcessMessage): void;
  /** What a process that starts later must be told. */
  greeting(): ProcessMessage | undefined;
  /** Resolves when the admin API asked for the end, or for a new start. */
  readonly endAsked: Promise<"stop" | "restart">;
  stop(): Promise<void>;
  /** After a fault: closes the index, whose writes under way end first, and leaves all else as it is. */
  fail(): Promise<void>;
}

/** Version of the extensions that peers may use: sent as `x-resilver` by the health call. */
const PEER_PROTOCOL = "1";
/** Versions between two log lines while a directory of an older format gets its rows. */
const ROWS_SHOWN_EVERY = 100_000;
const SERVER_HEADER = "MinIO";

export async function openSite(options: SiteOptions): Promise<Site> {
  const { settings, format, log } = options;
  const clients = new Clients();
  const clock = givingWay(systemClock(), clients);
  const openedMs = clock.nowMs();
  const random = systemRandom;
  const index = await openLmdbIndex({ path: join(settings.dir, "index") });
  if (options.background) await ensureRows(index, log);
  const blobs = await openBlobStore({ directory: settings.dir, random });
  const sealer = await openSiteSealer(index, settings.kmsKeys);
  const warn = (message: string, error: unknown): void =>
    log.warn(message, { error: error instanceof Error ? error.message : String(error) });
  const keyRing = await openKeyRing(settings, { index, clock, random, warn });
  const hostId = createHash("sha256").update(format.siteId).digest("hex");
  let poke = (arns: readonly Arn[]): void => options.tellOthers({ poke: arns });
  const objects = createObjects({ index, blobs, clock, random, keyRing, poke: (arns) => poke(arns) });
  const keyWatch = keyRing && new KeyWatch({ ring: keyRing, index, objects, clock, log });
  const config = await ConfigStore.open({
    index,
    environment: (name) => settings.fixed[name],
    changed: () => options.tellOthers({ config: true }),
  });
  const region = config.live.region;
  const iam = createIam({
    index,
    root: settings.root,
    sealer,
    clock,
    random,
    rootAccess: () => config.live.rootAccess,
  });
  const nodeName = `${settings.host ?? hostname()}:${settings.port}`;
  const feeds = { trace: new Feed<TraceRecord>(clock), log: options.logTail.feed };
  connectFeed(feeds.trace, "trace", options.tellOthers);
  connectFeed(feeds.log, "log", options.tellOthers);
  const replication = createReplication({
    index,
    objects,
    sealer,
    clock,
    random,
    hostId,
    nodeName,
    userAgent: `Resilver/${options.version}`,
    ca: liveOutgoingRoots(settings.certsDir),
    encryptedOverHttp: settings.encryptedOverHttp,
    trace: feeds.trace,
    tellOthers: options.background ? undefined : (arns) => options.tellOthers({ poke: arns }),
    blobs,
    scrub: () => config.live.scrub,
    saveReport: reportFiles(settings.dir, warn),
    warn,
  });
  if (options.background) poke = (arns) => replication.poke(arns);
  const metrics = new MetricsRegistry({ server: nodeName, process: String(process.pid) });
  metrics.collect(async () => processFamilies());
  const others = settings.workers - 1;
  const gathered = new GatheredMetrics({ registry: metrics, others, tellOthers: options.tellOthers, clock, random });
  const observer = createRequestObserver(metrics, log);
  const control = new Control();
  const callers = { clientAddress: clientAddressOf(settings.trustedProxies), failures: new Failures(clock) };
  const admin = createAdminHandler({
    iam,
    objects,
    clock,
    random,
    settings: {
      region,
      domains: settings.domains,
      deploymentId: format.siteId,
      hostId,
      serverHeader: SERVER_HEADER,
      version: options.version,
      metricsPublic: settings.metricsPublic,
      peerProtocol: settings.peerExtensions ? PEER_PROTOCOL : undefined,
    },
    site: adminSite(options, nodeName, openedMs, control),
    targets: replication.targets,
    keyRing,
    keyFault: keyWatch && (async () => codeOf(await keyWatch.fault())),
    backlog: replication.backlog,
    verifier: new TargetVerifier({ index, objects, clock, targets: replication.targets }),
    replication: replication.api,
    healing: { index, heals: replication.heals },
    metrics: gathered,
    log,
    config,
    traces: feeds.trace,
    logTail: options.logTail,
    ...callers,
  });
  const peer = createPeerHandler({ iam, clock, objects, index, blobs, ...callers });
  const s3 = createS3Handler({
    objects: replication.clientObjects,
    iam,
    clock,
    random,
    settings: {
      region,
      get requestsMax() {
        return config.live.requestsMax;
      },
      get corsAllowOrigin() {
        return config.live.corsAllowOrigin;
      },
      domains: settings.domains,
      serverUrl: settings.serverUrl,
      deploymentId: format.siteId,
      hostId,
      serverHeader: SERVER_HEADER,
    },
    replication: replication.api,
    observe: observer,
    trace: feeds.trace,
    nodeName,
    clients,
    ...callers,
    fallback: (request, response, url) => {
      const [path, query] = splitUrl(url);
      return path.startsWith(PEER_PREFIX)
        ? peer(request, response, path, query)
        : admin(request, response, path, query);
    },
  });
  const expiring = lifecycles({ objects, clock }, (bucket, expired) => {
    const { name } = bucket;
    if (expired instanceof Error) log.warn("a lifecycle was not carried out", { bucket: name, error: expired.message });
    else if (expired.versions + expired.uploads > 0) log.info("lifecycle", { bucket: name, ...expired });
  });
  let background: Background | undefined;
  return {
    handler: control.wrap(s3),
    requestsMax: () => config.live.requestsMax ?? REQUESTS_MAX,
    async start() {
      if (!options.background) return;
      replication.start();
      background = startBackground({
        index,
        blobs,
        clock,
        log,
        openedMs,
        expire: (signal) => expiring.step(signal),
        watchKeys: keyWatch && (() => keyWatch.step()),
        clearDeleted: () => objects.clearDeleted(),
        removeEndedSessions: () => iam.sessions.removeEnded(),
      });
    },
    told(message) {
      if ("control" in message) control.act(message.control);
      else if ("config" in message)
        void config.refresh().catch((error: unknown) => log.error("settings could not be read", { error }));
      else if ("listening" in message) feeds[message.listening].followedUntil(message.untilMs);
      else if ("fed" in message) (feeds[message.fed] as Feed<object>).deliver(message.item);
      else if ("metricsWanted" in message || "metricsFor" in message)
        void gathered.told(message).catch((error: unknown) => log.error("metrics could not be told", { error }));
      else if ("poke" in message && options.background) replication.poke(message.poke as readonly Arn[]);
    },
    greeting: () => (control.frozen ? { control: "freeze" } : undefined),
    endAsked: control.endAsked,
    async stop() {
      await background?.stop();
      await replication.stop();
      await keyRing?.close();
      await blobs.close();
      await index.close();
    },
    fail: () => index.close(),
  };
}

/** A directory of an older format gets the rows that it lacks before anything can write. */
async function ensureRows(index: OrderedIndex, log: Logger): Promise<void> {
  const told = (what: string) => {
    let shown = 0;
    return (versions: number): void => {
      if (versions < shown + ROWS_SHOWN_EVERY) return;
      shown = versions;
      log.info(`${what} are being built`, { versions });
    };
  };
  if (!(await digestsReady(index))) await buildDigests(index, told("digests"));
  if (!(await fileRowsReady(index))) await buildFileRows(index, told("rows of files"));
}

/** Followers in one process of the site see what happens in all. */
function connectFeed<Item extends object>(
  feed: Feed<Item>,
  name: FeedName,
  tellOthers: SiteOptions["tellOthers"],
): void {
  feed.link = {
    announce: (untilMs) => tellOthers({ listening: name, untilMs }),
    send: (item) => tellOthers({ fed: name, item }),
  };
}

function splitUrl(url: string): [path: string, query: string] {
  const at = url.indexOf("?");
  return at < 0 ? [url, ""] : [url.slice(0, at), url.slice(at + 1)];
}

function adminSite(options: SiteOptions, nodeName: string, startedMs: number, control: Control): AdminSite {
  const { settings } = options;
  return {
    nodeName,
    get secure() {
      return options.secure();
    },
    startedMs,
    ready: () => true,
    control(action) {
      // The others first: the end of this process must not come before they know.
      options.tellOthers({ control: action });
      control.act(action);
    },
    async disk() {
      const stats = await statfs(settings.dir);
      return {
        path: settings.dir,
        total: stats.blocks * stats.bsize,
        free: stats.bavail * stats.bsize,
        used: (stats.blocks - stats.bfree) * stats.bsize,
        filesUsed: stats.files - stats.ffree,
        filesFree: stats.ffree,
      };
    },
  };
}
