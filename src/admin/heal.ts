/** Healing in MinIO's form (admin-api.md 6.8): a check of stored bytes, and repair of what is damaged from a peer. */
import { z } from "zod";
import { StoreError } from "../model/errors.ts";
import { parseBucketName } from "../model/names.ts";
import { isoMillis } from "../protocol/time.ts";
import { countDamaged, scrubState } from "../resync/scrub.ts";
import type { HealItem, HealRequest, HealTask } from "../resync/heal.ts";
import type { Answer } from "./answer.ts";
import { json } from "./answer.ts";
import type { AdminDeps } from "./deps.ts";
import type { AdminRequest } from "./request.ts";
import type { Route } from "./route.ts";

const BODY_BYTES_MAX = 64 * 1024;
/** `scanMode` of the body: 0 and 1 look at presence, size and time; 2 reads every byte. */
const DEEP = 2;

const options = z.looseObject({
  recursive: z.boolean().optional(),
  dryRun: z.boolean().optional(),
  remove: z.boolean().optional(),
  recreate: z.boolean().optional(),
  scanMode: z.number().optional(),
});

type Place = Pick<HealRequest, "bucket" | "prefix">;

/** `heal/`, `heal/BUCKET` and `heal/BUCKET/PREFIX`. */
function placeOf(request: AdminRequest): Place {
  const [, rest = ""] = /\/heal\/(.*)$/.exec(request.path) ?? [];
  const text = decoded(rest);
  const slash = text.indexOf("/");
  const bucket = slash < 0 ? text : text.slice(0, slash);
  const prefix = slash < 0 ? "" : text.slice(slash + 1);
  return bucket === "" ? { prefix: "" } : { bucket: parseBucketName(bucket), prefix };
}

function decoded(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch (cause) {
    throw new StoreError("InvalidArgument", { message: "The path is not percent-encoded UTF-8.", cause });
  }
}

function healing(deps: AdminDeps) {
  if (deps.healing === undefined) throw new StoreError("XMinioHealNotImplemented");
  return deps.healing;
}

async function heal(request: AdminRequest): Promise<Answer> {
  const place = placeOf(request);
  const { heals } = healing(request.deps);
  const token = request.param("clientToken");
  if (token !== "") {
    const { task, items } = await heals.status(token);
    return json(statusJson(request.deps, task, items));
  }
  if (request.flag("forceStop")) return json(startedJson(request.deps, await heals.stop(place)));
  const body = (await request.body(BODY_BYTES_MAX, "XMinioAdminConfigTooLarge")).toString("utf8");
  const parsed = options.safeParse(body === "" ? {} : parsedJson(body));
  if (!parsed.success)
    throw new StoreError("XMinioAdminConfigBadJSON", { message: "The options of a heal are not valid" });
  const { recursive = false, dryRun = false, scanMode = 0 } = parsed.data;
  const started = await heals.start(
    { ...place, recursive, dryRun, deep: scanMode === DEEP },
    request.flag("forceStart"),
  );
  return json(startedJson(request.deps, started));
}

function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function startedJson(deps: AdminDeps, { token, startedMs }: HealTask): object {
  return { clientToken: token, clientAddress: deps.site.nodeName, startTime: isoMillis(startedMs) };
}

function statusJson(deps: AdminDeps, task: HealTask, items: readonly HealItem[]): object {
  const { summary, detail, startedMs, recursive, dryRun, deep } = task;
  const settings = {
    recursive,
    dryRun,
    remove: false,
    recreate: false,
    scanMode: deep ? DEEP : 1,
    updateParity: false,
    nolock: false,
  };
  return {
    summary,
    detail,
    startTime: isoMillis(startedMs),
    settings,
    ...(items.length === 0 ? {} : { items: items.map((item) => itemJson(deps, item)) }),
  };
}

/** A site is one drive of one set; its state is that of the version's bytes. */
function itemJson(deps: AdminDeps, item: HealItem): object {
  const drive = (state: string): object => ({
    drives: [{ uuid: deps.settings.deploymentId, endpoint: deps.site.nodeName, state }],
  });
  return {
    resultId: item.number,
    type: item.key === undefined ? "bucket" : "object",
    bucket: item.bucket,
    object: item.key ?? "",
    versionId: item.versionId ?? "",
    detail: item.detail,
    dataBlocks: 1,
    diskCount: 1,
    setCount: 1,
    before: drive(item.before),
    after: drive(item.after),
    objectSize: item.size,
  };
}

/** Most damaged versions that a status counts one by one. */
const DAMAGED_SHOWN = 10_000;

/** What the background scrub has done: `mc admin heal ALIAS` without a bucket. */
async function backgroundStatus(request: AdminRequest): Promise<Answer> {
  const { deps } = request;
  const { index } = healing(deps);
  const [state, buckets, disk] = await Promise.all([scrubState(index), deps.objects.buckets(), deps.site.disk()]);
  const damaged = await countDamaged(index, buckets, DAMAGED_SHOWN);
  const drive = {
    endpoint: disk.path,
    path: disk.path,
    state: "ok",
    healing: false,
    scanning: state.cursor !== undefined,
    uuid: deps.settings.deploymentId,
    totalspace: disk.total,
    usedspace: disk.used,
    availspace: disk.free,
    pool_index: 0,
    set_index: 0,
    disk_index: 0,
  };
  const set = {
    id: "0",
    pool_index: 0,
    set_index: 0,
    heal_status: "",
    heal_priority: "",
    total_objects: 0,
    disks: [drive],
  };
  return json({
    offline_nodes: null,
    ScannedItemsCount: state.versions,
    HealDisks: null,
    sets: [set],
    mrf: { [deps.site.nodeName]: { bytes_healed: 0, items_healed: state.repaired } },
    sc_parity: { STANDARD: 0, REDUCED_REDUNDANCY: 0 },
    scrub: {
      running: state.cursor !== undefined,
      passes: state.passes,
      passStarted: timeText(state.passStartedMs),
      passEnded: timeText(state.passEndedMs),
      versions: state.versions,
      bytes: state.bytes,
      missing: state.missing,
      corrupt: state.corrupt,
      repaired: state.repaired,
      damagedNow: damaged,
    },
  });
}

const timeText = (ms: number): string | undefined => (ms === 0 ? undefined : isoMillis(ms));

const ACTIONS = ["admin:Heal"];

export const HEAL_ROUTES: readonly Route[] = [
  { method: "POST", path: "heal/", query: [], actions: ACTIONS, run: heal },
  { method: "POST", path: "heal/*", query: [], actions: ACTIONS, run: heal },
  { method: "POST", path: "background-heal/status", query: [], actions: ACTIONS, run: backgroundStatus },
];
