/** What a send is made of: where to, what, and what it came to. */
import type { Objects } from "../objects/objects.ts";
import type { StoredVersion } from "../objects/types.ts";
import type { Arn, BucketName, ObjectKey, VersionId } from "../model/names.ts";
import type { Tombstone, Version } from "../model/version.ts";
import type { Clock } from "../runtime/clock.ts";
import type { Limiter } from "./bandwidth.ts";
import type { SendMarks } from "./headers.ts";
import type { Ingest } from "./ingest.ts";
import type { KeyMutex } from "./key-mutex.ts";
import type { ResumeStore } from "./resume.ts";
import type { SendOutcome, TargetClient } from "./wire.ts";

export interface SendTarget {
  readonly arn: Arn;
  readonly client: TargetClient;
  readonly limiter?: Limiter | undefined;
  /** Remembers multipart uploads under way, so that a cut one goes on where it was. */
  readonly resume?: ResumeStore | undefined;
  /** Keeps several senders to this target from working on one key at the same time. */
  readonly mutex?: KeyMutex | undefined;
  readonly observer?: SendObserver | undefined;
  /** The way of small objects to a target of our own. */
  readonly ingest?: Ingest | undefined;
  /** See encryption.ts. */
  readonly carriesSecrets: boolean;
  /** Not plain S3: what does not tell exact times merges tags and locks as MinIO does. */
  readonly mergesAsMinio?: boolean | undefined;
  readonly clock: Clock;
}

/** Is told of every send. */
export interface SendObserver {
  /** The moment, when somebody wants to know of sends now. */
  begin(): number | undefined;
  end(startMs: number, arn: Arn, request: SendRequest, outcome: SendOutcome): void;
}

export interface SendRequest {
  readonly bucket: BucketName;
  readonly bucketId: string;
  readonly key: ObjectKey;
  readonly versionId: VersionId;
  /** True: ask the target first (metadata edits, repeats); false: a fresh write goes straight out. */
  readonly compareFirst: boolean;
  /** It failed before. */
  readonly repeated?: boolean | undefined;
  /** A row of the change log that an earlier row's send already covered costs no request. */
  readonly skipCompleted?: boolean | undefined;
  readonly marks: SendMarks;
  readonly signal?: AbortSignal | undefined;
}

/** What the version is here. `version` is what was sent, for the status commit. */
export type LocalState =
  | { readonly kind: "version"; readonly version: Version; readonly stored: StoredVersion }
  | { readonly kind: "tombstone"; readonly tombstone: Tombstone }
  | { readonly kind: "nothing" };

export interface Sent {
  readonly outcome: SendOutcome;
  readonly local: LocalState;
}

/** Everything one request needs, bundled for the files that do the work. */
export interface SendContext {
  readonly objects: Objects;
  readonly target: SendTarget;
  readonly request: SendRequest;
  /** The bytes of the version, where it has any. */
  readonly object: StoredVersion["object"];
}
