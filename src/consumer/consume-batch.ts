import { TaskMessage, type AttemptPort, type RunnerPort } from "./attempt-port.ts";
import type { AttemptRef } from "./work-order.ts";

/** The part of a queue message that consumers use. */
export interface ConsumedMessage {
  body: unknown;
  ack: () => void;
  retry: () => void;
}

export interface ConsumerDeps {
  workflow: (tenant: string, workflowId: string) => Pick<AttemptPort, "claim" | "deadLetter">;
  /** Of one tenant: what fills its memory is no other tenant's loss. */
  runner: (tenant: string, workflowId: string) => RunnerPort;
  log: (entry: { event: "queue.malformed" | "queue.failed"; workflowId?: string; message: string }) => void;
}

interface Group {
  tenant: string;
  workflowId: string;
  refs: AttemptRef[];
  messages: ConsumedMessage[];
}

/**
 * Claims the batch's attempts, one call per workflow, and hands the granted orders to a runner. It makes no agent call itself:
 * a batch is done once its attempts are claimed, so that a hanging call holds up nobody.
 */
export async function consumeBatch(messages: readonly ConsumedMessage[], deps: ConsumerDeps): Promise<void> {
  await Promise.all(groupByWorkflow(messages, deps).map((group) => settleGroup(group, deps, async () => {
    // A claim grants what fits one message; what it did not grant is either left for the next, or refused then too.
    for (let refs = group.refs; refs.length > 0; ) {
      const orders = await deps.workflow(group.tenant, group.workflowId).claim(refs);
      if (orders.length === 0) return;
      await deps.runner(group.tenant, group.workflowId).start(orders);
      const granted = new Set(orders.map(({ task, attempt }) => `${task}.${attempt}`));
      refs = refs.filter(({ task, attempt }) => !granted.has(`${task}.${attempt}`));
    }
  })));
}

/** Tells the workflows which attempts nobody could take. */
export async function consumeDeadLetters(messages: readonly ConsumedMessage[], deps: ConsumerDeps): Promise<void> {
  await Promise.all(groupByWorkflow(messages, deps).map((group) => settleGroup(group, deps, () => deps.workflow(group.tenant, group.workflowId).deadLetter(group.refs))));
}

/** Acknowledges a group that was handled and asks for the others again. If the hand-over failed after the claim, the lease brings the attempt back. */
async function settleGroup(group: Group, deps: ConsumerDeps, work: () => Promise<void>): Promise<void> {
  try {
    await work();
    group.messages.forEach((message) => message.ack());
  } catch (error) {
    deps.log({ event: "queue.failed", workflowId: group.workflowId, message: String(error) });
    group.messages.forEach((message) => message.retry());
  }
}

function groupByWorkflow(messages: readonly ConsumedMessage[], deps: ConsumerDeps): Group[] {
  const parsed = messages.flatMap((message) => {
    const body = TaskMessage.safeParse(message.body);
    if (body.success) return [{ message, body: body.data }];
    deps.log({ event: "queue.malformed", message: "a queue message has another shape and was dropped" });
    message.ack();
    return [];
  });
  const groups = new Map<string, Group>();
  for (const { message, body } of parsed.sort((a, b) => a.body.rank - b.body.rank)) {
    const name = `${body.tenant}:${body.workflowId}`;
    const group = groups.get(name) ?? { tenant: body.tenant, workflowId: body.workflowId, refs: [], messages: [] };
    group.refs.push({ task: body.task, attempt: body.attempt });
    group.messages.push(message);
    groups.set(name, group);
  }
  return [...groups.values()];
}
