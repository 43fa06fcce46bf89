import { MAX_ERROR_CHARACTERS } from "./ask-directly.ts";
import { isRecord } from "./event-watch.ts";
import { refuseRequest, type OpenAiError } from "./openai-error.ts";

/** What refusals are called that come without a status; any other is the request's fault. */
const STATUS_OF_NAME: readonly [RegExp, number][] = [[/authentication|api_key/i, 401], [/permission/i, 403], [/billing|payment/i, 402], [/not_found/i, 404]];

/**
 * The words of a provider that reports an error inside an answer with a 200. Null where it is none of its own: what was thrown on the way.
 * Whether the error is one to be told at all, or one after which another model is asked, is not decided here.
 */
export function viewProviderError(error: unknown): OpenAiError | null {
  if (!isRecord(error) || error instanceof Error || typeof error["message"] !== "string") return null;
  const { message, type, param, code, status } = error;
  const textOf = (value: unknown): string | null => (typeof value === "string" ? value.slice(0, MAX_ERROR_CHARACTERS) : null);
  const named = [status, code].find((value) => typeof value === "number" && value >= 400 && value < 600);
  const byName = STATUS_OF_NAME.find(([pattern]) => pattern.test(`${textOf(type)} ${textOf(code)}`));
  return {
    ...refuseRequest(message.slice(0, MAX_ERROR_CHARACTERS), textOf(param), textOf(code)),
    status: typeof named === "number" ? named : (byName?.[1] ?? 400),
    type: textOf(type) ?? "invalid_request_error",
  };
}
