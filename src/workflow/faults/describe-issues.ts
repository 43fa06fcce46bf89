import type { z } from "zod";
import type { Fault } from "../../errors.ts";
import { pointerTo } from "../json/json-pointer.ts";
import { MAX_FAULTS } from "./fault-list.ts";

/** What a value must be, by the schema library's name of its type. */
const TYPE_WORDS: Readonly<Record<string, string>> = { string: "a string", number: "a number", int: "an integer", boolean: "true or false", array: "a list", object: "an object", record: "an object" };

/** Options of a parse: words that say what to change, for what a schema has no words of its own for. */
export const PARSE_OPTIONS = {
  error: (issue: z.core.$ZodRawIssue): string | undefined => {
    switch (issue.code) {
      case "invalid_type":
        if (issue.input === undefined) return "is required";
        // `1e400` is JSON, and more than a number can hold.
        return typeof issue.input === "number" && !Number.isFinite(issue.input) ? "must be a number of less than 310 digits" : `must be ${TYPE_WORDS[issue.expected] ?? issue.expected}`;
      case "invalid_value":
        return `must be ${listValues(issue.values)}`;
      case "invalid_union":
        return Array.isArray(issue["options"]) ? `must be ${listValues(issue["options"] as string[])}` : undefined;
      case "too_small":
        return isEmptied(issue) ? "must not be empty" : `must ${describeBound(issue.origin, "at least")} ${String(issue.minimum)}${describeUnit(issue.origin)}`;
      case "too_big":
        return `must ${describeBound(issue.origin, "at most")} ${String(issue.maximum)}${describeUnit(issue.origin)}`;
      case "invalid_format":
        return FORMAT_WORDS[issue.format];
      case "invalid_key":
        return `cannot be a key here: it ${issue.issues[0]?.message ?? "has another form"}`;
      default:
        return undefined;
    }
  },
};

const FORMAT_WORDS: Readonly<Record<string, string>> = {
  datetime: "must be an ISO 8601 time with a zone, like 2026-01-31T12:00:00.000Z",
  date: "must be a date, like 2026-01-31",
};

function listValues(values: readonly unknown[]): string {
  const names = values.map((value) => JSON.stringify(value)).join(", ");
  return values.length === 1 ? names : `one of ${names}`;
}

function isEmptied({ origin, minimum }: z.core.$ZodRawIssue<z.core.$ZodIssueTooSmall>): boolean {
  return minimum === 1 && (origin === "string" || origin === "array");
}

function describeBound(origin: string, bound: string): string {
  return origin === "string" || origin === "array" ? `have ${bound}` : `be ${bound}`;
}

function describeUnit(origin: string): string {
  if (origin === "string") return " characters";
  return origin === "array" ? " items" : "";
}

/** What a schema found wrong as faults of a request, one for each unknown key; far too many are cut to what one answer may list, and one more. */
export function describeIssues({ issues }: z.core.$ZodError): Fault[] {
  return issues.flatMap((issue) => {
    const path = pointerTo(issue.path);
    if (issue.code !== "unrecognized_keys") return [{ path, message: issue.message }];
    return issue.keys.slice(0, MAX_FAULTS + 1).map((key) => ({ path: `${path}${pointerTo([key])}`, message: "this key is not known here" }));
  });
}
