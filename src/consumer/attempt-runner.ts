import type { LogEvent } from "../log.ts";
import type { AttemptPort, ExecutorPort } from "./attempt-port.ts";
import { refOfOrder, splitOrders } from "./run-orders.ts";
import type { AttemptRef, Report, WorkOrder } from "./work-order.ts";

/** Waits between tries to report; after the last, the attempt's lease runs out and it is repeated. */
const REPORT_RETRIES_MS = [100, 400, 1_600, 6_400];

export interface AttemptRunnerDeps {
  executor: () => ExecutorPort;
  workflow: (tenant: string, workflowId: string) => Pick<AttemptPort, "renew" | "report">;
  renewEveryMs: number;
  log: (event: LogEvent) => void;
}

interface Held {
  tenant: string;
  workflowId: string;
  refs: Map<string, AttemptRef>;
}

/** Has executors run claimed orders, keeps their leases alive meanwhile (one call per workflow) and reports the outcomes. */
export class AttemptRunner {
  readonly #deps: AttemptRunnerDeps;
  readonly #held = new Map<string, Held>();
  #timer: ReturnType<typeof setInterval> | null = null;

  constructor(deps: AttemptRunnerDeps) {
    this.#deps = deps;
  }

  /** Ends when every order was reported or given up. */
  async run(orders: readonly WorkOrder[]): Promise<void> {
    orders.forEach((order) => this.#hold(order));
    this.#timer ??= setInterval(() => this.#renewAll(), this.#deps.renewEveryMs);
    await Promise.all(splitOrders(orders).map((part) => this.#runPart(part)));
    if (this.#held.size > 0 || this.#timer === null) return;
    clearInterval(this.#timer);
    this.#timer = null;
  }

  /** Orders of one part may belong to one workflow only, as a consumer hands them over. */
  async #runPart(orders: WorkOrder[]): Promise<void> {
    const { tenant, workflowId } = orders[0]!;
    try {
      const rest = await this.#deps.executor().run(orders, (reports) => this.#report(tenant, workflowId, reports));
      if (rest.length > 0) await this.#report(tenant, workflowId, rest);
    } catch (error) {
      this.#deps.log({ event: "executor.failed", workflowId, message: String(error) });
    } finally {
      // At once, whatever other parts still do: nobody works at these any more, and renewing would keep their attempts until the timeout.
      orders.forEach((order) => this.#release(order));
    }
  }

  async #report(tenant: string, workflowId: string, reports: Report[]): Promise<void> {
    for (const delayMs of [...REPORT_RETRIES_MS, null]) {
      try {
        return await this.#deps.workflow(tenant, workflowId).report(reports);
      } catch (error) {
        this.#deps.log({ event: "report.failed", workflowId, message: String(error) });
        if (delayMs === null) throw error;
        await new Promise((resolve) => setTimeout(resolve, delayMs));
      }
    }
  }

  #renewAll(): void {
    for (const { tenant, workflowId, refs } of this.#held.values()) {
      this.#deps.workflow(tenant, workflowId).renew([...refs.values()]).catch((error: unknown) => this.#deps.log({ event: "renewal.failed", workflowId, message: String(error) }));
    }
  }

  #hold(order: WorkOrder): void {
    const name = `${order.tenant}:${order.workflowId}`;
    const held = this.#held.get(name) ?? { tenant: order.tenant, workflowId: order.workflowId, refs: new Map() };
    held.refs.set(`${order.task}.${order.attempt}`, refOfOrder(order));
    this.#held.set(name, held);
  }

  #release(order: WorkOrder): void {
    const name = `${order.tenant}:${order.workflowId}`;
    const held = this.#held.get(name);
    held?.refs.delete(`${order.task}.${order.attempt}`);
    if (held?.refs.size === 0) this.#held.delete(name);
  }
}
