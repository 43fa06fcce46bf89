import { describe, expect, test } from "vitest";
import { pickOwnBudgets } from "../../src/config/budget-settings.ts";
import { Settings } from "../../src/config/settings.ts";
import { createTestApi } from "../api/fake-ports.ts";

const { budgets } = Settings.parse({});

describe("what a workflow's object is told of its tenant's budget settings", () => {
  test("is nothing where they are the operator's", () => {
    expect(pickOwnBudgets(budgets, structuredClone(budgets))).toBeNull();
  });

  test("is what differs of those that it goes by, and nothing else", () => {
    const own = { ...budgets, minTaskTokens: 7, warningThresholds: [10], leaseChunkUsd: 9, adaptiveMinSamples: 1 };
    expect(pickOwnBudgets(own, budgets)).toEqual({ minTaskTokens: 7, warningThresholds: [10] });
    expect(pickOwnBudgets(own, { ...budgets, minTaskTokens: 7 })).toEqual({ warningThresholds: [10] });
  });

  test("comes with the creation, of other tenants than the operator's own", async () => {
    const settings = {
      read: async (tenant: string) => (tenant === "acme" ? Settings.parse({ budgets: { overageThreshold: 0.5 } }) : Settings.parse({})),
      publish: async () => undefined,
    };
    const { ask, world } = createTestApi({ settings });
    await ask("POST", "/v1/tenants", { id: "acme" });
    const task = { id: "a", agent: "scout", input: { prompt: "List it." } };
    for (const tenant of ["acme", "default"]) expect((await ask("POST", "/v1/workflows", { id: "w", tasks: [task] }, { "x-tenant": tenant })).status).toBe(201);
    expect([...world.workflows.values()].map(({ request }) => [request.tenant, request.ownBudgets])).toEqual([["acme", { overageThreshold: 0.5 }], ["default", undefined]]);
  });
});
