import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { GatewayEntry } from "../../src/api/ports/stats-port.ts";
import type { LedgerLine } from "../../src/api/ports/workflow-port.ts";
import { createTestApi, type FakeWorld } from "./fake-ports.ts";

const NOON = Date.UTC(2026, 10, 1, 12);

interface Page {
  items: { at: string; workflowId: string | null; taskId: string | null; costUsd: number }[];
  nextCursor: string | null;
}

function gatewayEntry(id: string, at: number, costs: readonly number[]): GatewayEntry {
  const calls = costs.map((costNanoUsd) => ({ at, provider: "p", model: "m", inputTokens: 1, outputTokens: 1, cachedTokens: 0, costNanoUsd, baselineNanoUsd: 0, estimated: false }));
  return { id, at, tier: "weak", taskType: null, calls, failureCode: null, fallbacks: 0 };
}

function line(workflowId: string, at: number, cost: number): LedgerLine {
  return { at: new Date(at).toISOString(), workflowId, taskId: "a", attempt: 1, provider: "p", model: "m", inputTokens: 1, outputTokens: 1, cachedTokens: 0, costUsd: cost / 1e9, estimated: false, late: false };
}

/** Every line gets a cost of its own, so that it can be told from the others. */
function fill(world: FakeWorld, gateway: readonly number[], workflows: readonly number[]): void {
  let cost = 0;
  world.gatewayCalls = gateway.map((calls, index) => gatewayEntry(`g${index}`, NOON + (index % 3), Array.from({ length: calls }, () => (cost += 1))));
  world.ledgers = new Map(workflows.map((lines, index) => [`wf${index}`, { at: NOON + (index % 2), lines: Array.from({ length: lines }, () => line(`wf${index}`, NOON, (cost += 1))) }]));
}

async function readAll(ask: ReturnType<typeof createTestApi>["ask"], limit: number): Promise<Page["items"]> {
  const items: Page["items"] = [];
  let cursor: string | null = null;
  do {
    const response = await ask("GET", `/v1/ledger?limit=${limit}${cursor === null ? "" : `&cursor=${cursor}`}`);
    expect(response.status).toBe(200);
    const page = (await response.json()) as Page;
    expect(page.items.length).toBeLessThanOrEqual(limit);
    items.push(...page.items);
    cursor = page.nextCursor;
  } while (cursor !== null);
  return items;
}

describe("GET /v1/ledger", () => {
  it("shows every call of the gateway and of workflows once, whatever the size of the pages", async () => {
    const counts = fc.array(fc.nat({ max: 4 }), { maxLength: 25 });
    await fc.assert(fc.asyncProperty(counts, counts, fc.integer({ min: 1, max: 12 }), async (gateway, workflows, limit) => {
      const { ask, world } = createTestApi();
      fill(world, gateway, workflows);
      const items = await readAll(ask, limit);
      const total = [...gateway, ...workflows].reduce((sum, count) => sum + count, 0);
      expect(items.map(({ costUsd }) => Math.round(costUsd * 1e9)).sort((one, other) => one - other)).toEqual(Array.from({ length: total }, (_, index) => index + 1));
    }), { numRuns: 60 });
  });

  it("shows requests and workflows in the order of their time, the newest first, each in one piece and of requests the last call first", async () => {
    const counts = fc.array(fc.integer({ min: 1, max: 4 }), { maxLength: 25 });
    await fc.assert(fc.asyncProperty(counts, counts, fc.integer({ min: 1, max: 12 }), async (gateway, workflows, limit) => {
      const { ask, world } = createTestApi();
      fill(world, gateway, workflows);
      const items = await readAll(ask, limit);
      const blocks = new Map<number, { name: string; at: number }>();
      for (const { id, at, calls } of world.gatewayCalls) for (const { costNanoUsd } of calls) blocks.set(costNanoUsd, { name: id, at });
      for (const [name, { at, lines }] of world.ledgers) for (const { costUsd } of lines) blocks.set(Math.round(costUsd * 1e9), { name, at });
      const costs = items.map(({ costUsd }) => Math.round(costUsd * 1e9));
      const shown = costs.map((cost) => blocks.get(cost)!);
      expect(shown.every(({ at }, index) => index === 0 || at <= shown[index - 1]!.at)).toBe(true);
      const names = shown.map(({ name }) => name);
      expect(names.filter((name, index) => name !== names[index - 1])).toHaveLength(new Set(names).size);
      expect(costs.every((cost, index) => items[index]!.workflowId !== null || names[index - 1] !== names[index] || cost < costs[index - 1]!)).toBe(true);
    }), { numRuns: 60 });
  });

  it("goes on past many workflows without a call since then", async () => {
    const { ask, world } = createTestApi();
    world.ledgers = new Map(Array.from({ length: 100 }, (_, index) => [`wf${index}`, { at: NOON + index, lines: [line(`wf${index}`, index === 0 ? NOON + 5_000 : NOON, index)] }]));
    const items: Page["items"] = [];
    let cursor: string | null = null;
    do {
      const page = (await (await ask("GET", `/v1/ledger?since=${new Date(NOON + 1_000).toISOString()}${cursor === null ? "" : `&cursor=${cursor}`}`)).json()) as Page;
      items.push(...page.items);
      cursor = page.nextCursor;
    } while (cursor !== null);
    expect(items.map(({ workflowId }) => workflowId)).toEqual(["wf0"]);
  });

  it.each(["since=yesterday", "limit=0", "limit=201", "cursor=abc", "cursor=e30", "since="])("refuses ?%s", async (query) => {
    const { ask } = createTestApi();
    const response = await ask("GET", `/v1/ledger?${query}`);
    expect(response.status).toBe(422);
    expect(((await response.json()) as { errors: { path: string }[] }).errors[0]!.path).toBe(`?${query.split("=")[0]}`);
  });
});
