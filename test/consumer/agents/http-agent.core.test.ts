import { Webhook } from "standardwebhooks";
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { MAX_ANSWER_BYTES, runHttpAttempt } from "../../../src/consumer/agents/http.ts";
import type { HttpAgentDeps } from "../../../src/consumer/agents/http.ts";
import type { Outcome, WorkOrder } from "../../../src/consumer/work-order.ts";
import type { HttpAgent } from "../../../src/workflow/spec/agent.ts";
import { startFakeAgents } from "../../fixtures/fake-agents.ts";
import type { FakeAgents } from "../../fixtures/fake-agents.ts";

let agents: FakeAgents;

beforeAll(async () => {
  agents = await startFakeAgents();
});

afterAll(() => agents.close());
beforeEach(() => agents.reset());

const DEADLINE_AT = Date.parse("2030-01-01T00:00:00.500Z");
const ENDED_AT = DEADLINE_AT - 60_000;

function orderFor(path: string, agent: Partial<HttpAgent> = {}, order: Partial<WorkOrder> = {}): WorkOrder {
  return {
    task: 0,
    attempt: 2,
    workflowId: "wf_1",
    tenant: "default",
    taskId: "build_1",
    agentName: "builder",
    agent: { kind: "http", description: "", capabilities: [], url: path.includes("://") ? path : `${agents.origin}${path}`, headers: {}, mode: "sync", secretName: null, ...agent },
    input: { prompt: "hello", list: [1, null] },
    dependencies: { plan_1: "first this" },
    deadlineAt: DEADLINE_AT,
    idempotencyKey: "wf_1.build_1",
    callback: null,
    llm: null,
    requestId: null,
    ...order,
  };
}

const CALLBACK = { url: "https://weft.example/v1/callbacks/tok_0123456789abcdef", token: "tok_0123456789abcdef" };

function deps(overrides: Partial<HttpAgentDeps> = {}): HttpAgentDeps {
  return { fetch: (url, init) => fetch(url, init), allowPrivate: true, secret: () => undefined, now: () => ENDED_AT, signal: new AbortController().signal, ...overrides };
}

/** Dependencies whose agent answers this. */
function answering(body: unknown, init: ResponseInit = {}): HttpAgentDeps {
  return deps({ fetch: async () => new Response(typeof body === "string" ? body : JSON.stringify(body), init) });
}

function failureOf(outcome: Outcome): { code: string; retryable: boolean; message: string; retryAfterMs: number | null } {
  if (outcome.status !== "failed") throw new Error(`expected a failure, got ${JSON.stringify(outcome)}`);
  const { code, retryable, message } = outcome.failure;
  return { code, retryable, message, retryAfterMs: outcome.retryAfterMs };
}

describe("the call", () => {
  test("brings the task, its input, its dependencies and its deadline", async () => {
    await runHttpAttempt(orderFor("/echo"), deps());
    expect(JSON.parse(agents.calls[0]?.text ?? "")).toEqual({
      workflowId: "wf_1",
      taskId: "build_1",
      attempt: 2,
      agent: "builder",
      input: { prompt: "hello", list: [1, null] },
      dependencies: { plan_1: "first this" },
      deadline: "2030-01-01T00:00:00.500Z",
    });
  });

  test("names the end of the workflow as its deadline where that is earlier", async () => {
    await runHttpAttempt(orderFor("/echo", {}, { workflowDeadlineAt: DEADLINE_AT - 1_000 }), deps());
    await runHttpAttempt(orderFor("/echo", {}, { workflowDeadlineAt: DEADLINE_AT + 1_000 }), deps());
    expect(agents.calls.map(({ text }) => (JSON.parse(text) as { deadline: string }).deadline)).toEqual(["2029-12-31T23:59:59.500Z", "2030-01-01T00:00:00.500Z"]);
  });

  test("brings the idempotency key, the attempt and the agent's own headers", async () => {
    await runHttpAttempt(orderFor("/echo", { headers: { "X-Team": "blue", Authorization: "Bearer abc" } }), deps());
    expect(agents.calls[0]?.headers).toMatchObject({
      "content-type": "application/json",
      "idempotency-key": "wf_1.build_1",
      "x-attempt": "2",
      "x-team": "blue",
      authorization: "Bearer abc",
    });
    expect(agents.calls[0]?.headers).not.toHaveProperty("webhook-signature");
  });

  test("cannot have its own headers replaced by the agent's", async () => {
    const headers = { "Idempotency-Key": "mine", "X-ATTEMPT": "9", "Webhook-Id": "mine" };
    await runHttpAttempt(orderFor("/echo", { headers, secretName: "AGENT_DEFAULT__X" }), deps({ secret: () => "text" }));
    expect(agents.calls[0]?.headers).toMatchObject({ "idempotency-key": "wf_1.build_1", "x-attempt": "2", "webhook-id": "wf_1.build_1" });
  });

  test.each(["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "plain text"])("is signed with the secret %j so that the receiver's library accepts it", async (secret) => {
    const names: string[] = [];
    const order = orderFor("/echo", { secretName: "AGENT_DEFAULT__X" });
    await runHttpAttempt(order, deps({ now: () => Date.now(), secret: (name) => (names.push(name), secret) }));
    const { text = "", headers = {} } = agents.calls[0] ?? {};
    const receiver = secret.startsWith("whsec_") ? new Webhook(secret) : new Webhook(new TextEncoder().encode(secret), { format: "raw" });
    expect(() => receiver.verify(text, headers as Record<string, string>)).not.toThrow();
    expect(names).toEqual(["AGENT_DEFAULT__X"]);
    expect(headers["webhook-id"]).toBe("wf_1.build_1");
  });

  test.each([undefined, "", "whsec_!!!"])("is not made without its signature: secret %j", async (secret) => {
    const outcome = await runHttpAttempt(orderFor("/echo", { secretName: "AGENT_DEFAULT__X" }), deps({ secret: () => secret }));
    expect(failureOf(outcome)).toMatchObject({ code: "agent_rejected", retryable: false, message: expect.stringContaining("AGENT_DEFAULT__X") });
    expect(agents.calls).toEqual([]);
  });

  test("is not made to a private address", async () => {
    const outcome = await runHttpAttempt(orderFor("/echo"), deps({ allowPrivate: false }));
    expect(failureOf(outcome)).toMatchObject({ code: "agent_rejected", retryable: false });
    expect(agents.calls).toEqual([]);
  });
});

describe("a 200", () => {
  test("with an output completes the task", async () => {
    const outcome = await runHttpAttempt(orderFor("/echo"), deps());
    expect(outcome).toEqual({ status: "completed", output: { prompt: "hello", list: [1, null] }, calls: [], route: null, context: null });
  });

  test.each([null, false, 0, "", [], {}])("completes with the output %j", async (output) => {
    expect(await runHttpAttempt(orderFor("/echo"), answering({ output, usage: null, extra: 1 }))).toMatchObject({ status: "completed", output });
  });

  test.each<[string, unknown]>([
    ["no output", {}],
    ["another object", { result: 1 }],
    ["a list", [1]],
    ["a string", '"text"'],
    ["null", "null"],
    ["no JSON", "OK"],
    ["nothing", ""],
    ["negative tokens", { output: 1, usage: { inputTokens: -1 } }],
    ["half a token", { output: 1, usage: { outputTokens: 0.5 } }],
    ["a cost in words", { output: 1, usage: { costUsd: "1.00" } }],
    ["a cost beyond reason", { output: 1, usage: { costUsd: 10_001 } }],
    ["a usage that is none", { output: 1, usage: 5 }],
  ])("with %s is a bad response, for good", async (_what, body) => {
    expect(failureOf(await runHttpAttempt(orderFor("/echo"), answering(body)))).toMatchObject({ code: "agent_bad_response", retryable: false });
  });

  test.each([
    [MAX_ANSWER_BYTES, "completed"],
    [MAX_ANSWER_BYTES + 1, "failed"],
  ])("of %i bytes has %s", async (bytes, status) => {
    const outcome = await runHttpAttempt(orderFor(`/big?bytes=${bytes}`), deps());
    expect(outcome.status).toBe(status);
    if (outcome.status === "failed") expect(failureOf(outcome)).toMatchObject({ code: "agent_bad_response", retryable: false, message: expect.stringContaining(String(MAX_ANSWER_BYTES)) });
  });

  test.each([
    [200, "completed"],
    [201, "failed"],
    [400_000, "failed"],
  ])("with an output of %i levels has %s", async (levels, status) => {
    const outcome = await runHttpAttempt(orderFor("/echo"), answering(`{"output":${"[".repeat(levels)}${"]".repeat(levels)}}`));
    expect(outcome.status).toBe(status);
  });
});

describe("any other status", () => {
  test.each([408, 425, 429, 500, 502, 503, 504, 529, 599])("%i is transient", async (status) => {
    const failure = failureOf(await runHttpAttempt(orderFor(`/status/${status}`), deps()));
    expect(failure).toMatchObject({ code: "agent_unavailable", retryable: true, retryAfterMs: null, message: expect.stringContaining(String(status)) });
  });

  test.each([400, 401, 403, 404, 405, 409, 410, 413, 422, 451])("%i is refused for good", async (status) => {
    expect(failureOf(await runHttpAttempt(orderFor(`/status/${status}`), deps()))).toMatchObject({ code: "agent_rejected", retryable: false });
  });

  test.each([201, 202, 203, 204, 206, 300, 301, 302, 303, 304, 307, 308])("%i is a bad response, for good", async (status) => {
    const outcome = await runHttpAttempt(orderFor(`/status/${status}?location=/echo`), deps());
    expect(failureOf(outcome)).toMatchObject({ code: "agent_bad_response", retryable: false, message: expect.stringContaining(String(status)) });
    expect(agents.calls).toHaveLength(1);
  });

  test.each([
    ["503", "7", 7_000],
    ["429", "86400", 3_600_000],
    ["503", new Date(ENDED_AT + 30_500).toUTCString(), 30_500],
    ["503", "whenever", null],
    ["400", "7", null],
  ])("%s with Retry-After %j waits %s ms", async (status, retryAfter, retryAfterMs) => {
    const outcome = await runHttpAttempt(orderFor(`/status/${status}?retryAfter=${encodeURIComponent(retryAfter)}`), deps());
    expect(failureOf(outcome).retryAfterMs).toBe(retryAfterMs);
  });

  test("is told with the first 200 characters of the body", async () => {
    const { message } = failureOf(await runHttpAttempt(orderFor("/echo"), answering("é".repeat(500), { status: 400 })));
    expect(message).toBe(`Agent builder answered 400: ${"é".repeat(200)}`);
  });

  test("is told without the header values and tokens that were sent, when the agent echoes them", async () => {
    const headers = { authorization: "Bearer sk-very-secret", "x-key": "k3y-of-some-length", "x-flag": "1" };
    const order = orderFor("/echo", { headers, mode: "callback", secretName: "AGENT_DEFAULT__X" }, { callback: CALLBACK });
    const echo = deps({
      secret: () => "signing secret",
      fetch: async (_url, init) => new Response(`no: ${JSON.stringify(init.headers)} sk-very-secret ${CALLBACK.token}`.replace('"content-type":"application/json",', ""), { status: 401 }),
    });
    const { message } = failureOf(await runHttpAttempt(order, echo));
    expect(message).toContain("no: ");
    for (const value of ["sk-very-secret", "k3y-of-some-length", CALLBACK.token, "v1,", "signing secret"]) expect(message).not.toContain(value);
  });
});

describe("no answer", () => {
  test("a broken connection is transient", async () => {
    expect(failureOf(await runHttpAttempt(orderFor("/cut"), deps()))).toMatchObject({ code: "agent_unavailable", retryable: true });
  });

  test("a host that nobody listens on is transient", async () => {
    const gone = await startFakeAgents();
    await gone.close();
    expect(failureOf(await runHttpAttempt(orderFor(`${gone.origin}/echo`), deps()))).toMatchObject({ code: "agent_unavailable", retryable: true });
  });

  test("by the deadline is a timeout that can be tried again", async () => {
    const order = orderFor("/hang", {}, { deadlineAt: ENDED_AT + 30 });
    expect(failureOf(await runHttpAttempt(order, deps()))).toMatchObject({ code: "timeout", retryable: true, retryAfterMs: null });
    expect(agents.calls).toHaveLength(1);
  });

  test("before the caller gave up is a timeout", async () => {
    const controller = new AbortController();
    setTimeout(() => controller.abort(), 30);
    expect(failureOf(await runHttpAttempt(orderFor("/hang"), deps({ signal: controller.signal })))).toMatchObject({ code: "timeout", retryable: true });
  });

  test("is not waited for when the deadline is already over", async () => {
    const outcome = await runHttpAttempt(orderFor("/echo", {}, { deadlineAt: ENDED_AT }), deps());
    expect(failureOf(outcome)).toMatchObject({ code: "timeout", retryable: true });
    expect(agents.calls).toEqual([]);
  });

  test("to the call of a callback agent is not waited for longer than a Worker lives, however far its deadline", async () => {
    vi.useFakeTimers();
    try {
      const hang = (_url: string, init: RequestInit) => new Promise<Response>((_resolve, reject) => init.signal?.addEventListener("abort", () => reject(new Error("aborted"))));
      const order = orderFor("https://agents.example/", { mode: "callback" }, { callback: CALLBACK, deadlineAt: ENDED_AT + 30 * 86_400_000 });
      const outcomes: Outcome[] = [];
      void runHttpAttempt(order, deps({ fetch: hang })).then((outcome) => outcomes.push(outcome));
      await vi.advanceTimersByTimeAsync(839_999);
      expect(outcomes).toEqual([]);
      await vi.advanceTimersByTimeAsync(1);
      expect(outcomes).toMatchObject([{ status: "failed", failure: { code: "timeout" } }]);
    } finally {
      vi.useRealTimers();
    }
  });
});

describe("callback mode", () => {
  test("tells the agent where to answer, and its 202 leaves the task waiting", async () => {
    const order = orderFor("/status/202", { mode: "callback" }, { callback: CALLBACK });
    expect(await runHttpAttempt(order, deps())).toEqual({ status: "waiting" });
    expect(JSON.parse(agents.calls[0]?.text ?? "")).toMatchObject({ callback: CALLBACK });
  });

  test("does not wait for the body of a 202", async () => {
    const order = orderFor("https://agents.example/", { mode: "callback" }, { callback: CALLBACK });
    const stalled = deps({ fetch: async () => new Response(new ReadableStream({}), { status: 202 }) });
    expect(await runHttpAttempt(order, stalled)).toEqual({ status: "waiting" });
  });

  test("a 200 completes at once, and other answers fail as in sync mode", async () => {
    const run = (path: string) => runHttpAttempt(orderFor(path, { mode: "callback" }, { callback: CALLBACK }), deps());
    expect(await run("/echo")).toMatchObject({ status: "completed" });
    expect(failureOf(await run("/status/204"))).toMatchObject({ code: "agent_bad_response" });
    expect(failureOf(await run("/status/503"))).toMatchObject({ code: "agent_unavailable" });
  });

  test("needs an address to be called back on", async () => {
    const outcome = await runHttpAttempt(orderFor("/echo", { mode: "callback" }), deps());
    expect(failureOf(outcome)).toMatchObject({ code: "agent_rejected", message: expect.stringContaining("PUBLIC_URL") });
    expect(agents.calls).toEqual([]);
  });
});

describe("a reported usage", () => {
  test("is one line of the ledger", async () => {
    const outcome = await runHttpAttempt(orderFor("/usage?inputTokens=812&outputTokens=96&costUsd=0.000323"), deps());
    expect(outcome).toMatchObject({
      status: "completed",
      calls: [{ at: ENDED_AT, provider: "http", model: "builder", inputTokens: 812, outputTokens: 96, cachedTokens: 0, costNanoUsd: 323_000, estimated: false, baselineNanoUsd: 323_000 }],
    });
  });

  test("may be partial", async () => {
    expect(await runHttpAttempt(orderFor("/usage?outputTokens=5"), deps())).toMatchObject({ calls: [{ inputTokens: 0, outputTokens: 5, costNanoUsd: 0 }] });
  });

  test.each([400, 503, 202, 201])("is priced with an error too: %i", async (status) => {
    expect(await runHttpAttempt(orderFor(`/usage?costUsd=1&status=${status}`), deps())).toMatchObject({ status: "failed", calls: [{ costNanoUsd: 1_000_000_000 }] });
  });

  test("is priced when the rest of a 200 has another shape", async () => {
    expect(await runHttpAttempt(orderFor("/echo"), answering({ usage: { costUsd: 1 } }))).toMatchObject({ status: "failed", calls: [{ costNanoUsd: 1_000_000_000 }] });
  });
});
