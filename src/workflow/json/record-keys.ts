/**
 * Why an object that is meant as a record may not be read as one, by its place below; null when it may. Asked before its schema, which would
 * leave `__proto__` out without a word, and look at each of a million keys.
 */
export function findKeyFault(value: unknown, maxKeys: number): { path: string; message: string } | null {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return null;
  if (Object.hasOwn(value, "__proto__")) return { path: "/__proto__", message: "cannot be a key here: take another name" };
  return Object.keys(value).length > maxKeys ? { path: "", message: `must have at most ${maxKeys} keys` } : null;
}
