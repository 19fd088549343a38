/** Asks a target of ours for its purges (`/resilver/v1/purges`): what lacks there may have been purged there. */
import type { UnixNs } from "../model/names.ts";
import type { Connection } from "../replication/connections.ts";

export type Will = "everywhere" | "local" | null;

/** A version by name; the time tells null versions apart. */
export interface NamedInstance {
  readonly key: string;
  readonly versionId: string;
  readonly mtime: UnixNs;
}

/**
 * Whose will the target's purges of these versions were, null where there is none; undefined: it cannot tell. At most
 * RESYNC_BATCH_KEYS versions at a time: the target bounds the body.
 */
export async function askPurges(
  { client, endpoint }: Pick<Connection, "client" | "endpoint">,
  versions: readonly NamedInstance[],
  signal: AbortSignal,
): Promise<readonly Will[] | undefined> {
  if (endpoint.resilver === undefined) return undefined;
  const answer = await client.request({
    method: "POST",
    path: "/resilver/v1/purges",
    query: { bucket: client.bucket },
    body: Buffer.from(JSON.stringify(versions.map((version) => ({ ...version, mtime: String(version.mtime) })))),
    payload: "hashed",
    signal,
  });
  if (answer.status !== 200) return undefined;
  return JSON.parse(answer.body.toString("utf8")) as readonly Will[];
}
