import { z } from "zod";
import { queryInteger } from "../http/read-request.ts";
import type { ReadOptions } from "../ports/workflow-port.ts";

/** Longest `?wait=` (contract): an answer should come before proxies on the way lose patience. */
export const MAX_WAIT_MS = 60_000;

/** How a workflow is answered: when, and with what. */
export const ReadQuery = z.object({
  wait: queryInteger(0, MAX_WAIT_MS).default(0),
  tasks: z.enum(["none"]).optional(),
});

/** What is asked beyond the answer that comes without parameters; null for that one. */
export function askedOf({ wait, tasks }: z.infer<typeof ReadQuery>): ReadOptions | null {
  return wait === 0 && tasks === undefined ? null : { waitMs: wait, withTasks: tasks === undefined };
}
