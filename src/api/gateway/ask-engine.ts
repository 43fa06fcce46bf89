import { APICallError } from "@ai-sdk/provider";
import type { CallCandidate } from "../../consumer/agents/call-with-fallback.ts";
import { mayBeServed } from "../../consumer/agents/llm-failure.ts";
import type { Models } from "../../consumer/load-models.ts";
import type { CallOptions, LanguageModel, StreamPart } from "../../router/language-model.ts";
import type { OpenAiError } from "./openai-error.ts";
import type { ProviderAnswer } from "./provider-call.ts";
import { viewProviderError } from "./provider-error.ts";
import { collectCompletion, translateStream, type AnswerHead } from "./translate-answer.ts";

export interface EngineCall {
  options: CallOptions;
  candidate: CallCandidate;
  signal: AbortSignal;
}

/** Asks a provider of another wire format. Upstream it is always a stream, whatever the client wants. Throws what may have been served all the same. */
export async function askEngine({ options, candidate, signal }: EngineCall, head: AnswerHead, isStream: boolean, { engine }: Pick<Models, "engine">): Promise<ProviderAnswer> {
  const began = await begin(options, candidate, signal, engine);
  if ("refused" in began) return { kind: "refused", error: began.refused, refusal: readRefusal(began.refused) };
  if (isStream) return { kind: "stream", body: translateStream(began.stream, head), key: null };
  const collected = await collectCompletion(began.stream, head);
  if ("refused" in collected) return { kind: "refused", error: collected.refused, refusal: null };
  if ("broken" in collected) return { kind: "unusable", error: collected.broken, usage: null };
  return { kind: "whole", text: JSON.stringify(collected.completion) };
}

async function begin(options: CallOptions, { provider, model }: CallCandidate, signal: AbortSignal, engine: Models["engine"]): Promise<{ stream: ReadableStream<StreamPart> } | { refused: unknown }> {
  let built: LanguageModel;
  try {
    built = await engine(provider, model);
  } catch (error) {
    return { refused: error };
  }
  try {
    return await built.doStream({ ...options, abortSignal: signal });
  } catch (error) {
    if (signal.aborted || mayBeServed(error)) throw error;
    return { refused: error };
  }
}

/** The provider's own words about a request that it did not take; null for what failed otherwise. */
function readRefusal(error: unknown): OpenAiError | null {
  if (!APICallError.isInstance(error)) return viewProviderError(error);
  if (error.statusCode === undefined) return null;
  return { status: error.statusCode, message: error.message, type: "invalid_request_error", param: null, code: null, retryAfterMs: null };
}
