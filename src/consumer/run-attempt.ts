import type { HttpAgentDeps } from "./agents/http.ts";
import { runHttpAttempt } from "./agents/http.ts";
import { runLlmAttempt } from "./agents/llm.ts";
import type { LoadModels } from "./load-models.ts";
import type { Outcome, WorkOrder } from "./work-order.ts";

export interface AttemptDeps extends Pick<HttpAgentDeps, "fetch" | "allowPrivate" | "secret" | "now"> {
  loadModels: LoadModels;
  /** Takes token deltas of tasks that asked for them. */
  onDelta: (order: WorkOrder, text: string) => void;
}

/** Runs one attempt, wherever it was sent. Ends by `order.deadlineAt` or when `abandoned` fires; never rejects. */
export async function runAttempt(order: WorkOrder, deps: AttemptDeps, abandoned?: AbortSignal): Promise<Outcome> {
  const timeout = AbortSignal.timeout(Math.max(0, order.deadlineAt - deps.now()));
  const signal = abandoned === undefined ? timeout : AbortSignal.any([timeout, abandoned]);
  try {
    if (order.agent.kind === "http") return await runHttpAttempt(order, { ...deps, signal });
    const onDelta = order.llm?.stream === true ? (text: string) => deps.onDelta(order, text) : undefined;
    return await runLlmAttempt(order, { ...(await deps.loadModels(order.tenant)), now: deps.now, signal, onDelta });
  } catch (error) {
    const message = `the attempt could not be run: ${error instanceof Error ? error.message : String(error)}`.slice(0, 500);
    return { status: "failed", failure: { code: "agent_unavailable", message, retryable: true }, retryAfterMs: null, calls: [], route: null };
  }
}
