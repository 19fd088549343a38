/**
 * Sub-resources that this server has no setting for: they answer what a bucket or object without that setting answers,
 * and refuse to set one (s3-api.md 1.2, 15; captures.md 9).
 */
import { StoreError } from "../../model/errors.ts";
import { document, S3_NAMESPACE } from "../../protocol/xml.ts";
import { authorize } from "../authorize.ts";
import { NO_CONTENT, xmlReply } from "../reply.ts";
import type { Operation } from "../request.ts";

/** GET of a sub-resource that is not set: an error of its own, once the bucket exists. */
export function unset(name: string, action: string, code: string): Operation {
  return {
    name,
    async run(request) {
      await authorize(request, action);
      await request.deps.objects.bucket(request.bucket);
      throw new StoreError(code);
    },
  };
}

/** GET of a sub-resource with a fixed answer. */
export function fixed(name: string, action: string, body: string): Operation {
  return {
    name,
    async run(request) {
      await authorize(request, action);
      await request.deps.objects.bucket(request.bucket);
      return xmlReply(body);
    },
  };
}

/** DELETE of a setting that is never set: nothing to do. */
export function nothingToDelete(name: string, action: string): Operation {
  return {
    name,
    async run(request) {
      await authorize(request, action);
      await request.deps.objects.bucket(request.bucket);
      return NO_CONTENT;
    },
  };
}

/** 501, also to requests whose body is signed piece by piece. */
export function notImplemented(name: string): Operation {
  return { name, takesObjectBody: true, run: () => Promise.reject(new StoreError("NotImplemented")) };
}

export const NO_NOTIFICATIONS = `<NotificationConfiguration xmlns="${S3_NAMESPACE}"></NotificationConfiguration>`;
export const NO_ACCELERATION = document("AccelerateConfiguration", "");
export const OWNER_PAYS = document("RequestPaymentConfiguration", "<Payer>BucketOwner</Payer>");
export const NO_LOGGING = document("BucketLoggingStatus", "");
