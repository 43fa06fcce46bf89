import type { AgentKind, Channel } from "./run.ts";

/** How attempts are sent; part of the settings. */
export interface DispatchSettings {
  /** Calls that the object makes itself at once. A Worker invocation has six connections that wait for a first header; two stay free for webhooks and the tenant. */
  objectMax: number;
  /** Widest ready set of `http` tasks that goes to executors over RPC; wider ones go through the queue. */
  directMax: number;
  /** `llm` tasks go through the queue, so that a paid call outlives a reset of the object; `direct` is for local work. */
  llm: "queue" | "direct";
  /** How long a queued attempt may stay unclaimed. */
  claimLeaseMs: number;
  /** How long a claimed attempt lives without a renewal. */
  leaseMs: number;
  /** How often an object with calls of its own looks after them: so late is it woken if it was killed. */
  checkMs: number;
  /** How long after its timeout an attempt may still report before the object gives it up. */
  timeoutGraceMs: number;
}

/** The way for one attempt of a ready set of `readySize` tasks, with `inObject` calls already made by the object itself. */
export function chooseChannel(kind: AgentKind, readySize: number, inObject: number, settings: DispatchSettings): Channel {
  if (kind === "transform") return "inline";
  if (kind === "llm" && settings.llm === "queue") return "queue";
  if (inObject + readySize <= settings.objectMax) return "object";
  return readySize <= settings.directMax ? "direct" : "queue";
}
