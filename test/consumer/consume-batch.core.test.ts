import { describe, expect, test, vi } from "vitest";
import { consumeBatch, consumeDeadLetters, type ConsumedMessage } from "../../src/consumer/consume-batch.ts";
import type { AttemptRef, WorkOrder } from "../../src/consumer/work-order.ts";
import { createOrder } from "./work-order-fixture.ts";

type Settled = "acked" | "retried" | "open";

function messageOf(body: unknown): ConsumedMessage & { settled: () => Settled } {
  let state: Settled = "open";
  const settle = (next: Settled) => () => {
    if (state !== "open") throw new Error(`settled twice: ${state}, ${next}`);
    state = next;
  };
  return { body, ack: settle("acked"), retry: settle("retried"), settled: () => state };
}

const body = (task: number, changes: object = {}) => ({ tenant: "default", workflowId: "wf_1", task, attempt: 1, rank: 2, ...changes });

function createDeps(verbs: { claim?: (name: string, refs: AttemptRef[]) => Promise<WorkOrder[]>; deadLetter?: (name: string) => Promise<void>; start?: () => Promise<void> } = {}) {
  const claims: [string, number[]][] = [];
  const dead: [string, number[]][] = [];
  const started: [string, number[]][] = [];
  const log = vi.fn();
  const deps = {
    workflow: (tenant: string, workflowId: string) => ({
      claim: async (refs: AttemptRef[]) => {
        claims.push([`${tenant}:${workflowId}`, refs.map(({ task }) => task)]);
        return verbs.claim?.(workflowId, refs) ?? refs.map(({ task }) => createOrder(task, { workflowId }));
      },
      deadLetter: async (refs: AttemptRef[]) => {
        dead.push([`${tenant}:${workflowId}`, refs.map(({ task }) => task)]);
        await verbs.deadLetter?.(workflowId);
      },
    }),
    runner: (tenant: string, workflowId: string) => ({
      start: async (orders: WorkOrder[]) => {
        started.push([`${tenant}:${workflowId}`, orders.map(({ task }) => task)]);
        await verbs.start?.();
      },
    }),
    log,
  };
  return { deps, claims, dead, started, log };
}

describe("a batch", () => {
  test("is claimed by one call per workflow, and what was granted is handed to a runner of its tenant", async () => {
    const { deps, claims, started } = createDeps({ claim: async (_name, refs) => refs.map(({ task }) => createOrder(task)) });
    const messages = [body(0), body(5, { workflowId: "wf_2" }), body(1), body(2, { tenant: "acme" })].map(messageOf);
    await consumeBatch(messages, deps);
    expect(claims).toEqual([["default:wf_1", [0, 1]], ["default:wf_2", [5]], ["acme:wf_1", [2]]]);
    expect(started).toEqual([["default:wf_1", [0, 1]], ["default:wf_2", [5]], ["acme:wf_1", [2]]]);
    expect(messages.map((message) => message.settled())).toEqual(["acked", "acked", "acked", "acked"]);
  });

  test("whose orders do not fit one message is claimed in parts", async () => {
    const { deps, claims, started } = createDeps({ claim: async (_name, refs) => refs.slice(0, 2).map(({ task }) => createOrder(task)) });
    await consumeBatch([0, 1, 2].map((task) => messageOf(body(task))), deps);
    expect(claims).toEqual([["default:wf_1", [0, 1, 2]], ["default:wf_1", [2]]]);
    expect(started).toEqual([["default:wf_1", [0, 1]], ["default:wf_1", [2]]]);
  });

  test("of attempts that are over already starts no runner", async () => {
    const { deps, started } = createDeps({ claim: async () => [] });
    const message = messageOf(body(0));
    await consumeBatch([message], deps);
    expect([started, message.settled()]).toEqual([[], "acked"]);
  });

  test("is taken by rank, and within a rank as it came", async () => {
    const { deps, claims } = createDeps();
    await consumeBatch([body(0, { rank: 3 }), body(1), body(2, { rank: 0 }), body(3), body(4, { rank: 1, workflowId: "wf_2" })].map(messageOf), deps);
    expect(claims).toEqual([["default:wf_1", [2, 1, 3, 0]], ["default:wf_2", [4]]]);
  });

  test.each([null, "x", 7, {}, body(-1), body(0.5), body(0, { attempt: 0 }), body(0, { rank: 4 }), body(0, { rank: undefined }), body(0, { extra: 1 }), body(0, { tenant: 1 })])("drops %j, logs it and does the rest", async (malformed) => {
    const { deps, claims, log } = createDeps();
    const [wrong, right] = [messageOf(malformed), messageOf(body(9))];
    await consumeBatch([wrong, right], deps);
    expect([wrong.settled(), right.settled()]).toEqual(["acked", "acked"]);
    expect(claims).toEqual([["default:wf_1", [9]]]);
    expect(log.mock.calls).toEqual([[expect.objectContaining({ event: "queue.malformed" })]]);
  });

  test("asks again for the messages of a workflow that fails, and only for them", async () => {
    const { deps, started, log } = createDeps({ claim: async (name, refs) => (name === "wf_1" ? Promise.reject(new Error("reset")) : refs.map(({ task }) => createOrder(task))) });
    const messages = [body(0), body(1), body(2, { workflowId: "wf_2" })].map(messageOf);
    await consumeBatch(messages, deps);
    expect(messages.map((message) => message.settled())).toEqual(["retried", "retried", "acked"]);
    expect(started).toEqual([["default:wf_2", [2]]]);
    expect(log.mock.calls).toEqual([[{ event: "queue.failed", workflowId: "wf_1", message: "Error: reset" }]]);
  });

  test("asks again when the runner cannot be reached", async () => {
    const { deps } = createDeps({ start: () => Promise.reject(new Error("overloaded")) });
    const message = messageOf(body(0));
    await consumeBatch([message], deps);
    expect(message.settled()).toBe("retried");
  });

  test("without messages does nothing", async () => {
    const { deps, claims } = createDeps();
    await consumeBatch([], deps);
    expect(claims).toEqual([]);
  });
});

describe("dead letters", () => {
  test("are told to their workflows, one call each; those of one that fails come again", async () => {
    const { deps, dead, claims } = createDeps({ deadLetter: async (name) => (name === "wf_2" ? Promise.reject(new Error("reset")) : undefined) });
    const messages = [body(0), body(1), body(2, { workflowId: "wf_2" }), null].map(messageOf);
    await consumeDeadLetters(messages, deps);
    expect(dead).toEqual([["default:wf_1", [0, 1]], ["default:wf_2", [2]]]);
    expect(claims).toEqual([]);
    expect(messages.map((message) => message.settled())).toEqual(["acked", "acked", "retried", "acked"]);
  });
});
