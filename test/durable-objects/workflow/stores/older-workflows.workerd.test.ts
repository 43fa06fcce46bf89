import { runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { describe, expect, test } from "vitest";
import { migrate } from "../../../../src/durable-objects/storage/migrate.ts";
import type { LeaseHolderPort } from "../../../../src/api/ports/tenant-port.ts";
import { WorkflowStore } from "../../../../src/durable-objects/workflow/stores/workflow-store.ts";
import { NEW_WORKFLOW_SCHEMA, WORKFLOW_MIGRATIONS } from "../../../../src/durable-objects/workflow/stores/workflow-migrations.ts";
import { listedStatus } from "../../listed-workflow.ts";
import { answer, call, completed, DAY_MS, expectEmpty, listen, openWorkflow, pass, query, readLog, view, type Workflow } from "../../open-workflow.ts";
import stored from "./older-workflows.json" with { type: "json" };

/*
 * What releases of each level of the schema stored of one workflow under way: `word` (a transform) and `said` (a model's) were done, `more`
 * (a model's) was claimed, `web` was called by the object itself, and `join` waited for both.
 */
type Level = keyof typeof stored;
const HOUR_MS = 3_600_000;
const LEVELS = Object.keys(stored) as Level[];

/** An object that holds what the release stored, with agents and receivers of this test. */
async function restore(level: Level, urls: { agent: string; hook: string }): Promise<Workflow> {
  const id = level.replaceAll(/\W+/g, "-");
  // Stored just now, in whole hours, as sums are kept by: none of its times is over.
  const [createdAt] = /(?<="createdAt\\":)\d+/.exec(JSON.stringify(stored[level].documents))!;
  const aheadMs = Math.ceil((Date.now() - Number(createdAt)) / HOUR_MS) * HOUR_MS;
  const text = JSON.stringify(stored[level]).replaceAll(/\b1[78]\d{11}\b/g, (time) => String(Number(time) + aheadMs));
  const rows = JSON.parse(text.replaceAll("https://agent.example/run", urls.agent).replaceAll("https://hook.example/", urls.hook).replaceAll('\\"old\\"', `\\"${id}\\"`)) as Record<string, Record<string, SqlStorageValue>[]>;
  const workflow = openWorkflow(`default:${id}`);
  await runInDurableObject(workflow, (_object, { storage: { sql } }) => {
    if (level === "level 4, begun at once") sql.exec(NEW_WORKFLOW_SCHEMA.main + NEW_WORKFLOW_SCHEMA.side.schema);
    else migrate(sql, WORKFLOW_MIGRATIONS.slice(0, Number(level.slice("level ".length))));
    for (const [table, tableRows] of Object.entries(rows)) {
      for (const row of tableRows) sql.exec(`INSERT INTO ${table} (${Object.keys(row).join()}) VALUES (${Object.keys(row).map(() => "?").join()})`, ...Object.values(row));
    }
  });
  return workflow;
}

describe.each(LEVELS)("a workflow that was stored at %s", (level) => {
  test("is read, runs on to its end, and leaves nothing", async () => {
    const delivered: unknown[] = [];
    const workflow = await restore(level, { agent: listen(({ body }) => answer({ asked: body.attempt })), hook: listen(({ body }) => (delivered.push((body as unknown as { type: string }).type), new Response(null, { status: 204 }))) });
    const before = await view(workflow);
    expect(before).toMatchObject({
      status: "running",
      usage: { inputTokens: 10, outputTokens: 5, costUsd: 0.000_001, baselineUsd: 0.000_004 },
      tasks: { word: { status: "completed", output: "hello" }, said: { status: "completed", output: { text: "hello to you" }, usage: { costUsd: 0.000_001 }, route: { model: "m" } }, more: { status: "running", attempt: 1 }, join: { status: "pending" } },
    });
    const log = await readLog(workflow);
    expect(log.map(({ seq }) => seq)).toEqual(log.map((_event, index) => index + 1));
    expect(log.find(({ taskId, type }) => taskId === "said" && type === "task.completed")).toMatchObject({ data: { attempt: 1, outputBytes: 23 } });
    const states = await runInDurableObject(workflow, (_object, { storage }) => new WorkflowStore(storage).steps.readTaskStates(5));
    expect(states.slice(0, 3).map(({ outputBytes }) => outputBytes)).toEqual([7, 23, null]);
    const spend = await (workflow as unknown as LeaseHolderPort).trimLease(Date.parse(before.createdAt), Infinity);
    expect(spend!.map(({ day }) => new Date(day * DAY_MS).getUTCFullYear() >= 2026)).toEqual([true]);

    await workflow.report([{ task: 2, attempt: 1, outcome: completed({ more: true }, [call({ costNanoUsd: 2_000 })]) }]);
    const ended = await view(workflow, 30_000);
    expect(ended).toMatchObject({ status: "completed", result: ["hello", { text: "hello to you" }, { more: true }], usage: { inputTokens: 20, outputTokens: 10, costUsd: 0.000_003 }, tasks: { web: { output: { asked: 2 } } } });
    expect(ended.budget).toMatchObject({ spentUsd: 0.000_003, reservedUsd: 0, spentTokens: 30, reservedTokens: 0 });
    const ledger = await workflow.readLedger({ limit: 10, cursor: null });
    expect(ledger).toMatchObject({ items: [{ taskId: "more", costUsd: 0.000_002 }, { taskId: "said", costUsd: 0.000_001 }] });
    await expect.poll(() => delivered).toEqual(["workflow.completed"]);
    await expect.poll(() => listedStatus(workflow)).toBe("completed");
    expect(await query(workflow, "SELECT version FROM schema_version")).toEqual([{ version: WORKFLOW_MIGRATIONS.length }]);

    pass(31 * DAY_MS);
    await runDurableObjectAlarm(workflow);
    await expectEmpty(workflow);
  });
});
