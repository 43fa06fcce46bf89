import { describe, expect, test } from "vitest";
import { BUILT_IN_AGENTS } from "../../../src/config/built-in-agents.ts";
import { Settings } from "../../../src/config/settings.ts";
import type { ModelEntry, TierDocument } from "../../../src/config/tiers.ts";
import type { PlanModels } from "../../../src/consumer/planning/plan-task.ts";
import { planWorkflow } from "../../../src/consumer/planning/plan-workflow.ts";
import { validateSpec, type AcceptedSpec } from "../../../src/workflow/spec/validate-spec.ts";

function modelOf(id: string, perMillionUsd: number, quality: number): ModelEntry {
  return { id, provider: "p", tier: "base", price: { inputPerMillionUsd: perMillionUsd, outputPerMillionUsd: perMillionUsd }, contextWindow: 100_000, maxOutputTokens: 4_000, capabilities: [], quality };
}

const DOCUMENT: TierDocument = { providers: [{ id: "p", kind: "openai" }], models: [modelOf("dear", 10, 9), modelOf("cheap", 1, 5)], tiers: { weak: [], base: ["dear", "cheap"], strong: [] } };
const MODELS: PlanModels = { document: DOCUMENT, isConfigured: () => true, settings: Settings.parse({}), metrics: null, failureRate: () => 0 };

function accept(tasks: object[]): AcceptedSpec {
  const accepted = validateSpec({ tasks, strategy: "quality" }, { agents: (name) => BUILT_IN_AGENTS[name] ?? null, models: null, isAllowedUrl: () => null, isAllowedSecretName: () => true });
  if ("faults" in accepted) throw new Error(JSON.stringify(accepted.faults));
  return accepted;
}

const task = (id: string, dependsOn: string[] = []) => ({ id, agent: "planner", tier: "base", dependsOn, input: { prompt: "Do it." } });
const CHAIN = accept([task("a"), task("b", ["a"]), task("c", ["b"])]);

describe("planning anew during a run", () => {
  const whole = planWorkflow(CHAIN, MODELS, 0);
  const only = new Set(["b", "c"]);

  test("plans the tasks that have not started, as the first plan did, and counts only them", () => {
    const rest = planWorkflow(CHAIN, MODELS, 0, { only });
    expect(rest.tasks["a"]).toMatchObject({ model: null, expectedNanoUsd: 0, worstTokens: 0 });
    expect(rest.tasks["b"]).toEqual(whole.tasks["b"]);
    expect(rest.expectedNanoUsd).toBe(whole.tasks["b"]!.expectedNanoUsd + whole.tasks["c"]!.expectedNanoUsd);
    expect(rest.expectedMs).toBeLessThan(whole.expectedMs);
  });

  test("takes cheaper models for them until what is left of the budget is expected to reach", () => {
    const rest = planWorkflow(CHAIN, MODELS, 0, { only });
    const enough = planWorkflow(CHAIN, MODELS, 0, { only, budgetLeftNanoUsd: rest.expectedNanoUsd });
    expect(enough.deviations).toEqual({});
    const short = planWorkflow(CHAIN, MODELS, 0, { only, budgetLeftNanoUsd: rest.expectedNanoUsd - 1 });
    expect(Object.values(short.deviations)).toEqual(["cheap"]);
    expect(short.expectedNanoUsd).toBeLessThan(rest.expectedNanoUsd);
    expect(planWorkflow(CHAIN, MODELS, 0, { only, budgetLeftNanoUsd: 0 }).deviations).toEqual({ b: "cheap", c: "cheap" });
  });

  test("with nothing left to plan expects nothing", () => {
    expect(planWorkflow(CHAIN, MODELS, 0, { only: new Set() })).toMatchObject({ expectedNanoUsd: 0, worstNanoUsd: 0, expectedMs: 0, deviations: {} });
  });
});
