import { describe, expect, test } from "vitest";
import { DEFAULT_TIERS } from "../../src/config/default-tiers.ts";
import { Settings } from "../../src/config/settings.ts";
import type { Models } from "../../src/consumer/load-models.ts";
import { TokenMargins } from "../../src/optimizer/tokens/token-margin.ts";
import { createTestApi } from "./fake-ports.ts";

const NOW = Date.UTC(2026, 10, 1);
const NOT_MEASURED = { calls: 0, successRate: null, latencyMs: null, timeToFirstTokenMs: null, tokensPerSecond: null, costPer1kTokensUsd: null, quality: null, updatedAt: NOW };

function createModels(changes: Partial<Models> = {}): Models {
  return {
    document: DEFAULT_TIERS,
    isConfigured: () => true,
    engine: () => Promise.reject(new Error("a route calls no model")),
    settings: Settings.parse({}),
    metrics: null,
    health: { observe: () => undefined, acquireProbe: async () => true, acquireRate: async () => true },
    failureRate: () => 0,
    margins: new TokenMargins(),
    ...changes,
  };
}

function routeWith(body: unknown, changes: Partial<Models> = {}) {
  return createTestApi({ loadModels: async () => createModels(changes) }).ask("POST", "/v1/route", body);
}

async function answerOf(body: unknown, changes: Partial<Models> = {}) {
  const response = await routeWith(body, changes);
  expect(response.status).toBe(200);
  return (await response.json()) as { complexity: { score: number; factors: Record<string, number> }; tier: string; model: string; reason: string; candidates: { model: string; chosen: boolean; reason: string; tier: string; score: number | null; expectedUsd: number }[]; fallbacks: string[] };
}

describe("POST /v1/route", () => {
  test("answers the score with its factors, the choice, every candidate with its reason, and who takes over", async () => {
    const answer = await answerOf({ type: "code_review", contextTokens: 10_000, files: 6, failures: 0.5, strategy: "quality" });
    expect(answer).toMatchObject({ complexity: { score: 6, factors: { context: 2, type: 2, files: 2, failures: 0.5 } }, tier: "base", provider: expect.any(String) });
    expect(answer.candidates.filter(({ chosen }) => chosen).map(({ model }) => model)).toEqual([answer.model]);
    expect(answer.candidates.every(({ reason }) => reason !== "")).toBe(true);
    expect(new Set(answer.candidates.map(({ tier }) => tier))).toEqual(new Set(["base", "strong"]));
    expect(answer.fallbacks).not.toContain(answer.model);
    expect(answer.fallbacks).not.toContain("offline");
  });

  test("an absent body, and null for any field, is a small general task", async () => {
    for (const body of [undefined, {}, { type: null, prompt: null, contextTokens: null, files: null, failures: null, intent: null, strategy: null, tier: null, maxOutputTokens: null, needs: null, budget: null }]) {
      expect(await answerOf(body)).toMatchObject({ complexity: { score: 2, factors: { type: 2, context: 1, files: 1, failures: 0 } }, tier: "weak" });
    }
  });

  test("type, context and files are read from the prompt unless they are given", async () => {
    const prompt = "Review this diff: src/a.ts, src/b.ts, src/c.ts, src/d.ts, src/e.ts and src/f.ts";
    expect(await answerOf({ prompt })).toMatchObject({ complexity: { factors: { type: 2, files: 2 } } });
    expect(await answerOf({ prompt, files: 1, type: "planning", contextTokens: 64_000 })).toMatchObject({ complexity: { factors: { type: 3, files: 1, context: 3 } } });
    expect(await answerOf({ prompt: "Hm.", intent: "transform" })).toMatchObject({ complexity: { factors: { type: 1 } } });
  });

  test("failures are the tenant's of that type unless they are given", async () => {
    const changes = { failureRate: (type: string) => (type === "planning" ? 0.75 : 0) };
    expect(await answerOf({ type: "planning" }, changes)).toMatchObject({ complexity: { factors: { failures: 0.75 } } });
    expect(await answerOf({ type: "planning", failures: 0 }, changes)).toMatchObject({ complexity: { factors: { failures: 0 } } });
  });

  test("needs and budget filter the candidates, who say so", async () => {
    const answer = await answerOf({ tier: "weak", needs: ["vision"], contextTokens: 1_000, maxOutputTokens: 1_000, budget: { maxUsd: 0.001 } });
    expect(answer.model).toBe("gemini-2.5-flash");
    const reasons = Object.fromEntries(answer.candidates.map(({ model, reason }) => [model, reason]));
    expect(reasons["gpt-oss:120b-cloud"]).toContain("no vision");
    expect(reasons["claude-haiku-4"]).toContain("may cost $0.00156");
  });

  test("tokens that leave no answer are told with the least that would do: of a short answer, its length", async () => {
    const messageOf = async (body: object): Promise<string> => ((await (await createTestApi().ask("POST", "/v1/route", body)).json()) as { errors: { message: string }[] }).errors[0]!.message;
    expect(await messageOf({ contextTokens: 1_000, budget: { maxTokens: 1_063 } })).toMatch(/leaves 63 tokens .* at least 64 are needed/);
    expect(await messageOf({ contextTokens: 1_000, maxOutputTokens: 10, budget: { maxTokens: 1_009 } })).toMatch(/leaves 9 tokens .* at least 10 are needed/);
  });

  test.each<[string, Record<string, unknown>, string]>([
    ["a context that is too large for all", { tier: "strong", contextTokens: 900_000_000 }, "/contextTokens"],
    ["money that no model is content with", { tier: "strong", contextTokens: 1_000, maxOutputTokens: 64, budget: { maxUsd: 0 } }, "/budget/maxUsd"],
    ["tokens that leave no answer", { contextTokens: 1_000, budget: { maxTokens: 1_063 } }, "/budget/maxTokens"],
    ["an unknown key", { kind: "x" }, "/kind"],
    ["an unknown type", { type: "x" }, "/type"],
    ["a failure rate above 1", { failures: 1.1 }, "/failures"],
  ])("%s is 422 and named", async (_, body, path) => {
    const response = await routeWith(body, { isConfigured: (id) => id !== "offline" });
    expect(response.status).toBe(422);
    expect(await response.json()).toMatchObject({ errors: [{ path }] });
  });

  test("the smallest answer that a token budget may leave is 64", async () => {
    expect((await routeWith({ contextTokens: 1_000, budget: { maxTokens: 1_064 } })).status).toBe(200);
  });

  test("models that all rest are 503 with the time at which the first comes back", async () => {
    const rest = (openUntil: number) => ({ ...NOT_MEASURED, circuit: { state: "open" as const, openUntil } });
    const models = Object.fromEntries(DEFAULT_TIERS.models.map(({ id }) => [id, rest(NOW + (id === "claude-sonnet-4" ? 7_200 : 60_000))]));
    const response = await routeWith({ tier: "base" }, { isConfigured: (provider) => provider !== "offline", metrics: { at: NOW, models } });
    expect([response.status, response.headers.get("retry-after")]).toEqual([503, "8"]);
    expect(await response.json()).toMatchObject({ type: "urn:weft:problem:unavailable", detail: expect.stringContaining("base") });
  });

  test("nothing configured is 503 and says what to set, without values", async () => {
    const response = await routeWith({ tier: "strong" }, { isConfigured: () => false });
    expect(response.status).toBe(503);
    expect(await response.json()).toMatchObject({ detail: expect.stringContaining("set ANTHROPIC_API_KEY for claude-opus-4") });
  });
});
