import type { z } from "zod";

type Shape = Record<string, unknown>;
type Place = readonly PropertyKey[];

/**
 * What was posted without the parts that a schema found wrong, so that the rest can be checked for what it means. A list goes with its
 * wrong item, since the places of the others would shift. What is required may be missing from it.
 */
export function cutFaulty(posted: Shape, issues: readonly z.core.$ZodIssue[]): Shape {
  return cut(posted, issues.flatMap(listPlaces));
}

function listPlaces(issue: z.core.$ZodIssue): Place[] {
  return issue.code === "unrecognized_keys" ? issue.keys.map((key) => [...issue.path, key]) : [issue.path];
}

function cut(value: Shape, places: readonly Place[]): Shape {
  const inside = new Map<string, Place[]>();
  for (const [key, ...rest] of places) {
    if (key === undefined) return {};
    const others = inside.get(String(key));
    if (others === undefined) inside.set(String(key), [rest]);
    else others.push(rest);
  }
  const kept = { ...value };
  for (const [key, rests] of inside) {
    const child = kept[key];
    if (rests.some((rest) => rest.length === 0) || !isObject(child)) delete kept[key];
    else kept[key] = cut(child, rests);
  }
  return kept;
}

function isObject(value: unknown): value is Shape {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
