import type { Failure, FailureCode } from "../../errors.ts";
import type { HttpAgent } from "../../workflow/spec/agent.ts";
import { MAX_ATTEMPT_TIMEOUT_MS } from "../../workflow/spec/spec.ts";
import { fetchOutbound } from "../outbound/outbound-fetch.ts";
import type { FetchFunction, OutboundAnswer } from "../outbound/outbound-fetch.ts";
import { readRetryAfterMs } from "../outbound/retry-after.ts";
import { signBody } from "../outbound/sign-body.ts";
import type { AttemptCall, Outcome, WorkOrder } from "../work-order.ts";
import { readAgentAnswer, readReportedUsage } from "./agent-answer.ts";
import { redactSent } from "./redact-sent.ts";

/** Largest answer of an agent (contract). */
export const MAX_ANSWER_BYTES = 1_048_576;
/** How much of a refusing answer an error message quotes. */
const EXCERPT_CHARS = 200;

type Answered = Extract<OutboundAnswer, { kind: "answered" }>;

export interface HttpAgentDeps {
  fetch: FetchFunction;
  allowPrivate: boolean;
  secret: (name: string) => string | undefined;
  now: () => number;
  /** Gives the call up; null: nothing does but its deadline. */
  signal: AbortSignal | null;
  /** Whether `signal` fires at the deadline too, so that the call needs no timer of its own. */
  isTimed?: boolean;
}

/** Calls the HTTP agent of a work order once. Never rejects for what the agent does; what can be retried is decided here. */
export async function runHttpAttempt(order: WorkOrder, deps: HttpAgentDeps): Promise<Outcome> {
  const { agent } = order;
  if (agent.kind !== "http") throw new Error(`task ${order.taskId} has an agent of kind ${agent.kind}`);
  if (agent.mode === "callback" && order.callback === null) {
    return fail("agent_rejected", `Agent ${order.agentName} answers by callback, but no public address of this server is known: set PUBLIC_URL`);
  }
  const body = JSON.stringify(createBody(order, agent));
  const signature = signAttempt(order, agent, body, deps);
  if (typeof signature === "string") return fail("agent_rejected", signature);
  const headers = { "content-type": "application/json", ...lowerCaseNames(agent.headers), ...signature, "idempotency-key": order.idempotencyKey, "x-attempt": String(order.attempt) };
  // A callback may be awaited for days, the call that announces it may not.
  const timeoutMs = Math.min(order.deadlineAt - deps.now(), MAX_ATTEMPT_TIMEOUT_MS);
  if (timeoutMs <= 0) return describeTimeout(order);
  const answer = await fetchOutbound(agent.url, { method: "POST", headers, body }, {
    fetch: deps.fetch,
    allowPrivate: deps.allowPrivate,
    maxBytes: MAX_ANSWER_BYTES,
    timeoutMs: deps.isTimed === true ? null : timeoutMs,
    signal: deps.signal,
    needsBody: (status) => !isAccepted(status, agent),
  });
  const sentSecrets = [...Object.values(agent.headers), order.callback?.token ?? "", signature["webhook-signature"] ?? ""];
  return classifyAnswer(answer, { order, agent, sentSecrets, endedAt: deps.now() });
}

function createBody(order: WorkOrder, agent: HttpAgent) {
  const { workflowId, taskId, attempt, agentName, input, dependencies } = order;
  // An answer that comes later counts for nothing, whichever of the two is over first.
  const deadline = new Date(Math.min(order.deadlineAt, order.workflowDeadlineAt ?? Infinity)).toISOString();
  const body = { workflowId, taskId, attempt, agent: agentName, input, dependencies, deadline };
  return agent.mode === "callback" ? { ...body, callback: order.callback } : body;
}

/** The signature's headers (none without a secret), or why there can be none. */
function signAttempt(order: WorkOrder, agent: HttpAgent, body: string, deps: HttpAgentDeps): Record<string, string> | string {
  if (agent.secretName === null) return {};
  const secret = deps.secret(agent.secretName);
  if (secret === undefined || secret === "") return `Agent ${order.agentName} is to be called with a signature, but its secret is not set: set ${agent.secretName}`;
  const headers = signBody({ id: order.idempotencyKey, atMs: deps.now(), body }, secret);
  return headers ?? `The secret ${agent.secretName} is no signing key: after whsec_ it must be base64`;
}

interface Call {
  order: WorkOrder;
  agent: HttpAgent;
  /** What was sent, may be echoed, and belongs in no message. */
  sentSecrets: string[];
  /** Unix ms. */
  endedAt: number;
}

function classifyAnswer(answer: OutboundAnswer, call: Call): Outcome {
  const { agentName } = call.order;
  switch (answer.kind) {
    case "refused":
      return fail("agent_rejected", `Agent ${agentName} was not called: ${answer.reason}`);
    case "broken":
      return fail("agent_unavailable", `The connection to agent ${agentName} failed: ${quote(answer.reason, call)}`);
    case "timed_out":
      return describeTimeout(call.order);
    case "answered":
      return classifyStatus(answer, call);
  }
}

function classifyStatus(answer: Answered, call: Call): Outcome {
  const { status } = answer;
  if (isAccepted(status, call.agent)) return { status: "waiting" };
  const body = answer.truncated ? undefined : parseJson(answer.text);
  const { agentName } = call.order;
  const reporter = { agentName, at: call.endedAt };
  if (status === 200) {
    const read = readAgentAnswer(body, reporter);
    if (read !== null) return { status: "completed", ...read, route: null, context: null };
  }
  const code = codeOfStatus(status);
  const text = quote(answer.text, call);
  const message = `Agent ${agentName} answered ${status}${explainStatus(answer, call.agent)}${text === "" ? "" : `: ${text}`}`;
  const retryAfterMs = code === "agent_unavailable" ? readRetryAfterMs(answer.headers.get("retry-after"), call.endedAt) : null;
  return fail(code, message, retryAfterMs, readReportedUsage(body, reporter));
}

/** The agent took the task and will answer by callback. */
function isAccepted(status: number, agent: HttpAgent): boolean {
  return status === 202 && agent.mode === "callback";
}

function codeOfStatus(status: number): FailureCode {
  if (status === 408 || status === 425 || status === 429 || status >= 500) return "agent_unavailable";
  return status >= 400 ? "agent_rejected" : "agent_bad_response";
}

/** What the bare number does not say about an answer that nobody can use. */
function explainStatus(answer: Answered, agent: HttpAgent): string {
  if (answer.status >= 400) return "";
  if (answer.status >= 300) return " (redirects of a POST are not followed: register the final URL)";
  if (answer.status === 202) return ` (only for agents in callback mode; this one is in ${agent.mode} mode)`;
  if (answer.status !== 200) return " (expected 200)";
  if (answer.truncated) return ` with more than ${MAX_ANSWER_BYTES} bytes`;
  return " with a body other than {output, usage?}";
}

/** The start of what an agent said, without the header values and tokens that it was sent and may echo. */
function quote(text: string, call: Call): string {
  return redactSent(text, call.sentSecrets).slice(0, EXCERPT_CHARS).toWellFormed();
}

function describeTimeout(order: WorkOrder): Outcome {
  return fail("timeout", `Agent ${order.agentName} did not answer before the attempt's time was over`);
}

function fail(code: FailureCode, message: string, retryAfterMs: number | null = null, calls: AttemptCall[] = []): Outcome {
  const failure: Failure = { code, message, retryable: code === "agent_unavailable" || code === "timeout" };
  return { status: "failed", failure, retryAfterMs, calls, route: null };
}

function lowerCaseNames(headers: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
