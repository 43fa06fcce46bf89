import { z } from "zod";

/** A refusal in the words of OpenAI's API, which its clients turn into their own error classes by status. */
export interface OpenAiError {
  status: number;
  message: string;
  type: "invalid_request_error" | "server_error" | (string & {});
  param: string | null;
  code: string | null;
  /** When to come back; null when waiting would not help. */
  retryAfterMs: number | null;
}

export function refuseRequest(message: string, param: string | null = null, code: string | null = null): OpenAiError {
  return { status: 400, message, type: "invalid_request_error", param, code, retryAfterMs: null };
}

export const AnsweredError = z.object({ error: z.object({ message: z.string(), type: z.string(), param: z.string().nullable(), code: z.string().nullable() }) });

/** The `error` member, as it stands in a body or in an event of a stream. */
export function viewError({ message, type, param, code }: OpenAiError): z.infer<typeof AnsweredError> {
  return { error: { message, type, param, code } };
}

export function answerError(error: OpenAiError): Response {
  const headers = new Headers({ "content-type": "application/json" });
  if (error.retryAfterMs !== null) headers.set("retry-after", String(Math.max(1, Math.ceil(error.retryAfterMs / 1_000))));
  return new Response(JSON.stringify(viewError(error)), { status: error.status, headers });
}
