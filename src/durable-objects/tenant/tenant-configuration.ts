import type { StoredDocument } from "../../config/document-cache.ts";
import { editLayer, type SettingsEdit } from "../../config/edit-settings.ts";
import type { SettingsLayer } from "../../config/settings-layers.ts";
import type { OptimizationChange } from "../../consumer/run-reoptimization.ts";
import type { Problem } from "../../errors.ts";
import type { TenantStore } from "./stores/tenant-store.ts";

/** Changes of a tenant's tiers and settings, the re-optimizer's too. */
export class TenantConfiguration {
  readonly #store: TenantStore;
  /** Unix milliseconds. */
  readonly #now: () => number;

  constructor(store: TenantStore, now: () => number) {
    this.#store = store;
    this.#now = now;
  }

  writeTiers(json: string): { version: number } {
    return { version: this.#store.transaction(() => this.#store.configuration.addTiers(json, this.#now())) };
  }

  editSettings(request: SettingsEdit): StoredDocument<SettingsLayer> | Problem {
    return this.#store.transaction(() => this.#editSettings(request));
  }

  /** Takes a decision over as a whole, or not at all: 409 when what it was made from has changed. */
  applyOptimization(change: OptimizationChange): { id: number; tiersVersion: number; settings: StoredDocument<SettingsLayer> } | Problem {
    const { configuration, optimizations } = this.#store;
    return this.#store.transaction(() => {
      const tiersVersion = configuration.readTiers()?.version ?? 0;
      const settings = configuration.readSettings();
      if (tiersVersion !== change.tiersVersion || settings.version !== change.settingsVersion) {
        return { problem: "conflict", detail: "The tiers or the settings were changed while the decision was made: run it again." } as const;
      }
      // The only step that may refuse comes first.
      const edited = change.settings === null ? settings : this.#editSettings(change.settings);
      if ("problem" in edited) return edited;
      return {
        id: optimizations.add(change.decision),
        tiersVersion: change.tiers === null ? tiersVersion : configuration.addTiers(change.tiers, this.#now()),
        settings: edited,
      };
    });
  }

  #editSettings(request: SettingsEdit): StoredDocument<SettingsLayer> | Problem {
    const { configuration } = this.#store;
    const stored = configuration.readSettings();
    const edited = editLayer(stored.document, request, (version) => configuration.readSettingsVersion(version));
    if (edited === null) return stored;
    if ("problem" in edited) return edited;
    const { layer, changes } = edited;
    return { version: configuration.addSettings(layer, { author: request.author, changes }, this.#now()), document: layer };
  }
}
