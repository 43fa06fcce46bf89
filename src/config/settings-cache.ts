import { RecentMap } from "../recent-map.ts";
import type { DocumentCache, StoredDocument } from "./document-cache.ts";
import { layerSettings, type SettingsLayer } from "./settings-layers.ts";
import type { Settings } from "./settings.ts";

/** Tenants whose settings an isolate holds at once; the one asked for longest ago goes first. */
export const MAX_TENANTS = 1_000;

export interface SettingsCacheDeps {
  /** The defaults with the variable `SETTINGS` over them. */
  base: Settings;
  /** The tenant whose settings are the operator's: they lie below every other tenant's. */
  operator: string;
  /** The cache of what one tenant stored. */
  openLayer: (tenant: string) => DocumentCache<SettingsLayer>;
}

export interface SettingsCache {
  /** A tenant's settings, up to a minute old. Rejects never: where nothing can be read, the layers that are known count. */
  read(tenant: string): Promise<Settings>;
  /** The operator's settings as this isolate read them last; the base before the first read. */
  peek(): Settings;
  /** Whether `peek` gives the operator's settings as fresh as `read` would. */
  isFresh: () => boolean;
  /** Takes a layer that was just stored: here at once, elsewhere through its replica. */
  publish(tenant: string, stored: StoredDocument<SettingsLayer>): Promise<void>;
}

/** The settings of all tenants, laid over each other once per change. */
export function createSettingsCache({ base, operator, openLayer }: SettingsCacheDeps): SettingsCache {
  const layers = new RecentMap<string, DocumentCache<SettingsLayer>>(MAX_TENANTS);
  const laid = new WeakMap<SettingsLayer, { below: Settings; settings: Settings }>();
  let operatorSettings = base;

  const layerOf = (tenant: string): DocumentCache<SettingsLayer> => {
    const known = layers.get(tenant) ?? openLayer(tenant);
    layers.set(tenant, known);
    return known;
  };
  const lay = async (below: Settings, tenant: string): Promise<Settings> => {
    const stored = await layerOf(tenant).read().catch(() => null);
    if (stored === null) return below;
    const known = laid.get(stored.document);
    if (known?.below === below) return known.settings;
    const settings = layerSettings(below, stored.document);
    laid.set(stored.document, { below, settings });
    return settings;
  };
  const readOperator = async (): Promise<Settings> => {
    operatorSettings = await lay(base, operator);
    return operatorSettings;
  };
  return {
    read: async (tenant) => {
      const below = await readOperator();
      return tenant === operator ? below : lay(below, tenant);
    },
    peek: () => operatorSettings,
    isFresh: () => {
      const stored = layerOf(operator).peek();
      return stored !== null && laid.get(stored.document)?.settings === operatorSettings;
    },
    publish: (tenant, stored) => layerOf(tenant).publish(stored),
  };
}
