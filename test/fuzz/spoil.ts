import fc from "fast-check";
import { anyJson, oddKey } from "./schema-arbitrary.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** A body as bytes, and what it is declared to be. */
export interface FuzzedBody {
  bytes: Bytes;
  contentType: string | null;
}

const encode = (text: string): Bytes => new Uint8Array(new TextEncoder().encode(text));

/** Bodies of every degree of wrongness around the right ones. */
export function fuzzBody(valid: fc.Arbitrary<unknown>): fc.Arbitrary<FuzzedBody> {
  const nearlyValid = fc.tuple(valid, fc.array(change, { minLength: 1, maxLength: 3 })).map(([value, changes]) => changes.reduce(applyChange, value));
  const json = fc.oneof({ weight: 4, arbitrary: valid }, { weight: 5, arbitrary: nearlyValid }, { weight: 1, arbitrary: anyJson() }).map((value) => JSON.stringify(value) ?? "");
  const bytes = fc.oneof(
    { weight: 8, arbitrary: json.map(encode) },
    { weight: 1, arbitrary: fc.tuple(json, rewriteText).map(([text, rewrite]) => rewrite(text)) },
    { weight: 1, arbitrary: fc.uint8Array({ maxLength: 200 }).map((random): Bytes => new Uint8Array(random)) },
    { weight: 1, arbitrary: fc.constantFrom(...deepBodies) },
  );
  const contentType = fc.oneof(
    { weight: 6, arbitrary: fc.constant("application/json") },
    { weight: 1, arbitrary: fc.constantFrom(null, "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/json; charset=utf-16", "application/xml", "a", "image/png;;;") },
  );
  return fc.record({ bytes, contentType });
}

/** Nested deeper than anything that recurses survives; small enough to be sent often. */
const deepBodies = [
  "[".repeat(200_000),
  "[".repeat(200_000) + "]".repeat(200_000),
  `${'{"a":'.repeat(100_000)}1${"}".repeat(100_000)}`,
  `{"tasks":${"[".repeat(100_000)}${"]".repeat(100_000)}}`,
  `{"kind":"llm","system":${"[".repeat(100_000)}${"]".repeat(100_000)}}`,
].map(encode);

const rewriteText: fc.Arbitrary<(text: string) => Bytes> = fc.oneof(
  fc.double({ min: 0, max: 1, noNaN: true }).map((share) => (text: string) => encode(text.slice(0, Math.floor(text.length * share)))),
  fc.constant((text: string) => encode(`\ufeff${text}`)),
  fc.constant((text: string) => encode(`${text}${text}`)),
  fc.constant((text: string) => encode(text.replaceAll('"', "'"))),
  fc.constant((text: string) => encode(text.replace(/\d+/, "1e400"))),
  fc.constant((text: string) => encode(text.replace(/\d+/, "123456789012345678901234567890"))),
  fc.constant((text: string) => encode(text.replace(/"[^"]*"/, '"\\ud800"'))),
  fc.constant((text: string) => encode(text.replace("{", '{"__proto__":{"polluted":true},'))),
  fc.constant((text: string) => encode(text.replace("{", '{"constructor":{"prototype":{"polluted":true}},'))),
  fc.constant((text: string) => encode(text.replace(/"([^"]+)":/, '"$1":1,"$1":'))),
  fc.constant((text: string) => new Uint8Array(Uint16Array.from(text, (character) => character.charCodeAt(0)).buffer)),
  fc.constant(() => new Uint8Array()),
);

/** One thing that is done to a value: where (a share of all its places), and what. */
interface Change {
  at: number;
  kind: "replace" | "remove" | "add" | "repeat" | "nest";
  key: string;
  value: unknown;
}

const change: fc.Arbitrary<Change> = fc.record({
  at: fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }),
  kind: fc.constantFrom("replace", "remove", "add", "repeat", "nest"),
  key: oddKey,
  value: anyJson(),
});

function applyChange(root: unknown, changed: Change): unknown {
  const count = countPlaces(root);
  let left = Math.floor(changed.at * count);
  const visit = (value: unknown): unknown => {
    left -= 1;
    if (left === -1) return changeValue(value, changed);
    if (Array.isArray(value)) return value.map(visit);
    if (typeof value !== "object" || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([key, child]) => [key, visit(child)]));
  };
  return visit(root);
}

function countPlaces(value: unknown): number {
  if (typeof value !== "object" || value === null) return 1;
  return Object.values(value).reduce<number>((sum, child) => sum + countPlaces(child), 1);
}

function changeValue(value: unknown, { kind, key, value: other }: Change): unknown {
  switch (kind) {
    case "replace":
      return other;
    case "nest":
      return { [key]: [value] };
    case "repeat":
      return Array.isArray(value) ? [...value, ...value] : typeof value === "string" ? value.repeat(3) : [value, value];
    case "add":
      if (Array.isArray(value)) return [...value, other];
      return typeof value === "object" && value !== null ? Object.fromEntries([...Object.entries(value), [key, other]]) : other;
    case "remove": {
      if (typeof value !== "object" || value === null) return undefined;
      if (Array.isArray(value)) return value.slice(1);
      const [first, ...rest] = Object.entries(value);
      return first === undefined ? null : Object.fromEntries(rest);
    }
  }
}
