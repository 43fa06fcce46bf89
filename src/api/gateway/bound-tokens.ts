import type { ProviderKind } from "../../config/tiers.ts";
import { boundTexts } from "../../optimizer/tokens/prompt-bound.ts";
import { upperBoundTokens } from "../../optimizer/tokens/token-bound.ts";
import { textsOf, type ChatBody } from "./chat-body.ts";

/** What frames a message, and an answer, at most. */
const MESSAGE_TOKENS = 8;
/**
 * More than any provider counts for an image that it scaled down to what it reads, but for small models of OpenAI's, which count up to
 * forty-eight thousand at a low price: these are known by the margin that is learnt.
 */
const IMAGE_TOKENS = 6_000;
/** For which providers put words of their own into the prompt. */
const SCHEMA_PARAMETERS: ReadonlySet<string> = new Set(["tools", "functions", "response_format"]);
/** Parameters that no model reads, or that are counted elsewhere. Any other may be put into the prompt: `tools`, or one that only some servers know, such as `documents`. */
const UNREAD_PARAMETERS: ReadonlySet<string> = new Set([
  ...["model", "messages", "stream", "stream_options", "max_tokens", "max_completion_tokens", "n", "stop", "logit_bias", "prediction", "modalities"],
  ...["user", "metadata", "safety_identifier", "service_tier", "prompt_cache_key", "prompt_cache_retention", "reasoning_effort", "verbosity", "tool_choice", "function_call"],
]);

/** What a request's bound is made of, once its texts have been measured: families count them differently. */
export interface MeasuredChat {
  textTokens: number;
  hasSchemas: boolean;
  /** Images, and what frames messages: bounds for any family. */
  otherTokens: number;
}

/** Linear in the body. */
export function measureChat(body: ChatBody): MeasuredChat {
  const measured: MeasuredChat = { textTokens: 0, hasSchemas: false, otherTokens: MESSAGE_TOKENS };
  for (const [name, value] of Object.entries(body)) {
    // Numbers and switches are settings.
    if (UNREAD_PARAMETERS.has(name) || value == null || (typeof value !== "object" && typeof value !== "string")) continue;
    measured.hasSchemas ||= SCHEMA_PARAMETERS.has(name);
    measured.textTokens += upperBoundTokens(JSON.stringify(value));
  }
  for (const message of body.messages) {
    const { content, ...rest } = message;
    measured.otherTokens += MESSAGE_TOKENS;
    measured.textTokens += upperBoundTokens(JSON.stringify(rest));
    for (const text of textsOf(message)) measured.textTokens += upperBoundTokens(text);
    if (Array.isArray(content)) for (const part of content) measured.otherTokens += boundPart(part);
  }
  return measured;
}

/** At most so many tokens the request has as input with this kind of provider: an estimate from above, which the context window bounds too. */
export function boundInputTokens(measured: MeasuredChat, kind: ProviderKind): number {
  return boundTexts(measured, kind) + measured.otherTokens;
}

/** Texts are counted beside. What is only named by a URL or an id may be anything. */
function boundPart(part: { type: string; [key: string]: unknown }): number {
  switch (part.type) {
    case "text":
      // What is no text was not counted as one.
      return typeof part["text"] === "string" ? 0 : upperBoundTokens(JSON.stringify(part));
    case "refusal":
      return upperBoundTokens(JSON.stringify(part));
    case "image_url":
      return IMAGE_TOKENS;
    default: {
      const json = JSON.stringify(part);
      return json.length > 1_000 ? Math.ceil(json.length / 4) : Infinity;
    }
  }
}

/** Answers that are asked for, each up to the cap. */
export function countChoices({ n }: ChatBody): number {
  return n ?? 1;
}

/** Tokens of a predicted output: those that the answer does not take over are billed as output too. */
export function boundPredictedTokens({ prediction }: ChatBody): number {
  return prediction == null ? 0 : upperBoundTokens(JSON.stringify(prediction));
}
