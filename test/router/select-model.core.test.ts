import { describe, expect, test } from "vitest";
import { DEFAULT_TIERS } from "../../src/config/default-tiers.ts";
import type { TierDocument } from "../../src/config/tiers.ts";
import { findBaselineModel, type ModelRequest, selectModel } from "../../src/router/select-model.ts";

const NOTHING: ModelRequest = { model: null, tier: null, taskType: null };

function choose(request: Partial<ModelRequest>, configured: string[], document: TierDocument = DEFAULT_TIERS) {
  return selectModel({ ...NOTHING, ...request }, document, (providerId) => configured.includes(providerId));
}

function modelOf(request: Partial<ModelRequest>, configured: string[], document?: TierDocument): string | undefined {
  const selection = choose(request, configured, document);
  return "failure" in selection ? undefined : `${selection.route.tier} ${selection.route.model}`;
}

describe("selectModel", () => {
  const ALL = ["anthropic", "openai", "google", "ollama", "workers-ai", "offline"];

  test.each<[string, Partial<ModelRequest>, string[], string]>([
    ["the default tier is base", {}, ALL, "base claude-sonnet-4"],
    ["a type of 1 point goes to weak", { taskType: "file_scan" }, ALL, "weak claude-haiku-4"],
    ["a type of 2 points goes to base", { taskType: "documentation" }, ALL, "base claude-sonnet-4"],
    ["a type of 3 points goes to base", { taskType: "planning" }, ALL, "base claude-sonnet-4"],
    ["a type of 4 points goes to strong", { taskType: "security_review" }, ALL, "strong claude-opus-4"],
    ["a tier beats a type", { tier: "weak", taskType: "security_review" }, ALL, "weak claude-haiku-4"],
    ["the first configured model of the list", { tier: "weak" }, ["ollama", "google", "offline"], "weak gemini-2.5-flash"],
    ["the embedded engine when nothing else is configured", { tier: "strong" }, ["google", "offline"], "strong offline"],
    ["a pinned model is taken whatever else there is", { model: "offline" }, ALL, "weak offline"],
    ["a pinned model keeps the tier that lists it", { model: "offline", tier: "strong" }, ALL, "strong offline"],
    ["a pinned model stays in its own tier otherwise", { model: "gpt-5-pro", tier: "weak" }, ALL, "strong gpt-5-pro"],
  ])("%s", (_, request, configured, expected) => {
    expect(modelOf(request, configured)).toBe(expected);
  });

  test("the embedded engine is never chosen before another configured model, wherever it stands", () => {
    const document = { ...DEFAULT_TIERS, tiers: { ...DEFAULT_TIERS.tiers, weak: ["offline", "claude-haiku-4"] } };
    expect(modelOf({ tier: "weak" }, ["anthropic", "offline"], document)).toBe("weak claude-haiku-4");
  });

  test("the reason is a sentence about tier and model", () => {
    expect(choose({ taskType: "file_scan" }, ["offline"])).toMatchObject({
      route: { provider: "offline", complexity: null, reason: "Tasks of type file_scan go to tier weak; no other model of it is configured, so the embedded offline engine answers." },
    });
  });

  test.each<[string, Partial<ModelRequest>, string[], RegExp]>([
    ["an unknown pinned model", { model: "gone" }, ["offline"], /gone is pinned but not in the tiers document/],
    ["an unconfigured pinned model", { model: "claude-opus-4" }, ["offline"], /set ANTHROPIC_API_KEY for claude-opus-4/],
    ["a tier without a configured model", { tier: "weak" }, [], /set ANTHROPIC_API_KEY for claude-haiku-4.*set CLOUDFLARE_API_TOKEN and CLOUDFLARE_ACCOUNT_ID for llama/],
  ])("%s fails for good and names what to configure", (_, request, configured, message) => {
    expect(choose(request, configured)).toEqual({ failure: { code: "provider_unavailable", message: expect.stringMatching(message), retryable: false } });
  });
});

test("the baseline is the strong tier's first model that is no embedded engine", () => {
  expect(findBaselineModel(DEFAULT_TIERS)?.id).toBe("claude-opus-4");
  expect(findBaselineModel({ ...DEFAULT_TIERS, tiers: { ...DEFAULT_TIERS.tiers, strong: ["offline", "gpt-5-pro"] } })?.id).toBe("gpt-5-pro");
  expect(findBaselineModel({ ...DEFAULT_TIERS, tiers: { ...DEFAULT_TIERS.tiers, strong: ["offline"] } })).toBeNull();
});
