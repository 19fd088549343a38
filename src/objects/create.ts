/** Puts the use cases of this folder together behind the Objects interface. */
import * as buckets from "./buckets.ts";
import { completeUpload } from "./complete-upload.ts";
import { Context, type ObjectsDeps } from "./context.ts";
import { copy } from "./copy.ts";
import { checkKey, encryptedWith } from "./encryption.ts";
import { remove } from "./delete.ts";
import { list, listVersions } from "./list.ts";
import { listUploads } from "./list-uploads.ts";
import type { Objects } from "./objects.ts";
import { put } from "./put.ts";
import { putReplicas } from "./put-replicas.ts";
import * as read from "./read.ts";
import * as registers from "./registers.ts";
import { rewrap } from "./rewrap.ts";
import { smallBodies } from "./small-bodies.ts";
import * as status from "./status.ts";
import * as uploads from "./uploads.ts";

/** The objects of one site over its index and blobs. Holds nothing but caches; any number may share one index. */
export function createObjects(deps: ObjectsDeps): Objects {
  const context = new Context(deps);
  return {
    createBucket: (name, options) => buckets.createBucket(context, name, options),
    bucket: async (name) => (await context.bucketRow(name)).bucket,
    buckets: () => buckets.listBuckets(context),
    updateBucket: (name, change) => buckets.updateBucket(context, name, change),
    deleteBucket: (name, options) => buckets.deleteBucket(context, name, options),
    clearDeleted: () => buckets.clearDeleted(context),
    usage: (bucket) => buckets.usage(context, bucket),
    put: (request) => put(context, request),
    putReplicas: (bucket, requests) => putReplicas(context, bucket, requests),
    encryptedWith: (bucket) => encryptedWith(context, bucket),
    rewrap: async (from, to) => rewrap(context, await buckets.listBuckets(context), from, to),
    checkEncryptionKey: (keyId) => checkKey(context, keyId),
    find: (selector) => read.find(context, selector),
    version: (selector) => read.version(context, selector),
    stored: (selector) => read.stored(context, selector),
    versionRows: (bucket, ids) => read.versionRows(context, bucket, ids),
    smallBodies: (seen) => smallBodies(context, seen),
    tombstone: (selector) => read.tombstone(context, selector),
    delete: (request) => remove(context, request),
    copy: (request) => copy(context, request),
    setTags: (selector, tags) => registers.setTags(context, selector, tags),
    setRetention: (selector, retention, options) =>
      registers.setRetention(context, selector, retention, options?.bypassGovernance ?? false),
    setLegalHold: (selector, on) => registers.setLegalHold(context, selector, on),
    applyReplicaMetadata: (request) => registers.applyReplicaMetadata(context, request),
    list: (request) => list(context, request),
    listVersions: (request) => listVersions(context, request),
    createUpload: (request) => uploads.createUpload(context, request),
    upload: (selector) => uploads.getUpload(context, selector),
    putPart: (selector, number, body, customerKey) => uploads.putPart(context, selector, number, body, customerKey),
    copyPart: (selector, number, from) => uploads.copyPart(context, selector, number, from),
    listParts: (selector, options) => uploads.listParts(context, selector, options),
    listUploads: (request) => listUploads(context, request),
    completeUpload: (request) => completeUpload(context, request),
    abortUpload: (selector) => uploads.abortUpload(context, selector),
    setTargetStatus: (selector, arn, value, sent) => status.setTargetStatus(context, selector, arn, value, sent),
    setTargetStatuses: (bucket, arn, value, sent) => status.setTargetStatuses(context, bucket, arn, value, sent),
    finishLogRows: (arn, finished) => status.finishLogRows(context, arn, finished),
    markResend: (bucket, arn, sent) => registers.markResend(context, bucket, arn, sent),
    markDamaged: (selector, reason, blobId) => status.markDamaged(context, selector, reason, blobId),
  };
}
