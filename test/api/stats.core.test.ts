import { expect, it } from "vitest";
import { createSums } from "../../src/optimizer/call-stats.ts";
import { createTestApi } from "./fake-ports.ts";

it("answers sums in dollars, tokens and percent, with advice", async () => {
  const { ask, world } = createTestApi();
  world.stats = [
    { tier: "weak", taskType: "formatting", sums: { ...createSums(), routes: 20, calls: 26, escalations: 6, fallbacks: 2, inputTokens: 1_000, outputTokens: 100, cachedTokens: 7, costNanoUsd: 250_000_001, baselineNanoUsd: 1_000_000_000 } },
    { tier: "", taskType: "", sums: { ...createSums(), calls: 1, costNanoUsd: 1 } },
  ];
  world.accuracy = { workflows: 8, costError: 1, tokensError: 2 };
  const answer = await ask("GET", "/v1/stats?since=2026-11-01T10:59:59.999Z");
  expect(answer.status).toBe(200);
  expect(await answer.json()).toEqual({
    since: "2026-11-01T10:00:00.000Z",
    routes: 20,
    tierDistribution: { weak: 20, base: 0, strong: 0 },
    calls: 27,
    tokens: { inputTokens: 1_000, outputTokens: 100, cachedTokens: 7 },
    costUsd: 0.250000002,
    baselineUsd: 1,
    savedPercent: 75,
    failures: 0,
    fallbacks: 2,
    escalations: 6,
    contextTokensSaved: 0,
    forecast: { workflows: 8, meanErrorPercent: 12.5, meanTokensErrorPercent: 25 },
    recommendations: [expect.objectContaining({ taskType: "formatting", tier: "weak", recommendedTier: "base", answers: 26, missRate: 0.231 })],
  });
});

it.each(["/v1/stats", "/v1/ledger", "/v1/tenants/default", "/v1/tenants"])("GET %s sends on what this isolate still holds before it reads", async (path) => {
  const { ask, world } = createTestApi();
  expect((await ask("GET", path)).status).toBe(200);
  const read = world.calls.findIndex((name) => ["tenant.readStats", "tenant.listGatewayCalls", "tenant.readTenant"].includes(name));
  expect(world.calls.indexOf("flush default")).toBeGreaterThanOrEqual(0);
  expect(world.calls.indexOf("flush default")).toBeLessThan(read);
});

it("answers noughts where nothing was called, and refuses a since that is no time", async () => {
  const { ask } = createTestApi();
  expect(await (await ask("GET", "/v1/stats")).json()).toMatchObject({ since: null, routes: 0, costUsd: 0, savedPercent: 0, forecast: { workflows: 0, meanErrorPercent: null }, recommendations: [] });
  expect((await ask("GET", "/v1/stats?since=yesterday")).status).toBe(422);
});
