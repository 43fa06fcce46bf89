import { WorkerEntrypoint } from "cloudflare:workers";
import { createApi } from "./api/create-api.ts";
import { reoptimizeOnSchedule } from "./api/optimizations.ts";
import { replicateAgain } from "./api/replicate-again.ts";
import type { ExecutorPort } from "./consumer/attempt-port.ts";
import { consumeBatch, consumeDeadLetters } from "./consumer/consume-batch.ts";
import { runAttempt } from "./consumer/run-attempt.ts";
import { runOrders } from "./consumer/run-orders.ts";
import { sweepStale } from "./consumer/sweep-stale.ts";
import type { Report, WorkOrder } from "./consumer/work-order.ts";
import { createApiDeps, createAttemptDeps, createConsumerDeps, createSweepDeps } from "./deps.ts";

export { MetricsObject } from "./durable-objects/metrics-object.ts";
export { RunnerObject } from "./durable-objects/runner-object.ts";
export { TenantObject } from "./durable-objects/tenant-object.ts";
export { WorkflowObject } from "./durable-objects/workflow-object.ts";

/** Runs attempts in an invocation of its own, so that each few calls have their own connections. */
export class Executor extends WorkerEntrypoint<Env> implements ExecutorPort {
  async run(orders: WorkOrder[], onReports: (reports: Report[]) => Promise<void>): Promise<Report[]> {
    const deps = createAttemptDeps(this.env);
    return runOrders(orders, (order) => runAttempt(order, deps), onReports);
  }
}

const apis = new WeakMap<Env, ReturnType<typeof createApi>>();

function openApi(env: Env): ReturnType<typeof createApi> {
  const api = apis.get(env) ?? createApi(createApiDeps(env));
  apis.set(env, api);
  return api;
}

export default {
  fetch: (request, env, ctx) => openApi(env).fetch(request, env, ctx),
  queue: async (batch, env) => {
    const consume = batch.queue.endsWith("-dead") ? consumeDeadLetters : consumeBatch;
    await consume([...batch.messages], createConsumerDeps(env));
  },
  scheduled: async (_controller, env) => {
    const deps = createApiDeps(env);
    await Promise.all([sweepStale(createSweepDeps(env)), reoptimizeOnSchedule(deps).then(() => replicateAgain(deps))]);
  },
} satisfies ExportedHandler<Env>;
