import { nextWebhookRetryMs, sendWebhook, type WebhookResult } from "../../../consumer/outbound/webhook.ts";
import type { ObjectDeps } from "../../../deps.ts";
import type { WorkflowStatus } from "../../../workflow/run.ts";
import type { WorkflowSession } from "../workflow-session.ts";
import type { WebhookRow, WebhookStore } from "../stores/webhook-store.ts";

/** Webhooks on their way at once: two of an object's six connections are free for them. */
export const MAX_DELIVERIES = 2;
/** Deliveries between two events that reach the object: a fifth of the 1,000 subrequests that a request had at least. The alarm, which is an event, goes on. */
export const MAX_DELIVERIES_PER_EVENT = 200;
/** When a delivery that was cut off is tried again: the row is postponed by this before the call. */
const WEBHOOK_LEASE_MS = 60_000;
/** For how long after its event a webhook is tried again (contract). */
const PATIENCE_MS = 86_400_000;

interface WebhookObject {
  session: () => WorkflowSession | null;
  /** Has the alarm come by then. */
  armBy: (time: number) => void;
}

/** Delivers a workflow's webhooks from its store, which holds them until they are delivered or given up. */
export class WebhookSender {
  readonly #deps: ObjectDeps;
  readonly #store: WebhookStore;
  readonly #object: WebhookObject;
  #underWay = 0;
  #sinceEvent = 0;

  constructor(deps: ObjectDeps, store: WebhookStore, object: WebhookObject) {
    this.#deps = deps;
    this.#store = store;
    this.#object = object;
  }

  /** An event from outside reached the object: the platform counts its calls anew. */
  refill(): void {
    this.#sinceEvent = 0;
  }

  /** When the alarm has to see to it; Infinity without any. While as many are under way as may be, each that ends begins the next, and the alarm only looks after those. */
  nextAt(session: WorkflowSession): number {
    if (session.identity.spec.webhook === undefined) return Infinity;
    return this.#underWay >= MAX_DELIVERIES ? this.#deps.now() + WEBHOOK_LEASE_MS : this.#store.readNextAt();
  }

  /** Sends the webhooks that are due, oldest first, a few at once. Nobody waits for it: receivers may be slow. */
  deliver(session: WorkflowSession): void {
    if (session.identity.spec.webhook === undefined || this.#underWay >= MAX_DELIVERIES) return;
    const now = this.#deps.now();
    const room = Math.min(MAX_DELIVERIES - this.#underWay, MAX_DELIVERIES_PER_EVENT - this.#sinceEvent);
    const due = room > 0 ? this.#store.readDue(now, room) : [];
    for (const row of due) {
      // Postponed first: nobody else takes it, and if the object dies during the call, it is tried again after that.
      this.#store.postpone(row.id, row.attempts + 1, now + WEBHOOK_LEASE_MS);
      this.#underWay += 1;
      this.#sinceEvent += 1;
      void this.#deliverOne(session, row);
    }
    this.#object.armBy(this.nextAt(session));
  }

  async #deliverOne(session: WorkflowSession, row: WebhookRow): Promise<void> {
    try {
      const result = await this.#send(session, row).finally(() => (this.#underWay -= 1));
      // Another memory of the same workflow takes the result as well as this one.
      const current = this.#object.session();
      if (current?.run.state.createdAt === session.run.state.createdAt) this.#settle(session, row, result);
      if (current !== null) this.deliver(current);
    } catch (error) {
      // The row is postponed, and the alarm comes for it.
      this.#deps.log({ event: "webhook.failed", workflowId: session.identity.workflowId, message: String(error) });
    }
  }

  async #send({ identity, run }: WorkflowSession, row: WebhookRow): Promise<WebhookResult> {
    const { url, secretName = null } = identity.spec.webhook!;
    const event = { id: `${identity.workflowId}.${run.state.createdAt}.${row.id}`, type: row.type, timestamp: new Date(row.at).toISOString(), workflow: { id: identity.workflowId, name: identity.spec.name, status: row.status as WorkflowStatus } };
    return sendWebhook({ url, secretName, event }, { ...this.#deps, signal: new AbortController().signal });
  }

  #settle({ identity }: WorkflowSession, row: WebhookRow, result: WebhookResult): void {
    const attempts = row.attempts + 1;
    const nextAt = result.status === "retry" ? this.#nextTryAt(row, attempts, result.retryAfterMs ?? 0) : null;
    if (nextAt === null) this.#store.remove(row.id);
    else this.#store.postpone(row.id, attempts, nextAt);
    const reason = result.status === "delivered" ? null : result.reason;
    const ended = nextAt === null && result.status === "retry" ? "give_up" : result.status;
    this.#deps.log({ event: "webhook.sent", tenant: identity.tenant, workflowId: identity.workflowId, type: row.type, result: ended, attempts, reason });
  }

  /** Null when it is not tried again. */
  #nextTryAt(row: WebhookRow, attempts: number, retryAfterMs: number): number | null {
    const delayMs = nextWebhookRetryMs(attempts, this.#deps.random());
    if (delayMs === null) return null;
    const nextAt = this.#deps.now() + Math.max(delayMs, retryAfterMs);
    return nextAt <= row.at + PATIENCE_MS ? nextAt : null;
  }
}
