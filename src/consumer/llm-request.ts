import type { TaskSpec } from "../workflow/spec/spec.ts";
import type { LlmRequest } from "./work-order.ts";

/** What a task of a language-model agent pins or asks for, with what its workflow and agent say where it does not. */
export function createLlmRequest(spec: TaskSpec, agentTaskType: string | null, workflowStrategy: LlmRequest["strategy"] | undefined, plannedModel: string | null = null): LlmRequest {
  return {
    taskType: spec.type ?? agentTaskType,
    intent: spec.intent ?? null,
    tier: spec.tier ?? null,
    model: spec.model ?? null,
    plannedModel,
    strategy: spec.strategy ?? workflowStrategy ?? null,
    maxOutputTokens: spec.maxOutputTokens ?? null,
    outputSchema: spec.output?.schema ?? null,
    context: { mode: spec.context?.mode ?? "reduce", maxTokens: spec.context?.maxTokens ?? null, targetReduction: spec.context?.targetReduction ?? null },
    stream: spec.stream,
  };
}
