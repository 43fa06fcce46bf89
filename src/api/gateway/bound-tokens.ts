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

/** At most so many tokens the request has as input: an estimate from above, which the context window bounds too. */
export function boundInputTokens(body: ChatBody): number {
  let tokens = MESSAGE_TOKENS;
  for (const name of READ_PARAMETERS) if (body[name] != null) tokens += upperBoundTokens(JSON.stringify(body[name]));
  for (const message of body.messages) {
    const { content, ...rest } = message;
    tokens += MESSAGE_TOKENS + upperBoundTokens(JSON.stringify(rest));
    for (const text of textsOf(message)) tokens += upperBoundTokens(text);
    if (Array.isArray(content)) for (const part of content) tokens += boundPart(part);
  }
  return tokens;
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
  return typeof n === "number" && Number.isInteger(n) && n > 1 ? n : 1;
}

/** Tokens of a predicted output: those that the answer does not take over are billed as output too. */
export function boundPredictedTokens({ prediction }: ChatBody): number {
  return prediction == null ? 0 : upperBoundTokens(JSON.stringify(prediction));
}
