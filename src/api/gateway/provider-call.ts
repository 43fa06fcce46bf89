import type { OpenAiError } from "./openai-error.ts";

/** What a provider gave, in OpenAI's form whatever its own is. Whatever is thrown instead means that it could not be reached. */
export type ProviderAnswer =
  /** `key`: what the provider was sent as its key, if it may still stand in the stream. */
  | { kind: "stream"; body: ReadableStream<Uint8Array>; key: string | null }
  /** A chat completion, as JSON. */
  | { kind: "whole"; text: string }
  /** `error`: for the failure's classification; `refusal`: what it says to the client, where it says anything. */
  | { kind: "refused"; error: unknown; refusal: OpenAiError | null };
