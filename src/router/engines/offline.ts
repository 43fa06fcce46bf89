import type { LanguageModelV4FinishReason, LanguageModelV4GenerateResult, LanguageModelV4StreamResult } from "@ai-sdk/provider";
import { estimateTokens } from "../../optimizer/tokens/tokens.ts";
import type { CallOptions, LanguageModel, ProviderUsage, StreamPart } from "../language-model.ts";
import { answer, answerJson } from "./offline-answer.ts";
import { readRequest } from "./offline-request.ts";

/** The length of an answer when the caller sets none. */
export const DEFAULT_MAX_OUTPUT_TOKENS = 1_024;
/** About a line of text each, so that a reader sees it come. */
const DELTA_CHARACTERS = 80;

/**
 * The embedded engine: a language model without a model. It works on the text it is given — summarizes, lists, classifies,
 * plans, builds documents, fills JSON schemas — by rules, so the same prompt has the same answer, at no price and without a network.
 */
export function buildOfflineModel(modelId: string): LanguageModel {
  return {
    specificationVersion: "v4",
    provider: "offline",
    modelId,
    supportedUrls: {},
    doGenerate: async (options) => generate(options),
    doStream: async (options) => stream(options),
  };
}

interface Completion {
  text: string;
  finishReason: LanguageModelV4FinishReason;
  usage: ProviderUsage;
}

function complete(options: CallOptions): Completion {
  options.abortSignal?.throwIfAborted();
  const maxTokens = options.maxOutputTokens ?? DEFAULT_MAX_OUTPUT_TOKENS;
  const request = readRequest(options.prompt);
  const format = options.responseFormat;
  const whole = format?.type === "json" ? answerJson(request, format.schema, maxTokens) : answer(request, maxTokens);
  const text = cutToTokens(whole, maxTokens);
  const unified = text.length < whole.length ? "length" : "stop";
  return { text, finishReason: { unified, raw: unified }, usage: usageOf(options, text) };
}

function generate(options: CallOptions): LanguageModelV4GenerateResult {
  const { text, finishReason, usage } = complete(options);
  return { content: [{ type: "text", text }], finishReason, usage, warnings: [] };
}

function stream(options: CallOptions): LanguageModelV4StreamResult {
  const { text, finishReason, usage } = complete(options);
  const parts: StreamPart[] = [
    { type: "stream-start", warnings: [] },
    { type: "text-start", id: "0" },
    ...deltasOf(text).map((delta): StreamPart => ({ type: "text-delta", id: "0", delta })),
    { type: "text-end", id: "0" },
    { type: "finish", finishReason, usage },
  ];
  let next = 0;
  return {
    stream: new ReadableStream<StreamPart>({
      pull(controller) {
        const part = parts[next];
        next += 1;
        if (options.abortSignal?.aborted) controller.error(options.abortSignal.reason);
        else if (part === undefined) controller.close();
        else controller.enqueue(part);
      },
    }),
  };
}

/** Pieces of about a line, cut at spaces. */
function deltasOf(text: string): string[] {
  const deltas: string[] = [];
  let start = 0;
  while (start < text.length) {
    const space = text.indexOf(" ", start + DELTA_CHARACTERS);
    const end = space < 0 ? text.length : space + 1;
    deltas.push(text.slice(start, end));
    start = end;
  }
  return deltas;
}

/** The longest beginning that counts at most `maxTokens`. */
function cutToTokens(text: string, maxTokens: number): string {
  if (estimateTokens(text) <= maxTokens) return text;
  let [low, high] = [0, text.length];
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (estimateTokens(text.slice(0, middle)) <= maxTokens) low = middle;
    else high = middle - 1;
  }
  return text.slice(0, low).replace(/[\uD800-\uDBFF]$/, "");
}

/** Every text of the prompt counts as input, read or not: what another model would have been sent. */
function usageOf({ prompt }: CallOptions, output: string): ProviderUsage {
  let total = 0;
  for (const message of prompt) {
    if (message.role === "system") total += estimateTokens(message.content);
    else for (const part of message.content) if (part.type === "text") total += estimateTokens(part.text);
  }
  const outputTotal = estimateTokens(output);
  return {
    inputTokens: { total, noCache: total, cacheRead: 0, cacheWrite: 0 },
    outputTokens: { total: outputTotal, text: outputTotal, reasoning: 0 },
  };
}
