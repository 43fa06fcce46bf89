import { z } from "zod";
import { PARSE_OPTIONS } from "../../workflow/faults/describe-issues.ts";
import { refuseRequest, type OpenAiError } from "./openai-error.ts";

/** Messages of one request, and tools: far more than any model takes. A list that is too long is not looked into. */
export const MAX_MESSAGES = 10_000;
export const MAX_TOOLS = 1_000;
/** Answers of one request: as many as OpenAI gives. An answer that is lost counts as the most that it can have cost, once for each of them. */
export const MAX_CHOICES = 128;

const count = z.int().min(1);

/** A text, or parts that say what they are. Judged as a whole: of a body of 20 MiB, faults of each part would fill the memory. */
const content = z
  .custom<string | { type: string; [key: string]: unknown }[]>((value) => typeof value === "string" || (Array.isArray(value) && value.every(isPart)), "must be a text or a list of parts, each with its type")
  .meta({ anyOf: [{ type: "string" }, { type: "array", items: { type: "object", properties: { type: { type: "string" } }, required: ["type"] } }] });

function isPart(value: unknown): boolean {
  return typeof value === "object" && value !== null && "type" in value && typeof value.type === "string";
}

/**
 * What of a chat completion's body is read here. Everything else, and every unknown key, is the provider's to judge: it is
 * passed through as it came.
 */
export const ChatBody = z.looseObject({
  model: z.string().min(1),
  messages: z
    .array(z.looseObject({ role: z.string(), content: content.nullish() }))
    .min(1)
    .max(MAX_MESSAGES),
  stream: z.boolean().nullish(),
  stream_options: z.looseObject({ include_usage: z.boolean().nullish() }).nullish(),
  max_tokens: count.nullish(),
  max_completion_tokens: count.nullish(),
  // Each choice is billed: what a lenient provider could take for a number must be one here too.
  n: count.max(MAX_CHOICES).nullish(),
  tools: z.array(z.looseObject({ type: z.string() })).max(MAX_TOOLS).nullish(),
  response_format: z.looseObject({ type: z.string() }).nullish(),
});
export type ChatBody = z.infer<typeof ChatBody>;

/** A request, and its text as the client wrote it; null where nobody did. */
export interface ChatRequest {
  body: ChatBody;
  text: string | null;
}

export type ChatMessage = ChatBody["messages"][number];

/** Checks the shape. Names the first fault: OpenAI's errors have one `param`. */
export function readChatBody(json: unknown): { body: ChatBody } | { refusal: OpenAiError } {
  if (isPlainChat(json)) return { body: json };
  const parsed = ChatBody.safeParse(json, PARSE_OPTIONS);
  // The value as it came: the parsed copy has its keys in another order.
  if (parsed.success) return { body: json as ChatBody };
  const issue = parsed.error.issues[0]!;
  const param = nameParam(issue.path);
  return { refusal: refuseRequest(param === null ? `The body ${issue.message}.` : `${param} ${issue.message}.`, param) };
}

/** Members of the body that the schema looks at, but for those that nearly every request has. */
const SELDOM_READ = ["stream_options", "tools", "response_format"];

/**
 * Whether a body is one of the most common form, which the schema is sure to take. The schema copies what it checks, and a long
 * conversation is sent anew with every turn.
 */
export function isPlainChat(json: unknown): json is ChatBody {
  if (!isObject(json) || typeof json["model"] !== "string" || json["model"] === "" || SELDOM_READ.some((name) => json[name] != null)) return false;
  if (json["stream"] != null && typeof json["stream"] !== "boolean") return false;
  if (["max_tokens", "max_completion_tokens", "n"].some((name) => json[name] != null && !(Number.isSafeInteger(json[name]) && (json[name] as number) >= 1))) return false;
  if (json["n"] != null && (json["n"] as number) > MAX_CHOICES) return false;
  const { messages } = json;
  return Array.isArray(messages) && messages.length > 0 && messages.length <= MAX_MESSAGES && messages.every((message) => isObject(message) && typeof message["role"] === "string" && typeof message["content"] === "string");
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** `messages[0].role`, as OpenAI names what is wrong. */
function nameParam(path: readonly PropertyKey[]): string | null {
  if (path.length === 0) return null;
  return path.map((part, at) => (typeof part === "number" ? `[${part}]` : `${at === 0 ? "" : "."}${String(part)}`)).join("");
}

/** The cap that the client set; null for none. Of both names the larger value: which of them a provider reads is not known. */
export function readOutputCap({ max_completion_tokens: newer, max_tokens: older }: ChatBody): number | null {
  return newer == null ? (older ?? null) : Math.max(newer, older ?? 0);
}

/** The texts of a message. */
export function textsOf({ content }: ChatMessage): string[] {
  if (typeof content === "string") return [content];
  return (content ?? []).flatMap((part) => (typeof part["text"] === "string" ? [part["text"]] : []));
}
