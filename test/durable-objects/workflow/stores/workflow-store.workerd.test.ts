import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import fc from "fast-check";
import { describe, expect, test, vi } from "vitest";
import { MAX_FAILURE_MESSAGE_CHARS } from "../../../../src/consumer/agents/agent-answer.ts";
import { METRICS_MIGRATIONS } from "../../../../src/durable-objects/metrics/metrics-migrations.ts";
import { migrate, readVersion } from "../../../../src/durable-objects/storage/migrate.ts";
import { TENANT_MIGRATIONS } from "../../../../src/durable-objects/tenant/stores/tenant-migrations.ts";
import { NEW_WORKFLOW_SCHEMA, WORKFLOW_MIGRATIONS } from "../../../../src/durable-objects/workflow/stores/workflow-migrations.ts";
import { MAX_CHANGES_CHARS } from "../../../../src/durable-objects/workflow/stores/step-store.ts";
import { WorkflowStore } from "../../../../src/durable-objects/workflow/stores/workflow-store.ts";
import { readParts } from "../../../../src/durable-objects/workflow/workflow-parts.ts";
import type { WorkflowEvent } from "../../../../src/workflow/events.ts";
import { MAX_VALUE_BYTES } from "../../../../src/workflow/json/json-size.ts";
import { createTaskState, type TaskState } from "../../../../src/workflow/run.ts";
import { MAX_TASKS, TaskSpec } from "../../../../src/workflow/spec/spec.ts";

let stores = 0;

/** Runs `work` over the migrated store of an object of its own. */
function inStore<Result>(work: (store: WorkflowStore, sql: SqlStorage) => Result): Promise<Result> {
  return runInDurableObject(env.WORKFLOW.getByName(`store-${(stores += 1)}`), (_object, state) => {
    const store = new WorkflowStore(state.storage);
    store.transaction(() => store.migrate());
    return work(store, state.storage.sql);
  });
}

async function digestOf(text: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join("").slice(0, 16);
}

function listColumns(sql: SqlStorage): { table: string; column: string; type: string; key: number; notNull: number }[] {
  const tables = sql.exec("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '\\_cf\\_%' ESCAPE '\\' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name").toArray().map((row) => String(row["name"]));
  return tables.flatMap((table) =>
    sql.exec(`PRAGMA table_info(${table})`).toArray().map((row) => ({ table, column: String(row["name"]), type: String(row["type"]), key: Number(row["pk"]), notNull: Number(row["notnull"]) })),
  );
}

const task = (changes: Record<string, unknown> = {}): TaskSpec => TaskSpec.parse({ id: "a", agent: "b", ...changes });
const started = (attempt: number): WorkflowEvent => ({ type: "task.started", at: "2026-01-01T00:00:00.000Z", taskId: "a", data: { attempt } });
const startedTimes = (count: number, first = 1): WorkflowEvent[] => Array.from({ length: count }, (_, index) => started(first + index));

describe("migrations", () => {
  test("are run once, and the version is kept", async () => {
    await inStore((store, sql) => {
      expect(store.hasSchema()).toBe(true);
      store.write("input", "kept");
      store.migrate();
      migrate(sql, WORKFLOW_MIGRATIONS);
      expect(readVersion(sql)).toBe(WORKFLOW_MIGRATIONS.length);
      expect(store.read("input")).toBe("kept");
      expect(sql.exec("SELECT count(*) AS count FROM schema_version").one()["count"]).toBe(1);
    });
  });

  test("that were added later are run on what is there", async () => {
    await inStore((store, sql) => {
      store.write("input", "kept");
      migrate(sql, [...WORKFLOW_MIGRATIONS, "CREATE TABLE later (x)", "INSERT INTO later VALUES (1)"]);
      expect(readVersion(sql)).toBe(WORKFLOW_MIGRATIONS.length + 2);
      expect(sql.exec("SELECT x FROM later").toArray()).toEqual([{ x: 1 }]);
      expect(store.read("input")).toBe("kept");
    });
  });

  test("and the schema that new objects begin with come to the same tables", async () => {
    const [begun, migrated] = await Promise.all([
      inStore((store, sql) => (store.steps.writeOutput(0, "1", 1), listColumns(sql))),
      runInDurableObject(env.WORKFLOW.getByName(`store-${(stores += 1)}`), (_object, { storage: { sql } }) => (migrate(sql, WORKFLOW_MIGRATIONS.slice(0, NEW_WORKFLOW_SCHEMA.version)), listColumns(sql))),
    ]);
    expect(begun).toEqual(migrated);
    expect(new Set(begun.map(({ table }) => table)).size).toBe(12);
  });

  test("that fail leave the version and the data as they were", async () => {
    await inStore((store, sql) => {
      const broken = [...WORKFLOW_MIGRATIONS, "CREATE TABLE later (x)", "INSERT INTO nowhere VALUES (1)"];
      expect(() => store.transaction(() => migrate(sql, broken))).toThrow("nowhere");
      expect(readVersion(sql)).toBe(WORKFLOW_MIGRATIONS.length);
      expect(sql.exec("SELECT 1 FROM sqlite_master WHERE name = 'later'").toArray()).toEqual([]);
    });
  });

  test("that are cut off between two of their statements, outside of any transaction too, are run when the object is read again", async () => {
    await runInDurableObject(env.WORKFLOW.getByName(`store-${(stores += 1)}`), (_object, { storage }) => {
      const { sql } = storage;
      migrate(sql, WORKFLOW_MIGRATIONS.slice(0, 3));
      const before = listColumns(sql);
      const { exec } = Object.getPrototypeOf(sql) as SqlStorage;
      const cutOff = vi.spyOn(Object.getPrototypeOf(sql) as SqlStorage, "exec").mockImplementation(function (this: SqlStorage, statements: string, ...parameters: unknown[]) {
        const cutAt = statements.indexOf("ALTER TABLE task_states");
        const result = exec.call(this, cutAt === -1 ? statements : statements.slice(0, cutAt), ...parameters);
        if (cutAt !== -1) throw new Error("the disk is full");
        return result as never;
      });
      const store = new WorkflowStore(storage);
      expect(() => readParts(store)).toThrow("the disk is full");
      cutOff.mockRestore();
      expect(listColumns(sql)).toEqual(before);
      expect(readParts(store)).toBeNull();
      expect(readVersion(sql)).toBe(WORKFLOW_MIGRATIONS.length);
    });
  });

  test("of new workflows begin with a text that is changed by no one but with its version", async () => {
    const { version, main, side } = NEW_WORKFLOW_SCHEMA;
    expect([version, await digestOf(main + side.schema)]).toEqual([4, "1b3214114050b152"]);
  });

  // Objects out there were made by these texts. Add the hash of a new entry here; never change one that was deployed.
  test.each([
    ["workflow", WORKFLOW_MIGRATIONS, ["1d4f392ea16fc158", "895c7eb77064d2d2", "6805e461c589d39b", "fd9e8af0f35fc145"]],
    ["tenant", TENANT_MIGRATIONS, ["01133793c85e2a8c", "3653c20914e42741", "500446a063c1c28b", "51d24fe2a3fcc9bc", "41c8252f9332c389", "e837aac13ba3106a", "51f3a48abf29cbf7", "ede4b3497845a522", "162e7f72cd2512eb"]],
    ["metrics", METRICS_MIGRATIONS, ["9be658cb272d9067", "00dcb83047d05794"]],
  ])("of the %s object are only added to", async (_name, migrations, hashes) => {
    expect(await Promise.all(migrations.map(digestOf))).toEqual(hashes);
  });
});

describe("tasks", () => {
  test("as many as a workflow may have are stored and read back in order", async () => {
    await inStore((store) => {
      const tasks = Array.from({ length: MAX_TASKS }, (_, index) => task({ id: `t${index}`, input: { index }, dependsOn: index === 0 ? [] : [`t${index - 1}`] }));
      store.addNew({}, {}, tasks);
      expect(store.readTaskSpecs()).toEqual(tasks);
      expect(store.readTaskSpec(4_321)).toEqual(tasks[4_321]);
      const states: TaskState[] = tasks.map((_task, index) => ({ ...createTaskState(), attempt: index, status: "completed" }));
      store.steps.writeTaskStates(new Set(states.keys()), states, new Map(), 0);
      expect(store.steps.readTaskStates(MAX_TASKS)).toEqual(states);
    });
  });

  const texts: [string, string][] = [["quotes", '"'], ["backslashes", "\\"], ["letters of two bytes", "é"], ["signs of three bytes", "€"], ["signs of four bytes", "🧵"], ["control characters", "\u0001"], ["halves of a pair", "\ud800"], ["the character zero", "\u0000"]];
  test.each(texts)("keep an input of nearly 1 MiB of %s", async (_name, sign) => {
    const bytes = new TextEncoder().encode(JSON.stringify(sign)).byteLength - 2;
    const input = sign.repeat(Math.floor((MAX_VALUE_BYTES - 2) / bytes));
    await inStore((store) => {
      store.addNew({}, {}, [task({ id: "small" }), task({ input }), task({ id: "last" })]);
      expect(store.readTaskSpec(1).input === input).toBe(true);
      store.write("input", input);
      expect(store.read("input") === input).toBe(true);
      store.steps.writeOutput(1, JSON.stringify(input), MAX_VALUE_BYTES);
      expect(store.steps.readOutputJson(1) === JSON.stringify(input)).toBe(true);
    });
  });

  test("keep numbers, deep values and unusual keys as they are", async () => {
    const deep = Array.from({ length: 60 }).reduce<unknown>((inner) => [inner], 1);
    const input = JSON.parse(`{"big": 12345678901234567890, "small": 5e-324, "negative": -0, "__proto__": 1, "": 2, "a'b\\"c": [], "deep": ${JSON.stringify(deep)}}`) as unknown;
    await inStore((store) => {
      store.addNew({}, {}, [task({ input })]);
      expect(JSON.stringify(store.readTaskSpec(0).input)).toBe(JSON.stringify(input));
    });
  });

  test("keep their detail when a later change brings none", async () => {
    await inStore((store) => {
      const states = [createTaskState()];
      const route = { tier: "weak", model: "m", provider: "p", complexity: null, reason: "r", fallbacks: [] };
      store.steps.writeTaskStates(new Set([0]), states, new Map([[0, { route, context: null }]]), 0);
      store.steps.writeTaskStates(new Set([0]), states, new Map(), 0);
      expect(store.steps.readDetails([0]).get(0)).toEqual({ route, context: null });
    });
  });
});

describe("steps", () => {
  const stateOf = (attempt: number): TaskState => ({ ...createTaskState(), status: "completed", attempt, startedAt: attempt, outputBytes: attempt, failure: attempt % 2 === 0 ? null : { code: "timeout", message: "late", retryable: true } });

  test("of any size, with and without events, leave the newest state of each task and its output", async () => {
    const step = fc.record({
      touched: fc.uniqueArray(fc.nat(5), { maxLength: 4 }),
      eventCount: fc.constantFrom(0, 1, 3, 401),
      outputChars: fc.constantFrom(0, 5, 20_000),
      hasDetail: fc.boolean(),
    });
    const route = { tier: "weak", model: "m", provider: "p", complexity: null, reason: "r", fallbacks: [] };
    await fc.assert(fc.asyncProperty(fc.array(step, { maxLength: 12 }), async (steps) => {
      await runInDurableObject(env.WORKFLOW.getByName(`store-${(stores += 1)}`), (_object, state) => {
        const store = new WorkflowStore(state.storage);
        store.transaction(() => store.migrate());
        const states = Array.from({ length: 6 }, createTaskState);
        const outputs = new Map<number, string>();
        let lastSeq = 0;
        steps.forEach(({ touched, eventCount, outputChars, hasDetail }, index) => {
          const fresh = new Map(touched.filter((number) => !outputs.has(number)).map((number) => [number, { json: JSON.stringify({ number, text: "x".repeat(outputChars) }), bytes: 1 }] as const));
          for (const number of touched) states[number] = stateOf(index + 1);
          for (const [number, { json }] of fresh) outputs.set(number, json);
          const details = new Map(hasDetail && touched.length > 0 ? [[touched[0]!, { route, context: null }] as const] : []);
          store.steps.saveStep({ firstSeq: lastSeq + 1, events: startedTimes(eventCount, lastSeq + 1), touched: new Set(touched), states, details, outputs: fresh });
          lastSeq += eventCount;
        });
        for (const memory of [store, new WorkflowStore(state.storage)]) {
          expect(memory.steps.readTaskStates(6)).toEqual(states);
          expect(memory.steps.readLastSeq()).toBe(lastSeq);
          for (let number = 0; number < 6; number += 1) expect(memory.steps.readOutputJson(number)).toBe(outputs.get(number) ?? null);
          const read = memory.steps.readOutputJsons([0, 1, 2, 3, 4, 5]);
          expect(new Map([...read].toSorted(([a], [b]) => a - b))).toEqual(new Map([...outputs].toSorted(([a], [b]) => a - b)));
        }
      });
    }), { numRuns: 60 });
  });

  test("that are small are one row of one table", async () => {
    await inStore((store, sql) => {
      store.steps.saveStep({ firstSeq: 1, events: startedTimes(2), touched: new Set([0]), states: [stateOf(1)], details: new Map(), outputs: new Map([[0, { json: "[1]", bytes: 3 }]]) });
      expect(sql.exec("SELECT count(*) AS count FROM events").one()["count"]).toBe(1);
      expect(listColumns(sql).map(({ table }) => table)).not.toContain("task_states");
    });
  });

  test.each([[0, true], [1, false]])("with as much as goes into one row and %i more characters: %s", async (beyond, isOneRow) => {
    await inStore((store, sql) => {
      const save = (firstSeq: number, chars: number): void =>
        store.steps.saveStep({ firstSeq, events: startedTimes(1, firstSeq), touched: new Set([0]), states: [stateOf(1)], details: new Map(), outputs: new Map([[0, { json: JSON.stringify("x".repeat(chars)), bytes: 1 }]]) });
      const readLength = (): number => Number(sql.exec("SELECT length(changes) AS length FROM events ORDER BY first_seq DESC LIMIT 1").one()["length"]);
      save(1, 0);
      const brackets = 2;
      const chars = MAX_CHANGES_CHARS + brackets - readLength() + beyond;
      save(2, chars);
      expect(readLength()).toBe(isOneRow ? MAX_CHANGES_CHARS + brackets : 0);
      expect(store.steps.readTaskStates(1)).toEqual([stateOf(1)]);
    });
  });

  test.each([1, 401])("with an output of a task that did not change are refused (%i events)", async (eventCount) => {
    await inStore((store) => {
      const step = { firstSeq: 1, events: startedTimes(eventCount), touched: new Set([0]), states: [stateOf(1), stateOf(1)], details: new Map(), outputs: new Map([[1, { json: "1", bytes: 1 }]]) };
      expect(() => store.steps.saveStep(step)).toThrow("an output of task 1");
      expect(store.steps.readLastSeq()).toBe(0);
    });
  });

  test("leave no memory of an output when another is written in its place", async () => {
    await inStore((store) => {
      const outputs = new Map([[0, { json: "1", bytes: 1 }], [1, { json: "1", bytes: 1 }]]);
      store.steps.saveStep({ firstSeq: 1, events: startedTimes(1), touched: new Set([0, 1]), states: [stateOf(1), stateOf(1)], details: new Map(), outputs });
      store.steps.writeOutput(0, "2", 1);
      expect([store.steps.readOutputJson(0), store.steps.readOutputJsons([0]).get(0)]).toEqual(["2", "2"]);
      expect([store.steps.readOutputJson(1), store.steps.readOutputJsons([1]).get(1)]).toEqual(["1", "1"]);
    });
  });

  test("whose outputs are far too long for one row are not put together to find that out", async () => {
    await inStore((store) => {
      // All of them would be longer than a text can be; a step of transforms may have more than half of an object's memory of them.
      const output = { json: JSON.stringify("x".repeat(MAX_VALUE_BYTES - 2)), bytes: MAX_VALUE_BYTES };
      const tasks = Array.from({ length: 600 }, (_, task) => task);
      const outputs = new Map(tasks.map((task) => [task, output] as const));
      expect(store.steps.saveInOneRow({ firstSeq: 1, events: startedTimes(1), touched: new Set(tasks), states: tasks.map(() => stateOf(1)), details: new Map(), outputs })).toBe(false);
      expect(store.steps.readLastSeq()).toBe(0);
    });
  });

  test("of an object from before steps were one row are read, and later ones go over them", async () => {
    await runInDurableObject(env.WORKFLOW.getByName(`store-${(stores += 1)}`), (_object, state) => {
      const { sql } = state.storage;
      migrate(sql, WORKFLOW_MIGRATIONS.slice(0, 3));
      sql.exec("INSERT INTO task_states VALUES (0, 'completed', ?, NULL), (1, 'running', ?, NULL)", JSON.stringify(stateOf(1)), JSON.stringify(createTaskState()));
      sql.exec("INSERT INTO outputs VALUES (0, 5, '[1,2]')");
      sql.exec("INSERT INTO events VALUES (1, 1, ?)", JSON.stringify(startedTimes(1)));
      const store = new WorkflowStore(state.storage);
      store.transaction(() => store.migrate());
      expect(store.steps.readTaskStates(2)).toEqual([stateOf(1), createTaskState()]);
      store.steps.saveStep({ firstSeq: 2, events: startedTimes(1, 2), touched: new Set([1]), states: [stateOf(1), stateOf(2)], details: new Map(), outputs: new Map([[1, { json: "7", bytes: 1 }]]) });
      const restored = new WorkflowStore(state.storage);
      expect(restored.steps.readTaskStates(2)).toEqual([stateOf(1), stateOf(2)]);
      expect([...restored.steps.readOutputJsons([0, 1])].toSorted()).toEqual([[0, "[1,2]"], [1, "7"]]);
      expect(restored.steps.readEvents(0, 10).map(({ seq }) => seq)).toEqual([1, 2]);
    });
  });
});

describe("answers", () => {
  test.each([0, 1])("come back byte for byte when parts are cut between the halves of a pair (%i)", async (shift) => {
    const body = "x".repeat(shift) + "🧵".repeat(600_000);
    await inStore((store) => {
      expect(store.readAnswer(store.writeAnswer(body)) === body).toBe(true);
    });
  });
});

describe("events", () => {
  test("of one step are split over rows and read back in one sequence", async () => {
    await inStore((store, sql) => {
      for (const [firstSeq, count] of [[1, 3], [4, 1_201], [1_205, 400], [1_605, 1]] as const) store.steps.appendEvents(firstSeq, startedTimes(count, firstSeq));
      expect(store.steps.readLastSeq()).toBe(1_605);
      const all = store.steps.readEvents(0, 10_000);
      expect(all.map(({ seq }) => seq)).toEqual(Array.from({ length: 1_605 }, (_, index) => index + 1));
      expect(all.every(({ seq, data }) => "attempt" in data && data.attempt === seq)).toBe(true);
      expect(Number(sql.exec("SELECT count(*) AS count FROM events").one()["count"])).toBeLessThan(12);
    });
  });

  test("page exactly, wherever steps, rows and pages begin", async () => {
    await inStore((store) => {
      let firstSeq = 1;
      for (const count of [1, 2, 399, 400, 401, 1, 800, 7]) {
        store.steps.appendEvents(firstSeq, startedTimes(count, firstSeq));
        firstSeq += count;
      }
      const last = firstSeq - 1;
      fc.assert(fc.property(fc.nat(last + 3), fc.integer({ min: 1, max: 1_000 }), (after, limit) => {
        const expected = Array.from({ length: Math.max(0, Math.min(limit, last - after)) }, (_, index) => after + 1 + index);
        expect(store.steps.readEvents(after, limit).map(({ seq }) => seq)).toEqual(expected);
      }), { numRuns: 300, examples: [[0, 1], [1, 1], [3, 399], [402, 1], [802, 1], [803, 400], [last, 1], [last - 1, 5], [last + 3, 1]] });
    });
  });

  test("with the longest errors of all tasks at once fit their rows, in any script", async () => {
    const error = { code: "agent_unavailable", message: "€".repeat(MAX_FAILURE_MESSAGE_CHARS), retryable: true } as const;
    const events = Array.from({ length: MAX_TASKS }, (_, index): WorkflowEvent => ({ type: "task.failed", at: "2026-01-01T00:00:00.000Z", taskId: `t${index}`, data: { attempt: 1, error } }));
    await inStore((store, sql) => {
      store.steps.appendEvents(1, events);
      expect(Number(sql.exec("SELECT max(length(CAST(items AS BLOB))) AS bytes FROM events").one()["bytes"])).toBeLessThan(2_000_000);
      expect(store.steps.readLastSeq()).toBe(MAX_TASKS);
      expect(store.steps.readEvents(4_990, 1_000).map(({ taskId }) => taskId)).toEqual(events.slice(4_990).map(({ taskId }) => taskId));
    });
  });
});

describe("calls", () => {
  test("are kept once each, read from the newest on, and summed by task", async () => {
    await inStore((store) => {
      const call = { task: 1, attempt: 1, isLate: false, at: 5, provider: "p", model: "m", inputTokens: 3, outputTokens: 2, cachedTokens: 0, costNanoUsd: 9_000_000_000_001, baselineNanoUsd: 0, estimated: false, call: 0, tier: null, taskType: null, isOverCap: false, day: 3 };
      const lines = [call, { ...call, call: 1 }, { ...call, attempt: 2, isLate: true }, { ...call, task: 2 }];
      for (const { task, attempt, day, isLate, ...line } of lines) {
        const entry = { kind: "settle", task, attempt, call: line.call, day, reserved: { nanoUsd: 0, tokens: 0 }, spent: { nanoUsd: line.costNanoUsd, tokens: 5 }, isLate, expiresAt: null } as const;
        expect(store.calls.enter(entry, line, null, 5)).toEqual({ added: line, removed: null });
      }
      expect(store.calls.readCalls(null, 10).map(({ id: _id, ...kept }) => kept)).toEqual(lines.toReversed());
      expect(store.calls.readUsage(1)).toEqual(new Map([[1, { inputTokens: 9, outputTokens: 6, costNanoUsd: 27_000_000_000_003 }]]));
      expect([...store.calls.readUsage(null).keys()]).toEqual([1, 2]);
      const [newest, ...rest] = store.calls.readCalls(null, 10);
      expect(store.calls.readCalls(newest!.id, 10)).toEqual(rest);
    });
  });
});
