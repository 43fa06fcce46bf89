import type { JSONSchema7 } from "@ai-sdk/provider";
import type { ModelEntry, ProviderEntry, TierDocument } from "../../config/tiers.ts";
import type { Failure } from "../../errors.ts";
import type { CallOptions, LanguageModel } from "../../router/language-model.ts";
import type { TokenMargins } from "../../optimizer/token-margin.ts";
import { findBaselineModel, selectModel, type ModelRequest, type Selection } from "../../router/select-model.ts";
import { TaskType, type LlmAgent } from "../../workflow/agent.ts";
import type { CallRecord, Outcome, Route, WorkOrder } from "../work-order.ts";
import { classifyError } from "./llm-failure.ts";
import { readOutput } from "./llm-output.ts";
import { buildPrompt, textsOf, type BuiltPrompt } from "./llm-prompt.ts";
import { recordCall } from "./llm-record.ts";
import { streamAnswer, type Answer } from "./llm-stream.ts";

export interface LlmDeps {
  document: TierDocument;
  /** Builds the callable model. May throw, which fails the attempt. */
  engine: (provider: ProviderEntry, model: ModelEntry) => Promise<LanguageModel>;
  isConfigured: (providerId: string) => boolean;
  /** How the models' counts have differed from our estimates. */
  margins: TokenMargins;
  /** Unix time in ms. */
  now: () => number;
  /** Aborted when the attempt's time is over or its result no longer wanted. */
  signal: AbortSignal;
  /** Hears the answer's text as it arrives. */
  onDelta?: (text: string) => void;
}

/** Runs one attempt of a language-model task: chooses the model, calls it once, prices the call, and reads its answer. Throws only for an order of another kind of agent. */
export async function runLlmAttempt(order: WorkOrder, deps: LlmDeps): Promise<Outcome> {
  if (order.agent.kind !== "llm") throw new Error(`task ${order.taskId} is no language-model task`);
  const selection = selectModel(requestOf(order, order.agent), deps.document, deps.isConfigured);
  if ("failure" in selection) return failed(selection.failure, null);
  const route: Route = { ...selection.route, fallbacks: [] };
  const built = buildPrompt(order, order.agent);
  if ("failure" in built) return failed(built.failure, route);
  if (deps.signal.aborted) return failed(timeoutFailure(selection), route);
  const model = await loadModel(selection, deps);
  if ("failure" in model) return failed(model.failure, route);

  const options = callOptions(order, order.agent, selection, built);
  const answer = await streamAnswer(model.model, options, deps.signal, deps.onDelta);
  const at = deps.now();
  const call = recordCall({
    model: selection.model,
    baseline: findBaselineModel(deps.document),
    answer,
    estimatedInputTokens: built.inputTokens,
    maxOutputTokens: options.maxOutputTokens ?? selection.model.maxOutputTokens,
    aborted: answer.failed !== null && deps.signal.aborted,
    at,
    margins: deps.margins,
  });
  const calls = call === null ? [] : [call];
  const fault = faultOf(answer, selection, built, deps.signal, at);
  if (fault !== null) return failed(fault.failure, route, calls, fault.retryAfterMs);
  return readAnswer(order, answer, { calls, route, context: built.context });
}

/** The task's own wishes come before its agent's; a tier that the task names beats a model that the agent pins. */
function requestOf({ llm }: WorkOrder, agent: LlmAgent): ModelRequest {
  const taskType = TaskType.safeParse(llm?.taskType).data ?? agent.taskType;
  if (llm?.model != null || llm?.tier != null) return { model: llm.model, tier: llm.tier, taskType };
  return { model: agent.model, tier: agent.tier, taskType };
}

async function loadModel({ provider, model }: Selection, deps: LlmDeps): Promise<{ model: LanguageModel } | { failure: Failure }> {
  try {
    return { model: await deps.engine(provider, model) };
  } catch (error) {
    const reason = error instanceof Error ? error.message : "its engine cannot be built";
    return { failure: { code: "provider_rejected", message: `${provider.id} cannot be called: ${reason}`.slice(0, 500), retryable: false } };
  }
}

function callOptions({ llm }: WorkOrder, agent: LlmAgent, { model, provider }: Selection, built: BuiltPrompt): CallOptions {
  return {
    prompt: built.prompt,
    maxOutputTokens: Math.min(llm?.maxOutputTokens ?? agent.maxOutputTokens, model.maxOutputTokens),
    temperature: agent.temperature ?? undefined,
    responseFormat: responseFormat(llm?.outputSchema ?? null, model, provider),
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

interface Fault {
  failure: Failure;
  retryAfterMs: number | null;
}

/** What is wrong with an answer before anybody reads it; null when nothing is. */
function faultOf(answer: Answer, selection: Selection, built: BuiltPrompt, signal: AbortSignal, now: number): Fault | null {
  const name = `${selection.provider.id} (${selection.model.id})`;
  const fault = (code: Failure["code"], message: string, retryable: boolean): Fault => ({ failure: { code, message, retryable }, retryAfterMs: null });
  if (answer.failed !== null && signal.aborted) return { failure: timeoutFailure(selection), retryAfterMs: null };
  if (answer.failed !== null) {
    const sentTexts = built.prompt.flatMap(textsOf);
    return classifyError(answer.failed.error, { provider: selection.provider.id, model: selection.model.id, sentTexts, now });
  }
  if (answer.tooLong) return fault("output_invalid", `${name} gave an answer over 1 MiB, which cannot be stored`, false);
  if (answer.finishReason === "content-filter") return fault("provider_rejected", `${name} refused the content`, false);
  if (answer.finishReason === null || answer.finishReason === "error" || answer.finishReason === "interrupted") {
    return fault("provider_unavailable", `${name} ended its answer before it was complete`, true);
  }
  if (answer.text.trim() !== "") return null;
  const why = answer.finishReason === "length" ? ": the output limit was used up before any text" : "";
  return fault("provider_unavailable", `${name} gave an empty answer${why}`, true);
}

function readAnswer(order: WorkOrder, answer: Answer, common: { calls: CallRecord[]; route: Route; context: BuiltPrompt["context"] }): Outcome {
  const schema = order.llm?.outputSchema ?? null;
  if (schema === null) return { status: "completed", output: answer.text, ...common };
  const read = readOutput(answer.text, schema);
  if ("output" in read) return { status: "completed", output: read.output, ...common };
  const cut = answer.finishReason === "length" ? " It was cut at the output limit." : "";
  return failed({ ...read.failure, message: read.failure.message + cut }, common.route, common.calls);
}

function timeoutFailure({ provider, model }: Selection): Failure {
  return { code: "timeout", message: `the attempt's time was over before ${provider.id} (${model.id}) had answered`, retryable: true };
}

function failed(failure: Failure, route: Route | null, calls: CallRecord[] = [], retryAfterMs: number | null = null): Outcome {
  return { status: "failed", failure, retryAfterMs, calls, route };
}
