import { z } from "zod";
import type { Fault } from "../../errors.ts";
import type { ApiContext } from "../endpoint.ts";
import { describeIssues, PARSE_OPTIONS } from "../../workflow/faults/describe-issues.ts";
import { readCursor } from "./list-position.ts";
import { refuse, refuseFaults } from "./problem.ts";

/** Largest body, except where an endpoint says otherwise (contract). */
export const MAX_BODY_BYTES = 1_048_576;
/** Largest body of a workflow (contract). */
export const MAX_WORKFLOW_BODY_BYTES = 4_194_304;
/**
 * How much of a body that is too large is still read and thrown away. Without it the connection is reset under a client that is
 * still sending, and it never sees the 413; with no bound, a client could send for ever.
 */
export const MAX_DISCARDED_BYTES = 16_777_216;
/**
 * Most values of a body, nested ones and keys' among them. A value of two bytes takes up to sixty in memory, and an isolate has
 * 128 MB for all of its requests.
 */
export const MAX_BODY_VALUES = 1_000_000;
/** Deepest nesting of a body. What walks over parsed values by recursion, the schema library too, stays far from the end of the stack. */
export const MAX_BODY_DEPTH = 100;

interface ReadBody {
  json: unknown;
  text: string;
  /** Members of all objects in the text, those whose name stands there twice among them: of these the last alone is in `json`. */
  members: number;
  bytes: Uint8Array;
}

/** Reads a body of at most `maxBytes`, counted as they arrive: `Content-Length` may lie or be absent. 413, then 400, then 422 for what is nested too deep. */
export async function readJson(context: ApiContext, maxBytes: number = MAX_BODY_BYTES): Promise<ReadBody> {
  const bytes = await readBytes(context, maxBytes);
  return { ...parseJson(bytes), bytes };
}

/** Reads and checks a body that must be there. */
export async function readBody<Schema extends z.ZodType>(context: ApiContext, schema: Schema, maxBytes: number = MAX_BODY_BYTES): Promise<z.infer<Schema>> {
  const { json } = await readJson(context, maxBytes);
  return checkShape(json, schema);
}

/** Reads and checks the options of a command; an absent body counts as `{}`. */
export async function readOptions<Schema extends z.ZodType>(context: ApiContext, schema: Schema): Promise<{ options: z.infer<Schema>; bytes: Uint8Array }> {
  const bytes = await readBytes(context, MAX_BODY_BYTES);
  return { options: checkShape(bytes.byteLength === 0 ? {} : parseJson(bytes).json, schema), bytes };
}

/** A body that was read, as its schema has it; refuses one of another shape. */
export function checkShape<Schema extends z.ZodType>(json: unknown, schema: Schema): z.infer<Schema> {
  const parsed = schema.safeParse(json, PARSE_OPTIONS);
  if (!parsed.success) refuseFaults(describeIssues(parsed.error));
  return parsed.data;
}

/** Checks the query against a schema of strings. Parameters that it does not name are left alone. */
export function readQuery<Schema extends z.ZodType>(context: ApiContext, schema: Schema): z.infer<Schema> {
  const read = checkQuery(context, schema);
  return "faults" in read ? refuseFaults(read.faults) : read.query;
}

/** The same for who has more to refuse than the query. */
export function checkQuery<Schema extends z.ZodType>(context: ApiContext, schema: Schema): { query: z.infer<Schema> } | { faults: Fault[] } {
  const parsed = schema.safeParse(context.req.query(), PARSE_OPTIONS);
  return parsed.success ? { query: parsed.data } : { faults: describeIssues(parsed.error).map(({ path, message }) => ({ path: `?${path.slice(1)}`, message })) };
}

/** An integer in a query: digits only, so that neither an empty value nor `1e3` passes. */
export function queryInteger(min: number, max: number) {
  return z
    .string()
    .regex(/^\d{1,15}$/, `use an integer from ${min} to ${max}`)
    .transform(Number)
    .pipe(z.int().min(min, `use an integer from ${min} to ${max}`).max(max, `use an integer from ${min} to ${max}`));
}

/** A cursor in a query; null for the first page. `isCursor`: whether its list can read it. */
export function queryCursor(isCursor: (text: string) => boolean) {
  return z.string().refine(isCursor, "is no cursor of this list").nullable().default(null);
}

/** A cursor that is a number: the last item's of the page before, or the next one's place. */
export const NUMBER_CURSOR = queryCursor((text) => /^\d{1,15}$/.test(text));

/** `limit` and `cursor` of a list that is sorted by time and id (contract: 1–200, 50 unless said). */
export const PAGE_QUERY = {
  limit: queryInteger(1, 200).default(50),
  cursor: queryCursor((text) => readCursor(text) !== undefined),
};

async function readBytes({ req }: ApiContext, maxBytes: number): Promise<Uint8Array> {
  const bytes = await collectBytes(req.raw, maxBytes);
  if (bytes === null) refuse("body_too_large", `Send at most ${maxBytes} bytes.`);
  return bytes;
}

/** The whole body, or null when it is larger. */
async function collectBytes(request: Request, maxBytes: number): Promise<Uint8Array | null> {
  // The server holds a body to its declared length. Read whole it costs a fraction of what its chunks do, or a look at the stream alone.
  const declared = Number(request.headers.get("content-length") ?? NaN);
  if (declared <= maxBytes) {
    const bytes = new Uint8Array(await request.arrayBuffer());
    return bytes.byteLength > maxBytes ? null : bytes;
  }
  if (request.body === null) return new Uint8Array();
  const reader: ReadableStreamDefaultReader<Uint8Array> = request.body.getReader();
  const chunks: Uint8Array[] = [];
  let size = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    size += value.byteLength;
    if (size <= maxBytes) chunks.push(value);
    else chunks.length = 0;
    if (size > maxBytes + MAX_DISCARDED_BYTES) {
      await reader.cancel().catch(() => undefined);
      break;
    }
  }
  return size > maxBytes ? null : joinChunks(chunks, size);
}

function joinChunks(chunks: readonly Uint8Array[], size: number): Uint8Array {
  const [only] = chunks;
  if (chunks.length === 1 && only !== undefined) return only;
  const joined = new Uint8Array(size);
  let at = 0;
  for (const chunk of chunks) {
    joined.set(chunk, at);
    at += chunk.byteLength;
  }
  return joined;
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: false });

/** The platform's parser does not recurse, so the depth can be judged after it, as the order of checks has it. */
function parseJson(bytes: Uint8Array): Omit<ReadBody, "bytes"> {
  const { values, members, depth } = scanJson(bytes);
  if (values > MAX_BODY_VALUES) refuse("body_too_large", `Send at most ${MAX_BODY_VALUES} values: a list of so many things is several requests.`);
  const decoded = decodeJson(bytes);
  if (depth > MAX_BODY_DEPTH) refuseFaults([{ path: "", message: `is nested deeper than ${MAX_BODY_DEPTH} levels` }]);
  return { ...decoded, members };
}

function decodeJson(bytes: Uint8Array): { json: unknown; text: string } {
  if (bytes.byteLength === 0) refuse("malformed_json", "The body is empty: send one JSON value.");
  const text = decodeText(bytes);
  try {
    return { json: JSON.parse(text), text };
  } catch (error) {
    refuse("malformed_json", `The body is no JSON: ${error instanceof Error ? error.message : String(error)}.`);
  }
}

function decodeText(bytes: Uint8Array): string {
  try {
    return utf8.decode(bytes);
  } catch {
    refuse("malformed_json", "The body is no UTF-8: send one JSON value in UTF-8.");
  }
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPENING = new Set([0x5b, 0x7b]);
const CLOSING = new Set([0x5d, 0x7d]);

/** Counts what stands outside strings: values by the commas between them and the brackets around, members by their colons, and the deepest nesting. Means nothing for bytes that are no JSON. */
function scanJson(bytes: Uint8Array): { values: number; members: number; depth: number } {
  let values = 1;
  let members = 0;
  let depth = 0;
  let deepest = 0;
  for (let at = 0; at < bytes.byteLength; at += 1) {
    const byte = bytes[at]!;
    if (byte === QUOTE) at = endOfString(bytes, at);
    else if (byte === COMMA) values += 1;
    else if (byte === COLON) members += 1;
    else if (OPENING.has(byte)) {
      values += 1;
      depth += 1;
      if (depth > deepest) deepest = depth;
    } else if (CLOSING.has(byte)) depth -= 1;
  }
  return { values, members, depth: deepest };
}

/** What is looked at byte by byte: in longer strings the platform's own search finds the end, which for short ones costs more than it saves. */
const SHORT_STRING_BYTES = 64;

/** Where the string that begins here has its closing quote. */
function endOfString(bytes: Uint8Array, start: number): number {
  let at = start + 1;
  const isShortUntil = Math.min(bytes.byteLength, at + SHORT_STRING_BYTES);
  for (; at < isShortUntil; at += 1) {
    const byte = bytes[at]!;
    if (byte === QUOTE) return at;
    if (byte === BACKSLASH) at += 1;
  }
  for (let quote = bytes.indexOf(QUOTE, at); quote !== -1; quote = bytes.indexOf(QUOTE, quote + 1)) {
    let slashes = 0;
    while (quote - 1 - slashes >= at && bytes[quote - 1 - slashes] === BACKSLASH) slashes += 1;
    if (slashes % 2 === 0) return quote;
  }
  return bytes.byteLength;
}
