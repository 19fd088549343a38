/** Descriptions of versions as bytes: JSON, packed with gzip; read with care, since a peer may be of another version. */
import { gunzipSync, gzipSync } from "node:zlib";
import { z } from "zod";
import { StoreError } from "../model/errors.ts";
import { FRAME_TEXT_MAX } from "./limits.ts";
import type { ObjectKey, VersionId } from "../model/names.ts";
import type { TargetStatus, Version } from "../model/version.ts";
import type { DescribeAnswer, Described, DescribeRequest, Items, Place } from "./side.ts";

const place = z.base64().transform((text): Place => Buffer.from(text, "base64"));
const shorts = z.array(z.base64().transform((text) => Buffer.from(text, "base64").toString("latin1")));
const items = z.object({ healthy: shorts, damaged: shorts }).transform((value): Items => value);
const time = z
  .string()
  .regex(/^\d{1,20}$/)
  .transform(BigInt);
const register = <T extends z.ZodType>(value: T) => z.object({ value, time }).optional();
const text = z.record(z.string(), z.string());

const request = z.object({
  level: z.enum(["identity", "state"]),
  spans: z.array(z.object({ start: place, end: place, only: items.optional() })),
  lookups: z.array(place),
});

// A status that only a newer peer knows is no reason to understand nothing.
const status = z.string().transform((value) => value as TargetStatus);
const replication = z.object({
  replica: z.boolean().optional(),
  targets: z.record(z.string(), status),
  changed: z.string().optional(),
});
const named = {
  key: z.string().transform((value) => value as ObjectKey),
  versionId: z.string().transform((value) => value as VersionId),
  mtime: time,
  replication,
};
const version = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("delete-marker"), ...named }),
  z.object({
    kind: z.literal("object"),
    ...named,
    size: z.number(),
    etag: z.string(),
    headers: text,
    userMetadata: text,
    tags: register(text),
    retention: register(z.object({ mode: z.enum(["GOVERNANCE", "COMPLIANCE"]), until: z.string() }).nullable()),
    legalHold: register(z.boolean()),
    damaged: z.string().optional(),
  }),
]);
const found = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("version"), version }),
  z.object({ kind: z.literal("purged"), tombstone: z.object({ time, will: z.enum(["everywhere", "local"]) }) }),
  z.object({ kind: z.literal("absent") }),
]);
const answer = z.object({
  spans: z.array(z.object({ versions: z.array(version), next: place.optional() })),
  lookups: z.array(found),
});

/** Times are text: a JSON number could not hold them. */
const encode = (value: unknown): Buffer =>
  gzipSync(JSON.stringify(value, (_, member: unknown) => (typeof member === "bigint" ? member.toString() : member)));

function decode<T>(bytes: Buffer, schema: z.ZodType<T>): T {
  try {
    return schema.parse(JSON.parse(gunzipSync(bytes, { maxOutputLength: FRAME_TEXT_MAX }).toString("utf8")));
  } catch (cause) {
    throw new StoreError("InvalidRequest", { message: "The description frame is malformed.", cause });
  }
}

const base64 = (value: Place): string => value.toString("base64");
const base64s = (values: readonly string[]): string[] =>
  values.map((value) => Buffer.from(value, "latin1").toString("base64"));

export function encodeDescribeRequest({ level, spans, lookups }: DescribeRequest): Buffer {
  return encode({
    level,
    spans: spans.map(({ start, end, only }) => ({
      start: base64(start),
      end: base64(end),
      ...(only === undefined ? {} : { only: { healthy: base64s(only.healthy), damaged: base64s(only.damaged) } }),
    })),
    lookups: lookups.map(base64),
  });
}

/** Throws InvalidRequest. */
export const decodeDescribeRequest = (bytes: Buffer): DescribeRequest => decode(bytes, request);

export function encodeDescribeAnswer({ spans, lookups }: DescribeAnswer<Version>): Buffer {
  return encode({
    spans: spans.map(({ versions, next }) => ({
      versions: versions.map(shown),
      ...(next === undefined ? {} : { next: base64(next) }),
    })),
    lookups: lookups.map((each) =>
      each.kind === "version"
        ? { kind: each.kind, version: shown(each.version) }
        : each.kind === "purged"
          ? { kind: each.kind, tombstone: { time: each.tombstone.time, will: each.tombstone.will } }
          : each,
    ),
  });
}

/** Throws InvalidRequest where the bytes are no description. */
export const decodeDescribeAnswer = (bytes: Buffer): DescribeAnswer<Described> => decode(bytes, answer);

/** What the other side may know of a version. */
function shown(each: Version): Described {
  const { kind, key, versionId, mtime, replication: state } = each;
  if (kind === "delete-marker") return { kind, key, versionId, mtime, replication: state };
  const { size, etag, headers, userMetadata, tags, retention, legalHold, damaged } = each;
  const all = { kind, key, versionId, mtime, replication: state, size, etag, headers, userMetadata };
  return { ...all, tags, retention, legalHold, damaged };
}
