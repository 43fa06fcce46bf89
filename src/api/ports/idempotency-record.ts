import type { Problem } from "../../errors.ts";

/** How long an `Idempotency-Key` stands for its first answer (contract). */
export const IDEMPOTENCY_MS = 86_400_000;

/** What a key is answered within that time that comes with another body. */
export const KEY_IS_TAKEN: Problem = { problem: "conflict", detail: "This Idempotency-Key was used with another body within the last 24 hours: use a new key." };
