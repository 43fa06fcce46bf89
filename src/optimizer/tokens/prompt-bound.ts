import type { ProviderKind } from "../../config/tiers.ts";
import { measureUpperBound } from "./token-bound.ts";

/** Everything of a request that a provider counts as input. */
export interface SentPrompt {
  /** The texts of all messages, the system's included. */
  texts: readonly string[];
  /** How many messages they stand in. */
  messages: number;
  /** Schemas of the answer and of tools, with their names and descriptions, as JSON. */
  schemas: readonly string[];
}

/** Role and separators of a message: 4 with OpenAI's models, and one to spare. */
const MESSAGE_TOKENS = 5;
/** The answer's beginning (3 with OpenAI's models), and what a short text of nothing but signs or codes can lie above its bound. */
const PROMPT_TOKENS = 13;

/** What a provider puts around schemas: Anthropic lists system texts of up to 530 tokens for tools, which is how it is asked for an answer of a schema; the others' are short. */
const SCHEMA_TOKENS: Record<ProviderKind, number> = { anthropic: 530, openai: 60, google: 60, "workers-ai": 60, "openai-compatible": 60, offline: 0 };

/**
 * How many more tokens a provider's tokenizers make of the same text than those that the bound is made for. Anthropic's are reported to need a fifth to
 * three tenths more; Google's and most open models' split digits. What a model reports corrects its own margin upwards (`TokenMargins`).
 */
const FAMILY_FACTOR: Record<ProviderKind, number> = { anthropic: 1.3, openai: 1, google: 1.15, "workers-ai": 1.1, "openai-compatible": 1.1, offline: 1 };

/** What a prompt's bound is made of, once its texts have been measured: it differs by family. */
export interface MeasuredPrompt {
  /** Upper bound of the texts and schemas, unrounded. */
  textTokens: number;
  messages: number;
  hasSchemas: boolean;
}

/** Linear in the texts. */
export function measurePrompt({ texts, messages, schemas }: SentPrompt): MeasuredPrompt {
  const textTokens = [...texts, ...schemas].reduce((sum, part) => sum + Math.max(measureUpperBound(part), part.length / 4), 0);
  return { textTokens, messages, hasSchemas: schemas.length > 0 };
}

/** The input tokens that a call must be reckoned with before it is made: at least what the provider will count, as far as that can be known. */
export function boundPromptTokens(prompt: SentPrompt, kind: ProviderKind): number {
  return boundMeasured(measurePrompt(prompt), kind);
}

export function boundMeasured({ textTokens, messages, hasSchemas }: MeasuredPrompt, kind: ProviderKind): number {
  return boundTexts({ textTokens, hasSchemas }, kind) + messages * MESSAGE_TOKENS + PROMPT_TOKENS;
}

/** What texts and schemas, measured for OpenAI's tokenizers, come to with those of another family, and with what it puts around schemas. */
export function boundTexts({ textTokens, hasSchemas }: Pick<MeasuredPrompt, "textTokens" | "hasSchemas">, kind: ProviderKind): number {
  return Math.ceil(textTokens * FAMILY_FACTOR[kind]) + (hasSchemas ? SCHEMA_TOKENS[kind] : 0);
}
