import { IDEMPOTENCY_MS, KEY_IS_TAKEN } from "../../api/ports/idempotency-record.ts";
import type { KeyClaim, KeyClaimAnswer } from "../../api/ports/workflow-port.ts";
import type { WorkflowStore } from "./stores/workflow-store.ts";

/**
 * Notes in the object that a key leads to that it stands for a workflow elsewhere. What is kept looks like what a deleted workflow leaves: the
 * alarm removes it when it is over. `at`: when that is; null where nothing was written.
 */
export function claimKey(store: WorkflowStore, { key, bodyHash, workflowId, instead }: KeyClaim, now: number): { answer: KeyClaimAnswer; at: number | null } {
  const record = store.hasSchema() ? store.read("idempotency") : null;
  if (record !== null && now - record.createdAt >= IDEMPOTENCY_MS) {
    store.write("idempotency", { ...record, expiredAt: now });
    return { answer: { kind: "expired" }, at: null };
  }
  if (record !== null && record.bodyHash !== instead) {
    if (record.bodyHash === bodyHash && record.madeId === workflowId) return { answer: { kind: "claimed" }, at: null };
    const isClaim = record.key === key && record.madeId !== undefined;
    return { answer: isClaim ? { kind: "held", workflowId: record.madeId!, bodyHash: record.bodyHash, forMs: now - record.createdAt } : KEY_IS_TAKEN, at: null };
  }
  store.transaction(() => {
    store.migrate();
    store.write("idempotency", { key, bodyHash, createdAt: now, parts: 0, madeId: workflowId });
  });
  return { answer: { kind: "claimed" }, at: now + IDEMPOTENCY_MS };
}

/** Whether this claim stands here, and nothing else does. */
export function holdsClaim(store: WorkflowStore, { key, bodyHash }: { key: string; bodyHash: string }): boolean {
  const record = store.hasSchema() ? store.read("idempotency") : null;
  return record?.madeId !== undefined && record.key === key && record.bodyHash === bodyHash;
}
