import { z } from "zod";

/** How attempts are sent and kept alive. All times in milliseconds. Figures behind the defaults: docs/performance.md. */
const Dispatch = z.strictObject({
  /** Calls that a workflow object makes itself at once: an invocation has six connections waiting for a first header, two stay free for webhooks and the tenant. */
  objectMax: z.int().min(0).max(4).default(4),
  /** Widest ready set of `http` tasks sent to executors over RPC; wider ones go through the queue. At most what the platform's 32 Worker invocations per request carry, five orders each. */
  directMax: z.int().min(0).max(150).default(150),
  /** `llm` tasks go through the queue, so that a paid call outlives a reset of the object; `direct` is for local work. */
  llm: z.enum(["queue", "direct"]).default("queue"),
  /** How long a queued attempt may stay unclaimed before it is sent again. */
  claimLeaseMs: z.int().min(100).max(300_000).default(6_000),
  /** How long a claimed attempt lives without a renewal. */
  leaseMs: z.int().min(100).max(60_000).default(6_000),
  /** How often a runner renews the leases of its attempts. */
  renewEveryMs: z.int().min(50).max(30_000).default(2_000),
  /** How often an object with calls of its own looks after them: so late is it woken if it was killed. */
  checkMs: z.int().min(100).max(60_000).default(3_000),
  /** How long after its timeout an attempt may still report before it is given up. */
  timeoutGraceMs: z.int().min(0).max(60_000).default(2_000),
}).refine(({ leaseMs, renewEveryMs }) => renewEveryMs < leaseMs, { path: ["leaseMs"], error: "must be longer than renewEveryMs, or every attempt is lost before its lease is renewed" });

const Retention = z.strictObject({
  /** Days after its end that a workflow is kept. */
  days: z.int().min(1).max(3_650).default(30),
});

const Compression = z.strictObject({
  /** Tokens that a task's context is reduced to where the task does not say. */
  defaultMaxTokens: z.int().min(64).max(10_000_000).default(16_000),
});

/** The operator's settings, nested by group. */
export const Settings = z.strictObject({
  dispatch: Dispatch.prefault({}),
  retention: Retention.prefault({}),
  compression: Compression.prefault({}),
});
export type Settings = z.infer<typeof Settings>;

/** Reads the variable `SETTINGS` (JSON, merged over the defaults). Throws with the faults when it is wrong: a deployment with bad settings must not start. */
export function readSettings(variable: string | undefined): Settings {
  if (variable === undefined || variable === "") return Settings.parse({});
  const parsed = Settings.safeParse(parseJson(variable));
  if (!parsed.success) throw new Error(`the variable SETTINGS is invalid: ${z.prettifyError(parsed.error)}`);
  return parsed.data;
}

function parseJson(variable: string): unknown {
  try {
    return JSON.parse(variable);
  } catch (error) {
    throw new Error(`the variable SETTINGS is invalid: it is no JSON: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
}
