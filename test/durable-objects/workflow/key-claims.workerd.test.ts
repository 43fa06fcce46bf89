import { evictDurableObject, runDurableObjectAlarm } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { describe, expect, test } from "vitest";
import { DAY_MS, expectEmpty, idOf, openWorkflow, pass, query, requestOf, start, TENANT, type Workflow } from "../open-workflow.ts";

const KEY = { key: "key-1", bodyHash: "hash-1" };
const ONE = [{ id: "a", agent: "one" }];

function claimOf(keeper: Workflow, claim: Partial<Parameters<Workflow["claimKey"]>[0]> = {}): Parameters<Workflow["claimKey"]>[0] {
  return { ...KEY, tenant: TENANT, keeperId: idOf(keeper), workflowId: "mine", instead: null, ...claim };
}

describe("a key's claim", () => {
  test("stands for its body until it is 24 hours old, over evictions, and then leads on; the alarm takes it away", async () => {
    const keeper = openWorkflow();
    expect(await keeper.claimKey(claimOf(keeper))).toEqual({ kind: "claimed" });
    await evictDurableObject(keeper);
    expect(await keeper.claimKey(claimOf(keeper))).toEqual({ kind: "claimed" });
    expect(await keeper.claimKey(claimOf(keeper, { bodyHash: "hash-2", workflowId: "yours" }))).toMatchObject({ kind: "held", workflowId: "mine", bodyHash: "hash-1" });
    expect(await keeper.create(requestOf(keeper, ONE, { idempotency: { ...KEY, bodyHash: "hash-3" } }))).toMatchObject({ problem: "conflict" });
    expect(await keeper.findAnswer(KEY)).toEqual({ kind: "unknown" });
    expect(await keeper.exists()).toBe(false);
    pass(DAY_MS);
    expect(await keeper.claimKey(claimOf(keeper, { bodyHash: "hash-2" }))).toEqual({ kind: "expired" });
    pass(DAY_MS);
    await runDurableObjectAlarm(keeper);
    await expectEmpty(keeper);
  });

  test("can be replaced by who knows whose it was, and taken back by who made it", async () => {
    const keeper = openWorkflow();
    await keeper.claimKey(claimOf(keeper));
    const other = { bodyHash: "hash-2", workflowId: "yours" };
    expect(await keeper.claimKey(claimOf(keeper, { ...other, instead: "hash-0" }))).toMatchObject({ kind: "held" });
    expect(await keeper.claimKey(claimOf(keeper, { ...other, instead: "hash-1" }))).toEqual({ kind: "claimed" });
    await keeper.releaseKey(KEY);
    expect(await keeper.claimKey(claimOf(keeper))).toMatchObject({ kind: "held", workflowId: "yours" });
    await keeper.releaseKey({ ...KEY, bodyHash: "hash-2" });
    await expectEmpty(keeper);
  });

  test("is refused where the key made a workflow, which it leaves alone", async () => {
    const keeper = openWorkflow();
    await start(keeper, ONE, { idempotency: KEY });
    expect(await keeper.claimKey(claimOf(keeper, { bodyHash: "hash-2" }))).toMatchObject({ problem: "conflict" });
    await keeper.releaseKey(KEY);
    expect(await keeper.exists()).toBe(true);
    await keeper.remove();
    expect(await keeper.claimKey(claimOf(keeper, { bodyHash: "hash-2" }))).toMatchObject({ problem: "conflict" });
    await keeper.releaseKey(KEY);
    expect(await keeper.findAnswer(KEY)).toMatchObject({ kind: "replayed" });
  });

  test("is known to its tenant, so that it goes when the tenant is removed", async () => {
    const keeper = openWorkflow();
    await keeper.claimKey(claimOf(keeper));
    const tenant = env.TENANT.getByName(TENANT) as unknown as Workflow;
    await expect.poll(() => query(tenant, "SELECT id FROM removed_workflows")).toContainEqual({ id: idOf(keeper) });
    await keeper.purge();
    await expectEmpty(keeper);
  });
});
