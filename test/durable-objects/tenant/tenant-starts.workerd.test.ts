import { env } from "cloudflare:workers";
import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import { describe, expect, test, vi } from "vitest";
import type { LeaseHolderPort, StartsAnswer, StartsRequest, TenantPort } from "../../../src/api/ports/tenant-port.ts";
import { StartGrantStore } from "../../../src/durable-objects/tenant/stores/start-grant-store.ts";
import { SILENT_MS } from "../../../src/durable-objects/tenant/tenant-starts.ts";
import { WorkflowObject } from "../../../src/durable-objects/workflow-object.ts";
import type { StartDemand } from "../../../src/workflow/starts/start-permits.ts";
import { answer, http, kill, listen, openWorkflow, pass, start, transform, view, type Workflow } from "../open-workflow.ts";

type Tenant = DurableObjectStub & TenantPort;

let tenants = 0;
let revisions = 0;

async function openTenant(limits: object): Promise<Tenant> {
  const tenant = env.TENANT.getByName(`starts-${(tenants += 1)}`) as unknown as Tenant;
  await tenant.patchTenant({ limits: { ...limits } });
  return tenant;
}

function ask(tenant: Tenant, id: string, demand: Partial<StartDemand> & { normal?: number }, changes: Partial<StartsRequest> = {}): Promise<StartsAnswer> {
  const { normal = 0, ...rest } = demand;
  return tenant.leaseStarts({ holder: { id, createdAt: 1 }, revision: (revisions += 1), demand: { started: 0, ended: 0, wanted: [0, 0, normal, 0], ...rest }, patienceMs: 10_000, ...changes });
}

/** Whether an answer has come; the object has had time for it. */
async function hasCome(answered: Promise<StartsAnswer>, tenant: Tenant): Promise<boolean> {
  let come = false;
  void answered.then(() => (come = true));
  for (let round = 0; round < 3; round += 1) await tenant.readTenant();
  return come;
}

async function countRows(tenant: Tenant): Promise<number> {
  return runInDurableObject(tenant, (_object, { storage: { sql } }) => Number(sql.exec("SELECT count(*) AS count FROM start_grants").one()["count"]));
}

/** Counts the statements that the object gives to its database from now on. */
async function countStatements(tenant: Tenant): Promise<() => number> {
  let statements = 0;
  await runInDurableObject(tenant, (_object, { storage: { sql } }) => {
    const execute = sql.exec.bind(sql);
    sql.exec = ((...parameters: Parameters<typeof execute>) => {
      statements += 1;
      return execute(...parameters);
    }) as typeof sql.exec;
  });
  return () => statements;
}

describe("a tenant without limits of tasks", () => {
  test("lets everybody start, and tells workflows so with their entries in the index", async () => {
    const tenant = await openTenant({ requestsPerMinute: 5 });
    expect(await ask(tenant, "a", { normal: 100 })).toEqual({ kind: "unlimited" });
    expect(await countRows(tenant)).toBe(0);
  });
});

describe("a limit of concurrent tasks", () => {
  test("is shared out as far as it goes, and the rest waits for what ends", async () => {
    const tenant = await openTenant({ concurrentTasks: 3 });
    expect(await ask(tenant, "a", { normal: 2 })).toEqual({ kind: "granted", upTo: 2 });
    expect(await ask(tenant, "b", { normal: 2 })).toEqual({ kind: "granted", upTo: 1 });
    const waiting = ask(tenant, "b", { started: 1, normal: 1 });
    expect(await hasCome(waiting, tenant)).toBe(false);
    expect(await ask(tenant, "a", { started: 2, ended: 1 })).toEqual({ kind: "granted", upTo: 2 });
    expect(await waiting).toEqual({ kind: "granted", upTo: 2 });
  });

  test("holds over an eviction of the tenant's object", async () => {
    const tenant = await openTenant({ concurrentTasks: 2 });
    await ask(tenant, "a", { normal: 2 });
    await evictDurableObject(tenant);
    const waiting = ask(tenant, "b", { normal: 1 });
    expect(await hasCome(waiting, tenant)).toBe(false);
    await ask(tenant, "a", { started: 2, ended: 2 });
    expect(await waiting).toEqual({ kind: "granted", upTo: 1 });
    expect(await countRows(tenant)).toBe(1);
  });

  test("goes to the urgent first, then to each in turn", async () => {
    const tenant = await openTenant({ concurrentTasks: 1 });
    await ask(tenant, "holder", { normal: 1 });
    const order: string[] = [];
    const wait = (id: string, wanted: StartDemand["wanted"], started = 0): void => void ask(tenant, id, { started, ended: started, wanted }).then(() => order.push(id));
    wait("low", [0, 0, 0, 5]);
    wait("a", [0, 0, 5, 0]);
    wait("b", [0, 0, 5, 0]);
    wait("urgent", [1, 0, 0, 0]);
    await tenant.readTenant();
    await ask(tenant, "holder", { started: 1, ended: 1 });
    for (const next of ["urgent", "a", "b"]) {
      await vi.waitFor(() => expect(order.at(-1)).toBe(next), 30_000);
      // Whoever got a start has done with it, and wants more.
      if (next === "urgent") await ask(tenant, next, { started: 1, ended: 1 });
      else wait(next, [0, 0, 4, 0], 1);
    }
    await vi.waitFor(() => expect(order).toEqual(["urgent", "a", "b", "a"]), 30_000);
  });

  test("takes back what was granted and is not wanted any more", async () => {
    const tenant = await openTenant({ concurrentTasks: 4 });
    await ask(tenant, "a", { normal: 4 });
    const waiting = ask(tenant, "b", { normal: 3 });
    await ask(tenant, "a", { started: 1, normal: 0 });
    expect(await waiting).toEqual({ kind: "granted", upTo: 3 });
  });

  test("answers an older request of the same workflow when a newer one comes, and hears no late one", async () => {
    const tenant = await openTenant({ concurrentTasks: 1 });
    await ask(tenant, "a", { normal: 1 }, { revision: 50 });
    const older = ask(tenant, "a", { started: 1, normal: 2 }, { revision: 51 });
    const newer = ask(tenant, "a", { started: 1, normal: 3 }, { revision: 52 });
    expect(await older).toEqual({ kind: "granted", upTo: 1 });
    expect(await ask(tenant, "a", { normal: 9 }, { revision: 49 })).toEqual({ kind: "granted", upTo: 0 });
    expect(await hasCome(newer, tenant)).toBe(false);
  });

  test("that is raised or removed lets those go on that wait", async () => {
    const tenant = await openTenant({ concurrentTasks: 1 });
    await ask(tenant, "a", { normal: 1 });
    const [b, c] = [ask(tenant, "b", { normal: 1 }), ask(tenant, "c", { normal: 1 })];
    await tenant.readTenant();
    await tenant.patchTenant({ limits: { concurrentTasks: 2 } });
    expect(await b).toEqual({ kind: "granted", upTo: 1 });
    await tenant.patchTenant({ limits: { concurrentTasks: null } });
    expect(await c).toEqual({ kind: "unlimited" });
    expect(await countRows(tenant)).toBe(0);
  });

  test("costs as little where a thousand wait as where ten do", async () => {
    const statementsOfOne = async (waiting: number): Promise<number> => {
      const tenant = await openTenant({ concurrentTasks: 1, tasksPerSecond: 1_000 });
      await ask(tenant, "holder", { normal: 1 });
      for (let index = 0; index < waiting; index += 1) void ask(tenant, `w${index}`, { normal: 1 });
      await tenant.readTenant();
      const count = await countStatements(tenant);
      // Of the one place that becomes free, one of those that wait hears.
      await ask(tenant, "holder", { started: 1, ended: 1 });
      return count();
    };
    expect(await statementsOfOne(1_000)).toBe(await statementsOfOne(10));
  });

  test("is free of workflows that vanished, once they were silent for long, and of those that say that they ended", async () => {
    const tenant = await openTenant({ concurrentTasks: 2 });
    await ask(tenant, "gone", { normal: 1 });
    await ask(tenant, "done", { normal: 1 });
    const { readStarts } = WorkflowObject.prototype as unknown as LeaseHolderPort;
    const read = vi.spyOn(WorkflowObject.prototype as unknown as LeaseHolderPort, "readStarts").mockImplementation(async function (this: { ctx: DurableObjectState }) {
      return this.ctx.id.name!.endsWith(":gone") ? null : { revision: (revisions += 1), demand: { started: 1, ended: 1, wanted: [0, 0, 0, 0] } };
    });
    const early = ask(tenant, "b", { normal: 2 });
    expect(await hasCome(early, tenant)).toBe(false);
    expect(read).not.toHaveBeenCalled();
    pass(SILENT_MS + 1);
    const late = ask(tenant, "b", { normal: 2 });
    expect(await late).toEqual({ kind: "granted", upTo: 1 });
    expect(await ask(tenant, "b", { started: 1, normal: 1 })).toEqual({ kind: "granted", upTo: 2 });
    read.mockRestore();
    expect(readStarts).toBeDefined();
  });
});

describe("a limit of tasks per second", () => {
  test("lets a second's worth start at once, and the rest as time goes by", async () => {
    const tenant = await openTenant({ tasksPerSecond: 20 });
    expect(await ask(tenant, "a", { normal: 50 })).toEqual({ kind: "granted", upTo: 20 });
    const startedAt = performance.now();
    let upTo = 20;
    while (upTo < 26) {
      const answered = await ask(tenant, "a", { started: upTo, ended: upTo, normal: 50 - upTo });
      upTo = answered.kind === "granted" ? answered.upTo : Infinity;
    }
    // Six more take three tenths of a second; a slow machine takes longer.
    expect(performance.now() - startedAt).toBeGreaterThan(200);
    expect(upTo).toBeLessThan(50);
  });
});

test("who waits in vain is answered when its patience is over, so that nobody waits for the dead", async () => {
  const tenant = await openTenant({ concurrentTasks: 1 });
  await ask(tenant, "a", { normal: 1 });
  const patient = ask(tenant, "b", { normal: 1 });
  expect(await ask(tenant, "c", { normal: 1 }, { patienceMs: 50 })).toEqual({ kind: "granted", upTo: 0 });
  expect(await hasCome(patient, tenant)).toBe(false);
});

test("a share that could not be stored is no share: who was to have it is told of none, and gets it by asking again", async () => {
  const tenant = await openTenant({ concurrentTasks: 2 });
  await ask(tenant, "a", { normal: 2 });
  const waiting = ["b", "c"].map((id) => ask(tenant, id, { normal: 1 }, { patienceMs: 200 }));
  expect(await hasCome(waiting[0]!, tenant)).toBe(false);
  const { write } = StartGrantStore.prototype;
  const writing = vi.spyOn(StartGrantStore.prototype, "write").mockImplementation(function (this: StartGrantStore, ...grant) {
    if (grant[0].id === "c") throw new Error("the disk is full");
    write.apply(this, grant);
  });
  const ended = await ask(tenant, "a", { started: 2, ended: 2 }).then(() => "shared", () => "failed");
  writing.mockRestore();
  expect(ended).toBe("failed");
  expect(await Promise.all(waiting)).toEqual([{ kind: "granted", upTo: 0 }, { kind: "granted", upTo: 0 }]);
  expect(await Promise.all(["b", "c", "d"].map((id) => ask(tenant, id, { normal: 1 }, { patienceMs: 200 })))).toEqual([1, 1, 0].map((upTo) => ({ kind: "granted", upTo })));
});

describe("workflows of a tenant with limits", () => {
  /** An agent whose calls end when the test says so. A call looks by itself whether it may: objects do not wake each other's promises. */
  function createGate() {
    const gate = { url: "", called: 0, let: 0, running: 0, most: 0 };
    gate.url = listen(async () => {
      const number = (gate.called += 1);
      gate.running += 1;
      gate.most = Math.max(gate.most, gate.running);
      while (gate.let < number) await new Promise((resolve) => setTimeout(resolve, 5));
      gate.running -= 1;
      return answer("ok");
    });
    return gate;
  }

  async function openLimited(limits: object): Promise<{ tenant: Tenant; open: (name: string) => Workflow; run: (name: string, tasks: number, agent: object, changes?: object) => Promise<Workflow> }> {
    const tenant = await openTenant(limits);
    const open = (name: string) => openWorkflow(`${tenant.name}:${name}`);
    const run = async (name: string, count: number, agent: object, changes: object = {}): Promise<Workflow> => {
      const workflow = open(name);
      const tasks = Array.from({ length: count }, (_, index) => ({ id: `t${index}`, agent: "agent" }));
      await start(workflow, tasks, { tenant: tenant.name!, agents: { agent: agent as never }, isLimited: true, spec: { maxConcurrency: 50 }, ...changes });
      return workflow;
    };
    return { tenant, open, run };
  }

  test("run no more at once than it allows, and all of them in the end", async () => {
    const { run } = await openLimited({ concurrentTasks: 3 });
    const gate = createGate();
    const workflows = await Promise.all([run("a", 4, http(gate.url)), run("b", 4, http(gate.url))]);
    for (let done = 1; done <= 8; done += 1) {
      await vi.waitFor(() => expect(gate.called).toBeGreaterThanOrEqual(done), 30_000);
      gate.let = done;
    }
    for (const workflow of workflows) expect((await view(workflow, 30_000)).status).toBe("completed");
    expect(gate.most).toBe(3);
  });

  test("also count transforms, which nobody is called for", async () => {
    const { run } = await openLimited({ tasksPerSecond: 10 });
    const startedAt = performance.now();
    const workflow = await run("a", 14, transform("1"));
    expect((await view(workflow, 30_000)).status).toBe("completed");
    expect(performance.now() - startedAt).toBeGreaterThan(250);
  });

  test("that were killed ask again, and start what they may", async () => {
    const { run, tenant } = await openLimited({ concurrentTasks: 1 });
    const gate = createGate();
    const first = await run("a", 1, http(gate.url));
    await vi.waitFor(() => expect(gate.running).toBe(1), 30_000);
    const second = await kill(await run("b", 1, transform("1")));
    expect((await view(second)).status).toBe("running");
    gate.let = 1;
    expect((await view(first, 30_000)).status).toBe("completed");
    await runInDurableObject(second, (object) => (object as unknown as { alarm: () => Promise<void> }).alarm());
    expect((await view(second, 30_000)).status).toBe("completed");
    await vi.waitFor(async () => expect(await countRows(tenant)).toBe(0), 30_000);
  });

  test("hear of limits that were set after they began, and of limits that were removed", async () => {
    const { run, tenant } = await openLimited({ concurrentTasks: null });
    const gate = createGate();
    await tenant.patchTenant({ limits: { concurrentTasks: 1 } });
    // Nobody told it when it was made: it hears of it with its first entry in the index.
    const workflow = await run("a", 3, http(gate.url), { isLimited: false, spec: { maxConcurrency: 1 } });
    await vi.waitFor(() => expect(gate.called).toBe(1), 30_000);
    await vi.waitFor(async () => expect(await runInDurableObject(workflow, (_object, { storage: { sql } }) => sql.exec("SELECT json FROM documents WHERE name = 'state'").one()["json"])).toContain('"isLimited":true'), 30_000);
    gate.let = 1;
    await vi.waitFor(() => expect(gate.called).toBe(2), 30_000);
    expect(await countRows(tenant)).toBe(1);
    await tenant.patchTenant({ limits: { concurrentTasks: null } });
    gate.let = 2;
    await vi.waitFor(() => expect(gate.called).toBe(3), 30_000);
    gate.let = 3;
    expect((await view(workflow, 30_000)).status).toBe("completed");
  });

  test("give back what they do not start: a cancelled one leaves its places to others", async () => {
    const { run } = await openLimited({ concurrentTasks: 2 });
    const gate = createGate();
    const cancelled = await run("a", 5, http(gate.url));
    await vi.waitFor(() => expect(gate.running).toBe(2), 30_000);
    const other = await run("b", 2, transform("1"));
    await cancelled.command("cancel");
    expect((await view(other, 30_000)).status).toBe("completed");
  });

  test("a pause gives back what was not started, and the end of a pause asks for it again", async () => {
    const { run } = await openLimited({ concurrentTasks: 1 });
    const gate = createGate();
    const paused = await run("a", 2, http(gate.url));
    await vi.waitFor(() => expect(gate.running).toBe(1), 30_000);
    await paused.command("pause");
    gate.let = 1;
    const other = await run("b", 1, transform("1"));
    expect((await view(other, 30_000)).status).toBe("completed");
    await paused.command("resume");
    await vi.waitFor(() => expect(gate.called).toBe(2), 30_000);
    gate.let = 2;
    expect((await view(paused, 30_000)).status).toBe("completed");
  });
});
