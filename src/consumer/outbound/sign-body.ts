import { Webhook } from "standardwebhooks";

/**
 * The Standard Webhooks headers of one delivery. `secret` is `whsec_` with base64, or any text, whose UTF-8 bytes are then the key.
 * Null when it cannot be a key: empty, or not base64 after `whsec_`.
 */
export function signBody(delivery: { id: string; atMs: number; body: string }, secret: string): Record<string, string> | null {
  const webhook = createWebhook(secret);
  if (webhook === null) return null;
  return {
    "webhook-id": delivery.id,
    "webhook-timestamp": String(Math.floor(delivery.atMs / 1_000)),
    "webhook-signature": webhook.sign(delivery.id, new Date(delivery.atMs), delivery.body),
  };
}

function createWebhook(secret: string): Webhook | null {
  try {
    return secret.startsWith("whsec_") ? new Webhook(secret) : new Webhook(new TextEncoder().encode(secret), { format: "raw" });
  } catch {
    return null;
  }
}
