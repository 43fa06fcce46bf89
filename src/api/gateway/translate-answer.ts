import { APICallError, type LanguageModelV4FinishReason } from "@ai-sdk/provider";
import type { ProviderUsage, StreamPart } from "../../router/language-model.ts";
import { frame } from "./event-watch.ts";

/** What stands at the head of every chunk of an answer. */
export interface AnswerHead {
  id: string;
  /** Unix seconds. */
  created: number;
  model: string;
}

interface ToolCall {
  index: number;
  id: string;
  name: string;
  arguments: string;
}

/** A model's parts as the deltas of a chat completion, one by one. */
export interface PartReader {
  /** The delta of a part; null for one that has none. */
  deltaOf: (part: StreamPart) => object | null;
}

/** Tool calls are numbered as they come; some providers give them in pieces, some whole. */
export function createPartReader(): PartReader {
  const indexes = new Map<string, number>();
  const open = (id: string): number => {
    const index = indexes.get(id) ?? indexes.size;
    indexes.set(id, index);
    return index;
  };
  const start = (id: string, name: string, text: string): object => ({ tool_calls: [{ index: open(id), id, type: "function", function: { name, arguments: text } }] });
  return {
    deltaOf(part) {
      switch (part.type) {
        case "text-delta":
          return part.delta === "" ? null : { content: part.delta };
        case "reasoning-delta":
          return part.delta === "" ? null : { reasoning_content: part.delta };
        case "tool-input-start":
          return part.providerExecuted === true ? null : start(part.id, part.toolName, "");
        case "tool-input-delta":
          return indexes.has(part.id) && part.delta !== "" ? { tool_calls: [{ index: open(part.id), function: { arguments: part.delta } }] } : null;
        case "tool-call":
          return indexes.has(part.toolCallId) || part.providerExecuted === true ? null : start(part.toolCallId, part.toolName, part.input);
        default:
          return null;
      }
    },
  };
}

/** The parts as a stream of OpenAI's events, the usage chunk included. What the provider says is wrong is an error event; an answer that ends too early breaks this stream. */
export function translateStream(parts: ReadableStream<StreamPart>, head: AnswerHead): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  const reader = createPartReader();
  const chunk = (fields: object): string => frame({ id: head.id, object: "chat.completion.chunk", created: head.created, model: head.model, ...fields });
  const choice = (delta: object, finishReason: string | null): string => chunk({ choices: [{ index: 0, delta, logprobs: null, finish_reason: finishReason }] });
  const translate = (part: StreamPart): string => {
    if (part.type === "stream-start") return choice({ role: "assistant", content: "" }, null);
    if (part.type === "error") return frame({ error: describeError(part.error) });
    if (part.type === "finish") {
      if (isBroken(part.finishReason)) throw new Error(BROKEN);
      const usage = viewUsage(part.usage);
      return choice({}, finishReasonOf(part.finishReason)) + (usage === null ? "" : chunk({ choices: [], usage })) + "data: [DONE]\n\n";
    }
    const delta = reader.deltaOf(part);
    return delta === null ? "" : choice(delta, null);
  };
  return parts.pipeThrough(
    new TransformStream<StreamPart, Uint8Array>({
      transform(part, controller) {
        const events = translate(part);
        if (events !== "") controller.enqueue(encoder.encode(events));
      },
    }),
  );
}

/** The parts as one chat completion; or `refused`: the error that the provider reported in its place; or `broken`: what ended it early. */
export async function collectCompletion(parts: ReadableStream<StreamPart>, head: AnswerHead): Promise<{ completion: object } | { refused: unknown } | { broken: unknown }> {
  const reader = createPartReader();
  const message = { content: "", reasoning: "" };
  const toolCalls: ToolCall[] = [];
  let finish: Extract<StreamPart, { type: "finish" }> | null = null;
  let hasBegun = false;
  for await (const part of parts) {
    if (part.type === "error") return hasBegun ? { broken: part.error } : { refused: part.error };
    if (part.type === "finish") finish = part;
    const delta = reader.deltaOf(part);
    hasBegun ||= delta !== null;
    takeDelta(delta, message, toolCalls);
  }
  if (finish === null || isBroken(finish.finishReason)) return { broken: new Error(BROKEN) };
  const tools = toolCalls.map(({ id, name, arguments: text }) => ({ id, type: "function", function: { name, arguments: text } }));
  const usage = viewUsage(finish.usage);
  const completion = {
    id: head.id,
    object: "chat.completion",
    created: head.created,
    model: head.model,
    choices: [
      {
        index: 0,
        message: {
          role: "assistant",
          content: message.content === "" && tools.length > 0 ? null : message.content,
          refusal: null,
          ...(message.reasoning === "" ? {} : { reasoning_content: message.reasoning }),
          ...(tools.length === 0 ? {} : { tool_calls: tools }),
        },
        logprobs: null,
        finish_reason: finishReasonOf(finish.finishReason),
      },
    ],
    ...(usage === null ? {} : { usage }),
  };
  return { completion };
}

function takeDelta(delta: object | null, message: { content: string; reasoning: string }, toolCalls: ToolCall[]): void {
  if (delta === null) return;
  const { content, reasoning_content: reasoning, tool_calls: calls } = delta as { content?: string; reasoning_content?: string; tool_calls?: { index: number; id?: string; function: { name?: string; arguments: string } }[] };
  message.content += content ?? "";
  message.reasoning += reasoning ?? "";
  for (const call of calls ?? []) {
    const known = (toolCalls[call.index] ??= { index: call.index, id: call.id ?? "", name: call.function.name ?? "", arguments: "" });
    known.arguments += call.function.arguments;
  }
}

const BROKEN = "its answer ended before it was complete";

function isBroken({ unified }: LanguageModelV4FinishReason): boolean {
  return unified === "error" || unified === "interrupted";
}

function finishReasonOf({ unified }: LanguageModelV4FinishReason): string {
  switch (unified) {
    case "length":
      return "length";
    case "tool-calls":
      return "tool_calls";
    case "content-filter":
      return "content_filter";
    default:
      return "stop";
  }
}

/** Null when the provider reported nothing. */
function viewUsage({ inputTokens, outputTokens }: ProviderUsage): object | null {
  const input = inputTokens.total ?? (inputTokens.noCache === undefined ? undefined : inputTokens.noCache + (inputTokens.cacheRead ?? 0) + (inputTokens.cacheWrite ?? 0));
  const output = outputTokens.total ?? outputTokens.text;
  if (input === undefined || output === undefined) return null;
  return {
    prompt_tokens: input,
    completion_tokens: output,
    total_tokens: input + output,
    prompt_tokens_details: { cached_tokens: inputTokens.cacheRead ?? 0, cache_write_tokens: inputTokens.cacheWrite ?? 0 },
    completion_tokens_details: { reasoning_tokens: outputTokens.reasoning ?? 0 },
  };
}

/** An error inside a stream, by what the classification of failures looks at. */
function describeError(error: unknown): object {
  const status = APICallError.isInstance(error) ? (error.statusCode ?? null) : null;
  const record = typeof error === "object" && error !== null ? (error as Record<string, unknown>) : {};
  const message = typeof error === "string" ? error : typeof record["message"] === "string" ? record["message"] : "the provider reported an error";
  return { message, type: typeof record["type"] === "string" ? record["type"] : "server_error", param: null, code: status };
}
