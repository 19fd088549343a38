/**
 * Seals secrets at rest (keys of users and of replication targets) with the site's own key. The key lies in the index,
 * itself sealed with the first key of RESILVER_KMS_SECRET_KEY when there is one, so a copied data directory alone opens
 * nothing.
 */
import type { Sealer } from "../model/sealer.ts";
import { systemRandom } from "../runtime/random.ts";
import { CommitBuilder } from "../storage/index/commit-builder.ts";
import type { OrderedIndex } from "../storage/index/index.ts";
import { openSecret, sealSecret } from "../storage/keyring/aead.ts";
import type { NamedKey } from "../storage/keyring/embedded.ts";
import { namedRowKey, SPACE } from "../storage/keys.ts";
import { decodeRow, encodeRow } from "../storage/records.ts";
import { UsageError } from "./settings.ts";

const KEY_BYTES = 32;

/** `key` is 32 bytes. */
function sealerOf(key: Buffer): Sealer {
  return {
    seal: (plain) => sealSecret(key, Buffer.from(plain), systemRandom).toString("base64"),
    open(sealed) {
      const plain = openSecret(key, Buffer.from(sealed, "base64"));
      if (plain === undefined) throw new Error("the secret was not sealed with this site's key");
      return plain.toString("utf8");
    },
  };
}

interface SiteKeyRow {
  /** Base64 of the site key, sealed with the named external key when `sealedBy` is set. */
  readonly key: string;
  readonly sealedBy?: string | undefined;
}

/** The site's sealer; its key is made on first use, and goes under the seal of the first of `keys` when there is one. */
export async function openSiteSealer(index: OrderedIndex, keys: readonly NamedKey[]): Promise<Sealer> {
  const [master] = keys;
  const rowKey = namedRowKey(SPACE.config, "site-key");
  for (;;) {
    const raw = await index.get(rowKey);
    const row = raw === undefined ? undefined : decodeRow<SiteKeyRow>(raw);
    const key =
      row === undefined ? Buffer.from(systemRandom.bytes(KEY_BYTES)).toString("base64") : siteKeyOf(keys, row);
    if (row !== undefined && row.sealedBy === master?.name) return sealerOf(Buffer.from(key, "base64"));
    const next: SiteKeyRow =
      master === undefined ? { key } : { key: sealerOf(master.key).seal(key), sealedBy: master.name };
    await index.commit(new CommitBuilder().unchanged(rowKey, raw).put(rowKey, encodeRow(next)));
  }
}

/** Base64 of the site key. UsageError when it is sealed with a key that is not among `keys`, or another of its name. */
function siteKeyOf(keys: readonly NamedKey[], row: SiteKeyRow): string {
  if (row.sealedBy === undefined) return row.key;
  const external = keys.find((key) => key.name === row.sealedBy);
  if (external === undefined)
    throw new UsageError(
      `this site's secrets are sealed with the key "${row.sealedBy}": it must be among the keys of RESILVER_KMS_SECRET_KEY`,
    );
  try {
    return sealerOf(external.key).open(row.key);
  } catch {
    throw new UsageError(
      `RESILVER_KMS_SECRET_KEY holds another key than the one that sealed this site ("${row.sealedBy}")`,
    );
  }
}
