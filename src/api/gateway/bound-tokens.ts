import type { ProviderKind } from "../../config/tiers.ts";
import { boundTexts } from "../../optimizer/prompt-bound.ts";
import { upperBoundTokens } from "../../optimizer/token-bound.ts";
import { textsOf, type ChatBody } from "./chat-body.ts";

/** What frames a message, and an answer, at most. */
const MESSAGE_TOKENS = 8;
/**
 * More than any provider counts for an image that it scaled down to what it reads, but for small models of OpenAI's, which count up to
 * forty-eight thousand at a low price: these are known by the margin that is learnt.
 */
const IMAGE_TOKENS = 6_000;
/** Parameters beside the messages that a model reads. */
const READ_PARAMETERS = ["tools", "functions", "response_format"];

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
  for (const name of READ_PARAMETERS) {
    if (body[name] == null) continue;
    measured.hasSchemas = true;
    measured.textTokens += upperBoundTokens(JSON.stringify(body[name]));
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
      return 0;
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
