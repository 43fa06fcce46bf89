import type { JSONSchema7 } from "@ai-sdk/provider";
import type { ModelEntry, ProviderEntry } from "../../config/tiers.ts";
import type { Failure, Json } from "../../errors.ts";
import { boundPromptTokens } from "../../optimizer/tokens/prompt-bound.ts";
import type { TokenMargins } from "../../optimizer/tokens/token-margin.ts";
import type { CallOptions, LanguageModel } from "../../router/language-model.ts";
import type { LlmAgent } from "../../workflow/spec/agent.ts";
import type { AttemptCall, CallRecord, WorkOrder } from "../work-order.ts";
import type { CallCandidate, CallControl, CallEnd, CallFault } from "./call-with-fallback.ts";
import { classifyError } from "./llm-failure.ts";
import { readOutput } from "./llm-output.ts";
import { textsOf, type BuiltPrompt } from "./llm-prompt.ts";
import { recordCall } from "./llm-record.ts";
import type { WorstCase } from "./attempt-budget.ts";
import { streamAnswer, type Answer } from "./llm-stream.ts";

export interface LlmCallDeps {
  /** What is held for the call that is made now: what stands in the ledger for it when nobody counted it. */
  held: () => WorstCase;
  /** Takes the line of a call that billed something, and gives it the number under which it was held. */
  enter: (record: CallRecord, candidate: CallCandidate) => AttemptCall;
  /** Builds the callable model. May throw, which fails the call. */
  engine: (provider: ProviderEntry, model: ModelEntry) => Promise<LanguageModel>;
  /** The model that costs are compared with. */
  baseline: ModelEntry | null;
  /** Corrects estimated input tokens, and learns from reported ones. */
  margins: TokenMargins;
  /** Unix time in ms. */
  now: () => number;
  /** Hears the answer's text as it arrives. */
  onDelta?: (text: string) => void;
}

/** What every call of an attempt asks, whoever answers it. */
export interface LlmTask {
  order: WorkOrder;
  agent: LlmAgent;
  built: BuiltPrompt;
  /** The output cap that the budget leaves; without it the task's or the agent's. */
  outputCap?: number;
}

/** Calls one model once, prices the call, and reads and checks its answer: the task's output. Never rejects. */
export async function callLlm(task: LlmTask, candidate: CallCandidate, control: CallControl, deps: LlmCallDeps): Promise<CallEnd<Json>> {
  const model = await loadModel(candidate, deps);
  if ("fault" in model) return { answer: null, fault: model.fault, record: null, isPassedOn: false, quality: null };
  const options = callOptions(task, candidate);
  const answer = await streamAnswer(model.model, options, control.signal, { onFirstToken: control.onFirstToken, onDelta: deps.onDelta });
  const at = deps.now();
  const held = deps.held();
  const record = recordCall({
    model: candidate.model,
    baseline: deps.baseline,
    answer,
    estimatedInputTokens: task.built.inputTokens,
    maxInputTokens: held.inputTokens,
    maxOutputTokens: held.outputTokens,
    aborted: answer.failed !== null && control.signal.aborted,
    at,
    margins: deps.margins,
  });
  const common = { record: record === null ? null : deps.enter(record, candidate), isPassedOn: deps.onDelta !== undefined && answer.text !== "" };
  const fault = faultOf(answer, candidate, task.built, at);
  return fault === null ? { ...common, ...readAnswer(task.order, answer) } : { ...common, answer: null, fault, quality: null };
}

/** The output cap that is sent. */
export function capOutput({ order, agent, outputCap }: Pick<LlmTask, "order" | "agent" | "outputCap">, model: ModelEntry): number {
  return Math.min(outputCap ?? order.llm?.maxOutputTokens ?? agent.maxOutputTokens, model.maxOutputTokens);
}

/** Bounds of prompts, by kind of provider: each is asked for by several models. */
const promptBounds = new WeakMap<BuiltPrompt, Map<string, number>>();

/** The most tokens of input that a call can be billed for: by its texts, or by what the model has counted above our estimates. */
export function boundInput({ order, built }: Pick<LlmTask, "order" | "built">, { model, provider }: Pick<CallCandidate, "model" | "provider">, margins: TokenMargins): number {
  // Hosted models may be sent the schema once more, beside the prompt that holds it.
  const schema = model.capabilities.includes("json") ? (order.llm?.outputSchema ?? null) : null;
  const bounds = promptBounds.get(built) ?? new Map<string, number>();
  promptBounds.set(built, bounds);
  const name = `${provider.kind}:${schema !== null}`;
  let bound = bounds.get(name);
  if (bound === undefined) {
    bound = boundPromptTokens({ texts: built.prompt.flatMap(textsOf), messages: built.prompt.length, schemas: schema === null ? [] : [JSON.stringify(schema)] }, provider.kind);
    bounds.set(name, bound);
  }
  return margins.secure(model.id, bound, built.inputTokens);
}

async function loadModel({ provider, model }: CallCandidate, deps: LlmCallDeps): Promise<{ model: LanguageModel } | { fault: CallFault }> {
  try {
    return { model: await deps.engine(provider, model) };
  } catch (error) {
    const reason = error instanceof Error ? error.message : "its engine cannot be built";
    const failure: Failure = { code: "provider_rejected", message: `${provider.id} cannot be called: ${reason}`.slice(0, 500), retryable: false };
    return { fault: { failure, retryAfterMs: null, isHealthFailure: false } };
  }
}

function callOptions(task: LlmTask, { model, provider }: CallCandidate): CallOptions {
  return {
    prompt: task.built.prompt,
    maxOutputTokens: capOutput(task, model),
    temperature: task.agent.temperature ?? undefined,
    responseFormat: responseFormat(task.order.llm?.outputSchema ?? null, model, provider),
    providerOptions: {
      // `store`: nothing that a workflow sends is kept at the provider. Strict schemas forbid much of JSON Schema; we check the answer anyway.
      openai: { store: false, strictJsonSchema: false },
      openaiCompatible: { strictJsonSchema: false },
    },
  };
}

/** Hosted models take schemas of objects only; any other schema is asked for in the prompt alone. */
function responseFormat(schema: unknown, model: ModelEntry, provider: ProviderEntry): CallOptions["responseFormat"] {
  if (typeof schema !== "object" || schema === null || !model.capabilities.includes("json")) return undefined;
  const isObject = (schema as JSONSchema7).type === "object";
  return isObject || provider.kind === "offline" ? { type: "json", schema: schema as JSONSchema7, name: "output" } : undefined;
}

/** What is wrong with an answer before anybody reads it; null when nothing is. */
function faultOf(answer: Answer, { provider, model }: CallCandidate, built: BuiltPrompt, now: number): CallFault | null {
  const name = `${provider.id} (${model.id})`;
  const fault = (code: Failure["code"], message: string, retryable: boolean, isHealthFailure: boolean): CallFault => ({ failure: { code, message, retryable }, retryAfterMs: null, isHealthFailure });
  if (answer.failed !== null) return classifyError(answer.failed.error, { provider: provider.id, model: model.id, sentTexts: built.prompt.flatMap(textsOf), now });
  if (answer.tooLong) return fault("output_invalid", `${name} gave an answer over 1 MiB, which cannot be stored`, false, false);
  if (answer.finishReason === "content-filter") return fault("provider_rejected", `${name} refused the content`, false, false);
  if (answer.finishReason === null || answer.finishReason === "error" || answer.finishReason === "interrupted") {
    return fault("provider_unavailable", `${name} ended its answer before it was complete`, true, true);
  }
  if (answer.text.trim() !== "") return null;
  // A cap that leaves no room for text is the caller's, and no sign of a sick model.
  if (answer.finishReason === "length") return fault("provider_unavailable", `${name} gave an empty answer: the output limit was used up before any text`, true, false);
  return fault("provider_unavailable", `${name} gave an empty answer`, true, true);
}

function readAnswer({ llm }: WorkOrder, answer: Answer): Pick<CallEnd<Json>, "answer" | "fault" | "quality"> {
  const schema = llm?.outputSchema ?? null;
  if (schema === null) return { answer: answer.text, fault: null, quality: null };
  const read = readOutput(answer.text, schema);
  if ("output" in read) return { answer: read.output, fault: null, quality: 1 };
  const cut = answer.finishReason === "length" ? " It was cut at the output limit." : "";
  const failure = { ...read.failure, message: read.failure.message + cut };
  // A schema that no answer can satisfy says nothing about who answered.
  return { answer: null, fault: { failure, retryAfterMs: null, isHealthFailure: false }, quality: failure.retryable ? 0 : null };
}
