/** Access keys (service accounts), for `admin user svcacct` and `admin accesskey` (admin-api.md 3.5). */
import { systemClock } from "../../../runtime/clock.ts";
import { systemRandom } from "../../../runtime/random.ts";
import type { Command, FlagSpec } from "../../command.ts";
import { CommandError } from "../../command.ts";
import type { AdminSite } from "./common.ts";
import { adminSubcommand, expiryOf, jsonBody, newKeyPair, NEVER, send } from "./common.ts";
import { readJsonFile } from "../../json-file.ts";

const KEY_FLAGS: readonly FlagSpec[] = [
  { name: "secret-key", kind: "string", help: "secret key" },
  { name: "policy", kind: "string", help: "FILE with a policy that narrows the rights of the parent" },
  { name: "name", kind: "string", help: "a name for people" },
  { name: "description", aliases: ["comment"], kind: "string", help: "what it is for" },
  { name: "expiry", kind: "string", help: "date from which it is refused: 2030-12-31 or RFC 3339" },
  { name: "expiry-duration", kind: "string", help: "the same as a time from now: 30d" },
];
export const NEW_KEY_FLAGS: readonly FlagSpec[] = [
  { name: "access-key", kind: "string", help: "access key (default: made)" },
  ...KEY_FLAGS,
];

export interface KeyPair {
  readonly accessKey: string;
  readonly secretKey: string;
  readonly expiration?: string | undefined;
}

/** One key of a list. */
export interface ListedKey {
  readonly accessKey: string;
  readonly expiration?: string | undefined;
  readonly name?: string | undefined;
  readonly description?: string | undefined;
}

/** What info answers. `policy` is JSON as a string. */
export interface KeyInfo {
  readonly parentUser: string;
  readonly accountStatus: string;
  readonly impliedPolicy: boolean;
  readonly policy?: string | undefined;
  readonly name?: string | undefined;
  readonly description?: string | undefined;
  readonly expiration?: string | undefined;
  readonly userType?: string | undefined;
  readonly userProvider?: string | undefined;
}

/** Makes a key for `parent` (empty: the caller) from the flags. What was not given is made here, as the original does. */
export async function createKey(site: AdminSite, parent: string): Promise<KeyPair> {
  const { flags, ctx } = site;
  const made = newKeyPair(systemRandom);
  const accessKey = flags.string("access-key") || made.accessKey;
  const secretKey = flags.string("secret-key") || made.secretKey;
  const file = flags.string("policy");
  const body = jsonBody({
    ...(file === undefined ? {} : { policy: await readJsonFile(ctx, file) }),
    ...(parent === "" ? {} : { targetUser: parent }),
    accessKey,
    secretKey,
    name: flags.string("name"),
    description: flags.string("description"),
    expiration: expiryOf(flags, systemClock().nowMs()),
  });
  const call = { method: "PUT", path: "add-service-account", body, sealed: true, signal: ctx.signal };
  const answer = await site.client.sealedJson<{ readonly credentials: KeyPair }>(call);
  return answer.credentials;
}

/** How one of the two families of commands speaks of a key. */
export interface KeyWords {
  /** `Unable to edit ${what}`. */
  readonly what: string;
  readonly editAliases?: readonly string[] | undefined;
  readonly removeNames: readonly [name: string, alias: string];
  /** The line after a change; `past` is edited, enabled, disabled or removed. */
  readonly changed: (past: string, accessKey: string) => string;
}

/** `edit`, `enable`, `disable` and the removal of one key. */
export function keyChangeCommands(words: KeyWords): Command[] {
  type Names = Pick<Command, "name" | "summary" | "aliases" | "flags">;
  const change = (
    names: Names,
    verb: string,
    past: string,
    work: (site: AdminSite, accessKey: string) => Promise<void>,
  ): Command =>
    adminSubcommand({
      ...names,
      usage: names.flags === undefined ? "ALIAS ACCESSKEY" : "ALIAS ACCESSKEY [FLAGS]",
      argCount: [1, 1],
      what: `Unable to ${verb} ${words.what}`,
      work: async (site) => {
        const [accessKey = ""] = site.args;
        await work(site, accessKey);
        site.ctx.out.message(words.changed(past, accessKey), { status: "success", accessKey });
      },
    });
  const [name, alias] = words.removeNames;
  const edit = { name: "edit", aliases: words.editAliases ?? [], summary: "change an access key", flags: KEY_FLAGS };
  const enable = { name: "enable", summary: "enable an access key" };
  const disable = { name: "disable", summary: "disable an access key" };
  return [
    change(edit, "edit", "edited", editKey),
    change(enable, "enable", "enabled", (site, accessKey) => updateKey(site, accessKey, { newStatus: "on" })),
    change(disable, "disable", "disabled", (site, accessKey) => updateKey(site, accessKey, { newStatus: "off" })),
    change({ name, aliases: [alias], summary: "remove an access key" }, "remove", "removed", removeKey),
  ];
}

/** Changes what the flags name. */
async function editKey(site: AdminSite, accessKey: string): Promise<void> {
  const { flags, ctx } = site;
  const file = flags.string("policy");
  const change = {
    newPolicy: file === undefined ? undefined : await readJsonFile(ctx, file),
    newSecretKey: flags.string("secret-key"),
    newName: flags.string("name"),
    newDescription: flags.string("description"),
    newExpiration: expiryOf(flags, systemClock().nowMs()),
  };
  if (Object.values(change).every((value) => value === undefined)) {
    throw new CommandError(
      "Nothing to change",
      new Error("give --secret-key, --policy, --name, --description or --expiry"),
    );
  }
  await updateKey(site, accessKey, change);
}

async function updateKey(site: AdminSite, accessKey: string, change: object): Promise<void> {
  const body = jsonBody(change);
  await send(site, { method: "POST", path: "update-service-account", query: { accessKey }, body, sealed: true });
}

async function removeKey(site: AdminSite, accessKey: string): Promise<void> {
  await send(site, { method: "DELETE", path: "delete-service-account", query: { accessKey } });
}

export function keyInfo(site: AdminSite, accessKey: string, path = "info-service-account"): Promise<KeyInfo> {
  const call = { method: "GET", path, query: { accessKey }, signal: site.ctx.signal };
  return site.client.sealedJson<KeyInfo>(call);
}

/** The policy of an answer as an object; `{}` when it has none. */
export function keyPolicy(info: KeyInfo): unknown {
  return info.policy === undefined || info.policy === "" ? {} : JSON.parse(info.policy);
}

/** `word` for a key that never expires. */
export function expiryText(expiration: string | undefined, word: string): string {
  return expires(expiration) ? (expiration ?? "") : word;
}

function expires(expiration: string | undefined): boolean {
  return expiration !== undefined && expiration !== "" && expiration !== NEVER && !expiration.startsWith("0001-");
}
