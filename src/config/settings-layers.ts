import type { z } from "zod";
import type { Fault, Json } from "../errors.ts";
import { PARSE_OPTIONS } from "../workflow/faults/describe-issues.ts";
import { limitFaults } from "../workflow/faults/fault-list.ts";
import { pointerTo } from "../workflow/json/json-pointer.ts";
import { OPERATOR_PATHS, Settings } from "./settings.ts";

/** What one level sets: a part of the settings. Above the defaults lie the variable `SETTINGS`, the operator's and the tenant's. */
export type SettingsLayer = { [key: string]: Json };

/** One key that a version changed, as it takes effect. */
export interface SettingsChange {
  /** `routing.maxEscalations` */
  path: string;
  before: Json;
  after: Json;
}

/**
 * Lays a stored layer over the settings below it. What no longer fits, because a newer release or a lower layer changed under it,
 * is left out instead of stopping everything.
 */
export function layerSettings(below: Settings, layer: SettingsLayer): Settings {
  return settle(below, layer).settings;
}

/**
 * Merges `patch` into a layer (RFC 7396: null takes a key back to the layer below) and names everything that is wrong with it at once.
 * Faults are JSON Pointers into the patch. Only the operator may change what holds for all tenants.
 */
export function patchSettings(below: Settings, layer: SettingsLayer, patch: unknown, isOperator: boolean): { layer: SettingsLayer; settings: Settings } | { faults: Fault[] } {
  if (!isRecord(patch)) return { faults: [{ path: "", message: "must be an object of groups" }] };
  const merged = mergePatch(settle(below, layer).layer, patch);
  const parsed = Settings.safeParse(mergePatch(below, merged), PARSE_OPTIONS);
  const faults = isOperator ? [] : faultsOfOperatorPaths(patch);
  // A key that is taken back leaves no value to check, so unknown ones are looked for in the patch itself.
  const unknown = Settings.safeParse(patch).error?.issues.filter(({ code }) => code === "unrecognized_keys") ?? [];
  const issues = [...unknown, ...(parsed.error?.issues.filter(({ code }) => code !== "unrecognized_keys") ?? [])];
  const all = limitFaults(faults.concat(issues.flatMap((issue) => pathsOf(issue).map((path) => ({ path: pointerTo(path), message: wordsOf(issue) })))));
  return parsed.success && all.length === 0 ? { layer: merged, settings: parsed.data } : { faults: all };
}

/**
 * The keys that one layer sets otherwise than another, or whose value differs with it, by path; null stands for one that is not there. A key
 * that is set to what holds anyway is among them, with the same value twice: it stays when what is below it changes.
 */
export function listChanges(below: Settings, before: SettingsLayer, after: SettingsLayer): SettingsChange[] {
  const [set, previous] = [before, layerSettings(below, before)].map(mapLeaves) as [Leaves, Leaves];
  const [setNow, current] = [after, layerSettings(below, after)].map(mapLeaves) as [Leaves, Leaves];
  const differs = (path: string, one: Leaves, other: Leaves): boolean => JSON.stringify(one.get(path)) !== JSON.stringify(other.get(path));
  return [...new Set([...current.keys(), ...previous.keys()])]
    .filter((path) => differs(path, previous, current) || differs(path, set, setNow))
    .map((path) => ({ path, before: previous.get(path) ?? null, after: current.get(path) ?? null }));
}

type Leaves = Map<string, Json>;

function mapLeaves(settings: Settings | SettingsLayer): Leaves {
  return new Map(leavesOf(settings as SettingsLayer, ""));
}

function settle(below: Settings, layer: SettingsLayer): { layer: SettingsLayer; settings: Settings } {
  let kept = layer;
  // Each round leaves out at least one key, and the checks across keys come after those of each.
  for (;;) {
    const parsed = Settings.safeParse(mergePatch(below, kept));
    if (parsed.success) return { layer: kept, settings: parsed.data };
    const before = kept;
    for (const path of parsed.error.issues.flatMap(pathsOf)) kept = without(kept, path);
    if (kept === before) return { layer: {}, settings: below };
  }
}

function mergePatch(target: object, patch: SettingsLayer): SettingsLayer {
  const merged = new Map<string, Json>(Object.entries(target as SettingsLayer));
  for (const [key, value] of Object.entries(patch)) {
    const known = merged.get(key);
    if (value === null) merged.delete(key);
    else merged.set(key, isRecord(value) ? mergePatch(isRecord(known) ? known : {}, value) : value);
  }
  // Defines each key as the object's own, whatever its name.
  return Object.fromEntries(merged);
}

/** The same object when there is nothing at the path. */
function without(layer: SettingsLayer, [key, ...rest]: readonly string[]): SettingsLayer {
  if (key === undefined || !Object.hasOwn(layer, key)) return layer;
  const child = layer[key];
  const { [key]: _dropped, ...others } = layer;
  if (rest.length === 0 || !isRecord(child)) return others;
  const left = without(child, rest);
  return left === child ? layer : { ...layer, [key]: left };
}

function faultsOfOperatorPaths(patch: SettingsLayer): Fault[] {
  return OPERATOR_PATHS.flatMap((path) => {
    const parts = path.split(".");
    const value = parts.reduce<Json | undefined>((at, part) => (isRecord(at) && Object.hasOwn(at, part) ? at[part] : undefined), patch);
    return value === undefined ? [] : [{ path: pointerTo(parts), message: "holds for all tenants: only the operator may change it" }];
  });
}

function pathsOf(issue: z.core.$ZodIssue): string[][] {
  const path = issue.path.map(String);
  return issue.code === "unrecognized_keys" ? issue.keys.map((key) => [...path, key]) : [path];
}

function wordsOf(issue: z.core.$ZodIssue): string {
  return issue.code === "unrecognized_keys" ? "is no setting; GET /v1/config/schema lists what there is" : issue.message;
}

function leavesOf(layer: SettingsLayer, prefix: string): [string, Json][] {
  return Object.entries(layer).flatMap(([key, value]): [string, Json][] => (isRecord(value) ? leavesOf(value, `${prefix}${key}.`) : [[`${prefix}${key}`, value]]));
}

function isRecord(value: unknown): value is SettingsLayer {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
