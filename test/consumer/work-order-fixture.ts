import type { Outcome, WorkOrder } from "../../src/consumer/work-order.ts";

/** An order of the first attempt of a task, for an HTTP agent. */
export function createOrder(task: number, changes: Partial<WorkOrder> = {}): WorkOrder {
  return {
    task,
    attempt: 1,
    workflowId: "wf_1",
    tenant: "default",
    taskId: `t${task}`,
    agentName: "web",
    agent: { kind: "http", description: "", capabilities: [], url: "https://agent.example/run", headers: {}, mode: "sync", secretName: null },
    input: {},
    dependencies: {},
    deadlineAt: Date.now() + 60_000,
    idempotencyKey: `wf_1.t${task}`,
    callback: null,
    llm: null,
    requestId: null,
    ...changes,
  };
}

export function completed(output: number): Outcome {
  return { status: "completed", output, calls: [], route: null, context: null };
}
