/** Routes of settings (admin-api.md 6.6): text lines, sealed in both directions. */
import { StoreError } from "../model/errors.ts";
import { AdminCryptoError, openAdminBody } from "../protocol/admin-crypto.ts";
import type { Answer } from "./answer.ts";
import { json, OK } from "./answer.ts";
import type { SubSystem } from "./config-keys.ts";
import { configKey, environmentName, parsePairs, renderLine, SUB_SYSTEMS, subSystem } from "./config-keys.ts";
import type { ConfigStore } from "./config-store.ts";
import { SEALED_BODY_BYTES_MAX } from "./limits.ts";
import type { AdminRequest } from "./request.ts";
import type { Route } from "./route.ts";

function storeOf(request: AdminRequest): ConfigStore {
  const { config } = request.deps;
  if (config === undefined)
    throw new StoreError("NotImplemented", { message: "This server's settings cannot be changed." });
  return config;
}

/** The lines of a sealed text body. */
async function sealedLines(request: AdminRequest): Promise<string[]> {
  if (request.header("content-length") === undefined) throw new StoreError("XMinioAdminConfigTooLarge");
  const body = await request.body(SEALED_BODY_BYTES_MAX, "XMinioAdminConfigTooLarge");
  try {
    const text = (await openAdminBody(request.identity.secretKey, body)).toString("utf8");
    return text
      .split("\n")
      .map((line) => line.trim())
      .filter((line) => line !== "" && !line.startsWith("#"));
  } catch (error) {
    if (error instanceof AdminCryptoError) throw new StoreError("XMinioAdminConfigBadJSON", { cause: error });
    throw error;
  }
}

function splitLine(line: string): { section: SubSystem; rest: string } {
  const at = line.search(/\s/);
  return { section: subSystem(at < 0 ? line : line.slice(0, at)), rest: at < 0 ? "" : line.slice(at + 1) };
}

/** Clients say "restart the server" unless this header tells that the change holds already. */
const applied = (live: boolean): Answer => (live ? { ...OK, headers: ["x-minio-config-applied", "true"] } : OK);

const sealedText = (text: string): Answer => ({ kind: "sealedText", text });

function textOf(store: ConfigStore, section: SubSystem): string {
  const values = store.values(section);
  const fixed = section.keys.flatMap((key) => {
    const value = store.override(section, key.name);
    return value === undefined ? [] : [`# ${environmentName(section, key)}=${value}\n`];
  });
  return `${fixed.join("")}${renderLine(section, values)}\n`;
}

async function getConfig(request: AdminRequest): Promise<Answer> {
  return sealedText(textOf(storeOf(request), subSystem(request.param("key"))));
}

async function exportConfig(request: AdminRequest): Promise<Answer> {
  const store = storeOf(request);
  return sealedText(
    SUB_SYSTEMS.filter(({ name }) => name !== "region")
      .map((section) => textOf(store, section))
      .join(""),
  );
}

/** Whoever shuts out the root account must not be the root account: there would be nobody left to ask. */
function guardRootAccess(request: AdminRequest, section: SubSystem, changes: Readonly<Record<string, string>>): void {
  const { identity, deps } = request;
  if (section.name !== "api" || changes["root_access"] !== "off" || identity.user !== deps.iam.rootAccessKey) return;
  throw new StoreError("XMinioConfigError", {
    message: "root_access can be switched off with another administrator's keys only.",
  });
}

async function setConfig(request: AdminRequest): Promise<Answer> {
  const store = storeOf(request);
  const lines = (await sealedLines(request)).map(splitLine);
  if (lines.length === 0) throw new StoreError("XMinioConfigError", { message: "There is nothing to set." });
  // All lines are read before the first is stored: a mistake in the last one changes nothing.
  const changes = lines.map(({ section, rest }) => ({ section, values: parsePairs(section, rest) }));
  for (const { section, values } of changes) {
    if (Object.keys(values).length === 0)
      throw new StoreError("XMinioConfigError", { message: `${section.name}: no key=value given.` });
    guardRootAccess(request, section, values);
  }
  for (const { section, values } of changes) await store.set(section, values);
  return applied(changes.every(({ section }) => section.live));
}

/** A full text: what the environment fixes keeps its value and is no fault, since exports show it too. */
async function importConfig(request: AdminRequest): Promise<Answer> {
  const store = storeOf(request);
  const lines = (await sealedLines(request)).map(splitLine);
  const changes = lines.map(({ section, rest }) => {
    const values = Object.entries(parsePairs(section, rest)).filter(
      ([name]) => store.override(section, name) === undefined,
    );
    return { section, values: Object.fromEntries(values) };
  });
  for (const { section, values } of changes) guardRootAccess(request, section, values);
  for (const { section, values } of changes) await store.set(section, values);
  return applied(changes.every(({ section }) => section.live));
}

async function deleteConfig(request: AdminRequest): Promise<Answer> {
  const store = storeOf(request);
  const lines = (await sealedLines(request)).map(splitLine);
  if (lines.length === 0) throw new StoreError("XMinioConfigError", { message: "No sub-system is named." });
  const resets = lines.map(({ section, rest }) => ({
    section,
    names: rest.split(/\s+/).filter((name) => name !== ""),
  }));
  for (const { section, names } of resets) for (const name of names) configKey(section, name);
  for (const { section, names } of resets) await store.reset(section, names);
  return applied(resets.every(({ section }) => section.live));
}

/** Clients refuse members that they do not know, so there are exactly these. */
async function helpConfig(request: AdminRequest): Promise<Answer> {
  const named = request.param("subSys");
  if (named === "") {
    const keysHelp = SUB_SYSTEMS.map(({ name, description }) => ({
      key: name,
      description,
      optional: true,
      type: "",
      multipleTargets: false,
    }));
    return json({ subSys: "", description: "", multipleTargets: false, keysHelp });
  }
  const section = subSystem(named);
  const key = request.param("key");
  const keys = key === "" ? section.keys : [configKey(section, key)];
  const environment = request.has("env");
  const keysHelp = keys.map((each) => ({
    key: environment && each.environment !== undefined ? environmentName(section, each) : each.name,
    description: each.description,
    optional: true,
    type: each.type,
    multipleTargets: false,
  }));
  return json({ subSys: section.name, description: section.description, multipleTargets: false, keysHelp });
}

const actions = ["admin:ConfigUpdate"];

export const CONFIG_ROUTES: readonly Route[] = [
  { method: "GET", path: "get-config-kv", query: ["key"], actions, run: getConfig },
  { method: "PUT", path: "set-config-kv", query: [], actions, run: setConfig },
  { method: "DELETE", path: "del-config-kv", query: [], actions, run: deleteConfig },
  { method: "GET", path: "help-config-kv", query: ["subSys", "key"], actions, run: helpConfig },
  { method: "GET", path: "config", query: [], actions, run: exportConfig },
  { method: "PUT", path: "config", query: [], actions, run: importConfig },
];
