/** Calls about object lock: a bucket's configuration, retention and legal hold of a version. Errors as in s3-calls.ts. */
import type { ObjectLockConfig } from "../model/object-lock.ts";
import type { Retention } from "../model/version.ts";
import * as xml from "../protocol/s3-xml-lock.ts";
import { answeredWith } from "./errors.ts";
import { document, done, read, subResource, type ResourceName } from "./s3-calls.ts";
import type { S3Client } from "./s3-client.ts";

/** Undefined: the bucket has no object lock. */
export async function getObjectLock(client: S3Client, name: ResourceName): Promise<ObjectLockConfig | undefined> {
  try {
    return xml.parseObjectLock(await read(client, { method: "GET", ...subResource(name, "object-lock") }));
  } catch (error) {
    if (answeredWith(error, "ObjectLockConfigurationNotFoundError")) return undefined;
    throw error;
  }
}

export async function putObjectLock(client: S3Client, name: ResourceName, config: ObjectLockConfig): Promise<void> {
  const target = subResource(name, "object-lock");
  await done(client, { method: "PUT", ...target, ...document(xml.renderObjectLock(config)) });
}

/** null: none. */
export async function getRetention(client: S3Client, name: ResourceName): Promise<Retention | null> {
  try {
    return xml.parseRetention(await read(client, { method: "GET", ...subResource(name, "retention") }));
  } catch (error) {
    if (answeredWith(error, "NoSuchObjectLockConfiguration")) return null;
    throw error;
  }
}

/** null clears it. */
export async function putRetention(
  client: S3Client,
  name: ResourceName,
  retention: Retention | null,
  options: { readonly bypassGovernance: boolean },
): Promise<void> {
  const { body, headers } = document(xml.renderRetention(retention));
  const bypass = options.bypassGovernance ? { "x-amz-bypass-governance-retention": "true" } : {};
  await done(client, { method: "PUT", ...subResource(name, "retention"), body, headers: { ...headers, ...bypass } });
}

/** Undefined: never set. */
export async function getLegalHold(client: S3Client, name: ResourceName): Promise<boolean | undefined> {
  try {
    return xml.parseLegalHold(await read(client, { method: "GET", ...subResource(name, "legal-hold") }));
  } catch (error) {
    if (answeredWith(error, "NoSuchObjectLockConfiguration")) return undefined;
    throw error;
  }
}

export async function putLegalHold(client: S3Client, name: ResourceName, on: boolean): Promise<void> {
  await done(client, { method: "PUT", ...subResource(name, "legal-hold"), ...document(xml.renderLegalHold(on)) });
}
