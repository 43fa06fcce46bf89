import type { JSONSchema7, LanguageModelV4CallOptions, LanguageModelV4FunctionTool, LanguageModelV4ToolChoice } from "@ai-sdk/provider";
import { z } from "zod";
import type { ModelEntry, ProviderEntry } from "../../config/tiers.ts";
import type { CallOptions } from "../../router/language-model.ts";
import { readOutputCap, type ChatBody } from "./chat-body.ts";
import { refuseRequest, type OpenAiError } from "./openai-error.ts";
import { translateMessages } from "./translate-messages.ts";

const schema = z.custom<JSONSchema7>((value) => typeof value === "object" && value !== null && !Array.isArray(value), "must be a JSON Schema");
const number = z.number().nullish();

/** Parameters that have a meaning in the other formats too. */
const Translated = z.object({
  temperature: number,
  top_p: number,
  presence_penalty: number,
  frequency_penalty: number,
  seed: z.int().nullish(),
  stop: z.union([z.string(), z.array(z.string())]).nullish(),
  tools: z.array(z.object({ type: z.literal("function"), function: z.object({ name: z.string(), description: z.string().nullish(), parameters: schema.nullish(), strict: z.boolean().nullish() }) })).nullish(),
  tool_choice: z.union([z.enum(["auto", "none", "required"]), z.object({ type: z.literal("function"), function: z.object({ name: z.string() }) })]).nullish(),
  parallel_tool_calls: z.boolean().nullish(),
  response_format: z
    .union([
      z.object({ type: z.literal("text") }),
      z.object({ type: z.literal("json_object") }),
      z.object({ type: z.literal("json_schema"), json_schema: z.object({ name: z.string(), description: z.string().nullish(), schema: schema.nullish(), strict: z.boolean().nullish() }) }),
    ])
    .nullish(),
  reasoning_effort: z.enum(["none", "minimal", "low", "medium", "high", "xhigh"]).nullish(),
});
type Translated = z.infer<typeof Translated>;

/** A wire format other than OpenAI's chat completions, and what it has no word for. */
type Wire = "anthropic" | "google" | "responses" | "offline";

const MISSING: Record<Wire, readonly string[]> = {
  anthropic: ["seed", "presence_penalty", "frequency_penalty"],
  google: ["parallel_tool_calls"],
  responses: ["seed", "stop", "presence_penalty", "frequency_penalty"],
  offline: ["tools", "stop", "presence_penalty", "frequency_penalty"],
};

/** Has no word in any of them. What only labels a request (`user`, `metadata`, `store`) is left out without a word: it changes no answer. */
const MISSING_EVERYWHERE = ["n", "logprobs", "top_logprobs", "logit_bias", "functions", "function_call", "audio", "prediction", "web_search_options"];

/** The values of a parameter that ask for nothing. */
const NOTHING: Record<string, unknown> = { n: 1, presence_penalty: 0, frequency_penalty: 0, parallel_tool_calls: true, logprobs: false, top_logprobs: 0 };

/** The request for a provider of another format. What it cannot say is refused rather than left out. */
export function translateRequest(body: ChatBody, provider: ProviderEntry, model: ModelEntry): { options: CallOptions } | { refusal: OpenAiError } {
  const wire: Wire = provider.kind === "anthropic" || provider.kind === "google" || provider.kind === "offline" ? provider.kind : "responses";
  const missing = [...MISSING_EVERYWHERE, ...MISSING[wire]].find((name) => asksFor(body, name));
  if (missing !== undefined) return { refusal: refuseRequest(`${model.id} does not support the parameter ${missing}.`, missing, "unsupported_parameter") };
  if (asksForAudio(body)) return { refusal: refuseRequest(`${model.id} answers in text only.`, "modalities", "unsupported_parameter") };
  const parsed = Translated.safeParse(body);
  if (!parsed.success) {
    const param = String(parsed.error.issues[0]!.path[0] ?? "");
    return { refusal: refuseRequest(`${param} is wrong, or of a kind that ${model.id} does not support.`, param) };
  }
  const messages = translateMessages(body);
  if ("refusal" in messages) return messages;
  if (wire === "offline" && messages.prompt.some(({ content }) => typeof content !== "string" && content.some(({ type }) => type === "file"))) {
    return { refusal: refuseRequest(`${model.id} reads text only.`, "messages") };
  }
  return { options: { prompt: messages.prompt, ...translateOptions(parsed.data, wire), maxOutputTokens: capOutput(body, wire, model) } };
}

function asksFor(body: ChatBody, name: string): boolean {
  const value = body[name];
  if (value == null || value === NOTHING[name]) return false;
  return typeof value !== "object" || Object.keys(value).length > 0;
}

function asksForAudio({ modalities }: ChatBody): boolean {
  return Array.isArray(modalities) && modalities.includes("audio");
}

/** Anthropic's format demands a cap; the others have none unless the client set one. */
function capOutput(body: ChatBody, wire: Wire, model: ModelEntry): number | undefined {
  const cap = readOutputCap(body) ?? (wire === "anthropic" ? model.maxOutputTokens : null);
  return cap === null ? undefined : Math.min(cap, model.maxOutputTokens);
}

function translateOptions(body: Translated, wire: Wire): Omit<CallOptions, "prompt"> {
  const tools = body.tools?.map(translateTool);
  return {
    temperature: body.temperature ?? undefined,
    topP: body.top_p ?? undefined,
    presencePenalty: body.presence_penalty || undefined,
    frequencyPenalty: body.frequency_penalty || undefined,
    seed: wire === "offline" ? undefined : (body.seed ?? undefined),
    stopSequences: body.stop == null ? undefined : [body.stop].flat(),
    ...(tools === undefined || tools.length === 0 ? {} : { tools, toolChoice: translateToolChoice(body) }),
    responseFormat: translateFormat(body, wire),
    reasoning: body.reasoning_effort ?? undefined,
    providerOptions: {
      anthropic: {
        ...(body.parallel_tool_calls === false && tools !== undefined ? { disableParallelToolUse: true } : {}),
        // Of an object without a schema the format itself knows nothing; a forced tool makes one.
        ...(body.response_format?.type === "json_object" ? { structuredOutputMode: "jsonTool" } : {}),
      },
      openai: { store: false, parallelToolCalls: body.parallel_tool_calls ?? true, strictJsonSchema: isStrict(body) },
    },
  };
}

function translateTool({ function: { name, description, parameters, strict } }: NonNullable<Translated["tools"]>[number]): LanguageModelV4FunctionTool {
  return {
    type: "function",
    name,
    inputSchema: parameters ?? { type: "object", properties: {} },
    ...(description == null ? {} : { description }),
    ...(strict == null ? {} : { strict }),
  };
}

function translateToolChoice({ tool_choice: choice }: Translated): LanguageModelV4ToolChoice {
  if (choice == null) return { type: "auto" };
  return typeof choice === "string" ? { type: choice } : { type: "tool", toolName: choice.function.name };
}

function translateFormat({ response_format: format }: Translated, wire: Wire): LanguageModelV4CallOptions["responseFormat"] {
  if (format == null || format.type === "text") return undefined;
  if (format.type === "json_object") return wire === "anthropic" ? { type: "json", schema: { type: "object" } } : { type: "json" };
  const { name, description, schema: jsonSchema } = format.json_schema;
  return { type: "json", name, ...(description == null ? {} : { description }), ...(jsonSchema == null ? {} : { schema: jsonSchema }) };
}

function isStrict({ response_format: format }: Translated): boolean {
  return format?.type === "json_schema" && format.json_schema.strict === true;
}
