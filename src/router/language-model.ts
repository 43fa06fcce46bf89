import type { LanguageModelV4, LanguageModelV4CallOptions, LanguageModelV4StreamPart, LanguageModelV4Usage } from "@ai-sdk/provider";

/** The one interface every engine speaks. The version stands here alone, so that a new major of the interface is one edit. */
export type LanguageModel = LanguageModelV4;
export type CallOptions = LanguageModelV4CallOptions;
export type StreamPart = LanguageModelV4StreamPart;
export type ProviderUsage = LanguageModelV4Usage;

/** `fetch` as engines use it: injected, so that tests record and the shell guards it. */
export type Fetch = (input: string | URL | Request, init?: RequestInit) => Promise<Response>;

/** A secret's value by its name; undefined when it is not set. */
export type ReadSecret = (name: string) => string | undefined;
