import { readServerSentEvents } from "./server-sent-events.ts";

/** What the scripts read of the HTTP contract's answers; the rest is passed over. */
export interface WorkflowView {
  id: string;
  name: string | null;
  status: string;
  startedAt: string | null;
  finishedAt: string | null;
  waves: string[][];
  tasks: Record<string, TaskView>;
  usage: UsageView;
  error: FailureView | null;
}

export interface TaskView {
  status: string;
  wave: number;
  attempt: number;
  /** null with `outputBytes` when it is too long for the workflow's own answer. */
  output: unknown;
  outputBytes?: number;
  startedAt: string | null;
  finishedAt: string | null;
  route: { model: string; provider: string } | null;
  usage: UsageView | null;
  error: FailureView | null;
}

interface UsageView {
  inputTokens: number;
  outputTokens: number;
  costUsd: number;
}

export interface FailureView {
  code: string;
  message: string;
  taskId?: string;
}

export interface EventView {
  seq: number;
  at: string;
  type: string;
  taskId?: string;
  data: { model?: string; attempt?: number; error?: FailureView | null };
}

export interface WorkflowClient {
  createWorkflow(spec: object): Promise<WorkflowView>;
  getWorkflow(id: string): Promise<WorkflowView>;
  getTask(id: string, taskId: string): Promise<TaskView>;
  /** Every event from the first to the final one, each once and in order, over as many connections as it takes. */
  followEvents(id: string): AsyncGenerator<EventView>;
}

/** Streams that end one after another without a new event: then the server is not coming back. */
const MAX_EMPTY_STREAMS = 5;
const finalEventTypes = new Set(["workflow.completed", "workflow.failed", "workflow.cancelled", "workflow.compensated"]);

/** A client for one worker and key. Every call throws an error with the server's `detail` unless it was answered with 2xx. */
export function createWorkflowClient(at: { origin: string; key: string; signal?: AbortSignal }): WorkflowClient {
  async function call(path: string, init: { method?: string; headers?: Record<string, string>; body?: string } = {}): Promise<Response> {
    const headers = { authorization: `Bearer ${at.key}`, ...init.headers };
    const answer = await fetch(`${at.origin}${path}`, { ...init, headers, signal: at.signal ?? null });
    if (!answer.ok) throw new Error(`${init.method ?? "GET"} ${path} answered ${answer.status}: ${await answer.text()}`);
    return answer;
  }

  async function* followEvents(id: string): AsyncGenerator<EventView> {
    let lastSeq = 0;
    for (let emptyStreams = 0; emptyStreams < MAX_EMPTY_STREAMS; emptyStreams += 1) {
      const answer = await call(`/v1/workflows/${id}/events?after=${lastSeq}`, { headers: { accept: "text/event-stream" } });
      if (answer.body === null) continue;
      for await (const message of readServerSentEvents(answer.body)) {
        // Live-only messages (token deltas) have no place in the log, and so no id.
        if (message.id === null || message.id === "") continue;
        const event = JSON.parse(message.data) as EventView;
        if (event.seq <= lastSeq) continue;
        lastSeq = event.seq;
        emptyStreams = 0;
        yield event;
        if (finalEventTypes.has(event.type)) return;
      }
    }
    throw new Error(`the event stream of ${id} ended after event ${lastSeq}, before the workflow did`);
  }

  return {
    createWorkflow: async (spec) =>
      (await (await call("/v1/workflows", { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(spec) })).json()) as WorkflowView,
    getWorkflow: async (id) => (await (await call(`/v1/workflows/${id}`)).json()) as WorkflowView,
    getTask: async (id, taskId) => (await (await call(`/v1/workflows/${id}/tasks/${encodeURIComponent(taskId)}`)).json()) as TaskView,
    followEvents,
  };
}
