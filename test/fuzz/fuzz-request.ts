import fc from "fast-check";
import { z } from "zod";
import { ENDPOINTS } from "../../src/api/create-api.ts";
import type { Endpoint } from "../../src/api/endpoint.ts";
import { anyJson, arbitraryOf, oddKey, oddText, type Hints } from "./schema-arbitrary.ts";
import { fuzzBody, type FuzzedBody } from "./spoil.ts";
import { type FuzzNames, TASK_IDS, validBodies } from "./valid-bodies.ts";

/** A request as it goes over the wire, but for its key. */
export interface FuzzedRequest {
  method: string;
  /** With its query. */
  path: string;
  headers: Record<string, string>;
  body: FuzzedBody | null;
}

const EXPRESSIONS = [
  "true", "1 + 1", "workflow.input", "workflow.input.a", "size(workflow.input) > 0", "tasks.a.output", 'tasks["b"].status == "completed"', "[1, 2].map(x, x * 2)", "{'a': 1}", '{"__proto__": 1}', "input",
  "'x'.matches('(a+)+$')", "((((((((1))))))))", "workflow.input == tasks.a.output", "1 / 0", "9223372036854775807 + 1", "duration('1h')", "timestamp('2026-01-01T00:00:00Z')", "has(workflow.input.a)", "'' + 1", "cel.bind(x, 1, x)", "!".repeat(3_000) + "true", "-".repeat(4_000) + "1", "[".repeat(500) + "]".repeat(500), "a".repeat(4_097), "\ud800", "tasks", "state.x", "null",
];

const template = fc.oneof(fc.constantFrom(...EXPRESSIONS).map((source) => `\${${source}}`), fc.constantFrom(...EXPRESSIONS).map((source) => `before \${${source}} after $\${no}`), oddText);

const input = fc.oneof(
  template.map((prompt) => ({ prompt })),
  fc.array(fc.record({ role: fc.constantFrom("user", "assistant", "system", "x"), content: fc.oneof(template, anyJson()) }), { maxLength: 3 }).map((messages) => ({ messages })),
  anyJson(),
);

function hintsOf(names: FuzzNames): Hints {
  const taskId = fc.constantFrom(...TASK_IDS);
  const usually = (values: readonly string[], other: fc.Arbitrary<unknown> = oddText): fc.Arbitrary<unknown> => fc.oneof({ weight: 6, arbitrary: fc.constantFrom(...values) }, { weight: 1, arbitrary: other });
  const expression = usually(EXPRESSIONS);
  return {
    agent: usually(names.agents),
    model: usually(names.models),
    defaultModel: usually(names.models),
    baselineModel: usually(names.models),
    dependsOn: fc.oneof({ weight: 3, arbitrary: fc.constant([]) }, { weight: 2, arbitrary: fc.uniqueArray(taskId, { maxLength: 2 }) }),
    from: fc.array(taskId, { minLength: 1, maxLength: 2 }),
    when: expression,
    result: expression,
    expression,
    input,
    url: usually(["https://agents.example.com/run", "https://hooks.example.com/"], fc.webUrl()),
    baseUrl: usually(["https://models.example.com/v1"], fc.webUrl()),
    secretName: usually(["AGENT_DEFAULT__X", "WEBHOOK_DEFAULT__X", "OPENAI_API_KEY", "ROOT_KEY", "AGENT_OTHER__X"]),
    schema: fc.oneof(fc.constantFrom<unknown[]>(true, {}, { type: "object" }, { $ref: "#" }, { $ref: "#/$defs/x" }, { pattern: "^(a+)+$" }, { pattern: "(" }, { allOf: [{ $ref: "#/allOf/0" }] }, { type: ["x"] }, { $id: "::", $ref: "http://[" }), anyJson(4)),
    messages: fc.array(fc.record({ role: fc.constantFrom("user", "assistant", "system", "tool", "developer"), content: fc.oneof(oddText, fc.constant(null), fc.array(fc.record({ type: fc.constantFrom("text", "image_url", "x"), text: oddText, image_url: fc.record({ url: oddText }) }), { maxLength: 2 })) }, { requiredKeys: ["role"] }), { minLength: 1, maxLength: 3 }),
    startAt: fc.constantFrom("2026-01-01T00:00:00Z", "2999-01-01T00:00:00.000Z", "2026-02-30T00:00:00Z", "soon"),
    // Small, so that what is created ends soon.
    timeoutMs: fc.integer({ min: 1, max: 2_000 }),
    retry: fc.record({ maxAttempts: fc.integer({ min: 0, max: 2 }), initialMs: fc.integer({ min: 0, max: 5 }) }),
  };
}

/** Requests of one endpoint, from right to nonsense. */
export function fuzzEndpoint(endpoint: Endpoint, names: FuzzNames): fc.Arbitrary<FuzzedRequest> {
  const whole = validBodies(names)[`${endpoint.method} ${endpoint.path}`];
  const ofSchema = endpoint.body === undefined ? anyJson() : fc.oneof({ weight: 5, arbitrary: arbitraryOf(endpoint.body.schema, hintsOf(names)) }, { weight: 1, arbitrary: fc.constant({}) });
  const valid = whole === undefined ? ofSchema : fc.oneof({ weight: 2, arbitrary: whole }, { weight: 1, arbitrary: ofSchema });
  const mayHaveBody = endpoint.method !== "GET";
  const body = mayHaveBody ? fc.option(fuzzBody(valid), { freq: 12 }) : fc.constant(null);
  return fc.record({ method: fc.constant(endpoint.method), path: fuzzPath(endpoint, names), headers: fuzzHeaders, body });
}

function fuzzPath(endpoint: Endpoint, names: FuzzNames): fc.Arbitrary<string> {
  // By the word before the parameter.
  const known: Record<string, readonly string[]> = { workflows: names.workflows, tasks: ["a", "constructor", "item[0]"], agents: [...names.agents, "new-agent"], callbacks: names.tokens, tenants: names.tenants, keys: names.keys };
  const odd = fc.oneof(oddKey, oddText).map((text) => encodeURIComponent(text.toWellFormed()).slice(0, 300));
  const raw = fc.constantFrom("%", "%zz", "%c3%28", "%00", "..", "%2e%2e", "%2f", "%", "a%", "__proto__", "constructor", "~", "a;b", "a:b");
  const parts = endpoint.path.split("/").map((part, index, all) => {
    if (!part.startsWith(":")) return fc.constant(part);
    const values = known[all[index - 1] ?? ""] ?? [];
    return fc.oneof({ weight: 6, arbitrary: values.length === 0 ? odd : fc.constantFrom(...values) }, { weight: 1, arbitrary: odd.map((text) => text || "x") }, { weight: 1, arbitrary: raw });
  });
  return fc.tuple(fc.tuple(...parts), fuzzQuery(endpoint)).map(([segments, query]) => segments.join("/") + query);
}

function fuzzQuery({ query }: Endpoint): fc.Arbitrary<string> {
  const names = ["limit", "cursor", "wait", "after", "token", "since", "metadata.a", "__proto__", ...Object.keys(query?.shape ?? {})];
  // `wait` is bounded: a request that waits as asked is no hang.
  const value = fc.oneof(fc.constantFrom("", "0", "1", "-1", "50", "200", "201", "1e3", "NaN", "9".repeat(30), "true", "2026-01-01T00:00:00Z"), oddText.map((text) => text.slice(0, 500).toWellFormed()));
  const pair = fc.tuple(fc.oneof({ weight: 5, arbitrary: fc.constantFrom(...names) }, { weight: 1, arbitrary: oddKey }), value).map(([name, text]) => `${encodeURIComponent(name.toWellFormed())}=${encodeURIComponent((name === "wait" ? text.slice(0, 2) : text).toWellFormed())}`);
  const raw = fc.constantFrom("?%", "?limit=%zz", "?=&=&", "?limit=1&limit=2", "??", "?a[b]=c");
  return fc.oneof({ weight: 4, arbitrary: fc.constant("") }, { weight: 5, arbitrary: fc.array(pair, { minLength: 1, maxLength: 3 }).map((pairs) => `?${pairs.join("&")}`) }, { weight: 1, arbitrary: raw });
}

/** What may stand in a header: visible Latin-1. */
const headerText = fc.string({ unit: fc.integer({ min: 0x20, max: 0x7e }).map((code) => String.fromCharCode(code)), maxLength: 300 }).map((text) => text.trim());

const fuzzHeaders: fc.Arbitrary<Record<string, string>> = fc
  .array(
    fc.tuple(
      fc.constantFrom("idempotency-key", "x-tenant", "if-match", "if-none-match", "last-event-id", "request-id", "accept", "origin", "access-control-request-method", "x-lock-token", "accept-language", "x-forwarded-host"),
      fc.oneof(headerText, fc.constantFrom("", "default", "text/event-stream", "*", '"1"', "0", "-1", "k".repeat(255), "k".repeat(256), "null", "https://evil.example")),
    ),
    { maxLength: 2 },
  )
  .map((pairs) => Object.fromEntries(pairs));

/** Every operation that is served: a new one is fuzzed without anybody adding it here. */
export const FUZZED_ENDPOINTS: readonly Endpoint[] = ENDPOINTS;

/** Whether an answer is one that the contract knows, whatever was asked; a sentence about what is wrong with it otherwise. */
export function judgeAnswer(request: FuzzedRequest, status: number, headers: Headers, text: string): string | null {
  if (status >= 500) return `answered ${status}`;
  if (status < 200) return `answered ${status}`;
  if (!/^[\w.:-]{1,128}$/.test(headers.get("request-id") ?? "")) return "has no Request-Id";
  if (headers.get("x-content-type-options") !== "nosniff") return "may be sniffed";
  if (/\bat \S+ \(?(file:|\/|node:)|\.ts:\d+/.test(text)) return "shows a stack";
  if (status < 400) return null;
  const isOpenAi = /^\/v1\/(chat|models|embeddings|completions|responses)/.test(request.path);
  const shape = isOpenAi ? OpenAiProblem : Problem;
  const expected = isOpenAi ? "application/json" : "application/problem+json";
  if (headers.get("content-type") !== expected) return `is an error of type ${headers.get("content-type")}`;
  const parsed = shape.safeParse(parseJson(text));
  if (!parsed.success) return `is an error of another shape: ${z.prettifyError(parsed.error)}`;
  if ("status" in parsed.data && parsed.data.status !== status) return "states another status";
  return isOfLibrary(parsed.data) ? "speaks the schema library's words" : null;
}

/** Words that a client is not told what to change by. */
const LIBRARY_WORDS = /^(.* is wrong: )?(Invalid (input|option|discriminator|string|key)|Too (small|big)|Unrecognized key)/;

function isOfLibrary(problem: z.infer<typeof Problem> | z.infer<typeof OpenAiProblem>): boolean {
  const messages = "error" in problem ? [problem.error.message] : (problem.errors ?? []).map(({ message }) => message);
  return messages.some((message) => LIBRARY_WORDS.test(message));
}

const Problem = z.strictObject({
  type: z.string().regex(/^urn:weft:problem:[a-z_]+$/),
  title: z.string().min(1),
  status: z.int(),
  detail: z.string().min(1).max(5_000),
  errors: z.array(z.strictObject({ path: z.string().regex(/^(\?.*|(\/([^~/]|~[01])*)*)$/su), message: z.string().min(1) })).optional(),
});

const OpenAiProblem = z.strictObject({ error: z.strictObject({ message: z.string().min(1), type: z.string(), param: z.string().nullable(), code: z.string().nullable() }) });

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
