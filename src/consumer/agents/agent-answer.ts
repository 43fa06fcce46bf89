import { z } from "zod";
import type { Failure, Fault, Json } from "../../errors.ts";
import { describeIssues, PARSE_OPTIONS } from "../../workflow/faults/describe-issues.ts";
import type { AttemptCall, Outcome } from "../work-order.ts";

/** Deepest nesting of an output. Deeper ones overflow the stack of what copies or serialises them later. */
export const MAX_OUTPUT_DEPTH = 200;
/** Most tokens that one call can report: sums over a workflow stay exact integers. */
export const MAX_REPORTED_TOKENS = 1_000_000_000;
/** Most dollars that one call can report: 10¹³ nano-dollars, of which sums stay exact integers. */
export const MAX_REPORTED_USD = 10_000;
/** Longest failure message that is kept; the event log holds it several times. */
export const MAX_FAILURE_MESSAGE_CHARS = 2_000;

const tokens = z.int().min(0).max(MAX_REPORTED_TOKENS).nullish();
const usageFields = { inputTokens: tokens, outputTokens: tokens, costUsd: z.number().min(0).max(MAX_REPORTED_USD).nullish() };
const output = z.custom<Json>(isOutput, `must be JSON of at most ${MAX_OUTPUT_DEPTH} levels`);

/** What an agent may say about its cost. `null` means absent, as everywhere. */
const AgentUsage = z.object(usageFields);
type AgentUsage = z.infer<typeof AgentUsage>;

/** An error answer that still says what it cost. */
const UsageOnly = z.object({ usage: AgentUsage });

/** `POST /v1/callbacks/{token}`: part of our own API, so strict. */
const CallbackBody = z
  .strictObject({
    output: z.unknown(),
    error: z.strictObject({ message: z.string(), retryable: z.boolean().nullish() }).nullish(),
    usage: z.strictObject(usageFields).nullish(),
  })
  .partial({ output: true });

/** Who made a call and when: what a reported usage does not say itself. `at`: Unix ms. */
export interface ReportingAgent {
  agentName: string;
  at: number;
}

/** The output and ledger lines of a 200's parsed body, or null when it has another shape. */
export function readAgentAnswer(body: unknown, agent: ReportingAgent): { output: Json; calls: AttemptCall[] } | null {
  // By hand: an answer without a usage, as most are, is read with every step.
  if (typeof body !== "object" || body === null || Array.isArray(body)) return null;
  const { output: value, usage = null } = body as { output?: unknown; usage?: unknown };
  if (!isOutput(value)) return null;
  if (usage === null) return { output: value, calls: [] };
  const read = AgentUsage.safeParse(usage);
  return read.success ? { output: value, calls: recordUsage(read.data, agent) } : null;
}

/** The ledger lines of any other parsed body: none unless it reports a usage. */
export function readReportedUsage(body: unknown, agent: ReportingAgent): AttemptCall[] {
  const answer = UsageOnly.safeParse(body);
  return answer.success ? recordUsage(answer.data.usage, agent) : [];
}

/** What a callback says, or what is wrong with its body. Size is the caller's to bound. */
export function readCallbackBody(body: unknown, agent: ReportingAgent): { outcome: Outcome } | { faults: Fault[] } {
  const parsed = CallbackBody.safeParse(body, PARSE_OPTIONS);
  if (!parsed.success) return { faults: describeIssues(parsed.error) };
  const { error, usage } = parsed.data;
  const calls = recordUsage(usage, agent);
  const hasOutput = parsed.data.output !== undefined;
  if (error != null) {
    if (hasOutput && parsed.data.output !== null) return { faults: [{ path: "/output", message: "give either output or error, not both" }] };
    return { outcome: { status: "failed", failure: describeCallbackError(error), retryAfterMs: null, calls, route: null } };
  }
  if (!hasOutput) return { faults: [{ path: "", message: "give output (any JSON, null included) or error: {message}" }] };
  const value = output.safeParse(parsed.data.output);
  if (!value.success) return { faults: value.error.issues.map((issue) => ({ path: "/output", message: issue.message })) };
  return { outcome: { status: "completed", output: value.data, calls, route: null, context: null } };
}

function describeCallbackError(error: { message: string; retryable?: boolean | null }): Failure {
  const retryable = error.retryable ?? false;
  return { code: retryable ? "agent_unavailable" : "agent_rejected", message: error.message.slice(0, MAX_FAILURE_MESSAGE_CHARS), retryable };
}

function recordUsage(usage: AgentUsage | null | undefined, agent: ReportingAgent): AttemptCall[] {
  if (usage == null) return [];
  const costNanoUsd = toNanoUsd(usage.costUsd ?? 0);
  return [
    {
      at: agent.at,
      provider: "http",
      model: agent.agentName,
      inputTokens: usage.inputTokens ?? 0,
      outputTokens: usage.outputTokens ?? 0,
      cachedTokens: 0,
      costNanoUsd,
      estimated: false,
      baselineNanoUsd: costNanoUsd,
      call: 0,
      tier: null,
      taskType: null,
      isOverCap: false,
    },
  ];
}

/** Dollars to whole nano-dollars, rounded up; a whole number of them that floating point missed by a hair stays itself. */
function toNanoUsd(usd: number): number {
  const nanoUsd = usd * 1e9;
  const nearest = Math.round(nanoUsd);
  return Math.abs(nanoUsd - nearest) <= nearest * 2 * Number.EPSILON ? nearest : Math.ceil(nanoUsd);
}

function isOutput(value: unknown): value is Json {
  return value !== undefined && !isDeeperThan(value, MAX_OUTPUT_DEPTH);
}

/** Recurses at most `levels` deep, however deep the value is. */
export function isDeeperThan(value: unknown, levels: number): boolean {
  if (typeof value !== "object" || value === null) return false;
  return levels === 0 || Object.values(value).some((child) => isDeeperThan(child, levels - 1));
}
