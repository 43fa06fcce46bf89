import { DurableObject } from "cloudflare:workers";
import type { AttemptPort, RunnerPort } from "../consumer/attempt-port.ts";
import { AttemptRunner } from "../consumer/attempt-runner.ts";
import type { WorkOrder } from "../consumer/work-order.ts";
import { createObjectDeps } from "../deps.ts";
import { openWorkflow } from "../platform.ts";

/**
 * Holds the calls of queued attempts. A Worker's `waitUntil` ends 30 s after its answer and a queue batch that waits holds up the
 * queue; an object with a pending call stays, and it does not die with the workflow's object. It stores nothing: leases bring back what it loses.
 */
export class RunnerObject extends DurableObject<Env> implements RunnerPort {
  readonly #runner: AttemptRunner;
  readonly #refreshSettings: () => Promise<void>;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    const deps = createObjectDeps(env, ctx.exports);
    this.#refreshSettings = deps.refreshSettings;
    const workflow = (tenant: string, workflowId: string): AttemptPort => openWorkflow(env, tenant, workflowId);
    this.#runner = new AttemptRunner({
      executor: deps.executor,
      workflow,
      // Asked for whenever a renewal is planned, since this object outlives many changes of the settings.
      get renewEveryMs() {
        return deps.settings.dispatch.renewEveryMs;
      },
      log: deps.log,
    });
  }

  async start(orders: WorkOrder[]): Promise<void> {
    await this.#refreshSettings();
    this.ctx.waitUntil(this.#runner.run(orders));
  }
}
