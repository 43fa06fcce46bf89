import { APICallError } from "@ai-sdk/provider";
import type { CallCandidate } from "../../consumer/agents/call-with-fallback.ts";
import type { Models } from "../../consumer/load-models.ts";
import type { CallOptions } from "../../router/language-model.ts";
import type { OpenAiError } from "./openai-error.ts";
import type { ProviderAnswer } from "./provider-call.ts";
import { collectCompletion, translateStream, type AnswerHead } from "./translate-answer.ts";

export interface EngineCall {
  options: CallOptions;
  candidate: CallCandidate;
  signal: AbortSignal;
}

/** Asks a provider of another wire format. Upstream it is always a stream, whatever the client wants. */
export async function askEngine({ options, candidate, signal }: EngineCall, head: AnswerHead, isStream: boolean, { engine }: Pick<Models, "engine">): Promise<ProviderAnswer> {
  try {
    const model = await engine(candidate.provider, candidate.model);
    const { stream } = await model.doStream({ ...options, abortSignal: signal });
    if (isStream) return { kind: "stream", body: translateStream(stream, head), key: null };
    return { kind: "whole", text: JSON.stringify(await collectCompletion(stream, head)) };
  } catch (error) {
    if (signal.aborted) throw error;
    return { kind: "refused", error, refusal: readRefusal(error) };
  }
}

/** The provider's own words about a request that it did not take; null for what failed otherwise. */
function readRefusal(error: unknown): OpenAiError | null {
  if (!APICallError.isInstance(error) || error.statusCode === undefined) return null;
  return { status: error.statusCode, message: error.message, type: "invalid_request_error", param: null, code: null, retryAfterMs: null };
}
