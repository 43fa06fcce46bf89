const TYPES = ["null", "boolean", "object", "array", "number", "integer", "string"];

interface Form {
  fits: (value: unknown) => boolean;
  /** Completes "must be …". */
  words: string;
}

const isObject = (value: unknown): boolean => typeof value === "object" && value !== null && !Array.isArray(value);
const isSchema = (value: unknown): boolean => typeof value === "boolean" || isObject(value);
const isListOf = (isItem: (item: unknown) => boolean) => (value: unknown): boolean => Array.isArray(value) && value.every(isItem);
const isMapOf = (isItem: (item: unknown) => boolean) => (value: unknown): boolean => isObject(value) && Object.values(value as object).every(isItem);
const isText = (value: unknown): value is string => typeof value === "string";
const isType = (value: unknown): boolean => isText(value) && TYPES.includes(value);
const isNames = isListOf(isText);

const SCHEMA: Form = { fits: isSchema, words: "a schema: an object or a boolean" };
const SCHEMAS: Form = { fits: (value) => isListOf(isSchema)(value) && (value as unknown[]).length > 0, words: "a list of one schema or more" };
const SCHEMA_MAP: Form = { fits: isMapOf(isSchema), words: "an object of schemas" };
const COUNT: Form = { fits: (value) => Number.isInteger(value) && (value as number) >= 0, words: "an integer of 0 or more" };
const NUMBER: Form = { fits: (value) => typeof value === "number", words: "a number" };
// True and false are draft 4.
const BOUND: Form = { fits: (value) => typeof value === "number" || typeof value === "boolean", words: "a number" };
const TEXT: Form = { fits: isText, words: "a text" };

/** The keywords that a check of an answer acts on, with the values they can have (JSON Schema, drafts 4 to 2020-12). */
const FORMS = new Map<string, Form>([
  ["type", { fits: (value) => isType(value) || (isListOf(isType)(value) && (value as unknown[]).length > 0), words: `one of ${TYPES.join(", ")}, or a list of these` }],
  ["enum", { fits: Array.isArray, words: "a list of values" }],
  ["required", { fits: isNames, words: "a list of names" }],
  ["properties", SCHEMA_MAP],
  ["patternProperties", SCHEMA_MAP],
  ["dependentSchemas", SCHEMA_MAP],
  ["$defs", SCHEMA_MAP],
  ["definitions", SCHEMA_MAP],
  ["dependentRequired", { fits: isMapOf(isNames), words: "an object of lists of names" }],
  ["dependencies", { fits: isMapOf((value) => isSchema(value) || isNames(value)), words: "an object of schemas or lists of names" }],
  ["items", { fits: (value) => isSchema(value) || isListOf(isSchema)(value), words: "a schema or a list of schemas" }],
  ...["additionalProperties", "additionalItems", "unevaluatedProperties", "unevaluatedItems", "propertyNames", "contains", "not", "if", "then", "else"].map((name) => [name, SCHEMA] as const),
  ...["allOf", "anyOf", "oneOf", "prefixItems"].map((name) => [name, SCHEMAS] as const),
  ...["minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties", "minContains", "maxContains"].map((name) => [name, COUNT] as const),
  ...["minimum", "maximum"].map((name) => [name, NUMBER] as const),
  ...["exclusiveMinimum", "exclusiveMaximum"].map((name) => [name, BOUND] as const),
  ["multipleOf", { fits: (value) => typeof value === "number" && value > 0, words: "a number above 0" }],
  ["uniqueItems", { fits: (value) => typeof value === "boolean", words: "true or false" }],
  ...["pattern", "format", "$ref"].map((name) => [name, TEXT] as const),
]);

/** Keywords of one schema, without those inside it, whose values mean nothing: a check by them fails every answer, or breaks off. */
export function listKeywordFaults(schema: object): { keyword: string; message: string }[] {
  return Object.entries(schema).flatMap(([keyword, value]) => {
    const form = FORMS.get(keyword);
    return form === undefined || form.fits(value) ? [] : [{ keyword, message: `must be ${form.words}` }];
  });
}
