import type { ApiContext } from "../endpoint.ts";
import { callerOf, headerFault } from "../endpoint.ts";
import { hashBytes } from "./hash-bytes.ts";
import { refuseFaults } from "./problem.ts";

/** Longest key (contract). */
export const MAX_KEY_CHARS = 255;
/** Bits of an id's hash that are kept, in hexadecimal digits: 128, as many as a random id has. */
const ID_HEX_DIGITS = 32;

/** Generations of one key that are tried: few enough for the calls that one invocation may make. Each is over after a day, and gone with its workflow. */
export const MAX_GENERATIONS = 400;

export interface Idempotency {
  key: string;
  bodyHash: string;
}

export async function hashRequest(key: string | null, bytes: Uint8Array): Promise<Idempotency | null> {
  return key === null ? null : { key, bodyHash: await hashBytes(bytes) };
}

/** The `Idempotency-Key` of a request; null without one. */
export function readIdempotencyKey(context: ApiContext): string | null {
  const key = context.req.header("idempotency-key");
  if (key === undefined) return null;
  if (key.length < 1 || key.length > MAX_KEY_CHARS) refuseFaults([headerFault("Idempotency-Key", `must have 1–${MAX_KEY_CHARS} characters`)]);
  return key;
}

/**
 * The id of the `generation`-th workflow that a key makes at this method and path. Being derived, it leads every repetition to
 * the same object, which is the only one to know whether it was there before; a generation is over after a day.
 */
export async function deriveWorkflowId(context: ApiContext, key: string, generation: number): Promise<string> {
  const { tenant } = callerOf(context);
  const digest = await hashBytes(new TextEncoder().encode(JSON.stringify([tenant, context.req.method, context.req.path, key, generation])));
  return `wf_${digest.slice(0, ID_HEX_DIGITS)}`;
}
