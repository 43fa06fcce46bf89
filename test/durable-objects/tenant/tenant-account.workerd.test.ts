import { env } from "cloudflare:workers";
import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import { afterEach, describe, expect, test, vi } from "vitest";
import type { GatewayEntry } from "../../../src/api/ports/stats-port.ts";
import type { TenantSpend } from "../../../src/api/ports/directory-port.ts";
import type { CallsToReserve, IndexEntry, LeaseHolderPort, TenantPort } from "../../../src/api/ports/tenant-port.ts";
import { NO_LIMITS } from "../../../src/config/tenant-record.ts";
import { MAX_RECALLED, SILENT_MS } from "../../../src/durable-objects/tenant/tenant-leases.ts";
import { WorkflowObject } from "../../../src/durable-objects/workflow-object.ts";
import type { DaySpend, ShareAnswer } from "../../../src/workflow/budget/tenant-account.ts";
import { createSummary } from "../create-summary.ts";

const DAY_MS = 86_400_000;
const NOON = Math.floor(Date.now() / DAY_MS) * DAY_MS + DAY_MS / 2;
const TODAY = NOON / DAY_MS - 0.5;
const WORKFLOWS = WorkflowObject.prototype as unknown as LeaseHolderPort;
const { trimLease } = WORKFLOWS;
let tenants = 0;

type Tenant = DurableObjectStub & TenantPort;

async function openTenant(maxUsd: number | null, period = "day"): Promise<Tenant> {
  vi.spyOn(Date, "now").mockReturnValue(NOON);
  const tenant = env.TENANT.getByName(`account-${(tenants += 1)}`) as unknown as Tenant;
  if (maxUsd !== null) await tenant.patchTenant({ budget: { maxUsd, period } });
  return tenant;
}

function lease(tenant: Tenant, id: string, needed: number, changes: Partial<Parameters<TenantPort["leaseBudget"]>[0]> = {}): Promise<ShareAnswer> {
  return tenant.leaseBudget({ holder: { id, createdAt: 1 }, day: TODAY, neededNanoUsd: needed, wantedNanoUsd: needed, revision: 1, ...changes });
}

function reserve(tenant: Tenant, id: string, needed: number, changes: Partial<CallsToReserve> = {}): Promise<ShareAnswer> {
  return tenant.reserveCalls({ id, day: TODAY, neededNanoUsd: needed, wantedNanoUsd: needed, expiresAt: NOON + 1_000, ...changes });
}

function told(spentNanoUsd: number, leasedNanoUsd: number, revision: number, day = TODAY): DaySpend {
  return { day, spentNanoUsd, leasedNanoUsd, revision };
}

function entryOf(id: string, spend: DaySpend[], version = 1): IndexEntry {
  return { summary: createSummary(id, 1), version, spend };
}

function gatewayEntry(id: string, costNanoUsd: number, at = NOON): GatewayEntry {
  const call = { at, provider: "p", model: "m", inputTokens: 3, outputTokens: 2, cachedTokens: 0, costNanoUsd, baselineNanoUsd: 0, estimated: false };
  return { id, at, tier: "base", taskType: null, calls: [call], failureCode: null, fallbacks: 0 };
}

/** What holders were asked, and what each answers. */
function answerRecalls(answer: (id: string, day: number) => DaySpend[] | null | Promise<never>): string[] {
  const asked: string[] = [];
  WORKFLOWS.trimLease = async function (this: { ctx: DurableObjectState }, _createdAt: number, day: number) {
    const id = this.ctx.id.name!.split(":")[1]!;
    asked.push(id);
    return answer(id, day);
  } as LeaseHolderPort["trimLease"];
  return asked;
}

async function readAccount(tenant: Tenant): Promise<{ held: number; spent: number; entries: number }> {
  return runInDurableObject(tenant, (_object, { storage: { sql } }) => {
    const row = sql.exec("SELECT coalesce(sum(held), 0) AS held, coalesce(sum(spent), 0) AS spent, (SELECT count(*) FROM budget_entries) AS entries FROM budget_days").one();
    return { held: Number(row["held"]), spent: Number(row["spent"]), entries: Number(row["entries"]) };
  });
}

async function readSpend(tenant: Tenant): Promise<TenantSpend> {
  return (await tenant.readTenant()).spend;
}

afterEach(() => {
  vi.restoreAllMocks();
  WORKFLOWS.trimLease = trimLease;
});

describe("a tenant's account", () => {
  test("leases up to the budget, to the nano-dollar, also after an eviction", async () => {
    const tenant = await openTenant(0.000_000_1);
    expect(await reserve(tenant, "a", 60)).toMatchObject({ leasedNanoUsd: 60 });
    await evictDurableObject(tenant);
    expect(await reserve(tenant, "b", 40)).toMatchObject({ leasedNanoUsd: 40 });
    expect(await lease(tenant, "c", 1)).toMatchObject({ leasedNanoUsd: 0 });
    expect(await readAccount(tenant)).toEqual({ held: 100, spent: 0, entries: 2 });
    expect(await readSpend(tenant)).toMatchObject({ reservedNanoUsd: 100, periodStart: TODAY * DAY_MS });
  });

  test("never passes the budget, however many ask at once", async () => {
    const tenant = await openTenant(0.000_001);
    const answers = await Promise.all(Array.from({ length: 60 }, (_, index) => reserve(tenant, `c${index}`, 70)));
    expect(answers.filter((answer) => answer.kind === "leased" && answer.leasedNanoUsd >= 70)).toHaveLength(14);
    expect(await readAccount(tenant)).toMatchObject({ held: 980 });
  });

  test("takes what workflows tell with their entries in the index, whatever comes twice, late, or with an entry that is too old", async () => {
    const tenant = await openTenant(0.000_000_1);
    await lease(tenant, "a", 60);
    await tenant.indexWorkflow(entryOf("a", [told(20, 30, 3)], 9));
    await tenant.indexWorkflow(entryOf("a", [told(20, 30, 3)], 9));
    await tenant.indexWorkflow(entryOf("a", [told(10, 60, 2)], 5));
    await tenant.indexWorkflow(entryOf("a", [told(4, 4, 4, TODAY - 1)], 5));
    expect(await readAccount(tenant)).toEqual({ held: 34, spent: 24, entries: 2 });
  });

  test("counts what was told before there was a budget", async () => {
    const tenant = await openTenant(null);
    expect(await lease(tenant, "a", 60)).toEqual({ kind: "unlimited" });
    await tenant.indexWorkflow(entryOf("a", [told(90, 0, 1)]));
    await tenant.addGatewayCalls([gatewayEntry("g", 5)]);
    await tenant.patchTenant({ budget: { maxUsd: 0.000_000_1, period: "month" } });
    expect(await lease(tenant, "b", 6)).toMatchObject({ leasedNanoUsd: 5, mayGrow: false });
  });

  test("is free of a removed workflow but for what it spent, and counts it once if it is let in again", async () => {
    const tenant = await openTenant(0.000_000_1);
    await lease(tenant, "a", 60);
    await tenant.indexWorkflow(entryOf("a", [told(20, 60, 2)]));
    await tenant.removeWorkflow("a");
    expect(await readAccount(tenant)).toMatchObject({ held: 20, spent: 20 });
    await tenant.readmitWorkflow("a");
    await tenant.indexWorkflow(entryOf("a", [told(25, 25, 3)], 2));
    expect(await readAccount(tenant)).toMatchObject({ held: 25, spent: 25 });
  });
});

test("a tenant that was removed leases nothing", async () => {
  const tenant = await openTenant(1);
  await tenant.startTenant({ id: "x", createdAt: NOON, allowance: { budget: null, limits: NO_LIMITS } });
  await tenant.endTenant(NOON);
  expect([await lease(tenant, "a", 1), await reserve(tenant, "g", 1)]).toMatchObject([{ leasedNanoUsd: 0, mostNanoUsd: 0 }, { leasedNanoUsd: 0, mostNanoUsd: 0 }]);
  expect(await readAccount(tenant)).toMatchObject({ entries: 0 });
});

describe("calls of the gateway", () => {
  test("are settled by the entry that is sent anyway, once", async () => {
    const tenant = await openTenant(0.000_000_1);
    expect(await reserve(tenant, "g", 70)).toMatchObject({ leasedNanoUsd: 70 });
    expect(await reserve(tenant, "h", 70)).toMatchObject({ leasedNanoUsd: 0, mostNanoUsd: 30 });
    await tenant.addGatewayCalls([gatewayEntry("g", 12)]);
    await tenant.addGatewayCalls([gatewayEntry("g", 12), gatewayEntry("unreserved", 1), gatewayEntry("other", 2)]);
    expect(await readAccount(tenant)).toEqual({ held: 15, spent: 15, entries: 0 });
    expect(await readSpend(tenant)).toMatchObject({ spentNanoUsd: 15, reservedNanoUsd: 0 });
  });

  test("count to the day of their reservation", async () => {
    const tenant = await openTenant(0.000_000_1);
    await reserve(tenant, "g", 70);
    await tenant.addGatewayCalls([gatewayEntry("g", 12, NOON + DAY_MS)]);
    expect(await reserve(tenant, "h", 89)).toMatchObject({ leasedNanoUsd: 0 });
    expect(await reserve(tenant, "h", 88)).toMatchObject({ leasedNanoUsd: 88 });
  });

  test("cannot reserve once they are over", async () => {
    const tenant = await openTenant(0.000_000_1);
    await tenant.addGatewayCalls([gatewayEntry("g", 12)]);
    expect(await reserve(tenant, "g", 1)).toMatchObject({ leasedNanoUsd: 0 });
    expect(await readAccount(tenant)).toMatchObject({ held: 12, entries: 0 });
  });

  test("that nobody settled in time count in full, until their entry comes", async () => {
    const tenant = await openTenant(0.000_000_1);
    await reserve(tenant, "g", 70, { expiresAt: NOON + 1_000 });
    vi.spyOn(Date, "now").mockReturnValue(NOON + 999);
    expect((await readAccount(tenant)).spent).toBe(0);
    expect(await readSpend(tenant)).toMatchObject({ reservedNanoUsd: 70 });
    vi.spyOn(Date, "now").mockReturnValue(NOON + 1_000);
    expect(await readSpend(tenant)).toMatchObject({ reservedNanoUsd: 0 });
    expect(await readAccount(tenant)).toEqual({ held: 70, spent: 70, entries: 1 });
    await tenant.addGatewayCalls([gatewayEntry("g", 12)]);
    expect(await readAccount(tenant)).toEqual({ held: 12, spent: 12, entries: 0 });
  });
});

describe("what does not fit", () => {
  test("is asked back from those who hold most, and tried once more", async () => {
    const tenant = await openTenant(0.000_000_1);
    await lease(tenant, "large", 60);
    await lease(tenant, "small", 30);
    const asked = answerRecalls((id) => (id === "large" ? [told(10, 20, 5)] : [told(30, 30, 5)]));
    expect(await lease(tenant, "c", 45)).toMatchObject({ leasedNanoUsd: 45, mayGrow: false });
    expect(asked.sort()).toEqual(["large", "small"]);
    expect(await readAccount(tenant)).toMatchObject({ held: 95, spent: 40 });
  });

  test("asks a bounded number, one round for all who wait, and not at once again", async () => {
    const tenant = await openTenant(0.000_001);
    for (let index = 0; index < MAX_RECALLED + 5; index += 1) await lease(tenant, `w${index}`, 10);
    const asked = answerRecalls(() => [told(0, 10, 5)]);
    const answers = await Promise.all([lease(tenant, "x", 900), lease(tenant, "y", 900)]);
    expect(answers).toMatchObject([{ leasedNanoUsd: 0, mayGrow: true }, { leasedNanoUsd: 0, mayGrow: true }]);
    expect(asked).toHaveLength(MAX_RECALLED);
    await lease(tenant, "x", 900, { revision: 2 });
    expect(asked).toHaveLength(MAX_RECALLED);
    vi.spyOn(Date, "now").mockReturnValue(NOON + 1_000);
    await lease(tenant, "x", 900, { revision: 3 });
    expect(asked).toHaveLength(2 * MAX_RECALLED);
  });

  test("also asks the workflow that needs more for what it has left of other days, and of those alone", async () => {
    const tenant = await openTenant(0.000_000_1, "total");
    await lease(tenant, "a", 70, { day: TODAY - 1 });
    await lease(tenant, "a", 20, { revision: 2 });
    const asked = answerRecalls((_id, day) => [told(10, 10, 4, day)]);
    expect(await lease(tenant, "a", 80, { revision: 3 })).toMatchObject({ leasedNanoUsd: 80 });
    expect(asked).toEqual(["a"]);
    expect(await readAccount(tenant)).toMatchObject({ held: 90, spent: 10 });
    vi.spyOn(Date, "now").mockReturnValue(NOON + 1_000);
    expect(await lease(tenant, "a", 95, { revision: 5 })).toMatchObject({ leasedNanoUsd: 90, mayGrow: false });
    expect(asked).toEqual(["a"]);
  });

  test("takes what a workflow held that is no more, by what it had told", async () => {
    const tenant = await openTenant(0.000_000_1);
    await lease(tenant, "gone", 90);
    await tenant.indexWorkflow(entryOf("gone", [told(20, 90, 2)]));
    answerRecalls(() => null);
    expect(await lease(tenant, "b", 80)).toMatchObject({ leasedNanoUsd: 80 });
  });

  test("leaves a holder alone that cannot be reached", async () => {
    const tenant = await openTenant(0.000_000_1);
    await lease(tenant, "away", 90);
    answerRecalls(() => Promise.reject(new Error("away")));
    expect(await lease(tenant, "b", 80)).toMatchObject({ leasedNanoUsd: 0, mayGrow: true });
    expect(await readAccount(tenant)).toMatchObject({ held: 90 });
  });
});

describe("leases of workflows that fell silent", () => {
  test("are taken back where the workflow is no more, and looked at again where it lives", async () => {
    const tenant = await openTenant(0.000_000_1);
    await lease(tenant, "gone", 50);
    await lease(tenant, "alive", 20);
    const asked = answerRecalls((id) => (id === "gone" ? null : [told(5, 8, 7)]));
    await tenant.recoverLeases();
    expect(asked).toEqual([]);
    vi.spyOn(Date, "now").mockReturnValue(NOON + SILENT_MS + 1);
    await tenant.recoverLeases();
    await tenant.recoverLeases();
    expect(asked.sort()).toEqual(["alive", "gone"]);
    expect(await readAccount(tenant)).toMatchObject({ held: 8, spent: 5 });
  });
});
