import type { OpenAiError } from "./openai-error.ts";

/** What a provider gave, in OpenAI's form whatever its own is. Whatever is thrown instead means that no whole answer came. */
export type ProviderAnswer =
  /** `key`: what the provider was sent as its key, if it may still stand in the stream. */
  | { kind: "stream"; body: ReadableStream<Uint8Array>; key: string | null }
  /** A chat completion, as JSON. */
  | { kind: "whole"; text: string }
  /** It has served the call, or some of it, but nothing that can be passed on. `usage`: what it says of that, if anything. */
  | { kind: "unusable"; error: unknown; usage: unknown }
  /** Bills nothing. `error`: for the failure's classification; `refusal`: what it says to the client, where it says anything. */
  | { kind: "refused"; error: unknown; refusal: OpenAiError | null };
