/** A value without the members that are null, at any depth: null means absent (contract). Items of lists keep their places. Not for what may hold any JSON. */
export function withoutNulls(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(withoutNulls);
  // Defines each key as the object's own, whatever its name.
  return Object.fromEntries(Object.entries(value).flatMap(([key, member]: [string, unknown]) => (member === null ? [] : [[key, withoutNulls(member)]])));
}
