import { describe, expect, test } from "vitest";
import type { Fault, Json } from "../../../src/errors.ts";
import type { AgentDefinition } from "../../../src/workflow/spec/agent.ts";
import { MAX_FAULTS } from "../../../src/workflow/faults/fault-list.ts";
import { MAX_JSON_DEPTH, MAX_VALUE_BYTES } from "../../../src/workflow/json/json-size.ts";
import { MAX_ATTEMPT_TIMEOUT_MS, MAX_TASKS, MIN_CONTEXT_TOKENS, UNAVAILABLE_FIELDS } from "../../../src/workflow/spec/spec.ts";
import { MAX_INPUT_AND_SCHEMA_BYTES } from "../../../src/workflow/spec/validate-task.ts";
import { validateSpec, type AcceptedSpec, type SpecContext } from "../../../src/workflow/spec/validate-spec.ts";

const common = { description: "", capabilities: [] };
const llm: AgentDefinition = { kind: "llm", ...common, system: "", taskType: null, tier: null, model: null, maxOutputTokens: 1_024, temperature: null };
const http: AgentDefinition = { kind: "http", ...common, url: "https://agent.example/", headers: {}, mode: "sync", secretName: null };
const agents: Record<string, AgentDefinition> = {
  scout: llm,
  pinned: { ...llm, model: "gone" },
  http,
  callback: { ...http, mode: "callback" },
  add: { kind: "transform", ...common, expression: "input.a + 1" },
  join: { kind: "transform", ...common, expression: "tasks.a.output + tasks.b.output" },
  broken: { kind: "transform", ...common, expression: "nobody + 1" },
};

const context: SpecContext = {
  agents: (name) => agents[name] ?? null,
  agentNames: () => Object.keys(agents),
  models: new Set(["small", "large"]),
  isAllowedUrl: (url) => (url.startsWith("https:") ? null : "must be https"),
  isAllowedSecretName: (name, kind) => name.startsWith(`${kind}_ACME__`),
};

interface Fields {
  [field: string]: unknown;
}

/** A task of an HTTP agent, which takes any input. */
function task(id: string, fields: Fields = {}): Fields {
  return { id, agent: "http", ...fields };
}

function faultsOf(body: unknown, over: Partial<SpecContext> = {}): Fault[] {
  const result = validateSpec(body, { ...context, ...over });
  return "faults" in result ? result.faults : [];
}

function accept(body: unknown): AcceptedSpec {
  const result = validateSpec(body, context);
  if ("faults" in result) throw new Error(JSON.stringify(result.faults));
  return result;
}

const prompt = { prompt: "Read." };
const deep = (levels: number): Json => (levels === 0 ? 1 : [deep(levels - 1)]);

describe("a spec that can run", () => {
  test("is given back with defaults, its graph and the agents it uses", () => {
    const accepted = accept({
      name: "release-notes",
      input: { repo: "weft" },
      tasks: [
        { id: "scout_1", agent: "scout", phase: "scout", type: "file_scan", input: { prompt: "List the changes in: ${workflow.input.repo}" } },
        { id: "plan_1", agent: "scout", phase: "plan", dependsOn: ["scout_1"], input: { prompt: "Group these: ${tasks.scout_1.output}" } },
        { id: "build_1", agent: "scout", phase: "build", dependsOn: ["plan_1"], when: "size(tasks.plan_1.output) > 0" },
        { id: "sum", agent: "add", dependsOn: ["build_1"], input: { a: 1 } },
      ],
    });
    expect(accepted.graph.waves).toEqual([[0], [1], [2], [3]]);
    expect(accepted.agents).toEqual({ scout: llm, add: agents["add"] });
    expect(accepted.spec.tasks.map(({ id }) => id)).toEqual(["scout_1", "plan_1", "build_1", "sum"]);
    expect(accepted.spec.maxConcurrency).toBe(5);
  });

  test.each<[string, unknown]>([
    ["any task in the result", { tasks: [task("a"), task("b")], result: "[tasks.a.output, tasks.b.output]" }],
    ["a transitive dependency", { tasks: [task("a"), task("b", { dependsOn: ["a"] }), task("c", { dependsOn: ["b"], when: "tasks.a.output == 1" })] }],
    ["a dependency listed later", { tasks: [task("b", { dependsOn: ["a"], input: "${tasks.a.output}" }), task("a")] }],
    ["messages", { tasks: [{ id: "a", agent: "scout", input: { messages: [{ role: "system", content: "x" }, { role: "user", content: "${workflow.input}" }] } }] }],
    ["a long wait for a callback", { tasks: [{ id: "a", agent: "callback", timeoutMs: MAX_ATTEMPT_TIMEOUT_MS + 1 }] }],
    ["the longest attempt", { tasks: [task("a", { timeoutMs: MAX_ATTEMPT_TIMEOUT_MS })] }],
    ["a pinned model", { tasks: [{ id: "a", agent: "pinned", model: "small", input: prompt }] }],
    ["an output schema", { tasks: [{ id: "a", agent: "scout", input: prompt, output: { schema: { $defs: { n: { type: "number" } }, properties: { x: { $ref: "#/$defs/n" } } } } }] }],
    ["a boolean schema", { tasks: [{ id: "a", agent: "scout", input: prompt, output: { schema: true } }] }],
    ["a webhook", { tasks: [task("a")], webhook: { url: "https://hook.example/", events: ["workflow.completed"], secretName: "WEBHOOK_ACME__X" } }],
    ["the largest input", { tasks: [task("a")], input: "x".repeat(MAX_VALUE_BYTES - 2) }],
    ["the deepest input", { tasks: [task("a", { input: deep(MAX_JSON_DEPTH) })] }],
    ["a task named like a property of objects", { tasks: [task("constructor"), task("toString", { dependsOn: ["constructor"], input: "${tasks.constructor.output}" })] }],
  ])("with %s", (_, body) => {
    expect(faultsOf(body)).toEqual([]);
  });

  test("any model passes when none are configured to compare with", () => {
    expect(faultsOf({ tasks: [{ id: "a", agent: "scout", model: "any", input: prompt }] }, { models: null })).toEqual([]);
  });

  test("each agent is looked up once", () => {
    const asked: string[] = [];
    faultsOf({ tasks: [task("a"), task("b"), task("c", { agent: "gone" }), task("d", { agent: "gone" })] }, { agents: (name) => (asked.push(name), agents[name] ?? null) });
    expect(asked).toEqual(["http", "gone"]);
  });
});

describe("a spec is refused for", () => {
  test.each<[string, unknown, string, RegExp]>([
    ["no object", 7, "", /object/],
    ["no tasks", {}, "/tasks", /required/],
    ["an empty list of tasks", { tasks: [] }, "/tasks", /1–5,000/],
    ["too many tasks", { tasks: Array.from({ length: MAX_TASKS + 1 }, () => null) }, "/tasks", /has 5001 tasks/],
    ["a task that is no object", { tasks: [task("a"), 7] }, "/tasks/1", /object/],
    ["a missing id", { tasks: [{ agent: "http" }] }, "/tasks/0/id", /required/],
    ["a missing agent", { tasks: [{ id: "a" }] }, "/tasks/0/agent", /required/],
    ["an unknown key", { tasks: [task("a")], taks: 1 }, "/taks", /unknown key; known are id, name, tasks/],
    ["an unknown task key", { tasks: [task("a", { "on/off": 1 })] }, "/tasks/0/on~1off", /unknown key; known are id, agent/],
    ["an unknown retry key", { tasks: [task("a", { retry: { max: 1 } })] }, "/tasks/0/retry/max", /known are maxAttempts/],
    ["onFailure compensate", { tasks: [task("a")], onFailure: "compensate" }, "/onFailure", /"compensate" is part of the API but not available yet/],
    ["another onFailure", { tasks: [task("a")], onFailure: "stop" }, "/onFailure", /one of "fail", "continue"/],
    ["a result of another type", { tasks: [task("a")], result: 7 }, "/result", /CEL expression, or \{agent/],
    ["a result by an agent with an unknown key", { tasks: [task("a")], result: { agent: "http", output: 1 } }, "/result/output", /unknown key/],
    ["a result by an unknown agent", { tasks: [task("a")], result: { agent: "nobody" } }, "/result/agent", /unknown agent "nobody"/],
    ["a result by an agent whose input reads an unknown task", { tasks: [task("a")], result: { agent: "http", input: { all: "${tasks.b.output}" } } }, "/result/input/all", /unknown task "b"/],
    ["a result by an agent with a schema that is none", { tasks: [task("a")], result: { agent: "scout", input: { prompt: "x" }, schema: { pattern: "(" } } }, "/result/schema/pattern", /pattern|regular/],
    ["a schema of a result whose agent is no language model", { tasks: [task("a")], result: { agent: "http", schema: {} } }, "/result/schema", /language models/],
    ["a target of a context that is not reduced", { tasks: [{ id: "a", agent: "scout", input: prompt, context: { mode: "full", maxTokens: 100 } }] }, "/tasks/0/context", /mode reduce only/],
    ["two targets of a context", { tasks: [{ id: "a", agent: "scout", input: prompt, context: { maxTokens: 100, targetReduction: 0.5 } }] }, "/tasks/0/context", /not both/],
    ["a context of too few tokens", { tasks: [{ id: "a", agent: "scout", input: prompt, context: { maxTokens: MIN_CONTEXT_TOKENS - 1 } }] }, "/tasks/0/context/maxTokens", /at least 64/],
    ["a bad time", { tasks: [task("a")], startAt: "tomorrow" }, "/startAt", /ISO 8601/],
    ["a large input", { tasks: [task("a")], input: "x".repeat(MAX_VALUE_BYTES - 1) }, "/input", /1 MiB/],
    ["a large input of a task", { tasks: [task("a", { input: ["é".repeat(MAX_VALUE_BYTES / 2)] })] }, "/tasks/0/input", /1 MiB/],
    ["a deep input", { tasks: [task("a", { input: deep(MAX_JSON_DEPTH + 1) })] }, "/tasks/0/input", /nested deeper/],
    ["a duplicate id", { tasks: [task("a"), task("b"), task("a")] }, "/tasks/2/id", /already the id of \/tasks\/0/],
    ["an unknown dependency", { tasks: [task("scout_1"), task("b", { dependsOn: ["scout1"] })] }, "/tasks/1/dependsOn/0", /unknown task "scout1"; did you mean "scout_1"\?/],
    ["a far unknown dependency", { tasks: [task("a"), task("b", { dependsOn: ["nothing"] })] }, "/tasks/1/dependsOn/0", /unknown task "nothing"$/],
    ["a dependency on itself", { tasks: [task("a", { dependsOn: ["a"] })] }, "/tasks/0/dependsOn/0", /a → a/],
    ["a dependency named twice", { tasks: [task("a"), task("b", { dependsOn: ["a", "a"] })] }, "/tasks/1/dependsOn/1", /twice/],
    ["a cycle", { tasks: [task("x"), task("a", { dependsOn: ["x", "b"] }), task("b", { dependsOn: ["a"] })] }, "/tasks/1/dependsOn/1", /a → b → a$/],
    ["an unknown agent", { tasks: [task("a", { agent: "gone" })] }, "/tasks/0/agent", /unknown agent "gone"$/],
    ["a misspelt agent", { tasks: [task("a", { agent: "calback" })] }, "/tasks/0/agent", /unknown agent "calback"; did you mean "callback"\?$/],
    ["a misspelt agent of the result", { tasks: [task("a")], result: { agent: "Scouts" } }, "/result/agent", /unknown agent "Scouts"; did you mean "scout"\?$/],
    ["an unknown model", { tasks: [{ id: "a", agent: "scout", model: "tiny", input: prompt }] }, "/tasks/0/model", /unknown model "tiny"$/],
    ["a misspelt model", { tasks: [{ id: "a", agent: "scout", model: "larg", input: prompt }] }, "/tasks/0/model", /unknown model "larg"; did you mean "large"\?$/],
    ["an unknown model of the agent", { tasks: [{ id: "a", agent: "pinned", input: prompt }] }, "/tasks/0/agent", /unknown model "gone"/],
    ["an unknown tier", { tasks: [{ id: "a", agent: "scout", tier: "huge", input: prompt }] }, "/tasks/0/tier", /one of "weak"/],
    ["a long timeout", { tasks: [task("a", { timeoutMs: MAX_ATTEMPT_TIMEOUT_MS + 1 })] }, "/tasks/0/timeoutMs", /at most 840000/],
    ["a condition that does not compile", { tasks: [task("a", { when: "1 +" })] }, "/tasks/0/when", /EOF/],
    ["a condition that is none", { tasks: [task("a", { when: "'yes'" })] }, "/tasks/0/when", /must give a bool, and gives a string/],
    ["a template that does not compile", { tasks: [task("a", { input: { x: ["${nobody}"] } })] }, "/tasks/0/input/x/0", /unknown name nobody/],
    ["an unknown task in a template", { tasks: [task("a", { input: { x: "${tasks.gone.output}" } })] }, "/tasks/0/input/x", /unknown task "gone"/],
    ["an unknown task in a condition", { tasks: [task("a", { when: "tasks.gone.output" })] }, "/tasks/0/when", /unknown task "gone"/],
    ["a task that is no dependency", { tasks: [task("a"), task("b", { input: "${tasks.a.output}" })] }, "/tasks/1/input", /tasks.a, which is not a dependency; add "a" to dependsOn/],
    ["a dependent in a condition", { tasks: [task("a", { when: "tasks.b.output" }), task("b", { dependsOn: ["a"] })] }, "/tasks/0/when", /not a dependency/],
    ["the task itself", { tasks: [task("a", { when: "tasks.a.output" })] }, "/tasks/0/when", /the task itself/],
    ["a result that does not compile", { tasks: [task("a")], result: "nobody" }, "/result", /unknown name nobody/],
    ["an unknown task in the result", { tasks: [task("plan_1")], result: "tasks.plan_2.output" }, "/result", /unknown task "plan_2"; did you mean "plan_1"/],
    ["an agent's expression", { tasks: [task("a", { agent: "broken" })] }, "/tasks/0/agent", /expression of the agent "broken".*unknown name nobody/],
    ["what an agent's expression reads", { tasks: [task("a"), task("b"), task("c", { agent: "join", dependsOn: ["b"] })] }, "/tasks/2/agent", /tasks.a, which is not a dependency/],
    ["a schema from elsewhere", schemaBody({ properties: { x: { $ref: "https://example.com/x.json" } } }), "/tasks/0/output/schema/properties/x/$ref", /outside the schema/],
    ["a schema with a lost reference", schemaBody({ $ref: "#/$defs/gone" }), "/tasks/0/output/schema/$ref", /not in the schema/],
    ["a schema with a bad pattern", schemaBody({ items: { pattern: "(" } }), "/tasks/0/output/schema/items/pattern", /regular expression/],
    ["a schema with a bad id", schemaBody({ $id: "http://[" }), "/tasks/0/output/schema", /not a usable JSON Schema/],
    ["a schema with a type that is none", schemaBody({ properties: { x: { type: "text" } } }), "/tasks/0/output/schema/properties/x/type", /one of null, boolean, object/],
    ["a schema with values to choose from that are no list", schemaBody({ enum: 5 }), "/tasks/0/output/schema/enum", /a list/],
    ["a schema whose required names are no list", schemaBody({ required: "title" }), "/tasks/0/output/schema/required", /a list of names/],
    ["a schema of properties that are none", schemaBody({ properties: { x: 5 } }), "/tasks/0/output/schema/properties", /an object of schemas/],
    ["a schema with a length that is none", schemaBody({ items: { minLength: -1 } }), "/tasks/0/output/schema/items/minLength", /0 or more/],
    ["a schema with a pattern that is no text", schemaBody({ pattern: 5 }), "/tasks/0/output/schema/pattern", /a text/],
    ["a schema that is none", schemaBody([]), "/tasks/0/output/schema", /object or a boolean/],
    ["a webhook's URL", { tasks: [task("a")], webhook: { url: "http://x" } }, "/webhook/url", /must be https/],
    ["a webhook's secret", { tasks: [task("a")], webhook: { url: "https://x", secretName: "AGENT_ACME__X" } }, "/webhook/secretName", /WEBHOOK_<TENANT>__<NAME>/],
    ["a webhook's event", { tasks: [task("a")], webhook: { url: "https://x", events: ["workflow.completed", "done"] } }, "/webhook/events/1", /unknown event type "done"; known are workflow.created/],
  ])("%s", (_, body, path, message) => {
    expect(faultsOf(body)).toEqual([{ path, message: expect.stringMatching(message) }]);
  });

  test.each(UNAVAILABLE_FIELDS.workflow)("%s of a workflow, as not available yet", (field) => {
    expect(faultsOf({ tasks: [task("a")], [field]: {} })).toEqual([{ path: `/${field}`, message: `${field} is part of the API but not available yet` }]);
  });

  test.each(UNAVAILABLE_FIELDS.task)("%s of a task, as not available yet", (field) => {
    expect(faultsOf({ tasks: [task("a", { [field]: {} })] })).toEqual([{ path: `/tasks/0/${field}`, message: `${field} is part of the API but not available yet` }]);
  });

  test("a missing agent or missing tasks are not reported beside the field that stands for them", () => {
    expect(faultsOf({ goal: "x" }).map(({ path }) => path)).toEqual(["/goal"]);
    expect(faultsOf({ tasks: [{ id: "a", approval: {} }] }).map(({ path }) => path)).toEqual(["/tasks/0/approval"]);
  });

  test.each(["model", "tier", "maxOutputTokens", "context", "output", "stream"])("%s at an agent that is no language model", (field) => {
    const value = { model: "small", tier: "weak", maxOutputTokens: 1, context: { mode: "none" }, output: { schema: {} }, stream: true }[field];
    expect(faultsOf({ tasks: [task("a", { [field]: value })] })).toEqual([{ path: `/tasks/0/${field}`, message: `is for language models; the agent "http" is of kind http` }]);
    expect(faultsOf({ tasks: [{ id: "a", agent: "scout", input: prompt, [field]: value }] })).toEqual([]);
  });
});

describe("the input of a language model", () => {
  test.each<[string, Json | undefined, string, RegExp]>([
    ["nothing", undefined, "", /prompt or messages/],
    ["a text", "Read.", "", /must be an object/],
    ["both", { prompt: "x", messages: [{ role: "user", content: "x" }] }, "", /not both/],
    ["an unknown key", { prompt: "x", system: "y" }, "/system", /unknown key/],
    ["an empty prompt", { prompt: "" }, "/prompt", /not empty/],
    ["a prompt that is no text", { prompt: 7 }, "/prompt", /text/],
    ["messages that are no list", { messages: "x" }, "/messages", /list/],
    ["no messages", { messages: [] }, "/messages", /at least one/],
    ["a message that is no object", { messages: ["x"] }, "/messages/0", /object/],
    ["an unknown role", { messages: [{ role: "tool", content: "x" }] }, "/messages/0/role", /"system", "user", "assistant"/],
    ["no content", { messages: [{ role: "user" }] }, "/messages/0/content", /text/],
    ["an unknown key of a message", { messages: [{ role: "user", content: "x", name: "y" }] }, "/messages/0/name", /unknown key/],
  ])("is refused: %s", (_, input, path, message) => {
    expect(faultsOf({ tasks: [{ id: "a", agent: "scout", input }] })).toEqual([{ path: `/tasks/0/input${path}`, message: expect.stringMatching(message) }]);
  });

  test("may be missing when the agent sees the outputs of dependencies", () => {
    const second = { id: "b", agent: "scout", dependsOn: ["a"] };
    expect(faultsOf({ tasks: [task("a"), second] })).toEqual([]);
    expect(faultsOf({ tasks: [task("a"), { ...second, context: { mode: "none" } }] })).toMatchObject([{ path: "/tasks/1/input" }]);
  });
});

describe("faults", () => {
  test("of shape and meaning are all reported at once", () => {
    const paths = faultsOf({
      maxConcurrency: 0,
      tasks: [
        task("a"),
        task("b", { timeoutMs: "soon", dependsOn: ["gone"], bogus: 1 }),
        { id: 7, agent: "gone", when: "nobody" },
        null,
        task("c", { dependsOn: ["d"] }),
        task("d", { dependsOn: ["c"], input: "${nobody}" }),
      ],
      result: "tasks.gone.output",
      webhook: { url: "http://x", events: 1, secret: "x", secretName: "ROOT_KEY" },
    }).map(({ path }) => path);
    expect(paths.toSorted()).toEqual([
      "/maxConcurrency",
      "/result",
      "/tasks/1/bogus",
      "/tasks/1/dependsOn/0",
      "/tasks/1/timeoutMs",
      "/tasks/2/agent",
      "/tasks/2/id",
      "/tasks/2/when",
      "/tasks/3",
      "/tasks/4/dependsOn/0",
      "/tasks/5/input",
      "/webhook/events",
      "/webhook/secret",
      "/webhook/secretName",
      "/webhook/url",
    ]);
  });

  test("in one field do not hide each other", () => {
    const pathsOf = (body: unknown): string[] => faultsOf(body).map(({ path }) => path).toSorted();
    const input = { open: "${", known: "${nobody}", task: "${tasks.gone.output}", other: "${tasks.a.output}" };
    expect(pathsOf({ tasks: [task("a"), task("b", { input })] })).toEqual(["/tasks/1/input/known", "/tasks/1/input/open", "/tasks/1/input/other", "/tasks/1/input/task"]);
    expect(pathsOf({ tasks: [{ id: "a", agent: "scout", input: prompt, output: { schema: { pattern: "(" }, format: 1 } }] })).toEqual(["/tasks/0/output/format", "/tasks/0/output/schema/pattern"]);
    expect(pathsOf({ tasks: [{ id: "a b", agent: "http", input: "${nobody}", retry: { max: 1, maxAttempts: 0 } }] })).toEqual(["/tasks/0/id", "/tasks/0/input", "/tasks/0/retry/max", "/tasks/0/retry/maxAttempts"]);
    expect(pathsOf({ tasks: [task("a")], result: { agent: "nobody", input: "${tasks.gone.output}", unknown: 1 } })).toEqual(["/result/agent", "/result/input", "/result/unknown"]);
    expect(pathsOf({ tasks: [task("a")], webhook: { events: ["done"], secretName: "ROOT_KEY" } })).toEqual(["/webhook/events/0", "/webhook/secretName", "/webhook/url"]);
    expect(pathsOf({ tasks: [task("a")], webhook: { url: 1, events: ["done"] } })).toEqual(["/webhook/events/0", "/webhook/url"]);
    expect(pathsOf({ tasks: [task("a")], webhook: [] })).toEqual(["/webhook"]);
  });

  test("that follow only from another one are not reported", () => {
    const misspelt = [task("scout"), task("b", { dependsOn: ["scuot"], input: "${tasks.scout.output}" }), task("c", { dependsOn: ["b"], when: "tasks.scout.output" })];
    expect(faultsOf({ tasks: misspelt }).map(({ path }) => path)).toEqual(["/tasks/1/dependsOn/0"]);
  });

  test("a cycle does not hide what tasks apart from it must not read", () => {
    const tasks = [task("a", { dependsOn: ["b"], input: "${tasks.free.output}" }), task("b", { dependsOn: ["a"] }), task("free"), task("other", { input: "${tasks.free.output}" })];
    expect(faultsOf({ tasks }).map(({ path }) => path)).toEqual(["/tasks/0/dependsOn/0", "/tasks/3/input"]);
  });

  test("two cycles are two faults", () => {
    const tasks = [task("a", { dependsOn: ["b"] }), task("b", { dependsOn: ["a"] }), task("c", { dependsOn: ["a", "d"] }), task("d", { dependsOn: ["c"] })];
    expect(faultsOf({ tasks }).map(({ message }) => message.split(": ")[1])).toEqual(["a → b → a", "c → d → c"]);
  });

  test("a long cycle is named in part", () => {
    const tasks = Array.from({ length: MAX_TASKS }, (_, index) => task(`t${index}`, { dependsOn: [`t${(index + 1) % MAX_TASKS}`] }));
    const [fault] = faultsOf({ tasks });
    expect(fault!.message).toMatch(/t0 → t1 → .* → … → t0$/);
    expect(fault!.message.length).toBeLessThan(400);
  });

  test("are limited, and the last says how many more there are", () => {
    const tasks = (count: number): Fields[] => Array.from({ length: count }, (_, index) => task(`t${index}`, { agent: "gone" }));
    expect(faultsOf({ tasks: tasks(MAX_FAULTS) })).toHaveLength(MAX_FAULTS);
    const limited = faultsOf({ tasks: tasks(MAX_FAULTS + 500) });
    expect(limited).toHaveLength(MAX_FAULTS);
    expect(limited.at(-1)).toEqual({ path: "", message: "501 more problems are not listed" });
  });
});

test("the time for 5,000 tasks is about ten times that for 500", () => {
  const body = (count: number): string =>
    JSON.stringify({
      tasks: Array.from({ length: count }, (_, index) =>
        index === 0
          ? task("t0")
          : { id: `t${index}`, agent: "scout", dependsOn: [`t${index - 1}`], input: { prompt: `See \${tasks.t${Math.max(0, index - 2)}.output}` }, when: `size(tasks.t${Math.max(0, index - 3)}.output) > ${index}` },
      ),
    });
  // Processor time, in turns and the best of each, so that a busy machine does not count.
  const measure = (count: number): number => {
    const parsed: unknown = JSON.parse(body(count));
    const start = process.cpuUsage();
    for (let times = 5_000 / count; times > 0; times -= 1) accept(parsed);
    const { user, system } = process.cpuUsage(start);
    return user + system;
  };
  measure(500);
  const rounds = Array.from({ length: 7 }, () => ({ few: measure(500), many: measure(5_000) }));
  expect(Math.min(...rounds.map(({ many }) => many)) / Math.min(...rounds.map(({ few }) => few))).toBeLessThan(4);
});

function schemaBody(schema: Json): unknown {
  return { tasks: [{ id: "a", agent: "scout", input: prompt, output: { schema } }] };
}

describe("null means absent", () => {
  test.each([
    ["a workflow's field", { webhook: null, deadlineMs: null }],
    ["a field that is not built yet", { budget: null, goal: null }],
  ])("%s that holds null is as if it were left out", (_name, fields) => {
    expect(faultsOf({ tasks: [task("a")], ...fields })).toEqual([]);
  });

  test("in tasks and in their objects too", () => {
    expect(faultsOf({ tasks: [task("a", { when: null, approval: null, retry: { maxAttempts: null, factor: 3 } })] })).toEqual([]);
  });

  test("but not for what is required or unknown", () => {
    expect(faultsOf({ tasks: [{ id: null, agent: "http" }] }).map(({ path }) => path)).toEqual(["/tasks/0/id"]);
    expect(faultsOf({ tasks: [task("a")], whatever: null }).map(({ path }) => path)).toEqual(["/whatever"]);
  });
});

test("an input and a schema may together be as large as fits a row with the rest of the task", () => {
  const body = (bytes: number) => ({ tasks: [{ id: "a", agent: "scout", input: { prompt: "é".repeat(500_000) }, output: { schema: { title: "x".repeat(bytes) } } }] });
  const rest = new TextEncoder().encode(JSON.stringify([body(0).tasks[0]!.input, body(0).tasks[0]!.output.schema])).byteLength;
  expect(faultsOf(body(MAX_INPUT_AND_SCHEMA_BYTES - rest))).toEqual([]);
  expect(faultsOf(body(MAX_INPUT_AND_SCHEMA_BYTES - rest + 1))).toEqual([{ path: "/tasks/0/output/schema", message: expect.stringContaining(`${MAX_INPUT_AND_SCHEMA_BYTES + 1} bytes together`) }]);
});

describe("patterns in a schema", () => {
  const withPattern = (pattern: string) => faultsOf({ tasks: [{ id: "a", agent: "scout", input: { prompt: "p" }, output: { schema: { type: "string", pattern } } }] });

  test.each(["^[A-Z]{2}-\\d+$", "^\\d{4}-\\d{2}-\\d{2}$", "^(?:yes|no)$", "^v?\\d+\\.0$", "^[a-z0-9_-]{3,40}$"])("that take time linear in the text are taken: %s", (pattern) => {
    expect(withPattern(pattern)).toEqual([]);
  });

  test.each(["^(a+)+$", "(a|a)*b", "^(a*)*$", "a+b", "^a*a*a*$", "^(.)\\1$", "^(?=a)", "^(a|aa)+$", "^a?a?a?a?$", "^(x{1,9}){2}$"])("that an engine could backtrack over are refused: %s", (pattern) => {
    expect(withPattern(pattern)).toMatchObject([{ path: "/tasks/0/output/schema/pattern" }]);
  });
});

describe("a result that an agent makes", () => {
  test("is a task after all others, and the result is its output", () => {
    const { spec, graph } = accept({ tasks: [task("a"), task("b", { dependsOn: ["a"] }), task("c")], result: { agent: "scout", input: { prompt: "Sum up ${tasks.a.output}" }, schema: { type: "object" } } });
    expect(spec.result).toBe('tasks["$result"].output');
    expect(spec.tasks.at(-1)).toMatchObject({ id: "$result", agent: "scout", dependsOn: ["b", "c"], output: { schema: { type: "object" } } });
    expect(graph.waves.map((wave) => wave.map((index) => spec.tasks[index]!.id))).toEqual([["a", "c"], ["b"], ["$result"]]);
  });

  test("fits in beside as many tasks as a workflow may have", () => {
    const tasks = Array.from({ length: 5_000 }, (_, index) => task(`t${index}`));
    expect(accept({ tasks, result: { agent: "http" } }).spec.tasks).toHaveLength(5_001);
  });
});

describe("names that every object has", () => {
  test.each([
    ['{"metadata":{"__proto__":"x"}}', "/metadata/__proto__"],
    ['{"__proto__":{"input":{}}}', "/__proto__"],
    ['{"constructor":1}', "/constructor"],
    ['{"budget":{"__proto__":1}}', "/budget/__proto__"],
  ])("are no fields, and not lost without a word: %s", (json, path) => {
    const body = { tasks: [task("a")], ...(JSON.parse(json) as object) };
    if (json.startsWith('{"__proto__"')) Object.defineProperty(body, "__proto__", { value: { input: {} }, enumerable: true });
    expect(faultsOf(body).map((fault) => fault.path)).toContain(path);
  });

  test("can be keys of values and of metadata where they mean nothing", () => {
    const { spec } = accept(JSON.parse('{"tasks":[{"id":"constructor","agent":"http","input":{"__proto__":{"a":1}}}],"metadata":{"constructor":"x","toString":"y"}}'));
    expect(spec.metadata).toEqual({ constructor: "x", toString: "y" });
    expect(JSON.stringify(spec.tasks[0]!.input)).toBe('{"__proto__":{"a":1}}');
  });
});
