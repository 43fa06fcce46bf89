import type { Json, Problem } from "../errors.ts";
import { refuseFaulty } from "../workflow/faults/fault-list.ts";
import { listChanges, patchSettings, type SettingsChange, type SettingsLayer } from "./settings-layers.ts";
import type { Settings } from "./settings.ts";

/** A change of what a tenant set of its own. `below`: the settings that its own lie over. */
export interface SettingsEdit {
  edit: { kind: "patch"; patch: Json } | { kind: "rollback"; version: number };
  below: Settings;
  author: string;
  isOperator: boolean;
}

/**
 * The layer after the edit, and what that changes for the tenant. Null: the layer stays as it is. `readVersion` gives an earlier layer,
 * null when it is not kept.
 */
export function editLayer(
  layer: SettingsLayer,
  { edit, below, isOperator }: SettingsEdit,
  readVersion: (version: number) => SettingsLayer | null,
): { layer: SettingsLayer; changes: SettingsChange[] } | null | Problem {
  const edited = edit.kind === "patch" ? patchSettings(below, layer, edit.patch, isOperator) : { layer: readVersion(edit.version) };
  if ("faults" in edited) return refuseFaulty(edited.faults);
  if (edited.layer === null) return { problem: "not_found", detail: "That version of the settings is not kept; GET /v1/config/versions lists what there is." };
  if (JSON.stringify(edited.layer) === JSON.stringify(layer)) return null;
  return { layer: edited.layer, changes: listChanges(below, layer, edited.layer) };
}
