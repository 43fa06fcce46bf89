import { readCallbackBody } from "../../consumer/agents/agent-answer.ts";
import { redactSent } from "../../consumer/agents/redact-sent.ts";
import type { AttemptRef, Outcome, Report } from "../../consumer/work-order.ts";
import type { Json, Problem } from "../../errors.ts";
import { refuseFaulty } from "../../workflow/faults/fault-list.ts";
import { createCallbackToken, hashSecret } from "./work-orders.ts";
import type { WorkflowSession } from "./workflow-session.ts";

export const CALLBACK_OVER: Problem = { problem: "not_found", detail: "This callback token was used, superseded or cancelled." };

/** The attempt that a callback's secret was made for; null for an unknown one. */
export function findCallback(session: WorkflowSession, secret: string): AttemptRef | null {
  return session.store.findCallback(hashSecret(secret));
}

/** What the holder of a callback's secret reports of its attempt. */
export function readCallback(session: WorkflowSession, secret: string, body: Json, now: number): { report: Report } | Problem {
  const ref = findCallback(session, secret);
  if (ref === null) return { problem: "not_found", detail: "This callback token is unknown." };
  const read = readCallbackBody(body, { agentName: session.agentNames[ref.task]!, at: now });
  if ("faults" in read) return session.isLive(ref) ? refuseFaulty(read.faults) : CALLBACK_OVER;
  return { report: { ...ref, outcome: withoutSent(read.outcome, session, ref.task, secret) } };
}

/** An agent's own words about its failure, without what it was sent and may quote. */
function withoutSent(outcome: Outcome, { identity, agents, agentNames }: WorkflowSession, task: number, secret: string): Outcome {
  const agent = agents[agentNames[task]!];
  if (outcome.status !== "failed" || agent?.kind !== "http") return outcome;
  const sent = [...Object.values(agent.headers), createCallbackToken(identity, secret), secret];
  return { ...outcome, failure: { ...outcome.failure, message: redactSent(outcome.failure.message, sent) } };
}
