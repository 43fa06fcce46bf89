import { nextWebhookRetryMs, sendWebhook } from "../consumer/webhook.ts";
import type { ObjectDeps } from "../deps.ts";
import type { WorkflowStatus } from "../workflow/run.ts";
import type { WorkflowSession } from "./workflow-session.ts";
import type { WebhookRow, WorkflowStore } from "./workflow-store.ts";

/** Webhooks on their way at once: two of an object's six connections are free for them. */
const MAX_DELIVERIES = 2;
/** When a delivery that was cut off is tried again: the row is postponed by this before the call. */
const WEBHOOK_LEASE_MS = 60_000;

interface WebhookObject {
  session: () => WorkflowSession | null;
  /** Has the alarm come by then. */
  armBy: (time: number) => void;
}

/** Delivers a workflow's webhooks from its store, which holds them until they are delivered or given up. */
export class WebhookSender {
  readonly #deps: ObjectDeps;
  readonly #store: WorkflowStore;
  readonly #object: WebhookObject;
  #deliveries = 0;

  constructor(deps: ObjectDeps, store: WorkflowStore, object: WebhookObject) {
    this.#deps = deps;
    this.#store = store;
    this.#object = object;
  }

  /** When the next delivery is due; Infinity without any. */
  nextAt(session: WorkflowSession): number {
    return session.identity.spec.webhook === undefined ? Infinity : this.#store.readNextWebhookAt();
  }

  /** Sends the webhooks that are due, oldest first, a few at once. Nobody waits for it: receivers may be slow. */
  deliver(session: WorkflowSession): void {
    if (session.identity.spec.webhook === undefined || this.#deliveries >= MAX_DELIVERIES) return;
    this.#deliveries += 1;
    void this.#deliverDue(session).finally(() => (this.#deliveries -= 1));
  }

  async #deliverDue(session: WorkflowSession): Promise<void> {
    while (this.#object.session() === session) {
      const [due] = this.#store.readDueWebhooks(this.#deps.now(), 1);
      if (due === undefined) return this.#object.armBy(this.#store.readNextWebhookAt());
      // Postponed first: nobody else takes it, and if the object dies during the call, it is tried again after that.
      this.#store.postponeWebhook(due.id, due.attempts + 1, this.#deps.now() + WEBHOOK_LEASE_MS);
      await this.#deliverWebhook(session, due);
    }
  }

  async #deliverWebhook(session: WorkflowSession, row: WebhookRow): Promise<void> {
    const { identity } = session;
    const webhook = identity.spec.webhook!;
    const event = { id: `${identity.workflowId}.${session.run.state.createdAt}.${row.id}`, type: row.type, timestamp: new Date(row.at).toISOString(), workflow: { id: identity.workflowId, name: identity.spec.name, status: row.status as WorkflowStatus } };
    const result = await sendWebhook({ url: webhook.url, secretName: webhook.secretName ?? null, event }, { ...this.#deps, signal: new AbortController().signal });
    if (this.#object.session() !== session) return;
    const attempts = row.attempts + 1;
    const delayMs = result.status === "retry" ? nextWebhookRetryMs(attempts, this.#deps.random()) : null;
    if (delayMs === null) this.#store.removeWebhook(row.id);
    else this.#store.postponeWebhook(row.id, attempts, this.#deps.now() + Math.max(delayMs, result.status === "retry" ? (result.retryAfterMs ?? 0) : 0));
    const reason = result.status === "delivered" ? null : result.reason;
    this.#deps.log({ event: "webhook.sent", tenant: identity.tenant, workflowId: identity.workflowId, type: row.type, result: result.status, attempts, reason });
  }
}
