/** What a row of the route table is. */
import type { Answer } from "./answer.ts";
import type { AdminRequest } from "./request.ts";

export interface Route {
  readonly method: "GET" | "PUT" | "POST" | "DELETE";
  /** Below /minio/admin/v3/. `tier/*`: everything below `tier/`. */
  readonly path: string;
  /** Parameters that must be present, if only empty; without them the route does not exist (admin-api.md 1.1). */
  readonly query: readonly string[];
  /** Holding one of them is enough. `self`: depends on whom the call is about, so `run` asks; `none`: open to all callers. */
  readonly actions: readonly string[] | "self" | "none";
  /** Status of XMinioInvalidIAMCredentials: 404 where a key is not found, 403 where a name may not be used. */
  readonly badCredentialsStatus?: 403 | 404 | undefined;
  run(request: AdminRequest): Promise<Answer>;
}
