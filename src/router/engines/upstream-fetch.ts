import type { Fetch } from "../language-model.ts";
import { createKeyFilter, redactKey } from "../redact-key.ts";

/** The headers in which provider packages put the API key. */
const KEY_HEADERS = ["authorization", "x-api-key", "x-goog-api-key"];
/** Most bytes of one answer. The packages put events together in memory without a bound, and an isolate has 128 MB. */
export const MAX_UPSTREAM_BYTES = 33_554_432;
/** No answer can be made with a body and one of these. */
const BODILESS_STATUSES = new Set([101, 204, 205, 304]);
/** Enough of an error to read what it says. */
export const MAX_UPSTREAM_ERROR_BYTES = 65_536;

/**
 * Redirects of a call are not followed: the answer's status says so, and a key never travels to another origin.
 * Without a key the empty key headers of the packages are left out. An answer is bounded, and holds the key no more
 * when a provider quotes it.
 */
export function guardFetch(fetch: Fetch, apiKey: string | null): Fetch {
  return async (input, init) => {
    try {
      const headers = new Headers(init?.headers);
      if (apiKey === null) for (const name of KEY_HEADERS) headers.delete(name);
      const response = await fetch(input, { ...init, headers, redirect: "manual" });
      if (response.body === null || BODILESS_STATUSES.has(response.status)) return response;
      const body = response.ok ? boundBody(response.body, apiKey) : await readError(response.body, apiKey);
      return new Response(body, { status: response.status, headers: describeBody(response.headers) });
    } catch (error) {
      throw withoutKey(error, apiKey);
    }
  };
}

/** A key that cannot stand in a header is quoted by the platform's error. */
function withoutKey(error: unknown, apiKey: string | null): unknown {
  if (error instanceof Error) error.message = redactKey(error.message, apiKey);
  return error;
}

/** Without what was said of the bytes as they came: these are decoded and may be others. */
function describeBody(headers: Headers): Headers {
  const kept = new Headers(headers);
  for (const name of ["content-length", "content-encoding", "transfer-encoding"]) kept.delete(name);
  return kept;
}

function boundBody(source: ReadableStream<Uint8Array>, apiKey: string | null): ReadableStream<Uint8Array> {
  const reader = source.getReader();
  const filter = createKeyFilter(apiKey);
  let bytesLeft = MAX_UPSTREAM_BYTES;
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        for (;;) {
          const { done, value } = await reader.read().catch((error: unknown) => Promise.reject(withoutKey(error, apiKey)));
          const passed = done ? filter.flush() : filter.push(value);
          if (passed.byteLength > 0) controller.enqueue(passed);
          if (done) return controller.close();
          bytesLeft -= value.byteLength;
          if (bytesLeft < 0) {
            void reader.cancel().catch(() => undefined);
            throw new Error(`its answer is over ${MAX_UPSTREAM_BYTES} bytes`);
          }
          if (passed.byteLength > 0) return;
        }
      },
      cancel: (reason) => reader.cancel(reason),
    },
    { highWaterMark: 0 },
  );
}

/** The beginning of a refusal. */
async function readError(source: ReadableStream<Uint8Array>, apiKey: string | null): Promise<string> {
  const reader = source.getReader();
  const decoder = new TextDecoder();
  let text = "";
  let bytesLeft = MAX_UPSTREAM_ERROR_BYTES;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return redactKey(text + decoder.decode(), apiKey);
    text += decoder.decode(value.subarray(0, bytesLeft), { stream: true });
    bytesLeft -= value.byteLength;
    if (bytesLeft > 0) continue;
    void reader.cancel().catch(() => undefined);
    return redactKey(text, apiKey);
  }
}
