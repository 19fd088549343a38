/**
 * One simulated site: its storage outlives its processes, which are made of the real layers from the S3 handler down to
 * the index interface. Killing a process leaves the storage as it was at that moment.
 */
import { createHash } from "node:crypto";
import { S3Client } from "../client/s3-client.ts";
import type { Transport } from "../client/transport.ts";
import { createIam } from "../iam/identities.ts";
import { hasCode } from "../model/errors.ts";
import type { Arn, BucketName } from "../model/names.ts";
import { createObjects } from "../objects/create.ts";
import type { Objects } from "../objects/objects.ts";
import { silentLog } from "../observe/log.ts";
import { RESILVER } from "../protocol/replication-headers.ts";
import { targetClient } from "../replication/client-adapter.ts";
import { createReplication, type Replication } from "../server/replication.ts";
import type { Clock } from "../runtime/clock.ts";
import { createS3Handler, type S3Handler } from "../s3/listener.ts";
import { startBackground, type Background } from "../server/background.ts";
import { createPeerHandler, PEER_PREFIX } from "../server/peer-routes.ts";
import { openEmbeddedRing, type NamedKey } from "../storage/keyring/embedded.ts";
import { openBlobStore } from "../storage/blobs/store.ts";
import type { BlobStore } from "../storage/blobs/blobs.ts";
import type { OrderedIndex } from "../storage/index/index.ts";
import { Life } from "./life.ts";
import type { Network, Place } from "./network.ts";
import { simRandom, type Dice } from "./random.ts";
import { SiteStorage, type StorageProfile } from "./storage.ts";
import { simClock, wallMs, type SimTime, type Skew } from "./time.ts";

export const ROOT = { accessKey: "rootuser", secretKey: "rootsecret" } as const;
export const BUCKET = "shared" as BucketName;
const DIRECTORY = "/data";
/** Small, so that most bodies of the workload are files. */
const INLINE_MAX = 64;

/** What all sites share. */
export interface Surroundings {
  readonly time: SimTime;
  readonly network: Network;
  /** Finds the place behind `host:port`. */
  readonly placeOf: (endpoint: string) => Place;
  /** Something went wrong inside a process, as its log would say. */
  readonly warned: (site: string, message: string, error: unknown) => void;
}

export interface SiteOptions {
  readonly name: string;
  readonly dice: Dice;
  readonly skew: Skew;
  readonly storage: StorageProfile;
  /** Serving processes over one index; the first does the background work. */
  readonly processes: number;
}

/** No encryption; the secret of a target is no secret here. */
const openSealer = {
  seal: (plain: string) => `sealed:${plain}`,
  open: (sealed: string) => sealed.slice("sealed:".length),
};

/** The keys of a site: its own, whatever is lost and restored. */
export const keysOf = (name: string): NamedKey[] => [
  { name: "main", key: createHash("sha256").update(`the key of ${name}`).digest() },
];

/** One process: everything in it dies with its life. */
export interface Process {
  readonly life: Life;
  readonly index: OrderedIndex;
  readonly blobs: BlobStore;
  readonly objects: Objects;
  readonly replication: Replication;
  readonly handler: S3Handler;
  readonly background: Background | undefined;
}

export class Site implements Place {
  readonly name: string;
  readonly endpoint: string;
  readonly storage: SiteStorage;
  readonly skew: Skew;
  readonly #around: Surroundings;
  readonly #options: SiteOptions;
  #processes: Process[] = [];
  #started = 0;

  constructor(around: Surroundings, options: SiteOptions) {
    this.name = options.name;
    this.endpoint = `${options.name}.sim:9000`;
    this.skew = options.skew;
    this.#around = around;
    this.#options = options;
    this.storage = new SiteStorage(around.time, options.dice.fork("storage"), options.storage);
  }

  /** By its own clock. */
  nowMs(): number {
    return wallMs(this.#around.time, this.skew);
  }

  get up(): boolean {
    return this.#processes.length > 0;
  }

  /** The process that does the background work. Throws while the site is down. */
  get leader(): Process {
    const [leader] = this.#processes;
    if (leader === undefined) throw new Error(`${this.name} is down`);
    return leader;
  }

  listener(): { readonly handler: S3Handler; readonly life: Life } | undefined {
    return this.up ? this.#options.dice.pick(this.#processes) : undefined;
  }

  async start(): Promise<void> {
    for (;;) {
      const life = new Life();
      try {
        const made: Process[] = [];
        for (let i = 0; i < this.#options.processes; i++) made.push(await this.#open(life, i === 0));
        made[0]?.replication.start();
        this.#processes = made;
        return;
      } catch (error) {
        // As whatever watches a server does: it is started again until its disk lets it.
        if ((error as { code?: unknown }).code !== "EIO" && !hasCode(error, "InternalError")) throw error;
        life.end();
        await this.#around.time.sleep(1000);
      }
    }
  }

  /** SIGKILL: nothing that was under way goes on. With `power` the machine stops too: what was not synced is gone. */
  kill(power = false): void {
    const [first] = this.#processes;
    this.#processes = [];
    first?.life.end();
    if (power) this.storage.crash();
  }

  /** SIGTERM: the background work is saved and ended. */
  async stop(): Promise<void> {
    const processes = this.#processes;
    this.#processes = [];
    for (const process of processes) {
      await process.background?.stop();
      await process.replication.stop();
      await process.blobs.close();
    }
    processes[0]?.life.end();
  }

  async #open(life: Life, leads: boolean): Promise<Process> {
    const { storage } = this;
    const { time, warned } = this.#around;
    const dice = this.#options.dice.fork(`process-${this.#started++}`);
    const clock = simClock(time, this.skew, life);
    const random = simRandom(dice);
    const index = storage.indexFor(life);
    const blobs = await openBlobStore({
      directory: DIRECTORY,
      files: storage.filesFor(life),
      random,
      inlineMax: INLINE_MAX,
    });
    const tellLeader = (arns: readonly Arn[]): void =>
      void time.after(dice.between(0, 20), () => this.up && this.leader.replication.poke(arns));
    const poke = (arns: readonly Arn[]): void => (leads ? replication.poke(arns) : tellLeader(arns));
    const keyRing = await openEmbeddedRing({ index, clock, random, keys: keysOf(this.name) });
    const objects = createObjects({ index, blobs, clock, random, keyRing, poke });
    const replication: Replication = createReplication({
      index,
      blobs,
      scrub: () => ({ on: true, bytesPerSecond: 0 }),
      objects,
      sealer: openSealer,
      clock,
      random,
      hostId: this.name,
      nodeName: this.endpoint,
      userAgent: "sim",
      encryptedOverHttp: true,
      tellOthers: leads ? undefined : tellLeader,
      warn: (message, error) => warned(this.name, message, error),
      clientFor: (address) =>
        targetClient(address, {
          clock,
          userAgent: "sim",
          transport: this.#transport(this.#around.placeOf(address.endpoint), life),
        }),
    });
    const iam = createIam({ index, root: ROOT, sealer: openSealer, clock, random });
    const handler = this.#handler({ iam, clock, random, objects, index, blobs, replication });
    const removeEndedSessions = (): Promise<void> => iam.sessions.removeEnded();
    // No simulated bucket has a lifecycle.
    const expire = (): Promise<void> => Promise.resolve();
    const openedMs = clock.nowMs();
    const clearDeleted = (): Promise<number> => objects.clearDeleted();
    const tasks = { removeEndedSessions, expire, clearDeleted };
    const background = leads ? startBackground({ index, blobs, clock, log: silentLog, openedMs, ...tasks }) : undefined;
    return { life, index, blobs, objects, replication, handler, background };
  }

  #handler(
    parts: Pick<Parameters<typeof createS3Handler>[0], "iam" | "random"> & {
      clock: Clock;
      objects: Objects;
      index: OrderedIndex;
      blobs: BlobStore;
      replication: Replication;
    },
  ): S3Handler {
    const { replication, ...shared } = parts;
    const peer = createPeerHandler(shared);
    return createS3Handler({
      ...shared,
      objects: replication.clientObjects,
      settings: { region: "", domains: [], deploymentId: this.name, hostId: this.name, serverHeader: "MinIO" },
      replication: replication.api,
      observe: {
        request: ({ error, method, url }) => {
          if (error !== undefined) this.#around.warned(this.name, `${method} ${url}`, error);
        },
      },
      fallback: (request, response, url) => {
        if (url.startsWith(PEER_PREFIX)) {
          const [path = "", query = ""] = url.split("?");
          return peer(request, response, path, query);
        }
        response.writeHead(200, [RESILVER, "1", "X-Amz-Id-2", this.name, "Content-Length", "0"]);
        response.end();
        return true;
      },
    });
  }

  #transport(to: Place, life: Life): Pick<Transport, "request" | "close"> {
    const { network } = this.#around;
    return { request: (request) => network.send(this, to, request, life), close: () => Promise.resolve() };
  }

  /** A client of this site; its clock is right. */
  client(name: string): S3Client {
    const { network, time } = this.#around;
    const life = new Life();
    const clock = simClock(time, this.skew, life);
    const transport = {
      request: (request: Parameters<Transport["request"]>[0]) => network.send({ name }, this, request, life),
      close: () => Promise.resolve(),
    };
    return new S3Client({ url: `http://${this.endpoint}`, ...ROOT, transport }, clock.nowMs);
  }
}
