import type { LanguageModelV4FinishReason } from "@ai-sdk/provider";
import type { CallOptions, LanguageModel, ProviderUsage, StreamPart } from "../../router/language-model.ts";

/** A longer answer could not be stored (values are at most 1 MiB), so nobody waits for its end. */
export const MAX_ANSWER_CHARACTERS = 1_048_576;

/** What came of one call, complete or not. */
export interface Answer {
  text: string;
  usage: ProviderUsage | null;
  finishReason: LanguageModelV4FinishReason["unified"] | null;
  /** The provider has begun to answer: from here on the call may be billed. */
  began: boolean;
  tooLong: boolean;
  /** The first error, thrown or reported inside the stream. */
  failed: { error: unknown } | null;
}

export interface StreamListeners {
  onFirstToken: () => void;
  /** Hears the text as it arrives. */
  onDelta?: (text: string) => void;
}

/** What comes before a model has produced anything. */
const PREAMBLE = new Set<StreamPart["type"]>(["stream-start", "response-metadata", "raw", "error"]);

/** Calls a model once and collects its stream. Never throws; it ends when the signal is aborted, even if the engine does not listen. */
export async function streamAnswer(model: LanguageModel, options: CallOptions, signal: AbortSignal, { onFirstToken, onDelta }: StreamListeners): Promise<Answer> {
  const answer: Answer = { text: "", usage: null, finishReason: null, began: false, tooLong: false, failed: null };
  let reader: ReadableStreamDefaultReader<StreamPart> | null = null;
  try {
    const { stream } = await orAbort(Promise.resolve(model.doStream({ ...options, abortSignal: signal })), signal);
    answer.began = true;
    reader = stream.getReader();
    for (;;) {
      const { done, value } = await orAbort(reader.read(), signal);
      if (done) return answer;
      if (!PREAMBLE.has(value.type)) onFirstToken();
      takePart(answer, value, onDelta);
      if (answer.tooLong) break;
    }
  } catch (error) {
    answer.failed = { error };
  }
  // Hanging up: the provider stops, and a failure to hang up changes nothing.
  void reader?.cancel().catch(() => undefined);
  return answer;
}

function takePart(answer: Answer, part: StreamPart, onDelta?: (text: string) => void): void {
  if (part.type === "text-delta") {
    answer.text += part.delta;
    answer.tooLong = answer.text.length > MAX_ANSWER_CHARACTERS;
    if (part.delta !== "" && !answer.tooLong) onDelta?.(part.delta);
  } else if (part.type === "finish") {
    answer.usage = part.usage;
    answer.finishReason = part.finishReason.unified;
  } else if (part.type === "error") {
    // Reading goes on: the usage may still come.
    answer.failed ??= { error: part.error };
  }
}

async function orAbort<Value>(promise: Promise<Value>, signal: AbortSignal): Promise<Value> {
  let stop: () => void = () => undefined;
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(signal.reason);
    if (signal.aborted) stop();
    else signal.addEventListener("abort", stop, { once: true });
  });
  // The loser of the race must not surface as an unhandled rejection.
  promise.catch(() => undefined);
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener("abort", stop);
  }
}
