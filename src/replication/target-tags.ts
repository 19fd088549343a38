/** Tags of a version at a target that does not tell them with a HEAD (an older MinIO, plain S3). */
import { SOURCE_PROXY_REQUEST } from "../protocol/replication-headers.ts";
import type { TargetRequest } from "./wire.ts";

/** GetObjectTagging of one version, whose answer `parseTagging` reads; the target is not to ask another site. */
export const taggingRequest = (key: string, versionId: string): TargetRequest => ({
  method: "GET",
  key,
  query: { tagging: "", versionId },
  headers: { [SOURCE_PROXY_REQUEST]: "false" },
  payload: "hashed",
});
