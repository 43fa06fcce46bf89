import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { MAX_CONTEXT_BODY_BYTES, MAX_KEEP, MAX_KEEP_CHARS, MAX_QUERY_CHARS, MAX_TOKENS } from "../src/api/context.ts";
import { MAX_GENERATIONS } from "../src/api/http/idempotency.ts";
import { MAX_ERROR_CHARACTERS } from "../src/api/gateway/ask-directly.ts";
import { createEventFramer, MAX_EVENT_BYTES } from "../src/api/gateway/event-framer.ts";
import { createLookupLimit, MAX_NAMES } from "../src/api/auth/lookup-limit.ts";
import { MAX_CACHED_CHARS, ReductionCache } from "../src/consumer/agents/reduction-cache.ts";
import { MAX_DURATION_CHARACTERS } from "../src/workflow/expressions/expression-meter.ts";
import { MAX_CHOICES, MAX_MESSAGES, MAX_TOOLS } from "../src/api/gateway/chat-body.ts";
import { MAX_CHAT_BODY_BYTES } from "../src/api/gateway/gateway.ts";
import { MAX_KEY_CHARS } from "../src/api/http/idempotency.ts";
import { MAX_STEP_CHARS, MAX_STEPS } from "../src/api/intents.ts";
import { MAX_BODY_BYTES, MAX_BODY_DEPTH, MAX_BODY_VALUES, MAX_WORKFLOW_BODY_BYTES } from "../src/api/http/read-request.ts";
import { MAX_EVENTS } from "../src/api/workflow-streams.ts";
import { MAX_METADATA_FILTERS } from "../src/api/workflows.ts";
import { MAX_WAIT_MS } from "../src/api/workflows/read-query.ts";
import { MAX_BUDGET_USD as MAX_TENANT_BUDGET_USD, MAX_CONCURRENT_TASKS, MAX_REQUESTS_PER_MINUTE, MAX_TASKS_PER_SECOND } from "../src/config/tenant-record.ts";
import { MAX_WARNING_THRESHOLDS } from "../src/config/budget-settings.ts";
import { MAX_MODELS, MAX_PROVIDERS } from "../src/config/tiers.ts";
import { MAX_OUTPUT_DEPTH, MAX_REPORTED_TOKENS, MAX_REPORTED_USD, readCallbackBody } from "../src/consumer/agents/agent-answer.ts";
import { MAX_CAPABILITIES, MAX_DESCRIPTION_CHARS, MAX_HEADER_CHARS, MAX_HEADER_NAME_CHARS, MAX_HEADERS, MAX_SYSTEM_CHARS, MAX_URL_CHARS } from "../src/workflow/spec/agent.ts";
import { compileExpression, MAX_EXPRESSION_BYTES } from "../src/workflow/expressions/expression.ts";
import { MAX_EXPRESSION_DEPTH } from "../src/workflow/expressions/expression-references.ts";
import { MAX_FAULTS } from "../src/workflow/faults/fault-list.ts";
import { MAX_JSON_DEPTH, MAX_VALUE_BYTES } from "../src/workflow/json/json-size.ts";
import { MAX_ATTEMPT_TIMEOUT_MS, MAX_BUDGET_USD, MAX_METADATA_KEYS, MAX_TASKS, MAX_WAIT_TIMEOUT_MS } from "../src/workflow/spec/spec.ts";
import { MAX_KEYS } from "../src/workflow/spec/spec-shape.ts";
import { MAX_TEMPLATE_EXPRESSIONS } from "../src/workflow/expressions/template.ts";
import { MAX_INPUT_AND_SCHEMA_BYTES, MAX_SPEC_EXPRESSIONS } from "../src/workflow/spec/validate-task.ts";
import { createTestApi } from "./api/fake-ports.ts";
import { createChatWorld, refusal } from "./api/gateway/chat-world.ts";

/** A request that is as large as a limit allows, or larger by one. */
type Ask = (size: number) => [method: string, path: string, body?: unknown, headers?: Record<string, string>];

interface Refusal {
  errors?: { path: string }[];
}

interface Limit {
  name: string;
  value: number;
  ask: Ask;
  /** What one over is answered. Default 422. */
  status?: 400 | 413 | 422;
  /** Where the fault of one over is, for a 422. */
  at?: string;
  /** What a request at the limit is answered where it goes wrong for another reason. Default: any 2xx. */
  taken?: number;
}

const repeat = (size: number): string => "x".repeat(size);
const list = <Item>(size: number, make: (index: number) => Item): Item[] => Array.from({ length: size }, (_, index) => make(index));
const record = <Value>(size: number, make: (index: number) => Value): Record<string, Value> => Object.fromEntries(list(size, (index) => [`k${index}`, make(index)]));
/** JSON of exactly so many bytes: white space is part of a body. */
const padded = (body: unknown, bytes: number): string => JSON.stringify(body).padEnd(bytes);
const nested = (levels: number): string => "[".repeat(levels) + "]".repeat(levels);

/** A chat that is let in finds no model in this test. */
const NO_ENGINE = 503;
const TASK = { id: "a", agent: "scout", input: { prompt: "Hi" } };
const http = (fields: object = {}) => ({ kind: "http", url: "https://a.example/", ...fields });
const agent = (fields: object = {}, name = "x"): ReturnType<Ask> => ["PUT", `/v1/agents/${name}`, { kind: "llm", ...fields }];
const workflow = (fields: object): ReturnType<Ask> => ["POST", "/v1/workflows", { tasks: [TASK], ...fields }];
const task = (fields: object): ReturnType<Ask> => workflow({ tasks: [{ ...TASK, ...fields }] });
const chat = (fields: object): ReturnType<Ask> => ["POST", "/v1/chat/completions", { model: "offline", messages: [{ role: "user", content: "Hi" }], ...fields }];
const tenant = (fields: object): ReturnType<Ask> => ["POST", "/v1/tenants", { id: "acme", ...fields }];
const longUrl = (chars: number): string => "https://a.example/".padEnd(chars, "x");
/** `depth` operations inside each other, none of which counts for the parser's own limit on nesting. */
const chain = (operations: number): string => list(operations + 1, () => "true").join(" && ");

const LIMITS: readonly Limit[] = [
  { name: "bytes of a body", value: MAX_BODY_BYTES, ask: (size) => ["PUT", "/v1/agents/x", padded({ kind: "llm" }, size)], status: 413 },
  { name: "bytes of options", value: MAX_BODY_BYTES, ask: (size) => ["POST", "/v1/route", padded({}, size)], status: 413 },
  { name: "bytes of a workflow", value: MAX_WORKFLOW_BODY_BYTES, ask: (size) => ["POST", "/v1/workflows", padded({ tasks: [TASK] }, size)], status: 413 },
  { name: "bytes of a plan's workflow", value: MAX_WORKFLOW_BODY_BYTES, ask: (size) => ["POST", "/v1/workflows/plan", padded({ tasks: [TASK] }, size)], status: 413 },
  { name: "bytes of a text to reduce", value: MAX_CONTEXT_BODY_BYTES, ask: (size) => ["POST", "/v1/context/reduce", padded({ text: "a", maxTokens: 5 }, size)], status: 413 },
  { name: "bytes of a text to split", value: MAX_CONTEXT_BODY_BYTES, ask: (size) => ["POST", "/v1/context/split", padded({ text: "a", maxTokens: 5 }, size)], status: 413 },
  { name: "bytes of a chat", value: MAX_CHAT_BODY_BYTES, ask: (size) => ["POST", "/v1/chat/completions", padded(chat({})[2], size)], status: 413, taken: NO_ENGINE },
  // Beside the numbers there are seven: the body, its three fields, the list's message and that one's two fields.
  { name: "values of a body", value: MAX_BODY_VALUES, ask: (size) => chat({ extra: Array(size - 7).fill(0) }), status: 413, taken: NO_ENGINE },
  { name: "levels of a body", value: MAX_BODY_DEPTH, ask: (size) => ["POST", "/v1/chat/completions", `{"model":"offline","messages":[{"role":"user","content":"Hi"}],"extra":${nested(size - 1)}}`], status: 400, taken: NO_ENGINE },
  { name: "levels of a value", value: MAX_JSON_DEPTH, ask: (size) => ["POST", "/v1/workflows", `{"tasks":[${JSON.stringify(TASK)}],"input":${nested(size)}}`], at: "/input" },
  { name: "bytes of a value", value: MAX_VALUE_BYTES, ask: (size) => workflow({ input: repeat(size - 2) }), at: "/input" },
  { name: "bytes of an input and its schema", value: MAX_INPUT_AND_SCHEMA_BYTES, ask: (size) => workflow({ tasks: [{ ...TASK, input: { prompt: repeat(MAX_VALUE_BYTES - 100) }, output: { schema: { title: repeat(size - MAX_VALUE_BYTES + 100 - 28) } } }] }), at: "/tasks/0/output/schema" },
  { name: "tasks", value: MAX_TASKS, ask: (size) => workflow({ tasks: list(size, (index) => ({ ...TASK, id: `t${index}` })) }), at: "/tasks" },
  { name: "dependencies of a task", value: MAX_TASKS - 1, ask: (size) => workflow({ tasks: [...list(Math.min(size, MAX_TASKS - 1), (index) => ({ ...TASK, id: `t${index}` })), { ...TASK, dependsOn: list(size, (index) => `t${index}`) }] }), at: `/tasks/${MAX_TASKS - 1}/dependsOn/${MAX_TASKS - 1}` },
  { name: "characters of a name", value: 200, ask: (size) => workflow({ name: repeat(size) }), at: "/name" },
  { name: "characters of a task's id", value: 64, ask: (size) => task({ id: repeat(size) }), at: "/tasks/0/id" },
  { name: "characters of a workflow's id", value: 64, ask: (size) => workflow({ id: repeat(size) }), at: "/id" },
  { name: "live attempts at once", value: 1_000, ask: (size) => workflow({ maxConcurrency: size }), at: "/maxConcurrency" },
  { name: "time of an attempt", value: MAX_ATTEMPT_TIMEOUT_MS, ask: (size) => task({ timeoutMs: size }), at: "/tasks/0/timeoutMs" },
  { name: "time of a workflow", value: MAX_WAIT_TIMEOUT_MS, ask: (size) => workflow({ deadlineMs: size }), at: "/deadlineMs" },
  { name: "attempts of a task", value: 100, ask: (size) => task({ retry: { maxAttempts: size } }), at: "/tasks/0/retry/maxAttempts" },
  { name: "dollars of a workflow", value: MAX_BUDGET_USD, ask: (size) => workflow({ budget: { maxUsd: size } }), at: "/budget/maxUsd" },
  { name: "unknown keys that are named", value: MAX_KEYS, ask: (size) => workflow(record(size, () => 0)), at: "", taken: 422 },
  { name: "keys of metadata", value: MAX_METADATA_KEYS, ask: (size) => workflow({ metadata: record(size, String) }), at: "/metadata" },
  { name: "characters of a key of metadata", value: 64, ask: (size) => workflow({ metadata: { [repeat(size)]: "x" } }), at: `/metadata/${repeat(65)}` },
  { name: "characters of a value of metadata", value: 512, ask: (size) => workflow({ metadata: { a: repeat(size) } }), at: "/metadata/a" },
  { name: "characters of a webhook's URL", value: MAX_URL_CHARS, ask: (size) => workflow({ webhook: { url: longUrl(size) } }), at: "/webhook/url" },
  { name: "events of a webhook", value: 50, ask: (size) => workflow({ webhook: { url: "https://a.example/", events: Array(size).fill("task.started") } }), at: "/webhook/events" },
  { name: "expressions of a value", value: MAX_TEMPLATE_EXPRESSIONS, ask: (size) => task({ input: { prompt: "${1}".repeat(size) } }), at: "/tasks/0/input" },
  { name: "expressions of a workflow's inputs", value: MAX_SPEC_EXPRESSIONS, ask: (size) => workflow({ tasks: list(11, (index) => ({ ...TASK, id: `t${index}`, input: { prompt: `Say ${"${1}".repeat(Math.min(MAX_TEMPLATE_EXPRESSIONS, size - index * MAX_TEMPLATE_EXPRESSIONS))}` } })) }), at: "/tasks/10/input" },
  { name: "bytes of an expression", value: MAX_EXPRESSION_BYTES, ask: (size) => agent({ kind: "transform", expression: `"${repeat(size - 2)}"` }), at: "/expression" },
  { name: "operations inside each other", value: MAX_EXPRESSION_DEPTH, ask: (size) => agent({ kind: "transform", expression: chain(size) }), at: "/expression" },
  { name: "characters of an agent's name", value: 64, ask: (size) => agent({}, repeat(size)), at: "" },
  { name: "characters of a description", value: MAX_DESCRIPTION_CHARS, ask: (size) => agent({ description: repeat(size) }), at: "/description" },
  { name: "capabilities of an agent", value: MAX_CAPABILITIES, ask: (size) => agent({ capabilities: list(size, String) }), at: "/capabilities" },
  { name: "characters of a system prompt", value: MAX_SYSTEM_CHARS, ask: (size) => agent({ system: repeat(size) }), at: "/system" },
  { name: "characters of an agent's URL", value: MAX_URL_CHARS, ask: (size) => agent(http({ url: longUrl(size) })), at: "/url" },
  { name: "headers of an agent", value: MAX_HEADERS, ask: (size) => agent(http({ headers: record(size, String) })), at: "/headers" },
  { name: "characters of a header", value: MAX_HEADER_CHARS, ask: (size) => agent(http({ headers: { a: repeat(size) } })), at: "/headers/a" },
  { name: "characters of a header's name", value: MAX_HEADER_NAME_CHARS, ask: (size) => agent(http({ headers: { [repeat(size)]: "x" } })), at: `/headers/${repeat(MAX_HEADER_NAME_CHARS + 1)}` },
  { name: "characters of a secret's name", value: 128, ask: (size) => agent(http({ secretName: "AGENT_DEFAULT__".padEnd(size, "X") })), at: "/secretName" },
  { name: "providers", value: MAX_PROVIDERS, ask: (size) => tiers({ providers: list(size, (index) => ({ id: index === 0 ? "offline" : `p${index}`, kind: "offline" })) }), at: "/providers" },
  { name: "models", value: MAX_MODELS, ask: (size) => tiers({ models: list(size, (index) => model(index === 0 ? "m" : `m${index}`)) }), at: "/models" },
  { name: "models of a tier", value: MAX_MODELS, ask: (size) => tiers({ models: list(MAX_MODELS, (index) => model(`m${index}`)), tiers: { weak: list(size, (index) => `m${index}`), base: ["m0"], strong: ["m0"] } }), at: "/tiers/weak" },
  { name: "steps to classify", value: MAX_STEPS, ask: (size) => ["POST", "/v1/intents", { steps: list(size, (index) => ({ id: String(index), text: "x" })) }], at: "/steps" },
  { name: "characters of a step", value: MAX_STEP_CHARS, ask: (size) => ["POST", "/v1/intents", { steps: [{ id: "a", text: repeat(size) }] }], at: "/steps/0/text" },
  { name: "strings to keep", value: MAX_KEEP, ask: (size) => reduce({ keep: list(size, String) }), at: "/keep" },
  { name: "characters of a string to keep", value: MAX_KEEP_CHARS, ask: (size) => reduce({ keep: [repeat(size)] }), at: "/keep/0" },
  { name: "characters of a query", value: MAX_QUERY_CHARS, ask: (size) => reduce({ query: repeat(size) }), at: "/query" },
  { name: "tokens of a text", value: MAX_TOKENS, ask: (size) => reduce({ maxTokens: size }), at: "/maxTokens" },
  { name: "messages of a chat", value: MAX_MESSAGES, ask: (size) => chat({ messages: Array(size).fill({ role: "user", content: "Hi" }) }), status: 400, taken: NO_ENGINE },
  { name: "tools of a chat", value: MAX_TOOLS, ask: (size) => chat({ model: "one", tools: list(size, (index) => ({ type: "function", function: { name: `f${index}` } })) }), status: 400, taken: 404 },
  { name: "choices of a chat", value: MAX_CHOICES, ask: (size) => chat({ model: "one", n: size }), status: 400, taken: 404 },
  { name: "characters of an idempotency key", value: MAX_KEY_CHARS, ask: (size) => ["POST", "/v1/workflows", { tasks: [TASK] }, { "idempotency-key": repeat(size) }], at: "" },
  { name: "items of a page", value: 200, ask: (size) => ["GET", `/v1/workflows?limit=${size}`], at: "?limit" },
  { name: "events of a page", value: MAX_EVENTS, ask: (size) => ["GET", `/v1/workflows/wf_there/events?limit=${size}`], at: "?limit" },
  { name: "time of a wait", value: MAX_WAIT_MS, ask: (size) => ["GET", `/v1/workflows/wf_there?wait=${size}`], at: "?wait" },
  { name: "filters by metadata", value: MAX_METADATA_FILTERS, ask: (size) => ["GET", `/v1/workflows?${list(size, (index) => `metadata.k${index}=x`).join("&")}`], at: "?metadata" },
  { name: "tasks to run again", value: MAX_TASKS, ask: (size) => ["POST", "/v1/workflows/wf_there/rerun", { from: list(size, (index) => `t${index}`) }], at: "/from" },
  { name: "characters of a tenant's id", value: 32, ask: (size) => tenant({ id: repeat(size) }), at: "/id" },
  { name: "dollars of a tenant", value: MAX_TENANT_BUDGET_USD, ask: (size) => tenant({ budget: { maxUsd: size, period: "day" } }), at: "/budget/maxUsd" },
  { name: "tasks per second of a tenant", value: MAX_TASKS_PER_SECOND, ask: (size) => tenant({ limits: { tasksPerSecond: size } }), at: "/limits/tasksPerSecond" },
  { name: "concurrent tasks of a tenant", value: MAX_CONCURRENT_TASKS, ask: (size) => tenant({ limits: { concurrentTasks: size } }), at: "/limits/concurrentTasks" },
  { name: "requests per minute of a tenant", value: MAX_REQUESTS_PER_MINUTE, ask: (size) => tenant({ limits: { requestsPerMinute: size } }), at: "/limits/requestsPerMinute" },
  { name: "thresholds of a budget's warnings", value: MAX_WARNING_THRESHOLDS, ask: (size) => ["PATCH", "/v1/config", { budgets: { warningThresholds: list(size, (index) => index + 1) } }], at: "/budgets/warningThresholds" },
  { name: "characters of a key's name", value: 200, ask: (size) => ["POST", "/v1/tenants/there/keys", { name: repeat(size) }], at: "/name" },
];

function reduce(fields: object): ReturnType<Ask> {
  return ["POST", "/v1/context/reduce", { text: "a", maxTokens: 5, ...fields }];
}

function model(id: string) {
  return { id, provider: "offline", tier: "weak", price: { inputPerMillionUsd: 1, outputPerMillionUsd: 1 }, contextWindow: 1_000, maxOutputTokens: 100, capabilities: [] };
}

function tiers(fields: object): ReturnType<Ask> {
  return ["PUT", "/v1/tiers", { providers: [{ id: "offline", kind: "offline" }], models: [model("m")], tiers: { weak: ["m"], base: ["m"], strong: ["m"] }, ...fields }];
}

describe("limits of requests", () => {
  test.each(LIMITS)("$name: $value is taken, one more is refused", async ({ value, ask: make, status = 422, at, taken: expected }) => {
    const { ask } = createTestApi();
    await ask("POST", "/v1/workflows", { id: "wf_there", tasks: [TASK] });
    await ask("POST", "/v1/tenants", { id: "there" });
    const atLimit = await ask(...make(value));
    const taken = await atLimit.text();
    expect(atLimit.status < 300 || atLimit.status === expected ? null : taken.slice(0, 500)).toBeNull();
    if (expected === 422) expect((JSON.parse(taken) as Refusal).errors!.map(({ path }) => path)).not.toContain(at);
    const over = await ask(...make(value + 1));
    const answer = (await over.json()) as Refusal;
    expect(over.status, JSON.stringify(answer).slice(0, 500)).toBe(status);
    if (at !== undefined) expect(answer.errors!.map(({ path }) => path)).toContain(at);
  });

  test(`faults: ${MAX_FAULTS} are listed, of one more the rest is counted`, async () => {
    const { ask } = createTestApi();
    const faultsOf = async (count: number) => ((await (await ask("POST", "/v1/intents", { steps: list(count, () => 0) })).json()) as { errors: { message: string }[] }).errors;
    expect(await faultsOf(MAX_FAULTS)).toHaveLength(MAX_FAULTS);
    const over = await faultsOf(MAX_FAULTS + 1);
    expect([over.length, over.at(-1)!.message]).toEqual([MAX_FAULTS, "2 more problems are not listed"]);
  });

  test.each([
    ["tokens", MAX_REPORTED_TOKENS, (size: number) => ({ output: 1, usage: { inputTokens: size } })],
    ["dollars", MAX_REPORTED_USD, (size: number) => ({ output: 1, usage: { costUsd: size } })],
    ["levels of an output", MAX_OUTPUT_DEPTH, (size: number) => ({ output: JSON.parse(nested(size)) as unknown })],
  ])("%s that an agent may report: %i, and no more", (_name, value, make) => {
    const read = (size: number) => "faults" in readCallbackBody(make(size), { agentName: "a", at: 0 });
    expect([read(value), read(value + 1)]).toEqual([false, true]);
  });
});

describe("limits of what is kept and looked at", () => {
  test(`a duration in an expression: ${MAX_DURATION_CHARACTERS} characters`, () => {
    const evaluate = (text: string) => {
      const compiled = compileExpression(`duration(input) == duration('0s')`, { input: true });
      return "message" in compiled ? compiled : compiled.evaluate({ workflow: { input: null }, tasks: {}, input: text });
    };
    expect(evaluate("0".repeat(MAX_DURATION_CHARACTERS - 1) + "s")).toEqual({ ok: true, value: true });
    expect(evaluate("0".repeat(MAX_DURATION_CHARACTERS) + "s")).toMatchObject({ ok: false, message: expect.stringContaining(`${MAX_DURATION_CHARACTERS} characters`) });
  });

  test(`an idempotency key: ${MAX_GENERATIONS} days of use`, async () => {
    const after = async (generations: number) => {
      const { ask, world } = createTestApi();
      let asked = 0;
      world.override = { create: async () => (asked += 1) <= generations ? { kind: "expired" } : { kind: "replayed", body: "{}" } };
      return (await ask("POST", "/v1/workflows", { tasks: [TASK] }, { "idempotency-key": "k" })).status;
    };
    expect([await after(MAX_GENERATIONS - 1), await after(MAX_GENERATIONS)]).toEqual([201, 409]);
  });

  test(`reductions of texts: ${MAX_CACHED_CHARS} characters, the oldest go first`, () => {
    const cache = new ReductionCache();
    let reduced = 0;
    const ask = (text: string) => cache.reduce(text, "", 1, () => (reduced += 1, { text: "", originalTokens: 0, reducedTokens: 0, reductionPercent: 0, achieved: true, steps: [] }));
    const overhead = "1\n0\n\n".length;
    const half = MAX_CACHED_CHARS / 2 - overhead;
    for (const letter of ["a", "b", "a", "b"]) ask(letter.repeat(half));
    expect(reduced).toBe(2);
    ask("c");
    for (const letter of ["b", "a"]) ask(letter.repeat(half));
    expect(reduced).toBe(4);
    for (let times = 0; times < 2; times += 1) ask("d".repeat(2 * half + overhead + 1));
    expect(reduced).toBe(6);
  });

  test(`names whose lookups are counted: ${MAX_NAMES}`, () => {
    const mayLookUp = createLookupLimit({ perSecond: 1, burst: 1 }, () => 0);
    expect([mayLookUp("first"), mayLookUp("first")]).toEqual([true, false]);
    for (let index = 1; index < MAX_NAMES; index += 1) mayLookUp(`n${index}`);
    expect(mayLookUp("first")).toBe(false);
    for (let index = 0; index < MAX_NAMES; index += 1) mayLookUp(`m${index}`);
    expect(mayLookUp("first")).toBe(true);
  });

  test(`an event of a provider's stream: ${MAX_EVENT_BYTES} bytes are put together, more go on in pieces`, () => {
    const framer = createEventFramer();
    expect(framer.push(new Uint8Array(MAX_EVENT_BYTES))).toBeNull();
    expect(framer.push(new Uint8Array(1))!.byteLength).toBe(MAX_EVENT_BYTES + 1);
  });

  test(`a provider's refusal: ${MAX_ERROR_CHARACTERS} characters are passed on`, async () => {
    for (const chars of [MAX_ERROR_CHARACTERS, MAX_ERROR_CHARACTERS + 1]) {
      const answer = (await (await createChatWorld(() => refusal(400, repeat(chars))).chat({ model: "one" })).json()) as { error: { message: string } };
      expect(answer.error.message).toBe(repeat(MAX_ERROR_CHARACTERS));
    }
  });
});

/** Not limits of anything that comes from outside, but sizes of batches, caches and words that the code chooses for itself. */
const OWN_CHOICES = new Set([
  "MAX_AGE_MS", "MAX_KNOWN_URLS", "MAX_ERROR_BYTES", "MAX_TIMER_MS", "MAX_KEYS", "MAX_USELESS_KEYS", "MAX_ASKED",
  "MAX_PROVIDER_MESSAGE_CHARACTERS", "MAX_MESSAGE_CHARACTERS", "MIN_SHARE_TOKENS",
  "MAX_OUTPUT_SHARE", "MAX_ANSWER_TOKENS", "MAX_HISTORY", "MAX_RETRY_MS", "MAX_LOSS_DELAY_MS", "MAX_BYTES_PER_CHARACTER",
  "MAX_BYTES_OF_ATOM", "MAX_EDITS", "MAX_OPTIONAL_MARKS", "MAX_WHENS_PER_STEP", "MAX_CLAIM_LEASE_MS", "MAX_SUGGESTIONS",
  "MAX_NAMED_IN_CYCLE", "MAX_RENDERED_CHARACTERS", "MAX_PICKED", "MAX_PATIENCE_MS",
  "MAX_EVENTS_PER_ROW", "MAX_EXECUTOR_CALLS", "MAX_EXPIRED", "MAX_INLINE_PER_STEP", "MAX_KEPT_SPEC_CHARS", "MAX_LOOKED_AFTER", "MAX_OUTPUTS_ANSWER_BYTES", "MAX_OWN_CALLS",
  "MAX_PARAMETER_CHARS", "MAX_PARSED_BYTES", "MAX_PLANNED_AGAIN", "MAX_PROGRESS_DELAY_MS", "MAX_RECOVERED", "MAX_REMOVING", "MAX_SEND_MESSAGES", "MAX_SERVED",
]);

test("every limit of a request, an agent, an expression or what is stored is named in a test, this one or another", () => {
  const sources = ["api", "config", "consumer", "durable-objects", "workflow"].flatMap((folder) => filesIn(join("src", folder)));
  const tests = filesIn("test").map((path) => readFileSync(path, "utf8").split("const OWN_CHOICES")[0]).join("\n");
  const unnamed = sources.flatMap((path) => {
    const names = [...readFileSync(path, "utf8").matchAll(/^(?:export )?const (MAX_[A-Z0-9_]+)\b/gm)].map(([, name = ""]) => name);
    return names.filter((name) => !OWN_CHOICES.has(name) && !new RegExp(`\\b${name}\\b`).test(tests)).map((name) => `${path}: ${name}`);
  });
  expect(unnamed, "test each at its value and one beyond, or add it to OWN_CHOICES").toEqual([]);
});

function filesIn(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true }).flatMap((entry) => (entry.isFile() && entry.name.endsWith(".ts") ? [join(entry.parentPath, entry.name)] : []));
}
