/** One S3 request on its way through parse, authorize, run, render: what every operation is handed. */
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from "node:http";
import { directAddress } from "../iam/client-address.ts";
import type { ClientAddress } from "../iam/client-address.ts";
import type { Identity } from "../iam/types.ts";
import type { Bucket } from "../model/bucket.ts";
import { StoreError } from "../model/errors.ts";
import type { BucketName, ObjectKey, VersionId } from "../model/names.ts";
import { parseBucketName, parseObjectKey, parseVersionId } from "../model/names.ts";
import type { VersionSelector } from "../objects/types.ts";
import type { BodyAuth } from "./authenticate.ts";
import type { S3Deps } from "./deps.ts";
import type { Reply } from "./reply.ts";
import type { Query, Target } from "./target.ts";

/**
 * A header as the client signed it: Node joins repeated ones with a comma and a blank, signers, AWS and MinIO with a
 * comma alone (s3-api.md 2.3).
 */
export function headerAsSigned(incoming: IncomingMessage, name: string): string | undefined {
  const value = incoming.headers[name];
  if (typeof value !== "string") return value?.join(",");
  if (!value.includes(", ")) return value;
  const distinct = incoming.headersDistinct[name];
  return distinct !== undefined && distinct.length > 1 ? distinct.join(",") : value;
}

export class S3Request {
  readonly deps: S3Deps;
  readonly incoming: IncomingMessage;
  readonly response: ServerResponse;
  readonly target: Target;
  readonly requestId: string;
  /** Set by authentication, before the operation runs. */
  identity: Identity;
  /** How the body is signed; set by authentication. */
  bodyAuth: BodyAuth;
  /** Names of headers that came in the query of a presigned URL. */
  queryHeaders: ReadonlySet<string> | undefined;
  /** The bucket as it was when it was first asked for its policy or its object. */
  bucketSeen: Bucket | undefined;
  /** Condition values of this request, built when a policy first needs them. */
  conditions: Record<string, readonly string[]> | undefined;
  /** Answers that hold for every key of the bucket, by question: kept by requests of many items (authorize.ts). */
  answers: Map<string, boolean> | undefined;
  /** The client waits for `100 Continue` before it sends the body. */
  expectsContinue = false;
  /** The idle limit does not apply. */
  isLong = false;
  #client: ClientAddress | undefined;

  constructor(deps: S3Deps, incoming: IncomingMessage, response: ServerResponse, target: Target, requestId: string) {
    this.deps = deps;
    this.incoming = incoming;
    this.response = response;
    this.target = target;
    this.requestId = requestId;
    this.identity = deps.iam.anonymous;
    this.bodyAuth = { kind: "plain" };
    this.queryHeaders = undefined;
    this.bucketSeen = undefined;
    this.conditions = undefined;
    this.answers = undefined;
  }

  get method(): string {
    return this.incoming.method ?? "GET";
  }

  get query(): Query {
    return this.target.query;
  }

  get headers(): IncomingHttpHeaders {
    return this.incoming.headers;
  }

  /** Header as one string, `undefined` when absent. Names in lower case. */
  header(name: string): string | undefined {
    if (name.startsWith("x-amz-meta-")) return headerAsSigned(this.incoming, name);
    const value = this.incoming.headers[name];
    return Array.isArray(value) ? value.join(",") : value;
  }

  /** InvalidBucketName, AllAccessDisabled. */
  get bucket(): BucketName {
    return parseBucketName(this.target.bucket);
  }

  /** KeyTooLongError, XMinioInvalidObjectName, XMinioInvalidResourceName. */
  get key(): ObjectKey {
    return parseObjectKey(this.target.key);
  }

  /** `versionId` of the query; an empty one counts as absent (replication.md 3.2). */
  get versionId(): VersionId | undefined {
    const text = this.query.get("versionId");
    return text === undefined || text === "" ? undefined : parseVersionId(text);
  }

  get selector(): VersionSelector {
    return { bucket: this.bucket, key: this.key, versionId: this.versionId };
  }

  /** Whom it is from: behind a trusted proxy the client that the proxy names. */
  get client(): ClientAddress {
    return (this.#client ??= (this.deps.clientAddress ?? directAddress)(this.incoming));
  }

  /** The client's connection is TLS. */
  get secure(): boolean {
    return this.client.secure;
  }

  /** Called before the body is first read: a waiting client is told to send it. */
  readBody(): void {
    if (!this.expectsContinue) return;
    this.expectsContinue = false;
    this.response.writeContinue();
  }

  /** The request may be in work for long without a byte moving: the idle limit does not apply until its answer. */
  longRunning(): void {
    this.isLong = true;
    this.incoming.socket.setTimeout(0);
  }
}

/** An operation: `run` parses, authorizes, calls the layer below and renders; `listener.ts` sends what it returns. */
export interface Operation {
  /** AWS's name. */
  readonly name: string;
  /** It takes an object body: the only ones for which streaming signatures are valid (s3-api.md 2.1). */
  readonly takesObjectBody?: boolean | undefined;
  /** The region of the credential scope may be any: clients discover the region with it (s3-api.md 2.2). */
  readonly anyRegion?: boolean | undefined;
  /** The signature is in a form: the operation authenticates while it reads it. */
  readonly formUpload?: boolean | undefined;
  run(request: S3Request): Promise<Reply>;
}

/** Refuses a parameter. */
export function invalidArgument(message: string): StoreError {
  return new StoreError("InvalidArgument", { message });
}
