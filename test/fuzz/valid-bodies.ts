import fc from "fast-check";
import { anyJson, oddText } from "./schema-arbitrary.ts";

/** What of the world the requests may name: mostly things that are there, since what is unknown is refused early. */
export interface FuzzNames {
  workflows: readonly string[];
  agents: readonly string[];
  models: readonly string[];
  /** Tokens of callbacks. */
  tokens: readonly string[];
  tenants: readonly string[];
  /** Ids of their keys. */
  keys: readonly string[];
}

/** Ids that mean something to JavaScript, and plain ones. */
export const TASK_IDS = ["a", "b", "c", "d-1", "constructor", "toString", "valueOf", "hasOwnProperty"];

/** Expressions that compile, over what every task may read. */
const EXPRESSIONS = ["true", "1 + 1", "workflow.input", "size(workflow.input) > 0", "[1, 2].map(x, x * 2)", "{'a': 1}", "1 / 0 == 1", "'a' + 'b'", "workflow.input.constructor", "workflow.input['__proto__']"];

/** Bodies whose parts fit each other, which chance alone would never make. By method and path. */
export function validBodies(names: FuzzNames): Record<string, fc.Arbitrary<unknown>> {
  const spec = workflowSpec(names);
  return {
    "POST /v1/workflows": spec,
    "POST /v1/workflows/plan": spec,
    "PUT /v1/tiers": tiers,
    "POST /v1/config/rollback": fc.constantFrom({ version: 0 }, { version: 1 }),
    "PATCH /v1/config": fc.record({ orchestration: fc.record({ maxConcurrency: fc.integer({ min: 1, max: 9 }) }), retention: fc.constant(null) }, { requiredKeys: [] }),
    "PUT /v1/agents/:name": fc.record({ kind: fc.constant("http"), url: fc.constant("https://agents.example.com/run"), headers: fc.dictionary(fc.stringMatching(/^x-[a-z]{1,9}$/), fc.stringMatching(/^[ -~]{0,30}$/)), mode: fc.constantFrom("sync", "callback", null) }),
    "POST /v1/chat/completions": fc.record({ model: fc.constantFrom(...names.models), messages: fc.array(fc.record({ role: fc.constantFrom("user", "assistant", "system"), content: oddText }), { minLength: 1, maxLength: 3 }), stream: fc.boolean(), max_tokens: fc.integer({ min: 1, max: 2 ** 31 }), response_format: fc.option(anyJson(4).map((schema) => ({ type: "json_schema", json_schema: { name: "x", schema } })), { nil: undefined }) }),
    "POST /v1/callbacks/:token": fc.oneof(fc.record({ output: anyJson() }), fc.record({ error: fc.record({ message: oddText }), usage: fc.record({ costUsd: fc.double({ min: 0, max: 1, noNaN: true }) }) })),
  };
}

function workflowSpec(names: FuzzNames): fc.Arbitrary<unknown> {
  const text = fc.oneof(fc.constantFrom(...EXPRESSIONS).map((source) => `Say \${${source}}`), oddText.filter((words) => !words.includes("${") && words.trim() !== ""));
  const task = fc.record({ agent: fc.constantFrom(...names.agents), prompt: text, when: fc.option(fc.constantFrom("true", "false", "size(workflow.input) == 0"), { nil: undefined, freq: 3 }), parents: fc.nat(3), schema: fc.option(anyJson(4), { nil: undefined, freq: 8 }) });
  return fc
    .record({ tasks: fc.array(task, { minLength: 1, maxLength: 5 }), ids: fc.shuffledSubarray(TASK_IDS, { minLength: 5 }), input: anyJson(), onFailure: fc.constantFrom("fail", "continue"), metadata: fc.dictionary(fc.stringMatching(/^[a-z.]{1,9}$/), oddText.map((words) => words.slice(0, 500)), { maxKeys: 3 }), name: fc.option(oddText.map((words) => words.slice(0, 200))), result: fc.option(fc.constantFrom(...EXPRESSIONS), { nil: undefined }) })
    .map(({ tasks, ids, ...rest }) => ({
      ...rest,
      tasks: tasks.map(({ agent, prompt, when, parents, schema }, index) => ({ id: ids[index]!, agent, input: { prompt }, when, dependsOn: ids.slice(0, Math.min(parents, index)), timeoutMs: 5_000, retry: { maxAttempts: 1 }, ...(typeof schema === "object" && schema !== null && !Array.isArray(schema) && LLM_AGENTS.has(agent) ? { output: { schema } } : {}) })),
    }));
}

const LLM_AGENTS = new Set(["scout", "planner", "builder", "reviewer"]);

const price = fc.record({ inputPerMillionUsd: fc.double({ min: 0, max: 100, noNaN: true }), outputPerMillionUsd: fc.double({ min: 0, max: 100, noNaN: true }) });

/** The embedded engine in every tier, so that what is created afterwards can still run. */
const tiers = fc.record({ price, contextWindow: fc.integer({ min: 1, max: 1_000_000 }), capabilities: fc.subarray(["tools", "json", "vision"]), ids: fc.uniqueArray(fc.stringMatching(/^[a-z]{3,8}$/), { maxLength: 3 }) }).map(({ price: ofAll, contextWindow, capabilities, ids }) => {
  const model = (id: string, provider: string) => ({ id, provider, tier: "weak", price: ofAll, contextWindow, maxOutputTokens: 100, capabilities });
  return {
    providers: [{ id: "offline", kind: "offline" }, { id: "p", kind: "openai-compatible", baseUrl: "https://models.example.com/v1" }],
    models: [{ ...model("offline", "offline"), contextWindow: 1_000_000, maxOutputTokens: 1_000 }, ...ids.map((id) => model(`m-${id}`, "p"))],
    tiers: { weak: ["offline", ...ids.map((id) => `m-${id}`)], base: ["offline"], strong: ["offline"] },
  };
});
