/** `mc admin kms key create|list|status|rotate` (admin-api.md 6.9). */
import { CommandError, type Command } from "../../command.ts";
import type { AdminSite } from "./common.ts";
import { adminSubcommand, send } from "./common.ts";

const KMS = "/minio/kms/v1/";

interface KeyRow {
  readonly name: string;
  readonly createdAt: string;
  readonly createdBy: string;
}

interface KeyStatus {
  readonly "key-id": string;
  readonly "encryption-error"?: string;
  readonly "decryption-error"?: string;
}

interface Rotation {
  readonly rewrapped: number;
  readonly failed: number;
  readonly error?: string;
}

async function create(site: AdminSite): Promise<void> {
  const [keyId = ""] = site.args;
  await send(site, { method: "POST", path: `${KMS}key/create`, query: { "key-id": keyId } });
  site.ctx.out.message(`Created master key \`${keyId}\` successfully`, { status: "success", keyId });
}

async function list(site: AdminSite): Promise<void> {
  const [pattern = "*"] = site.args;
  const call = { method: "GET", path: `${KMS}key/list`, query: { pattern }, signal: site.ctx.signal };
  const keys = ((await site.client.json<readonly KeyRow[] | null>(call)) ?? []).map(({ name }) => name);
  const text = keys.length === 0 ? undefined : keys.join("\n");
  site.ctx.out.message(text, { status: "success", target: site.alias, keys });
}

async function status(site: AdminSite): Promise<void> {
  const [keyId] = site.args;
  const query: Record<string, string> = keyId === undefined ? {} : { "key-id": keyId };
  const call = { method: "GET", path: `${KMS}key/status`, query, signal: site.ctx.signal };
  const found = await site.client.json<KeyStatus>(call);
  const encryption = found["encryption-error"];
  const decryption = found["decryption-error"];
  const line = (what: string, fault: string | undefined): string =>
    `   - ${what} ${fault === undefined ? "✔" : `✗ (${fault})`}`;
  const lines = [`Key: ${found["key-id"]}`, line("Encryption", encryption)];
  if (encryption === undefined) lines.push(line("Decryption", decryption));
  site.ctx.out.message(lines.join("\n"), {
    status: "success",
    keyId: found["key-id"],
    ...(encryption === undefined ? {} : { encryptionError: encryption }),
    ...(decryption === undefined ? {} : { decryptionError: decryption }),
  });
}

async function rotate(site: AdminSite): Promise<void> {
  const [keyId = "", newKeyId] = site.args;
  const query: Record<string, string> = {
    "key-id": keyId,
    ...(newKeyId === undefined ? {} : { "new-key-id": newKeyId }),
  };
  const call = { method: "POST", path: `${KMS}key/rotate`, query, signal: site.ctx.signal };
  const { rewrapped, failed, error } = await site.client.json<Rotation>(call);
  if (failed > 0) throw new CommandError(`${rewrapped} rewrapped, ${failed} failed: ${error ?? ""}`);
  site.ctx.out.message(`${rewrapped} objects and uploads left the key \`${keyId}\``, {
    status: "success",
    keyId,
    ...(newKeyId === undefined ? {} : { newKeyId }),
    rewrapped,
  });
}

export const kmsCommand: Command = {
  name: "kms",
  summary: "the keys that objects are encrypted with",
  subcommands: [
    {
      name: "key",
      summary: "make, list and test keys",
      subcommands: [
        adminSubcommand({
          name: "create",
          summary: "make a key",
          usage: "ALIAS KEY",
          argCount: [1, 1],
          what: "Failed to create master key",
          work: create,
        }),
        adminSubcommand({
          name: "list",
          aliases: ["ls"],
          summary: "list keys",
          usage: "ALIAS [PATTERN]",
          argCount: [0, 1],
          what: "Unable to list KMS keys",
          work: list,
        }),
        adminSubcommand({
          name: "status",
          summary: "try whether a key works (absent: the default key)",
          usage: "ALIAS [KEY]",
          argCount: [0, 1],
          what: "Failed to get status information",
          work: status,
        }),
        adminSubcommand({
          name: "rotate",
          summary: "put all objects of a key under another one (absent: the default key); no object is rewritten",
          usage: "ALIAS KEY [NEW-KEY]",
          argCount: [1, 2],
          what: "Unable to rotate the key",
          work: rotate,
        }),
      ],
    },
  ],
};
