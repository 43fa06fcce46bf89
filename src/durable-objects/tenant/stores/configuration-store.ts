import type { SettingsVersion } from "../../../api/ports/tenant-port.ts";
import type { StoredDocument } from "../../../config/document-cache.ts";
import type { SettingsChange, SettingsLayer } from "../../../config/settings-layers.ts";
import { isoTime } from "../../storage/iso-time.ts";

/** Tiers documents kept: enough to see what was changed, few enough that large ones stay small beside the object's 10 GB. */
export const MAX_TIERS_VERSIONS = 100;
/** Versions of settings kept. Each is a few KB at most. */
export const MAX_SETTINGS_VERSIONS = 1_000;

/** A tenant's tiers and settings, version by version: the SQL of the tables `tiers` and `settings`. Times are Unix milliseconds. */
export class ConfigurationStore {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
  }

  readTiers(): { version: number; json: string } | null {
    const [row] = this.#sql.exec("SELECT version, json FROM tiers ORDER BY version DESC LIMIT 1").toArray();
    return row === undefined ? null : { version: Number(row["version"]), json: String(row["json"]) };
  }

  addTiers(json: string, now: number): number {
    const version = Number(this.#sql.exec("INSERT INTO tiers (at, json) VALUES (?, ?) RETURNING version", now, json).one()["version"]);
    this.#sql.exec("DELETE FROM tiers WHERE version <= ?", version - MAX_TIERS_VERSIONS);
    return version;
  }

  readSettings(): StoredDocument<SettingsLayer> {
    const [row] = this.#sql.exec("SELECT version, json FROM settings ORDER BY version DESC LIMIT 1").toArray();
    return row === undefined ? { version: 0, document: {} } : { version: Number(row["version"]), document: JSON.parse(String(row["json"])) as SettingsLayer };
  }

  /** Null when that version is not kept. */
  readSettingsVersion(version: number): SettingsLayer | null {
    if (version === 0) return {};
    const [row] = this.#sql.exec("SELECT json FROM settings WHERE version = ?", version).toArray();
    return row === undefined ? null : (JSON.parse(String(row["json"])) as SettingsLayer);
  }

  addSettings(layer: SettingsLayer, { author, changes }: { author: string; changes: readonly SettingsChange[] }, now: number): number {
    const row = this.#sql.exec("INSERT INTO settings (at, author, changes, json) VALUES (?, ?, ?, ?) RETURNING version", now, author, JSON.stringify(changes), JSON.stringify(layer)).one();
    const version = Number(row["version"]);
    this.#sql.exec("DELETE FROM settings WHERE version <= ?", version - MAX_SETTINGS_VERSIONS);
    return version;
  }

  listSettingsVersions(limit: number, before: number | null): SettingsVersion[] {
    const rows = this.#sql.exec("SELECT version, at, author, changes FROM settings WHERE version < ? ORDER BY version DESC LIMIT ?", before ?? Number.MAX_SAFE_INTEGER, limit).toArray();
    return rows.map((row) => ({ version: Number(row["version"]), at: isoTime(Number(row["at"])), author: String(row["author"]), changes: JSON.parse(String(row["changes"])) as SettingsChange[] }));
  }
}
