/**
 * Seals secrets at rest (keys of users and of replication targets) with the site's own key. The key lies in the index,
 * itself sealed with the key of RESILVER_KMS_SECRET_KEY when there is one, so a copied data directory alone opens nothing.
 */
import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";
import type { Sealer } from "../model/sealer.ts";
import { CommitBuilder } from "../storage/index/commit-builder.ts";
import type { OrderedIndex } from "../storage/index/index.ts";
import { namedRowKey, SPACE } from "../storage/keys.ts";
import { decodeRow, encodeRow } from "../storage/records.ts";
import { UsageError } from "./settings.ts";

const NONCE = 12;
const TAG = 16;

/** AES-256-GCM with a random nonce for each text: `base64(nonce | ciphertext | tag)`. `key` is 32 bytes. */
function sealerOf(key: Buffer): Sealer {
  return {
    seal(plain) {
      const nonce = randomBytes(NONCE);
      const cipher = createCipheriv("aes-256-gcm", key, nonce);
      return Buffer.concat([nonce, cipher.update(plain, "utf8"), cipher.final(), cipher.getAuthTag()]).toString(
        "base64",
      );
    },
    open(sealed) {
      const bytes = Buffer.from(sealed, "base64");
      const decipher = createDecipheriv("aes-256-gcm", key, bytes.subarray(0, NONCE));
      decipher.setAuthTag(bytes.subarray(bytes.length - TAG));
      return Buffer.concat([decipher.update(bytes.subarray(NONCE, bytes.length - TAG)), decipher.final()]).toString(
        "utf8",
      );
    },
  };
}

interface SiteKeyRow {
  /** Base64 of the site key, sealed with the named external key when `sealedBy` is set. */
  readonly key: string;
  readonly sealedBy?: string | undefined;
}

function externalKey(text: string | undefined): { name: string; sealer: Sealer } | undefined {
  if (text === undefined) return undefined;
  const at = text.indexOf(":");
  const key = Buffer.from(text.slice(at + 1), "base64");
  if (at < 1 || key.length !== 32) throw new UsageError("RESILVER_KMS_SECRET_KEY: expected NAME:BASE64 of 32 bytes");
  return { name: text.slice(0, at), sealer: sealerOf(key) };
}

/** The site's sealer; its key is made on first use, and wrapped when an external key is given for the first time. */
export async function openSiteSealer(index: OrderedIndex, kmsSecretKey: string | undefined): Promise<Sealer> {
  const external = externalKey(kmsSecretKey);
  const rowKey = namedRowKey(SPACE.config, "site-key");
  for (;;) {
    const raw = await index.get(rowKey);
    const row = raw === undefined ? undefined : decodeRow<SiteKeyRow>(raw);
    if (row?.sealedBy !== undefined) {
      if (external === undefined)
        throw new UsageError(
          `this site's secrets are sealed with the key "${row.sealedBy}": set RESILVER_KMS_SECRET_KEY`,
        );
      return sealerOf(Buffer.from(openWith(external, row), "base64"));
    }
    if (row !== undefined && external === undefined) return sealerOf(Buffer.from(row.key, "base64"));
    const key = row?.key ?? randomBytes(32).toString("base64");
    const next: SiteKeyRow =
      external === undefined ? { key } : { key: external.sealer.seal(key), sealedBy: external.name };
    await index.commit(new CommitBuilder().unchanged(rowKey, raw).put(rowKey, encodeRow(next)));
  }
}

function openWith(external: { name: string; sealer: Sealer }, row: SiteKeyRow): string {
  try {
    return external.sealer.open(row.key);
  } catch {
    throw new UsageError(
      `RESILVER_KMS_SECRET_KEY holds another key than the one that sealed this site ("${row.sealedBy ?? ""}")`,
    );
  }
}
