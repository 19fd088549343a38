/** Settings as rows of the index, and what they mean right now. Each process reads them again when one of them changed. */
import { StoreError } from "../model/errors.ts";
import { CommitBuilder } from "../storage/index/commit-builder.ts";
import type { OrderedIndex } from "../storage/index/index.ts";
import { namedRowKey, SPACE } from "../storage/keys.ts";
import { decodeRow, encodeRow } from "../storage/records.ts";
import { configKey, sizeOf, SUB_SYSTEMS } from "./config-keys.ts";
import type { SubSystem } from "./config-keys.ts";

export interface ConfigStoreOptions {
  readonly index: OrderedIndex;
  /** A setting of the environment by its name without prefix; it wins over a stored one. */
  readonly environment: (name: string) => string | undefined;
  /** Tells the other processes to read again. */
  readonly changed: () => void;
}

/** What the settings mean. */
export interface LiveConfig {
  /** undefined: the default. */
  readonly requestsMax: number | undefined;
  readonly corsAllowOrigin: readonly string[];
  readonly rootAccess: boolean;
  readonly siteName: string;
  /** Empty: any. Holds from the next start. */
  readonly region: string;
  readonly scrub: { readonly on: boolean; readonly bytesPerSecond: number };
}

type Values = Readonly<Record<string, string>>;

const ATTEMPTS_MAX = 64;
/** `region name` is the older way to write `site region`: one value, kept in one row. */
const REGION_ALIAS = { from: "region", to: "site" } as const;

const rowKey = (section: string): Buffer => namedRowKey(SPACE.config, `config/${section}`);

export class ConfigStore {
  readonly #options: ConfigStoreOptions;
  #rows = new Map<string, Values>();
  #live: LiveConfig;

  private constructor(options: ConfigStoreOptions) {
    this.#options = options;
    this.#live = this.#interpret();
  }

  static async open(options: ConfigStoreOptions): Promise<ConfigStore> {
    const store = new ConfigStore(options);
    await store.refresh();
    return store;
  }

  get live(): LiveConfig {
    return this.#live;
  }

  /** Reads the rows again. */
  async refresh(): Promise<void> {
    const rows = new Map<string, Values>();
    for (const { name } of SUB_SYSTEMS) {
      const raw = await this.#options.index.get(rowKey(name));
      if (raw !== undefined) rows.set(name, decodeRow<{ values: Values }>(raw).values);
    }
    this.#rows = rows;
    this.#live = this.#interpret();
  }

  /** Values in effect, defaults included. */
  values(section: SubSystem): Values {
    const stored = this.#stored(section);
    const out: Record<string, string> = {};
    for (const { name, fallback } of section.keys) out[name] = this.override(section, name) ?? stored[name] ?? fallback;
    return out;
  }

  /** What the environment says about a setting. */
  override(section: SubSystem, name: string): string | undefined {
    const { environment } = configKey(section, name);
    return environment === undefined ? undefined : this.#options.environment(environment);
  }

  /** Stores values of one sub-system. XMinioAdminConfigEnvOverridden for what the environment fixes. */
  set(section: SubSystem, changes: Values): Promise<void> {
    for (const name of Object.keys(changes)) {
      if (this.override(section, name) === undefined) continue;
      throw new StoreError("XMinioAdminConfigEnvOverridden", {
        message: `${section.name} ${name} is fixed by the environment of the server.`,
      });
    }
    return this.#change(section, (before) => ({ ...before, ...changes }));
  }

  /** Back to the defaults: the named settings, or all of the sub-system. */
  reset(section: SubSystem, names: readonly string[]): Promise<void> {
    for (const name of names) configKey(section, name);
    const gone = names.length > 0 ? names : section.keys.map(({ name }) => name);
    return this.#change(section, (before) =>
      Object.fromEntries(Object.entries(before).filter(([name]) => !gone.includes(name))),
    );
  }

  #stored(section: SubSystem): Values {
    if (section.name !== REGION_ALIAS.from) return this.#rows.get(section.name) ?? {};
    const region = this.#rows.get(REGION_ALIAS.to)?.["region"];
    return { ...this.#rows.get(section.name), ...(region !== undefined && { name: region }) };
  }

  async #change(section: SubSystem, edit: (values: Values) => Values): Promise<void> {
    if (section.name === REGION_ALIAS.from) {
      const { name, ...rest } = edit(this.#stored(section));
      await this.#store(section.name, () => rest);
      await this.#store(REGION_ALIAS.to, ({ region: _before, ...values }) =>
        name === undefined ? values : { ...values, region: name },
      );
    } else {
      await this.#store(section.name, edit);
    }
    await this.refresh();
    this.#options.changed();
  }

  async #store(name: string, edit: (values: Values) => Values): Promise<void> {
    const { index } = this.#options;
    const key = rowKey(name);
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
      const raw = await index.get(key);
      const values = edit(raw === undefined ? {} : decodeRow<{ values: Values }>(raw).values);
      if ((await index.commit(new CommitBuilder().unchanged(key, raw).put(key, encodeRow({ values })))) === "committed")
        return;
    }
    throw new StoreError("InternalError", { message: "These settings are being changed by too many others." });
  }

  #interpret(): LiveConfig {
    const read = (sectionName: string, name: string): string => {
      const section = SUB_SYSTEMS.find((known) => known.name === sectionName) as SubSystem;
      return this.values(section)[name] ?? "";
    };
    const requestsMax = Number(read("api", "requests_max"));
    return {
      requestsMax: requestsMax > 0 ? requestsMax : undefined,
      corsAllowOrigin: read("api", "cors_allow_origin").split(","),
      rootAccess: read("api", "root_access") !== "off",
      siteName: read("site", "name"),
      region: read("site", "region"),
      scrub: { on: read("heal", "bitrotscan") !== "off", bytesPerSecond: sizeOf(read("heal", "rate")) ?? 0 },
    };
  }
}
