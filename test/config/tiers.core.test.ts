import { describe, expect, test } from "vitest";
import { BUILT_IN_AGENTS } from "../../src/config/built-in-agents.ts";
import { DEFAULT_TIERS } from "../../src/config/default-tiers.ts";
import { MAX_MODELS, MAX_PRICE_PER_MILLION_USD, MAX_PROVIDERS, validateTierDocument } from "../../src/config/tiers.ts";
import { AgentDefinition, AgentName, type TierName } from "../../src/workflow/spec/agent.ts";

const allowAll = () => null;

function model(overrides: Record<string, unknown> = {}): Record<string, unknown> {
  return { id: "m", provider: "p", tier: "weak", price: { inputPerMillionUsd: 1, outputPerMillionUsd: 2 }, contextWindow: 8_000, maxOutputTokens: 1_000, capabilities: ["streaming"], ...overrides };
}

function body(overrides: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    providers: [{ id: "p", kind: "openai-compatible", baseUrl: "https://models.example/v1", secretName: "P_KEY" }],
    models: [model(), model({ id: "b", tier: "base" }), model({ id: "s", tier: "strong" })],
    tiers: { weak: ["m"], base: ["b"], strong: ["s"] },
    ...overrides,
  };
}

function pathsOf(value: unknown, isAllowedUrl: (url: string) => string | null = allowAll): string[] {
  const result = validateTierDocument(value, isAllowedUrl);
  return "faults" in result ? result.faults.map((fault) => fault.path) : [];
}

describe("validateTierDocument", () => {
  test("a good document comes back as it was given", () => {
    expect(validateTierDocument(body(), allowAll)).toEqual({ document: body() });
  });

  test("the default document is a good one", () => {
    expect(validateTierDocument(DEFAULT_TIERS, allowAll)).toEqual({ document: DEFAULT_TIERS });
  });

  test("the default document ends every tier with the embedded engine, and every model is listed", () => {
    for (const ids of Object.values(DEFAULT_TIERS.tiers)) expect(ids.at(-1)).toBe("offline");
    expect(new Set(Object.values(DEFAULT_TIERS.tiers).flat())).toEqual(new Set(DEFAULT_TIERS.models.map((entry) => entry.id)));
    for (const entry of DEFAULT_TIERS.models) expect(entry.price).toMatchObject({ date: expect.any(String), source: expect.any(String), cachedInputPerMillionUsd: expect.any(Number), reasoningPerMillionUsd: expect.any(Number) });
  });

  test.each([
    ["claude-haiku-4", "weak", 0.25, 1.25], ["gemini-2.5-flash", "weak", 0, 0], ["gpt-oss:120b-cloud", "weak", 0, 0],
    ["claude-sonnet-4", "base", 3, 15], ["claude-sonnet-4.5", "base", 3, 15], ["gemini-2.5-pro", "base", 0, 0],
    ["claude-opus-4", "strong", 15, 75], ["gpt-5-pro", "strong", 15, 120],
    ["llama-3.1-8b", "weak", 0.045, 0.384], ["claude-sonnet-5.5", "base", 2, 10], ["claude-opus-5.5", "strong", 4, 20],
  ])("has %s in the tier %s at %d and %d dollars per million tokens", (id, tier, input, output) => {
    expect(DEFAULT_TIERS.models.find((model) => model.id === id)).toMatchObject({ tier, price: { inputPerMillionUsd: input, outputPerMillionUsd: output } });
    expect(DEFAULT_TIERS.tiers[tier as TierName]).toContain(id);
  });

  test.each<[string, Record<string, unknown>, string[]]>([
    ["a provider id twice", { providers: [...(body()["providers"] as unknown[]), { id: "p", kind: "offline" }] }, ["/providers/1/id"]],
    ["a model id twice", { models: [...(body()["models"] as unknown[]), model()] }, ["/models/3/id"]],
    ["an unknown provider", { models: [model({ provider: "x" }), model({ id: "b", tier: "base" }), model({ id: "s", tier: "strong" })] }, ["/models/0/provider"]],
    ["an unknown model in a tier", { tiers: { weak: ["m", "x"], base: ["b"], strong: ["s"] } }, ["/tiers/weak/1"]],
    ["a model in another tier than its own", { tiers: { weak: ["m"], base: ["b", "m"], strong: ["s"] } }, ["/tiers/base/1"]],
    ["a model twice in a tier", { tiers: { weak: ["m", "m"], base: ["b"], strong: ["s"] } }, ["/tiers/weak/1"]],
    ["an empty tier", { tiers: { weak: ["m"], base: ["b"], strong: [] } }, ["/tiers/strong"]],
    ["a tier too few", { tiers: { weak: ["m"], base: ["b"] } }, ["/tiers/strong"]],
    ["an unknown key", { extra: 1 }, ["/extra"]],
    ["a key with slashes and tildes", { "a/b~": 1 }, ["/a~1b~0"]],
    ["a compatible server without an address", { providers: [{ id: "p", kind: "openai-compatible" }] }, ["/providers/0/baseUrl"]],
    ["the root key as a secret", { providers: [{ id: "p", kind: "anthropic", secretName: "ROOT_KEY" }] }, ["/providers/0/secretName"]],
    ["an account id that would change the URL", { providers: [{ id: "p", kind: "workers-ai", options: { accountId: "../x" } }] }, ["/providers/0/options/accountId"]],
    ["an unknown option", { providers: [{ id: "p", kind: "anthropic", options: { x: 1 } }] }, ["/providers/0/options/x"]],
    ["a name of the gateway", { models: [model({ id: "tier:weak" })], tiers: { weak: ["tier:weak"], base: ["tier:weak"], strong: ["tier:weak"] } }, ["/models/0/id", "/tiers/base/0", "/tiers/strong/0"]],
  ])("refuses %s", (_, overrides, expected) => {
    expect(pathsOf(body(overrides))).toEqual(expected);
  });

  test("names all faults at once, of shape and of meaning", () => {
    const faulty = body({
      models: [model({ price: { inputPerMillionUsd: -1, outputPerMillionUsd: 2 } }), model({ id: "b", tier: "base", provider: "nobody" }), model({ id: "s", tier: "strong" })],
      tiers: { weak: ["m"], base: ["b"], strong: ["lost"] },
    });
    expect(pathsOf(faulty)).toEqual(["/models/0/price/inputPerMillionUsd", "/models/1/provider", "/tiers/strong/0"]);
  });

  test("a base URL is judged by the shell, and its reason is the fault", () => {
    expect(validateTierDocument(body(), (url) => `${url} is private`)).toEqual({
      faults: [{ path: "/providers/0/baseUrl", message: "https://models.example/v1 is private" }],
    });
  });

  test.each([null, 1, "x", [], {}, { providers: 1, models: [null], tiers: { weak: [1] } }])("refuses %j without throwing", (value) => {
    expect(pathsOf(value).length).toBeGreaterThan(0);
  });

  test("holds its limits", () => {
    const providers = (count: number) => body({ providers: Array.from({ length: count }, (_, index) => ({ id: index === 0 ? "p" : `p${index}`, kind: "offline" })) });
    expect(pathsOf(providers(MAX_PROVIDERS))).toEqual([]);
    expect(pathsOf(providers(MAX_PROVIDERS + 1))).toEqual(["/providers"]);
    const models = (count: number) => body({ models: [...(body()["models"] as unknown[]), ...Array.from({ length: count - 3 }, (_, index) => model({ id: `m${index}` }))] });
    expect(pathsOf(models(MAX_MODELS))).toEqual([]);
    expect(pathsOf(models(MAX_MODELS + 1))).toEqual(["/models"]);
    const price = (usd: number) => body({ models: [model({ price: { inputPerMillionUsd: usd, outputPerMillionUsd: 0 } }), model({ id: "b", tier: "base" }), model({ id: "s", tier: "strong" })] });
    expect(pathsOf(price(MAX_PRICE_PER_MILLION_USD))).toEqual([]);
    expect(pathsOf(price(MAX_PRICE_PER_MILLION_USD + 1))).toEqual(["/models/0/price/inputPerMillionUsd"]);
  });
});

test("every built-in agent is a valid definition under a valid name", () => {
  expect(Object.keys(BUILT_IN_AGENTS)).toEqual([
    "scout", "planner", "builder", "reviewer", "backend-engineer", "search-architect", "ai-engineer",
    "frontend-specialist", "devops-specialist", "qa-engineer", "security-auditor", "docs-writer",
  ]);
  for (const [name, agent] of Object.entries(BUILT_IN_AGENTS)) {
    expect(AgentName.safeParse(name).success).toBe(true);
    expect(AgentDefinition.parse(agent)).toEqual(agent);
  }
});
