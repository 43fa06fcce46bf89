import type { Fetch } from "../../../src/router/language-model.ts";

export interface RecordedCall {
  url: string;
  headers: Headers;
  body: Record<string, unknown>;
  redirect: string | undefined;
}

/** A `fetch` that records what is sent and answers in order; the last answer repeats. */
export function fakeFetch(...answers: (() => Response | Promise<Response>)[]): { fetch: Fetch; calls: RecordedCall[] } {
  const calls: RecordedCall[] = [];
  const fetch: Fetch = async (input, init) => {
    calls.push({
      url: String(input instanceof Request ? input.url : input),
      headers: new Headers(init?.headers),
      body: JSON.parse(String(init?.body)) as Record<string, unknown>,
      redirect: init?.redirect,
    });
    const answer = answers[Math.min(calls.length, answers.length) - 1];
    if (answer === undefined) throw new Error("no answer was prepared");
    return answer();
  };
  return { fetch, calls };
}

export function eventStream(lines: string[]): Response {
  return new Response(lines.join("\n") + "\n", { status: 200, headers: { "content-type": "text/event-stream" } });
}

interface OpenAiAnswer {
  deltas: string[];
  finishReason?: string | null;
  usage?: Record<string, unknown> | null;
}

/** Chat Completions as they are streamed: one chunk per delta, then the finish, then the usage. */
export function openAiStream({ deltas, finishReason = "stop", usage = { prompt_tokens: 100, completion_tokens: 20, total_tokens: 120 } }: OpenAiAnswer): Response {
  const chunk = (fields: Record<string, unknown>) => `data: ${JSON.stringify({ id: "c1", object: "chat.completion.chunk", created: 1, model: "m", ...fields })}\n`;
  const texts = deltas.map((content) => chunk({ choices: [{ index: 0, delta: { role: "assistant", content }, finish_reason: null }] }));
  const finish = finishReason === null ? [] : [chunk({ choices: [{ index: 0, delta: {}, finish_reason: finishReason }] })];
  const counts = usage === null ? [] : [chunk({ choices: [], usage })];
  return eventStream([...texts, ...finish, ...counts, "data: [DONE]\n"]);
}

interface AnthropicAnswer {
  deltas: string[];
  stopReason?: string;
  inputUsage?: Record<string, unknown>;
  outputTokens?: number;
  /** Ends the stream with this error event instead of a stop. */
  error?: Record<string, unknown>;
  /** It stops behind its text, in good order. */
  isCut?: boolean;
}

/** Anthropic's Messages events. */
export function anthropicStream({ deltas, stopReason = "end_turn", inputUsage = { input_tokens: 100 }, outputTokens = 20, error, isCut = false }: AnthropicAnswer): Response {
  const event = (type: string, fields: Record<string, unknown>) => `event: ${type}\ndata: ${JSON.stringify({ type, ...fields })}\n`;
  const message = { id: "msg_1", type: "message", role: "assistant", model: "m", content: [], stop_reason: null, stop_sequence: null, usage: { ...inputUsage, output_tokens: 1 } };
  const texts = deltas.map((text) => event("content_block_delta", { index: 0, delta: { type: "text_delta", text } }));
  const end =
    error === undefined
      ? [
          event("content_block_stop", { index: 0 }),
          event("message_delta", { delta: { stop_reason: stopReason, stop_sequence: null }, usage: { output_tokens: outputTokens } }),
          event("message_stop", {}),
        ]
      : [event("error", { error })];
  return eventStream([event("message_start", { message }), event("content_block_start", { index: 0, content_block: { type: "text", text: "" } }), ...texts, ...(isCut ? [] : end)]);
}

export function problem(status: number, body: unknown, headers: Record<string, string> = {}): Response {
  return new Response(JSON.stringify(body), { status, headers: { "content-type": "application/json", ...headers } });
}
